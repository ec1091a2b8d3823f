//! Area FD, second part: the descriptors that are given to a child, and that no other descriptor of
//! the parent reaches the child.
#![cfg(feature = "reactor")]

mod util;

use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use procession_core::Signal;
use procession_process_transport::{Fd, Step};
use procession_protocol::SpawnPath;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::sockopt::socket_type;
use rustix::net::{RecvFlags, SocketType, recv};

use crate::util::{
    Driver, Event, WATCHDOG, behaviour, command, fd_list, in_every_way, isolated, ms, probe, sh,
    skip, sys,
};

/// Opens `/dev/null` for reading and writing.
fn null() -> File {
    File::options().read(true).write(true).open("/dev/null").expect("/dev/null")
}

/// Case FD-12.
#[test]
fn the_flags_of_an_inherited_descriptor_do_not_change_in_the_parent() {
    behaviour("the_flags_of_an_inherited_descriptor_do_not_change_in_the_parent", |driver| {
        let own = Arc::new(null());
        let number = own.as_raw_fd();
        let flags = || (fcntl_getfd(&own).unwrap(), fcntl_getfl(&own).unwrap());
        let before = flags();
        assert!(before.0.contains(FdFlags::CLOEXEC));
        let fds = [(number, Fd::inherit(own.clone())), (1, Fd::from_child())];
        let child = driver.spawn(probe(["fdlist", "1"]).child_fds(fds));
        assert_eq!(flags(), before, "after the spawn");
        driver.drive_to_end(&child.record);
        assert_eq!(flags(), before, "after the end");
        assert_eq!(fd_list(&child.record, 1), [1, number]);
    });
}

/// Case FD-17.
#[test]
fn inheritable_descriptors_of_the_parent_do_not_leak_into_the_child() {
    in_every_way("inheritable_descriptors_of_the_parent_do_not_leak_into_the_child", |driver| {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let high = i32::try_from(limit.unwrap_or(1 << 20)).unwrap() - 17;
        let mut leaks: Vec<OwnedFd> = Vec::new();
        for number in [50, 500, high] {
            let leak = sys::copy_at(null(), number, false);
            assert!(fcntl_getfd(&leak).unwrap().is_empty(), "it is inheritable");
            leaks.push(leak);
        }
        let record = driver.run(probe(["fdlist", "1"]));
        assert_eq!((fd_list(&record, 1), record.code()), (vec![0, 1, 2], 0));
        assert_eq!(leaks.len(), 3);
    });
}

/// Removes close-on-exec from every descriptor of this process from 3 to 64.
fn make_all_inheritable() {
    for number in (3..=64).filter(|number| sys::is_open(*number)) {
        // A descriptor that another thread has just closed has no flags.
        fcntl_setfd(sys::borrow(number), FdFlags::empty()).ok();
    }
}

/// Some C code removes the flags like this: once, or from another thread all the time.
#[test]
fn no_child_holds_an_end_of_a_mailbox_whatever_others_do_to_its_flags() {
    isolated("no_child_holds_an_end_of_a_mailbox_whatever_others_do_to_its_flags", || {
        let driver = &mut Driver::new();
        let lists = |driver: &mut Driver| {
            let record = driver.run(probe(["fdlist", "1"]));
            assert_eq!((fd_list(&record, 1), record.code()), (vec![0, 1, 2], 0));
        };
        lists(driver); // the mailbox exists from here on
        make_all_inheritable();
        lists(driver);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _end = Defer(|| done.store(true, Ordering::Relaxed));
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    make_all_inheritable();
                }
            });
            for _ in 0..100 {
                lists(driver);
            }
        });
    });
}

/// Calls its closure when it is dropped, also after a panic.
struct Defer<F: Fn()>(F);

impl<F: Fn()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The descriptors of this process that are sockets of type SEQPACKET: the ends of a mailbox.
fn mailbox_ends() -> Vec<i32> {
    let is_seqpacket = |number: &i32| {
        sys::is_open(*number)
            && socket_type(sys::borrow(*number)).is_ok_and(|kind| kind == SocketType::SEQPACKET)
    };
    (3..=64).filter(is_seqpacket).collect()
}

