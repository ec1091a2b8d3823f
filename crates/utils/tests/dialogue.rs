//! Dialogues with real children: their waits, their limits, and their ends.
#![cfg(feature = "reactor")]

mod util;

use std::fs;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures_lite::future::{poll_once, yield_now};
use procession_core::Signal;
use procession_process_transport::{Command, FakeChildren, Fd, FileMode, Pty};
use procession_protocol::ExitReasonExt;
use procession_reactor::{Handle, Reactor};
use procession_utils::{Background, Dialogue, DialogueError, Pattern, StartDialogue};
use util::{
    WATCHDOG, behaviour, bound, is_running, isolated, ms, process_state, rss_bytes, sanitizer, sh,
};

fn limit() -> Duration {
    bound(ms(5000))
}

fn start(handle: &Handle, command: impl Into<Command>) -> Dialogue {
    handle.dialogue(command).expect("a program that is there starts")
}

/// Runs one dialogue, in which nothing may fail.
fn talk(test: &str, dialogue: impl AsyncFnOnce(&Handle) -> Result<(), DialogueError>) {
    behaviour(test, |driver| {
        let handle = driver.reactor.handle();
        if let Err(error) = driver.reactor.block_on(dialogue(&handle)) {
            panic!("{error}\n{}", error.tail().unwrap_or_default());
        }
    });
}

