//! Finds which file depends on which. File A depends on file B if a path in A leads to an item that
//! B defines.
//!
//! A module is not an item here. A path depends only on the file at its end, not on the files that
//! it leads through, and a `mod` item is no dependency. A glob depends on every file that defines
//! one of its items, because the source does not show which of them are used, such as a trait.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::cfg::System;
use super::circles::{Circles, circles};
use super::modules::{Crate, Sources};
use super::paths::{PathKind, paths};
use super::resolve::Target;
use crate::tree::Problem;

/// The dependencies between the files of a crate.
pub(crate) struct Imports<'a> {
    sources: &'a Sources,
    /// One graph per system, because paths of two systems never make a circle together.
    systems: Vec<(System, Edges)>,
}

/// Every dependency, once, by the indices of the two files.
type Edges = BTreeMap<(usize, usize), Evidence>;

/// The first place that shows a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Evidence {
    line: usize,
    path: String,
}

/// A dependency between two files.
pub(crate) struct Import<'a> {
    pub(crate) from: &'a Path,
    pub(crate) to: &'a Path,
    evidence: Evidence,
}

/// A set of files that import each other.
pub(crate) struct ImportCircles<'a> {
    imports: &'a Imports<'a>,
    /// An index into [`Imports::systems`].
    system: usize,
    circles: Circles,
}

impl<'a> Imports<'a> {
    /// Finds the dependencies between the files.
    pub(crate) fn find(sources: &'a Sources) -> Self {
        let edges = |system: System| (system, edges(&sources.read(system)));
        Self { sources, systems: System::ALL.into_iter().map(edges).collect() }
    }

    /// Returns every dependency of any system, with a line that shows it.
    pub(crate) fn all(&self) -> Vec<Import<'_>> {
        let mut all = Edges::new();
        for (_, edges) in &self.systems {
            for (step, evidence) in edges {
                all.entry(*step).or_insert_with(|| evidence.clone());
            }
        }
        all.into_iter().map(|(step, evidence)| self.import(step, evidence)).collect()
    }

    fn import(&self, (from, to): (usize, usize), evidence: Evidence) -> Import<'_> {
        Import { from: self.sources.path(from), to: self.sources.path(to), evidence }
    }

    /// Finds the largest sets of files that depend on each other on some system.
    pub(crate) fn circles(&self) -> Vec<ImportCircles<'_>> {
        let mut found: Vec<ImportCircles<'_>> = Vec::new();
        for (system, (_, edges)) in self.systems.iter().enumerate() {
            for circles in circles(edges.keys().copied()) {
                let is_within =
                    |a: &Circles, b: &Circles| a.nodes.iter().all(|n| b.nodes.contains(n));
                if !found.iter().any(|other| is_within(&circles, &other.circles)) {
                    found.retain(|other| !is_within(&other.circles, &circles));
                    found.push(ImportCircles { imports: self, system, circles });
                }
            }
        }
        found
    }
}

impl Import<'_> {
    /// Returns a problem at the line that shows the dependency.
    pub(crate) fn problem(&self, message: &str) -> Problem {
        let Evidence { line, path } = &self.evidence;
        let message = format!("{path} leads to {}: {message}", self.to.display());
        Problem { path: self.from.to_owned(), line: *line, message }
    }
}

impl fmt::Display for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { line, path } = &self.evidence;
        write!(f, "{}:{line}: {path} -> {}", self.from.display(), self.to.display())
    }
}

impl ImportCircles<'_> {
    /// Returns all files in the circles.
    pub(crate) fn files(&self) -> Vec<&Path> {
        self.circles.nodes.iter().map(|&file| self.imports.sources.path(file)).collect()
    }

    /// Returns the steps of a shortest circle.
    fn steps(&self) -> Vec<Import<'_>> {
        let way = &self.circles.shortest;
        let steps = (0..way.len()).map(|at| (way[at], way[(at + 1) % way.len()]));
        let edges = &self.imports.systems[self.system].1;
        steps.map(|step| self.imports.import(step, edges[&step].clone())).collect()
    }

    /// Returns a problem with each step of a shortest circle and the names of all files.
    pub(crate) fn problem(&self) -> Problem {
        let (steps, files) = (self.steps(), self.files());
        let place = match self.imports.systems[self.system].0 {
            System::Linux => String::new(),
            other => format!(" of a build for {}", other.name()),
        };
        let mut message =
            format!("{} files{place} import each other in a circle; for example", files.len());
        message.extend(steps.iter().map(|step| format!("\n    {step}")));
        message += "\n  move what two of them share to a file that imports neither; all of them:";
        message.extend(files.iter().map(|file| format!("\n    {}", file.display())));
        let first = &steps[0];
        Problem { path: first.from.to_owned(), line: first.evidence.line, message }
    }
}

/// Finds the dependencies on one system.
fn edges(read: &Crate<'_>) -> Edges {
    let mut found = Edges::new();
    for (at, module) in read.modules.iter().enumerate() {
        for path in paths(&module.items, read.system) {
            for target in targets(read, at, &path.segments, path.kind) {
                let Some(definer) = target.definer() else { continue };
                let to = read.modules[definer].file;
                if to == module.file {
                    continue;
                }
                let evidence = Evidence { line: path.line, path: path.segments.join("::") };
                let first = found.entry((module.file, to)).or_insert_with(|| evidence.clone());
                if evidence.line < first.line {
                    *first = evidence;
                }
            }
        }
    }
    found
}

