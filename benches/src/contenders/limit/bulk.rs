//! Bytes by blocking reads, writes and splices, over pipes as large as any user may make them.

use std::io::{BufRead, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};

use crate::contenders::rounds;
use crate::job::{Job, Ready};

const MIB: usize = 1 << 20;
/// The size of a read's buffer.
const BUFFER_BYTES: usize = 256 << 10;
const PAGE_BYTES: usize = 4096;

/// Reads in a loop. Writers of 4 KiB get the kernel's default pipe size, with which the pages stay
/// in the cache.
pub(super) fn from_child(job: &Job) -> Result<Ready> {
    let mut memory = vec![0; BUFFER_BYTES + PAGE_BYTES];
    rounds::bulk(job, move |job| {
        let mut child = flood(job)?;
        let mut out = child.stdout.take().context("no stdout")?;
        if job.row != "bulk-out-4k" {
            grow(&out);
        }
        let received = rounds::read_all(&mut out, page_aligned(&mut memory))?;
        ensure!(child.wait()?.success(), "the child failed");
        Ok(received)
    })
}

/// Reads in a loop, and looks for the end of each line.
pub(super) fn lines(job: &Job) -> Result<Ready> {
    let mut memory = vec![0; BUFFER_BYTES + PAGE_BYTES];
    rounds::lines(job, move |job| {
        let mut program = Command::new(job.program("lines"));
        let mut child = program.args(job.lines_args()).stdout(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().context("no stdout")?;
        grow(&out);
        let buffer = page_aligned(&mut memory);
        let (mut lines, mut bytes) = (0, 0);
        loop {
            let mut rest: &[u8] = match out.read(buffer)? {
                0 => break,
                received => &buffer[..received],
            };
            while !rest.is_empty() {
                let line = rest;
                let taken = rest.skip_until(b'\n')?;
                lines += u64::from(line[..taken].ends_with(b"\n"));
                bytes += taken as u64;
            }
        }
        ensure!(child.wait()?.success(), "the child failed");
        Ok((lines, bytes - lines))
    })
}

/// Writes on one thread, and reads on another.
pub(super) fn through_cat(job: &Job) -> Result<Ready> {
    let (count, program) = (job.count, job.program("cat"));
    let mut memory = vec![0; BUFFER_BYTES + PAGE_BYTES];
    rounds::bulk(job, move |_| {
        let mut cat =
            Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, out) = (cat.stdin.take(), cat.stdout.take());
        let (mut input, mut out) = (input.context("no stdin")?, out.context("no stdout")?);
        grow(&input);
        grow(&out);
        let writer = thread::spawn(move || {
            let chunk = vec![b'x'; 128 << 10];
            let times = count / chunk.len() as u64;
            (0..times).try_for_each(|_| input.write_all(&chunk))
        });
        let received = rounds::read_all(&mut out, page_aligned(&mut memory))?;
        writer.join().map_err(|_| anyhow!("the writing thread panicked"))??;
        ensure!(cat.wait()?.success(), "cat failed");
        Ok(received)
    })
}

/// Splices in a loop. Returns gigabytes per second.
pub(super) fn forward(job: &Job) -> Result<Ready> {
    rounds::bulk(job, move_all)
}

/// Does the same. Returns milliseconds of processor time per gigabyte.
pub(super) fn forward_cpu(job: &Job) -> Result<Ready> {
    rounds::bulk_cpu(job, move_all)
}

fn move_all(job: &Job) -> Result<u64> {
    let mut sink = Command::new(job.program("sink")).stdin(Stdio::piped()).spawn()?;
    let mut flood = flood(job)?;
    let (input, out) = (sink.stdin.take(), flood.stdout.take());
    let (input, out) = (input.context("no stdin")?, out.context("no stdout")?);
    grow(&input);
    grow(&out);
    let mut moved = 0;
    loop {
        match splice(&out, None, &input, None, MIB, SpliceFlags::MOVE)? {
            0 => break,
            bytes => moved += bytes as u64,
        }
    }
    drop(input);
    ensure!(flood.wait()?.success() && sink.wait()?.success(), "a child failed");
    Ok(moved)
}

fn flood(job: &Job) -> Result<Child> {
    let mut flood = Command::new(job.program("flood"));
    Ok(flood.args(job.flood_args()).stdout(Stdio::piped()).spawn()?)
}

fn grow(pipe: impl AsFd) {
    // This is refused if the user's share of pipe memory is used up. The pipe then keeps its size.
    fcntl_setpipe_size(pipe, MIB).ok();
}

/// Returns a page-aligned part of the memory: a copy out of a pipe to an address 16 bytes after a
/// page's beginning has half the speed.
fn page_aligned(memory: &mut [u8]) -> &mut [u8] {
    let start = memory.as_ptr().align_offset(PAGE_BYTES);
    &mut memory[start..start + BUFFER_BYTES]
}
