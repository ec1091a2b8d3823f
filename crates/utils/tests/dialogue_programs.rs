//! Programs that are talked to, again and again without a miss: calculators, shells, and programs that ask
//! for passwords. The slow tier (`PROCESSION_SLOW` is 1) has 200 dialogues with each, the gate a few.
#![cfg(feature = "regex")]

mod util;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Duration;

use procession_core::Failed;
use procession_process_transport::{Command, Pty};
use procession_reactor::Handle;
use procession_test_support::{root_or_skip, skip, sys};
use procession_utils::{
    Dialogue, DialogueError, Pattern, Ready, ReadyProgram, Run, StartDialogue, line,
};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use util::{Driver, behaviour, bound, ms, skip_here};

const PYTHON: &str = "/usr/bin/python3";
const SSHD: &str = "/usr/sbin/sshd";
/// Names the kind of program that this test binary is.
const ASKS: &str = "PROCESSION_TEST_ASKS";
const SECRET: &str = "correct horse battery staple";

/// How often a dialogue is had: so often in the gate, 200 times in the slow tier.
fn times(in_gate: usize) -> usize {
    let is_slow = std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1");
    if is_slow { 200 } else { in_gate }
}

fn limit() -> Duration {
    bound(ms(5000))
}

fn has(program: &str, package: &str, test: &str) -> bool {
    let is_there = Path::new(program).exists();
    if !is_there {
        skip_here(test, &format!("{program} is not there: apt-get install {package}"));
    }
    is_there
}

/// Has a dialogue so often, and fails at the first error.
#[track_caller]
fn again(
    driver: &mut Driver,
    in_gate: usize,
    mut dialogue: impl AsyncFnMut(&Handle, usize) -> Result<(), DialogueError>,
) {
    let handle = driver.reactor.handle();
    if times(in_gate) > in_gate {
        sys::alarm(ms(600_000));
    }
    for time in 0..times(in_gate) {
        let had = driver.reactor.block_on(dialogue(&handle, time));
        if let Err(error) = had {
            panic!("dialogue {time}: {error}\n{}", error.tail().unwrap_or_default());
        }
    }
}

fn start(handle: &Handle, command: Command) -> Dialogue {
    handle.dialogue(command).expect("a program that is there starts")
}

/// Case DG-10.
#[test]
fn bc_on_a_terminal_answers_without_a_miss() {
    let test = "bc_on_a_terminal_answers_without_a_miss";
    if !has("/usr/bin/bc", "bc", test) {
        return;
    }
    behaviour(test, |driver| {
        again(driver, 5, async |handle, time| {
            let mut bc = start(handle, Command::new("bc").arg("-i").pty(Pty::new()));
            for factor in [time, 7, 1_000_003] {
                bc.send_line(format!("{factor} * 7")).await?;
                let answer = bc.expect(line(r"^\d+$")).within(limit()).await?;
                assert_eq!(answer.text(), (factor * 7).to_string(), "{}", bc.transcript());
            }
            bc.send_line("quit").await?;
            bc.expect(Pattern::end()).within(limit()).await?;
            assert!(bc.ended().await.is_ok());
            Ok(())
        });
    });
}

/// The program of the guide's page on dialogues.
async fn multiply(handle: Handle) -> Result<String, Box<dyn std::error::Error>> {
    let mut bc = handle.dialogue(Command::new("bc").arg("-i").pty(Pty::new()))?;
    bc.send_line("6 * 7").await?;
    let answer = bc.expect(line(r"^\d+$")).within(Duration::from_secs(2)).await?;
    Ok(answer.text().into_owned())
}

#[test]
fn the_program_of_the_guide_multiplies() {
    let test = "the_program_of_the_guide_multiplies";
    if !has("/usr/bin/bc", "bc", test) {
        return;
    }
    behaviour(test, |driver| {
        let handle = driver.reactor.handle();
        assert_eq!(driver.reactor.block_on(multiply(handle)).expect("no error"), "42");
    });
}

/// Case DG-11.
#[test]
fn a_shell_answers_on_a_terminal_and_on_pipes_without_a_miss() {
    behaviour("a_shell_answers_on_a_terminal_and_on_pipes_without_a_miss", |driver| {
        again(driver, 6, async |handle, time| {
            let sh = Command::new("/bin/sh").arg("-i").env("PS1", "ready> ").env_remove("ENV");
            let sh = if time % 2 == 0 { sh.pty(Pty::new()) } else { sh };
            let mut sh = start(handle, sh);
            for number in [time, 6] {
                sh.expect("ready> ").within(limit()).await?;
                sh.send_line(format!("echo $(({number} * 7))")).await?;
                let answer = sh.expect(line(r"^\d+$")).within(limit()).await?;
                assert_eq!(answer.text(), (number * 7).to_string(), "{}", sh.transcript());
            }
            sh.send_line("no-such-program; exit 3").await?;
            sh.expect(line("no-such-program: (command )?not found")).within(limit()).await?;
            let error = sh.expect("never").within(limit()).await.unwrap_err().to_string();
            assert!(error.contains(" exited with status 3 without \"never\": "), "{error}");
            Ok(())
        });
    });
}

