//! Finds out more about a failed exec than its error number says: which file it concerns, and what
//! is wrong with it.
//!
//! The parent looks at the files after the exec has failed. The result can be wrong if the child
//! runs as another user, or if the files change meanwhile. So the message shows it beside the error
//! number, which is always right.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags, access};

use super::misread::misread;
use super::prepare::Prepared;

/// How many bytes the kernel reads of a program to recognise it (`BINPRM_BUF_SIZE`).
const HEAD_BYTES: u64 = 256;

/// How many interpreters the kernel follows, each the interpreter of the one before.
const MOST_INTERPRETERS: usize = 5;

/// Returns the text between the program and the reason; empty if there is nothing to add.
pub(super) fn explain(prepared: &Prepared<'_>, errno: i32) -> String {
    let command = prepared.command;
    let paths = match &prepared.request.candidates {
        Some(paths) => paths.iter().map(|path| OsStr::from_bytes(path).into()).collect(),
        None => vec![PathBuf::from(&command.program)],
    };
    explain_paths(&command.program, paths, command.cwd.as_deref(), errno)
}

/// Returns the same for the files that were tried, as they are found from this directory.
pub(super) fn explain_paths(
    program: &OsStr,
    paths: impl IntoIterator<Item = PathBuf>,
    cwd: Option<&Path>,
    errno: i32,
) -> String {
    let at = Files { cwd };
    let explained = paths.into_iter().find_map(|path| at.about(path, errno));
    explained.map_or_else(|| misread(program, errno).to_owned(), |what| format!(": {what}"))
}

/// The files as the child finds them.
struct Files<'a> {
    cwd: Option<&'a Path>,
}

impl Files<'_> {
    fn find(&self, path: &Path) -> PathBuf {
        self.cwd.map_or_else(|| path.to_owned(), |cwd| cwd.join(path))
    }

    /// Returns what is wrong with a file, or with an interpreter that it leads to.
    fn about(&self, program: PathBuf, errno: i32) -> Option<String> {
        let chain = self.chain(program);
        if errno == libc::ELOOP && chain.len() > MOST_INTERPRETERS + 1 {
            return Some(self.endless(&chain).to_owned());
        }
        let number = self.at_fault(&chain, errno)?;
        let path = self.find(&chain[number]);
        let what = match errno {
            libc::ENOENT => missing(&path),
            libc::ENOEXEC => Some(format_of(&head(&path)?)),
            libc::EACCES => defect(&path),
            _ => None,
        };
        let interpreters: Vec<String> = chain[1..=number].iter().map(|path| named(path)).collect();
        let interpreters = (number > 0)
            .then(|| format!("its interpreter {}", interpreters.join(", whose interpreter ")));
        let parts: Vec<String> = interpreters.into_iter().chain(what).collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }

    /// Returns the index of the file in the chain that caused the error.
    fn at_fault(&self, chain: &[PathBuf], errno: i32) -> Option<usize> {
        let last = chain.len().checked_sub(1)?;
        let of_last = self.find(&chain[last]);
        match errno {
            // The kernel checks the permissions of each.
            libc::EACCES => chain.iter().position(|path| defect(&self.find(path)).is_some()),
            libc::ENOENT => (!of_last.exists() || missing(&of_last).is_some()).then_some(last),
            libc::ELOOP => (!of_last.exists()).then_some(last),
            libc::ENOEXEC => Some(last),
            _ => None,
        }
    }

    /// Returns a program, its interpreter, the interpreter of that, and so on, as they are written;
    /// up to one more than the kernel follows.
    fn chain(&self, program: PathBuf) -> Vec<PathBuf> {
        let next = |path: &PathBuf| interpreter(&head(&self.find(path))?);
        iter::successors(Some(program), next).take(MOST_INTERPRETERS + 2).collect()
    }

    /// Returns what is wrong with a chain that is too long.
    fn endless(&self, chain: &[PathBuf]) -> &'static str {
        let ids = chain.iter().filter_map(|path| {
            let file = fs::metadata(self.find(path)).ok()?;
            Some((file.dev(), file.ino()))
        });
        let ids: Vec<_> = ids.collect();
        let distinct: BTreeSet<_> = ids.iter().collect();
        if distinct.len() == 1 {
            "it is its own interpreter"
        } else if distinct.len() < ids.len() {
            "its interpreters lead to one another"
        } else {
            "its interpreters are scripts too, and more than five"
        }
    }
}

