//! Children on terminals of their own.

use std::error::Error;

use procession::Stdin;
use procession::prelude::*;

// ANCHOR: colours
async fn as_on_a_terminal() -> Result<Bytes, Box<dyn Error>> {
    let program = Command::new("sh").args(["-c", "test -t 1 && echo colours"]).pty(Pty::new());
    let outcome = Run::from(program).stdin(Stdin::as_in_command()).check().await?;
    Ok(outcome.stdout) // "colours\r\n": the terminal adds a carriage return
}
// ANCHOR_END: colours

// ANCHOR: screen
struct Screen;

impl ProcessProtocol for Screen {
    fn connection_made(&mut self, process: &Process) {
        process.write("stty size; exit\n"); // typed on the terminal
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        print!("{}", String::from_utf8_lossy(&data));
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        Handle::current().stop();
    }
}

fn main() -> Result<Stopped, Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    let size = Pty::new().size(24, 80); // rows, columns
    let shell = Command::new("sh").pty(size).env("TERM", "dumb").env("PS1", "$ ");
    let shell = reactor.spawn_process(Screen, shell)?;
    shell.resize(50, 132)?; // the child gets SIGWINCH
    Ok(reactor.run()?)
}
// ANCHOR_END: screen

// ANCHOR: own
/// Passes keys on one by one while the guard lives. The drop puts the settings back.
fn keys_one_by_one() -> std::io::Result<procession::RawMode> {
    procession::RawMode::begin(std::io::stdin())
}
// ANCHOR_END: own

#[test]
fn a_program_on_a_terminal_knows_it() {
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.block_on(as_on_a_terminal()).unwrap(), "colours\r\n");
}

#[test]
fn the_shell_leaves() {
    assert_eq!(main().unwrap(), Stopped::Called);
}

#[test]
fn the_keys_come_one_by_one_while_the_guard_lives() {
    // On a terminal of its own, the test runs once more.
    const ON_A_TERMINAL: &str = "TEST_ON_A_TERMINAL";
    if std::env::var_os(ON_A_TERMINAL).is_some() {
        let is_canonical = || procession::Termios::of(std::io::stdin()).unwrap().is_canonical();
        assert!(is_canonical());
        let guard = keys_one_by_one().unwrap();
        assert!(!is_canonical());
        drop(guard);
        assert!(is_canonical());
        return;
    }
    let name = "terminals::the_keys_come_one_by_one_while_the_guard_lives";
    let again = Command::new(std::env::current_exe().unwrap()).args([name, "--exact"]);
    let again = again.env(ON_A_TERMINAL, "1").pty(Pty::new());
    Run::from(again).stdin(Stdin::as_in_command()).check().output_blocking().unwrap();
}

mod size {
    // ANCHOR: follow
    use std::os::fd::AsFd;

    use procession::prelude::*;
    use procession::{SignalWatch, WindowSize};

    /// Gives a child's terminal the size of another one, such as `stdin()`, at each change.
    fn follow(own: impl AsFd + 'static, child: Process) -> std::io::Result<SignalWatch> {
        Handle::current().on_signal(Signal::WINCH, move |_| {
            let Ok(size) = WindowSize::of(&own) else { return };
            child.resize(size.rows, size.columns).ok(); // it fails if the child has ended
        })
    }
    // ANCHOR_END: follow

    #[test]
    fn a_new_size_is_passed_on() {
        procession_test_support::isolated("terminals::size::a_new_size_is_passed_on", || {
            let own = Pty::open().unwrap();
            let slave = own.slave().unwrap().try_clone().unwrap();
            let mut reactor = Reactor::new().unwrap();
            let start = |terminal| {
                reactor.spawn_child(Command::new("cat").pty(terminal).owned(true)).unwrap()
            };
            let (window, child) = (start(own), start(Pty::new()));
            assert_eq!(child.process().window_size().unwrap(), WindowSize::new(0, 0));
            let _watch =
                reactor.block_on(async { follow(slave, child.process().clone()) }).unwrap();
            window.process().resize(24, 80).unwrap();
            let pid = std::process::id().to_string();
            reactor.block_on(Run::new("kill").args(["-WINCH", &pid]).check()).unwrap();
            while child.process().window_size().unwrap() != WindowSize::new(24, 80) {
                reactor.turn(None).unwrap();
            }
        });
    }
}
