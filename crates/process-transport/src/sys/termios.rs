//! Terminal attributes, as plain data.
#![expect(unsafe_code, reason = "terminal attributes with free speeds")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use procession_protocol::Termios;

use super::raw;

/// Set in the control modes if the speeds are numbers instead of codes.
const SPEED_IS_A_NUMBER: u32 = libc::BOTHER;

/// The value of a special character that is disabled.
#[cfg(feature = "reactor")]
const DISABLED: u8 = libc::_POSIX_VDISABLE;

fn get(fd: BorrowedFd<'_>) -> io::Result<libc::termios2> {
    // SAFETY: all zeros is a valid `termios2`.
    let mut settings: libc::termios2 = unsafe { std::mem::zeroed() };
    // SAFETY: TCGETS2 writes one `termios2`, to a local.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCGETS2, &raw mut settings) };
    if result == 0 {
        return Ok(settings);
    }
    let error = last_error();
    if !is_unknown(&error) {
        return Err(error);
    }
    // SAFETY: TCGETS writes one `termios` of the kernel, which is the beginning of a `termios2`.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCGETS, &raw mut settings) };
    if result == 0 { Ok(settings) } else { Err(last_error()) }
}

/// Returns whether the calls with free speeds are missing: qemu's user mode has only the older ones,
/// and says so by either error. The second is also that of a descriptor that is no terminal.
fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::ENOTTY))
}

fn last_error() -> io::Error {
    io::Error::from_raw_os_error(raw::last_errno())
}

/// Returns the attributes of the terminal on `fd`.
pub(crate) fn termios(fd: BorrowedFd<'_>) -> io::Result<Termios> {
    let settings = get(fd)?;
    let mut plain = Termios::default();
    plain.input_flags = settings.c_iflag;
    plain.output_flags = settings.c_oflag;
    plain.control_flags = settings.c_cflag;
    plain.local_flags = settings.c_lflag;
    plain.input_speed = settings.c_ispeed;
    plain.output_speed = settings.c_ospeed;
    for (to, from) in plain.control_chars.iter_mut().zip(settings.c_cc) {
        *to = from;
    }
    Ok(plain)
}

/// Changes the attributes of the terminal on `fd`, at once.
pub(crate) fn set_termios(fd: BorrowedFd<'_>, plain: &Termios) -> io::Result<()> {
    let mut settings = get(fd)?;
    settings.c_iflag = plain.input_flags;
    settings.c_oflag = plain.output_flags;
    settings.c_cflag = plain.control_flags;
    settings.c_lflag = plain.local_flags;
    let speeds = (plain.input_speed, plain.output_speed);
    let has_new_speeds = speeds != (0, 0) && speeds != (settings.c_ispeed, settings.c_ospeed);
    if has_new_speeds {
        // Each speed has its own bits; without the input's bits, the output's speed would count for
        // both.
        let both = |bits: u32| bits | bits << libc::IBSHIFT;
        settings.c_cflag = settings.c_cflag & !both(libc::CBAUD) | both(SPEED_IS_A_NUMBER);
        (settings.c_ispeed, settings.c_ospeed) = speeds;
    }
    for (to, from) in settings.c_cc.iter_mut().zip(plain.control_chars) {
        *to = from;
    }
    // SAFETY: TCSETS2 reads one `termios2`, from a local.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCSETS2, &raw const settings) };
    if result == 0 {
        return Ok(());
    }
    let error = last_error();
    if has_new_speeds || !is_unknown(&error) {
        return Err(error);
    }
    // SAFETY: TCSETS reads one `termios` of the kernel, the beginning of a `termios2`, from a local.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCSETS, &raw const settings) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Returns the end-of-file character, as a byte of input; `InvalidInput` if it is disabled.
#[cfg(feature = "reactor")]
pub(crate) fn eof_char(fd: BorrowedFd<'_>) -> io::Result<u8> {
    match get(fd)?.c_cc[libc::VEOF] {
        DISABLED => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        eof => Ok(eof),
    }
}
