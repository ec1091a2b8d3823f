//! Finds the paths in a module: in `use` items, in code, and in the arguments of macros.
//!
//! A path of one segment is left out, unless it names a macro: its item is either imported, which
//! is a path of its own, or is in the same module. A path that begins with `::` is left out too. A
//! name that a `use` in a block imports is replaced by the imported path.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Block, Expr, Field, ImplItem, Item, ItemUse, Macro, Meta, Path, Stmt,
    TraitItem, UseTree, Variant, VisRestricted,
};

use super::cfg::System;
use super::modules::attributes;

/// A path in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodePath {
    pub(crate) segments: Vec<String>,
    pub(crate) kind: PathKind,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

/// The kind of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// It names an item.
    Item,
    /// It imports everything in a module or an enum.
    Glob,
    /// It names a macro in a call.
    Macro,
}

/// One import of a `use` item.
pub(super) struct Import {
    /// If the path begins with `::`, its first segment is empty. No module has that name.
    pub(super) path: Vec<String>,
    /// The imported name. `None` for a glob.
    pub(super) name: Option<String>,
    line: usize,
}

/// Returns the paths in the items of a module, as it is built for `system`.
pub(crate) fn paths(items: &[&Item], system: System) -> Vec<CodePath> {
    let mut collector = Collector { system, found: Vec::new(), blocks: Vec::new() };
    items.iter().for_each(|item| collector.visit_item(item));
    collector.found
}

/// Returns the imports of a `use` item.
pub(super) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    let prefix = if item.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
    add_imports(&mut found, prefix, &item.tree, item.use_token.span.start().line);
    found
}

fn add_imports(found: &mut Vec<Import>, mut path: Vec<String>, tree: &UseTree, line: usize) {
    let line_of = |ident: &Ident| ident.span().start().line;
    match tree {
        UseTree::Path(tree) => {
            path.push(name_of(&tree.ident));
            add_imports(found, path, &tree.tree, line_of(&tree.ident));
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                add_imports(found, path.clone(), tree, line);
            }
        }
        UseTree::Glob(_) => found.push(Import { path, name: None, line }),
        UseTree::Name(tree) => {
            // `a::{self}` imports `a`.
            if tree.ident != "self" {
                path.push(name_of(&tree.ident));
            }
            let name = path.last().cloned();
            found.push(Import { path, name, line: line_of(&tree.ident) });
        }
        UseTree::Rename(tree) => {
            if tree.ident != "self" {
                path.push(name_of(&tree.ident));
            }
            let name = Some(name_of(&tree.rename));
            found.push(Import { path, name, line: line_of(&tree.ident) });
        }
    }
}

fn name_of(ident: &Ident) -> String {
    ident.unraw().to_string()
}

struct Collector {
    system: System,
    found: Vec<CodePath>,
    /// The imports of the surrounding blocks, the innermost block last.
    blocks: Vec<BTreeMap<String, Vec<String>>>,
}

impl Collector {
    fn add(&mut self, segments: Vec<String>, kind: PathKind, line: usize) {
        if kind != PathKind::Item || segments.len() > 1 {
            self.found.push(CodePath { segments: self.spelt_out(segments), kind, line });
        }
    }

    /// Replaces a name that a block imports by the imported path.
    fn spelt_out(&self, mut segments: Vec<String>) -> Vec<String> {
        let imported = |first: &String| self.blocks.iter().rev().find_map(|names| names.get(first));
        if let Some(path) = segments.first().and_then(imported) {
            segments.splice(0..1, path.iter().cloned());
        }
        segments
    }

