//! The modules of a crate: which file holds each one, and which names it has.
//!
//! A module without a file, and a file that is no module, are problems: the rules on imports would
//! not see them.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::{Path, PathBuf};

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, File, ForeignItem, Item, ItemMod, Lit, Meta, Token};

use super::cfg::System;
use super::paths::imports;
use crate::tree::{Problem, SourceFile};

/// The files of a library crate, parsed.
pub(crate) struct Sources {
    /// Relative to the root of the repository, such as `crates/core`.
    pub(crate) folder: PathBuf,
    pub(crate) files: Vec<(PathBuf, File)>,
    /// Files that cannot be parsed.
    problems: Vec<Problem>,
}

/// A library crate as one system has it.
pub(crate) struct Crate<'a> {
    pub(crate) system: System,
    /// The first one is the root.
    pub(crate) modules: Vec<Module<'a>>,
    /// What keeps the rules from seeing all of it.
    pub(super) problems: Vec<Problem>,
}

/// A module, in a file of its own or inline.
pub(crate) struct Module<'a> {
    /// The root is its own parent.
    pub(super) parent: usize,
    /// An index of [`Sources::files`].
    pub(crate) file: usize,
    /// What it holds, without modules and without what is not built.
    pub(crate) items: Vec<&'a Item>,
    pub(super) names: BTreeMap<String, Vec<Named>>,
    /// The paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
}

/// What a name in a module stands for: a type and a function may have the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A module below it.
    Module(usize),
    /// A type or a trait: a path may go on behind it.
    Type,
    /// A function, a constant, a static or a macro.
    Value,
    /// What another path leads to.
    Import(Vec<String>),
}

impl Sources {
    /// Parses the library below `folder`.
    pub(crate) fn parse(files: &[SourceFile], folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let below = folder.join("src");
        let mut sources = Self { folder, files: Vec::new(), problems: Vec::new() };
        for file in files.iter().filter(|file| file.path.starts_with(&below)) {
            match syn::parse_file(&file.text) {
                Ok(parsed) => sources.files.push((file.path.clone(), parsed)),
                Err(error) => {
                    let line = error.span().start().line;
                    sources.problems.push(file.problem(line, error.to_string()));
                }
            }
        }
        sources
    }

    /// Reads the modules that `system` has.
    pub(crate) fn read(&self, system: System) -> Crate<'_> {
        let mut reader = Reader {
            sources: self,
            seen: BTreeSet::new(),
            read: Crate { system, modules: Vec::new(), problems: self.problems.clone() },
        };
        reader.file(&self.folder.join("src").join("lib.rs"), None, true, true);
        let unseen = (0..self.files.len()).filter(|file| !reader.seen.contains(file));
        let problems: Vec<_> =
            unseen.map(|file| problem(self.path(file), 1, "no `mod` leads to this file")).collect();
        reader.read.problems.extend(problems);
        reader.read
    }

    /// Finds what keeps the rules from seeing all of the crate.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        // A module that a system does not have is followed all the same.
        self.read(System::Linux).problems
    }

    pub(crate) fn path(&self, file: usize) -> &Path {
        &self.files[file].0
    }
}

impl Crate<'_> {
    /// Tells whether it has what these attributes stand on.
    pub(crate) fn builds(&self, attributes: &[Attribute]) -> bool {
        self.system.builds(attributes)
    }
}

fn problem(path: &Path, line: usize, message: impl Into<String>) -> Problem {
    Problem { path: path.to_owned(), line, message: message.into() }
}

/// Where the files of a module's children are.
struct Place {
    folder: PathBuf,
    /// The folder below it that a file has which is not called `mod.rs`.
    below: Option<String>,
}

impl Place {
    /// The folder of a child in a file of its own.
    fn children(&self) -> PathBuf {
        self.below.as_ref().map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
    }
}

struct Reader<'a> {
    sources: &'a Sources,
    /// The files that a module led to, those that are not built too.
    seen: BTreeSet<usize>,
    read: Crate<'a>,
}

impl<'a> Reader<'a> {
    /// Reads the module that is the whole of a file; nothing if it is not `built`.
    ///
    /// The modules below it are in its folder if it `owns` that, as the root does and a file that a
    /// written path led to.
    fn file(
        &mut self,
        path: &Path,
        parent: Option<usize>,
        owns: bool,
        built: bool,
    ) -> Option<usize> {
        let sources = self.sources;
        let found = sources.files.iter().position(|(file, _)| file == path);
        let Some(file) = found else {
            if !sources.problems.iter().any(|problem| problem.path == path) {
                self.read.problems.push(problem(path, 1, "there is no such file"));
            }
            return None;
        };
        self.seen.insert(file);
        let parsed = &sources.files[file].1;
        let built = built && self.read.system.builds(&parsed.attrs);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let owns = owns || stem == "mod";
        let folder = path.parent().unwrap_or(path).to_owned();
        let below = (!owns).then(|| stem.into_owned());
        self.module(parent, file, &parsed.items, &Place { folder, below }, built)
    }

