//! Writing and reading the table in docs/launch-matrix.md.

use std::collections::BTreeMap;

use super::rows::Row;
use super::{Column, Refusal};

/// The headings of the columns after the first three.
pub(crate) const HEADS: [&str; 5] =
    ["chosen", "shared files", "shared memory", "fork", "with a closure"];

/// The text of a cell that is not tried.
pub(crate) const NOT_TRIED: &str = "-";

/// The outcomes of one row, by refusal and column.
pub(crate) type Outcomes = BTreeMap<(Refusal, usize), String>;

/// Returns the name of a refusal in the table.
fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Answer(libc::EPERM) => "EPERM",
        Refusal::Answer(_) => "ENOSYS",
        Refusal::Death => "kill",
        Refusal::None => "nothing",
    }
}

/// Returns the first three fields: the call, the option that needs it, and the refusal.
fn head(row: &Row, refusal: Refusal) -> [String; 3] {
    [row.call.to_owned(), row.scenario.name.to_owned(), name(refusal).to_owned()]
}

/// Returns the lines of one row, one for each refusal.
pub(crate) fn lines(row: &Row, outcomes: &Outcomes) -> Vec<String> {
    let line = |refusal| {
        let cells = (0..Column::ALL.len()).map(|column| {
            outcomes.get(&(refusal, column)).map_or(NOT_TRIED, String::as_str).to_owned()
        });
        let fields: Vec<String> = head(row, refusal).into_iter().chain(cells).collect();
        format!("| {} |", fields.join(" | "))
    };
    Refusal::ALL.into_iter().filter(|refusal| row.allows(*refusal)).map(line).collect()
}

/// Returns the heading of a table.
pub(crate) fn heading() -> String {
    let heads: Vec<&str> = ["call", "asked for", "refused by"].into_iter().chain(HEADS).collect();
    format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()))
}

/// Reads the cells of a page, by the head of their line.
pub(crate) fn read(page: &str) -> BTreeMap<[String; 3], Vec<String>> {
    let rows = page.lines().filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut fields = line.split(" | ").map(str::to_owned);
        let head = [fields.next()?, fields.next()?, fields.next()?];
        Some((head, fields.collect()))
    });
    rows.collect()
}

/// Returns the lines of a page that belong to none of these rows.
pub(crate) fn left_over(page: &BTreeMap<[String; 3], Vec<String>>, rows: &[Row]) -> Vec<String> {
    let known = |line: &&[String; 3]| {
        let heads = rows.iter().flat_map(|row| Refusal::ALL.map(|refusal| (row, refusal)));
        heads.into_iter().any(|(row, refusal)| row.allows(refusal) && head(row, refusal) == **line)
    };
    let is_cell = |line: &&[String; 3]| line[0] != "call" && line[0] != "---";
    let lines = page.keys().filter(is_cell).filter(|line| !known(line));
    lines.map(|line| format!("{line:?} is in the page, and is no row")).collect()
}

/// Returns how the outcomes of a row differ from the page, for the columns that were tried.
pub(crate) fn differences(
    page: &BTreeMap<[String; 3], Vec<String>>,
    row: &Row,
    outcomes: &Outcomes,
) -> Vec<String> {
    let difference = |((refusal, column), now): (&(Refusal, usize), &String)| {
        let head = head(row, *refusal);
        let before = page.get(&head).and_then(|cells| cells.get(*column));
        let said = before.map_or("nothing", String::as_str);
        (said != now)
            .then(|| format!("{head:?}, {}: {now}, and the page says {said}", HEADS[*column]))
    };
    outcomes.iter().filter_map(difference).collect()
}
