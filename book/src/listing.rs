//! Takes regions out of programs, and knows which programs the tests run.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::chapter::Include;

/// Returns the lines of a region, without other marks, moved to the left edge.
///
/// # Errors
///
/// If the file or the region is missing, or no test runs the file.
pub(crate) fn text(root: &Path, include: &Include) -> Result<String> {
    let path = &include.path;
    ensure!(is_tested(root, path), "{}: no test runs this file", path.display());
    let text = std::fs::read_to_string(root.join(path));
    let text = text.with_context(|| format!("{}: cannot be read", path.display()))?;
    region(&text, &include.region)
        .with_context(|| format!("{}: no region {}", path.display(), include.region))
}

fn region(text: &str, name: &str) -> Option<String> {
    let is_mark = |line: &str, kind: &str| {
        line.trim_start().trim_start_matches(['/', '#']).trim() == format!("{kind}: {name}")
    };
    let mut lines = text.lines().skip_while(|line| !is_mark(line, "ANCHOR"));
    lines.next()?;
    let mut found = Vec::new();
    loop {
        let line = lines.next()?;
        if is_mark(line, "ANCHOR_END") {
            break;
        }
        if !line.contains("ANCHOR: ") && !line.contains("ANCHOR_END: ") {
            found.push(line);
        }
    }
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let left = found.iter().filter(|line| !line.trim().is_empty()).map(indent).min()?;
    let moved = found.iter().map(|line| line.get(left..).unwrap_or("").trim_end());
    Some(moved.collect::<Vec<_>>().join("\n"))
}

/// Returns whether a test compiles and runs this file.
fn is_tested(root: &Path, path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let Some(module) = name.strip_suffix(".rs") else { return false };
    match path.parent().and_then(Path::to_str) {
        // Each module of this test is compiled with it, and code that no test calls is a warning there.
        Some(folder @ "book/chapters/tests/chapters") => {
            let main = std::fs::read_to_string(root.join(folder).join("main.rs"));
            main.is_ok_and(|main| main.lines().any(|line| line == format!("mod {module};")))
        }
        // `every_file_is_a_listing_and_has_a_region` and `every_example_has_a_row` check these.
        Some("book/listings/src/cookbook" | "examples") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_moved_to_the_left_and_has_no_marks() {
        let text = "x\n    // ANCHOR: a\n    one\n\n    // ANCHOR: b\n        two\n    // ANCHOR_END: b\n    // ANCHOR_END: a\ny\n";
        assert_eq!(region(text, "a").unwrap(), "one\n\n    two");
        assert_eq!(region(text, "b").unwrap(), "two");
        assert_eq!(region(text, "c"), None);
        assert_eq!(region("// ANCHOR: a\none\n", "a"), None);
    }

    #[test]
    fn a_file_that_no_test_runs_is_refused() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(is_tested(root, Path::new("book/chapters/tests/chapters/doors.rs")));
        assert!(is_tested(root, Path::new("examples/word_count.rs")));
        assert!(!is_tested(root, Path::new("book/chapters/tests/chapters/nothing.rs")));
        assert!(is_tested(root, Path::new("book/listings/src/cookbook/timeout.rs")));
        assert!(!is_tested(root, Path::new("book/listings/src/main.rs")));
        assert!(!is_tested(root, Path::new("examples/src/lib.rs")));
        assert!(!is_tested(root, Path::new("examples/supervisor.toml")));
        assert!(!is_tested(root, Path::new("crates/core/src/lib.rs")));
    }
}