/// Case DG-12.
#[test]
fn python_answers_on_a_terminal_and_on_pipes_without_a_miss() {
    let test = "python_answers_on_a_terminal_and_on_pipes_without_a_miss";
    if !has(PYTHON, "python3", test) {
        return;
    }
    behaviour(test, |driver| {
        again(driver, 6, async |handle, time| {
            let python = Command::new(PYTHON).args(["-i", "-q"]).env("PYTHONSTARTUP", "");
            let python = if time % 2 == 0 { python.pty(Pty::new()) } else { python };
            let mut python = start(handle, python);
            python.expect(">>> ").within(limit()).await?;
            python.send_line(format!("[n ** 2 for n in range({time}, {time} + 3)]")).await?;
            let list = Pattern::regex(r"\[(\d+), (\d+), (\d+)\]");
            let list = python.expect(list).within(limit()).await?;
            let squares = (1..=3).map(|group| list.capture(group).expect("it is in the match"));
            let expected = (time..time + 3).map(|number| (number * number).to_string());
            assert!(squares.eq(expected), "{list:?}");
            python.expect(">>> ").within(limit()).await?;
            python.end_input();
            python.expect(Pattern::end()).within(limit()).await?;
            assert!(python.ended().await.is_ok(), "{}", python.transcript());
            Ok(())
        });
    });
}

/// Not a test: the program of the next one. It asks for a password as getpass(3) does, twice.
#[test]
fn a_program_that_asks() {
    let Some(order) = std::env::var_os(ASKS) else { return };
    let terminal =
        fs::File::options().read(true).write(true).open("/dev/tty").expect("it has a terminal");
    for question in ["Password: ", "Again: "] {
        let before = tcgetattr(&terminal).expect("it is a terminal");
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let ask = || (&terminal).write_all(question.as_bytes()).expect("it is a terminal");
        if order == "late" {
            ask();
            // A slow program: what is typed now is discarded.
            for _ in 0..1000 {
                thread::yield_now();
            }
        }
        tcsetattr(&terminal, OptionalActions::Flush, &quiet).expect("it is a terminal");
        if order != "late" {
            ask();
        }
        let mut line = [0; 100];
        let length = rustix::io::read(&terminal, &mut line).expect("somebody types");
        tcsetattr(&terminal, OptionalActions::Flush, &before).expect("it is a terminal");
        let typed = String::from_utf8_lossy(&line[..length]).into_owned();
        (&terminal).write_all(format!("\ntyped {typed}").as_bytes()).expect("it is a terminal");
    }
}

/// Case DG-13.
#[test]
fn a_program_that_turns_the_echo_off_gets_each_password() {
    behaviour("a_program_that_turns_the_echo_off_gets_each_password", |driver| {
        let asks = std::env::current_exe().expect("it is running");
        again(driver, 10, async |handle, time| {
            let order = if time % 2 == 0 { "late" } else { "early" };
            let command = Command::new(&asks).args(["--exact", "a_program_that_asks"]);
            let command = command.arg("--nocapture").env(ASKS, order).pty(Pty::new());
            let mut asks = start(handle, command);
            for question in ["Password: ", "Again: "] {
                asks.expect(question).within(limit()).await?;
                asks.send_secret(SECRET).await?;
                let typed = asks.expect(line("^typed ")).within(limit()).await?;
                assert_eq!(typed.text(), format!("typed {SECRET}"));
            }
            asks.expect(Pattern::end()).within(limit()).await?;
            let transcript = asks.transcript();
            assert!(transcript.contains("Password: [secret]\n\ntyped [secret]\n"), "{transcript}");
            assert!(!transcript.contains("horse"), "{transcript}");
            Ok(())
        });
    });
}

/// A mount namespace with a copy of /etc, in which there is a user of the test's own. Nothing of it can be
/// seen outside.
struct OwnUsers {
    folder: tempfile::TempDir,
}