/// Case DG-16.
#[test]
fn a_timeout_says_what_was_waited_for_and_keeps_what_came() {
    talk("a_timeout_says_what_was_waited_for_and_keeps_what_came", async |handle| {
        let mut sh = start(handle, sh("echo one; printf 'two\x1b'; read x; echo $x; read x"));
        let waits = ["never", "x\r\n"];
        let error = sh.expect_any(waits).within(ms(200)).await.unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("/bin/sh -c 'echo one; "), "{said}");
        assert!(said.contains(" timed out after 0."), "{said}");
        assert!(said.ends_with(r#" s without "never" or "x\r\n": one | two\u{1b}"#), "{said}");
        let DialogueError::TimedOut { after, .. } = error else { panic!("{error:?}") };
        assert!(after >= ms(200) && after < bound(ms(2000)), "{after:?}");
        // The timeout neither ends the program nor loses its output.
        let line = sh.expect(Pattern::next_line()).within(limit()).await?;
        assert_eq!(line.text(), "one");
        sh.send_line("three").await?;
        let found = sh.expect("three").within(limit()).await?;
        assert_eq!(found.before, "two\x1b");
        Ok(())
    });
}

/// Case DG-17.
#[test]
fn the_end_is_a_pattern_or_an_error_with_the_status() {
    talk("the_end_is_a_pattern_or_an_error_with_the_status", async |handle| {
        for terminal in [false, true] {
            let with = |script: &str| {
                if terminal { sh(script).pty(Pty::new()) } else { sh(script) }
            };
            let mut dies = start(handle, with("echo a; exit 3"));
            let error = dies.expect("never").within(limit()).await.unwrap_err();
            let said = "/bin/sh -c 'echo a; exit 3' exited with status 3 without \"never\": a";
            assert_eq!(error.to_string(), said);
            // And again: the output stays at its end.
            let DialogueError::Ended { reason, .. } = dies.expect("b").await.unwrap_err() else {
                panic!("it has ended")
            };
            assert_eq!(reason.expect("it has").exit_code(), Some(3));
            let all = dies.expect(Pattern::end()).await?;
            assert_eq!(all.before.trim_ascii_end(), b"a");
            assert!(dies.ended().await.is_err());

            let mut killed = start(handle, with("kill -9 $$"));
            let error = killed.expect("never").within(limit()).await.unwrap_err().to_string();
            assert!(error.contains(" ended by signal 9 (SIGKILL) without "), "{error}");
        }
        // It has ended, but its child holds the output, or another descriptor.
        let mut left = start(handle, sh("exec 4<&0; cat <&4 & echo a; exit 3"));
        left.expect("a\n").within(limit()).await?;
        let error = left.expect("never").within(ms(500)).await.unwrap_err();
        let said = "' exited with status 3, its output is open, and the wait timed out after ";
        assert!(error.to_string().contains(said), "{error}");
        let DialogueError::TimedOut { reason, .. } = error else { panic!("{error:?}") };
        assert_eq!(reason.expect("it has ended").exit_code(), Some(3));
        left.end_input();
        left.expect(Pattern::end()).within(limit()).await?;
        let script = "exec 4<&0; cat <&4 >&3 2>&3 & exit 3";
        let mut left = start(handle, sh(script).child_fd(3, Fd::from_child()));
        let error = left.expect("never").within(limit()).await.unwrap_err().to_string();
        assert!(error.contains("' exited with status 3 without "), "{error}");
        left.end_input();
        // It lives on, but prints no more.
        let mut mute = start(handle, sh("exec >/dev/null 2>&1; exec sleep 60"));
        let error = mute.expect("never").within(limit()).await.unwrap_err().to_string();
        assert!(error.ends_with(" closed its output without \"never\""), "{error}");
        Ok(())
    });
}

/// Case DG-18.
#[test]
fn a_wait_that_would_hold_too_much_fails_and_the_next_goes_on() {
    talk("a_wait_that_would_hold_too_much_fails_and_the_next_goes_on", async |handle| {
        let flood = "head -c 2000000 /dev/zero | tr '\\0' x; echo; echo end; read x";
        let mut sh = start(handle, sh(flood));
        sh.set_max_held_bytes(100_000);
        let error = sh.expect("end").within(limit()).await.unwrap_err();
        let DialogueError::TooLong { max_bytes: 100_000, .. } = error else { panic!("{error:?}") };
        let mut taken = sh.take().len();
        loop {
            match sh.expect("end").within(limit()).await {
                Ok(found) => {
                    taken += found.before.len();
                    break;
                }
                Err(DialogueError::TooLong { .. }) => taken += sh.take().len(),
                Err(error) => return Err(error),
            }
        }
        assert_eq!(taken, 2_000_001);
        Ok(())
    });
}

/// Case DG-19.
#[test]
fn a_long_text_is_sent_while_the_program_prints() {
    talk("a_long_text_is_sent_while_the_program_prints", async |handle| {
        let text = "0123456789abcde\n".repeat(200_000);
        let mut cat = start(handle, Command::new("cat"));
        // Nobody takes what cat prints, so it stops reading.
        let error = cat.send(text.clone()).await.unwrap_err();
        let why = "cat printed more than 1048576 bytes without reading what it was sent: ";
        assert!(error.to_string().starts_with(why), "{error}");
        assert!(matches!(error, DialogueError::TooLong { .. }), "{error:?}");
        // What was sent goes on when there is room.
        cat.end_input();
        let mut came = cat.take().len();
        let rest = loop {
            match cat.expect(Pattern::end()).within(limit()).await {
                Ok(found) => break found.before.len(),
                Err(DialogueError::TooLong { .. }) => came += cat.take().len(),
                Err(error) => return Err(error),
            }
        };
        assert_eq!(came + rest, text.len());
        let mut cat = start(handle, Command::new("cat"));
        cat.set_max_held_bytes(4 << 20);
        cat.send(text.clone()).await?;
        cat.end_input();
        let all = cat.expect(Pattern::end()).within(limit()).await?;
        assert!(all.before == text.as_bytes(), "{}", all.before.len());
        let mut gone = start(handle, Command::new("true"));
        gone.expect(Pattern::end()).within(limit()).await?;
        let error = gone.send(text).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot write to true: "), "{error}");
        Ok(())
    });
}

/// Case DG-20.
#[test]
fn a_program_that_floods_an_idle_dialogue_is_stopped_in_bounded_memory() {
    behaviour("a_program_that_floods_an_idle_dialogue_is_stopped_in_bounded_memory", |driver| {
        let handle = driver.reactor.handle();
        let before = rss_bytes();
        let flood = start(&handle, Command::new("cat").arg("/dev/zero"));
        let pid = flood.process().pid().expect("it lives");
        let is_stuck = || {
            let wait = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
            process_state(pid) == 'S' && (wait.contains("pipe") || wait == "0" || wait.is_empty())
        };
        driver.until("cat cannot write", WATCHDOG, |_| is_stuck());
        driver.run_for(ms(100));
        assert!(is_stuck());
        assert!(rss_bytes() < before + (4 << 20), "{} bytes more", rss_bytes() - before);
        drop(flood);
    });
}

/// Case DG-21.
#[test]
fn a_secret_is_not_sent_where_the_terminal_would_show_it() {
    talk("a_secret_is_not_sent_where_the_terminal_would_show_it", async |handle| {
        let mut cat = start(handle, Command::new("cat").pty(Pty::new()));
        let error = cat.send_secret("open sesame").await.unwrap_err();
        assert!(matches!(error, DialogueError::Echoes { .. }), "{error:?}");
        cat.send_line("public").await?;
        cat.expect("public\r\npublic\r\n").within(limit()).await?;
        // The program that owns the dialogue turns the echo off.
        let mut settings = cat.process().termios().expect("a terminal");
        settings.set_echo(false);
        cat.process().set_termios(&settings).expect("a terminal");
        cat.send_secret("open sesame").await?;
        cat.expect("open sesame\r\n").within(limit()).await?;
        assert_eq!(cat.transcript(), "public\npublic\n[secret]\n[secret]\n");
        // A pipe shows nothing.
        let mut cat = start(handle, Command::new("cat"));
        cat.send_secret("open sesame").await?;
        let line = cat.expect(Pattern::next_line()).within(limit()).await?;
        assert_eq!(line.text(), "open sesame");
        let error = cat.expect("never").within(ms(1)).await.unwrap_err();
        for text in [error.to_string(), format!("{error:?}"), format!("{cat:?}")] {
            assert!(!text.contains("sesame"), "{text}");
        }
        Ok(())
    });
}

/// Case DG-32.
#[test]
fn an_error_shows_no_secret_wherever_it_stands() {
    talk("an_error_shows_no_secret_wherever_it_stands", async |handle| {
        let script = "stty -echo; read p; stty echo; echo \"wrong: $p\"; read x # hunter2";
        let mut sh = start(handle, sh(script).pty(Pty::new()));
        // A password that was read with the end of its line.
        sh.send_secret("hunter2\n").await?;
        sh.expect("wrong: ").within(limit()).await?;
        let error = sh.expect("ack hunter2").within(ms(100)).await.unwrap_err();
        for text in [error.to_string(), format!("{error:?}"), sh.transcript()] {
            assert!(!text.contains("hunter2") && text.contains("[secret]"), "{text}");
        }
        Ok(())
    });
}

/// Case DG-31.
#[cfg(feature = "regex")]
#[test]
fn an_expression_that_takes_long_holds_up_neither_the_loop_nor_its_limit() {
    talk("an_expression_that_takes_long_holds_up_neither_the_loop_nor_its_limit", async |handle| {
        let flood = sh("head -c 900000 /dev/zero | tr '\\0' y; read x");
        let mut flood = start(handle, flood);
        flood.expect("y").within(bound(WATCHDOG)).await?; // it has begun
        // The processor's time, which other programs do not lengthen.
        let clock = rustix::time::ClockId::ThreadCPUTime;
        let used = || Duration::try_from(rustix::time::clock_gettime(clock)).unwrap();
        let wait = flood.expect(Pattern::regex("y.{150}Q")).within(ms(300));
        let (mut wait, mut longest) = (pin!(wait), Duration::ZERO);
        let error = loop {
            let begun = used();
            if let Some(result) = poll_once(wait.as_mut()).await {
                break result.unwrap_err();
            }
            yield_now().await;
            longest = longest.max(used() - begun);
        };
        assert!(matches!(error, DialogueError::TimedOut { .. }), "{error:?}");
        assert!(longest < bound(ms(500)), "{longest:?} until the next turn");
        Ok(())
    });
}

/// Case DG-22.
#[test]
fn a_drop_ends_the_group_and_a_program_on_pipes_has_no_terminal() {
    behaviour("a_drop_ends_the_group_and_a_program_on_pipes_has_no_terminal", |driver| {
        let handle = driver.reactor.handle();
        for terminal in [false, true] {
            let script = "trap '' HUP; sleep 60 & echo $! $TERM; test -c /dev/tty; (: </dev/tty) && \
                          echo a terminal; wait";
            // Without a terminal, `TERM` is the command's business.
            let command = sh(script);
            let command =
                if terminal { command.pty(Pty::new()) } else { command.env("TERM", "mine") };
            let mut sh = start(&handle, command);
            let pid = driver.reactor.block_on(async {
                let line = sh.expect(Pattern::next_line()).within(limit()).await?;
                let wanted = if terminal { "a terminal" } else { "/dev/tty: No such device" };
                sh.expect(wanted).within(limit()).await?;
                let line = line.text().into_owned();
                assert!(line.ends_with(if terminal { " dumb" } else { " mine" }), "{line}");
                Ok::<_, DialogueError>(
                    line.split(' ').next().expect("a pid").parse().expect("a pid"),
                )
            });
            let pid = pid.unwrap_or_else(|error| panic!("{error}"));
            assert!(is_running(pid));
            drop(sh);
            driver.until("the group has ended", WATCHDOG, |_| !is_running(pid));
        }
    });
}

/// Case DG-23.
#[test]
fn both_outputs_come_in_order_unless_the_command_says_otherwise() {
    talk("both_outputs_come_in_order_unless_the_command_says_otherwise", async |handle| {
        let script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done";
        let file = || Fd::file("/dev/null", FileMode::Write);
        let all = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n";
        for (command, expected) in [
            (sh(script), all),
            (sh(script).stderr(file()), "out 1\nout 2\nout 3\n"),
            (sh(script).stdout(file()), "err 1\nerr 2\nerr 3\n"),
            (sh(script).stdout(file()).stderr(file()), ""),
        ] {
            let mut sh = start(handle, command);
            let found = sh.expect(Pattern::end()).within(limit()).await?;
            assert_eq!(found.before, expected);
            assert!(sh.ended().await.is_ok());
        }
        Ok(())
    });
}

/// Case DG-24.
#[test]
fn a_program_that_is_waited_for_may_print_as_much_as_it_likes() {
    talk("a_program_that_is_waited_for_may_print_as_much_as_it_likes", async |handle| {
        let mut sh = start(handle, sh("head -c 8000000 /dev/zero | tr '\\0' x; echo . the end"));
        let before = rss_bytes();
        assert!(sh.ended().await.is_ok());
        let grown = rss_bytes().saturating_sub(before);
        // AddressSanitizer keeps freed memory for a while.
        let counts = sanitizer().as_deref() != Some("address");
        assert!(!counts || grown < 4 << 20, "{grown} bytes more");
        assert!(sh.transcript().ends_with("x. the end\n"));
        assert!(sh.transcript().len() <= 64 * 1024);
        Ok(())
    });
}

/// Case DG-25.
#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    talk("a_wait_that_is_dropped_loses_nothing", async |handle| {
        let mut cat = start(handle, Command::new("cat"));
        for round in 0..20 {
            cat.send(format!("{round} of ")).await?;
            let dropped = cat.expect("twenty").within(ms(1)).await;
            assert!(dropped.is_err());
            drop(cat.expect("never polled"));
            cat.send("twenty;").await?;
            let found = cat.expect(";").within(limit()).await?;
            assert_eq!(found.before, format!("{round} of twenty"));
        }
        Ok(())
    });
}