    /// Reads a module and the modules below it.
    fn module(
        &mut self,
        parent: Option<usize>,
        file: usize,
        items: &'a [Item],
        place: &Place,
        built: bool,
    ) -> Option<usize> {
        let this = self.read.modules.len();
        self.read.modules.push(Module {
            parent: parent.unwrap_or(this),
            file,
            items: Vec::new(),
            names: BTreeMap::new(),
            globs: Vec::new(),
        });
        for item in items {
            let built = built && self.read.system.builds(attributes(item));
            if let Item::Mod(item) = item {
                for module in self.child(this, file, item, place, built) {
                    self.read.modules[this].add(&item.ident, Named::Module(module));
                }
            } else if built {
                self.read.modules[this].item(item);
            }
        }
        built.then_some(this)
    }

    /// Reads what a `mod` item leads to: one module, or one for each path that a cfg may give it.
    fn child(
        &mut self,
        parent: usize,
        file: usize,
        item: &'a ItemMod,
        place: &Place,
        built: bool,
    ) -> Vec<usize> {
        let name = item.ident.unraw().to_string();
        let (path, others) = written_paths(&item.attrs);
        if let Some((_, items)) = &item.content {
            let folder = match path {
                Some(path) => place.folder.join(path),
                None => place.children().join(name),
            };
            let place = Place { folder, below: None };
            return self.module(Some(parent), file, items, &place, built).into_iter().collect();
        }
        let usual = || {
            let single = place.children().join(format!("{name}.rs"));
            let folder = place.children().join(&name).join("mod.rs");
            let is_folder = self.sources.files.iter().any(|(file, _)| *file == folder);
            if is_folder { folder } else { single }
        };
        let first = match path {
            Some(path) => (place.folder.join(path), true),
            None => (usual(), false),
        };
        let others = others.into_iter().map(|path| (place.folder.join(path), true));
        let all: Vec<_> = iter::once(first).chain(others).collect();
        let modules = all.iter().map(|(path, owns)| self.file(path, Some(parent), *owns, built));
        modules.flatten().collect()
    }
}

impl<'a> Module<'a> {
    fn add(&mut self, name: &Ident, named: Named) {
        self.names.entry(name.unraw().to_string()).or_default().push(named);
    }

    fn item(&mut self, item: &'a Item) {
        let mut add = |name, named| self.add(name, named);
        match item {
            Item::Enum(item) => add(&item.ident, Named::Type),
            Item::Struct(item) => add(&item.ident, Named::Type),
            Item::Trait(item) => add(&item.ident, Named::Type),
            Item::TraitAlias(item) => add(&item.ident, Named::Type),
            Item::Type(item) => add(&item.ident, Named::Type),
            Item::Union(item) => add(&item.ident, Named::Type),
            Item::Const(item) => add(&item.ident, Named::Value),
            Item::Fn(item) => add(&item.sig.ident, Named::Value),
            Item::Static(item) => add(&item.ident, Named::Value),
            Item::Macro(item) => {
                if let Some(ident) = &item.ident {
                    add(ident, Named::Value);
                }
            }
            Item::ForeignMod(item) => {
                for item in &item.items {
                    match item {
                        ForeignItem::Fn(item) => add(&item.sig.ident, Named::Value),
                        ForeignItem::Static(item) => add(&item.ident, Named::Value),
                        ForeignItem::Type(item) => add(&item.ident, Named::Type),
                        _ => {}
                    }
                }
            }
            Item::Use(item) => {
                for import in imports(item) {
                    match import.name {
                        Some(name) => {
                            self.names.entry(name).or_default().push(Named::Import(import.path));
                        }
                        None => self.globs.push(import.path),
                    }
                }
            }
            _ => {}
        }
        self.items.push(item);
    }
}

/// The path of `#[path = "…"]`, and those that `cfg_attr` gives.
fn written_paths(attributes: &[Attribute]) -> (Option<String>, Vec<String>) {
    let mut always = None;
    let mut sometimes = Vec::new();
    for attribute in attributes {
        if attribute.path().is_ident("cfg_attr") {
            let parts = Punctuated::<Meta, Token![,]>::parse_terminated;
            let parts = attribute.parse_args_with(parts).unwrap_or_default();
            sometimes.extend(parts.iter().skip(1).filter_map(written_path));
        } else {
            always = always.or_else(|| written_path(&attribute.meta));
        }
    }
    (always, sometimes)
}

