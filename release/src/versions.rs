//! The version of the crates, which the root manifest has: once for all packages, and beside the path
//! of each.

use anyhow::{Context, Result};

/// Returns the version of the workspace's packages.
pub(crate) fn present(manifest: &str) -> Result<String> {
    let section = manifest.split("[workspace.package]\n").nth(1);
    let section = section.context("no section `[workspace.package]`")?;
    let version = section.lines().find_map(|line| line.strip_prefix("version = \""));
    let version = version.and_then(|rest| rest.strip_suffix('"'));
    Ok(version.context("no version of the workspace")?.to_owned())
}

/// Returns the manifest with another version of the packages: in the line of the workspace, and in the
/// lines that have a path too. The versions of other crates stay.
pub(crate) fn changed(manifest: &str, from: &str, to: &str) -> String {
    let (old, new) = (format!("version = \"{from}\""), format!("version = \"{to}\""));
    let is_ours = |line: &str| line == old || line.contains("{ path = \"crates/");
    let line = |line: &str| if is_ours(line) { line.replace(&old, &new) } else { line.to_owned() };
    manifest.lines().map(|text| line(text) + "\n").collect()
}

/// Returns whether the text is a version with three numbers, and nothing else.
pub(crate) fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3
        && parts
            .iter()
            .all(|part| part.parse::<u32>().is_ok_and(|number| number.to_string() == *part))
}

#[cfg(test)]
mod tests {
    use super::{changed, is_version, present};

    const MANIFEST: &str = "\
[workspace.package]
version = \"0.1.0\"

[workspace.dependencies]
procession-core = { path = \"crates/core\", version = \"0.1.0\" }
other = { version = \"0.1.0\" }
";

    #[test]
    fn every_version_of_ours_changes_and_no_other() {
        assert_eq!(present(MANIFEST).unwrap(), "0.1.0");
        let changed = changed(MANIFEST, "0.1.0", "0.2.0");
        assert_eq!(present(&changed).unwrap(), "0.2.0");
        let versions: Vec<_> = changed.lines().map(|line| line.contains("0.2.0")).collect();
        assert_eq!(versions, [false, true, false, false, true, false]);
    }

    #[test]
    fn a_version_has_three_numbers() {
        assert!(is_version("0.12.3"));
        for text in ["", "1.2", "v1.2.3", "1.2.03", "1.2.3-rc1", "1.2.3.4", "--write"] {
            assert!(!is_version(text), "{text}");
        }
    }
}
