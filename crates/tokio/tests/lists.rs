//! Compares the crate with what it follows: the options of a command, and tokio's own tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Plain;

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
    let is_getter = |name: &str| name.starts_with("get_") || name == "is_owned";
    let missing: Vec<&String> = command
        .filter(|name| !is_getter(name) && !name.ends_with("put_fds"))
        .filter(|name| !here.contains(&format!(" {name}(")))
        .collect();
    assert_eq!(missing, [""; 0]);
    assert!(there.iter().any(|name| name == "pre_exec") && there.iter().any(|name| name == "pty"));
}

/// Returns the names of the tests in a file, also of those that a cfg leaves out.
fn tests(text: &str) -> Vec<String> {
    fn of(items: Vec<Item>, names: &mut Vec<String>) {
        for item in items {
            match item {
                Item::Fn(function) => {
                    let is_mark = |attribute: &Attribute| {
                        attribute.path().segments.last().is_some_and(|last| last.ident == "test")
                    };
                    if function.attrs.iter().any(is_mark) {
                        names.push(function.sig.ident.to_string());
                    }
                }
                Item::Mod(module) => {
                    of(module.content.map(|(_, items)| items).unwrap_or_default(), names)
                }
                _ => {}
            }
        }
    }
    let mut names = Vec::new();
    of(syn::parse_file(text).expect("it compiles").items, &mut names);
    names
}

/// Returns the folder of tokio's sources.
fn tokio() -> PathBuf {
    let cargo = Plain::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    // It needs the sources of every package in the lock file, also of those that nothing here builds.
    let error = String::from_utf8_lossy(&cargo.stderr);
    assert!(cargo.status.success(), "`cargo fetch` gets what is missing: {error}");
    let text = String::from_utf8(cargo.stdout).expect("text");
    let paths = text.split("\"manifest_path\":\"").skip(1);
    let paths = paths.filter_map(|rest| rest.split_once("/Cargo.toml\"").map(|(path, _)| path));
    let is_tokio = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.strip_prefix("tokio-").is_some_and(|version| version.starts_with(char::is_numeric))
    };
    paths.filter(is_tokio).map(PathBuf::from).next().expect("tokio is a dependency")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is there"));
    let files = entries.flat_map(|entry| {
        let path = entry.path();
        if path.is_dir() { rust_files(&path) } else { vec![path] }
    });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The list names each of tokio's tests once, and only tests of ours that exist.
#[test]
fn each_of_tokios_tests_has_one_of_ours_or_a_reason() {
    let list = read("TOKIO-TESTS.md");
    let rows: Vec<[&str; 3]> = list
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            <[&str; 3]>::try_from(cells).expect("three cells")
        })
        .collect();
    let root = tokio();
    let process = |path: &PathBuf| path.to_string_lossy().contains("/process");
    let files = [root.join("tests"), root.join("src/process")].map(|folder| rust_files(&folder));
    let theirs: BTreeSet<(String, String)> = files
        .concat()
        .iter()
        .filter(|path| process(path))
        .flat_map(|path| {
            let file = path.strip_prefix(&root).expect("below it").display().to_string();
            let text = fs::read_to_string(path).expect("text");
            tests(&text).into_iter().map(move |name| (format!("`{file}`"), format!("`{name}`")))
        })
        .collect();
    let listed: Vec<_> =
        rows.iter().map(|[file, test, _]| ((*file).to_owned(), (*test).to_owned())).collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), theirs);
    assert_eq!(listed.len(), theirs.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let ours: Vec<String> = rust_files(&folder)
        .iter()
        .flat_map(|path| tests(&fs::read_to_string(path).expect("text")))
        .collect();
    for [_, theirs, answer] in rows {
        let named = answer.split('`').nth(1);
        let is_answered = match named {
            Some(name) => ours.iter().any(|ours| ours == name),
            None => answer.starts_with("none: "),
        };
        assert!(is_answered, "{theirs}: {answer}");
    }
}
