//! Area FD, first part: which descriptor the child finds at which number. `fd_inherit.rs` has the
//! second part.
#![cfg(feature = "reactor")]

mod util;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write, pipe};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use procession_process_transport::{Fd, Step};
use rustix::io::fcntl_getfd;

use crate::util::{Event, Standard, behaviour, command, fd_list, in_every_way, ms, probe, sh, sys};

/// Creates an empty file without a name.
fn file() -> File {
    tempfile::tempfile().expect("a temporary file")
}

/// Reads the whole content of a file.
fn contents(mut file: &File) -> String {
    file.seek(SeekFrom::Start(0)).expect("a file");
    let mut text = String::new();
    file.read_to_string(&mut text).expect("text");
    text
}

/// Returns the read end of a pipe at descriptor `number`. The pipe holds `text` and ends after it.
fn pipe_at(number: i32, text: &str) -> OwnedFd {
    let (reader, mut writer) = pipe().expect("a pipe");
    writer.write_all(text.as_bytes()).expect("it fits");
    sys::copy_at(reader, number, true)
}

/// Opens `/dev/null` for reading and writing.
fn null() -> File {
    File::options().read(true).write(true).open("/dev/null").expect("/dev/null")
}

/// Case FD-01.
#[test]
fn the_default_map_is_three_pipes() {
    in_every_way("the_default_map_is_three_pipes", |driver| {
        let record = driver.feed(probe(["fifos"]), &[(0, "")]);
        assert_eq!(record.text(1), "[True, True, True]\n");
        assert_eq!((record.lost(), record.code()), (vec![0, 1, 2], 0));
    });
}

/// Case FD-02.
#[test]
fn a_dialogue_over_four_pipes_has_the_order_that_its_causes_give_it() {
    behaviour("a_dialogue_over_four_pipes_has_the_order_that_its_causes_give_it", |driver| {
        let fds = [
            (0, Fd::to_child()),
            (1, Fd::from_child()),
            (2, Fd::inherit(std::io::stderr())),
            (3, Fd::to_child()),
            (4, Fd::from_child()),
            (5, Fd::to_child()),
        ];
        let record =
            driver.run_with(probe(["fd02"]).child_fds(fds), |process, event| match event {
                Event::Made => process.write_to_child(0, "abcd").unwrap(),
                Event::Data(1, data) if data == "righto" => {
                    process.write_to_child(3, "efgh").unwrap()
                }
                Event::Lost(4) => process.close_child_fd(5),
                _ => {}
            });
        let causal = |event: &Event| matches!(event, Event::Data(..) | Event::Lost(4));
        let sequence: Vec<Event> = record.events().into_iter().filter(causal).collect();
        assert_eq!(
            sequence,
            [Event::Data(1, "righto".into()), Event::Lost(4), Event::Data(1, "closed".into())]
        );
        assert_eq!(record.code(), 0);
        assert_eq!(record.lost(), [0, 1, 3, 4, 5], "nothing about fd 2, which is inherited");
    });
}

/// Case FD-03.
#[test]
fn directions_are_the_callers_and_not_bound_to_numbers() {
    in_every_way("directions_are_the_callers_and_not_bound_to_numbers", |driver| {
        let fds = [(0, Fd::from_child()), (1, Fd::to_child()), (2, Fd::inherit(std::io::stderr()))];
        let record = driver.feed(probe(["reversed"]).child_fds(fds), &[(1, "hello")]);
        assert_eq!((record.text(0).as_str(), record.text(1).as_str()), ("hello!", ""));
        assert_eq!((record.lost(), record.code()), (vec![0, 1], 0));
    });
}

/// Case FD-04.
#[test]
fn numbers_that_a_whole_map_does_not_name_are_closed_in_the_child() {
    in_every_way("numbers_that_a_whole_map_does_not_name_are_closed_in_the_child", |driver| {
        let fds = [(3, Fd::from_child()), (7, Fd::from_child())];
        let record = driver.run(probe(["fdlist", "7"]).child_fds(fds));
        assert_eq!((record.text(7).as_str(), record.text(3).as_str()), ("[3, 7]", ""));
        assert_eq!((record.lost(), record.code()), (vec![3, 7], 0));
    });
}

