//! Plots: a bar for each contender of a row, and lines that show how a cost grows.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{Better, Figures};
use crate::measure::{LIMIT, OURS, Outcome};
use crate::rows::Row;
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
pub(crate) type Line = (&'static str, Vec<(f64, f64)>);

/// Draws how costs grow.
pub(crate) fn lines(file: &Path, title: &str, x: &str, y: &str, lines: &[Line]) -> Result<()> {
    let colours = [STRONG, GREEN, RED, MAGENTA, PALE, BLACK];
    let points = || lines.iter().flat_map(|(_, points)| points);
    let right = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let top = points().map(|(_, y)| *y).fold(1.0, f64::max) * 1.5;
    let low = points().map(|(_, y)| *y).fold(top, f64::min) / 1.5;
    let area = SVGBackend::new(file, (WIDTH.unsigned_abs(), 360)).into_drawing_area();
    area.fill(&WHITE).map_err(plain)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 14))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, (low..top).log_scale())
        .map_err(plain)?;
    let mesh = &mut chart.configure_mesh();
    mesh.x_desc(x).y_desc(y).light_line_style(TRANSPARENT).draw().map_err(plain)?;
    for ((name, points), colour) in lines.iter().zip(colours.into_iter().cycle()) {
        let series = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        let sample = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour);
        chart.draw_series(series).map_err(plain)?.label(*name).legend(sample);
    }
    let labels = &mut chart.configure_series_labels();
    let labels = labels.position(SeriesLabelPosition::UpperLeft).border_style(PALE);
    labels.background_style(WHITE.mix(0.8)).draw().map_err(plain)?;
    area.present().map_err(plain)
}

/// Converts the plot library's error, which borrows the drawing area.
fn plain(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the plot: {error}")
}