/// Returns what is missing: the target of a link, or the loader of an existing program.
fn missing(path: &Path) -> Option<String> {
    if !path.exists() {
        let target = fs::read_link(path).ok()?;
        return Some(format!("it is a symbolic link to {target:?}"));
    }
    head(path)?.starts_with(ELF).then(|| "the loader that it names".to_owned())
}

/// The first bytes of a program that is no script.
const ELF: &[u8] = b"\x7fELF";

/// Formats an interpreter for a message.
fn named(interpreter: &Path) -> String {
    let ends_in_return = interpreter.as_os_str().as_bytes().ends_with(b"\r");
    let crlf = if ends_in_return { " (the line ends in CRLF, not in LF)" } else { "" };
    format!("{interpreter:?}{crlf}")
}

/// Returns the word after `#!`, up to a blank (`execve(2)`, "Interpreter scripts").
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | 0);
    let name = line.split(is_blank).find(|word| !word.is_empty())?;
    Some(Path::new(OsStr::from_bytes(name)).to_owned())
}

fn format_of(head: &[u8]) -> String {
    let what = if head.is_empty() {
        "it is empty"
    } else if head.starts_with(ELF) {
        "it is a program for another system, or damaged"
    } else if head.starts_with(b"#!") {
        "its #! line names no interpreter"
    } else {
        "it is no program and has no #! line"
    };
    what.to_owned()
}

/// Returns why nobody, or not this user, may execute the file.
fn defect(path: &Path) -> Option<String> {
    let Ok(file) = fs::metadata(path) else { return closed_directory(path) };
    if file.is_dir() {
        return Some("it is a directory".to_owned());
    }
    if !file.is_file() {
        return Some("it is no regular file".to_owned());
    }
    let mode = file.permissions().mode() & 0o7777;
    if mode & 0o111 == 0 {
        return Some(format!("its mode {mode:04o} lets nobody execute it"));
    }
    is_noexec(path).then(|| "its file system is mounted noexec".to_owned())
}

#[cfg(target_os = "linux")]
fn is_noexec(path: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(path).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// Returns false: on other systems rustix does not know the flag.
#[cfg(not(target_os = "linux"))]
fn is_noexec(_: &Path) -> bool {
    false
}

/// Returns the text for a directory of the path that may not be searched.
fn closed_directory(path: &Path) -> Option<String> {
    let mut on_the_way: Vec<&Path> = path.ancestors().skip(1).collect();
    on_the_way.reverse();
    let is_closed = |directory: &&Path| access(*directory, Access::EXEC_OK).is_err();
    let mut named = on_the_way.into_iter().filter(|path| !path.as_os_str().is_empty());
    let closed = named.find(is_closed)?;
    Some(format!("the directory {closed:?} may not be searched"))
}

/// Reads the first bytes of a regular file; the open does not block.
fn head(path: &Path) -> Option<Vec<u8>> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).ok()?;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    Some(head)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{format_of, interpreter};

    #[test]
    fn the_interpreter_is_the_first_word_of_the_first_line() {
        for (head, found) in [
            (&b"#!/bin/sh\necho"[..], Some("/bin/sh")),
            (b"#! \t/usr/bin/env -S x\n", Some("/usr/bin/env")),
            (b"#!/bin/sh\r\necho\r\n", Some("/bin/sh\r")),
            (b"#!/bin/sh", Some("/bin/sh")),
            (b"#!\n/bin/sh", None),
            (b"# !/bin/sh\n", None),
            (b"", None),
        ] {
            assert_eq!(interpreter(head).as_deref(), found.map(Path::new), "{head:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_program_differs_from_one_of_another_system() {
        for (head, what) in [
            (&b""[..], "it is empty"),
            (b"\x7fELF\0\0", "it is a program for another system, or damaged"),
            (b"#! \nx", "its #! line names no interpreter"),
            (b"exit 3", "it is no program and has no #! line"),
        ] {
            assert_eq!(format_of(head), what);
        }
    }
}
