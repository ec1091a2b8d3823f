//! Tries a release: `cargo xtask release [VERSION]`. Without a version, that of the root manifest.
//!
//! Everything happens in a clone of the last commit, in `target/release-copy`: the versions and the
//! changelog are edited, cargo packages every crate and compiles each from its package, and the
//! public API is compared with that of the last tag. This repository and the registry stay as they
//! are. The last lines are the commands that make the release.

mod changelog;
mod versions;

use std::env;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

fn main() -> Result<()> {
    let sh = Shell::new()?;
    let manifest = env::var("CARGO_MANIFEST_DIR").context("cargo runs this program")?;
    let root = Path::new(&manifest).parent().context("this package is below the root")?;
    sh.change_dir(root);
    let present = versions::present(&sh.read_file("Cargo.toml")?)?;
    let version = match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => present.clone(),
        [version] if versions::is_version(version) => version.clone(),
        _ => bail!("the only argument is a version, such as 0.2.0"),
    };
    let changes = cmd!(sh, "git status --porcelain").read()?;
    ensure!(
        changes.is_empty(),
        "a release is made from a commit, and there are changes:\n{changes}"
    );
    let tag = format!("v{version}");
    let tags = cmd!(sh, "git tag --list v* --sort=-version:refname").read()?;
    ensure!(!tags.lines().any(|line| line == tag), "the tag {tag} exists");

    let copy = root.join("target").join("release-copy");
    sh.remove_path(&copy)?;
    cmd!(sh, "git clone --quiet {root} {copy}").run()?;
    sh.change_dir(&copy);
    edit(&sh, &present, &version)?;
    let packages = packages(&cmd!(sh, "cargo metadata --no-deps --format-version 1").read()?)?;
    let packages: Vec<_> = packages.iter().flat_map(|name| ["--package", name]).collect();
    let packages = &packages;
    // Cargo takes the crates in the order of their dependencies. Each one finds the packages of the
    // others as if the registry had them.
    let target = root.join("target").join("release-packages");
    cmd!(sh, "cargo package --locked --allow-dirty --target-dir {target} {packages...}").run()?;
    match tags.lines().next() {
        Some(last) => compare(&sh, last, packages)?,
        None => println!("semver: there is no tag v*, so there is no API to compare with"),
    }
    cmd!(sh, "git diff --stat").run()?;
    println!("\n{}", next_steps(&version, &tag, &packages.join(" ")));
    Ok(())
}

/// Writes the version and the date of the release into the copy.
fn edit(sh: &Shell, present: &str, version: &str) -> Result<()> {
    let today = cmd!(sh, "date +%Y-%m-%d").read()?;
    let text = sh.read_file("CHANGELOG.md")?;
    sh.write_file("CHANGELOG.md", changelog::released(&text, version, &today)?)?;
    let manifest = versions::changed(&sh.read_file("Cargo.toml")?, present, version);
    sh.write_file("Cargo.toml", manifest)?;
    // This changes nothing but the versions of the members in Cargo.lock.
    Ok(cmd!(sh, "cargo update --quiet --workspace").run()?)
}

/// Returns the names of the published packages, from `cargo metadata`.
fn packages(metadata: &str) -> Result<Vec<String>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata")?;
    let all = metadata["packages"].as_array().context("cargo metadata has packages")?;
    // `publish = false` is an empty list of registries, and null means any registry.
    let published = all.iter().filter(|package| package["publish"].is_null());
    Ok(published.filter_map(|package| Some(package["name"].as_str()?.to_owned())).collect())
}

/// Compares the public API with that of a tag, by the rules of semantic versioning.
fn compare(sh: &Shell, last: &str, packages: &[&str]) -> Result<()> {
    let install = "cargo install cargo-semver-checks --locked";
    cmd!(sh, "cargo semver-checks --version").quiet().ignore_stderr().read().context(install)?;
    Ok(cmd!(sh, "cargo semver-checks --baseline-rev {last} {packages...}").run()?)
}

/// Returns the commands that make the release, for a person to run.
fn next_steps(version: &str, tag: &str, packages: &str) -> String {
    format!(
        "The release works. To make it:\n  \
         git -C target/release-copy diff | git apply --index\n  \
         git commit -m 'all: release {version}'\n  \
         git tag -a {tag} -m 'procession {version}'\n  \
         cargo publish --locked {packages}"
    )
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn a_package_that_is_not_published_is_left_out() {
        let metadata = r#"{"packages": [
            {"name": "a", "publish": null}, {"name": "b", "publish": []}, {"name": "c"}
        ]}"#;
        assert_eq!(packages(metadata).unwrap(), ["a", "c"]);
    }
}
