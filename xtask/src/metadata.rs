//! The packages of this workspace, from `cargo metadata`, as far as tidy needs them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

/// The libraries, the facade last.
pub(crate) const LIBRARIES: [&str; 8] = [
    "procession-core",
    "procession-protocol",
    "procession-reactor",
    "procession-process-transport",
    "procession-net-transport",
    "procession-utils",
    "procession-tokio",
    "procession",
];

/// A member of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the root of the workspace.
    pub(crate) folder: PathBuf,
    pub(crate) published: bool,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a dependency section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// A dev-dependency, which never reaches a user.
    pub(crate) for_tests: bool,
}

impl Package {
    /// Returns whether the package is a layer: published, and below `crates/`.
    pub(crate) fn is_layer(&self) -> bool {
        self.published && self.folder.starts_with("crates")
    }
}

/// Returns the packages of the workspace, from cargo.
pub(crate) fn packages(sh: &Shell) -> Result<Vec<Package>> {
    let json = cmd!(sh, "cargo metadata --no-deps --locked --format-version 1").read()?;
    parse(&json, &sh.current_dir())
}

fn parse(json: &str, root: &Path) -> Result<Vec<Package>> {
    let value: Value = serde_json::from_str(json).context("cargo metadata wrote no JSON")?;
    list(&value, "packages").iter().map(|package| parse_package(package, root)).collect()
}

fn parse_package(value: &Value, root: &Path) -> Result<Package> {
    let manifest = PathBuf::from(text(value, "manifest_path")?);
    let folder = manifest.parent().unwrap_or(&manifest);
    let dependency = |value: &Value| -> Result<Dependency> {
        let for_tests = value["kind"].as_str() == Some("dev");
        Ok(Dependency { name: text(value, "name")?, for_tests })
    };
    Ok(Package {
        name: text(value, "name")?,
        folder: folder.strip_prefix(root).unwrap_or(folder).to_owned(),
        // `publish = false` is an empty list of registries. Null means any registry.
        published: value["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        rust_version: value["rust_version"].as_str().map(str::to_owned),
        dependencies: list(value, "dependencies").iter().map(dependency).collect::<Result<_>>()?,
    })
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> Result<String> {
    let found = value[key].as_str().map(str::to_owned);
    found.with_context(|| format!("cargo metadata has no text at `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_dependencies() {
        let json = r#"{"packages": [{
            "name": "demo", "manifest_path": "/w/crates/demo/Cargo.toml", "publish": [],
            "rust_version": "1.88",
            "dependencies": [{"name": "bytes", "kind": null}, {"name": "proptest", "kind": "dev"}]
        }]}"#;
        let package = parse(json, Path::new("/w")).unwrap().remove(0);
        assert_eq!(package.folder, Path::new("crates/demo"));
        assert!(!package.published && !package.is_layer());
        assert_eq!(package.rust_version.as_deref(), Some("1.88"));
        let for_tests =
            |name: &str| package.dependencies.iter().find(|d| d.name == name).map(|d| d.for_tests);
        assert_eq!((for_tests("bytes"), for_tests("proptest")), (Some(false), Some(true)));
    }

    #[test]
    fn a_package_without_a_publish_key_is_published() {
        let json = r#"{"packages": [{"name": "a", "manifest_path": "/w/crates/a/Cargo.toml"}]}"#;
        assert!(parse(json, Path::new("/w")).unwrap()[0].is_layer());
    }

    #[test]
    fn a_package_without_a_name_is_an_error() {
        let error = parse(r#"{"packages": [{"manifest_path": "/w/Cargo.toml"}]}"#, Path::new("/w"));
        assert!(error.unwrap_err().to_string().contains("`name`"));
    }
}
