//! Resolves a path to the item and the module that defines it.
//!
//! An import is followed to the item itself, through any number of re-exports and globs. The search
//! ends at a type: it does not look for the file of a method. It does not check visibility, because
//! the compiler does.

use super::modules::{Crate, NameMeaning};

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(usize),
    /// An item by its name, and the module that defines it.
    Item(usize, String),
    /// A name that is not in the source of this module. A macro there must make it.
    Unknown(usize),
}

impl Target {
    /// Returns the module whose file defines the item. `None` for a module, which is no item.
    pub(crate) fn definer(&self) -> Option<usize> {
        match self {
            Self::Module(_) => None,
            Self::Item(module, _) | Self::Unknown(module) => Some(*module),
        }
    }
}

impl Crate<'_> {
    /// Follows a path in `module`. Returns nothing for an item of another crate.
    pub(crate) fn resolve(&self, module: usize, path: &[String]) -> Vec<Target> {
        let mut search = PathSearch { read: self, under_way: Vec::new() };
        tidied(search.path(module, path, false).unwrap_or_default())
    }

    /// Returns the items that a glob of `module` imports, without modules.
    pub(crate) fn everything(&self, module: usize) -> Vec<Target> {
        let mut found = Vec::new();
        let (mut modules, mut next) = (vec![module], 0);
        while let Some(&module) = modules.get(next) {
            next += 1;
            for name in self.modules[module].names.keys() {
                found.extend(self.resolve(module, std::slice::from_ref(name)));
            }
            for glob in &self.modules[module].globs {
                for target in self.resolve(module, glob) {
                    match target {
                        Target::Module(module) if modules.contains(&module) => {}
                        Target::Module(module) => modules.push(module),
                        item => found.push(item),
                    }
                }
            }
        }
        found.retain(|target| target.definer().is_some());
        tidied(found)
    }

    /// Returns the modules that define a macro of this name. Later code and child modules may call
    /// it without a path.
    pub(super) fn macros(&self, name: &str) -> Vec<Target> {
        let defines = |items: &[&syn::Item]| {
            items.iter().any(|item| {
                matches!(item, syn::Item::Macro(item)
                    if item.ident.as_ref().is_some_and(|ident| ident == name))
            })
        };
        let modules = (0..self.modules.len()).filter(|&at| defines(&self.modules[at].items));
        modules.map(|module| Target::Item(module, name.to_owned())).collect()
    }
}

fn tidied(mut targets: Vec<Target>) -> Vec<Target> {
    targets.sort_unstable();
    targets.dedup();
    targets
}

struct PathSearch<'a> {
    read: &'a Crate<'a>,
    /// The names that are being looked up, because an import may lead back to itself.
    under_way: Vec<(usize, String, bool)>,
}

