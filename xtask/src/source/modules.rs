//! Reads the modules of a crate: the file of each one, and its names.
//!
//! A module without a file and a file without a module are problems, because the rules on imports
//! would not see them.

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

/// The parsed files of a library crate.
pub(crate) struct Sources {
    /// The path from the root of the repository, such as `crates/core`.
    pub(crate) folder: PathBuf,
    pub(crate) files: Vec<(PathBuf, File)>,
    /// The problems of files that cannot be parsed.
    problems: Vec<Problem>,
}

/// A library crate as it is built for one system.
pub(crate) struct Crate<'a> {
    pub(crate) system: System,
    /// All modules. The first one is the root.
    pub(crate) modules: Vec<Module<'a>>,
    /// Problems that prevent the rules from reading all of the crate.
    pub(super) problems: Vec<Problem>,
}

/// A module, in a file of its own or inline.
pub(crate) struct Module<'a> {
    /// The index of the parent. The root is its own parent.
    pub(super) parent: usize,
    /// An index into [`Sources::files`].
    pub(crate) file: usize,
    /// Its items that are built, without modules.
    pub(crate) items: Vec<&'a Item>,
    pub(super) names: BTreeMap<String, Vec<NameMeaning>>,
    /// The paths of the globs, without `::*`.
    pub(super) globs: Vec<Vec<String>>,
}

/// The meaning of a name in a module. A type and a function may have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameMeaning {
    /// A child module.
    Module(usize),
    /// A type or a trait. A path may continue after it.
    Type,
    /// A function, a constant, a static or a macro.
    Value,
    /// An import: the target of another path.
    Import(Vec<String>),
}

impl Sources {
    /// Parses the library in `folder`.
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

    /// Reads the modules that are built for `system`.
    pub(crate) fn read(&self, system: System) -> Crate<'_> {
        let mut reader = ModuleReader {
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

    /// Returns the problems that prevent the rules from reading all of the crate.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        // Modules that are not built for this system are read too, so one system is enough.
        self.read(System::Linux).problems
    }

    pub(crate) fn path(&self, file: usize) -> &Path {
        &self.files[file].0
    }
}

impl Crate<'_> {
    /// Returns whether the crate has the item with these attributes.
    pub(crate) fn builds(&self, attributes: &[Attribute]) -> bool {
        self.system.builds(attributes)
    }
}

fn problem(path: &Path, line: usize, message: impl Into<String>) -> Problem {
    Problem { path: path.to_owned(), line, message: message.into() }
}

/// The location of the files of a module's children.
struct ChildrenPlace {
    folder: PathBuf,
    /// The subfolder for the children, unless the module's file is called `mod.rs`.
    below: Option<String>,
}

impl ChildrenPlace {
    /// Returns the folder of a child with a file of its own.
    fn children(&self) -> PathBuf {
        self.below.as_ref().map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
    }
}

struct ModuleReader<'a> {
    sources: &'a Sources,
    /// The files of all modules, built or not.
    seen: BTreeSet<usize>,
    read: Crate<'a>,
}

impl<'a> ModuleReader<'a> {
    /// Reads the module that is a whole file. Returns `None` if it is not `built`.
    ///
    /// Its children are in the same folder if the file `owns` that, as the root does, and as a file
    /// with a `#[path]` does.
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
        self.module(parent, file, &parsed.items, &ChildrenPlace { folder, below }, built)
    }

    /// Reads a module and its children.
    fn module(
        &mut self,
        parent: Option<usize>,
        file: usize,
        items: &'a [Item],
        place: &ChildrenPlace,
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
                    self.read.modules[this].add(&item.ident, NameMeaning::Module(module));
                }
            } else if built {
                self.read.modules[this].item(item);
            }
        }
        built.then_some(this)
    }

    /// Reads the modules of a `mod` item: one, or one for each path that a `cfg_attr` may give it.
    fn child(
        &mut self,
        parent: usize,
        file: usize,
        item: &'a ItemMod,
        place: &ChildrenPlace,
        built: bool,
    ) -> Vec<usize> {
        let name = item.ident.unraw().to_string();
        let (path, others) = written_paths(&item.attrs);
        if let Some((_, items)) = &item.content {
            let folder = match path {
                Some(path) => place.folder.join(path),
                None => place.children().join(name),
            };
            let place = ChildrenPlace { folder, below: None };
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
    fn add(&mut self, name: &Ident, named: NameMeaning) {
        self.names.entry(name.unraw().to_string()).or_default().push(named);
    }

    fn item(&mut self, item: &'a Item) {
        let mut add = |name, named| self.add(name, named);
        match item {
            Item::Enum(item) => add(&item.ident, NameMeaning::Type),
            Item::Struct(item) => add(&item.ident, NameMeaning::Type),
            Item::Trait(item) => add(&item.ident, NameMeaning::Type),
            Item::TraitAlias(item) => add(&item.ident, NameMeaning::Type),
            Item::Type(item) => add(&item.ident, NameMeaning::Type),
            Item::Union(item) => add(&item.ident, NameMeaning::Type),
            Item::Const(item) => add(&item.ident, NameMeaning::Value),
            Item::Fn(item) => add(&item.sig.ident, NameMeaning::Value),
            Item::Static(item) => add(&item.ident, NameMeaning::Value),
            Item::Macro(item) => {
                if let Some(ident) = &item.ident {
                    add(ident, NameMeaning::Value);
                }
            }
            Item::ForeignMod(item) => {
                for item in &item.items {
                    match item {
                        ForeignItem::Fn(item) => add(&item.sig.ident, NameMeaning::Value),
                        ForeignItem::Static(item) => add(&item.ident, NameMeaning::Value),
                        ForeignItem::Type(item) => add(&item.ident, NameMeaning::Type),
                        _ => {}
                    }
                }
            }
            Item::Use(item) => {
                for import in imports(item) {
                    match import.name {
                        Some(name) => {
                            self.names
                                .entry(name)
                                .or_default()
                                .push(NameMeaning::Import(import.path));
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

/// Returns the path of `#[path = "…"]`, and the paths in `cfg_attr`.
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

/// Returns the attributes of an item.
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
pub(super) mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        let file = |(path, text): &(&str, &str)| SourceFile::new(format!("a/src/{path}"), *text);
        Sources::parse(&files.iter().map(file).collect::<Vec<_>>(), "a")
    }

    /// Returns sources that have no problem.
    pub(in crate::source) fn sound_sources(files: &[(&str, &str)]) -> Sources {
        let sources = sources(files);
        assert_eq!(sources.problems(), []);
        sources
    }

    /// Returns the files of the modules, in the order in which they are read.
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
            let [NameMeaning::Module(a)] = read.modules[0].names["a"][..] else {
                panic!("one module")
            };
            assert_eq!(read.modules[a].names.keys().collect::<Vec<_>>(), [name]);
            assert_eq!(read.modules[0].names["d"].len(), 2, "any feature may be there");
        }
    }

    #[test]
    fn code_for_tests_is_read_and_left_out() {
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
    fn a_file_that_cannot_be_read_or_reached_is_a_problem() {
        let sources = sources(&[("b.rs", ""), ("c.rs", "\nfn ("), ("lib.rs", "mod a; mod c;")]);
        let problems: Vec<_> = sources.problems().iter().map(ToString::to_string).collect();
        assert!(problems[0].starts_with("a/src/c.rs:2: "), "{}", problems[0]);
        assert_eq!(problems[1], "a/src/a.rs:1: there is no such file");
        assert_eq!(problems[2], "a/src/b.rs:1: no `mod` leads to this file");
        assert_eq!(problems.len(), 3);
    }
}
