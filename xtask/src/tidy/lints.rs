//! Every member inherits the lint table of the root manifest.

use crate::tree::{Problem, SourceFile};

/// Finds the manifests without `[lints] workspace = true`.
pub(crate) fn check(manifests: &[SourceFile]) -> Vec<Problem> {
    let without = manifests.iter().filter(|manifest| !inherits(&manifest.text));
    without.map(|manifest| manifest.problem(1, "no `[lints] workspace = true`")).collect()
}

fn inherits(text: &str) -> bool {
    let mut section = "";
    text.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line;
        }
        let plain: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        (section == "[lints]" && plain == "workspace=true")
            || (section.is_empty() && plain == "lints.workspace=true")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_inherit() {
        assert!(inherits("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(inherits("lints.workspace = true\n[package]\n"));
    }

    #[test]
    fn another_section_or_a_comment_does_not() {
        for text in ["", "[dependencies]\nworkspace = true", "[lints]\n# workspace = true"] {
            assert_eq!(check(&[SourceFile::new("Cargo.toml", text)]).len(), 1, "{text}");
        }
    }
}
