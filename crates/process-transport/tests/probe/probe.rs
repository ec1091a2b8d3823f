//! The probe: a child for this crate's tests that does the work for which their catalogue uses
//! python3.
//!
//! `procession-probe COMMAND [ARGUMENT..]`; [`run`] has the commands. The probe has no Rust runtime
//! before its `main`, because the runtime opens closed descriptors 0 to 2 and ignores SIGPIPE, and
//! a probe must see its original state. It opens no descriptor by itself.
#![no_main]

mod fds;
mod identity;
mod stdio;
mod sys;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Runs one command. Returns the exit code.
fn run(args: &[&[u8]]) -> i32 {
    let command = args.get(1).map_or(b"".as_slice(), |command| *command);
    match (command, args.get(2..).unwrap_or(&[])) {
        (b"fdlist", [out]) => fds::list(number(out)),
        (b"fdinfo", [out]) => fds::info(number(out)),
        (b"fifos", []) => fds::fifos(),
        (b"tags", [first, last]) => fds::tags(number(first), number(last)),
        (b"shutdown", [fd]) => fds::end_writing(number(fd)),
        (b"port", [fd]) => fds::port(number(fd)),
        (b"fd02", []) => stdio::fd02(),
        (b"reversed", []) => stdio::reversed(),
        (b"stages", []) => stdio::stages(),
        (b"args", rest) => stdio::args(rest),
        (b"env", []) => stdio::env(),
        (b"length", []) => stdio::length(),
        (b"blocks", [count, size]) => stdio::blocks(number(count), number(size)),
        (b"exit", [code]) => sys::exit(number(code)),
        (b"thread-exec", [script]) => sys::exec_in_thread(OsStr::from_bytes(script)),
        (b"ids", []) => identity::ids(),
        (b"session", []) => identity::session(),
        (b"terminal", []) => identity::terminal(),
        (b"regain", []) => identity::regain(),
        (b"tty", []) => identity::tty(),
        (b"size", []) => identity::size(),
        _ => {
            stdio::print(2, b"procession-probe: no such command\n");
            64
        }
    }
}

/// Parses an argument as a number.
fn number(argument: &[u8]) -> i32 {
    std::str::from_utf8(argument)
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("the argument is a number")
}
