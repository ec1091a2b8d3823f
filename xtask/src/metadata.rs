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
    pub(crate) manifest_path: PathBuf,
    /// The registries that it may go to. `publish = false` is none; `None` means any.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a dependency section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev` for tests, `build`, or `None` for the library.
    pub(crate) kind: Option<String>,
}

impl Package {
    /// Returns the folder, relative to the root of the workspace.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// Returns whether the package is a layer: published, and below `crates/`.
    pub(crate) fn is_layer(&self) -> bool {
        self.is_published() && self.manifest_path.starts_with("crates")
    }
}

/// Returns the packages of the workspace, from cargo.
pub(crate) fn packages(sh: &Shell) -> Result<Vec<Package>> {
    let json = cmd!(sh, "cargo metadata --no-deps --locked --format-version 1").read()?;
    parse(&json, &sh.current_dir())
}

fn parse(json: &str, root: &Path) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(json).context("cargo metadata")?;
    list(&metadata["packages"]).iter().map(|package| package_of(package, root)).collect()
}

/// Reads one package. Without derive macros this program builds in half the time.
fn package_of(package: &Value, root: &Path) -> Result<Package> {
    let manifest = text(&package["manifest_path"]).context("a package has no manifest")?;
    let path = Path::new(&manifest).strip_prefix(root);
    let dependency = |found: &Value| {
        let name = text(&found["name"]).context("a dependency has no name")?;
        Ok(Dependency { name, kind: text(&found["kind"]) })
    };
    Ok(Package {
        name: text(&package["name"]).context("a package has no name")?,
        manifest_path: path.context("a member is outside of the root")?.to_owned(),
        publish: package["publish"].as_array().map(|all| all.iter().filter_map(text).collect()),
        rust_version: text(&package["rust_version"]),
        dependencies: list(&package["dependencies"])
            .iter()
            .map(dependency)
            .collect::<Result<_>>()?,
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_dependencies() {
        let json = r#"{"packages": [
            {"name": "a", "manifest_path": "/w/crates/a/Cargo.toml", "publish": [],
             "rust_version": "1.88",
             "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]},
            {"name": "d", "manifest_path": "/w/crates/d/Cargo.toml"}
        ]}"#;
        let [unpublished, layer] = &parse(json, Path::new("/w")).unwrap()[..] else { panic!() };
        assert_eq!(unpublished.folder(), Path::new("crates/a"));
        assert!(!unpublished.is_layer() && layer.is_layer());
        assert_eq!(unpublished.rust_version.as_deref(), Some("1.88"));
        let kinds = unpublished.dependencies.iter().map(|dependency| dependency.kind.as_deref());
        assert_eq!(kinds.collect::<Vec<_>>(), [None, Some("dev")]);
    }
}