/// Case FD-05.
#[test]
fn a_child_without_any_pipe_is_reported_when_it_exits() {
    behaviour("a_child_without_any_pipe_is_reported_when_it_exits", |driver| {
        let none: [(i32, Fd); 0] = [];
        let record = driver.run(command("/bin/sleep").arg("0.2").child_fds(none));
        assert_eq!((record.code(), record.lost()), (0, vec![]));
        assert_eq!(record.events().len(), 3, "made, exited, ended:\n{record:?}");
        for what in [0, 1] {
            let like = |event: &Event| match event {
                Event::Exited(_) => what == 0,
                Event::Ended(_) => what == 1,
                _ => false,
            };
            assert!(record.came_within(like, ms(200), ms(500)), "at about 0.2 s: {record:?}");
        }
    });
}

/// Case FD-06.
#[test]
fn standard_output_can_be_a_file_of_the_caller() {
    behaviour("standard_output_can_be_a_file_of_the_caller", |driver| {
        let out = Arc::new(file());
        let fds = [(1, Fd::inherit(out.clone())), (2, Fd::from_child())];
        let record = driver.run(sh("echo hello world").child_fds(fds));
        assert_eq!(contents(&out), "hello world\n");
        assert_eq!((record.lost(), record.code()), (vec![2], 0));
        assert!(!record.has(|event| matches!(event, Event::Data(..))), "{record:?}");
    });
}

/// Case FD-07.
#[test]
fn one_descriptor_can_serve_two_numbers() {
    in_every_way("one_descriptor_can_serve_two_numbers", |driver| {
        let out = Arc::new(file());
        let fds = [(1, Fd::inherit(out.clone())), (2, Fd::inherit(out.clone()))];
        let record = driver.run(sh("printf foo; printf bar >&2").child_fds(fds));
        assert_eq!((contents(&out).as_str(), record.code()), ("foobar", 0));
    });
}

/// Case FD-08.
#[test]
fn descriptor_2_of_the_parent_can_be_both_outputs_of_the_child() {
    in_every_way("descriptor_2_of_the_parent_can_be_both_outputs_of_the_child", |driver| {
        let standard = Standard::save();
        driver.rebase();
        let out = file();
        standard.replace(2, &out);
        let before = rustix::fs::fstat(sys::borrow(2)).unwrap().st_ino;
        let inherited = || Fd::inherit(sys::borrow(2));
        let fds = [(1, inherited()), (2, inherited())];
        let record = driver.run(sh("printf foo; printf bar >&2").child_fds(fds));
        let after = rustix::fs::fstat(sys::borrow(2)).unwrap().st_ino;
        drop(standard);
        assert_eq!((contents(&out).as_str(), record.code()), ("foobar", 0));
        assert_eq!(before, after, "the parent's descriptor 2 is what it was");
    });
}

/// Case FD-09.
#[test]
fn every_permutation_of_0_1_and_2_comes_about() {
    in_every_way("every_permutation_of_0_1_and_2_comes_about", |driver| {
        drop(Standard::save());
        driver.rebase();
        let permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for permutation in permutations {
            let standard = Standard::save();
            let files = [file(), file(), file()];
            for (number, file) in (0..).zip(&files) {
                standard.replace(number, file);
            }
            let [input, output, errors] =
                permutation.map(|number: i32| &files[usize::try_from(number).unwrap()]);
            let mut input = input;
            input.write_all(b"STDIN").unwrap();
            input.seek(SeekFrom::Start(0)).unwrap();
            let fds = (0..)
                .zip(permutation)
                .map(|(target, source)| (target, Fd::inherit(sys::borrow(source))));
            let fds: Vec<(i32, Fd)> = fds.collect();
            let record = driver.run(sh("cat; printf out; printf err >&2").child_fds(fds));
            drop(standard);
            assert_eq!(record.code(), 0, "{permutation:?}");
            assert_eq!(contents(input), "STDIN", "{permutation:?}");
            assert_eq!(contents(output), "STDINout", "{permutation:?}");
            assert_eq!(contents(errors), "err", "{permutation:?}");
        }
    });
}

