//! The rows of a crowd: thousands of children on one loop. Time and memory of a child are to stay the
//! same from 1,000 children to 30,000.
//!
//! All processes share one processor, so that a time contains the work of parent and child, and no
//! wake-up of another processor.

use super::{CrowdAct, Drive, Row, SPAWN, Size, size};
use crate::machine::Processors::One;

/// The most that a figure may be, as a multiple of that with 1,000 children.
const FLAT: f64 = 1.2;

const CROWD_SPAWN: Row = Row {
    id: "crowd-spawn-1k",
    what: "the spawn of {crowd} children with two pipes, each",
    drive: Drive::Crowd(CrowdAct::Spawn),
    processors: One,
    limit: None,
    peers: &["tokio"],
    goals: &[],
    quick: size(6, 0, 1_000),
    full: size(6, 0, 1_000),
    ..SPAWN
};

const CROWD_ECHO: Row = Row {
    id: "crowd-echo-1k",
    what: "one byte through each of {crowd} children and back",
    drive: Drive::Crowd(CrowdAct::Echo),
    ..CROWD_SPAWN
};

const CROWD_MEMORY: Row = Row {
    id: "crowd-memory-1k",
    what: "resident memory of the parent for each of {crowd} children",
    unit: "bytes",
    drive: Drive::Crowd(CrowdAct::Memory),
    ..CROWD_SPAWN
};

const CROWD_END: Row = Row {
    id: "crowd-end-1k",
    what: "the end of {crowd} children whose input is closed, each",
    drive: Drive::Crowd(CrowdAct::End),
    ..CROWD_SPAWN
};

/// 5,000 children are about as many as 20,000 descriptors allow.
const SIZE_5K: Size = size(6, 0, 5_000);
const SIZE_10K: Size = size(6, 0, 10_000);
/// Without peers: each spawn of tokio copies 90,000 descriptors.
const SIZE_30K: Size = size(3, 0, 30_000);

pub(super) const CROWDS: &[Row] = &[
    CROWD_SPAWN,
    CROWD_ECHO,
    CROWD_MEMORY,
    CROWD_END,
    larger("crowd-spawn-5k", &CROWD_SPAWN, SIZE_5K),
    larger("crowd-echo-5k", &CROWD_ECHO, SIZE_5K),
    larger("crowd-memory-5k", &CROWD_MEMORY, SIZE_5K),
    larger("crowd-end-5k", &CROWD_END, SIZE_5K),
    larger("crowd-spawn-10k", &CROWD_SPAWN, SIZE_10K),
    larger("crowd-echo-10k", &CROWD_ECHO, SIZE_10K),
    larger("crowd-memory-10k", &CROWD_MEMORY, SIZE_10K),
    larger("crowd-end-10k", &CROWD_END, SIZE_10K),
    Row { peers: &[], ..larger("crowd-spawn-30k", &CROWD_SPAWN, SIZE_30K) },
    Row { peers: &[], ..larger("crowd-echo-30k", &CROWD_ECHO, SIZE_30K) },
    Row { peers: &[], ..larger("crowd-memory-30k", &CROWD_MEMORY, SIZE_30K) },
    Row { peers: &[], ..larger("crowd-end-30k", &CROWD_END, SIZE_30K) },
];

/// Returns a row with more children, which is held against the row with 1,000.
const fn larger(id: &'static str, first: &Row, size: Size) -> Row {
    Row { id, allowed_of_row: Some((first.id, FLAT)), quick: size, full: size, ..*first }
}
