//! The protocol of a helper's child: feeds its standard input, collects its outputs.

use crate::Stream;
use crate::job::Job;
use crate::lines::Lines;
use crate::outcome::is_stopped;
use bytes::Bytes;
use procession_process_transport::Command;
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol};
use std::io::{ErrorKind, Read};
use std::mem;
use std::rc::Rc;

/// How much of a reader is held in memory, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What is written to the child's standard input.
pub(crate) enum Feed {
    /// Nothing, or nothing more; the pipe, if there is one, is closed.
    Nothing,
    Bytes(Bytes),
    Reader(Box<dyn Read>),
}

/// Passes what happens to the child on to the job.
pub(crate) struct Collector {
    job: Rc<Job>,
    feed: Feed,
    /// What is written to nobody: every pipe to the child, but standard input, and the parent's
    /// direction of every socketpair.
    unused: Vec<ChildFd>,
    lines: Option<Lines>,
}

impl Collector {
    pub(crate) fn new(job: Rc<Job>, feed: Feed, command: &Command, lines: Option<Lines>) -> Self {
        let inputs = command.input_fds().into_iter();
        let unused = inputs.filter(|number| *number != ChildFd::STDIN).collect();
        Self { job, feed, unused, lines }
    }

    /// Writes the next piece, or closes.
    fn feed(&mut self, process: &Process) {
        match mem::replace(&mut self.feed, Feed::Nothing) {
            Feed::Nothing => process.close_stdin(),
            Feed::Bytes(data) => {
                process.write(data);
                process.close_stdin();
            }
            Feed::Reader(reader) => self.feed_from(reader, process),
        }
    }

    fn feed_from(&mut self, mut reader: Box<dyn Read>, process: &Process) {
        if !self.job.is_running() {
            return process.close_stdin();
        }
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = loop {
            match reader.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        if !self.job.is_running() {
            return process.close_stdin(); // the reader has given it up
        }
        match read {
            Ok(0) => process.close_stdin(),
            Ok(n) => {
                chunk.truncate(n);
                process.write(chunk);
                self.feed = Feed::Reader(reader);
            }
            Err(error) => {
                process.close_stdin();
                self.job.on_reader_failed(error);
            }
        }
    }

    /// The stream is read to its end: its last line need not end.
    fn end_lines(&mut self, stream: Stream) {
        if let Some(lines) = &mut self.lines {
            lines.on_end(stream);
            self.deliver_lines(stream);
        }
    }

    fn deliver_lines(&mut self, stream: Stream) {
        while let Some(line) = self.lines.as_mut().and_then(|lines| lines.poll(stream)) {
            self.job.on_line(line);
        }
    }
}

fn stream(fd: ChildFd) -> Option<Stream> {
    match fd {
        ChildFd::STDOUT => Some(Stream::Stdout),
        ChildFd::STDERR => Some(Stream::Stderr),
        _ => None,
    }
}

impl ProcessProtocol for Collector {
    fn connection_made(&mut self, process: &Process) {
        self.job.on_started(process);
        for number in self.unused.drain(..) {
            process.shutdown_child_fd(number);
        }
        self.feed(process);
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        let Some(stream) = stream(fd) else { return };
        if !self.job.is_running() {
            return;
        }
        if let Some(lines) = &mut self.lines {
            lines.on_data(stream, data.clone());
            self.deliver_lines(stream);
        }
        self.job.on_data(stream, &data);
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        if fd == ChildFd::STDIN {
            // The program need not read all that it is given.
            self.feed = Feed::Nothing;
        }
    }

    fn child_write_buffer_drained(&mut self, process: &Process, fd: ChildFd) {
        if fd == ChildFd::STDIN {
            self.feed(process);
        }
    }

    fn process_exited(&mut self, process: &Process, _: ExitReason) {
        self.job.on_exited(process);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        // Not at the loss of each: a stop of the reactor looks the same there, and half a line is
        // none. A job that is over hears no line.
        if !is_stopped(&reason) {
            self.end_lines(Stream::Stdout);
            self.end_lines(Stream::Stderr);
        }
        self.job.on_ended(reason);
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.job.on_dropped();
    }
}