/// Returns the items that a path leads to, on which its file depends.
fn targets(read: &Crate<'_>, module: usize, path: &[String], kind: PathKind) -> Vec<Target> {
    let found = read.resolve(module, path);
    match (kind, path) {
        (PathKind::Glob, _) => {
            let all = found.into_iter().flat_map(|target| match target {
                Target::Module(module) => read.everything(module),
                item => vec![item],
            });
            all.collect()
        }
        (PathKind::Macro, [name]) if found.is_empty() => read.macros(name),
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::modules::tests::sound_sources as sources;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources = sources(files);
        let imports = Imports::find(&sources);
        let all = imports.all();
        all.iter().map(|import| import.to_string().replace("a/src/", "")).collect()
    }

    #[test]
    fn a_path_through_a_facade_depends_on_the_definer() {
        assert_eq!(
            found(&[
                ("lib.rs", "mod a; mod b;\npub use b::B;"),
                ("a.rs", "use crate::B;\nfn f() { crate::b::g(); super::b::c::h() }"),
                ("b.rs", "mod c;\npub use c::B;\npub(crate) fn g() {}"),
                ("b/c.rs", "pub struct B; pub fn h() {}"),
            ]),
            [
                "lib.rs:2: b::B -> b/c.rs",
                "a.rs:2: crate::b::g -> b.rs",
                "a.rs:1: crate::B -> b/c.rs",
                "b.rs:2: c::B -> b/c.rs",
            ]
        );
    }

    #[test]
    fn a_module_is_no_item_and_a_visibility_no_path() {
        assert_eq!(
            found(&[
                ("lib.rs", "mod a; mod b; struct Root;"),
                ("a.rs", "use crate::b; pub(in crate::b) struct A; pub(super) struct C;"),
                ("b.rs", "use super::a::{self};"),
            ]),
            [""; 0]
        );
    }

    #[test]
    fn an_inline_module_belongs_to_its_file() {
        assert_eq!(
            found(&[
                ("lib.rs", "mod a { mod b; pub struct A; use self::b::B; } struct R;"),
                ("a/b.rs", "use super::A; use crate::R; pub struct B;"),
            ]),
            ["lib.rs:1: self::b::B -> a/b.rs", "a/b.rs:1: super::A -> lib.rs"]
        );
    }

    #[test]
    fn a_glob_depends_on_every_definer() {
        assert_eq!(
            found(&[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "use crate::b::*;"),
                ("b.rs", "pub use crate::c::C; pub trait T {}"),
                ("c.rs", "pub enum C { D }\nuse C::*; pub fn f() { D; }"),
            ]),
            ["a.rs:1: crate::b -> b.rs", "a.rs:1: crate::b -> c.rs", "b.rs:1: crate::c::C -> c.rs"]
        );
    }

    #[test]
    fn a_macro_without_a_path_depends_on_its_definer() {
        assert_eq!(
            found(&[
                ("lib.rs", "#[macro_use] mod a; mod b; mod c;"),
                ("a.rs", "macro_rules! m { () => { $crate::c::f() } }"),
                ("b.rs", "fn f() { m!(); println!() }"),
                ("c.rs", "pub fn f() {}"),
            ]),
            ["a.rs:1: crate::c::f -> c.rs", "b.rs:1: m -> a.rs"]
        );
    }

    #[test]
    fn an_import_of_a_test_is_no_dependency() {
        assert_eq!(
            found(&[
                ("lib.rs", "mod a; struct R;"),
                ("a.rs", "#[cfg(test)] mod tests { use crate::R; }\n/// [`crate::R`]\nfn f() {}"),
            ]),
            [""; 0]
        );
    }

    #[test]
    fn a_circle_is_shown_step_by_step() {
        let sources = sources(&[
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "\nuse crate::c::C; pub struct B;"),
            ("c.rs", "use crate::b::B; pub struct C(pub super::a::A);"),
            ("lib.rs", "mod a; mod b; mod c;"),
        ]);
        let imports = Imports::find(&sources);
        let circles = imports.circles();
        assert_eq!(circles.len(), 1);
        assert_eq!(
            circles[0].problem().to_string(),
            "a/src/b.rs:2: 3 files import each other in a circle; for example\n    \
             a/src/b.rs:2: crate::c::C -> a/src/c.rs\n    \
             a/src/c.rs:1: crate::b::B -> a/src/b.rs\n  \
             move what two of them share to a file that imports neither; all of them:\n    \
             a/src/a.rs\n    a/src/b.rs\n    a/src/c.rs"
        );
    }

    #[test]
    fn the_code_of_two_systems_makes_no_circle() {
        let linux = "#[cfg(target_os = \"linux\")]";
        let other = "#[cfg(not(target_os = \"linux\"))]";
        let lib = format!(
            "{linux} mod raw; {linux} mod wait; {other} mod portable;
             {other} use portable::{{raw, wait}};"
        );
        let files = [
            ("lib.rs", lib.as_str()),
            ("portable.rs", "pub mod raw; pub mod wait;"),
            ("portable/raw.rs", "use crate::wait::W; pub struct R;"),
            ("portable/wait.rs", "pub struct W;"),
            ("raw.rs", "pub struct R;"),
            ("wait.rs", "use crate::raw::R; pub struct W;"),
        ];
        assert_eq!(
            found(&files),
            [
                "portable/raw.rs:1: crate::wait::W -> portable/wait.rs",
                "wait.rs:1: crate::raw::R -> raw.rs"
            ]
        );
    }

    #[test]
    fn a_circle_of_one_system_names_it() {
        let sources = sources(&[
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "#[cfg(target_os = \"netbsd\")] use crate::a::A; pub struct B;"),
            ("lib.rs", "mod a; mod b;"),
        ]);
        let imports = Imports::find(&sources);
        let message = imports.circles()[0].problem().message;
        assert!(message.starts_with("2 files of a build for netbsd import each other"));
    }
}
