//! The code that runs inside signal handlers, and the present dispositions of signals.
#![expect(unsafe_code, reason = "signal handlers and dispositions have no safe interface")]

use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use rustix::time::{ClockId, clock_gettime};
use signal_hook::SigId;
use signal_hook::low_level;

use super::main_thread;
use crate::wake::WakeFd;

/// The catchable signals whose default action is to stop a process.
const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// What the kernel does with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignore,
    Handler,
}

/// The hooks of an upper layer around signals that end or pause the whole program.
///
/// A signal that was watched once keeps its handler. While nobody watches the signal, the handler
/// emulates the default action. [`before_default`](Self::before_default) is called before that
/// action ends the program.
///
/// A layer may install its own handler over the default action. [`handler`](Self::handler) returns
/// its address, and the reactor treats it as the default action.
///
/// # Safety
///
/// [`before_default`](Self::before_default) is called in a signal handler, on any thread, between
/// any two instructions of the program. It must make async-signal-safe calls only, and must not
/// panic.
pub unsafe trait ProgramHooks {
    /// Returns the address of the handler that stands for the default action.
    fn handler() -> usize;

    /// Called before the default action of the signal.
    fn before_default(signal: i32);

    /// Called when a signal has stopped a run, so the program is going to end. A later signal that
    /// acts by default counts as a further one. Not called in a signal handler.
    fn run_stopped();

    /// Called before a run stops the program because of SIGTSTP, until it is continued. The main
    /// thread's loop calls it, not a signal handler.
    fn before_pause();

    /// Called when the program was continued after the pause.
    fn after_pause();
}

/// The registered implementation.
#[derive(Clone, Copy)]
struct HookTable {
    handler: usize,
    before_default: fn(i32),
    run_stopped: fn(),
    before_pause: fn(),
    after_pause: fn(),
}

static HOOKS: OnceLock<HookTable> = OnceLock::new();

/// Registers an implementation. The first one stays.
pub(crate) fn set_program_hooks<H: ProgramHooks>() {
    let hooks = HookTable {
        handler: H::handler(),
        before_default: H::before_default,
        run_stopped: H::run_stopped,
        before_pause: H::before_pause,
        after_pause: H::after_pause,
    };
    HOOKS.set(hooks).ok(); // the first one stays
}

/// Tells the implementation, if there is one, that a signal has stopped a run.
pub(crate) fn run_was_stopped() {
    if let Some(hooks) = HOOKS.get() {
        (hooks.run_stopped)();
    }
}

/// Calls `pause` between the hooks `before_pause` and `after_pause`.
pub(crate) fn around_pause(pause: impl FnOnce()) {
    let hooks = HOOKS.get();
    if let Some(hooks) = hooks {
        (hooks.before_pause)();
    }
    pause();
    if let Some(hooks) = hooks {
        (hooks.after_pause)();
    }
}

/// Returns the present disposition of a signal, for the whole process.
pub(crate) fn disposition(signal: i32) -> io::Result<Disposition> {
    let mut found = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action changes nothing; the pointer to the old one is valid for the call.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written the old action.
    let found = unsafe { found.assume_init() };
    Ok(match found.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignore,
        handler if HOOKS.get().is_some_and(|hooks| hooks.handler == handler) => {
            Disposition::Default
        }
        _ => Disposition::Handler,
    })
}

/// Sets both flags and wakes the loop whenever the signal is delivered, until unregistered.
pub(crate) fn watch(
    signal: i32,
    delivered: Arc<AtomicBool>,
    any: Arc<AtomicBool>,
    wake: Arc<WakeFd>,
) -> io::Result<SigId> {
    let action = move || {
        delivered.store(true, SeqCst);
        any.store(true, SeqCst);
        wake.wake();
    };
    // SAFETY: the action stores to atomics and calls write(2): async-signal-safe, no panic.
    unsafe { low_level::register(signal, action) }
}

/// Has the signal act by default whenever it is delivered while `unwatched` is true.
pub(crate) fn emulate(signal: i32, unwatched: Arc<AtomicBool>) -> io::Result<SigId> {
    let action = move || {
        if unwatched.load(SeqCst) {
            act_by_default(signal);
        }
    };
    // SAFETY: the action reads atomics (it reads a `OnceLock` without a lock) and calls
    // `act_by_default`, which is async-signal-safe, as its page says.
    unsafe { low_level::register(signal, action) }
}