impl OwnUsers {
    /// Returns `None` if the system lets nobody mount, or lacks a program. That is said.
    fn new(test: &str, driver: &mut Driver) -> Option<Self> {
        if !root_or_skip(test) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let own = Self { folder };
        let etc = own.path("etc");
        let copied = Run::new("cp").args(["-a", "/etc", &etc]).check().output_blocking();
        copied.expect("/etc can be copied");
        let add = |file: &str, line: &str| {
            let path = format!("{etc}/{file}");
            let text = fs::read_to_string(&path).expect("it is there") + line;
            fs::write(path, text).expect("a file of the test");
        };
        add("passwd", "teller:x:64999:64999::/:/bin/sh\n");
        add("shadow", "teller:*:19000:0:99999:7:::\n");
        add("group", "teller:x:64999:\n");
        let works = Run::from(own.command("true")).check().start();
        match driver.get(works) {
            Ok(_) => Some(own),
            Err(error) => {
                skip(test, &format!("there is no mount namespace with an /etc: {error:?}"));
                None
            }
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("it is text").to_owned()
    }

    /// Makes a command for a shell that is in the namespace.
    fn command(&self, script: &str) -> Command {
        let mounts =
            "mount --bind \"$0\" /etc && mount -t tmpfs none /run && mkdir -p /run/sshd && ";
        let script = format!("{mounts}{script}");
        Command::new("unshare").args(["-m", "/bin/sh", "-c", &script, &self.path("etc")])
    }
}

async fn set_password(handle: &Handle, users: &OwnUsers) -> Result<(), DialogueError> {
    let mut passwd = start(handle, users.command("exec passwd teller").pty(Pty::new()));
    for question in ["New password: ", "new password: "] {
        passwd.expect(question).within(limit()).await?;
        passwd.send_secret(SECRET).await?;
    }
    let said = passwd.expect(Pattern::end()).within(limit()).await?;
    assert!(passwd.ended().await.is_ok(), "{said:?}");
    assert!(!passwd.transcript().contains("horse"), "{}", passwd.transcript());
    Ok(())
}

/// Case DG-14.
#[test]
fn passwd_sets_a_password_without_a_miss() {
    let test = "passwd_sets_a_password_without_a_miss";
    if !has("/usr/bin/passwd", "passwd", test) {
        return;
    }
    behaviour(test, |driver| {
        let Some(users) = OwnUsers::new(test, driver) else { return };
        let shadow = || {
            let shadow = fs::read_to_string(users.path("etc/shadow")).expect("it is there");
            let line = shadow.lines().find(|line| line.starts_with("teller:")).expect("one line");
            line.split(':').nth(1).expect("a hash").to_owned()
        };
        let mut hash = shadow();
        again(driver, 5, async |handle, _| {
            set_password(handle, &users).await?;
            let before = std::mem::replace(&mut hash, shadow());
            assert!(before != hash && hash.starts_with('$'), "{hash}");
            Ok(())
        });
    });
}

/// A server with a key and settings of its own, on a port of its own.
fn serve(driver: &mut Driver, users: &OwnUsers) -> (u16, ReadyProgram) {
    let key = users.path("key");
    let made = Run::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).check();
    driver.get(made.start()).expect("a key");
    let settings = format!(
        "HostKey {key}\nPidFile none\nUsePAM no\nPasswordAuthentication yes\nStrictModes no\n\
         KbdInteractiveAuthentication no\nListenAddress 127.0.0.1\nForceCommand echo wel''come\n\
         PrintMotd no\nPrintLastLog no\nUseDNS no\nMaxStartups 500\n"
    );
    fs::write(users.path("sshd_config"), settings).expect("a file of the test");
    for _ in 0..10 {
        // Nothing keeps the port free, but the kernel chooses others first.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        drop(listener);
        let config = users.path("sshd_config");
        let sshd = users.command(&format!("exec {SSHD} -D -e -f {config} -p {port}"));
        let ready = Ready::line("Server listening on 127.0.0.1").start_on(
            &driver.reactor.handle(),
            sshd,
            limit(),
        );
        match driver.get(ready) {
            Ok(server) => return (port, server),
            Err(Failed::Error(error)) if error.to_string().contains("in use") => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("no port stays free");
}

/// Case DG-15.
#[test]
fn ssh_takes_a_password_without_a_miss() {
    let test = "ssh_takes_a_password_without_a_miss";
    if !has(SSHD, "openssh-server", test) || !has("/usr/bin/ssh", "openssh-client", test) {
        return;
    }
    behaviour(test, |driver| {
        let Some(users) = OwnUsers::new(test, driver) else { return };
        let handle = driver.reactor.handle();
        driver.reactor.block_on(set_password(&handle, &users)).expect("passwd");
        let (port, server) = serve(driver, &users);
        again(driver, 5, async |handle, time| {
            let options = [
                "UserKnownHostsFile=/dev/null",
                "StrictHostKeyChecking=ask",
                "PreferredAuthentications=password",
                "NumberOfPasswordPrompts=2",
            ];
            let ssh = Command::new("ssh").args(["-F", "none", "-p", &port.to_string()]);
            let ssh = options.iter().fold(ssh, |ssh, option| ssh.args(["-o", option]));
            let ssh = ssh.args(["teller@127.0.0.1", "true"]).env_remove("SSH_ASKPASS");
            let mut ssh = start(handle, ssh.pty(Pty::new()));
            ssh.expect("continue connecting (yes/no").within(limit()).await?;
            ssh.send_line("yes").await?;
            ssh.expect("password: ").within(limit()).await?;
            // The server takes its time to refuse one.
            if time % 20 == 0 {
                ssh.send_secret("wrong").await?;
                ssh.expect("try again").within(limit()).await?;
                ssh.expect("password: ").within(limit()).await?;
            }
            ssh.send_secret(SECRET).await?;
            ssh.expect(line("^welcome$")).within(limit()).await?;
            ssh.expect(Pattern::end()).within(limit()).await?;
            assert!(ssh.ended().await.is_ok(), "{}", ssh.transcript());
            assert!(!ssh.transcript().contains("horse"), "{}", ssh.transcript());
            Ok(())
        });
        drop(server);
    });
}
