//! The contenders, each in its own file.
//!
//! A contender prepares itself (memory, open descriptors, a crowd of children) and then works in
//! rounds. If a library cannot do the work of a row, the row is not in its table.

mod crowd;
mod crowd_life;
pub mod limit;
pub mod ours;
#[cfg(feature = "peers")]
mod peers;
mod rounds;
mod ssh;
mod std;
pub mod tokio;
mod xargs;

use anyhow::{Context, Result};

use crate::job::{Job, Ready};

/// Prepares a contender for a row.
type Prepare = fn(&Job) -> Result<Ready>;

/// A library, and its rows.
struct Contender {
    name: &'static str,
    rows: fn(&str) -> Option<Prepare>,
}

const CONTENDERS: &[Contender] = &[
    Contender { name: "procession", rows: ours::row },
    Contender { name: "procession (late mailbox)", rows: ours::row_with_late_mailbox },
    Contender { name: "procession (async)", rows: ours::row_as_stream },
    Contender { name: "limit", rows: limit::row },
    Contender { name: "tokio", rows: tokio::row },
    Contender { name: "tokio (task each)", rows: tokio::row_with_tasks },
    Contender { name: "tokio (one buffer)", rows: tokio::row_with_one_buffer },
    Contender { name: "std", rows: std::row },
    Contender { name: "xargs -P2", rows: xargs::row },
    Contender { name: "ssh", rows: ssh::row },
    Contender { name: "GNU parallel", rows: ssh::row_of_parallel },
];

/// Returns every contender of this build.
fn all() -> impl Iterator<Item = &'static Contender> {
    #[cfg(feature = "peers")]
    let peers = peers::CONTENDERS;
    #[cfg(not(feature = "peers"))]
    let peers: &[Contender] = &[];
    CONTENDERS.iter().chain(peers)
}

/// Prepares the contender `name` for its row.
///
/// # Errors
///
/// If there is no such contender, if it does not have the row, or if it cannot be prepared.
pub fn prepare(name: &str, job: &Job) -> Result<Ready> {
    let contender = all().find(|contender| contender.name == name);
    let contender = contender
        .with_context(|| format!("no contender {name}: most of them need the feature `peers`"))?;
    let prepare = (contender.rows)(&job.row);
    let prepare = prepare.with_context(|| format!("{name} takes no part in {}", job.row))?;
    prepare(job)
}
