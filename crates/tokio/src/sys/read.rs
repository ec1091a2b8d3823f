//! A read into memory that is not initialised.
#![expect(unsafe_code, reason = "each block says what it relies on")]

use std::io;
use std::os::fd::AsFd;

use tokio::io::ReadBuf;

/// Reads once (`read(2)`), and returns the number of bytes.
pub(crate) fn read(fd: impl AsFd, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
    let fd = fd.as_fd();
    // SAFETY: the slice is only passed to `read`, which never makes a byte of it uninitialised.
    let unfilled = unsafe { buffer.unfilled_mut() };
    let bytes = rustix::io::retry_on_intr(|| {
        rustix::io::read(fd, &mut *unfilled).map(|(read, _)| read.len())
    })?;
    // SAFETY: `read` returned these first bytes of the unfilled part as initialised.
    unsafe { buffer.assume_init(bytes) };
    buffer.advance(bytes);
    Ok(bytes)
}
