//! Makes a child that is in a cgroup from its first instruction on: `clone3(2)` with
//! `CLONE_INTO_CGROUP`, since Linux 5.7.
//!
//! The C library has no function for that call. A child that shares its parent's memory needs a
//! stack of its own from its first instruction on, so the call and the switch to [`Entrance::enter`]
//! are a few instructions of assembly, as in the library's `clone`. On other architectures, and
//! where the kernel or a filter refuses the call, the caller makes a child that goes to the cgroup
//! itself.
#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "a system call that returns on another stack")
)]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::ffi::c_long;
use std::ffi::{c_int, c_void};
use std::os::fd::OwnedFd;

/// Where the kernel writes during a clone, according to its flags.
#[derive(Clone, Copy)]
pub(super) struct KernelWrites {
    /// Written on the parent's side.
    pub(super) parent: *mut c_int,
    /// Written on the child's side, before its first instruction.
    pub(super) child: *mut c_int,
}

/// Where the child begins.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(dead_code, reason = "only the assembly reads it")
)]
pub(super) struct Entrance {
    /// The end of its stack, which grows downwards.
    pub(super) stack: *mut c_void,
    /// Never returns.
    pub(super) enter: extern "C" fn(*mut c_void) -> c_int,
    pub(super) argument: *mut c_void,
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use by_clone3::clone;

/// Fails: this architecture has no assembly here.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn clone(_: c_int, _: &OwnedFd, _: Entrance, _: KernelWrites) -> Result<u32, i32> {
    Err(libc::ENOSYS)
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod by_clone3 {
    use std::arch::asm;
    use std::os::fd::AsRawFd;
    use std::ptr;

    use super::{Entrance, KernelWrites, OwnedFd, c_int, c_long};

    /// `CLONE_INTO_CGROUP`, above the 32 bits of the older calls.
    const INTO_CGROUP: u64 = 1 << 33;

    /// The kernel adds the size of a stack to its lowest address, and does nothing else with either.
    const STACK_BYTES: u64 = 4096;

    /// The kernel's `struct clone_args`, as of Linux 5.7.
    #[repr(C)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }

    /// Clones into the cgroup; returns in the parent only. `flags` are those of the older call, with
    /// its one cell on the parent's side for a pidfd or for the number.
    pub(in crate::sys) fn clone(
        flags: c_int,
        cgroup: &OwnedFd,
        entrance: Entrance,
        writes: KernelWrites,
    ) -> Result<u32, i32> {
        let has = |flag: c_int| flags & flag != 0;
        // The kernel writes to the cells by their addresses.
        let parent = writes.parent.expose_provenance() as u64;
        let args = CloneArgs {
            flags: u64::from(flags.cast_unsigned()) | INTO_CGROUP,
            pidfd: if has(libc::CLONE_PIDFD) { parent } else { 0 },
            child_tid: writes.child.expose_provenance() as u64,
            parent_tid: if has(libc::CLONE_PARENT_SETTID) { parent } else { 0 },
            exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
            stack: entrance.stack.addr() as u64 - STACK_BYTES,
            stack_size: STACK_BYTES,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: u64::from(cgroup.as_raw_fd().cast_unsigned()),
        };
        let result = clone3(&args, entrance);
        if result < 0 {
            return Err(i32::try_from(-result).unwrap_or(libc::EIO));
        }
        u32::try_from(result).map_err(|_| libc::EIO)
    }

    #[cfg(target_arch = "x86_64")]
    fn clone3(args: &CloneArgs, entrance: Entrance) -> c_long {
        let mut result = libc::SYS_clone3;
        // SAFETY: the arguments live for the call. The child has a stack that no other child uses
        // (`clone::clone_once`), and never comes to the end of this block, because `enter` does not
        // return; the parent comes there with its registers and its stack as they were.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp", // the outermost frame
                "mov rdi, r12",
                "call r13",
                "ud2",
                "2:",
                inlateout("rax") result,
                in("rdi") ptr::from_ref(args),
                in("rsi") size_of::<CloneArgs>(),
                in("r12") entrance.argument,
                in("r13") entrance.enter,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        result
    }

    #[cfg(target_arch = "aarch64")]
    fn clone3(args: &CloneArgs, entrance: Entrance) -> c_long {
        let result: c_long;
        // SAFETY: the arguments live for the call. The child has a stack that no other child uses
        // (`clone::clone_once`), and never comes to the end of this block, because `enter` does not
        // return; the parent comes there with its registers and its stack as they were.
        unsafe {
            asm!(
                "svc #0",
                "cbnz x0, 2f",
                "mov x29, xzr", // the outermost frame
                "mov x0, x20",
                "blr x21",
                "brk #1",
                "2:",
                in("x8") libc::SYS_clone3,
                inlateout("x0") ptr::from_ref(args) => result,
                in("x1") size_of::<CloneArgs>(),
                in("x20") entrance.argument,
                in("x21") entrance.enter,
            );
        }
        result
    }
}