fn written_path(meta: &Meta) -> Option<String> {
    let Meta::NameValue(pair) = meta else { return None };
    let Expr::Lit(value) = &pair.value else { return None };
    let Lit::Str(text) = &value.lit else { return None };
    pair.path.is_ident("path").then(|| text.value())
}

/// The attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        let file = |(path, text): &(&str, &str)| SourceFile::new(format!("a/src/{path}"), *text);
        Sources::parse(&files.iter().map(file).collect::<Vec<_>>(), "a")
    }

    /// The files of the modules, in the order in which they are read.
    fn files(sources: &Sources, system: System) -> Vec<&str> {
        let read = sources.read(system);
        let paths = read.modules.iter().map(|module| sources.path(module.file));
        paths.map(|path| path.strip_prefix("a/src").unwrap().to_str().unwrap()).collect()
    }

    #[test]
    fn modules_are_found_wherever_their_files_may_be() {
        let sources = sources(&[
            ("lib.rs", "mod a; mod b; mod inline { mod c; }"),
            ("a.rs", "mod d;"),
            ("a/d.rs", "mod e; mod inner { mod f; }"),
            ("a/d/e.rs", ""),
            ("a/d/inner/f.rs", ""),
            ("b/mod.rs", "mod g;"),
            ("b/g.rs", ""),
            ("inline/c.rs", ""),
        ]);
        assert_eq!(sources.problems(), []);
        let (inline, inner) = ("lib.rs", "a/d.rs");
        assert_eq!(
            files(&sources, System::Linux),
            [
                "lib.rs",
                "a.rs",
                "a/d.rs",
                "a/d/e.rs",
                inner,
                "a/d/inner/f.rs",
                "b/mod.rs",
                "b/g.rs",
                inline,
                "inline/c.rs"
            ]
        );
    }

    #[test]
    fn a_written_path_counts_from_the_file_or_the_inline_module() {
        let sources = sources(&[
            ("lib.rs", "mod a; mod sys;"),
            ("a.rs", "#[path = \"other.rs\"] mod b; mod c { #[path = \"d.rs\"] mod e; }"),
            ("other.rs", "mod f;"),
            ("f.rs", ""),
            ("a/c/d.rs", ""),
            ("sys/mod.rs", "#[path = \"portable\"] mod elsewhere { mod raw; }"),
            ("sys/portable/raw.rs", ""),
        ]);
        assert_eq!(sources.problems(), []);
        assert_eq!(files(&sources, System::Linux).len(), 9);
    }

    #[test]
    fn each_system_has_its_modules() {
        let sources = sources(&[
            (
                "lib.rs",
                "#[cfg(target_os = \"linux\")] mod a;
                 #[cfg(not(target_os = \"linux\"))] #[path = \"b.rs\"] mod a;
                 #[cfg_attr(feature = \"c\", path = \"c.rs\")] mod d;",
            ),
            ("a.rs", "fn one() {}"),
            ("b.rs", "fn two() {}"),
            ("c.rs", ""),
            ("d.rs", ""),
        ]);
        for (system, name) in [(System::Linux, "one"), (System::NetBsd, "two")] {
            let read = sources.read(system);
            assert_eq!(read.problems, []);
            let [Named::Module(a)] = read.modules[0].names["a"][..] else { panic!("one module") };
            assert_eq!(read.modules[a].names.keys().collect::<Vec<_>>(), [name]);
            assert_eq!(read.modules[0].names["d"].len(), 2, "any feature may be there");
        }
    }

    #[test]
    fn what_is_for_tests_is_seen_and_left_out() {
        let sources = sources(&[
            ("lib.rs", "#[cfg(test)] mod a; #[cfg(test)] fn f() {} fn g() {}"),
            ("a.rs", "mod b; fn h() {}"),
            ("a/b.rs", "#![allow(x)]"),
        ]);
        assert_eq!(sources.problems(), []);
        let read = sources.read(System::Linux);
        assert_eq!(read.modules[0].names.keys().collect::<Vec<_>>(), ["g"]);
        assert!(read.modules[1..].iter().all(|module| module.items.is_empty()));
    }

    #[test]
    fn what_cannot_be_seen_is_a_problem() {
        let sources = sources(&[("b.rs", ""), ("c.rs", "\nfn ("), ("lib.rs", "mod a; mod c;")]);
        let problems: Vec<_> = sources.problems().iter().map(ToString::to_string).collect();
        assert!(problems[0].starts_with("a/src/c.rs:2: "), "{}", problems[0]);
        assert_eq!(problems[1], "a/src/a.rs:1: there is no such file");
        assert_eq!(problems[2], "a/src/b.rs:1: no `mod` leads to this file");
        assert_eq!(problems.len(), 3);
    }
}
