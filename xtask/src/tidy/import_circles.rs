//! Checks that no file of a library imports a file that imports it, directly or through others.
//! Such files can be understood, tested and moved only together.
//!
//! Every path in the code counts, not only `use` items: `source/edges.rs` defines an import. A file
//! that only declares modules and re-exports defines no item, so it is in no circle.

use crate::source::edges::{ImportCircles, Imports};
use crate::source::modules::Sources;
use crate::tree::Problem;

/// Finds the import circles.
pub(super) fn check<'a>(crates: impl IntoIterator<Item = &'a Sources>) -> Vec<Problem> {
    let found = crates.into_iter().flat_map(|sources| {
        let imports = Imports::find(sources);
        imports.circles().iter().map(ImportCircles::problem).collect::<Vec<_>>()
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::SourceFile;

    #[test]
    fn each_circle_is_a_problem() {
        let files = [
            SourceFile::new("a/src/lib.rs", "mod b; mod c; mod d; mod e;"),
            SourceFile::new("a/src/b.rs", "use crate::c::C; pub struct B;"),
            SourceFile::new("a/src/c.rs", "pub struct C(crate::b::B);"),
            SourceFile::new("a/src/d.rs", "use crate::e::E;"),
            SourceFile::new("a/src/e.rs", "pub struct E;"),
        ];
        let problems = check(&[Sources::parse(&files, "a")]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with("2 files import each other in a circle"));
    }
}
