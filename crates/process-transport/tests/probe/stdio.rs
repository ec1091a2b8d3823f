//! The probe's dialogues over its descriptors.

use std::os::unix::ffi::OsStrExt;

use crate::sys;

/// Writes all of `data` to descriptor `number`. A failure ends the probe with 71.
pub(crate) fn print(number: i32, mut data: &[u8]) {
    while !data.is_empty() {
        match rustix::io::write(sys::fd(number), data) {
            Ok(count) => data = &data[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => sys::exit(71),
        }
    }
}

/// Reads once, at most `count` bytes.
fn read(number: i32, count: usize) -> Vec<u8> {
    let mut buffer = vec![0; count];
    loop {
        match rustix::io::read(sys::fd(number), &mut buffer[..]) {
            Ok(count) => {
                buffer.truncate(count);
                return buffer;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => sys::exit(72),
        }
    }
}

/// Reads exactly `count` bytes, or fewer at the end of the stream.
fn read_exactly(number: i32, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let part = read(number, (count - all.len()).min(65_536));
        if part.is_empty() {
            break;
        }
        all.extend(part);
    }
    all
}

/// Reads to the end of the stream.
fn read_to_end(number: i32) -> Vec<u8> {
    read_exactly(number, usize::MAX)
}

/// Ends the probe with `code` unless the bytes are the expected ones.
fn expect(found: &[u8], wanted: &[u8], code: i32) {
    if found != wanted {
        sys::exit(code);
    }
}

/// The child of case FD-02: two writers, two readers and a status line.
pub(crate) fn fd02() -> i32 {
    expect(&read_exactly(0, 4), b"abcd", 1);
    print(1, b"righto");
    expect(&read_exactly(3, 4), b"efgh", 2);
    sys::close(4);
    expect(&read_to_end(5), b"", 3);
    print(1, b"closed");
    0
}

/// The child of case FD-03, with standard input and output swapped.
pub(crate) fn reversed() -> i32 {
    let mut data = read(1, 100);
    data.push(b'!');
    print(0, &data);
    0
}

/// The child of case IO-20. It closes its outputs one after the other.
pub(crate) fn stages() -> i32 {
    let data = read_exactly(0, 4);
    print(1, &data);
    sys::close(1);
    let data = read_exactly(0, 4);
    print(2, &data);
    sys::close(2);
    expect(&read_exactly(0, 4), b"abcd", 3);
    23
}

/// Prints its arguments unchanged, joined by `|`.
pub(crate) fn args(args: &[&[u8]]) -> i32 {
    print(1, &args.join(&b'|'));
    0
}

/// Prints its environment unchanged, sorted by name and joined by `|`.
pub(crate) fn env() -> i32 {
    let mut all: Vec<_> = std::env::vars_os().collect();
    all.sort();
    let entry = |(key, value): &(std::ffi::OsString, std::ffi::OsString)| {
        [key.as_bytes(), b"=", value.as_bytes()].concat()
    };
    let entries: Vec<Vec<u8>> = all.iter().map(entry).collect();
    print(1, &entries.join(&b'|'));
    0
}

/// Prints how many bytes it read from standard input.
pub(crate) fn length() -> i32 {
    let length = read_to_end(0).len();
    print(1, format!("{length}\n").as_bytes());
    0
}

/// Writes `count` blocks of `size` letters x to standard output.
pub(crate) fn blocks(count: i32, size: i32) -> i32 {
    let block = vec![b'x'; usize::try_from(size).expect("a size")];
    for _ in 0..count {
        print(1, &block);
    }
    0
}
