//! Finds the cgroup of this program in the hierarchy of version 2. A pure parser.
//!
//! # Model
//!
//! `/proc/self/cgroup` has the cgroup's path within its hierarchy, on the line that begins with
//! `0::`. `/proc/self/mountinfo` says where that hierarchy is mounted, and which of its cgroups is the
//! root of each mount. Hybrid systems mount it beside the hierarchies of version 1. Both paths are
//! relative to the cgroup namespace; one that begins with `/..` lies outside of it and leads to no
//! folder.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Returns the folder of this program's cgroup, or why there is none.
pub(super) fn folder(cgroup: &[u8], mountinfo: &[u8]) -> Result<PathBuf, &'static str> {
    let path = cgroup.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"));
    let path = path.ok_or("this system has no cgroups of version 2")?;
    if is_outside(path) {
        return Err("the program's cgroup lies outside of its cgroup namespace");
    }
    let mut is_mounted = false;
    let mut found: Option<(PathBuf, &Path)> = None;
    for mount in mountinfo.split(|byte| *byte == b'\n').filter_map(mount) {
        let place = PathBuf::from(OsStr::from_bytes(&mount.place));
        // The one below it cannot be reached any more. All are below the root, which may be listed late.
        found.take_if(|(hidden, _)| place != Path::new("/") && hidden.starts_with(&place));
        if mount.is_cgroup2 {
            is_mounted = true;
            found = found.or_else(|| Some((place, below(&mount.root, path)?)));
        }
    }
    found.map(|(place, below)| place.join(below)).ok_or(if is_mounted {
        "no mount of the cgroups of version 2 has the program's own"
    } else {
        "the cgroups of version 2 are not mounted"
    })
}

/// A line of mountinfo.
struct Mount {
    root: Vec<u8>,
    place: Vec<u8>,
    is_cgroup2: bool,
}

fn is_outside(path: &[u8]) -> bool {
    path == b"/.." || path.starts_with(b"/../")
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = unescaped(fields.nth(3)?);
    let place = unescaped(fields.next()?);
    // Any number of optional fields ends in a dash; then comes the type.
    fields.find(|field| *field == b"-")?;
    Some(Mount { root, place, is_cgroup2: fields.next()? == b"cgroup2" })
}

/// Replaces the escapes of mountinfo: a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, more @ ..] = rest {
        let octal = more.first_chunk::<3>().filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[3..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    bytes
}

/// Returns the path below `root` that leads to `path`, if it lies there.
fn below<'a>(root: &[u8], path: &'a [u8]) -> Option<&'a Path> {
    let below = Path::new(OsStr::from_bytes(path)).strip_prefix(OsStr::from_bytes(root));
    below.ok().filter(|_| !is_outside(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "25 30 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

    fn of(cgroup: &str, mountinfo: &str) -> Result<String, &'static str> {
        let found = folder(cgroup.as_bytes(), mountinfo.as_bytes())?;
        Ok(found.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_folder_lies_below_the_mount() {
        let found = of("0::/user.slice/a.scope\n", UNIFIED);
        assert_eq!(found.as_deref(), Ok("/sys/fs/cgroup/user.slice/a.scope"));
        assert_eq!(of("0::/\n", UNIFIED).as_deref(), Ok("/sys/fs/cgroup/"));
    }

    #[test]
    fn a_hybrid_system_has_a_line_of_version_2_among_others() {
        let mounts = "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let found = of("9:name=systemd:/x\n4:memory:/y\n0::/z\n", mounts);
        assert_eq!(found.as_deref(), Ok("/sys/fs/cgroup/unified/z"));
    }

    #[test]
    fn a_mount_of_a_part_leads_to_what_lies_in_that_part() {
        let part = "25 30 0:23 /docker/c1 /sys/fs/cgroup ro master:1 shared:2 - cgroup2 none ro\n";
        assert_eq!(of("0::/docker/c1/x\n", part).as_deref(), Ok("/sys/fs/cgroup/x"));
        assert!(of("0::/docker/c12\n", part).is_err());
        let both = format!("{part}{UNIFIED}");
        assert_eq!(of("0::/docker/c12\n", &both).as_deref(), Ok("/sys/fs/cgroup/docker/c12"));
    }

    #[test]
    fn what_lies_outside_of_the_namespace_is_no_folder() {
        assert!(of("0::/../b\n", UNIFIED).is_err());
        assert!(of("0::/..\n", UNIFIED).is_err());
        let outside = UNIFIED.replace(" / ", " /../b ");
        assert!(of("0::/../b\n", &outside).is_err());
        assert!(of("0::/\n", &outside).is_err());
    }

    #[test]
    fn without_the_hierarchy_there_is_none() {
        assert!(of("4:memory:/y\n", UNIFIED).is_err());
        assert!(
            of("0::/\n", "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n").is_err()
        );
        assert!(of("", "").is_err());
        assert!(of("0::/\n", "cgroup2\n25 30\n- cgroup2\n").is_err());
    }

    #[test]
    fn a_mount_that_another_one_hides_is_passed_over() {
        let hidden = "33 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let over = "34 31 0:30 / /sys/fs/cgroup rw - tmpfs none rw\n";
        assert!(of("0::/z\n", &format!("{hidden}{over}")).is_err());
        let again = format!("{hidden}{over}{UNIFIED}");
        assert_eq!(of("0::/z\n", &again).as_deref(), Ok("/sys/fs/cgroup/z"));
        let late_root = format!("{UNIFIED}1 0 0:1 / / rw - ext4 /dev/root rw\n");
        assert_eq!(of("0::/z\n", &late_root).as_deref(), Ok("/sys/fs/cgroup/z"));
        let beside = format!("{UNIFIED}35 31 0:31 / /sys/fs/cgroup2 rw - tmpfs none rw\n");
        assert_eq!(of("0::/z\n", &beside).as_deref(), Ok("/sys/fs/cgroup/z"));
    }

    #[test]
    fn escapes_of_the_mount_are_undone() {
        let odd = UNIFIED.replace("/sys/fs/cgroup", "/a\\040b\\134\\0");
        assert_eq!(of("0::/c\n", &odd).as_deref(), Ok("/a b\\\\0/c"));
    }
}
