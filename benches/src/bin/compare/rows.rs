//! The rows: what is measured, the contenders, the amount of work, and the goals.

mod crowd;
mod on_hosts;
mod on_tokio;
mod without_loop;

use crate::figures::Better;
use crate::figures::Better::{Less, More};
use crate::machine::Processors::{self, Any, One, Two};

/// How the figure of a row is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drive {
    /// The contender measures itself.
    Rounds,
    /// The same, with a new process for each round, and no other process beside it.
    FreshRounds,
    /// The same, but the second round of each process counts.
    WarmFreshRounds,
    /// The contender measures the life of a crowd, with a new process for each round. The rows of a
    /// crowd share these processes.
    Crowd(CrowdAct),
    /// The contender serves, and a client here measures.
    Tcp,
    /// The contender does nothing, and its wake-ups are counted.
    WakeUps,
}

impl Drive {
    /// Returns whether each round has a new process.
    pub(crate) fn is_fresh(self) -> bool {
        matches!(self, Self::FreshRounds | Self::WarmFreshRounds | Self::Crowd(_))
    }

    /// Returns how many figures one round has, and which of them is that of the row.
    pub(crate) fn figures(self) -> (usize, usize) {
        match self {
            Self::Crowd(act) => (CrowdAct::COUNT, act as usize),
            _ => (1, 0),
        }
    }
}

/// What happens to a crowd, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrowdAct {
    Spawn,
    Echo,
    Memory,
    End,
}

impl CrowdAct {
    const COUNT: usize = 4;

    /// Returns the name of its figure.
    #[cfg(feature = "peers")]
    pub(crate) fn noun(self) -> &'static str {
        ["spawn", "echo", "memory", "end"][self as usize]
    }
}

/// The amount of work. See `Job` for the last two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: u32,
    pub(crate) count: u64,
    pub(crate) crowd: u64,
}

/// One row of the comparison.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    /// The text for the tables. `{crowd}` stands for the size of the crowd, if the row measures
    /// that.
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) drive: Drive,
    pub(crate) processors: Processors,
    /// What the limit consists of, or `None` if a row has no limit but 0.
    pub(crate) limit: Option<&'static str>,
    pub(crate) peers: &'static [&'static str],
    /// The goals beside that of every row: how many times better than a peer procession is to be.
    pub(crate) goals: &'static [(&'static str, f64)],
    /// The most that procession's own figure may be.
    pub(crate) allowed: Option<f64>,
    /// The most that the figure may be, as a multiple of another row's figure.
    pub(crate) allowed_of_row: Option<(&'static str, f64)>,
    pub(crate) quick: Size,
    pub(crate) full: Size,
}

impl Row {
    /// Returns the amount of work.
    pub(crate) fn size(&self, quick: bool) -> Size {
        if quick { self.quick } else { self.full }
    }

    /// Returns what is measured, with the numbers of this size.
    pub(crate) fn what(&self, size: Size) -> String {
        self.what.replace("{crowd}", &grouped(&size.crowd.to_string()))
    }

    /// Returns whether the same processes measure this row and another one.
    pub(crate) fn shares_processes(&self, other: &Self) -> bool {
        let crowds = matches!((self.drive, other.drive), (Drive::Crowd(_), Drive::Crowd(_)));
        crowds && self.full.crowd == other.full.crowd
    }

    /// Returns how many children a contender has, if they are so many that processes may be lacking.
    pub(crate) fn children(&self, size: Size) -> u64 {
        if matches!(self.drive, Drive::Crowd(_)) { size.crowd } else { 0 }
    }

    /// Returns the most descriptors that a contender has open.
    pub(crate) fn descriptors(&self, size: Size) -> u64 {
        match self.id {
            _ if self.children(size) > 0 => 3 * size.crowd + 64,
            "spawn-18k" | "spawn-rate-2-3k" => size.crowd + 64,
            "spawn-5k" | "echo-5k" | "exit-storm" | "memory-per-child" => 2 * size.crowd + 64,
            "tcp-echo-1k" => size.crowd + 64,
            _ => 256,
        }
    }
}

