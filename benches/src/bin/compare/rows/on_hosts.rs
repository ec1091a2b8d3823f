//! The rows of programs on other machines: servers of ssh on this one.

use super::{BULK, MIB, Row, SPAWN, size};
use crate::machine::Processors::Any;

pub(super) const ON_HOSTS: &[Row] = &[SSH_BULK, SSH_RUN_ALL];

const SSH_BULK: Row = Row {
    id: "ssh-bulk",
    what: "over ssh: head writes there",
    processors: Any,
    limit: None,
    peers: &["ssh"],
    goals: &[("ssh", 0.95)],
    quick: size(6, 512 * MIB, 0),
    full: size(9, 1024 * MIB, 0),
    ..BULK
};

const SSH_RUN_ALL: Row = Row {
    id: "ssh-run-all",
    what: "over ssh: {crowd} times true on four hosts, four at a time on each",
    unit: "ms",
    limit: None,
    peers: &["GNU parallel"],
    // At most 1.1 of its wall time.
    goals: &[("GNU parallel", 0.91)],
    quick: size(6, 0, 200),
    full: size(6, 0, 1_000),
    ..SPAWN
};
