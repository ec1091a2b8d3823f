//! Whole programs that signals end: what the main thread does, and how the program dies.
//!
//! The standard harness runs tests outside of the main thread, so this file has a harness of its
//! own: it executes itself as the program that a variable names, and checks how that ends.

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use procession_core::{Deferred, NoError, Signal};
use procession_reactor::{Handle, Phase, Reactor, Stopped, SystemEvent, run_main};
use signal_hook::low_level;

/// The variable that names the program for the child to run.
const VARIABLE: &str = "PROCESSION_REACTOR_PROGRAM";

type ProgramResult = Result<Stopped, Box<dyn Error>>;
type Program = fn() -> ProgramResult;

/// A test program, and the check of how it ends.
struct Case {
    name: &'static str,
    program: Program,
    test: fn(&'static str),
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        [$(Case { name: stringify!($name), program: $name::program, test: $name::test }),*]
    };
}

fn main() -> ProgramResult {
    let cases = cases![
        a_future_that_ends_is_success,
        an_error_of_the_future_is_status_1,
        an_interrupt_drops_the_future_and_the_program_dies_by_it,
        the_program_dies_by_the_signal_that_stopped_its_run,
        a_stop_is_success,
        a_second_interrupt_acts_by_default,
        a_hang_up_stops_and_another_one_does_not_cut_the_shutdown_short,
        an_interrupt_after_a_hang_up_acts_by_default,
        a_hang_up_after_a_termination_changes_nothing,
        a_hang_up_that_is_ignored_stays_ignored,
        a_hang_up_is_the_programs_while_it_watches_it,
        a_watch_that_ends_twice_counts_once,
        a_watch_of_another_thread_takes_the_hang_up_too,
        a_hang_up_after_a_stop_is_the_reason_of_the_stop,
        a_thread_that_is_not_main_leaves_signals_alone,
        a_thread_that_asks_for_them_is_stopped_by_signals,
        the_first_process_of_a_namespace_ends_with_128_and_the_number,
        a_blocked_signal_still_kills,
        a_panic_of_the_future_unwinds_out_of_main,
        a_program_inside_a_program_is_refused,
    ];
    if let Ok(name) = env::var(VARIABLE) {
        let case = cases.iter().find(|case| case.name == name).expect("a program of the tests");
        return (case.program)();
    }
    procession_test_support::sys::default_ending_signals(); // the programs inherit them
    let filter: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for case in cases {
        if filter.is_empty() || filter.iter().any(|part| case.name.contains(part)) {
            (case.test)(case.name);
            println!("test {} ... ok", case.name);
        }
    }
    Ok(Stopped::Called)
}

/// Returns a command that runs this binary as the named test program.
fn itself(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows its binary"));
    command.env(VARIABLE, name);
    command
}

fn end_of(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the binary runs again")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn assert_died_by(signal: Signal, name: &str, text: &str) {
    let output = end_of(itself(name));
    assert_eq!(output.status.signal(), Some(signal.as_raw()), "{output:?}");
    assert_eq!(printed(&output), text, "{output:?}");
}

#[track_caller]
fn assert_ended_with(status: i32, name: &str, text: &str) -> Output {
    let output = end_of(itself(name));
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert_eq!(printed(&output), text, "{output:?}");
    output
}

fn raise(signal: Signal) {
    low_level::raise(signal.as_raw()).expect("the signal exists");
}

/// Prints a line when it is dropped.
struct PrintsDrop;

impl Drop for PrintsDrop {
    fn drop(&mut self) {
        println!("dropped");
    }
}

/// Sleeps for so long that only a signal or a stop ends the program.
async fn for_ever() {
    Handle::current().sleep(Duration::from_secs(60)).await;
}

/// Adds a trigger that makes the shutdown take a while. It calls `begins` first.
fn slow_shutdown(reactor: &Handle, begins: impl FnOnce(&Handle) + 'static) {
    let slow = move |reactor: &Handle| {
        println!("shutdown");
        begins(reactor);
        let (promise, deferred) = Deferred::<(), NoError>::new();
        reactor.call_later(Duration::from_millis(20), move |_| {
            println!("through");
            promise.complete(Ok(()));
        });
        deferred
    };
    reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, slow);
}

mod a_future_that_ends_is_success {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            slow_shutdown(&Handle::current(), |_| ());
            println!("done");
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_ended_with(0, name, "done\nshutdown\nthrough\n");
    }
}

mod an_error_of_the_future_is_status_1 {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            slow_shutdown(&Handle::current(), |_| ());
            let number: u32 = "one".parse()?;
            println!("{number}");
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        let output = assert_ended_with(1, name, "shutdown\nthrough\n");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with("Error: ParseIntError"), "{errors}");
    }
}