/// Puts a comma between groups of three digits.
pub(crate) fn grouped(digits: &str) -> String {
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

const fn size(rounds: u32, count: u64, crowd: u64) -> Size {
    Size { rounds, count, crowd }
}

const MIB: u64 = 1 << 20;
const PLAIN_LOOP: Option<&str> = Some("the same system calls in a plain loop");

const SPAWN: Row = Row {
    id: "spawn",
    what: "a static program that only exits, three pipes, read to the end",
    unit: "µs",
    better: Less,
    drive: Drive::Rounds,
    processors: Any,
    limit: PLAIN_LOOP,
    peers: &[
        "tokio",
        "std",
        "async-process",
        "processkit",
        "command-fds",
        "subprocess",
        "duct",
        "Twisted",
        "asyncio",
        "Node",
        "Go",
    ],
    goals: &[("tokio", 1.05), ("Twisted", 1.3)],
    allowed: None,
    allowed_of_row: None,
    quick: size(41, 10, 0),
    full: size(151, 20, 0),
};

const BULK: Row = Row {
    id: "bulk-out-128k",
    what: "a child writes chunks of 128 KiB, on another processor",
    unit: "GB/s",
    better: More,
    drive: Drive::Rounds,
    processors: Two,
    limit: Some("blocking reads of a pipe of 1 MiB"),
    peers: &["tokio", "std", "async-process", "Twisted", "asyncio", "Node", "Go"],
    goals: &[("tokio", 2.2), ("Twisted", 2.0)],
    allowed: None,
    allowed_of_row: None,
    quick: size(15, 128 * MIB, 0),
    full: size(15, 1024 * MIB, 0),
};

const TCP: Row = Row {
    id: "tcp-echo-1",
    what: "64 bytes over one connection of loopback and back",
    unit: "µs",
    better: Less,
    drive: Drive::Tcp,
    processors: One,
    limit: Some("epoll_wait, read and write"),
    peers: &["tokio", "calloop", "Twisted", "asyncio", "Node"],
    goals: &[("Twisted", 2.0)],
    allowed: None,
    allowed_of_row: None,
    quick: size(41, 500, 1),
    full: size(151, 1_000, 1),
};

/// Returns all rows, in the order of the table.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let groups =
        [ROWS, without_loop::WITHOUT_LOOP, crowd::CROWDS, on_tokio::ON_TOKIO, on_hosts::ON_HOSTS];
    groups.into_iter().flatten()
}

/// Returns the row with an id.
pub(crate) fn with_id(id: &str) -> Option<&'static Row> {
    all().find(|row| row.id == id)
}