/// When the first of the signals that stop a run arrived.
#[derive(Debug, Default)]
pub(crate) struct FirstSignal {
    /// Milliseconds of the monotonic clock. 0 if none has arrived.
    at_ms: AtomicU64,
}

impl FirstSignal {
    /// Notes a signal. Returns whether it is a further one and not an echo of the first.
    /// Async-signal-safe.
    fn is_further(&self) -> bool {
        let now = clock_gettime(ClockId::Monotonic);
        let now = now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000;
        let before = self.at_ms.compare_exchange(0, now.max(1), SeqCst, SeqCst);
        before.is_err_and(|first| now.saturating_sub(first) >= ECHO_MS)
    }
}

/// A signal within this many milliseconds after the first is an echo of it. A held key, or a shell
/// and the kernel together, send such echoes.
const ECHO_MS: u64 = 300;

/// Gives a further signal its default action while the loop has not reported the first. Ends on
/// drop.
#[derive(Debug)]
pub(crate) struct FurtherSignal(SigId);

impl FurtherSignal {
    /// Notes the signal, and acts by default if it is a further one and `acts` is true. While the
    /// program itself watches the signal (`own` counts these watches), the signal does not stop a
    /// run for good, so it does not count.
    pub(crate) fn begin(
        signal: i32,
        first: Arc<FirstSignal>,
        acts: bool,
        own: Arc<AtomicUsize>,
    ) -> io::Result<Self> {
        let action = move || {
            if own.load(SeqCst) == 0 && first.is_further() && acts {
                act_by_default(signal);
            }
        };
        // SAFETY: the action reads atomics and the clock, and calls `act_by_default`, which is
        // async-signal-safe, as its page says.
        unsafe { low_level::register(signal, action) }.map(Self)
    }
}

impl Drop for FurtherSignal {
    fn drop(&mut self) {
        low_level::unregister(self.0);
    }
}

/// Performs the signal's default action. It may return, because not every signal ends a process. It
/// is called in signal handlers and makes async-signal-safe calls only, which the contract of
/// [`ProgramHooks`] also requires.
///
/// It does nothing in the first process of a PID namespace, which the default action would not end.
pub(crate) fn act_by_default(signal: i32) {
    if main_thread::is_first_process() {
        return;
    }
    if STOPS.contains(&signal) {
        return stop_by(signal);
    }
    if let Some(hooks) = HOOKS.get() {
        (hooks.before_default)(signal);
    }
    // signal-hook's table has no realtime signals, whose default action is to terminate.
    if low_level::emulate_default_handler(signal).is_err() {
        terminate_by(signal);
    }
}

/// Stops this process by the default action of a signal, and returns when it is continued. It
/// returns at once if the kernel does not stop the process because its process group is orphaned:
/// nobody would continue it. SIGSTOP would stop it even then. It is called in signal handlers too.
pub(crate) fn stop_by(signal: i32) {
    // SAFETY: all zeros is a valid `sigaction`: the default action, without flags and mask.
    let default: libc::sigaction = unsafe { mem::zeroed() };
    let Ok(before) = set_action(signal, &default) else { return };
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::sigemptyset(signals.as_mut_ptr()) };
    // SAFETY: as above. The set is initialised, and the signal exists.
    unsafe { libc::sigaddset(signals.as_mut_ptr(), signal) };
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    let (how, set) = (libc::SIG_UNBLOCK, signals.as_ptr());
    // SAFETY: the set is initialised, and the old mask goes to a local.
    let unblocked = unsafe { libc::pthread_sigmask(how, set, mask.as_mut_ptr()) };
    // It fails only for a signal that does not exist.
    low_level::raise(signal).ok();
    if unblocked == 0 {
        // SAFETY: the call succeeded, so it has written the old mask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), ptr::null_mut()) };
    }
    // Keep an action that another thread has installed meanwhile.
    if let Ok(found) = set_action(signal, &before)
        && found.sa_sigaction != libc::SIG_DFL
    {
        set_action(signal, &found).ok(); // as above
    }
}

/// Sets the action of a signal and returns the previous one.
fn set_action(signal: i32, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the new action is complete: the default, or one that was installed before.
    let answer = unsafe { libc::sigaction(signal, action, before.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written the old action.
    Ok(unsafe { before.assume_init() })
}

/// Restores the default disposition and raises the signal, which is delivered when the handler
/// returns.
fn terminate_by(signal: i32) {
    // SAFETY: SIG_DFL is a valid disposition of any signal that has a handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // It fails only for a signal that does not exist, and this one was delivered.
    low_level::raise(signal).ok();
}