mod an_interrupt_drops_the_future_and_the_program_dies_by_it {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            let _loud = PrintsDrop;
            slow_shutdown(&Handle::current(), |_| ());
            Handle::current().call_soon(|_| raise(Signal::INT));
            for_ever().await;
            Ok(())
        })
        .inspect(|stopped| print!("{stopped}: no line")) // no newline, but it is still printed
    }

    pub(super) fn test(name: &'static str) {
        let text = "dropped\nshutdown\nthrough\nstopped by SIGINT: no line";
        assert_died_by(Signal::INT, name, text);
    }
}

mod the_program_dies_by_the_signal_that_stopped_its_run {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let mut reactor = Reactor::new()?;
        reactor.call_when_running(|_| raise(Signal::TERM));
        slow_shutdown(&reactor, |_| ());
        Ok(reactor.run()?)
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::TERM, name, "shutdown\nthrough\n");
    }
}

mod a_stop_is_success {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            let _loud = PrintsDrop;
            Handle::current().call_soon(Handle::stop);
            for_ever().await;
            Ok(())
        })
        .inspect(|stopped| println!("{stopped:?}"))
    }

    pub(super) fn test(name: &'static str) {
        assert_ended_with(0, name, "dropped\nCalled\n");
    }
}

mod a_second_interrupt_acts_by_default {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            slow_shutdown(&Handle::current(), |_| raise(Signal::INT));
            raise(Signal::INT);
            for_ever().await;
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::INT, name, "shutdown\n");
    }
}

mod a_hang_up_stops_and_another_one_does_not_cut_the_shutdown_short {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            slow_shutdown(&Handle::current(), |reactor| {
                raise(Signal::HUP);
                reactor.call_soon(|_| raise(Signal::HUP));
            });
            raise(Signal::HUP);
            for_ever().await;
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::HUP, name, "shutdown\nthrough\n");
    }
}

mod an_interrupt_after_a_hang_up_acts_by_default {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            slow_shutdown(&Handle::current(), |_| raise(Signal::INT));
            raise(Signal::HUP);
            for_ever().await;
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::INT, name, "shutdown\n");
    }
}

mod a_hang_up_after_a_termination_changes_nothing {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            slow_shutdown(&Handle::current(), |_| raise(Signal::HUP));
            raise(Signal::TERM);
            for_ever().await;
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::TERM, name, "shutdown\nthrough\n");
    }
}

mod a_hang_up_that_is_ignored_stays_ignored {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            for _ in 0..2 {
                raise(Signal::HUP);
                Handle::current().sleep(Duration::from_millis(5)).await;
            }
            println!("done");
            Ok(())
        })
    }

    /// The hang-up is ignored, as under `nohup`.
    pub(super) fn test(name: &'static str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" HUP; exec "$0""#]).env(VARIABLE, name);
        shell.arg(env::current_exe().expect("a test knows its binary"));
        let output = end_of(shell);
        assert_eq!((output.status.code(), printed(&output).as_str()), (Some(0), "done\n"));
        assert_died_by(Signal::HUP, name, "");
    }
}

mod a_hang_up_is_the_programs_while_it_watches_it {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let mut reactor = Reactor::new()?;
        // A watch from before the run.
        let early = reactor.on_signal(Signal::HUP, |_| println!("reload"))?;
        let handle = reactor.handle();
        let stopped = reactor.run_until(async move {
            let pause = || handle.sleep(Duration::from_millis(5));
            raise(Signal::HUP);
            pause().await;
            drop(early);
            // Two watches from inside the run.
            let late = handle.on_signal(Signal::HUP, |_| println!("again"))?;
            let too = handle.on_signal(Signal::HUP, |_| println!("and again"))?;
            raise(Signal::HUP);
            pause().await;
            drop(too);
            raise(Signal::HUP);
            pause().await;
            drop(late);
            raise(Signal::HUP);
            for_ever().await;
            io::Result::Ok(())
        });
        Ok(stopped.err().unwrap_or(Stopped::Called))
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::HUP, name, "reload\nagain\nand again\nagain\n");
    }
}

