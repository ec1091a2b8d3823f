//! Area FD: FIFOs as files of a child. The parent opens them without blocking.
#![cfg(feature = "reactor")]

mod util;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use procession_process_transport::{Fd, FileMode, Step};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::util::{behaviour, command, ms, sh};

/// Creates a FIFO that nobody has open.
fn fifo(dir: &TempDir) -> std::path::PathBuf {
    let path = dir.path().join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a FIFO");
    path
}

fn both(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("Linux does not wait then")
}

/// Opening a FIFO for writing needs a reader. Without one the spawn fails at once, and the error
/// names the path.
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

/// Opening a FIFO for reading needs no writer. The child reads the end of file, or the data that is
/// there.
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

/// With a process on the other side the FIFO works as usual: the child waits, in both directions.
#[test]
fn a_child_waits_for_the_other_side_of_a_fifo() {
    behaviour("a_child_waits_for_the_other_side_of_a_fifo", |driver| {
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
        // more than a FIFO holds
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

/// The child's descriptor of a file has the requested flags. It is blocking, and it appends if that
/// was asked for.
#[test]
fn a_file_has_the_flags_that_were_asked_for() {
    behaviour("a_file_has_the_flags_that_were_asked_for", |driver| {
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
