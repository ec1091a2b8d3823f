//! Packages of a Debian release, downloaded by apt and unpacked below target/vm. apt's state is
//! private: no file of this system changes, and root is not needed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::machine::Architecture;

/// Debian's own name for the nearest mirror.
const MIRROR: &str = "http://deb.debian.org/debian";

/// apt, for one release and architecture.
struct Release<'a> {
    sh: &'a Shell,
    folder: PathBuf,
}

/// Returns the newest kernel for clouds of a release. It has what a virtual machine needs, and boots
/// in a fraction of the time of the general one.
pub(crate) fn kernel(sh: &Shell, suite: &str, architecture: &Architecture) -> Result<PathBuf> {
    let release = Release::open(sh, suite, architecture.debian)?;
    let newest = release.depends(&format!("linux-image-cloud-{}", architecture.debian))?;
    let image = newest.iter().find(|name| name.starts_with("linux-image-"));
    let image = image.with_context(|| format!("{suite} names no kernel: {newest:?}"))?;
    // Since Linux 7 the kernel is in a package of its own.
    let depends = release.depends(image)?;
    let package = depends.iter().find(|name| name.starts_with("linux-binary-")).unwrap_or(image);
    let root = release.folder.join(package);
    if !root.exists() {
        let archives = release.download(package)?;
        unpack(sh, &archives, &root)?;
    }
    let boot = ["boot", "usr/lib/modules", "usr/boot"].map(|folder| root.join(folder));
    boot.iter().find_map(|folder| kernel_below(folder)).context("the package has no kernel")
}

/// Returns a file whose name begins with `vmlinuz`.
fn kernel_below(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        if entry.path().is_dir() {
            return kernel_below(&entry.path());
        }
        entry.file_name().to_str()?.starts_with("vmlinuz").then(|| entry.path())
    })
}

/// Unpacks packages of this system's own release, with all that they depend on, into `root`. The C
/// library is then the one that the tests are linked with.
pub(crate) fn programs(
    sh: &Shell,
    architecture: &Architecture,
    packages: &[&str],
    root: &Path,
) -> Result<()> {
    let release = Release::open(sh, &own_suite()?, architecture.debian)?;
    let archives = release.download_with_dependencies(packages)?;
    unpack(sh, &archives, root)
}

/// Returns the name of this system's release.
fn own_suite() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("this system is not Debian")?;
    let suite = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(suite.context("/etc/os-release names no release of Debian")?.to_owned())
}

fn unpack(sh: &Shell, archives: &[PathBuf], root: &Path) -> Result<()> {
    sh.create_dir(root)?;
    for archive in archives {
        // The links /bin, /lib and /sbin of the root stay; `dpkg -x` makes folders of them. Without
        // -P, tar loses absolute links below such a link.
        let script = "dpkg-deb --fsys-tarfile $0 | tar -xP --keep-directory-symlink -C $1";
        cmd!(sh, "sh -c {script} {archive} {root}").quiet().run()?;
    }
    Ok(())
}

impl<'a> Release<'a> {
    /// Reads the lists of the release's packages, once for each folder target/vm.
    fn open(sh: &'a Shell, suite: &str, architecture: &str) -> Result<Self> {
        let folder = sh.current_dir().join(format!("target/vm/apt/{suite}-{architecture}"));
        let release = Self { sh, folder };
        let at = release.folder.display();
        if release.folder.join("complete").exists() {
            return Ok(release);
        }
        let sources = ["", "-security"].map(|part| {
            let key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
            format!("deb {key} {MIRROR}{part} {suite}{part} main\n")
        });
        let configuration = format!(
            "APT::Architecture \"{architecture}\"; APT::Architectures \"{architecture}\";\n\
             Dir::Etc::SourceList \"{at}/sources.list\"; Dir::Etc::SourceParts \"/dev/null\";\n\
             Dir::State \"{at}\"; Dir::State::Status \"{at}/status\"; Dir::Cache \"{at}/cache\";\n\
             APT::Install-Recommends \"false\"; APT::Sandbox::User \"\"; Debug::NoLocking \"true\";\n\
             Acquire::Languages \"none\"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n"
        );
        sh.write_file(release.folder.join("sources.list"), sources.concat())?;
        sh.write_file(release.folder.join("apt.conf"), configuration)?;
        sh.write_file(release.folder.join("status"), "")?;
        sh.create_dir(release.folder.join("lists/partial"))?;
        sh.create_dir(release.folder.join("cache/archives/partial"))?;
        release.apt("apt-get", &["update", "-q", "--error-on=any"])?;
        sh.write_file(release.folder.join("complete"), "")?;
        Ok(release)
    }

    fn apt(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let configuration = self.folder.join("apt.conf");
        let command = cmd!(self.sh, "{program} {arguments...}").env("APT_CONFIG", configuration);
        Ok(command.read()?)
    }

    /// Returns the names of the packages that a package depends on.
    fn depends(&self, package: &str) -> Result<Vec<String>> {
        let text = self.apt("apt-cache", &["depends", package])?;
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(names.map(str::to_owned).collect())
    }

    /// Downloads a package alone.
    fn download(&self, package: &str) -> Result<Vec<PathBuf>> {
        let archives = self.sh.create_dir(self.folder.join("cache").join(package))?;
        let _there = self.sh.push_dir(&archives);
        self.apt("apt-get", &["download", "-q", package])?;
        self.archives(&archives)
    }

    /// Downloads packages and all that they depend on.
    fn download_with_dependencies(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let install = ["install", "--download-only", "--yes", "-q"];
        self.apt("apt-get", &[&install[..], packages].concat())?;
        self.archives(&self.folder.join("cache/archives"))
    }

    fn archives(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut archives = self.sh.read_dir(folder)?;
        archives.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
        ensure!(!archives.is_empty(), "apt downloaded no package to {}", folder.display());
        Ok(archives)
    }
}