const ROWS: &[Row] = &[
    SPAWN,
    Row {
        id: "spawn-1g",
        what: "the same with 1 GiB resident in pages of 4 KiB, an fd map and a new session",
        peers: &[
            "tokio",
            "std",
            "command-fds",
            "portable-pty",
            "pty-process",
            "Twisted",
            "asyncio",
            "Node",
            "Go",
        ],
        goals: &[("tokio", 50.0), ("command-fds", 50.0), ("portable-pty", 50.0), ("Twisted", 10.0)],
        // One process at a time: a machine may lack 1 GiB for each of them.
        drive: Drive::WarmFreshRounds,
        quick: size(6, 4, 1024),
        full: size(11, 10, 1024),
        ..SPAWN
    },
    Row {
        id: "spawn-18k",
        what: "the same with 18,000 descriptors open",
        peers: &[
            "procession (late mailbox)",
            "tokio",
            "std",
            "async-process",
            "command-fds",
            "subprocess",
            "duct",
            "Twisted",
            "asyncio",
        ],
        goals: &[("tokio", 10.0), ("Twisted", 10.0)],
        quick: size(21, 5, 18_000),
        full: size(51, 10, 18_000),
        ..SPAWN
    },
    Row {
        id: "spawn-5k",
        what: "the same with 5,000 children alive",
        peers: &["tokio", "std", "async-process"],
        goals: &[("tokio", 3.0)],
        quick: size(21, 8, 5_000),
        full: size(51, 20, 5_000),
        ..SPAWN
    },
    Row {
        id: "spawn-pty",
        what: "a static program that only exits, on a terminal, read to the end",
        peers: &["portable-pty", "pty-process"],
        goals: &[("portable-pty", 1.2), ("pty-process", 1.2)],
        ..SPAWN
    },
    Row {
        id: "spawn-stall",
        what: "a call of the loop for a spawn (off the loop: also the turn in which the child \
               arrives), in nine of ten cases",
        limit: None,
        peers: &["tokio", "std", "async-process"],
        goals: &[],
        allowed: Some(15.0),
        ..SPAWN
    },
    Row {
        id: "spawn-loop-cpu",
        what: "processor time of these calls for a child",
        limit: None,
        peers: &[],
        goals: &[],
        allowed: Some(12.0),
        ..SPAWN
    },
    Row {
        id: "spawn-rate-2",
        what: "children per second, two at a time",
        unit: "/s",
        better: More,
        limit: None,
        peers: &["tokio", "std", "async-process", "Twisted", "asyncio", "Node"],
        goals: &[],
        quick: size(31, 30, 0),
        full: size(101, 60, 0),
        ..SPAWN
    },
    Row {
        id: "spawn-rate-2-3k",
        what: "the same with 3,000 descriptors open",
        unit: "/s",
        better: More,
        limit: None,
        peers: &["std"],
        goals: &[("std", 1.5)],
        quick: size(31, 30, 3_000),
        full: size(101, 60, 3_000),
        ..SPAWN
    },
    BULK,
    Row {
        id: "bulk-out-4k",
        what: "a child writes chunks of 4 KiB, on another processor",
        limit: Some("blocking reads of a pipe of 64 KiB"),
        goals: &[("Twisted", 2.0)],
        ..BULK
    },
    Row {
        id: "bulk-cat",
        what: "through a cat on another processor and back",
        limit: Some("two threads, blocking, pipes of 1 MiB"),
        peers: &["tokio", "Twisted", "asyncio", "Node", "Go"],
        goals: &[("tokio", 1.3), ("Twisted", 2.0)],
        ..BULK
    },
    Row {
        id: "bulk-out-one-cpu",
        what: "a child writes chunks of 128 KiB, on the same processor",
        processors: One,
        peers: &["tokio", "std"],
        goals: &[],
        quick: size(9, 64 * MIB, 0),
        full: size(15, 256 * MIB, 0),
        ..BULK
    },
    Row {
        id: "lines",
        what: "a child writes lines of 128 bytes, on another processor; the program gets each line",
        limit: Some("blocking reads, and a search for each line's end"),
        peers: &[
            "procession (async)",
            "tokio",
            "tokio (one buffer)",
            "std",
            "async-process",
            "processkit",
        ],
        goals: &[("tokio", 1.8), ("processkit", 2.0)],
        quick: size(15, 64 * MIB, 0),
        full: size(15, 1024 * MIB, 0),
        ..BULK
    },
    Row {
        id: "forward",
        what: "from one child to another",
        processors: Any,
        limit: Some("splice between pipes of 1 MiB"),
        peers: &["tokio", "std", "Twisted", "asyncio", "Node"],
        goals: &[("tokio", 1.8), ("Twisted", 4.0)],
        ..BULK
    },
    Row {
        id: "forward-cpu",
        what: "the same: processor time of the parent",
        processors: Any,
        unit: "ms/GB",
        better: Less,
        limit: Some("splice between pipes of 1 MiB"),
        peers: &["tokio", "std", "Twisted", "asyncio", "Node"],
        goals: &[("tokio", 4.0)],
        ..BULK
    },
    Row {
        id: "echo",
        what: "one byte through cat and back",
        unit: "µs",
        better: Less,
        drive: Drive::Rounds,
        processors: Any,
        limit: Some("epoll_wait, read and write"),
        peers: &["tokio", "std", "async-process", "Twisted", "asyncio", "Node"],
        goals: &[("Twisted", 2.0)],
        allowed: None,
        allowed_of_row: None,
        quick: size(41, 500, 0),
        full: size(151, 1_000, 0),
    },
    Row {
        id: "echo-5k",
        what: "one byte through cat and back with 5,000 idle children",
        unit: "µs",
        better: Less,
        drive: Drive::Rounds,
        processors: Any,
        limit: Some("epoll_wait, read and write"),
        peers: &["tokio"],
        goals: &[],
        allowed: None,
        allowed_of_row: Some(("echo", 1.15)),
        quick: size(41, 500, 5_000),
        full: size(151, 1_000, 5_000),
    },
    Row {
        id: "exit-storm",
        what: "5,000 children end at once, each",
        unit: "µs",
        better: Less,
        drive: Drive::Rounds,
        processors: Any,
        limit: Some("a blocking read and a blocking wait for each"),
        peers: &["tokio", "async-process"],
        goals: &[("tokio", 1.2)],
        allowed: None,
        allowed_of_row: None,
        quick: size(6, 0, 5_000),
        full: size(9, 0, 5_000),
    },
    Row {
        id: "memory-per-child",
        what: "resident memory of the parent for each live child with one pipe",
        unit: "bytes",
        better: Less,
        drive: Drive::FreshRounds,
        processors: Any,
        limit: None,
        peers: &["tokio", "async-process", "Twisted", "asyncio"],
        goals: &[],
        allowed: Some(2048.0),
        allowed_of_row: None,
        quick: size(6, 0, 1_000),
        full: size(6, 0, 5_000),
    },
    Row {
        id: "capture",
        what: "the output of true",
        limit: None,
        peers: &[
            "tokio",
            "std",
            "async-process",
            "processkit",
            "subprocess",
            "duct",
            "Twisted",
            "asyncio",
            "Node",
            "Go",
        ],
        goals: &[("Twisted", 1.3)],
        quick: size(31, 6, 0),
        full: size(101, 10, 0),
        ..SPAWN
    },
    Row {
        id: "capture-static",
        what: "the output of a static program that only exits",
        limit: None,
        peers: &[
            "tokio",
            "std",
            "async-process",
            "processkit",
            "processkit (control groups)",
            "Go",
        ],
        // At most 0.95 of tokio's time.
        goals: &[("tokio", 1.05)],
        quick: size(41, 10, 0),
        full: size(151, 20, 0),
        ..SPAWN
    },
    Row {
        id: "run-all",
        what: "{crowd} times true, two at a time",
        unit: "ms",
        limit: None,
        peers: &["tokio", "processkit", "xargs -P2", "Twisted", "asyncio", "Node", "Go"],
        // At most 0.95 of the wall time of xargs.
        goals: &[("xargs -P2", 1.05), ("Twisted", 1.3)],
        quick: size(6, 0, 250),
        full: size(6, 0, 2_000),
        ..SPAWN
    },
    Row {
        id: "timers-1m",
        what: "1,000,000 timers set within 100 ms, half of them cancelled, the rest fired",
        unit: "ms",
        limit: None,
        peers: &["tokio", "tokio (task each)", "Twisted", "asyncio", "Node"],
        goals: &[("tokio", 1.4), ("Twisted", 2.0)],
        quick: size(6, 0, 1_000_000),
        full: size(9, 0, 1_000_000),
        ..SPAWN
    },
    Row {
        id: "wake",
        what: "a call from another thread, answered",
        limit: Some("an eventfd and a blocking read"),
        peers: &["tokio", "calloop", "Twisted", "asyncio"],
        goals: &[],
        quick: size(41, 500, 0),
        full: size(151, 1_000, 0),
        ..SPAWN
    },
    TCP,
    Row {
        id: "tcp-echo-1k",
        what: "64 bytes over each of 1,000 connections and back, each",
        quick: size(31, 2, 1_000),
        full: size(101, 5, 1_000),
        ..TCP
    },
    Row {
        id: "idle",
        what: "wake-ups with 100 paused children and nothing to do",
        unit: "/s",
        better: Less,
        drive: Drive::WakeUps,
        processors: Any,
        limit: None,
        peers: &["tokio", "asyncio", "Twisted"],
        goals: &[],
        allowed: Some(0.0),
        allowed_of_row: None,
        quick: size(1, 0, 100),
        full: size(5, 0, 100),
    },
];

