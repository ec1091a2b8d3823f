//! Checks that dependencies point one way: compares the `Cargo.toml` files with the table in
//! ARCHITECTURE.md.
//!
//! The table's columns are folder, package, what lives there, may depend on. A package cell without
//! a name in back quotes means an unpublished package. The last cell is a list of names with
//! remarks in parentheses: `core` is short for `procession-core`, and `all` means every layer and
//! every dependency that a layer may use. `tokio` is that package and `procession-tokio`.
//! Dev-dependencies are not checked.

use std::collections::BTreeSet;
use std::path::Path;

use crate::metadata::Package;
use crate::tree::{Problem, SourceFile};

/// A row of the table.
struct TableRow {
    line: usize,
    folders: Vec<String>,
    /// `None` for an unpublished package.
    package: Option<String>,
    allowed: Vec<String>,
}

/// Compares the table with the packages of the workspace.
pub(crate) fn check(architecture: &SourceFile, packages: &[Package]) -> Vec<Problem> {
    let rows = rows(&architecture.text);
    if rows.is_empty() {
        let message = "no table with the columns folder, package, …, may depend on";
        return vec![architecture.problem(1, message)];
    }
    let mut problems = Vec::new();
    for package in packages {
        if let Some(row) =
            rows.iter().find(|row| row.folders.iter().any(|own| package.folder() == Path::new(own)))
        {
            let found = check_package(package, row, &rows, packages);
            problems.extend(found.into_iter().map(|text| architecture.problem(row.line, text)));
        } else {
            let folder = package.folder().display();
            problems.push(architecture.problem(1, format!("the table has no row for {folder}")));
        }
    }
    for row in &rows {
        let gone = row.folders.iter().filter(|folder| {
            !packages.iter().any(|package| package.folder() == Path::new(folder.as_str()))
        });
        problems.extend(
            gone.map(|folder| architecture.problem(row.line, format!("no package at {folder}"))),
        );
    }
    problems
}

fn check_package(
    package: &Package,
    row: &TableRow,
    rows: &[TableRow],
    packages: &[Package],
) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(name) = row.package.as_ref().filter(|name| **name != package.name) {
        found.push(format!("the package is called {}, not {name}", package.name));
    }
    if row.package.is_some() != package.is_published() {
        let is = if package.is_published() { "published" } else { "not published" };
        found.push(format!("{} is {is}, and the table says otherwise", package.name));
    }
    let allowed = allowed(row, rows, packages);
    for dependency in &package.dependencies {
        let is_for_tests = dependency.kind.as_deref() == Some("dev");
        if !is_for_tests && !allowed.contains(dependency.name.as_str()) {
            found.push(format!("{} may not depend on {}", package.name, dependency.name));
        }
    }
    found
}

/// Returns the full names of the dependencies that a row allows. A short name is also its own full
/// name.
fn allowed<'a>(
    row: &'a TableRow,
    rows: &'a [TableRow],
    packages: &'a [Package],
) -> BTreeSet<&'a str> {
    let full = |name: &'a String| -> &'a str {
        let is_short = |package: &&Package| {
            package.name.strip_prefix("procession-").is_some_and(|short| short == name)
        };
        packages.iter().find(is_short).map_or(name.as_str(), |package| &package.name)
    };
    let is_layer = |row: &&TableRow| row.package.is_some();
    let both = |name: &'a String| [full(name), name.as_str()];
    let mut names: BTreeSet<_> = row.allowed.iter().flat_map(both).collect();
    if names.remove("all") {
        names
            .extend(rows.iter().filter(is_layer).flat_map(|row| row.allowed.iter().flat_map(both)));
        names.extend(packages.iter().filter(|package| package.is_layer()).map(|p| p.name.as_str()));
    }
    names
}