    fn add_path(&mut self, path: &Path, kind: PathKind) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let line = first.ident.span().start().line;
            let segments = path.segments.iter().map(|segment| name_of(&segment.ident));
            self.add(segments.collect(), kind, line);
        }
    }

    fn add_import(&mut self, import: &Import) {
        let kind = if import.name.is_some() { PathKind::Item } else { PathKind::Glob };
        self.add(import.path.clone(), kind, import.line);
    }

    /// Finds the paths in the arguments or the body of a macro.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) if !is_visibility(&group.stream()) => {
                    self.scan(group.stream());
                }
                TokenTree::Ident(_) if begins_path(&tokens[..at]) => {
                    let mut found = Vec::new();
                    at = take_path(&[], &tokens, at, &mut found);
                    for path in found {
                        self.add(path.segments, path.kind, path.line);
                    }
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// Reads the path that begins at `start` and continues `prefix`. A group at its end makes several
/// paths. Returns the index after it.
fn take_path(
    prefix: &[String],
    tokens: &[TokenTree],
    start: usize,
    found: &mut Vec<CodePath>,
) -> usize {
    let line = tokens[start].span().start().line;
    let mut segments = prefix.to_vec();
    let mut at = start;
    let (kind, end) = loop {
        match tokens.get(at) {
            // `a::{self}` imports `a`.
            Some(TokenTree::Ident(word)) if word == "self" && !segments.is_empty() => at += 1,
            Some(TokenTree::Ident(word)) => {
                segments.push(name_of(word));
                at += 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inside: Vec<_> = group.stream().into_iter().collect();
                for part in inside.split(|token| is_mark(token, ',')) {
                    if !part.is_empty() {
                        take_path(&segments, part, 0, found);
                    }
                }
                return at + 1;
            }
            Some(mark) if is_mark(mark, '*') => break (PathKind::Glob, at + 1),
            // After the separator comes something else, as in `a::<B>::c`.
            _ => break (PathKind::Item, at),
        }
        match tokens.get(at..) {
            Some([first, second, ..]) if is_mark(first, ':') && is_mark(second, ':') => at += 2,
            // A comparison (`!=`) is no macro call: no bracket follows its mark.
            Some([mark, TokenTree::Group(_), ..]) if is_mark(mark, '!') => {
                break (PathKind::Macro, at);
            }
            _ => break (PathKind::Item, at),
        }
    };
    found.push(CodePath { segments, kind, line });
    end
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// Returns whether a word after these tokens begins a path. A field, a method, a lifetime, and a
/// later segment of a path do not.
fn begins_path(before: &[TokenTree]) -> bool {
    match before {
        [.., first, second] if is_mark(second, ':') => !is_mark(first, ':'),
        [.., first, second] if is_mark(second, '.') => is_mark(first, '.'),
        [.., last] => !is_mark(last, '.') && !is_mark(last, '\''),
        [] => true,
    }
}

/// Returns whether a group is the restriction of a `pub`.
fn is_visibility(tokens: &TokenStream) -> bool {
    let mut words = tokens.clone().into_iter();
    let Some(TokenTree::Ident(first)) = words.next() else { return false };
    first == "in"
        || (words.next().is_none() && ["crate", "self", "super"].iter().any(|w| first == w))
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.system.builds(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // `visit_block` has read the imports of a block.
        if self.blocks.is_empty() {
            imports(item).iter().for_each(|import| self.add_import(import));
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let mut names = BTreeMap::new();
        for statement in &block.stmts {
            if let Stmt::Item(Item::Use(item)) = statement
                && self.system.builds(&item.attrs)
            {
                for import in imports(item) {
                    self.add_import(&import);
                    names.extend(import.name.map(|name| (name, self.spelt_out(import.path))));
                }
            }
        }
        self.blocks.push(names);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes: &[Attribute] = match statement {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(call) => &call.attrs,
            Stmt::Expr(Expr::Block(block), _) => &block.attrs,
            Stmt::Expr(Expr::Call(call), _) => &call.attrs,
            Stmt::Expr(Expr::MethodCall(call), _) => &call.attrs,
            _ => &[],
        };
        if self.system.builds(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if self.system.builds(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes: &[Attribute] = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if self.system.builds(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if self.system.builds(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if self.system.builds(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if self.system.builds(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add_path(&call.path, PathKind::Macro);
        self.scan(call.tokens.clone());
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.add_path(path, PathKind::Item);
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the paths, with `::*` after a glob and `!` after a macro.
    fn found(source: &str) -> Vec<String> {
        let file = syn::parse_file(source).unwrap();
        let written = |path: CodePath| {
            let end = match path.kind {
                PathKind::Item => "",
                PathKind::Glob => "::*",
                PathKind::Macro => "!",
            };
            path.segments.join("::") + end
        };
        let items: Vec<_> = file.items.iter().collect();
        paths(&items, System::Linux).into_iter().map(written).collect()
    }

    #[test]
    fn use_items_of_every_form_are_found() {
        assert_eq!(
            found("use a::{b, c::{self, d as e}, f::*}; pub(crate) use self::g::h; use i as j;"),
            ["a::b", "a::c", "a::c::d", "a::f::*", "self::g::h"]
        );
        assert_eq!(found("pub use r#type::r#fn;"), ["type::fn"]);
    }

    #[test]
    fn paths_of_another_crate_by_name_are_left_out() {
        assert_eq!(found("fn f() { ::std::mem::drop(1) }"), [""; 0]);
        assert_eq!(found("use ::a::b;"), ["::a::b"], "no module has the name \"\"");
    }

    #[test]
    fn paths_in_code_are_found_with_their_arguments() {
        assert_eq!(
            found(
                "impl super::T for a::B<c::D> {
                     fn f(&self, x: &dyn e::E) -> impl f::F where Self: g::G {
                         if let h::H { y: i::I(..) | j::J } = x { k::k::<l::L>(m::M { z: 1 }) }
                         <n::N as o::O>::p();
                         match x { q::Q => {} }
                     }
                 }"
            ),
            [
                "super::T", "a::B", "c::D", "g::G", "e::E", "f::F", "h::H", "i::I", "j::J", "k::k",
                "l::L", "m::M", "n::N", "o::O::p", "q::Q"
            ]
        );
    }

    #[test]
    fn paths_given_to_macros_are_found() {
        assert_eq!(
            found("fn f() { assert!(a::b(c.d::<E>(), 0..g::H) && x != (y), \"{}\", vec![i::J]) }"),
            ["assert!", "a::b", "g::H", "vec!", "i::J"]
        );
        assert_eq!(
            found("m! { pub(crate) struct A { b: crate::B } pub(in crate::x) fn f<'a>(); }"),
            ["m!", "crate::B"]
        );
        assert_eq!(
            found("m! { use a::{b, c::{self, d}}; use e::*; }"),
            ["m!", "a::b", "a::c", "a::c::d", "e::*"]
        );
        assert_eq!(found("m!(::std::a::b, x: ::std::c);"), ["m!"]);
    }

    #[test]
    fn the_body_of_a_macro_and_attributes_are_read() {
        let source = "macro_rules! m { ($x:expr) => { $crate::a::b($x) } }
                      #[derive(c::D)] /// crate::doc
                      struct S;";
        assert_eq!(found(source), ["macro_rules!", "crate::a::b", "c::D"]);
    }

    #[test]
    fn a_name_that_a_block_imports_is_replaced_by_its_path() {
        assert_eq!(
            found(
                "fn f() { use crate::a as b; b::c(); { use b::d; d::e() } }
                 fn g() { b::h() }"
            ),
            ["crate::a", "crate::a::c", "crate::a::d", "crate::a::d::e", "b::h"]
        );
    }

    #[test]
    fn code_that_is_not_built_and_visibilities_are_left_out() {
        assert_eq!(
            found(
                "#[cfg(test)] use a::b;
                 impl S { #[cfg(test)] fn f() { c::d() } pub(in crate::e) fn g() {} }
                 struct T { #[cfg(test)] x: f::F }
                 #[cfg(windows)] fn i() { i::i() }
                 fn h() { #[cfg(test)] g::g(); #[cfg(test)] let x = h::h(); }"
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_path_knows_its_line() {
        let source = "use a::{\n  b,\n  c,\n};\nfn f() {\n  m!(\n d::e);\n}";
        let file = syn::parse_file(source).unwrap();
        let items: Vec<_> = file.items.iter().collect();
        let lines: Vec<_> = paths(&items, System::Linux).iter().map(|path| path.line).collect();
        assert_eq!(lines, [2, 3, 6, 7]);
    }
}
