//! System call filters for this thread and the children that it starts.
#![allow(dead_code, reason = "every test crate has all of this file and uses its own part")]

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use crate::util::skip;

/// What the kernel calls the processors (`linux/audit.h`).
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARCH_ARM: u32 = 0x4000_0028;

/// Results of a filter (`linux/seccomp.h`).
const SECCOMP_RET_KILL_PROCESS: u32 = 0x8000_0000;
const SECCOMP_RET_ALLOW: u32 = 0x7fff_0000;

/// The calls that a filter selects: all, or those with a certain argument.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Calls {
    /// All calls, whatever the arguments.
    All,
    /// Calls with `flag` set in argument `index`.
    With {
        /// Counted from 0.
        index: u8,
        /// One bit.
        flag: u64,
    },
    /// Calls whose argument `index`, a number of 32 bits, is `value`.
    Is {
        /// Counted from 0.
        index: u8,
        /// A negative value as its two's complement.
        value: u32,
    },
    /// Calls whose argument `index`, an address, is not null.
    Given {
        /// Counted from 0.
        index: u8,
    },
}

/// From now on, these calls do nothing and fail with `errno`. With 0 they pretend success.
pub(crate) fn answer(call: impl Into<i64>, calls: Calls, errno: i32) {
    install(call, calls, SeccompAction::Errno(errno.cast_unsigned()));
}

/// Returns whether a filter that kills a child before its exec spares the parent; skips the test if
/// not. SIGSYS dumps core, and before Linux 5.16 a core dump ends all processes that share memory.
pub(crate) fn kills_spare_the_parent_or_skip(what: &str) -> bool {
    let is_spared = procession_test_support::core_dumps_end_one_process();
    if !is_spared {
        skip(what, "before Linux 5.16, a filter that kills a child ends its parent too");
    }
    is_spared
}

/// From now on, SIGSYS ends a process that makes such a call.
pub(crate) fn kill(call: impl Into<i64>) {
    kill_where(call, Calls::All);
}

/// The same, for these calls alone.
pub(crate) fn kill_where(call: impl Into<i64>, calls: Calls) {
    install(call, calls, SeccompAction::KillProcess);
}

fn install(call: impl Into<i64>, calls: Calls, action: SeccompAction) {
    let call = call.into();
    if let Some((other, calls)) = also_made_by(call) {
        install_one(other, calls, action.clone());
    }
    install_one(call, calls, action);
}

/// Returns the call by which 32-bit x86 also makes this call of a socket, and its argument.
#[cfg(target_arch = "x86")]
fn also_made_by(call: i64) -> Option<(i64, Calls)> {
    let numbers = [(libc::SYS_socketpair, 8), (libc::SYS_sendmsg, 16), (libc::SYS_recvmsg, 17)];
    let (_, value) = numbers.into_iter().find(|(number, _)| i64::from(*number) == call)?;
    Some((libc::SYS_socketcall.into(), Calls::Is { index: 0, value }))
}

/// Other processors have one call for each purpose.
#[cfg(not(target_arch = "x86"))]
fn also_made_by(_call: i64) -> Option<(i64, Calls)> {
    None
}

fn install_one(call: i64, calls: Calls, action: SeccompAction) {
    let conditions = match calls {
        Calls::All => Vec::new(),
        Calls::With { index, flag } => {
            vec![condition(index, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)]
        }
        Calls::Is { index, value } => {
            vec![condition(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.into())]
        }
        Calls::Given { index } => {
            vec![condition(index, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)]
        }
    };
    let rules = match conditions.is_empty() {
        true => Vec::new(),
        false => vec![SeccompRule::new(conditions).expect("a rule")],
    };
    // The library knows no 32-bit processor. The arguments of its calls fill 64 bits with zeros.
    let (arch, native) = match std::env::consts::ARCH {
        "x86" => ("x86_64", Some((AUDIT_ARCH_X86_64, AUDIT_ARCH_I386))),
        "arm" => ("aarch64", Some((AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM))),
        arch => (arch, None),
    };
    let arch = arch.try_into().expect("a known architecture");
    let rules = BTreeMap::from([(call, rules)]);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).expect("a filter");
    let mut program: BpfProgram = filter.try_into().expect("a program");
    if let Some((foreign, own)) = native {
        // A program begins so: load the processor; skip one step if it is ours; end the process.
        assert_eq!((program[1].k, program[2].k), (foreign, SECCOMP_RET_KILL_PROCESS));
        program[1].k = own;
        // The programs that a 32-bit test starts may have 64 bits: they run as without a filter.
        program[2].k = SECCOMP_RET_ALLOW;
    }
    apply_filter(&program).expect("the kernel takes it");
}

fn condition(index: u8, of: SeccompCmpArgLen, how: SeccompCmpOp, value: u64) -> SeccompCondition {
    SeccompCondition::new(index, of, how, value).expect("a condition")
}
