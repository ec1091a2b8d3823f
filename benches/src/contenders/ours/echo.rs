//! One byte to `cat` and back.

use std::convert::Infallible;
use std::rc::Rc;

use anyhow::Result;
use procession::driver::core::WithCell;
use procession::prelude::*;

use super::crowd::Crowd;
use crate::clock::Stopwatch;
use crate::job::{Job, Ready};

/// Makes round trips beside the row's crowd of idle children. Returns microseconds.
pub(super) fn one_byte(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let crowd = Crowd::start(&reactor, job)?;
    let echo = Echo { left: 0, done: None };
    let state = Rc::new(WithCell::new(echo));
    let protocol = Shared(Rc::clone(&state));
    let cat = reactor.spawn_process(protocol, Command::new("cat"))?;
    let count = job.count;
    Ok(Ready::rounds(move || {
        let _held = &crowd;
        let (done, result) = Deferred::<(), Infallible>::new();
        state.with(|echo| *echo = Echo { left: count, done: Some(done) });
        let watch = Stopwatch::start();
        cat.write("x");
        reactor.block_on(result)?;
        Ok(watch.micros_each(count))
    }))
}

struct Echo {
    left: u64,
    done: Option<Promise<(), Infallible>>,
}

struct Shared(Rc<WithCell<Echo>>);

impl ProcessProtocol for Shared {
    fn out_received(&mut self, process: &Process, data: Bytes) {
        let last = self.0.with(|echo| {
            echo.left -= 1;
            (echo.left == 0).then(|| echo.done.take())
        });
        match last.flatten() {
            Some(done) => done.complete(Ok(())),
            None => process.write(data),
        }
    }
}
