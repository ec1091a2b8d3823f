//! The system calls of the process transport know nothing of the crate above them: no file below
//! its `src/sys/` imports one outside. What `sys` takes is a type of its own.

use std::path::Path;

use crate::source::edges::Imports;
use crate::source::modules::Sources;
use crate::tree::Problem;

/// The crates whose `sys` stands alone.
pub(super) const CRATES: [&str; 1] = ["crates/process-transport"];

/// Finds the imports that leave a `sys`.
pub(super) fn check<'a>(crates: impl IntoIterator<Item = &'a Sources>) -> Vec<Problem> {
    crates.into_iter().flat_map(check_crate).collect()
}

fn check_crate(sources: &Sources) -> Vec<Problem> {
    let sys = sources.folder.join("src").join("sys");
    let is_inside = |path: &Path| path.starts_with(&sys);
    let imports = Imports::find(sources);
    let all = imports.all();
    let leaving = all.iter().filter(|import| is_inside(import.from) && !is_inside(import.to));
    leaving.map(|import| import.problem("sys takes what it needs by types of its own")).collect()
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
