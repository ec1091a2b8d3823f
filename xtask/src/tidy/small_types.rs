//! Checks that types stay small.
//!
//! No struct has more than nine fields, and no type has `impl` blocks, inherent or of a trait, in
//! more than three files. Code for tests and the output of macros do not count.
//!
//! The rule on fields is for types that change while they live. Exceptions are
//!
//! - structs below `src/sys/`, because the kernel defines their fields;
//! - builders: structs with three or more inherent methods `pub fn name(mut self, …) -> Self`;
//! - plain data, such as a part of a builder: structs that derive `Clone` and `Default` and have no
//!   inherent method that takes `&mut self`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::{
    Attribute, Fields, ImplItem, ImplItemFn, Item, ItemImpl, Meta, ReceiverKind, ReturnType, Type,
    Visibility,
};

use crate::source::cfg::System;
use crate::source::modules::{Crate, Sources};
use crate::source::resolve::Target;
use crate::tree::Problem;

const MOST_FIELDS: usize = 9;
const MOST_FILES: usize = 3;
const BUILDER_METHODS: usize = 3;

/// Finds the types that are too large.
pub(super) fn check<'a>(crates: impl IntoIterator<Item = &'a Sources>) -> Vec<Problem> {
    crates.into_iter().flat_map(check_crate).collect()
}

/// The measures of a type.
#[derive(Default)]
struct TypeMeasures {
    /// The line of its definition.
    line: usize,
    /// The number of fields of a struct.
    fields: usize,
    derives: BTreeSet<String>,
    /// Its inherent methods `pub fn name(mut self, …) -> Self`.
    builds: BTreeSet<String>,
    /// It has an inherent method that takes `&mut self`.
    changes: bool,
    /// The files with an `impl` block for it.
    files: BTreeSet<usize>,
}

/// The types of a crate, by defining file and name.
type Types = BTreeMap<(usize, String), TypeMeasures>;

fn check_crate(sources: &Sources) -> Vec<Problem> {
    let mut types = Types::new();
    for system in System::ALL {
        let read = sources.read(system);
        add_definitions(&mut types, &read);
        add_impls(&mut types, &read);
    }
    let mut problems = Vec::new();
    for ((file, name), measures) in &types {
        let path = sources.path(*file);
        let mut report = |message| {
            problems.push(Problem { path: path.to_owned(), line: measures.line, message });
        };
        if measures.fields > MOST_FIELDS && !is_in_sys(sources, path) && !measures.is_data() {
            report(format!(
                "{name} has {} fields, and {MOST_FIELDS} are the most: make a type of those that \
                 change together",
                measures.fields
            ));
        }
        if measures.files.len() > MOST_FILES {
            let files = measures.files.iter().map(|file| sources.path(*file).display().to_string());
            report(format!(
                "{name} has `impl` blocks in {} files, and {MOST_FILES} are the most: give what a \
                 file does a type of its own\n    {}",
                measures.files.len(),
                files.collect::<Vec<_>>().join("\n    ")
            ));
        }
    }
    problems
}

fn is_in_sys(sources: &Sources, path: &Path) -> bool {
    path.starts_with(sources.folder.join("src").join("sys"))
}

impl TypeMeasures {
    /// Returns whether the type is a builder or plain data.
    fn is_data(&self) -> bool {
        let is_plain = ["Clone", "Default"].iter().all(|name| self.derives.contains(*name));
        self.builds.len() >= BUILDER_METHODS || (is_plain && !self.changes)
    }
}

fn add_definitions(types: &mut Types, read: &Crate<'_>) {
    for module in &read.modules {
        for item in &module.items {
            let (name, fields, attributes) = match item {
                Item::Struct(item) => (&item.ident, count(&item.fields), &item.attrs),
                Item::Enum(item) => (&item.ident, 0, &item.attrs),
                Item::Union(item) => (&item.ident, 0, &item.attrs),
                _ => continue,
            };
            let measures = types.entry((module.file, name.to_string())).or_default();
            measures.line = name.span().start().line;
            measures.fields = measures.fields.max(fields);
            measures.derives.extend(derives(attributes));
        }
    }
}

fn add_impls(types: &mut Types, read: &Crate<'_>) {
    for (at, module) in read.modules.iter().enumerate() {
        for item in &module.items {
            let Item::Impl(item) = item else { continue };
            let Some(path) = named(&item.self_ty) else { continue };
            let segments: Vec<_> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            for target in read.resolve(at, &segments) {
                let Target::Item(definer, name) = target else { continue };
                let key = (read.modules[definer].file, name);
                let Some(measures) = types.get_mut(&key) else { continue };
                measures.files.insert(module.file);
                if item.trait_.is_none() {
                    add_methods(measures, item, read);
                }
            }
        }
    }
}

fn add_methods(measures: &mut TypeMeasures, item: &ItemImpl, read: &Crate<'_>) {
    for method in &item.items {
        let ImplItem::Fn(method) = method else { continue };
        let Some(receiver) = method.sig.receiver().filter(|_| read.builds(&method.attrs)) else {
            continue;
        };
        match &receiver.kind {
            ReceiverKind::Value if receiver.mutability.is_some() && gives_self(method) => {
                measures.builds.insert(method.sig.ident.to_string());
            }
            ReceiverKind::Reference(_, _, Some(_)) => measures.changes = true,
            _ => {}
        }
    }
}