/// Reads the first table of the text with these columns.
fn rows(text: &str) -> Vec<TableRow> {
    let is_head = |cells: &[&str]| {
        matches!(cells, [folder, package, _, last]
            if *folder == "folder" && *package == "package" && *last == "may depend on")
    };
    let mut lines = (1..).zip(text.lines()).map(|(line, text)| (line, cells(text)));
    if !lines.any(|(_, cells)| is_head(&cells)) {
        return Vec::new();
    }
    let body = lines.take_while(|(_, cells)| cells.len() == 4);
    body.filter(|(_, cells)| !cells[0].starts_with('-') && !cells[0].starts_with(':'))
        .map(|(line, cells)| TableRow {
            line,
            folders: quoted(cells[0]),
            package: quoted(cells[1]).pop(),
            allowed: names(cells[3]),
        })
        .collect()
}

fn cells(line: &str) -> Vec<&str> {
    let inside = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inside.map_or_else(Vec::new, |inside| inside.split('|').map(str::trim).collect())
}

/// Returns the words in back quotes, without a slash at the end.
fn quoted(cell: &str) -> Vec<String> {
    let words = cell.split('`').skip(1).step_by(2);
    words.map(|word| word.trim_end_matches('/').to_owned()).collect()
}

/// Returns the names of a list, without the remarks in parentheses.
fn names(cell: &str) -> Vec<String> {
    let plain: String =
        cell.split('(').map(|part| part.split(')').next_back().unwrap_or("")).collect();
    let names = plain.split([',', ';']).map(|name| name.trim().trim_matches('`').to_owned());
    names.filter(|name| !name.is_empty() && name != "nothing").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    const TABLE: &str = "\
# Architecture

| folder | package | what lives there | may depend on |
|---|---|---|---|
| `crates/core` | `procession-core` | values | bytes |
| `crates/reactor` | `procession-reactor` | the loop | core, polling, libc (masks, dispositions) |
| `crates/procession` | `procession` | the facade | all |
| `examples/` | not published | listings | procession; anyhow |

| other | table |
";

    fn package(folder: &str, name: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), kind: None };
        Package {
            name: name.to_owned(),
            manifest_path: Path::new(folder).join("Cargo.toml"),
            publish: (!folder.starts_with("crates")).then(Vec::new),
            dependencies: dependencies.iter().map(dependency).collect(),
            ..Package::default()
        }
    }

    fn workspace() -> Vec<Package> {
        vec![
            package("crates/core", "procession-core", &["bytes"]),
            package(
                "crates/reactor",
                "procession-reactor",
                &["procession-core", "polling", "libc"],
            ),
            package("crates/procession", "procession", &["procession-reactor", "bytes"]),
            package("examples", "procession-examples", &["procession", "anyhow"]),
        ]
    }

    fn messages(table: &str, packages: &[Package]) -> Vec<String> {
        let problems = check(&SourceFile::new("ARCHITECTURE.md", table), packages);
        problems.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_workspace_as_declared_passes_and_dev_dependencies_are_free() {
        let mut packages = workspace();
        let (name, kind) = ("proptest".to_owned(), Some("dev".to_owned()));
        packages[0].dependencies.push(Dependency { name, kind });
        assert_eq!(messages(TABLE, &packages), [""; 0]);
    }

    #[test]
    fn each_difference_is_found() {
        let found = |change: fn(&mut Vec<Package>)| {
            let mut packages = workspace();
            change(&mut packages);
            messages(TABLE, &packages)
        };
        let undeclared = found(|all| {
            all[0] = package("crates/core", "procession-core", &["procession-reactor"])
        });
        assert_eq!(undeclared, ["procession-core may not depend on procession-reactor"]);
        let moved = found(|all| all[3] = package("benches", "procession-benches", &[]));
        assert_eq!(moved, ["the table has no row for benches", "no package at examples"]);
        assert!(found(|all| all[0].name = "core".to_owned())[0].contains("is called core"));
        assert!(found(|all| all[3].publish = None)[0].contains("is published"));
        assert_eq!(messages("# Architecture\n", &workspace()).len(), 1);
    }
}
