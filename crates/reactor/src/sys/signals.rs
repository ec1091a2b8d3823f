//! What runs inside signal handlers, and what a signal does at present.
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

/// The signals that stop a process by default, and can be caught.
const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// What the kernel does with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignore,
    Handler,
}

/// What an upper layer does around the ends and the pauses that signals bring to the whole program.
///
/// A signal that was watched once keeps its handler, which emulates the default action while nobody
/// watches it. [`before_default`](Self::before_default) is called before that ends the program.
///
/// A layer that has a handler of its own over the default action names it: to the reactor it stands
/// for that action.
///
/// # Safety
///
/// [`before_default`](Self::before_default) is called in a signal handler, on any thread, between any
/// two instructions of the program: it makes async-signal-safe calls only, and does not panic.
pub unsafe trait ProgramHooks {
    /// Returns the address of the handler that stands for the default action.
    fn handler() -> usize;

    /// Does what is to be done before the default action of the signal.
    fn before_default(signal: i32);

    /// A signal has stopped a run, whose program is going to end: another one, whose default action
    /// comes, is a further one. Not called in a signal handler.
    fn run_stopped();

    /// A run is about to stop the program because of SIGTSTP, until it is continued. Called by the loop
    /// of the main thread, and not in a signal handler.
    fn before_pause();

    /// The program goes on after that.
    fn after_pause();
}

/// The implementation that was registered.
#[derive(Clone, Copy)]
struct HookTable {
    handler: usize,
    before_default: fn(i32),
    run_stopped: fn(),
    before_pause: fn(),
    after_pause: fn(),
}

static HOOKS: OnceLock<HookTable> = OnceLock::new();

/// Registers an implementation; the first one stays.
pub(crate) fn set_program_hooks<H: ProgramHooks>() {
    let hooks = HookTable {
        handler: H::handler(),
        before_default: H::before_default,
        run_stopped: H::run_stopped,
        before_pause: H::before_pause,
        after_pause: H::after_pause,
    };
    HOOKS.set(hooks).ok(); // it is there
}

/// Tells the implementation, if there is one, that a signal has stopped a run.
pub(crate) fn run_was_stopped() {
    if let Some(hooks) = HOOKS.get() {
        (hooks.run_stopped)();
    }
}

/// Calls `pause` between what is to be done before the program stops and after it was continued.
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

/// The present disposition of a signal, for the whole process.
pub(crate) fn disposition(signal: i32) -> io::Result<Disposition> {
    let mut found = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action asks only; the pointer to the old one is valid for the call.
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

/// Does what the default action of the signal is, whenever it is delivered while `unwatched`.
pub(crate) fn emulate(signal: i32, unwatched: Arc<AtomicBool>) -> io::Result<SigId> {
    let action = move || {
        if unwatched.load(SeqCst) {
            act_by_default(signal);
        }
    };
    // SAFETY: the action reads atomics (a `OnceLock` is read without a lock) and does what is
    // async-signal-safe, as its page says.
    unsafe { low_level::register(signal, action) }
}

/// When the first of the signals that stop a run has come.
#[derive(Debug, Default)]
pub(crate) struct FirstSignal {
    /// Milliseconds of the monotonic clock; 0: none has come.
    at_ms: AtomicU64,
}

impl FirstSignal {
    /// One comes: whether it is a further one, and no echo of the first. Async-signal-safe.
    fn is_further(&self) -> bool {
        let now = clock_gettime(ClockId::Monotonic);
        let now = now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000;
        let before = self.at_ms.compare_exchange(0, now.max(1), SeqCst, SeqCst);
        before.is_err_and(|first| now.saturating_sub(first) >= ECHO_MS)
    }
}

/// A signal within this time after the first is an echo of it, in milliseconds: a key that is held, or
/// a shell and the kernel that both tell of one thing.
const ECHO_MS: u64 = 300;

/// What does by default what a further signal is to do, while the first has not been told; over when
/// it is dropped.
#[derive(Debug)]
pub(crate) struct FurtherSignal(SigId);

impl FurtherSignal {
    /// Notes the signal, and acts by default where it is a further one that `acts`. One that an `own`
    /// watch of the program is told of is none that stops a run for good, and does not count.
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
        // SAFETY: the action reads atomics and the clock, and does what is async-signal-safe, as its
        // page says.
        unsafe { low_level::register(signal, action) }.map(Self)
    }
}

impl Drop for FurtherSignal {
    fn drop(&mut self) {
        low_level::unregister(self.0);
    }
}

/// Does what the signal does to a program that never asked for it. It may return: not every signal
/// ends a process. It is called in signal handlers, and calls what is async-signal-safe only, by the
/// contract of [`ProgramHooks`] too.
///
/// The first process of a PID namespace is not ended by signals whose default action would do so.
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
    // signal-hook's table has no realtime signals; the default action of these is to terminate.
    if low_level::emulate_default_handler(signal).is_err() {
        terminate_by(signal);
    }
}

/// Stops this process by the default action of a signal, and returns when it goes on: at once where a
/// process of its group would not be stopped, because nobody is there to continue it. SIGSTOP would
/// not make that difference. It is called in signal handlers too.
pub(crate) fn stop_by(signal: i32) {
    // SAFETY: all zeros is a valid `sigaction`: the default, without flags and mask.
    let default: libc::sigaction = unsafe { mem::zeroed() };
    let Ok(before) = set_action(signal, &default) else { return };
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::sigemptyset(signals.as_mut_ptr()) };
    // SAFETY: as above; the set was made, and the signal exists.
    unsafe { libc::sigaddset(signals.as_mut_ptr(), signal) };
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    let (how, set) = (libc::SIG_UNBLOCK, signals.as_ptr());
    // SAFETY: the set is whole; the old mask goes to a local.
    let unblocked = unsafe { libc::pthread_sigmask(how, set, mask.as_mut_ptr()) };
    // Fails for a signal that does not exist only.
    low_level::raise(signal).ok();
    if unblocked == 0 {
        // SAFETY: the call succeeded, so it has written the old mask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), ptr::null_mut()) };
    }
    // What another thread has put there meanwhile stays.
    if let Ok(found) = set_action(signal, &before)
        && found.sa_sigaction != libc::SIG_DFL
    {
        set_action(signal, &found).ok(); // as above
    }
}

/// Gives a signal an action, and returns the one before.
fn set_action(signal: i32, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the new action is a whole one: the default, or one that was there before.
    let answer = unsafe { libc::sigaction(signal, action, before.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written the old action.
    Ok(unsafe { before.assume_init() })
}

/// Puts the default disposition back and raises: delivered when the handler returns.
fn terminate_by(signal: i32) {
    // SAFETY: SIG_DFL is a valid disposition of any signal that has a handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // Fails for a signal that does not exist only, and this one was delivered.
    low_level::raise(signal).ok();
}
