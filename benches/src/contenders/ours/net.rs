//! A TCP server that sends back what it receives.

use anyhow::{Context, Result};
use procession::prelude::*;

use crate::job::{Job, Ready};

/// Listens on loopback, and serves until the process is killed.
pub(super) fn echo_server(_: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let listener = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
    let port = listener.port().context("no port")?;
    Ok(Ready::server(port, move || {
        let _held = &listener;
        reactor.run()?;
        Ok(0.0)
    }))
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        transport.write(data);
    }
}