/// Case DG-26.
#[test]
fn a_pattern_that_cannot_match_is_an_error_of_its_wait() {
    talk("a_pattern_that_cannot_match_is_an_error_of_its_wait", async |handle| {
        let mut cat = start(handle, Command::new("cat"));
        let empty = cat.expect("").await.unwrap_err().to_string();
        assert_eq!(empty, r#"cannot wait for "": the text is empty"#);
        let none = cat.expect_any([""; 0]).await.unwrap_err().to_string();
        assert_eq!(none, r#"cannot wait for nothing: the list of patterns is empty"#);
        #[cfg(feature = "regex")]
        for (pattern, reason) in [
            (Pattern::regex("a("), "unclosed group"),
            (Pattern::regex("a*"), "it matches the empty text, so it would match at once"),
            (procession_utils::line("[é]"), "Unicode not allowed here"),
            (procession_utils::line(r"\p{Greek}"), "Unicode not allowed here"),
            (
                Pattern::regex("((a{500}){500}){500}"),
                "heap usage during NFA compilation exceeded limit",
            ),
        ] {
            let error = cat.expect_any([pattern, "x".into()]).await.unwrap_err();
            let DialogueError::Pattern { reason: said, .. } = &error else { panic!("{error:?}") };
            assert!(said.starts_with(reason) && !said.contains('\n'), "{error}");
        }
        // Nothing has begun.
        cat.send_line("x").await?;
        cat.expect("x").within(limit()).await?;
        Ok(())
    });
}

/// Case DG-27.
#[test]
fn a_dialogue_without_its_reactor_says_so() {
    isolated("a_dialogue_without_its_reactor_says_so", || {
        let mut reactor = Reactor::new().expect("a reactor");
        let mut cat = reactor.dialogue(Command::new("cat")).expect("it starts");
        let sent = reactor.block_on(async {
            cat.send_line("x").await?;
            cat.expect("x").within(limit()).await
        });
        assert!(sent.is_ok());
        drop(reactor);
        let gone = "cannot talk to cat: the reactor is gone";
        for error in [
            futures_lite::future::block_on(async { cat.expect("x").await }).unwrap_err(),
            futures_lite::future::block_on(cat.send_line("x")).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), gone);
        }
        assert!(futures_lite::future::block_on(cat.ended()).is_err());
    });
}