#[cfg(test)]
mod tests {
    use super::{Drive, Row, all, grouped, with_id};

    #[test]
    fn a_quick_run_says_how_much_it_really_measures() {
        let row = with_id("run-all").unwrap();
        assert_eq!(row.what(row.size(true)), "250 times true, two at a time");
        assert_eq!(row.what(row.size(false)), "2,000 times true, two at a time");
    }

    #[test]
    fn a_row_has_enough_rounds_for_an_interval() {
        let is_judged = |row: &&Row| row.limit.is_some() || !row.peers.is_empty();
        for row in all().filter(is_judged).filter(|row| row.drive != Drive::WakeUps) {
            assert!(row.quick.rounds.min(row.full.rounds) >= 6, "{}", row.id);
        }
    }

    #[test]
    fn numbers_are_grouped_from_their_end() {
        assert_eq!(["0", "999", "1000000"].map(grouped), ["0", "999", "1,000,000"]);
    }

    #[test]
    fn a_row_that_another_is_held_against_comes_before_it() {
        let at = |id: &str| all().position(|row| row.id == id).unwrap();
        for row in all() {
            let (before, _) = row.allowed_of_row.unwrap_or(("spawn", 0.0));
            assert!(at(before) <= at(row.id), "{}", row.id);
        }
    }
}