/// Case FD-10.
#[test]
fn a_cycle_of_three_high_numbers_comes_about() {
    in_every_way("a_cycle_of_three_high_numbers_comes_about", |driver| {
        let [a, b, c] = [
            Arc::new(pipe_at(40, "content of a;")),
            Arc::new(pipe_at(41, "content of b;")),
            Arc::new(pipe_at(42, "content of c;")),
        ];
        let fds = [
            (40, Fd::inherit(b.clone())),
            (41, Fd::inherit(c.clone())),
            (42, Fd::inherit(a.clone())),
            (1, Fd::from_child()),
        ];
        let cat = command("/bin/cat").args(["/dev/fd/40", "/dev/fd/41", "/dev/fd/42"]);
        let record = driver.run(cat.child_fds(fds));
        assert_eq!(record.text(1), "content of b;content of c;content of a;");
        assert_eq!(record.code(), 0);
    });
}

/// Case FD-11.
#[test]
fn a_close_on_exec_descriptor_stays_open_on_its_own_number() {
    in_every_way("a_close_on_exec_descriptor_stays_open_on_its_own_number", |driver| {
        let own = Arc::new(null());
        let number = own.as_raw_fd();
        assert!(fcntl_getfd(&own).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        let fds = [(number, Fd::inherit(own.clone())), (1, Fd::from_child())];
        let record = driver.run(probe(["fdlist", "1"]).child_fds(fds));
        assert_eq!((fd_list(&record, 1), record.code()), (vec![1, number], 0));
    });
}

/// Case FD-15.
#[test]
fn a_pipe_on_a_number_does_not_overwrite_the_source_that_lies_there() {
    in_every_way("a_pipe_on_a_number_does_not_overwrite_the_source_that_lies_there", |driver| {
        let standard = Standard::save();
        driver.rebase();
        let out = file();
        standard.replace(0, &out);
        let fds = [(0, Fd::to_child()), (1, Fd::inherit(sys::borrow(0))), (2, Fd::from_child())];
        let first = driver.run(command("/usr/bin/printf").args(["%s", "hello"]).child_fds(fds));
        drop(standard);
        assert_eq!((contents(&out).as_str(), first.code()), ("hello", 0));

        let out = file();
        let standard = Standard::save();
        standard.replace(1, &out);
        let fds = [(1, Fd::from_child()), (2, Fd::inherit(sys::borrow(1)))];
        let second = driver.run(sh("echo o; echo e >&2").child_fds(fds));
        drop(standard);
        assert_eq!((second.text(1).as_str(), second.code()), ("o\n", 0));
        assert_eq!(contents(&out), "e\n");
    });
}

/// Case FD-16.
#[test]
fn two_of_0_1_and_2_go_anywhere_while_the_third_is_closed() {
    in_every_way("two_of_0_1_and_2_go_anywhere_while_the_third_is_closed", |driver| {
        drop(Standard::save());
        driver.rebase();
        let pairs = [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]];
        let mut combinations = 0;
        for closed in 0..3 {
            for targets in pairs {
                let files = [file(), file()];
                let sources: Vec<i32> = (0..3).filter(|number| *number != closed).collect();
                let standard = Standard::save();
                for (source, file) in sources.iter().zip(&files) {
                    standard.replace(*source, file);
                }
                standard.close(closed);
                let fds: Vec<(i32, Fd)> = targets
                    .into_iter()
                    .zip(&sources)
                    .map(|(target, source)| (target, Fd::inherit(sys::borrow(*source))))
                    .collect();
                let [x, y] = targets;
                let script = format!("printf {x} >&{x}; printf {y} >&{y}");
                let record = driver.run(sh(&script).child_fds(fds));
                drop(standard);
                let found = files.each_ref().map(contents);
                let wanted = targets.map(|target: i32| target.to_string());
                assert_eq!(found, wanted, "closed {closed}, targets {targets:?}");
                assert_eq!(record.code(), 0, "closed {closed}, targets {targets:?}");
                combinations += 1;
            }
        }
        assert_eq!(combinations, 18);
    });
}

