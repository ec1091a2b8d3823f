//! Finds the public errors that the sources of the libraries declare, with their variants.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, ItemEnum, Type, Visibility};

/// Returns the folder of all crates.
pub(crate) fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Enums that are not errors, but that an error prints.
const PARTS: [&str; 2] = ["Step", "UnknownEnd"];

/// The declarations found so far.
#[derive(Default)]
struct Declarations {
    /// Public types, and the variants of enums.
    types: BTreeMap<String, Vec<String>>,
    errors: BTreeSet<String>,
}

/// An error that has no value, and so no message.
const EMPTY: &str = "NoError";

/// Returns `Type` for each public error that is a struct, and `Type::Variant` for each variant of one
/// that is an enum.
pub(crate) fn errors() -> BTreeSet<String> {
    let Declarations { types, errors } = find();
    let public = errors.into_iter().chain(PARTS.map(ToOwned::to_owned));
    public
        .filter(|name| name != EMPTY)
        .filter_map(|name| Some((types.get(&name)?, name)))
        .flat_map(|(variants, name)| match variants.as_slice() {
            [] => vec![name],
            variants => variants.iter().map(|variant| format!("{name}::{variant}")).collect(),
        })
        .collect()
}

/// Returns the name of each public error.
pub(crate) fn error_types() -> BTreeSet<String> {
    let Declarations { types, errors } = find();
    errors.into_iter().filter(|name| types.contains_key(name)).collect()
}

fn find() -> Declarations {
    let mut found = Declarations::default();
    for library in fs::read_dir(crates()).expect("the crates") {
        walk(&library.expect("a crate").path().join("src"), &mut found);
    }
    let errors = &found.errors;
    assert!(errors.len() > 15, "the sources are not where they are looked for: {errors:?}");
    found
}

fn walk(folder: &Path, found: &mut Declarations) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("its entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            // Parsing every file would take seconds.
            if !["Error", "reasons!", "pub enum"].iter().any(|word| text.contains(word)) {
                continue;
            }
            let file = syn::parse_file(&text).expect("it compiles");
            file.items.iter().for_each(|item| look(item, found));
        }
    }
}

fn look(item: &Item, found: &mut Declarations) {
    match item {
        Item::Struct(item) if is_public(&item.vis) => {
            note(item.ident.to_string(), Vec::new(), &item.attrs, found);
        }
        Item::Enum(item) if is_public(&item.vis) => {
            note(item.ident.to_string(), variants(item), &item.attrs, found);
        }
        Item::Impl(item) => {
            let is_error = item.trait_.as_ref().is_some_and(|(path, ..)| {
                path.segments.last().is_some_and(|last| last.ident == "Error")
            });
            if let (true, Type::Path(of)) = (is_error, &*item.self_ty) {
                let last = of.path.segments.last().expect("a type has a name");
                found.errors.insert(last.ident.to_string());
            }
        }
        // `reasons!(ConnectError)` implements `Error`.
        Item::Macro(item) if item.mac.path.is_ident("reasons") => {
            found.errors.insert(item.mac.tokens.to_string());
        }
        _ => {}
    }
}

fn note(name: String, variants: Vec<String>, attrs: &[Attribute], found: &mut Declarations) {
    if attrs.iter().any(derives_error) {
        found.errors.insert(name.clone());
    }
    found.types.insert(name, variants);
}

fn variants(item: &ItemEnum) -> Vec<String> {
    item.variants.iter().map(|variant| variant.ident.to_string()).collect()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Returns whether the attribute derives `Error` of `thiserror`, by any path.
fn derives_error(attribute: &Attribute) -> bool {
    let mut derives = false;
    if attribute.path().is_ident("derive") {
        let looked = attribute.parse_nested_meta(|meta| {
            derives |= meta.path.segments.last().is_some_and(|last| last.ident == "Error");
            Ok(())
        });
        looked.expect("a list of derives");
    }
    derives
}
