//! A page of memory that a copy of this process shares with it. The copy sends its messages through
//! it without a system call.
//!
//! # Audit
//!
//! `mmap`: the call names no address, so it touches no mapping of ours. The page is never unmapped.
//! It starts as zeros and consists of atomics, for which zeros are valid.
#![expect(unsafe_code, reason = "memory that two processes share")]

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU8, AtomicU32};

/// The longest message, in bytes.
const LONGEST: usize = 256;

/// The shared page.
#[repr(C)]
pub(crate) struct Page {
    /// How many messages the copy has sent.
    sent: AtomicU32,
    /// How many of them were answered.
    answered: AtomicU32,
    /// The pid of the child that the message is about, or 0.
    child: AtomicU32,
    length: AtomicU32,
    text: [AtomicU8; LONGEST],
}

impl Page {
    /// Returns a new page, which lives as long as this process.
    pub(crate) fn shared() -> &'static Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: the call names no address.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Self>(), access, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        // SAFETY: the mapping has that size, is page-aligned and never unmapped, and zeros are
        // valid atomics.
        unsafe { &*start.cast::<Self>() }
    }

    /// In this process: discards the messages of the previous copy.
    pub(crate) fn clear(&self) {
        self.sent.store(0, SeqCst);
        self.answered.store(0, SeqCst);
    }

    /// In the copy: sends `text`, cut if it is too long, and waits for the answer. It makes no
    /// system call that could be refused.
    pub(crate) fn say(&self, text: &str, child: u32) {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        for (cell, byte) in self.text.iter().zip(bytes) {
            cell.store(*byte, SeqCst);
        }
        self.length.store(u32::try_from(bytes.len()).expect("it is short"), SeqCst);
        self.child.store(child, SeqCst);
        let sent = self.sent.fetch_add(1, SeqCst) + 1;
        while self.answered.load(SeqCst) < sent {
            std::thread::yield_now();
        }
    }

    /// In this process: returns the unanswered message and the child that it is about.
    pub(crate) fn heard(&self) -> Option<(String, u32)> {
        if self.sent.load(SeqCst) == self.answered.load(SeqCst) {
            return None;
        }
        let length = self.length.load(SeqCst) as usize;
        let bytes: Vec<u8> = self.text[..length].iter().map(|cell| cell.load(SeqCst)).collect();
        Some((String::from_utf8_lossy(&bytes).into_owned(), self.child.load(SeqCst)))
    }

    /// In this process: lets the copy go on.
    pub(crate) fn answer(&self) {
        self.answered.fetch_add(1, SeqCst);
    }
}
