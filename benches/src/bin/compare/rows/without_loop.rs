//! The rows of children without a loop: `Command::spawn` and blocking calls, against libraries that block.

use super::{Row, SPAWN, size};

pub(super) const WITHOUT_LOOP: &[Row] = &[
    BLOCKING_SPAWN,
    Row {
        id: "blocking-capture",
        what: "without a loop: the output of true",
        quick: size(31, 6, 0),
        full: size(101, 10, 0),
        ..BLOCKING_SPAWN
    },
    Row {
        id: "blocking-capture-static",
        what: "without a loop: the output of a static program that only exits",
        peers: &["std"],
        ..BLOCKING_SPAWN
    },
    Row {
        id: "blocking-echo",
        what: "without a loop: one byte through cat and back",
        peers: &["std"],
        quick: size(41, 500, 0),
        full: size(151, 1_000, 0),
        ..BLOCKING_SPAWN
    },
];

const BLOCKING_SPAWN: Row = Row {
    id: "blocking-spawn",
    what: "without a loop: a static program that only exits, three pipes, read to the end",
    limit: None,
    peers: &["std", "subprocess", "duct"],
    goals: &[],
    ..SPAWN
};
