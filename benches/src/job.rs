//! The input and the output of a contender.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// The length of a line of the row `lines`, with its line feed.
const LINE_BYTES: u64 = 128;
/// What `lines` writes at once.
const LINES_CHUNK_BYTES: u64 = 64 << 10;

/// One round of work. Returns its figure, in the unit of the row.
pub type Round = Box<dyn FnMut() -> Result<f64>>;

/// The work of a contender.
#[derive(Debug, Clone)]
pub struct Job {
    /// The id of the row.
    pub row: String,
    /// The folder of the programs that children run.
    pub programs: PathBuf,
    /// The operations of a round. For a row of throughput, the bytes.
    pub count: u64,
    /// How many other children, descriptors, connections or commands there are.
    pub crowd: u64,
}

impl Job {
    /// Returns the path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Returns the program whose output the row captures.
    #[must_use]
    pub fn captured(&self) -> PathBuf {
        match self.row.as_str() {
            "capture" | "blocking-capture" | "background-run" => "/bin/true".into(),
            _ => self.program("exit0"),
        }
    }

    /// Returns the arguments with which `flood` writes the row's bytes, in the row's chunks.
    #[must_use]
    pub fn flood_args(&self) -> [String; 2] {
        let chunk = self.chunk_bytes();
        [chunk.to_string(), (self.count / chunk).to_string()]
    }

    /// Returns the arguments with which `lines` writes the row's bytes.
    #[must_use]
    pub fn lines_args(&self) -> [String; 2] {
        [LINE_BYTES.to_string(), (self.count / LINES_CHUNK_BYTES).to_string()]
    }

    /// Fails unless the lines that came are those that `lines` writes.
    ///
    /// # Errors
    ///
    /// If their number or their length, without the line feeds, differs.
    pub fn check_lines(&self, lines: u64, bytes: u64) -> Result<()> {
        let wanted = self.count / LINE_BYTES;
        let all = lines == wanted && bytes == wanted * (LINE_BYTES - 1);
        ensure!(all, "{lines} lines of {wanted} came, {bytes} bytes");
        Ok(())
    }

    /// Returns how many bytes one write of the row's child has.
    #[must_use]
    pub fn chunk_bytes(&self) -> u64 {
        if self.row == "bulk-out-4k" { 4 << 10 } else { 128 << 10 }
    }
}

/// A contender that is ready to work.
#[expect(missing_debug_implementations, reason = "a round is a closure")]
pub struct Ready {
    /// The port where it listens, if the row drives it from outside.
    pub port: Option<u16>,
    /// The work.
    pub round: Round,
}

impl Ready {
    /// Creates a contender that works in rounds.
    pub fn rounds(round: impl FnMut() -> Result<f64> + 'static) -> Self {
        Self { port: None, round: Box::new(round) }
    }

    /// Creates a contender that listens: its round serves until the process is killed.
    pub fn server(port: u16, serve: impl FnMut() -> Result<f64> + 'static) -> Self {
        Self { port: Some(port), round: Box::new(serve) }
    }
}
