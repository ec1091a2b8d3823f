//! Checks that the system calls of the process transport do not depend on the rest of the crate: no
//! file below `src/sys/` imports a file outside. `sys` defines the types of its arguments itself.

use std::path::Path;

use crate::source::edges::Imports;
use crate::source::modules::Sources;
use crate::tree::Problem;

/// The crates whose `sys` must not import the rest of the crate.
pub(super) const CRATES: [&str; 1] = ["crates/process-transport"];

/// Finds the imports from a `sys` folder to a file outside.
pub(super) fn check<'a>(crates: impl IntoIterator<Item = &'a Sources>) -> Vec<Problem> {
    crates.into_iter().flat_map(check_crate).collect()
}

fn check_crate(sources: &Sources) -> Vec<Problem> {
    let sys = sources.folder.join("src").join("sys");
    let is_inside = |path: &Path| path.starts_with(&sys);
    let imports = Imports::find(sources);
    let all = imports.all();
    let leaving = all.iter().filter(|import| is_inside(import.from) && !is_inside(import.to));
    leaving.map(|import| import.problem("sys must not import the rest of the crate")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::SourceFile;

    #[test]
    fn only_an_import_that_leaves_sys_is_a_problem() {
        let files = [
            SourceFile::new("a/src/lib.rs", "mod b; mod sys; pub use sys::S;"),
            SourceFile::new("a/src/b.rs", "use crate::sys::S; pub struct B;"),
            SourceFile::new("a/src/sys/mod.rs", "mod c; mod d; pub use c::S;"),
            SourceFile::new("a/src/sys/c.rs", "pub struct S;"),
            SourceFile::new("a/src/sys/d.rs", "use crate::S;\nuse super::super::b::B;"),
        ];
        let problems = check(&[Sources::parse(&files, "a")]);
        assert_eq!(problems.len(), 1);
        let problem = problems[0].to_string();
        assert!(problem.starts_with("a/src/sys/d.rs:2: super::super::b::B leads to a/src/b.rs: "));
    }
}
