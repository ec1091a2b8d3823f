//! The task `public-api`: writes the public items of each library to `public-api/<crate>.txt`, with
//! cargo-public-api.
//!
//! `public-api --check` compares with the files, and fails if there are more items than a reader
//! can learn. Items of modules count; methods, variants and fields do not.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::metadata::LIBRARIES;
use crate::tool;

/// The version in use. It must support the JSON format of the nightly rustdoc.
const VERSION: &str = "0.52.0";

/// The most items of all crates together: outside of `driver` modules, and inside. What adds a
/// capability adds its items here; nothing else does.
const MOST: [usize; 2] = [176, 56];

/// The beginnings of lines about items.
const KINDS: [&str; 7] = ["struct ", "enum ", "union ", "trait ", "fn ", "static ", "type "];

/// Writes the list of every crate.
pub(crate) fn write(sh: &Shell) -> Result<()> {
    check_or_write(sh, false)
}

/// Compares the public items with the lists. The slow tier runs this.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    check_or_write(sh, true)
}

fn check_or_write(sh: &Shell, is_check: bool) -> Result<()> {
    tool::nightly(sh)?;
    let tool = tool::installed(sh, "cargo-public-api", VERSION)?;
    let target = sh.current_dir().join("target").join("api");
    let mut stale = Vec::new();
    let mut counts = [0, 0];
    for package in LIBRARIES {
        // `-sss` leaves out auto trait, blanket and derived impls.
        let list =
            cmd!(sh, "{tool} public-api -sss --color never -p {package} --target-dir {target}")
                .env("RUSTUP_TOOLCHAIN", "nightly")
                .read()?;
        // The items of the facade are those of the others.
        if package != "procession" {
            let [others, drivers] = count(&list);
            println!("{package}: {others} items, {drivers} in driver");
            counts = [counts[0] + others, counts[1] + drivers];
        }
        let file = Path::new("public-api").join(format!("{package}.txt"));
        let list = list + "\n";
        if !is_check {
            sh.write_file(&file, list).context("the list cannot be written")?;
        } else if sh.read_file(&file).unwrap_or_default() != list {
            stale.push(package);
        }
    }
    println!("{} items, {} in driver modules", counts[0], counts[1]);
    ensure!(
        stale.is_empty(),
        "public-api/ is not up to date for {stale:?}: run `cargo xtask public-api`"
    );
    ensure!(counts[0] <= MOST[0] && counts[1] <= MOST[1], "more than {MOST:?} public items");
    Ok(())
}

/// Counts the items of a list outside of `driver` modules, and inside.
fn count(list: &str) -> [usize; 2] {
    // Attributes may come before `pub`.
    let lines = || list.lines().filter_map(|line| line.split_once("pub ").map(|(_, rest)| rest));
    let modules: BTreeSet<&str> = lines().filter_map(|line| line.strip_prefix("mod ")).collect();
    let items: BTreeSet<(&str, &str)> = lines()
        .filter_map(item)
        .filter(|path| path.rsplit_once("::").is_some_and(|(parent, _)| modules.contains(parent)))
        .map(|path| (if path.contains("::driver::") { "driver" } else { "" }, path))
        .collect();
    let drivers = items.iter().filter(|(place, _)| !place.is_empty()).count();
    [items.len() - drivers, drivers]
}

/// Returns the path of the item of a line.
fn item(line: &str) -> Option<&str> {
    let line =
        line.strip_prefix("const ").filter(|rest| !rest.starts_with("fn ")).or_else(|| {
            let line = line.trim_start_matches("const ").trim_start_matches("unsafe ");
            KINDS.iter().find_map(|kind| line.strip_prefix(kind))
        })?;
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    Some(line[..end.unwrap_or(line.len())].trim_end_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn items_of_modules_count_and_what_belongs_to_them_does_not() {
        let list = "pub mod a\npub mod a::driver\npub struct a::driver::Cell<T>\npub enum a::E\n\
                    pub a::E::One\npub fn a::E::method(&self) -> u8\npub const fn a::E::new() -> Self\n\
                    pub const fn a::free(x: u8)\npub const a::E::LIMIT: usize\npub const a::MAX: u8\n\
                    pub type a::T<X> = a::E\npub fn a::f<I>(x: I) where I: a::Tr\nimpl a::E\n";
        assert_eq!(count(list), [5, 1]);
    }
}
