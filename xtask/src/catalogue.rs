//! Reads the catalogue of behaviour cases, `docs/cases.md`.
//!
//! An area is a heading `### SE - spawn-errors`; a case is a list item `1. **SE-01** […]`.

use crate::tree::{Problem, SourceFile};

/// The path of the catalogue.
pub(crate) const PATH: &str = "docs/cases.md";

/// All areas, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    pub(crate) areas: Vec<Area>,
}

/// Cases about one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    /// The two letters that its ids begin with.
    pub(crate) code: String,
    pub(crate) title: String,
    pub(crate) ids: Vec<String>,
}

impl Catalogue {
    /// Reads the file, and returns its mistakes too.
    pub(crate) fn parse(file: &SourceFile) -> (Self, Vec<Problem>) {
        let mut catalogue = Self::default();
        let mut problems = Vec::new();
        for (line, text) in (1..).zip(file.text.lines()) {
            let heading = text.strip_prefix("### ").and_then(|heading| heading.split_once(" - "));
            if let Some((code, title)) = heading {
                let (code, title) = (code.to_owned(), title.to_owned());
                catalogue.areas.push(Area { code, title, ids: Vec::new() });
            } else if let Some(id) = listed_id(text) {
                if catalogue.contains(id) {
                    problems.push(file.problem(line, format!("the id {id} occurs twice")));
                }
                match catalogue.areas.last_mut() {
                    Some(area) if id.starts_with(&area.code) => area.ids.push(id.to_owned()),
                    _ => problems
                        .push(file.problem(line, format!("{id} is in the area of other ids"))),
                }
            }
        }
        if catalogue.total() == 0 {
            problems.push(file.problem(1, "the catalogue has no case"));
        }
        (catalogue, problems)
    }

    /// Returns whether the catalogue has the id.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.areas.iter().any(|area| area.ids.iter().any(|known| known == id))
    }

    /// Returns the number of cases.
    pub(crate) fn total(&self) -> usize {
        self.areas.iter().map(|area| area.ids.len()).sum()
    }
}

/// Returns the id that `text` begins with: two capitals, a hyphen, two digits or more.
pub(crate) fn leading_id(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let capitals = bytes.get(..2)?.iter().all(u8::is_ascii_uppercase);
    if !capitals || bytes.get(2) != Some(&b'-') {
        return None;
    }
    let digits = bytes[3..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits >= 2).then(|| &text[..3 + digits])
}

fn listed_id(line: &str) -> Option<&str> {
    let (number, text) = line.split_once(". **")?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    leading_id(text).filter(|_| numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Catalogue, Vec<Problem>) {
        Catalogue::parse(&SourceFile::new(PATH, text))
    }

    #[test]
    fn areas_and_ids_are_read_in_order() {
        let (catalogue, problems) = parse(
            "### SE - spawn-errors\n\n1. **SE-01** [easy]\n   - Do: FD-09\n14. **SE-14** [x]\n\
             ### FD - fd-map\n20. **FD-01** [x]\n",
        );
        assert_eq!(problems, []);
        assert_eq!(catalogue.total(), 3);
        assert_eq!(catalogue.areas[0].ids, ["SE-01", "SE-14"]);
        assert_eq!(catalogue.areas[1].title, "fd-map");
        assert!(catalogue.contains("FD-01") && !catalogue.contains("FD-09"));
    }

    #[test]
    fn a_repeated_or_misplaced_id_and_an_empty_catalogue_are_problems() {
        for text in [
            "### SE - x\n1. **SE-01** [a]\n2. **SE-01** [a]\n",
            "### SE - x\n1. **SE-01** [a]\n2. **FD-01** [a]\n",
            "# Cases\n",
        ] {
            assert_eq!(parse(text).1.len(), 1, "{text}");
        }
    }

    #[test]
    fn an_id_is_two_capitals_and_two_digits_or_more() {
        assert_eq!(leading_id("FD-07."), Some("FD-07"));
        assert_eq!(leading_id("FD-123 x"), Some("FD-123"));
        for text in ["FD-7", "fd-07", "FD07", "F", "", "é-07"] {
            assert_eq!(leading_id(text), None, "{text}");
        }
    }
}
