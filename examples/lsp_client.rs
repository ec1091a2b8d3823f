//! Talks to a language server: JSON-RPC in frames with a `Content-Length` header. Requests are matched by
//! their ids, have a time limit, and fail when the server ends; the server is then started again.
//!
//! `cargo run --example lsp_client [-- SERVER [ARGUMENT..]]`; the server is `lsp_server` by default.
//!
//! A `Server` is a protocol that others call: a handle whose clones share one state, and one of these clones
//! is the protocol's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use procession::prelude::*;
use procession::{FrameReceiver, Framing, SpawnError, WriteError};
use serde_json::{Value, json};

/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a server that has ended is left alone before it is started again.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
enum LspError {
    #[error("the server ended: {0}")]
    Ended(String),
    #[error("the server refused it: {0}")]
    Refused(Value),
    #[error("the server is not running: {0}")]
    NotRunning(#[from] WriteError),
}

/// A language server that is kept running. Its clones are the same server.
#[derive(Clone)]
struct Server(Rc<RefCell<State>>);

struct State {
    command: Command,
    process: Option<Process>,
    next_id: u64,
    waiting: BTreeMap<u64, Promise<Value, LspError>>,
    starts: u32,
    /// It is to end.
    is_over: bool,
}

impl Server {
    fn start(command: Command) -> Result<Self, SpawnError> {
        let server = Self(Rc::new(RefCell::new(State {
            command,
            process: None,
            next_id: 1,
            waiting: BTreeMap::new(),
            starts: 0,
            is_over: false,
        })));
        server.spawn()?;
        Ok(server)
    }

    fn spawn(&self) -> Result<(), SpawnError> {
        let command = self.0.borrow().command.clone();
        let frames = FrameReceiver::new(Framing::ContentLength);
        Handle::current().spawn_process(Wire { server: self.clone(), frames }, command)?;
        Ok(())
    }

    /// Sends a request. Giving its result up tells the server.
    fn request(&self, method: &str, params: Value) -> Deferred<Value, LspError> {
        let (promise, result) = Deferred::new();
        let id = self.0.borrow().next_id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        if let Err(error) = self.send(&request) {
            return Deferred::ready(Err(error.into()));
        }
        let server = self.clone();
        promise.on_cancel(move || {
            server.0.borrow_mut().waiting.remove(&id);
            let cancel =
                json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id}});
            server.send(&cancel).ok(); // it may have ended
        });
        let mut state = self.0.borrow_mut();
        state.next_id += 1;
        state.waiting.insert(id, promise);
        result.timeout(PATIENCE)
    }

    fn send(&self, message: &Value) -> Result<(), WriteError> {
        let process = self.0.borrow().process.clone().ok_or(WriteError::Closed)?;
        // Its length is a decimal number, and no length is too large for one.
        let frame = Framing::ContentLength.frame(message.to_string()).unwrap_or_default();
        process.try_write(frame)
    }

    fn on_message(&self, message: &Value) {
        let id = message["id"].as_u64();
        let waiting = id.and_then(|id| self.0.borrow_mut().waiting.remove(&id));
        // Nothing is borrowed while a promise runs the code that waits for it.
        match (waiting, message.get("error")) {
            (Some(promise), None) => promise.complete(Ok(message["result"].clone())),
            (Some(promise), Some(error)) => promise.complete(Err(LspError::Refused(error.clone()))),
            // It was given up, or is a notification.
            (None, _) => {}
        }
    }

    fn on_ended(&self, reason: &ExitReason) {
        let (waiting, is_over) = {
            let mut state = self.0.borrow_mut();
            state.process = None;
            (std::mem::take(&mut state.waiting), state.is_over)
        };
        let why = reason.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        for promise in waiting.into_values() {
            promise.complete(Err(LspError::Ended(why.clone())));
        }
        if !is_over {
            let server = self.clone();
            Handle::current().call_later(PAUSE, move |_| {
                if let Err(error) = server.spawn() {
                    eprintln!("lsp_client: {error}");
                }
            });
        }
    }

    /// Waits until it runs.
    async fn running(&self) {
        while self.0.borrow().process.is_none() {
            Handle::current().sleep(PAUSE).await;
        }
    }
}

/// The protocol: it has a clone of the server, and the part of a frame that has come.
struct Wire {
    server: Server,
    frames: FrameReceiver,
}

impl ProcessProtocol for Wire {
    fn connection_made(&mut self, process: &Process) {
        let mut state = self.server.0.borrow_mut();
        state.process = Some(process.clone());
        state.starts += 1;
    }

    fn out_received(&mut self, process: &Process, data: Bytes) {
        self.frames.on_data(data);
        while let Some(frame) = self.frames.poll() {
            let message = frame.ok().and_then(|frame| serde_json::from_slice::<Value>(&frame).ok());
            match message {
                Some(message) => self.server.on_message(&message),
                // Nothing tells where the next message begins.
                None => drop(process.terminate(Signal::TERM, PAUSE)),
            }
        }
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.server.on_ended(&reason);
    }
}

async fn talk(command: Command) -> Result<()> {
    let server = Server::start(command)?;
    let hello = server.request("initialize", json!({})).await?;
    println!("talks to {}", hello["name"]);

    // Two requests at a time; the first is answered after the second.
    let (late, sum) = (server.request("later", json!([])), server.request("add", json!([2, 3])));
    println!("2 + 3 = {}", sum.await?);
    println!("the other one: {}", late.await?);

    let sleeps = server.request("sleep", json!([])).await;
    println!("sleep: {}", sleeps.err().context("it is never answered")?);

    let crash = server.request("crash", json!([])).await;
    println!("crash: {}", crash.err().context("it is never answered")?);
    server.running().await;
    let sum = server.request("add", json!([20, 22])).await?;
    println!("after start {}: 20 + 22 = {sum}", server.0.borrow().starts);

    server.0.borrow_mut().is_over = true;
    let process = server.0.borrow().process.clone().context("it runs")?;
    server.request("shutdown", json!([])).await?;
    let ended = process.ended().await?;
    println!("the server ended: {}", ended.is_ok());
    Ok(())
}

fn run() -> Result<()> {
    let mut words = env::args_os().skip(1);
    let command = match words.next() {
        Some(program) => Command::new(program).args(words),
        None => Command::new(env::current_exe()?.with_file_name("lsp_server")),
    };
    let command = command.stderr(Fd::inherit(std::io::stderr())).owned(true);
    Reactor::new()?.run_main(talk(command))?;
    Ok(())
}

fn main() -> ExitCode {
    procession_examples::end("lsp_client", run())
}
