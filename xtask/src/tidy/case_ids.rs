//! A test may cite only behaviour cases that the catalogue knows, and a citation stands on a
//! test that asserts.

use crate::catalogue::Catalogue;
use crate::citations::{self, citations};
use crate::tree::{Problem, SourceFile};

/// Finds mistakes in the catalogue and in the citations of `files`.
pub(crate) fn check(catalogue: &SourceFile, files: &[SourceFile]) -> Vec<Problem> {
    let (catalogue, mut problems) = Catalogue::parse(catalogue);
    for file in files {
        problems.extend(citations::problems(file));
        for citation in citations(file) {
            let unknown = citation.ids.iter().filter(|id| !catalogue.contains(id));
            problems.extend(
                unknown.map(|id| file.problem(citation.line, format!("there is no case {id}"))),
            );
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(tests: &str) -> Vec<String> {
        let catalogue = SourceFile::new("docs/cases.md", "### FD - fd-map\n1. **FD-01** [x]\n");
        let problems = check(&catalogue, &[SourceFile::new("tests/a.rs", tests)]);
        problems.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_known_case_on_a_test_passes() {
        assert_eq!(messages("/// Case FD-01.\n#[test]\nfn a() { assert!(true) }"), [""; 0]);
    }

    #[test]
    fn an_unknown_case_is_found() {
        let found = messages("/// Cases FD-01 and FD-99.\n#[test]\nfn a() { assert!(true) }");
        assert_eq!(found, ["there is no case FD-99"]);
    }

    #[test]
    fn a_citation_that_does_not_count_is_found() {
        assert_eq!(messages("/// Case FD-01.\nfn a() {}").len(), 1);
    }
}
