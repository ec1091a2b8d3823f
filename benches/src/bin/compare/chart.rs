//! Plots: a bar for each contender of a row, and lines that show how a cost grows.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{Better, Figures};
use crate::measure::{LIMIT, OURS, Outcome};
use crate::rows::{Row, grouped};
use crate::table::short;

const WIDTH: i32 = 720;
const HEAD: i32 = 40;
const LINE: i32 = 24;
/// The horizontal range of the bars.
const LEFT: i32 = 250;
const RIGHT: i32 = WIDTH - 110;
/// If the ratio of the largest value to the smallest is above this, a linear scale shows nothing.
const LINEAR: f64 = 40.0;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const PALE: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const STRONG: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const GREEN: RGBColor = RGBColor(0x5a, 0x9a, 0x5a);
/// The colours of lines. Those of a plot with a limit begin with procession and the limit.
const COLOURS: [RGBColor; 6] = [
    STRONG,
    GREEN,
    RGBColor(0xc4, 0x5a, 0x1b),
    RGBColor(0x7d, 0x4f, 0xa3),
    RGBColor(0x6b, 0x6b, 0x6b),
    RGBColor(0xa8, 0x8a, 0x10),
];

/// Draws a row.
pub(crate) fn bars(file: &Path, row: &Row, what: &str, outcome: &Outcome) -> Result<()> {
    let names = outcome.0.iter().map(|(name, _)| *name);
    let shown: Vec<(&str, Figures)> =
        names.filter_map(|name| Some((name, outcome.figures(name)?))).collect();
    let scale = Scale::over(shown.iter().map(|(_, figures)| figures));
    let lines = i32::try_from(shown.len())?;
    let height = HEAD + LINE * lines + 10;
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE).map_err(plain)?;
    let better = if row.better == Better::Less { "less" } else { "more" };
    let log = if scale.from > 0.0 { ", logarithmic" } else { "" };
    let title = format!("{}: {what} ({}, {better} is better{log})", row.id, row.unit);
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    area.draw(&Text::new(title, (10, 10), font(14))).map_err(plain)?;
    for (y, (name, figures)) in (0..lines).map(|n| HEAD + n * LINE).zip(&shown) {
        let colour = match *name {
            OURS => STRONG,
            LIMIT => GREEN,
            _ => PALE,
        };
        let label = if *name == LIMIT { row.limit.unwrap_or(LIMIT) } else { name };
        let right = font(12).pos(Pos::new(HPos::Right, VPos::Top));
        area.draw(&Text::new(label, (LEFT - 8, y + 3), right)).map_err(plain)?;
        let bar = [(LEFT, y), (scale.at(figures.median), y + LINE - 8)];
        area.draw(&Rectangle::new(bar, colour.filled())).map_err(plain)?;
        let middle = y + (LINE - 8) / 2;
        let spread = vec![(scale.at(figures.p10), middle), (scale.at(figures.p90), middle)];
        area.draw(&PathElement::new(spread, INK)).map_err(plain)?;
        let end = scale.at(figures.median).max(scale.at(figures.p90)) + 6;
        area.draw(&Text::new(short(figures.median), (end, y + 3), font(12))).map_err(plain)?;
    }
    area.present().map_err(plain)
}

/// Maps a value to a position between `LEFT` and `RIGHT`.
struct Scale {
    /// The value at the left, or 0 for a linear scale.
    from: f64,
    to: f64,
}

impl Scale {
    fn over<'a>(all: impl Iterator<Item = &'a Figures> + Clone) -> Self {
        let to = all.clone().map(|figures| figures.p90).fold(0.0, f64::max);
        let least = all.map(|figures| figures.p10).fold(f64::MAX, f64::min);
        let from = if least > 0.0 && to / least > LINEAR { least / 2.0 } else { 0.0 };
        Self { from, to: if to > 0.0 { to } else { 1.0 } }
    }

    #[expect(clippy::cast_possible_truncation, reason = "between 0 and the width")]
    fn at(&self, value: f64) -> i32 {
        let share = if self.from > 0.0 {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            value / self.to
        };
        LEFT + (share.clamp(0.0, 1.0) * f64::from(RIGHT - LEFT)) as i32
    }
}

/// A line of a plot: its name and its points.
pub(crate) type Line = (String, Vec<(f64, f64)>);

/// The texts of a plot with lines.
#[derive(Debug)]
pub(crate) struct Captions<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
}

/// The height of a plot with lines.
const HEIGHT: i32 = 360;
/// The distance between the labels of two lines, and the room for labels at the right.
const LABEL: i32 = 15;
const LABELS: i32 = 190;

/// The most numbers of an axis. With ten, a logarithmic one would crowd nine between two powers of ten.
const MOST_TICKS: usize = 9;

/// Draws how costs grow. The horizontal axis is logarithmic too, unless a point is at 0.
pub(crate) fn lines(file: &Path, captions: &Captions<'_>, lines: &[Line]) -> Result<()> {
    let all = || lines.iter().flat_map(|(_, points)| points.iter().map(|(x, _)| *x));
    let (left, right) = (all().fold(f64::MAX, f64::min), all().fold(1.0, f64::max));
    let area =
        SVGBackend::new(file, (WIDTH.unsigned_abs(), HEIGHT.unsigned_abs())).into_drawing_area();
    area.fill(&WHITE).map_err(plain)?;
    let ends = if left > 0.0 {
        let x = format!("{} (logarithmic)", captions.x);
        draw(&area, &Captions { x: &x, ..*captions }, lines, (left..right).log_scale())?
    } else {
        draw(&area, captions, lines, 0.0..right)?
    };
    label(&area, lines, ends)?;
    area.present().map_err(plain)
}

