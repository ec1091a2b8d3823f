//! Terminal attributes, as plain data, on systems other than Linux.
#![expect(unsafe_code, reason = "terminal attributes")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use procession_protocol::Termios;

use super::raw;

fn last_error() -> io::Error {
    io::Error::from_raw_os_error(raw::last_errno())
}

fn get(fd: BorrowedFd<'_>) -> io::Result<libc::termios> {
    // SAFETY: all zeros is a valid `termios`.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::tcgetattr(fd.as_raw_fd(), &raw mut settings) };
    if result == 0 { Ok(settings) } else { Err(last_error()) }
}

/// Converts flags of 32 bits, which have a 64-bit type on Apple's systems.
fn plain_flags(flags: libc::tcflag_t) -> u32 {
    u32::try_from(u64::from(flags) & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// Returns the attributes of the terminal on `fd`.
pub(crate) fn termios(fd: BorrowedFd<'_>) -> io::Result<Termios> {
    let settings = get(fd)?;
    let mut plain = Termios::default();
    plain.input_flags = plain_flags(settings.c_iflag);
    plain.output_flags = plain_flags(settings.c_oflag);
    plain.control_flags = plain_flags(settings.c_cflag);
    plain.local_flags = plain_flags(settings.c_lflag);
    // SAFETY: the pointer leads to a local.
    let input = unsafe { libc::cfgetispeed(&raw const settings) };
    // SAFETY: as above.
    let output = unsafe { libc::cfgetospeed(&raw const settings) };
    // On these systems a speed code is the speed itself.
    plain.input_speed = u32::try_from(input).unwrap_or(0);
    plain.output_speed = u32::try_from(output).unwrap_or(0);
    for (to, from) in plain.control_chars.iter_mut().zip(settings.c_cc) {
        *to = from;
    }
    Ok(plain)
}

/// Changes the attributes of the terminal on `fd`, at once.
pub(crate) fn set_termios(fd: BorrowedFd<'_>, plain: &Termios) -> io::Result<()> {
    let mut settings = get(fd)?;
    settings.c_iflag = plain.input_flags.into();
    settings.c_oflag = plain.output_flags.into();
    settings.c_cflag = plain.control_flags.into();
    settings.c_lflag = plain.local_flags.into();
    for (to, from) in settings.c_cc.iter_mut().zip(plain.control_chars) {
        *to = from;
    }
    if plain.input_speed != 0 {
        // SAFETY: the pointer leads to a local.
        let _set = unsafe { libc::cfsetispeed(&raw mut settings, plain.input_speed.into()) };
    }
    if plain.output_speed != 0 {
        // SAFETY: as above.
        let _set = unsafe { libc::cfsetospeed(&raw mut settings, plain.output_speed.into()) };
    }
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::tcsetattr(fd.as_raw_fd(), libc::TCSANOW, &raw const settings) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Returns the end-of-file character, as a byte of input.
#[cfg(feature = "reactor")]
pub(crate) fn eof_char(fd: BorrowedFd<'_>) -> io::Result<u8> {
    Ok(get(fd)?.c_cc[libc::VEOF])
}
