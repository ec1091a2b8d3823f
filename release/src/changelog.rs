//! Moves what is unreleased in CHANGELOG.md below the heading of a version.

use anyhow::{Context, Result, ensure};

const UNRELEASED: &str = "## Unreleased\n";

/// Returns the changelog after the release of `version` at `date`: an empty section of what is
/// unreleased, then the section of the version.
///
/// Fails if nothing is unreleased, or if the changelog has the version.
pub(crate) fn released(text: &str, version: &str, date: &str) -> Result<String> {
    let (before, after) = text.split_once(UNRELEASED).context("no heading `## Unreleased`")?;
    let section = after.split("\n## ").next().unwrap_or_default();
    ensure!(!section.trim().is_empty(), "the changelog has no unreleased change");
    let mut versions = after.lines().filter_map(|line| line.strip_prefix("## ")?.split(' ').next());
    ensure!(
        !versions.any(|released| released == version),
        "the changelog has a section of {version}"
    );
    Ok(format!("{before}{UNRELEASED}\n## {version} - {date}\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::released;

    const LOG: &str =
        "# Changelog\n\n## Unreleased\n\n### Fixed\n\n- A.\n\n## 0.1.0 - 2026-01-02\n\n- B.\n";

    #[test]
    fn what_is_unreleased_moves_below_the_version() {
        let log = released(LOG, "0.2.0", "2026-03-04").unwrap();
        let wanted = "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-03-04\n\n### Fixed\n\n- A.\n\n\
                      ## 0.1.0 - 2026-01-02\n\n- B.\n";
        assert_eq!(log, wanted);
        let again = released(&log, "0.3.0", "2026-03-05").unwrap_err();
        assert_eq!(again.to_string(), "the changelog has no unreleased change");
    }

    #[test]
    fn a_version_is_released_once() {
        let error = released(LOG, "0.1.0", "2026-03-04").unwrap_err();
        assert_eq!(error.to_string(), "the changelog has a section of 0.1.0");
        assert!(released(LOG, "0.1", "2026-03-04").is_ok(), "another version");
        assert!(released("# Changelog\n", "0.1.0", "2026-03-04").is_err());
    }
}