mod a_watch_that_ends_twice_counts_once {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let mut reactor = Reactor::new()?;
        let fails = reactor.on_signal(Signal::HUP, |_| panic!("on purpose"))?;
        let _watch = reactor.on_signal(Signal::HUP, |_| println!("reload"))?;
        raise(Signal::HUP);
        // The panic ends the watch, and then the drop ends it again.
        catch_unwind(AssertUnwindSafe(|| reactor.turn(None))).expect_err("it panics");
        drop(fails);
        reactor.run_main(async {
            raise(Signal::HUP);
            Handle::current().sleep(Duration::from_millis(5)).await;
            println!("done");
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_ended_with(0, name, "reload\nreload\ndone\n");
    }
}

mod a_watch_of_another_thread_takes_the_hang_up_too {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let (watching, watches) = std::sync::mpsc::channel();
        let other = thread::spawn(move || {
            let mut reactor = Reactor::new().expect("this thread has none");
            let watch = reactor.on_signal(Signal::HUP, |reactor| {
                println!("reload");
                reactor.stop();
            });
            reactor.call_when_running(move |_| watching.send(()));
            let stopped = reactor.run().expect("it runs");
            drop(watch);
            stopped
        });
        run_main(async {
            watches.recv()?;
            raise(Signal::HUP);
            println!("{:?}", other.join().expect("it does not panic"));
            Handle::current().sleep(Duration::from_millis(5)).await;
            println!("done");
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        // The watch may already have ended when the main loop looks. Then the hang-up stops the
        // main loop.
        let output = end_of(itself(name));
        assert!(printed(&output).starts_with("reload\nCalled\n"), "{output:?}");
    }
}

mod a_hang_up_after_a_stop_is_the_reason_of_the_stop {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let mut reactor = Reactor::new()?;
        reactor.add_system_event_trigger(Phase::After, SystemEvent::Shutdown, |_| {
            raise(Signal::HUP);
        });
        reactor.call_when_running(Handle::stop);
        let stopped = reactor.run()?;
        println!("{stopped}");
        Ok(stopped)
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::HUP, name, "stopped by SIGHUP\n");
    }
}

mod a_thread_that_is_not_main_leaves_signals_alone {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let other = thread::spawn(|| {
            let mut reactor = Reactor::new().expect("this thread has none");
            slow_shutdown(&reactor, |_| ());
            reactor.call_when_running(|_| {
                println!("alive");
                raise(Signal::TERM);
            });
            reactor.run().map(drop)
        });
        other.join().expect("it does not panic")?;
        Ok(Stopped::Called)
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::TERM, name, "alive\n");
    }
}

mod a_thread_that_asks_for_them_is_stopped_by_signals {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let other = thread::spawn(move || {
                let mut reactor = Reactor::new().expect("this thread has none").with_signals();
                reactor.call_when_running(move |_| raise(signal));
                reactor.run()
            });
            println!("{}", other.join().expect("it does not panic")?);
        }
        Ok(Stopped::Called)
    }

    pub(super) fn test(name: &'static str) {
        let text = "stopped by SIGINT\nstopped by SIGTERM\nstopped by SIGHUP\n";
        assert_ended_with(0, name, text);
    }
}

mod the_first_process_of_a_namespace_ends_with_128_and_the_number {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            // The default action of a signal does nothing to the first process of a namespace.
            slow_shutdown(&Handle::current(), |_| raise(Signal::TERM));
            raise(Signal::TERM);
            for_ever().await;
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        let unshare = |program: &str| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--pid", "--fork", program]).env(VARIABLE, name);
            unshare
        };
        let can = unshare("true").stderr(Stdio::null()).status();
        if !can.is_ok_and(|status| status.success()) {
            return procession_test_support::skip_here(name, "it takes unshare, and root");
        }
        let binary = env::current_exe().expect("a test knows its binary");
        let output = end_of(unshare(binary.to_str().expect("its name is UTF-8")));
        assert_eq!(output.status.code(), Some(128 + 15), "{output:?}");
        assert_eq!(printed(&output), "shutdown\nthrough\n");
    }
}

mod a_blocked_signal_still_kills {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        let other = thread::spawn(|| {
            let mut reactor = Reactor::new().expect("this thread has none").with_signals();
            reactor.call_when_running(|_| raise(Signal::TERM));
            reactor.run()
        });
        let stopped = other.join().expect("it does not panic")?;
        procession_test_support::sys::block(&[Signal::TERM.as_raw()]);
        println!("blocked");
        Ok(stopped)
    }

    pub(super) fn test(name: &'static str) {
        assert_died_by(Signal::TERM, name, "blocked\n");
    }
}

mod a_panic_of_the_future_unwinds_out_of_main {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            let _loud = PrintsDrop;
            slow_shutdown(&Handle::current(), |_| ());
            panic!("on purpose");
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_ended_with(101, name, "dropped\n");
    }
}

mod a_program_inside_a_program_is_refused {
    use super::*;

    pub(super) fn program() -> ProgramResult {
        run_main(async {
            let inner: ProgramResult = run_main(async { Ok(()) });
            println!("{}", inner.expect_err("the thread has a reactor"));
            Ok(())
        })
    }

    pub(super) fn test(name: &'static str) {
        assert_ended_with(
            0,
            name,
            "this thread has a reactor already: `Handle::current()` is its handle\n",
        );
    }
}