/// Case DG-07.
#[test]
fn quiet_is_a_pause_of_the_program() {
    talk("quiet_is_a_pause_of_the_program", async |handle| {
        let mut cat = start(handle, Command::new("cat"));
        let since = handle.now();
        let none = cat.expect(Pattern::quiet(ms(100))).within(limit()).await?;
        assert!(none.before.is_empty() && handle.now() - since >= ms(100));
        cat.send("some").await?;
        let some = cat.expect_any([Pattern::quiet(ms(200)), "more".into()]).await?;
        assert_eq!((some.which, some.before), (0, "some".into()));
        let never = Pattern::quiet(Duration::MAX);
        cat.send("more").await?;
        cat.expect_any([never.clone(), "more".into()]).within(Duration::MAX).await?;
        let error = cat.expect(never).within(ms(50)).await.unwrap_err();
        assert!(error.to_string().contains(" without a pause of "), "{error}");
        Ok(())
    });
}

/// Case DG-08.
#[test]
fn a_loop_that_is_late_looks_at_what_has_come_before_it_judges_the_time() {
    let test = "a_loop_that_is_late_looks_at_what_has_come_before_it_judges_the_time";
    talk(test, async |handle| {
        let script = "read x; echo in time; exec sleep 60";
        let mut sh = start(handle, sh(script));
        let pid = sh.process().pid().expect("it lives");
        let (process, since) = (sh.process().clone(), handle.now());
        let mut wait = pin!(sh.expect("in time").within(ms(50)));
        assert!(poll_once(&mut wait).await.is_none());
        process.write("go\n");
        // The loop writes before its next turn.
        yield_now().await;
        // The loop stands still, beyond the limit of the wait.
        let has_printed =
            || fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n");
        while handle.now() - since < ms(150) || !has_printed() {
            assert!(handle.now() - since < WATCHDOG, "it does not print");
            thread::yield_now();
        }
        let found = wait.await?;
        assert_eq!(found.matched, "in time");
        Ok(())
    });
}

