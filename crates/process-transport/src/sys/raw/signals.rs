//! The dispositions and the mask of signals.
#![expect(unsafe_code, reason = "system calls of a child before its exec")]

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use std::arch::asm;
use std::ffi::c_int;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use std::ffi::c_long;
use std::ptr;

use super::call::{Call, check};

/// The size of the kernel's signal set, in bytes.
const SIGSET_BYTES: usize = 8;

/// Large enough for the kernel's `struct sigaction` of every architecture; all zeros is the default
/// action.
type KernelSigaction = [usize; 8];

/// Sets a disposition to the default.
pub(in crate::sys) fn set_default(signal: c_int) -> Call {
    const DEFAULT: KernelSigaction = [0; 8];
    // SAFETY: the new action is a constant that is large enough; the old one is not asked for.
    unsafe { sigaction(signal, DEFAULT.as_ptr(), ptr::null_mut()) }
}

/// Returns whether a handler is installed: neither the default nor ignored.
pub(in crate::sys) fn is_caught(signal: c_int) -> bool {
    disposition(signal).is_some_and(|handler| handler > libc::SIG_IGN)
}

/// Returns whether the signal is ignored.
pub(in crate::sys) fn is_ignored(signal: c_int) -> bool {
    disposition(signal) == Some(libc::SIG_IGN)
}

/// Returns the address of the handler, or the constant for the default or for ignored.
fn disposition(signal: c_int) -> Option<usize> {
    let mut old: KernelSigaction = [0; 8];
    // SAFETY: the old action is written to a local that is large enough; none is set.
    unsafe { sigaction(signal, ptr::null(), old.as_mut_ptr()) }.ok()?;
    Some(old[0])
}

/// `rt_sigaction(2)`. A child makes this call 62 times, and a function that returns right after a system
/// call may cost a quarter of it. So on x86-64 the instruction stands in the caller.
///
/// # Safety
///
/// Both pointers are null, or lead to a [`KernelSigaction`], which for `new` is a default action.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[inline(always)]
unsafe fn sigaction(signal: c_int, new: *const usize, old: *mut usize) -> Call {
    let result: c_long;
    // SAFETY: the pointers are as the caller promises. The instruction changes two registers and no stack.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") libc::SYS_rt_sigaction => result,
            in("rdi") signal,
            in("rsi") new,
            in("rdx") old,
            in("r10") SIGSET_BYTES,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    if result < 0 { Err(i32::try_from(-result).unwrap_or(libc::EIO)) } else { Ok(()) }
}

/// `rt_sigaction(2)`.
///
/// # Safety
///
/// As on x86-64.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
unsafe fn sigaction(signal: c_int, new: *const usize, old: *mut usize) -> Call {
    // SAFETY: the pointers are as the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, SIGSET_BYTES) };
    check(result).map(drop)
}

extern "C" fn nothing(_: c_int) {}

/// Installs a handler that does nothing.
///
/// It uses the C library's call: on some architectures the kernel needs the library's return
/// trampoline.
pub(in crate::sys) fn set_no_op(signal: c_int) {
    let handler: extern "C" fn(c_int) = nothing;
    // SAFETY: all zeros is a valid `sigaction`: the default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // SAFETY: `action` is initialised, and its handler touches nothing. The call is
    // async-signal-safe (POSIX.1-2024, 2.4.3).
    let _result = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

/// Sets the signal mask and returns the previous one; one bit for each signal, bit 0 for signal 1.
pub(in crate::sys) fn set_mask(mask: u64) -> Call<u64> {
    let mut old = 0_u64;
    // SAFETY: both pointers lead to locals of the size that is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut old,
            SIGSET_BYTES,
        )
    })?;
    Ok(old)
}

/// Returns the signal mask, as for [`set_mask`].
#[cfg(feature = "reactor")]
pub(in crate::sys) fn mask() -> Call<u64> {
    let (mut now, new) = (0_u64, ptr::null::<u64>());
    // SAFETY: no new mask is set; the other pointer leads to a local of the size that is passed.
    check(unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, new, &raw mut now, SIGSET_BYTES)
    })?;
    Ok(now)
}
