//! Starts a contender: this program again, the limit in C, or a peer in another language.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::measure::{LIMIT, OURS};
use crate::rows::Row;

const ASYNCIO: &str = include_str!("../../../peers/with_asyncio.py");
const TWISTED: &str = include_str!("../../../peers/with_twisted.py");
const NODE: &str = include_str!("../../../peers/with_node.js");
const GO: &str = include_str!("../../../peers/with_go.go");

/// The peers in other languages: how to start each, or why it is not available.
#[derive(Debug, Default)]
pub(crate) struct External(Vec<(&'static str, Result<Vec<PathBuf>, String>)>);

/// Returns the words that start a peer, whose files are in the folder.
type Find = fn(&Path) -> Result<Vec<PathBuf>>;

const FINDERS: [(&str, Find); 4] = [
    ("asyncio", |folder| script(folder, "python3".into(), "with_asyncio.py", ASYNCIO)),
    ("Twisted", twisted),
    ("Node", |folder| script(folder, "node".into(), "with_node.js", NODE)),
    ("Go", go),
];

/// Finds the peers of some rows. Installs Twisted, and builds the program in Go, below the build's
/// folder.
pub(crate) fn find<'a>(folder: &Path, rows: impl Iterator<Item = &'a Row>) -> External {
    let peers: BTreeSet<&str> = rows.flat_map(|row| row.peers).copied().collect();
    let wanted = FINDERS.into_iter().filter(|(name, _)| peers.contains(name));
    let found = wanted.map(|(name, find)| {
        let found = find(folder).map_err(|error| format!("{error:#}"));
        if let Err(reason) = &found {
            eprintln!("{name} is absent: {reason}");
        }
        (name, found)
    });
    External(found.collect())
}

impl External {
    /// Returns another build of this program alone.
    pub(crate) fn build(name: &'static str, program: &Path) -> Self {
        let words = ["contend", OURS].map(PathBuf::from);
        Self(vec![(name, Ok([program.to_owned()].into_iter().chain(words).collect()))])
    }

    /// Returns the command that starts a contender, without the arguments of the job.
    pub(crate) fn command(&self, name: &str, row: &str, programs: &Path) -> Result<Command> {
        if name == LIMIT && row.starts_with("spawn") {
            return Ok(Command::new(programs.join("limit")));
        }
        let Some((_, found)) = self.0.iter().find(|(other, _)| *other == name) else {
            let mut own = Command::new(env::current_exe()?);
            own.arg("contend").arg(name);
            return Ok(own);
        };
        match found {
            Ok(words) => {
                let (program, rest) = words.split_first().context("no program")?;
                let mut command = Command::new(program);
                command.args(rest);
                Ok(command)
            }
            Err(error) => bail!("{error}"),
        }
    }
}

fn script(folder: &Path, program: PathBuf, name: &str, text: &str) -> Result<Vec<PathBuf>> {
    run(Command::new(&program).arg("--version"))?;
    let file = folder.join(name);
    fs::write(&file, text)?;
    Ok(vec![program, file])
}

fn twisted(folder: &Path) -> Result<Vec<PathBuf>> {
    let environment = folder.join("twisted");
    let python = environment.join("bin").join("python");
    let is_there = |python: &Path| run(Command::new(python).args(["-c", "import twisted"]));
    if !python.exists() || is_there(&python).is_err() {
        eprintln!("installing Twisted from PyPI below {}", folder.display());
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "twisted"]))?;
    }
    script(folder, python, "with_twisted.py", TWISTED)
}

/// Builds the program in Go, which needs the standard library alone.
fn go(folder: &Path) -> Result<Vec<PathBuf>> {
    let (source, program) = (folder.join("with_go.go"), folder.join("with_go"));
    fs::write(&source, GO)?;
    let mut build = Command::new("go");
    // Nothing is downloaded: no module and no other version of Go.
    build.envs([("GO111MODULE", "off"), ("GOTOOLCHAIN", "local")]);
    build.env("GOCACHE", folder.join("go")).args(["build", "-o"]).arg(&program).arg(&source);
    run(&mut build)?;
    Ok(vec![program])
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{program} is not installed"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().last().unwrap_or_default();
    ensure!(output.status.success(), "{program} failed: {last}");
    Ok(())
}
