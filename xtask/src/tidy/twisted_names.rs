//! Checks that rustdoc's search finds the names in the guide's table for Twisted users. Each name
//! with an inner capital in the first column is a `doc(alias)` or an item of a library. The section
//! about missing features is excepted.

use std::path::Path;

use crate::tree::{Problem, SourceFile};

const PAGE: &str = "crates/procession/src/guide/porting.rs";

/// The excepted section, which goes from here to the end of the page.
const NOT_HERE: &str = "//! # What is not here";

/// Finds the names in the table that the search does not find.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    let Some(page) = files.iter().find(|file| file.path == Path::new(PAGE)) else {
        return Vec::new();
    };
    let sources: Vec<_> = files.iter().filter(|file| file.is_library()).collect();
    let is_known = |name: &str| sources.iter().any(|file| finds(&file.text, name));
    let lines = page.text.lines().enumerate().take_while(|(_, line)| *line != NOT_HERE);
    let names = lines.flat_map(|(number, line)| names(line).map(move |name| (number + 1, name)));
    names
        .filter(|(_, name)| !is_known(name))
        .map(|(line, name)| page.problem(line, format!("no `#[doc(alias = \"{name}\")]`")))
        .collect()
}

/// Returns the names of Twisted in the code of a row's first column.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let cell = line.strip_prefix("//! |").and_then(|row| row.split('|').next()).unwrap_or("");
    let code = cell.split('`').skip(1).step_by(2);
    code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_')).filter(|word| {
        word.as_bytes()
            .windows(2)
            .any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
    })
}

/// Returns whether a file has the alias, or declares an item of that name.
fn finds(source: &str, name: &str) -> bool {
    source.lines().map(str::trim_start).any(|line| {
        if let Some(attribute) = line.strip_prefix("#[doc(alias") {
            return attribute.split('"').skip(1).step_by(2).any(|alias| alias == name);
        }
        let item = line.trim_start_matches("pub ");
        let kinds = ["struct ", "enum ", "trait ", "type "];
        let item = kinds.iter().find_map(|kind| item.strip_prefix(kind)).unwrap_or(item);
        item.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with([' ', ',', '(', '{', '<', ';', ':'])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(row: &str, library: &str) -> Vec<String> {
        let page = SourceFile::new(PAGE, format!("//! A.\n{row}\n"));
        let library = SourceFile::new("crates/a/src/lib.rs", library);
        check(&[page, library]).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_name_without_an_alias_is_a_problem() {
        let row = "//! | `d.addTimeout(5)`, `addBoth` | `timeout` | |";
        assert_eq!(
            problems(row, "#[doc(alias = \"addBoth\")]"),
            ["no `#[doc(alias = \"addTimeout\")]`"]
        );
        assert_eq!(problems(row, "#[doc(alias = \"addTimeouts\")]").len(), 2);
        assert_eq!(problems(row, "#[doc(alias(\"addBoth\", \"addTimeout\"))]"), [""; 0]);
    }

    #[test]
    fn an_item_of_that_name_is_enough() {
        assert_eq!(
            problems("//! | `ProcessDone` | | |", "pub struct ProcessDone(Box<Ending>);"),
            [""; 0]
        );
        assert_eq!(problems("//! | `ProcessDone` | | |", "    ProcessDone,"), [""; 0]);
        assert_eq!(problems("//! | `ProcessDone` | | |", "pub struct ProcessDoneOnce;").len(), 1);
    }

    #[test]
    fn other_columns_lowercase_names_and_the_excepted_section_are_not_checked() {
        assert_eq!(problems("//! | `uid`, a `SIGCHLD` | `childFDs` | `usePTY` |", ""), [""; 0]);
        let row = format!("{NOT_HERE}\n//! | `callInThread` | |");
        assert_eq!(problems(&row, ""), [""; 0]);
    }
}
