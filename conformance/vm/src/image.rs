//! Makes the initramfs: programs of Debian, the test programs at the paths that they have here, and
//! the script that runs them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::debian;
use crate::machine::Architecture;
use crate::programs::Programs;

/// Packages with programs that the tests and the script start.
const PACKAGES: [&str; 16] = [
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "iproute2",
    "libc-bin",
    "mawk",
    "mount",
    "procps",
    "sed",
    "strace",
    "systemd",
    "util-linux",
];

/// What nothing reads in the machine. It would only fill its memory.
const USELESS: [&str; 10] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/i18n",
    "usr/share/bash-completion",
    "usr/share/zoneinfo",
    "var/lib/dpkg",
    "usr/share/perl5",
    "usr/share/lintian",
];

/// Files that tests read, relative to the folder of their package.
const FILES: [&str; 2] = ["Cargo.toml", "../../docs/launch-matrix.md"];

/// How many times longer than usual the tests wait. An emulated processor takes a few times as long
/// for the same code, by its own clock.
pub(crate) const BUSY_FACTOR: u32 = 10;

/// The time after which the script ends a test program, by the machine's clock.
pub(crate) const SECONDS_EACH: u32 = 900;

/// The time after which the script switches the machine off, by its clock.
const SECONDS_ALL: u32 = 7200;

/// Makes an image with the tests, and returns its path.
///
/// An initramfs may be several archives in a row.
pub(crate) fn make(
    sh: &Shell,
    architecture: &Architecture,
    programs: &Programs,
) -> Result<PathBuf> {
    let system = system_root(sh, architecture)?;
    let folder = sh.current_dir().join("target/vm").join(architecture.debian);
    let system_archive = folder.join("system.cpio");
    archive(sh, &system, &system_archive)?;
    let root = folder.join("tests");
    sh.remove_path(&root)?;
    for helper in &programs.helpers {
        strip(sh, architecture, helper, &within(&root, helper))?;
    }
    let mut list = String::new();
    for test in &programs.tests {
        strip(sh, architecture, &test.program, &within(&root, &test.program))?;
        for file in FILES {
            let file = test.folder.join(file);
            let place = within(&root, &file);
            fs::create_dir_all(place.parent().context("a file is in a folder")?)?;
            fs::copy(&file, &place)?;
        }
        let [folder, program] = [&test.folder, &test.program].map(|path| path.display());
        list.push_str(&format!("{} {} {folder} {program}\n", test.suite, test.name));
    }
    sh.write_file(root.join("suites/list"), list)?;
    let environment = format!(
        "export PROCESSION_BUSY_MACHINE={BUSY_FACTOR}\n\
         SECONDS_EACH={SECONDS_EACH} SECONDS_ALL={SECONDS_ALL}\n"
    );
    sh.write_file(root.join("suites/environment"), environment)?;
    let init = root.join("init");
    sh.copy_file("conformance/vm/guest/init", &init)?;
    fs::set_permissions(&init, Permissions::from_mode(0o755))?;
    sh.copy_file("conformance/vm/guest/suites", root.join("suites/run"))?;
    let tests_archive = folder.join("tests.cpio");
    archive(sh, &root, &tests_archive)?;
    let image = folder.join("initramfs.cpio");
    let script = "cat $0 $1 > $2";
    cmd!(sh, "sh -c {script} {system_archive} {tests_archive} {image}").quiet().run()?;
    Ok(image)
}

/// Packs a folder, whose files will all belong to root.
fn archive(sh: &Shell, root: &Path, archive: &Path) -> Result<()> {
    let _there = sh.push_dir(root);
    let script = "find . | cpio --create --format=newc --owner=0:0 --quiet > $0";
    cmd!(sh, "sh -c {script} {archive}").quiet().run()?;
    Ok(())
}

/// Returns the folder with Debian's programs. It is made once.
pub(crate) fn system_root(sh: &Shell, architecture: &Architecture) -> Result<PathBuf> {
    let folder = sh.current_dir().join("target/vm").join(architecture.debian);
    let root = folder.join("system");
    if !root.exists() {
        let part = folder.join("system.part");
        system(sh, architecture, &part)?;
        fs::rename(&part, &root)?;
    }
    Ok(root)
}

/// Unpacks Debian's programs and makes what the packages' scripts would make.
fn system(sh: &Shell, architecture: &Architecture, root: &Path) -> Result<()> {
    sh.remove_path(root)?;
    for folder in ["bin", "sbin", "lib", "lib64"] {
        sh.create_dir(root.join("usr").join(folder))?;
        symlink(Path::new("usr").join(folder), root.join(folder))?;
    }
    debian::programs(sh, architecture, &PACKAGES, root)?;
    for path in USELESS {
        sh.remove_path(root.join(path))?;
    }
    for folder in ["proc", "sys", "dev", "tmp", "root", "run", "suites"] {
        sh.create_dir(root.join(folder))?;
    }
    for (link, target) in [("usr/bin/sh", "dash"), ("usr/bin/awk", "mawk")] {
        if !root.join(link).exists() {
            symlink(target, root.join(link))?;
        }
    }
    for (file, master) in [("etc/passwd", "passwd.master"), ("etc/group", "group.master")] {
        sh.copy_file(root.join("usr/share/base-passwd").join(master), root.join(file))?;
    }
    Ok(())
}

/// Returns the place of an absolute path below `root`.
fn within(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Copies a program without its symbols, which are most of its size.
fn strip(sh: &Shell, architecture: &Architecture, from: &Path, to: &Path) -> Result<()> {
    let strip = architecture.strip;
    fs::create_dir_all(to.parent().context("a program is in a folder")?)?;
    cmd!(sh, "{strip} -o {to} {from}").quiet().run()?;
    Ok(())
}