/// A foreign child may have inherited an end that had lost its flag. That end receives no more
/// mail.
#[test]
fn a_mailbox_that_others_may_hold_gets_no_more_mail() {
    isolated("a_mailbox_that_others_may_hold_gets_no_more_mail", || {
        let driver = &mut Driver::new();
        let shared = Some(SpawnPath::SharedFiles);
        let known = driver.spawn(sh("exit 0"));
        if known.process.spawned_by() != shared {
            return driver.drive_to_end(&known.record); // this path uses no mailbox
        }
        driver.drive_to_end(&known.record);
        let ends = mailbox_ends();
        assert_eq!(ends.len(), 2, "a receiver and a sender");
        let theirs: Vec<OwnedFd> =
            ends.iter().map(|end| sys::borrow(*end).try_clone_to_owned().unwrap()).collect();
        make_all_inheritable();
        for _ in 0..3 {
            let child = driver.spawn(sh("echo hello"));
            assert_eq!(child.process.spawned_by(), shared);
            driver.drive_to_end(&child.record);
            assert_eq!((child.record.text(1), child.record.code()), ("hello\n".to_owned(), 0));
        }
        let [receiver, sender] = <[OwnedFd; 2]>::try_from(theirs).unwrap();
        drop(sender);
        let mut byte = [0];
        let received = recv(&receiver, &mut byte, RecvFlags::DONTWAIT).unwrap();
        assert_eq!(received.1, 0, "no mail, and nobody left who could send some");
    });
}

/// Case FD-22.
#[test]
fn listening_sockets_are_handed_on_each_to_its_own_child() {
    behaviour("listening_sockets_are_handed_on_each_to_its_own_child", |driver| {
        let mut children = Vec::new();
        for _ in 0..2 {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let child = driver.spawn(probe(["port", "3"]).child_fd(3, Fd::inherit(listener)));
            children.push((port, child.record));
        }
        assert_ne!(children[0].0, children[1].0);
        for (port, record) in children {
            driver.drive_to_end(&record);
            assert_eq!((record.text(1), record.code()), (format!("{port}\n"), 0));
        }
    });
}

/// Case FD-25.
#[test]
fn whether_an_inherited_descriptor_blocks_is_left_alone() {
    behaviour("whether_an_inherited_descriptor_blocks_is_left_alone", |driver| {
        for nonblocking in [true, false] {
            let (mut reader, writer) = pipe().unwrap();
            let mut flags = fcntl_getfl(&writer).unwrap();
            flags.set(OFlags::NONBLOCK, nonblocking);
            fcntl_setfl(&writer, flags).unwrap();
            let writer = Arc::new(OwnedFd::from(writer));
            let info = probe(["fdinfo", "1"]).child_fds([(1, Fd::inherit(writer.clone()))]);
            let child = driver.spawn(info);
            assert_eq!(fcntl_getfl(&writer).unwrap(), flags, "after the spawn");
            driver.drive_to_end(&child.record);
            assert_eq!(fcntl_getfl(&writer).unwrap(), flags, "after the end");
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert!(text.contains(&format!("nonblock={nonblocking}")), "the child's view: {text}");
            assert_eq!(child.record.code(), 0);
        }
    });
}

/// The child's ends of the pipes are blocking, whatever the parent's ends are.
#[test]
fn the_childs_ends_block_and_are_inheritable() {
    in_every_way("the_childs_ends_block_and_are_inheritable", |driver| {
        let fds = [
            (0, Fd::to_child()),
            (1, Fd::from_child()),
            (2, Fd::from_child()),
            (3, Fd::socketpair()),
        ];
        let record = driver.run(probe(["fdinfo", "1"]).child_fds(fds));
        let text = record.text(1);
        assert_eq!(text.lines().count(), 4, "{text}");
        for line in text.lines() {
            assert!(line.ends_with("nonblock=false cloexec=false"), "{text}");
        }
        let modes: Vec<bool> = text.lines().map(|line| line.contains("mode=2")).collect();
        assert_eq!(modes, [false, false, false, true], "only the socket goes both ways: {text}");
    });
}

/// Case FD-26.
#[test]
fn a_pipe_between_two_children_has_no_other_writer() {
    behaviour("a_pipe_between_two_children_has_no_other_writer", |driver| {
        let (reader, writer) = pipe().unwrap();
        let none: [(i32, Fd); 0] = [];
        let printf = command("/usr/bin/printf").arg("1\n2\n");
        let a = driver.spawn(printf.child_fds([(1, Fd::inherit(writer))]));
        let bystander = driver.spawn(command("/bin/sleep").arg("3").child_fds(none));
        let fds = [(0, Fd::inherit(reader)), (1, Fd::from_child())];
        let b = driver.spawn(command("/bin/cat").child_fds(fds));
        driver.until("the reader ends", ms(1500), || b.record.ended().is_some());
        assert_eq!((b.record.text(1).as_str(), b.record.code()), ("1\n2\n", 0));
        assert!(bystander.record.exited().is_none(), "it ended before the bystander");
        bystander.process.signal(Signal::KILL).unwrap();
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((a.record.code(), bystander.record.signal()), (0, 9));
    });
}

