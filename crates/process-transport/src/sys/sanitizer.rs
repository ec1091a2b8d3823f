//! AddressSanitizer, in a program that is built with it.
//!
//! An instrumented function marks the borders of its variables on the stack when it begins, and removes
//! the marks when it returns. A child that shares its parent's memory never returns from its exec, so its
//! marks stay. The sanitizer would end the next child on that stack for an error that does not exist.
#![expect(unsafe_code, reason = "a function of the sanitizer's runtime, where there is one")]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::arch::asm;
use std::ffi::c_void;
use std::mem;

/// `__asan_unpoison_memory_region`.
type Unpoison = unsafe extern "C" fn(*const c_void, usize);

/// Removes the marks in this range, a stack that no process uses.
pub(super) fn forget(start: *const c_void, bytes: usize) {
    let symbol = unpoison();
    if symbol.is_null() {
        return;
    }
    // SAFETY: the linker has found the function of this name; the sanitizer's header declares it so.
    let unpoison = unsafe { mem::transmute::<*const c_void, Unpoison>(symbol) };
    // SAFETY: the runtime writes to memory of its own, which has a place for each of ours; the range
    // is a mapping of the caller's.
    unsafe { unpoison(start, bytes) };
}

/// Returns the function, if this program has it: a weak symbol that the linker does not find is null.
#[cfg(target_arch = "x86_64")]
fn unpoison() -> *const c_void {
    let symbol: *const c_void;
    // SAFETY: reads the address of a symbol from the program's table of them.
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

/// Returns the function, in the same way.
#[cfg(target_arch = "aarch64")]
fn unpoison() -> *const c_void {
    let symbol: *const c_void;
    // SAFETY: reads the address of a symbol from the program's table of them.
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

/// Returns null: procession has not been tried with the sanitizer on other processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn unpoison() -> *const c_void {
    std::ptr::null()
}
