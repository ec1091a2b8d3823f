//! The rows of procession under a runtime of tokio: children of that runtime (procession-tokio), and
//! a loop on a thread of its own (`Background`).

use super::{BULK, Drive, MIB, Row, SPAWN, size};
use crate::machine::Processors::{Any, One};

pub(super) const ON_TOKIO: &[Row] = &[
    TOKIO_SPAWN,
    TOKIO_SPAWN_ANY,
    TOKIO_SPAWN_512M,
    TOKIO_BULK,
    TOKIO_BULK_MULTI,
    TOKIO_ECHO,
    BACKGROUND_RUN,
    BACKGROUND_RUN_STATIC,
    BACKGROUND_RUN_64,
    BACKGROUND_RUN_64_MULTI,
];

const AGAINST_TOKIO: Row = Row { limit: None, peers: &["tokio"], goals: &[], ..SPAWN };

/// On one processor the time is the processor time of parent and child together.
const TOKIO_SPAWN: Row = Row {
    id: "tokio-spawn",
    what: "on tokio, one processor: a program that only exits, three pipes, spawn and wait",
    processors: One,
    goals: &[("tokio", 1.1)],
    ..AGAINST_TOKIO
};

const TOKIO_SPAWN_ANY: Row = Row {
    id: "tokio-spawn-any",
    what: "the same on any processor",
    processors: Any,
    goals: &[],
    ..TOKIO_SPAWN
};

const TOKIO_SPAWN_512M: Row = Row {
    id: "tokio-spawn-512m",
    what: "the same with 512 MiB resident in pages of 4 KiB, an fd map and a new session",
    drive: Drive::WarmFreshRounds,
    goals: &[("tokio", 50.0)],
    quick: size(6, 4, 512),
    full: size(11, 10, 512),
    ..TOKIO_SPAWN_ANY
};

const TOKIO_BULK: Row = Row {
    id: "tokio-bulk",
    what: "on tokio, one thread: a child writes chunks of 128 KiB, on another processor",
    limit: None,
    peers: &["tokio"],
    goals: &[],
    quick: size(15, 128 * MIB, 0),
    full: size(15, 1024 * MIB, 0),
    ..BULK
};

const TOKIO_BULK_MULTI: Row = Row {
    id: "tokio-bulk-multi",
    what: "the same in a task of a runtime with two threads",
    processors: Any,
    goals: &[("tokio", 1.2)],
    ..TOKIO_BULK
};

const TOKIO_ECHO: Row = Row {
    id: "tokio-echo",
    what: "on tokio: one byte through cat and back",
    quick: size(41, 500, 0),
    full: size(151, 1_000, 0),
    ..AGAINST_TOKIO
};

const BACKGROUND_RUN: Row = Row {
    id: "background-run",
    what: "the output of true for a task of tokio, by a loop on a thread of its own",
    quick: size(31, 6, 1),
    full: size(101, 10, 1),
    ..AGAINST_TOKIO
};

const BACKGROUND_RUN_STATIC: Row = Row {
    id: "background-run-static",
    what: "the same with a static program that only exits",
    quick: size(41, 10, 1),
    full: size(151, 20, 1),
    ..BACKGROUND_RUN
};

const BACKGROUND_RUN_64: Row = Row {
    id: "background-run-64",
    what: "the same, {crowd} at once, each",
    goals: &[("tokio", 1.5)],
    quick: size(15, 1, 64),
    full: size(51, 2, 64),
    ..BACKGROUND_RUN
};

const BACKGROUND_RUN_64_MULTI: Row = Row {
    id: "background-run-64-multi",
    what: "the same, {crowd} at once, for a runtime with two threads, each",
    goals: &[],
    ..BACKGROUND_RUN_64
};