/// Case FD-19.
#[test]
fn a_descriptor_can_be_a_source_elsewhere_and_kept_in_place() {
    in_every_way("a_descriptor_can_be_a_source_elsewhere_and_kept_in_place", |driver| {
        let (a, b) = (Arc::new(null()), Arc::new(null()));
        let (a_number, b_number) = (a.as_raw_fd(), b.as_raw_fd());
        let fds = [
            (0, Fd::inherit(a.clone())),
            (1, Fd::from_child()),
            (a_number, Fd::inherit(a.clone())),
            (b_number, Fd::inherit(b.clone())),
        ];
        let record = driver.run(probe(["fdlist", "1"]).child_fds(fds));
        let mut wanted = vec![0, 1, a_number, b_number];
        wanted.sort_unstable();
        assert_eq!((fd_list(&record, 1), record.code()), (wanted, 0));
    });
}

/// Case FD-20.
#[test]
fn a_source_that_is_not_open_is_an_error() {
    in_every_way("a_source_that_is_not_open_is_an_error", |driver| {
        let fds = [(0, Fd::inherit(sys::unopened(9999))), (1, Fd::from_child())];
        let error = driver.fails(command("/bin/true").child_fds(fds));
        assert_eq!((error.step(), error.raw_os_error()), (Step::FdMap, Some(libc::EBADF)));
    });
}

/// Case FD-21.
#[test]
fn a_number_at_the_limit_is_an_error_and_one_below_works() {
    in_every_way("a_number_at_the_limit_is_an_error_and_one_below_works", |driver| {
        let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        let fds = |number: i32| [(1, Fd::from_child()), (number, Fd::from_child())];
        let error = driver.fails(probe(["fdlist", "1"]).child_fds(fds(64)));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(libc::EINVAL)));
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let record = driver.run(probe(["fdlist", "1"]).child_fds(fds(63)));
        assert_eq!((fd_list(&record, 1), record.code()), (vec![1, 63], 0));
        assert_eq!(record.lost(), [1, 63]);
    });
}

/// Case FD-29.
#[test]
fn a_hundred_descriptors_each_carry_their_own_data() {
    behaviour("a_hundred_descriptors_each_carry_their_own_data", |driver| {
        let fds: Vec<(i32, Fd)> = (3..103).map(|number| (number, Fd::from_child())).collect();
        let record = driver.run(probe(["tags", "3", "102"]).child_fds(fds));
        assert_eq!(record.code(), 0);
        assert_eq!(record.count(|event| matches!(event, Event::Data(..))), 100);
        for number in 3..103 {
            assert_eq!(record.text(number), number.to_string());
        }
        assert_eq!(record.lost(), (3..103).collect::<Vec<i32>>());
    });
}

/// `Fd::same_as` is a shell's `2>&1`: one pipe that keeps the order of the writes.
#[test]
fn the_same_as_another_number_is_one_pipe() {
    in_every_way("the_same_as_another_number_is_one_pipe", |driver| {
        let merged = sh("echo 1; echo 2 >&2; echo 3").child_fd(2, Fd::same_as(1));
        let record = driver.run(merged);
        assert_eq!((record.text(1).as_str(), record.text(2).as_str()), ("1\n2\n3\n", ""));
        assert_eq!((record.lost(), record.code()), (vec![0, 1], 0));
    });
}

/// A socketpair goes both ways. When the child shuts down its side, the parent may still write.
#[test]
fn a_socketpair_carries_both_directions() {
    behaviour("a_socketpair_carries_both_directions", |driver| {
        let child = sh("read x <&3; echo \"$x!\" >&3").child_fd(3, Fd::socketpair());
        let record = driver.run_with(child, |process, event| {
            if *event == Event::Made {
                process.write_to_child(3, "hello\n").unwrap();
            }
        });
        assert_eq!((record.text(3).as_str(), record.code()), ("hello!\n", 0));
        assert_eq!(record.lost(), [0, 1, 2, 3]);
    });
}
