//! A small server for `lsp_client`: JSON-RPC in frames with a `Content-Length` header, on standard input and
//! output.
//!
//! It answers `initialize`, `add` (two numbers) and `shutdown`. It never answers `sleep`, answers `later` after
//! the request that follows, and ends at `crash`.

use std::io;
use std::process::{self, ExitCode};

use procession::prelude::*;
use procession::{FrameReceiver, Framing};
use serde_json::{Value, json};

struct Server {
    frames: FrameReceiver,
    /// Requests that are answered after the next one.
    later: Vec<Value>,
}

impl Server {
    fn take_messages(&mut self, transport: &Transport) {
        while let Some(frame) = self.frames.poll() {
            let message = frame.map_err(io::Error::from);
            match message.and_then(|frame| Ok(serde_json::from_slice::<Value>(&frame)?)) {
                Ok(message) => self.on_message(transport, &message),
                Err(error) => {
                    eprintln!("lsp_server: {error}");
                    return transport.lose_connection();
                }
            }
        }
    }

    fn on_message(&mut self, transport: &Transport, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str() {
            Some("initialize") => answer(transport, &message["id"], json!({"name": "lsp_server"})),
            Some("add") => {
                let sum = params[0].as_i64().zip(params[1].as_i64()).map(|(a, b)| a + b);
                answer(transport, &message["id"], json!(sum));
            }
            Some("later") => return self.later.push(message["id"].clone()),
            Some("crash") => process::exit(3),
            Some("shutdown") => {
                answer(transport, &message["id"], Value::Null);
                transport.lose_connection();
            }
            // `sleep`, and notifications.
            _ => {}
        }
        for id in self.later.drain(..) {
            answer(transport, &id, json!("late"));
        }
    }
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        self.frames.on_data(data);
        self.take_messages(transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.frames.on_end();
        self.take_messages(transport);
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
        Handle::current().stop();
    }
}

fn answer(transport: &Transport, id: &Value, result: Value) {
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    // Only a length of one, two or four bytes can be too small for a content.
    if let Ok(frame) = Framing::ContentLength.frame(answer) {
        transport.write(frame);
    }
}

fn serve() -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    let frames = FrameReceiver::new(Framing::ContentLength).max_length(1 << 20);
    reactor.stdio(Server { frames, later: Vec::new() })?;
    reactor.run().map(drop)
}

fn main() -> ExitCode {
    procession_examples::end("lsp_server", serve())
}
