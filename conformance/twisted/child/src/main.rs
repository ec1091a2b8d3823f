//! A child that obeys its arguments in their order, for random scripts.
//!
//! A command is a letter and numbers: `i` ignores SIGPIPE; `wF,N` writes N bytes to descriptor F,
//! `rF,N` reads N bytes from F, `RF` reads F to its end; `eF,G` reports on G what was read from F;
//! `cF` closes F; `sMS` waits for some milliseconds; `gF,MS,N` forks a grandchild that alone holds F
//! for MS milliseconds and then writes N bytes; `xN` exits; `kN` raises a signal.

mod sys;

use std::io::{self, ErrorKind};
use std::time::Duration;
use std::{env, process, thread};

/// Descriptors above this number are not used by any script.
const FDS: usize = 16;
const CHUNK: usize = 65536;

#[derive(Default)]
struct Child {
    written: [usize; FDS],
    read: [usize; FDS],
    sum: [u64; FDS],
}

impl Child {
    fn obey(&mut self, command: &str) -> Option<()> {
        let numbers = command.get(1..)?.split(',');
        let numbers: Vec<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
        let number = |at: usize| numbers.get(at).copied();
        match command.get(..1)? {
            "i" => sys::ignore_broken_pipes(),
            "w" => self.write(number(0)?, number(1)?),
            "r" => self.read(number(0)?, number(1)?),
            "R" => self.read(number(0)?, usize::MAX),
            "e" => {
                let fd = number(0)?;
                let report = format!("[{fd}:{}:{}]", self.read[fd], self.sum[fd]);
                write_all(raw(number(1)?), report.as_bytes()).ok();
            }
            "c" => sys::close(raw(number(0)?)),
            "s" => pause(number(0)?),
            "g" if sys::fork() => {
                let fd = number(0)?;
                (0..FDS).filter(|other| *other != fd).for_each(|other| sys::close(raw(other)));
                pause(number(1)?);
                self.write(fd, number(2)?);
                process::exit(0);
            }
            "g" => {}
            "x" => process::exit(raw(number(0)?)),
            "k" => {
                sys::raise(raw(number(0)?));
                pause(50);
            }
            _ => return None,
        }
        Some(())
    }

    /// Writes a known stream, a letter after the other. Gives up at an error.
    fn write(&mut self, fd: usize, mut bytes: usize) {
        while bytes > 0 {
            let chunk = bytes.min(CHUNK);
            let letter = |at: usize| b'a' + u8::try_from((at + fd * 7) % 26).unwrap_or_default();
            let text: Vec<u8> = (self.written[fd]..self.written[fd] + chunk).map(letter).collect();
            if write_all(raw(fd), &text).is_err() {
                return;
            }
            self.written[fd] += chunk;
            bytes -= chunk;
        }
    }

    fn read(&mut self, fd: usize, mut bytes: usize) {
        let mut buffer = vec![0; CHUNK];
        while bytes > 0 {
            let wanted = bytes.min(CHUNK);
            let seen = match sys::read(raw(fd), &mut buffer[..wanted]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return,
                Ok(seen) => seen,
            };
            for byte in &buffer[..seen] {
                self.sum[fd] = self.sum[fd].wrapping_mul(31).wrapping_add(u64::from(*byte));
            }
            self.read[fd] += seen;
            bytes -= seen;
        }
    }
}

fn write_all(fd: i32, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match sys::write(fd, text) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(written) => text = &text[written..],
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A number of a script as the kernel takes it. They are all small.
fn raw(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(-1)
}

#[expect(clippy::disallowed_methods, reason = "this child is to be slow")]
fn pause(milliseconds: usize) {
    thread::sleep(Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()));
}

fn main() {
    // Rust's start ignores SIGPIPE.
    sys::default_broken_pipes();
    let mut child = Child::default();
    for command in env::args().skip(1) {
        if child.obey(&command).is_none() {
            eprintln!("cannot obey {command:?}");
            process::exit(99);
        }
    }
}