/// Returns whether a method is public and returns `Self`.
fn gives_self(method: &ImplItemFn) -> bool {
    let ReturnType::Type(_, output) = &method.sig.output else { return false };
    let is_self = matches!(&**output, Type::Path(output) if output.path.is_ident("Self"));
    is_self && matches!(method.vis, Visibility::Public(_))
}

/// Returns the path of the type that an `impl` is for, without references.
fn named(of: &Type) -> Option<&syn::Path> {
    match of {
        Type::Path(of) if of.qself.is_none() => Some(&of.path),
        Type::Reference(of) => named(&of.elem),
        Type::Paren(of) => named(&of.elem),
        Type::Group(of) => named(&of.elem),
        _ => None,
    }
}

fn count(fields: &Fields) -> usize {
    match fields {
        Fields::Named(fields) => fields.named.len(),
        Fields::Unnamed(fields) => fields.unnamed.len(),
        Fields::Unit => 0,
    }
}

fn derives(attributes: &[Attribute]) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in attributes {
        if let Meta::List(list) = &attribute.meta
            && list.path.is_ident("derive")
        {
            found.extend(list.tokens.clone().into_iter().map(|token| token.to_string()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::SourceFile;

    const TEN: &str = "a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8";

    fn problems(files: &[(&str, String)]) -> Vec<String> {
        let file = |(path, text): &(&str, String)| SourceFile::new(format!("a/src/{path}"), text);
        let sources = Sources::parse(&files.iter().map(file).collect::<Vec<_>>(), "a");
        assert_eq!(sources.problems(), []);
        let found = check(&[sources]);
        found.into_iter().map(|problem| problem.to_string()).collect()
    }

    fn of_struct(before: &str, after: &str) -> usize {
        problems(&[("lib.rs", format!("{before} pub struct A {{ {TEN} }} {after}"))]).len()
    }

    #[test]
    fn a_tenth_field_is_found() {
        let found = problems(&[("lib.rs", format!("\nstruct A {{ {TEN} }}"))]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("a/src/lib.rs:2: A has 10 fields, and 9 are the most"));
        let nine = TEN.rsplit_once(',').unwrap().0;
        assert_eq!(problems(&[("lib.rs", format!("struct A {{ {nine} }}"))]), [""; 0]);
        assert_eq!(problems(&[("lib.rs", format!("struct A({});", "u8,".repeat(10)))]).len(), 1);
    }

    #[test]
    fn a_builder_may_have_more_fields() {
        let methods = |pattern: &str, count: usize| {
            let names = ["a", "b", "c"].iter().take(count);
            let all: String = names.map(|name| pattern.replace("NAME", name)).collect();
            of_struct("", &format!("impl A {{ {all} }}"))
        };
        let good = "pub fn NAME(mut self) -> Self { self }";
        assert_eq!((methods(good, 3), methods(good, 2)), (0, 1));
        assert_eq!(methods("fn NAME(mut self) -> Self { self }", 3), 1, "they are private");
        assert_eq!(methods("pub fn NAME(self) -> Self { self }", 3), 1, "they change nothing");
        assert_eq!(methods("pub fn NAME(mut self) -> Option<Self> { None }", 3), 1);
        assert_eq!(methods("#[cfg(test)] pub fn NAME(mut self) -> Self { self }", 3), 1);
    }

    #[test]
    fn plain_data_may_have_more_fields() {
        let both = "#[derive(Debug, Clone)] #[derive(Default)]";
        assert_eq!(of_struct(both, ""), 0);
        assert_eq!(of_struct("#[derive(Clone)]", ""), 1);
        assert_eq!(of_struct(both, "impl A { fn f(&self) {} }"), 0);
        assert_eq!(of_struct(both, "impl A { fn f(&mut self) {} }"), 1);
        assert_eq!(of_struct(both, "impl Drop for A { fn drop(&mut self) {} }"), 0);
    }

    #[test]
    fn a_struct_in_sys_may_have_more_fields() {
        let sys = format!("struct A {{ {TEN} }}");
        let files = [("lib.rs", "mod sys;".to_owned()), ("sys/mod.rs", sys)];
        assert_eq!(problems(&files), [""; 0]);
    }

    #[test]
    fn an_impl_in_a_fourth_file_is_found() {
        let file = |name: &'static str, text: &str| (name, text.to_owned());
        let mut files = vec![
            file("lib.rs", "mod a; mod b; mod c; mod d; pub use a::A;"),
            file("a.rs", "pub struct A<T>(T); impl<T> A<T> {}"),
            file("b.rs", "use crate::A as B; impl Clone for &B<u8> {} impl Drop for B<u8> {}"),
            file("c.rs", "#[cfg(target_os = \"netbsd\")] impl<T> super::a::A<T> {}"),
            file("d.rs", "struct A; impl A {} #[cfg(test)] impl crate::A<u8> {}"),
        ];
        assert_eq!(problems(&files), [""; 0]);
        files[4] = file("d.rs", "impl crate::A<u8> {}");
        let found = problems(&files);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("a/src/a.rs:1: A has `impl` blocks in 4 files"), "{found:?}");
    }
}
