//! The protocol of a helper's child: it writes the standard input and collects the outputs.

use std::io::Read;
use std::mem;
use std::panic::resume_unwind;
use std::rc::Rc;

use bytes::Bytes;
use procession_process_transport::Command;
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol};

use crate::Stream;
use crate::job::Job;
use crate::launcher::place::Arrival;
use crate::launcher::report::REPORT_FD;
use crate::lines::Lines;
use crate::outcome::is_stopped;
use crate::reading::{Chunk, Reading};
use crate::stdin::Input;

/// What is written to the child's standard input.
enum Feed {
    /// Nothing, or nothing more. The pipe, if there is one, is closed.
    Nothing,
    Bytes(Bytes),
    Reader(Box<dyn Read + Send>),
    /// A reader on its thread. It is asked for the next chunk when the last one is written.
    Reading(Reading),
}

impl From<Input> for Feed {
    fn from(input: Input) -> Self {
        match input {
            Input::Nothing => Self::Nothing,
            Input::Bytes(data) => Self::Bytes(data),
            Input::Reader(reader) => Self::Reader(reader),
        }
    }
}

/// Reports what happens to the child to the job.
pub(crate) struct Collector {
    job: Rc<Job>,
    feed: Feed,
    /// Pipes that nobody writes to: every pipe to the child except standard input, and the parent's
    /// direction of every socketpair.
    unused: Vec<ChildFd>,
    lines: Option<Box<Lines>>,
    /// The room for the run elsewhere, until the local command has ended.
    arrival: Option<Box<Arrival>>,
}

impl Collector {
    pub(crate) fn new(
        job: Rc<Job>,
        input: Input,
        command: &Command,
        lines: Option<Box<Lines>>,
        arrival: Option<Arrival>,
    ) -> Self {
        let mut unused = command.input_fds();
        unused.retain(|number| *number != ChildFd::STDIN);
        Self { job, feed: input.into(), unused, lines, arrival: arrival.map(Box::new) }
    }

    /// Writes the next piece, or closes.
    fn feed(&mut self, process: &Process) {
        match mem::replace(&mut self.feed, Feed::Nothing) {
            Feed::Nothing => process.close_stdin(),
            Feed::Bytes(data) => {
                process.write(data);
                process.close_stdin();
            }
            Feed::Reader(reader) => self.feed = self.feed_from(reader, process),
            Feed::Reading(reading) if self.job.is_running() => {
                reading.ask();
                self.feed = Feed::Reading(reading);
            }
            Feed::Reading(_) => process.close_stdin(),
        }
    }

    /// Starts to read on a separate thread. Each chunk is written as soon as it arrives.
    fn feed_from(&self, reader: Box<dyn Read + Send>, process: &Process) -> Feed {
        let (job, child) = (Rc::clone(&self.job), process.clone());
        let begun = Reading::begin(job.reactor(), reader, {
            let job = Rc::clone(&job);
            move |chunk| on_chunk(&job, &child, chunk)
        });
        match begun {
            Ok(reading) => Feed::Reading(reading),
            Err(error) => {
                on_chunk(&job, process, Chunk::Failed(error));
                Feed::Nothing
            }
        }
    }

    /// Ends the lines of a stream that was read to its end. The last line needs no line feed.
    fn end_lines(&mut self, stream: Stream) {
        if let Some(lines) = &mut self.lines {
            self.job.on_lines_end(lines, stream);
        }
    }
}

fn on_chunk(job: &Rc<Job>, process: &Process, chunk: Chunk) {
    match chunk {
        Chunk::Data(data) if job.is_running() => return process.write(data),
        // A panic of the reader ends the run as a cancellation does: the program is terminated.
        Chunk::Panicked(panic) => {
            process.close_stdin();
            job.on_given_up();
            resume_unwind(panic);
        }
        Chunk::Failed(error) => job.on_reader_failed(error),
        Chunk::Data(_) | Chunk::End => {}
    }
    process.close_stdin();
}

impl ProcessProtocol for Collector {
    fn connection_made(&mut self, process: &Process) {
        self.job.on_started(process);
        for number in self.unused.drain(..) {
            process.shutdown_write(number);
        }
        self.feed(process);
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        let Some(stream) = Stream::of(fd) else {
            if fd == ChildFd::from(REPORT_FD) {
                self.job.on_report(&data);
            }
            return;
        };
        if !self.job.is_running() {
            return;
        }
        if let Some(lines) = &mut self.lines {
            self.job.on_line_data(lines, stream, &data);
        }
        self.job.on_data(stream, &data);
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        if fd == ChildFd::STDIN {
            // The program may close its input before it has read everything.
            self.feed = Feed::Nothing;
        }
    }

    fn child_write_buffer_drained(&mut self, process: &Process, fd: ChildFd) {
        if fd == ChildFd::STDIN {
            self.feed(process);
        }
    }

    fn process_exited(&mut self, _: &Process, _: ExitReason) {
        self.job.on_exited();
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        // This is not done when each stream closes: a stop of the reactor looks the same there, and
        // would report half a line as a whole one. After the result, the job ignores lines.
        if !is_stopped(&reason) {
            self.end_lines(Stream::Stdout);
            self.end_lines(Stream::Stderr);
        }
        let has_status = has_exited(&reason) && !self.job.has_report();
        if let Some(arrival) = self.arrival.as_mut().filter(|_| has_status) {
            arrival.on_over();
        }
        self.job.on_ended(reason);
    }
}

/// Returns whether the process has exited by itself.
fn has_exited(reason: &ExitReason) -> bool {
    match reason {
        Ok(_) => true,
        Err(terminated) => terminated.exit_code().is_some(),
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.job.on_dropped();
    }
}
