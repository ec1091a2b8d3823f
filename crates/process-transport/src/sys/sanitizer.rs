//! Removes AddressSanitizer's marks from the stack of a child, in a program that is built with it.
//!
//! An instrumented function marks the borders of its variables on the stack when it begins, and removes
//! the marks when it returns. A child that shares its parent's memory never returns from its exec, so its
//! marks stay. The sanitizer would end the next child on that stack for an error that does not exist.
#![expect(unsafe_code, reason = "calls the sanitizer's runtime, if there is one")]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::arch::asm;
use std::ffi::c_void;
use std::mem;

/// `__asan_unpoison_memory_region`.
type Unpoison = unsafe extern "C" fn(*const c_void, usize);

/// Removes the marks in this range, which is a stack that no process uses.
pub(super) fn forget(start: *const c_void, bytes: usize) {
    let symbol = unpoison();
    if symbol.is_null() {
        return;
    }
    // SAFETY: the linker found the function of this name; the sanitizer's header has this declaration.
    let unpoison = unsafe { mem::transmute::<*const c_void, Unpoison>(symbol) };
    // SAFETY: the runtime writes only to its own memory, which has a byte for every eight bytes of the
    // program; the range is a mapping of the caller.
    unsafe { unpoison(start, bytes) };
}

/// Returns the address of the function, or null if this program does not have it: a weak symbol that the
/// linker does not find is null.
#[cfg(target_arch = "x86_64")]
fn unpoison() -> *const c_void {
    let symbol: *const c_void;
    // SAFETY: reads a symbol's address from the program's global offset table.
    unsafe {
        asm!(
            ".weak __asan_unpoison_memory_region",
            "mov {symbol}, qword ptr [rip + __asan_unpoison_memory_region@GOTPCREL]",
            symbol = out(reg) symbol,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    symbol
}

/// Returns the address of the function or null, in the same way.
#[cfg(target_arch = "aarch64")]
fn unpoison() -> *const c_void {
    let symbol: *const c_void;
    // SAFETY: reads a symbol's address from the program's global offset table.
    unsafe {
        asm!(
            ".weak __asan_unpoison_memory_region",
            "adrp {symbol}, :got:__asan_unpoison_memory_region",
            "ldr {symbol}, [{symbol}, :got_lo12:__asan_unpoison_memory_region]",
            symbol = out(reg) symbol,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    symbol
}

/// Returns null: the sanitizer was not tried on other processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn unpoison() -> *const c_void {
    std::ptr::null()
}
