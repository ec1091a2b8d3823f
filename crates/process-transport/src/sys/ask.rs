//! One call of D-Bus, by which a child asks systemd to move it to its cgroup, over a socket of its own.
#![expect(unsafe_code, reason = "system calls of a child before its exec")]

use std::ffi::{c_char, c_int};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::raw::{self, Call};

/// How long systemd may take for an answer, in seconds.
const ANSWERS_WITHIN: i32 = 5;

/// The longest message that is skipped: the largest that D-Bus allows.
const MOST_BYTES: usize = 128 << 20;

/// The beginning of the line by which a bus accepts a user. Nothing after the line may be read with it.
pub(crate) const ACCEPTED: &[u8; 3] = b"OK ";

/// The bytes of its rest: 32 digits, and the end of the line.
pub(crate) const REST_OF_ACCEPTED: usize = 34;

/// One call of D-Bus, and the socket for it. Everything is made before the clone.
#[derive(Debug)]
pub(crate) struct ManagerCall {
    address: libc::sockaddr_un,
    greeting: Vec<u8>,
    message: Vec<u8>,
}

impl ManagerCall {
    /// Prepares a call, given as a message, over this socket.
    pub(crate) fn new(socket: &Path, message: Vec<u8>) -> io::Result<Self> {
        const FAMILY: libc::sa_family_t = 1;
        const _: () = assert!(FAMILY as i32 == libc::AF_UNIX);
        let mut address = libc::sockaddr_un { sun_family: FAMILY, sun_path: [0; 108] };
        let path = socket.as_os_str().as_bytes();
        // The last byte stays zero.
        if path.len() >= address.sun_path.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (to, from) in address.sun_path.iter_mut().zip(path) {
            *to = c_char::from_ne_bytes([*from]);
        }
        Ok(Self { address, greeting: greeting(), message })
    }

    pub(crate) fn greeting(&self) -> &[u8] {
        &self.greeting
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }
}

/// Returns the lines that come first: the number of the user, in the digits of its text, and the end
/// of the greeting. systemd may forget a message that arrives together with that end, so the message
/// is sent after the answer.
fn greeting() -> Vec<u8> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let digits: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("\0AUTH EXTERNAL {digits}\r\nBEGIN\r\n").into_bytes()
}

/// Returns the length of a message, given its first 16 bytes; `None` if it is none that systemd
/// sends.
pub(crate) fn message_bytes(head: &[u8; 16]) -> Option<usize> {
    let number = |at: usize| {
        let bytes = head.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let fields = number(12)?.checked_next_multiple_of(8)?;
    let all = number(4)?.checked_add(fields)?.checked_add(head.len())?;
    (head[0] == b'l' && all <= MOST_BYTES).then_some(all)
}

/// Makes the call, and waits until it has been done. Async-signal-safe.
pub(super) fn ask(call: &ManagerCall) -> Call {
    let socket = connect(&call.address)?;
    let asked = talk(socket, call);
    raw::close(socket)?;
    asked
}

fn talk(socket: c_int, call: &ManagerCall) -> Call {
    send(socket, &call.greeting)?;
    let mut accepted = [0; ACCEPTED.len()];
    fill(socket, &mut accepted)?;
    if accepted != *ACCEPTED {
        return Err(libc::EACCES);
    }
    fill(socket, &mut [0; REST_OF_ACCEPTED])?;
    send(socket, &call.message)?;
    loop {
        let mut head = [0; 16];
        fill(socket, &mut head)?;
        let mut left = message_bytes(&head).ok_or(libc::EPROTO)? - head.len();
        while left > 0 {
            let mut skipped = [0; 256];
            let part = left.min(skipped.len());
            fill(socket, skipped.get_mut(..part).ok_or(libc::EPROTO)?)?;
            left -= part;
        }
        match head[1] {
            2 => return Ok(()),
            3 => return Err(libc::EACCES),
            _ => {} // a signal to everyone
        }
    }
}

fn fill(socket: c_int, into: &mut [u8]) -> Call {
    let mut filled = 0;
    while let Some(room) = into.get_mut(filled..).filter(|room| !room.is_empty()) {
        filled += receive(socket, room)?;
    }
    Ok(())
}

fn receive(socket: c_int, into: &mut [u8]) -> Call<usize> {
    match raw::read(socket, into) {
        Ok(0) => Err(libc::ECONNRESET),
        Err(libc::EAGAIN) => Err(libc::ETIMEDOUT),
        result => result,
    }
}

fn send(socket: c_int, bytes: &[u8]) -> Call {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        let (start, length) = (rest.as_ptr(), rest.len());
        let (flags, nobody) = (libc::MSG_NOSIGNAL, std::ptr::null::<libc::sockaddr>());
        // SAFETY: pointer and length are those of one slice, and no address is passed.
        let now =
            unsafe { libc::syscall(libc::SYS_sendto, socket, start, length, flags, nobody, 0) };
        match usize::try_from(now) {
            Ok(now) => sent += now,
            Err(_) if raw::last_errno() == libc::EAGAIN => return Err(libc::ETIMEDOUT),
            Err(_) => return Err(raw::last_errno()),
        }
    }
    Ok(())
}

fn connect(address: &libc::sockaddr_un) -> Call<c_int> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let socket = unsafe { libc::syscall(libc::SYS_socket, libc::AF_UNIX, kind, 0) };
    let Ok(socket @ 0..) = c_int::try_from(socket) else { return Err(raw::last_errno()) };
    let limit = libc::timeval { tv_sec: ANSWERS_WITHIN.into(), tv_usec: 0 };
    let (level, bytes) = (libc::SOL_SOCKET, size_of::<libc::timeval>());
    for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        let value = &raw const limit;
        // SAFETY: pointer and length are those of a local of the option's type.
        unsafe { libc::syscall(libc::SYS_setsockopt, socket, level, option, value, bytes) };
    }
    let (start, bytes) = (std::ptr::from_ref(address), size_of::<libc::sockaddr_un>());
    // SAFETY: pointer and length are those of one address, for the length of the call.
    let result = unsafe { libc::syscall(libc::SYS_connect, socket, start, bytes) };
    if result < 0 {
        let errno = raw::last_errno();
        raw::close(socket)?;
        return Err(errno);
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::message_bytes;

    #[test]
    fn a_message_has_the_length_that_its_head_says() {
        let mut head = *b"l\x02\x01\x01\x05\0\0\0\x01\0\0\0\x09\0\0\0";
        assert_eq!(message_bytes(&head), Some(16 + 16 + 5));
        head[0] = b'B';
        assert_eq!(message_bytes(&head), None);
        let endless = *b"l\x02\x01\x01\xff\xff\xff\xff\x01\0\0\0\xff\xff\xff\xff";
        assert_eq!(message_bytes(&endless), None);
    }
}
