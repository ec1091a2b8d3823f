//! The other side of a contender: starts its process, asks for rounds, and ends it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

/// How long a contender may take to answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// A contender's process.
#[derive(Debug)]
pub(crate) struct Contender {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    /// The port where it listens, if it does.
    pub(crate) port: Option<u16>,
}

impl Contender {
    /// Starts a contender, and waits until it is prepared.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("no stdin")?;
        let out = BufReader::new(child.stdout.take().context("no stdout")?);
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut contender = Self { child, input, answers, port: None };
        let answer = contender.answer()?;
        let port = answer.strip_prefix("ready").with_context(|| answer.clone())?.trim();
        contender.port = if port.is_empty() { None } else { Some(port.parse()?) };
        Ok(contender)
    }

    /// Asks for a round, and returns its figure.
    pub(crate) fn round(&mut self) -> Result<f64> {
        self.go()?;
        let answer = self.answer()?;
        let value = answer.strip_prefix("value ").with_context(|| answer.clone())?;
        Ok(value.trim().parse()?)
    }

    /// Asks for a round, and does not wait: for contenders that serve.
    pub(crate) fn go(&mut self) -> Result<()> {
        Ok(self.input.write_all(b"go\n")?)
    }

    /// Lets it work for a while. An answer is an error, because it should not stop.
    pub(crate) fn let_work(&self, time: Duration) -> Result<()> {
        match self.answers.recv_timeout(time) {
            Ok(answer) => Err(anyhow!("{answer}")),
            Err(_) => Ok(()),
        }
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn answer(&self) -> Result<String> {
        let answer = self.answers.recv_timeout(PATIENCE).context("it ended or is stuck")?;
        match answer.strip_prefix("absent ") {
            Some(reason) => bail!("{reason}"),
            None => Ok(answer),
        }
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It has nothing to lose, and may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