#[test]
fn another_thread_has_a_dialogue_on_the_loop_of_a_background() {
    isolated("another_thread_has_a_dialogue_on_the_loop_of_a_background", || {
        let background = Background::start().expect("a thread");
        let answer = background.call(|handle| async move {
            let mut cat = handle.dialogue(Command::new("cat")).expect("it starts");
            cat.send_line("hello").await?;
            cat.expect(Pattern::next_line()).within(limit()).await
        });
        let answer =
            answer.wait().expect("the loop runs").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer.text(), "hello");
    });
}

#[test]
fn a_signal_and_a_size_go_by_the_process() {
    talk("a_signal_and_a_size_go_by_the_process", async |handle| {
        let script = "trap 'echo interrupted' INT; stty size; until read x; do :; done; stty size; \
                          exit 4";
        let mut sh = start(handle, sh(script).pty(Pty::new().size(24, 80)));
        sh.expect("24 80\r\n").within(limit()).await?;
        sh.process().resize(50, 132).expect("a terminal");
        sh.send("\x03").await?;
        sh.expect("interrupted\r\n").within(limit()).await?;
        sh.process().signal(Signal::CONT).expect("it lives");
        sh.send_line("").await?;
        sh.expect("50 132\r\n").within(limit()).await?;
        let error = sh.ended().await.unwrap_err();
        assert_eq!(error.to_string(), r#""/bin/sh" exited with status 4"#);
        Ok(())
    });
}

#[test]
fn a_fake_child_has_a_dialogue() {
    behaviour("a_fake_child_has_a_dialogue", |driver| {
        async fn log_in(children: impl StartDialogue) -> Result<String, DialogueError> {
            let mut login = children.dialogue(Command::new("login").pty(Pty::new())).unwrap();
            login.expect("Password: ").within(limit()).await?;
            login.send_secret("open sesame").await?;
            Ok(login.expect(Pattern::next_line()).await?.text().into_owned())
        }
        let children = FakeChildren::new();
        let mut logged_in = pin!(log_in(&children));
        driver.reactor.block_on(async {
            assert!(poll_once(&mut logged_in).await.is_none());
            let (command, mut fake) = children.take().expect("a child was started");
            assert!(command.get_program() == "login" && command.is_owned());
            fake.child_writes(1, "Pass");
            fake.child_writes(1, "word: ");
            fake.turn();
            assert!(poll_once(&mut logged_in).await.is_none());
            fake.turn();
            assert_eq!(fake.written(0), "open sesame\r");
            fake.child_writes(1, "Welcome\r\n");
            fake.turn();
            let said = logged_in.await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(said, "Welcome");
        });
    });
}