impl PathSearch<'_> {
    /// Follows a path. Returns `None` if `module` does not have its first name. The path of a
    /// `prefix` may continue, so only modules and types count for it.
    fn path(&mut self, module: usize, path: &[String], prefix: bool) -> Option<Vec<Target>> {
        let (first, rest) = path.split_first()?;
        let modules = &self.read.modules;
        let mut here = match first.as_str() {
            "crate" => vec![Target::Module(0)],
            "self" => vec![Target::Module(module)],
            "super" => vec![Target::Module(modules[module].parent)],
            name => self.name(module, name, prefix || !rest.is_empty())?,
        };
        for (at, name) in rest.iter().enumerate() {
            let prefix = prefix || at + 1 < rest.len();
            let mut next = Vec::new();
            for target in here {
                match target {
                    Target::Module(module) if name == "super" => {
                        next.push(Target::Module(self.read.modules[module].parent));
                    }
                    Target::Module(module) => match self.name(module, name, prefix) {
                        Some(found) => next.extend(found),
                        None => next.push(Target::Unknown(module)),
                    },
                    item => next.push(item),
                }
            }
            here = next;
        }
        Some(here)
    }

    /// Looks a name up in a module. Returns `None` if the module does not have it, and an empty
    /// list if it is in another crate.
    fn name(&mut self, module: usize, name: &str, prefix: bool) -> Option<Vec<Target>> {
        let step = (module, name.to_owned(), prefix);
        if self.under_way.contains(&step) {
            return Some(Vec::new());
        }
        self.under_way.push(step);
        let known = &self.read.modules[module];
        let found = match known.names.get(name) {
            Some(meanings) => {
                let mut found = Vec::new();
                for meaning in meanings {
                    match meaning {
                        NameMeaning::Module(module) => found.push(Target::Module(*module)),
                        NameMeaning::Value if prefix => {}
                        NameMeaning::Type | NameMeaning::Value => {
                            found.push(Target::Item(module, name.to_owned()));
                        }
                        NameMeaning::Import(path) => {
                            found.extend(self.path(module, path, prefix).unwrap_or_default());
                        }
                    }
                }
                Some(found)
            }
            None => self.name_by_globs(module, name, prefix),
        };
        self.under_way.pop();
        found
    }

    fn name_by_globs(&mut self, module: usize, name: &str, prefix: bool) -> Option<Vec<Target>> {
        let mut found = None;
        for glob in &self.read.modules[module].globs {
            for target in self.path(module, glob, true).unwrap_or_default() {
                if let Target::Module(module) = target
                    && let Some(more) = self.name(module, name, prefix)
                {
                    found.get_or_insert_with(Vec::new).extend(more);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::cfg::System;
    use crate::source::modules::Sources;
    use crate::source::modules::tests::sound_sources as sources;

    /// Returns the files that a path in the root leads to, with the name of the item.
    fn from_root(sources: &Sources, path: &str) -> Vec<String> {
        let read = sources.read(System::Linux);
        let path: Vec<_> = path.split("::").map(str::to_owned).collect();
        let written = |target| {
            let (module, name) = match target {
                Target::Module(module) => (module, "(module)".to_owned()),
                Target::Item(module, name) => (module, name),
                Target::Unknown(module) => (module, "(unknown)".to_owned()),
            };
            let file = sources.path(read.modules[module].file);
            format!("{} {name}", file.file_name().unwrap().to_string_lossy())
        };
        read.resolve(0, &path).into_iter().map(written).collect()
    }

    #[test]
    fn an_import_is_followed_to_the_definition() {
        let sources = sources(&[
            ("lib.rs", "mod a; mod b; pub use a::Renamed; use b as c;"),
            ("a.rs", "mod deep; pub use self::deep::Thing as Renamed; use super::b::*;"),
            ("a/deep.rs", "pub struct Thing; pub use crate::b::Other;"),
            ("b.rs", "pub enum Other { One } pub fn f() {} pub use std::mem;"),
        ]);
        for (path, expected) in [
            ("Renamed", "deep.rs Thing"),
            ("crate::a::Renamed::new", "deep.rs Thing"),
            ("self::a::deep::Other::One", "b.rs Other"),
            ("a::f", "b.rs f"),
            ("c::f", "b.rs f"),
            ("a::deep::super::f", "b.rs f"),
            ("a::deep", "deep.rs (module)"),
            ("a::made_by_a_macro", "a.rs (unknown)"),
        ] {
            assert_eq!(from_root(&sources, path), [expected], "{path}");
        }
        for path in ["std::mem::drop", "Vec", "b::mem::drop", "a::mem", "::a::Renamed"] {
            assert_eq!(from_root(&sources, path), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_function_may_have_the_name_of_its_module() {
        let sources = sources(&[
            ("lib.rs", "mod launch; use launch::{launch, reserve};"),
            ("launch.rs", "pub fn launch() {} pub use other::reserve; mod other;"),
            ("launch/other.rs", "pub fn reserve() {}"),
        ]);
        assert_eq!(from_root(&sources, "reserve"), ["other.rs reserve"]);
        assert_eq!(from_root(&sources, "launch"), ["launch.rs (module)", "launch.rs launch"]);
        assert_eq!(from_root(&sources, "launch::reserve"), ["other.rs reserve"]);
    }

    #[test]
    fn each_meaning_that_a_feature_may_choose_counts() {
        let sources = sources(&[
            (
                "lib.rs",
                "mod a; mod b;
                 #[cfg(feature = \"x\")] use a::f; #[cfg(not(feature = \"x\"))] use b::f;",
            ),
            ("a.rs", "pub fn f() {}"),
            ("b.rs", "pub fn f() {}"),
        ]);
        assert_eq!(from_root(&sources, "f"), ["a.rs f", "b.rs f"]);
    }

    #[test]
    fn a_search_in_a_circle_of_imports_ends() {
        let sources = sources(&[
            ("lib.rs", "mod a; mod b; use a::*; use bytes; use bytes::Bytes;"),
            ("a.rs", "pub use super::b::*; pub use crate::b::Lost;"),
            ("b.rs", "pub use super::a::*; pub use crate::a::Lost; pub struct Found;"),
        ]);
        assert_eq!(from_root(&sources, "Found"), ["b.rs Found"]);
        assert_eq!(from_root(&sources, "a::Lost"), [""; 0]);
        assert_eq!(from_root(&sources, "Bytes"), [""; 0]);
    }

    #[test]
    fn a_glob_imports_the_own_and_the_reexported_items_of_a_module() {
        let sources = sources(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "pub use crate::b::B; pub use crate::c::*; fn own() {}"),
            ("b.rs", "pub struct B; pub struct Not;"),
            ("c.rs", "pub use crate::a::*; pub const C: u8 = 0;"),
        ]);
        let names: Vec<_> = sources
            .read(System::Linux)
            .everything(1)
            .into_iter()
            .filter_map(|target| match target {
                Target::Item(_, name) => Some(name),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["own", "B", "C"]);
    }
}
