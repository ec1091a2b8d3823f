//! [`MonitorTable`]: the programs of a monitor at one moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::state::{Down, Phase};

/// The state of a program of a [`Monitor`](crate::Monitor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgramState {
    /// It waits for programs that it comes after.
    Waiting,
    /// It was started, and is not ready yet.
    Starting,
    /// It is ready.
    Running,
    /// It will be started again.
    Pausing,
    /// It is being terminated.
    Stopping,
    /// It was stopped on request.
    Stopped,
    /// It has ended for good, with success.
    Done,
    /// It has failed for good.
    Failed,
}

impl From<Phase> for ProgramState {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Down(Down::Asked) => Self::Stopped,
            Phase::Down(Down::Done) => Self::Done,
            Phase::Down(Down::Failed) => Self::Failed,
            Phase::Waiting => Self::Waiting,
            Phase::Pausing { .. } => Self::Pausing,
            Phase::Starting { .. } => Self::Starting,
            Phase::Running { .. } => Self::Running,
            Phase::Stopping(_) => Self::Stopping,
        }
    }
}

/// Writes one word in lower case.
impl fmt::Display for ProgramState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

/// A row of a [`MonitorTable`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProgramRow {
    /// The name of the program.
    pub program: Arc<str>,
    /// Its state.
    pub state: ProgramState,
    /// Its process, while it has one.
    pub pid: Option<u32>,
    /// How long it has been in this state.
    pub since: Duration,
    /// How often it was started again.
    pub restarts: u32,
    /// What it says about itself while it runs, else how it last ended or why it did not start; empty at
    /// first.
    pub note: String,
}

/// The programs of a [`RunningMonitor`](crate::RunningMonitor) at one moment, in the order of their
/// addition. It prints as a table with a head.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MonitorTable {
    /// A row for each program.
    pub rows: Vec<ProgramRow>,
}

impl MonitorTable {
    /// Returns the row of a program.
    pub fn row(&self, program: &str) -> Option<&ProgramRow> {
        self.rows.iter().find(|row| &*row.program == program)
    }
}

impl fmt::Display for MonitorTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rows.iter().map(|row| row.program.chars().count());
        let width = names.chain([7]).max().unwrap_or(7);
        let write = |f: &mut fmt::Formatter<'_>, cells: [&str; 6]| {
            let [name, state, pid, since, restarts, note] = cells;
            let line =
                format!("{name:width$}  {state:8}  {pid:>7}  {since:>7}  {restarts:>8}  {note}");
            writeln!(f, "{}", line.trim_end())
        };
        write(f, ["program", "state", "pid", "since", "restarts", "note"])?;
        for row in &self.rows {
            let state = row.state.to_string();
            let pid = row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let (since, restarts) = (span(row.since), row.restarts.to_string());
            write(f, [&row.program, &state, &pid, &since, &restarts, &row.note])?;
        }
        Ok(())
    }
}

/// Writes a time with the unit that fits.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        10..600 => format!("{seconds}s"),
        600..36_000 => format!("{}m", seconds / 60),
        36_000..864_000 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_head_and_aligned_columns() {
        let row = |program: &str, state, pid, since, note: &str| ProgramRow {
            program: program.into(),
            state,
            pid,
            since: Duration::from_millis(since),
            restarts: 0,
            note: note.to_owned(),
        };
        let table = MonitorTable {
            rows: vec![
                row("db", ProgramState::Running, Some(4711), 1234, ""),
                row("märz-worker", ProgramState::Pausing, None, 61_000, "exited with status 1"),
            ],
        };
        let expected = "\
program      state         pid    since  restarts  note
db           running      4711     1.2s         0
märz-worker  pausing         -      61s         0  exited with status 1
";
        assert_eq!(table.to_string(), expected);
        assert_eq!(table.row("db").unwrap().pid, Some(4711));
        assert!(table.row("nobody").is_none());
        let spans = [0, 9, 10, 599, 600, 36_000, 864_000].map(|at| span(Duration::from_secs(at)));
        assert_eq!(spans, ["0.0s", "9.0s", "10s", "599s", "10m", "10h", "10d"]);
    }
}
