//! The contents of the packages: sources, licences and a README, and no file that only tests need. Where
//! two packages need the same file, it is the same.

use std::path::Path;

use procession::prelude::*;
use procession::run_all;

const PACKAGES: [&str; 8] = [
    "procession-core",
    "procession-protocol",
    "procession-reactor",
    "procession-process-transport",
    "procession-net-transport",
    "procession-utils",
    "procession-tokio",
    "procession",
];

/// The files that cargo adds to every package.
const ADDED_BY_CARGO: [&str; 4] =
    [".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig"];

#[test]
fn a_package_has_its_licences_and_no_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lists = PACKAGES.map(|package| {
        Command::new(env!("CARGO"))
            .args(["package", "--list", "--allow-dirty", "--offline", "-p", package])
            .current_dir(&root)
    });
    let mut reactor = Reactor::new().unwrap();
    let lists = reactor.block_on(run_all(lists, 1).all_or_first_error()).unwrap();
    for (package, list) in PACKAGES.iter().zip(lists) {
        assert!(list.is_success(), "{package}: {:?}", list.stderr_utf8());
        let files: Vec<&str> = list.stdout_utf8().unwrap().lines().collect();
        for required in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"] {
            assert!(files.contains(&required), "{package} lacks {required}");
        }
        for file in files {
            let is_allowed = file.starts_with("src/")
                || ADDED_BY_CARGO.contains(&file)
                || file.starts_with("LICENSE-")
                || file == "README.md";
            assert!(is_allowed, "{package} has {file}");
        }
    }
}

/// Neither of the two packages may depend on the other: ARCHITECTURE.md.
#[test]
fn two_packages_mask_sigpipe_by_the_same_file() {
    let [reactor, transport] = [
        include_str!("../../reactor/src/sys/sigpipe_mask.rs"),
        include_str!("../../process-transport/src/sys/sigpipe_mask.rs"),
    ];
    assert!(reactor == transport, "the two files differ");
}