/// Case FD-27.
#[test]
fn a_later_child_does_not_hold_an_earlier_ones_stdin_open() {
    behaviour("a_later_child_does_not_hold_an_earlier_ones_stdin_open", |driver| {
        let a = driver.spawn(command("/bin/cat"));
        let b = driver.spawn(command("/bin/sleep").arg("3"));
        a.process.close_stdin();
        driver.until("cat sees its end", ms(500), || a.record.ended().is_some());
        assert_eq!(a.record.code(), 0);
        assert!(b.record.exited().is_none(), "sleep still runs");
        b.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&b.record);
        assert_eq!(b.record.signal(), 9);
    });
}

/// Case FD-28.
#[test]
fn descriptors_beyond_1024_work() {
    behaviour("descriptors_beyond_1024_work", |driver| {
        let nofile = rustix::process::Resource::Nofile;
        let hard = rustix::process::getrlimit(nofile).maximum;
        if hard.is_some_and(|hard| hard < 2000) {
            skip("FD-28", "the hard limit of open descriptors is below 2000");
            return;
        }
        let limit = rustix::process::Rlimit { current: hard, maximum: hard };
        rustix::process::setrlimit(nofile, limit).unwrap();
        let many: Vec<File> = (0..1500).map(|_| null()).collect();
        let sent = vec![b'x'; 1 << 20];
        let text = sent.clone();
        let record = driver.run_with(command("/bin/cat"), move |process, event| {
            if *event == Event::Made {
                let number = process.with_fd(0, |fd| fd.as_raw_fd()).unwrap();
                assert!(number > 1024, "{number}");
                process.write(text.clone());
                process.close_stdin();
            }
        });
        assert_eq!(record.code(), 0);
        assert!(record.data(1) == sent, "{} bytes came back", record.data(1).len());
        drop(many);
    });
}

/// Case FD-30.
#[test]
fn the_callers_descriptor_is_never_closed_by_a_spawn() {
    behaviour("the_callers_descriptor_is_never_closed_by_a_spawn", |driver| {
        let own = Arc::new(null());
        let child = driver.spawn(command("/bin/true").child_fd(1, Fd::inherit(own.clone())));
        assert!(fcntl_getfd(&own).is_ok(), "after a spawn");
        driver.fails(command("/no/such/prog").child_fd(1, Fd::inherit(own.clone())));
        assert!(fcntl_getfd(&own).is_ok(), "after a failed spawn");
        driver.drive_to_end(&child.record);
        assert!(fcntl_getfd(&own).is_ok(), "after the end");
        assert_eq!(child.record.code(), 0);
        assert_eq!(Arc::strong_count(&own), 1, "nobody keeps it longer than the command");
    });
}

/// Case FD-31.
#[test]
fn the_null_device_can_be_inherited() {
    in_every_way("the_null_device_can_be_inherited", |driver| {
        let own = Arc::new(null());
        let maps = [
            [(0, Fd::inherit(own.clone())), (1, Fd::inherit(own.clone())), (2, Fd::from_child())],
            [(0, Fd::null()), (1, Fd::null()), (2, Fd::from_child())],
        ];
        for fds in maps {
            let record = driver.run(sh("cat; echo x; echo e >&2").child_fds(fds));
            assert_eq!((record.text(1).as_str(), record.text(2).as_str()), ("", "e\n"));
            assert_eq!((record.lost(), record.code()), (vec![2], 0));
        }
    });
}

/// Case FD-32.
#[test]
fn one_socket_can_be_0_1_and_2() {
    in_every_way("one_socket_can_be_0_1_and_2", |driver| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let theirs = Arc::new(OwnedFd::from(theirs));
        let fds = [0, 1, 2].map(|number| (number, Fd::inherit(theirs.clone())));
        ours.write_all(b"hi\n").unwrap();
        let record = driver.run(sh("read x; echo $x; echo e >&2").child_fds(fds));
        drop(theirs);
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), record.code()), ("hi\ne\n", 0));
        assert_eq!(record.lost(), []);
    });
}

/// The parent opens a file for the child at the spawn.
#[test]
fn a_file_is_opened_for_the_child_alone() {
    behaviour("a_file_is_opened_for_the_child_alone", |driver| {
        use procession_process_transport::FileMode;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let append = Fd::file(&path, FileMode::Append);
        for text in ["one", "two"] {
            let child = sh(&format!("echo {text}")).child_fd(1, append.clone());
            let child = driver.spawn(child);
            driver.leaks().assert_no_regular_files();
            driver.drive_to_end(&child.record);
            assert_eq!((child.record.code(), child.record.lost()), (0, vec![0, 2]));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let missing = Fd::file("/no/such/file", FileMode::Read);
        let error = driver.fails(command("/bin/cat").child_fd(0, missing));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Pipe, Some(libc::ENOENT)));
    });
}
