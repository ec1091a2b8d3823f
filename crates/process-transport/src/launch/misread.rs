//! Names of programs and directories that only a shell would read as they are meant.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::prepare::candidates;
use crate::command::Command;

/// Returns a hint if a shell would have read the name of a missing file in another way.
pub(super) fn misread(name: &OsStr, errno: i32) -> &'static str {
    if errno != libc::ENOENT {
        return "";
    }
    if name.as_bytes().starts_with(b"~") {
        return " (only a shell expands `~`)";
    }
    let space = name.as_bytes().iter().position(|byte| *byte == b' ');
    let first_word = space.map(|space| OsStr::from_bytes(&name.as_bytes()[..space]));
    if first_word.is_some_and(is_program) {
        " (pass arguments by `args`: only a shell splits a line)"
    } else {
        ""
    }
}

/// Returns whether there is a file of that name where programs are looked for.
fn is_program(name: &OsStr) -> bool {
    let paths = candidates(&Command::new(name));
    paths.is_ok_and(|paths| paths.iter().any(|path| Path::new(OsStr::from_bytes(path)).is_file()))
}
