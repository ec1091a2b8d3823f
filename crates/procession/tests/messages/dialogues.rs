//! Errors of dialogues.

use std::time::Duration;

use procession::{
    Command, Dialogue, DialogueError, Expect, Handle, Pty, Reactor, StartDialogue, WriteError,
};

use crate::{Row, row};

fn start(script: &str) -> Dialogue {
    let sh = Command::new("sh").args(["-c", script]);
    Handle::current().dialogue(sh).expect("a shell")
}

async fn fails(wait: Expect<'_>) -> DialogueError {
    wait.await.expect_err("there is no match")
}

pub(crate) fn rows() -> Vec<Row> {
    let mut reactor = Reactor::new().expect("a reactor");
    let (mut rows, mut left) = reactor.block_on(async {
        let script = "printf 'login: '; exec cat";
        let mut sh = start(script);
        let pattern = fails(sh.expect("")).await;
        let timeout = fails(sh.expect("password: ").within(Duration::from_millis(300))).await;
        let mut long = start(script);
        long.set_max_held_bytes(4);
        let long = fails(long.expect("password: ")).await;
        let ended = fails(start("echo no terminal; exit 3").expect("login: ")).await;
        let mut closed = start("exec 0<&-; echo closed; exec sleep 60");
        closed.expect("closed").await.expect("it prints that");
        let text = vec![0; 1 << 20];
        let closed = closed.send(text).await.expect_err("nobody reads");
        let DialogueError::Write { error: WriteError::Closed, .. } = &closed else {
            panic!("{closed:?}")
        };
        let cat = Command::new("cat").pty(Pty::new());
        let mut cat = Handle::current().dialogue(cat).expect("it is there");
        let echoes = cat.send_secret("x").await.expect_err("it echoes");
        let rows = vec![
            row("DialogueError::Pattern", &pattern, "cannot wait for \"\": the text is empty"),
            row(
                "DialogueError::TimedOut",
                &timeout,
                "sh -c 'printf '\\''login: '\\''; exec cat' timed out after N s without \
                 \"password: \": login:",
            ),
            row(
                "DialogueError::TooLong",
                &long,
                "sh -c 'printf '\\''login: '\\''; exec cat' printed more than 4 bytes without \
                 \"password: \": login:",
            ),
            row(
                "DialogueError::Ended",
                &ended,
                "sh -c 'echo no terminal; exit 3' exited with status 3 without \"login: \": \
                 no terminal",
            ),
            row(
                "DialogueError::Write",
                &closed,
                "cannot write to sh -c 'exec 0<&-; echo closed; exec sleep 60': the descriptor is \
                 closed for writing: closed",
            ),
            row(
                "DialogueError::Echoes",
                &echoes,
                "cat asked for no secret: it was not sent, because the terminal would show it",
            ),
        ];
        (rows, sh)
    });
    drop(reactor);
    let gone = futures_lite::future::block_on(fails(left.expect("x")));
    let text = "cannot talk to sh -c 'printf '\\''login: '\\''; exec cat': the reactor is gone";
    rows.push(row("DialogueError::ReactorGone", &gone, text));
    rows
}
