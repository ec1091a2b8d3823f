//! Area FD: FIFOs as files of a child, opened by the parent: nobody is waited for.
#![cfg(feature = "reactor")]

mod util;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use procession_process_transport::{Fd, FileMode, Step};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::util::{behaviour, command, ms, sh};

/// A FIFO that nobody has open.
fn fifo(dir: &TempDir) -> std::path::PathBuf {
    let path = dir.path().join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a FIFO");
    path
}

fn both(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("Linux does not wait then")
}

/// To write needs somebody who reads: it fails at once, and says on what.
#[test]
fn a_fifo_that_nobody_reads_cannot_be_written() {
    behaviour("a_fifo_that_nobody_reads_cannot_be_written", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir);
        for mode in [FileMode::Write, FileMode::Append] {
            let error = driver.fails(command("/bin/true").child_fd(1, Fd::file(&path, mode)));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Pipe, Some(libc::ENXIO)));
            assert_eq!(error.subject(), path);
            let error = command("/bin/true").child_fd(1, Fd::file(&path, mode)).spawn();
            assert_eq!(error.map(drop).unwrap_err().raw_os_error(), Some(libc::ENXIO));
        }
    });
}

/// To read needs nobody: the child finds the end, or what there is.
#[test]
fn a_fifo_that_nobody_writes_is_at_its_end() {
    behaviour("a_fifo_that_nobody_writes_is_at_its_end", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir);
        let record = driver.run(command("/bin/cat").child_fd(0, Fd::file(&path, FileMode::Read)));
        assert_eq!((record.text(1).as_str(), record.code()), ("", 0));
        let record = driver.run(
            sh("echo x >&5; read line <&5; echo $line")
                .child_fd(5, Fd::file(&path, FileMode::ReadWrite)),
        );
        assert_eq!((record.text(1).as_str(), record.code()), ("x\n", 0));
    });
}

/// With somebody on the other side it is a FIFO as any other: the child waits, in both directions.
#[test]
fn a_child_waits_for_who_has_the_other_side() {
    behaviour("a_child_waits_for_who_has_the_other_side", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir);
        let mut other = both(&path);
        driver.rebase();
        let reads =
            driver.spawn(sh("read line; echo $line").child_fd(0, Fd::file(&path, FileMode::Read)));
        driver.run_for(ms(100));
        assert!(reads.record.exited().is_none(), "it waits for a line");
        other.write_all(b"line\n").unwrap();
        driver.drive_to_end(&reads.record);
        assert_eq!(reads.record.text(1), "line\n");
        // More than a FIFO takes.
        let bytes = 200_000;
        let writes = driver.spawn(
            command("/usr/bin/head")
                .args(["-c", "200000", "/dev/zero"])
                .child_fd(1, Fd::file(&path, FileMode::Write)),
        );
        driver.run_for(ms(100));
        assert!(writes.record.exited().is_none(), "it waits for room");
        other.read_exact(&mut vec![0; bytes]).unwrap();
        driver.drive_to_end(&writes.record);
        assert_eq!((writes.record.code(), writes.record.text(2).as_str()), (0, ""));
        drop(other);
        driver.rebase();
    });
}

/// No file is left in another state than before: what the child has blocks, and appends where it is to.
#[test]
fn the_flags_of_a_file_are_what_was_asked_for() {
    behaviour("the_flags_of_a_file_are_what_was_asked_for", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (mode, flags) in [
            (FileMode::Write, libc::O_WRONLY),
            (FileMode::Append, libc::O_WRONLY | libc::O_APPEND),
            (FileMode::ReadWrite, libc::O_RDWR),
            (FileMode::Read, libc::O_RDONLY),
        ] {
            let info = command("/bin/cat").arg("/proc/self/fdinfo/5");
            let record = driver.run(info.child_fd(5, Fd::file(&path, mode)));
            let text = record.text(1);
            let shown = text.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags");
            let shown = i32::from_str_radix(shown.trim(), 8).expect("octal");
            let relevant = libc::O_ACCMODE | libc::O_APPEND | libc::O_NONBLOCK;
            assert_eq!(shown & relevant, flags, "{mode:?}");
        }
    });
}
