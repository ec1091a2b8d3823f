//! Compares the crate with what it follows: the options of a command, and tokio's own tests.

use std::fs;
use std::path::Path;

use syn::{Attribute, ImplItem, Item, Visibility};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_hidden(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc") && attribute.parse_args::<syn::Ident>().is_ok()
}

/// Returns the public methods of `Command` in one file of the process transport.
fn methods(path: &str) -> Vec<String> {
    let file = syn::parse_file(&read(path)).expect("it compiles");
    let blocks = file.items.iter().filter_map(|item| match item {
        Item::Impl(block) if block.trait_.is_none() => Some(&block.items),
        _ => None,
    });
    let functions = blocks.flatten().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    });
    let public = functions.filter(|function| {
        matches!(function.vis, Visibility::Public(_)) && !function.attrs.iter().any(is_hidden)
    });
    public.map(|function| function.sig.ident.to_string()).collect()
}

#[test]
fn every_option_of_a_command_is_a_method_here() {
    let files = ["command.rs", "command/before_exec.rs", "spawned.rs"];
    let there = files.map(|file| methods(&format!("../process-transport/src/{file}"))).concat();
    let here = ["command.rs", "command/options.rs", "sys/pre_exec.rs"];
    let here = here.map(|file| read(&format!("src/{file}"))).concat();
    let command = there.iter().take_while(|name| *name != "pid");
    let missing: Vec<&String> = command
        .filter(|name| !name.starts_with("get_") && !name.ends_with("put_fds"))
        .filter(|name| !here.contains(&format!(" {name}(")))
        .collect();
    assert_eq!(missing, [""; 0]);
    assert!(there.iter().any(|name| name == "pre_exec") && there.iter().any(|name| name == "pty"));
}
