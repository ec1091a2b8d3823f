//! One row: starts its contenders, runs their rounds in turns, and collects the figures.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use procession_benches::clock::float;
use procession_benches::tcp::Client;

use crate::external::External;
use crate::figures::{Better, Figures};
use crate::machine::{self, Placement};
use crate::ratio::Ratio;
use crate::rows::{Drive, Row, Size};
use crate::turn::Contender;

/// The name of procession in the tables.
pub(crate) const OURS: &str = "procession";
/// The name of the limit here.
pub(crate) const LIMIT: &str = "limit";

const SETTLED: Duration = Duration::from_millis(500);
const WATCHED: Duration = Duration::from_secs(1);

/// The outcome of a row: for each contender the figure of each round, or why there are none.
#[derive(Debug)]
pub(crate) struct Outcome(pub(crate) Vec<(&'static str, Result<Vec<f64>, String>)>);

impl Outcome {
    /// Returns the figures of one contender.
    pub(crate) fn figures(&self, name: &str) -> Option<Figures> {
        Figures::of(self.rounds(name)?)
    }

    /// Returns how many times better procession is than another contender.
    pub(crate) fn ratio(&self, better: Better, name: &str) -> Option<Ratio> {
        Ratio::of(better, self.rounds(OURS)?, self.rounds(name)?)
    }

    /// Returns the contenders without figures, each with the reason.
    pub(crate) fn absent(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().filter_map(|(name, rounds)| Some((*name, rounds.as_ref().err()?.as_str())))
    }

    /// Adds the rounds of another run. A contender that is absent from one run is absent.
    pub(crate) fn add(&mut self, other: Self) {
        for ((_, rounds), (_, more)) in self.0.iter_mut().zip(other.0) {
            match (rounds, more) {
                (Ok(rounds), Ok(more)) => rounds.extend(more),
                (rounds, Err(reason)) => *rounds = Err(reason),
                (Err(_), Ok(_)) => {}
            }
        }
    }

    fn rounds(&self, name: &str) -> Option<&[f64]> {
        let (_, rounds) = self.0.iter().find(|(other, _)| *other == name)?;
        rounds.as_deref().ok()
    }
}

/// The contenders after all rounds.
#[derive(Debug)]
pub(crate) struct Rounds(Vec<Entry>);

impl Rounds {
    /// Returns the outcome of one of the rows that these rounds measure.
    pub(crate) fn of(&self, row: &Row) -> Outcome {
        let (_, at) = row.drive.figures();
        let outcome = self.0.iter().map(|Entry { name, rounds, absent, .. }| {
            let rounds: Vec<f64> = rounds.iter().map(|figures| figures[at]).collect();
            (*name, if rounds.is_empty() { Err(absent.clone()) } else { Ok(rounds) })
        });
        Outcome(outcome.collect())
    }
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    /// `None` after a failure, and after the last round.
    participant: Option<Participant>,
    /// The figures of each round.
    rounds: Vec<Vec<f64>>,
    absent: String,
}

#[derive(Debug)]
enum Participant {
    Itself(Contender),
    Client { client: Client, _server: Contender },
    Fresh,
}

/// Measures a row, and all rows that share its processes.
pub(crate) fn rounds(row: &Row, size: Size, programs: &Path, external: &External) -> Rounds {
    eprintln!("{}: {}", row.id, row.what(size));
    machine::small_pages(matches!(row.id, "spawn-1g" | "tokio-spawn-512m"));
    // Without this the scheduler decides whether two processes share a processor, and changes that
    // now and then. It makes a round trip up to three times as long, and changes the speed of a
    // pipe as much.
    let processors = &Placement::begin(row.processors);
    let stage = RowContext { row, size, programs, external, processors };
    let names = [OURS].into_iter().chain(row.limit.map(|_| LIMIT));
    let names = names.chain(row.peers.iter().copied());
    let mut entries: Vec<Entry> = names
        .map(|name| {
            let participant = stage.prepare(name);
            let (participant, absent) = match participant {
                Ok(participant) => (Some(participant), String::new()),
                Err(error) => (None, format!("{error:#}")),
            };
            Entry { name, participant, rounds: Vec::new(), absent }
        })
        .collect();
    // Unless each round has a new process, the first one warms up, and is not counted.
    let warm_up = u32::from(!row.drive.is_fresh());
    for round in 0..size.rounds + warm_up {
        // Each round begins with a different contender.
        let first = usize::try_from(round).unwrap_or(0) % entries.len();
        entries.rotate_left(first);
        for entry in &mut entries {
            let Some(participant) = &mut entry.participant else { continue };
            match stage.play(entry.name, participant) {
                Ok(value) if round >= warm_up => entry.rounds.push(value),
                Ok(_) => {}
                Err(error) => {
                    entry.absent = format!("{error:#}");
                    entry.rounds.clear();
                    entry.participant = None;
                }
            }
        }
        entries.rotate_right(first);
    }
    machine::small_pages(false);
    entries.iter_mut().for_each(|entry| entry.participant = None);
    Rounds(entries)
}

/// The surroundings in which the contenders of a row are started.
struct RowContext<'a> {
    row: &'a Row,
    size: Size,
    programs: &'a Path,
    external: &'a External,
    processors: &'a Placement,
}

impl RowContext<'_> {
    fn prepare(&self, name: &str) -> Result<Participant> {
        let (needed, limit) = (self.row.descriptors(self.size), machine::descriptor_limit());
        ensure!(
            needed <= limit,
            "skipped: it needs {needed} descriptors, and {limit} is the limit"
        );
        ensure!(self.processors.is_possible(), "skipped: it needs two processors");
        machine::check_children(self.row.children(self.size))?;
        if self.row.drive.is_fresh() {
            return Ok(Participant::Fresh);
        }
        let mut contender = self.start(name)?;
        Ok(match self.row.drive {
            Drive::Tcp => {
                contender.go()?;
                let port = contender.port.context("it does not say where it listens")?;
                let client = Client::connect(port, self.size.crowd)?;
                Participant::Client { client, _server: contender }
            }
            Drive::WakeUps => {
                contender.go()?;
                contender.let_work(SETTLED)?;
                Participant::Itself(contender)
            }
            _ => Participant::Itself(contender),
        })
    }

    fn start(&self, name: &str) -> Result<Contender> {
        let mut command = self.external.command(name, self.row.id, self.programs)?;
        command.arg(self.row.id).arg(self.programs);
        command.args([self.size.count.to_string(), self.size.crowd.to_string()]);
        self.processors.set_childs_processor(&mut command);
        Contender::start(&mut command)
    }

    /// Plays one round, and returns its figures.
    fn play(&self, name: &str, participant: &mut Participant) -> Result<Vec<f64>> {
        let figure = match participant {
            Participant::Itself(contender) if self.row.drive == Drive::WakeUps => {
                let before = wake_ups(contender.pid())?;
                contender.let_work(WATCHED)?;
                let after = wake_ups(contender.pid())?;
                float(after.saturating_sub(before)) / WATCHED.as_secs_f64()
            }
            Participant::Itself(contender) => contender.round()?,
            Participant::Client { client, .. } => client.round(self.size.count)?,
            Participant::Fresh => {
                let mut contender = self.start(name)?;
                if self.row.drive == Drive::WarmFreshRounds {
                    contender.round()?;
                }
                let (count, _) = self.row.drive.figures();
                return (0..count).map(|_| contender.round()).collect();
            }
        };
        Ok(vec![figure])
    }
}

/// Returns how often the threads of a process have waited so far. Each wait ends in a wake-up.
fn wake_ups(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.context("no count of switches")?.trim().parse::<u64>()?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rounds_of_two_runs_are_paired_with_those_of_the_same_run() {
        let outcome = |ours: &[f64], tokio: Result<&[f64], &str>| {
            let tokio = tokio.map(<[f64]>::to_vec).map_err(str::to_owned);
            Outcome(vec![(OURS, Ok(ours.to_vec())), ("tokio", tokio)])
        };
        let mut pooled = outcome(&[1.0, 2.0], Ok(&[2.0, 4.0]));
        pooled.add(outcome(&[10.0, 20.0], Ok(&[20.0, 40.0])));
        assert_eq!(pooled.ratio(Better::Less, "tokio").unwrap().median, 2.0);
        pooled.add(outcome(&[1.0], Err("it is stuck")));
        assert_eq!(pooled.ratio(Better::Less, "tokio"), None);
        assert_eq!(pooled.absent().collect::<Vec<_>>(), [("tokio", "it is stuck")]);
        assert_eq!(pooled.figures(OURS).unwrap().median, 2.0);
    }
}