/// An area of a plot, in pixels.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws axes and lines. Returns the place where each line ends.
fn draw<X>(
    area: &Area<'_>,
    captions: &Captions<'_>,
    lines: &[Line],
    x: X,
) -> Result<Vec<(i32, i32)>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let all = || lines.iter().flat_map(|(_, points)| points.iter().map(|(_, y)| *y));
    // From one power of ten to another, because only these have labels. A little more than that,
    // because these numbers are rounded.
    let low = 10_f64.powf(all().fold(f64::MAX, f64::min).log10().floor()) / 1.01;
    let high = 10_f64.powf(all().fold(0.0, f64::max).log10().ceil()) * 1.01;
    let mut chart = ChartBuilder::on(area)
        .caption(captions.title, ("sans-serif", 14))
        .margin(10)
        .margin_right(LABELS)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x, (low..high).log_scale())
        .map_err(plain)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&|value| axis(*value)).y_label_formatter(&|value| axis(*value));
    mesh.x_desc(captions.x).y_desc(format!("{} (logarithmic)", captions.y));
    mesh.x_labels(MOST_TICKS).y_labels(MOST_TICKS);
    mesh.light_line_style(TRANSPARENT).draw().map_err(plain)?;
    for ((_, points), colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let series = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        chart.draw_series(series.point_size(3)).map_err(plain)?;
    }
    let last = lines.iter().filter_map(|(_, points)| points.last());
    Ok(last.map(|point| chart.backend_coord(point)).collect())
}

/// Writes the name and the last figure of each line beside its end, without overlaps.
fn label(area: &Area<'_>, lines: &[Line], ends: Vec<(i32, i32)>) -> Result<()> {
    let mut labels: Vec<_> = lines.iter().zip(ends).zip(COLOURS.into_iter().cycle()).collect();
    labels.sort_by_key(|((_, (_, y)), _)| *y);
    let mut top = 0;
    // Each label leaves room for those below it.
    let mut bottom = HEIGHT - LABEL * i32::try_from(labels.len())?;
    for (((name, points), (x, y)), colour) in labels {
        let at = top.max(y).min(bottom);
        (top, bottom) = (at + LABEL, bottom + LABEL);
        let beside = WIDTH - LABELS + 14;
        area.draw(&PathElement::new(vec![(x, y), (beside - 2, at)], PALE)).map_err(plain)?;
        let text = ("sans-serif", 12).into_font().color(&colour);
        let text = text.pos(Pos::new(HPos::Left, VPos::Center));
        let figure = points.last().map_or_else(String::new, |(_, y)| short(*y));
        area.draw(&Text::new(format!("{name} {figure}"), (beside, at), text)).map_err(plain)?;
    }
    Ok(())
}

/// Formats a number of an axis: 0.5, 20, 1,000.
fn axis(value: f64) -> String {
    let rounded = format!("{}", (value * 100.0).round() / 100.0);
    match rounded.split_once('.') {
        Some(_) => rounded,
        None => grouped(&rounded),
    }
}

/// Converts the plot library's error, which borrows the drawing area.
fn plain(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the plot: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn drawn(lines: &[(&str, &[(f64, f64)])]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plot.svg");
        let named = |(name, points): &(&str, &[(f64, f64)])| ((*name).to_owned(), points.to_vec());
        let all: Vec<Line> = lines.iter().map(named).collect();
        let captions = Captions { title: "A spawn", x: "children", y: "µs" };
        super::lines(&file, &captions, &all).unwrap();
        fs::read_to_string(file).unwrap()
    }

    /// Returns the height of the text that begins with `name`.
    fn height(svg: &str, name: &str) -> i32 {
        let (before, _) = svg.split_once(&format!("\n{name} ")).unwrap();
        let (_, rest) = before.rsplit_once(" y=\"").unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }

    #[test]
    fn labels_of_lines_that_end_together_do_not_overlap() {
        let svg = drawn(&[
            ("procession", &[(0.0, 229.0), (1024.0, 244.0)]),
            ("limit", &[(0.0, 239.0), (1024.0, 245.0)]),
            ("tokio", &[(0.0, 381.0), (1024.0, 36_203.0)]),
        ]);
        assert!((height(&svg, "procession") - height(&svg, "limit")).abs() >= LABEL, "{svg}");
        assert!(svg.contains("tokio 36,203") && svg.contains("µs (logarithmic)"), "{svg}");
        assert!(!svg.contains("children (logarithmic)"), "{svg}");
        assert!(svg.contains("\n100,000\n") && svg.contains("\n1,000\n"), "{svg}");
    }

    #[test]
    fn an_axis_without_a_zero_is_logarithmic() {
        let svg = drawn(&[("procession", &[(1_000.0, 5.0), (30_000.0, 5.5)])]);
        assert!(svg.contains("children (logarithmic)") && svg.contains("10,000"), "{svg}");
    }

    #[test]
    fn numbers_of_an_axis_have_no_needless_zeros() {
        assert_eq!([0.25, 1.0, 36_203.0].map(axis), ["0.25", "1", "36,203"]);
    }
}
