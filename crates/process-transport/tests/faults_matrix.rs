//! Refuses each system call that the library makes, with EPERM and with ENOSYS, and, if only the
//! child makes the call, by killing the child. Each refusal is tried on each spawn path, from the
//! first launch of a process on and after a launch. The result must be a child that runs as asked
//! or a typed error, with nothing left behind.
//!
//! docs/launch-matrix.md lists the outcomes, and the tests compare theirs with it. The slow tier
//! (`PROCESSION_SLOW` is 1) tries every path. Otherwise each launch chooses its own path. `cargo
//! xtask matrix` writes the page anew.
//!
//! A copy of the test's process installs the refusal and starts the child. The test watches the
//! copy from outside, so that calls which the test itself needs can be refused as well. The child's
//! program makes hardly any call, so that the observed effects are the library's.
#![cfg(all(feature = "reactor", target_os = "linux", target_arch = "x86_64"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;
#[path = "faults_matrix/mod.rs"]
mod matrix;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use procession_protocol::SpawnPath;
use procession_test_support::core_dumps_end_one_process;

use crate::matrix::profile;
use crate::matrix::rows::{
    ASKED, KEPT, LAUNCH, LOOPS, MOVED, Row, SCOPE, SCOPED, STAYS, TERMINALS, VERBS,
};
use crate::matrix::sys::Page;
use crate::matrix::table::{self, Outcomes};
use crate::matrix::watch::watch;
use crate::matrix::{Cell, Column, Refusal, program};
use crate::util::scopes::cgroup_or_skip;
use crate::util::{forced_path, isolated, root_or_skip, sanitizer, skip, sys};

/// The directory to write the tables to. Each table goes to a file with the name of its test.
const WRITE_TO: &str = "PROCESSION_MATRIX_DIR";

/// The path of the page, relative to this package.
const PAGE: &str = "../../docs/launch-matrix.md";

/// Descriptors that are open in this process and must not be open in any child.
fn open_files() -> Vec<OwnedFd> {
    let open = |path: &str| OwnedFd::from(File::open(path).expect("it is there"));
    let copy = |path: &str, number, cloexec| sys::copy_at(open(path), number, cloexec);
    vec![
        copy("/", MOVED, true),
        copy("/usr", KEPT, true),
        copy("/dev", STAYS, true),
        copy("/dev/zero", 200, false),
        copy("/dev/full", 1500, false),
    ]
}

struct Matrix {
    page: &'static Page,
    program: PathBuf,
    columns: Vec<usize>,
    /// The profiles of the children when no call is refused.
    expected_profiles: BTreeMap<(&'static str, usize), String>,
    faults: Vec<String>,
}

impl Matrix {
    /// Runs every cell of a row.
    fn outcomes(&mut self, row: &Row) -> Outcomes {
        let mut outcomes = Outcomes::new();
        for column in self.columns.clone() {
            let expected_profile = self.expected_profile(row, column);
            let can_be =
                |refusal: &Refusal| row.allows(*refusal) && ends_only_child(*refusal, column);
            for refusal in Refusal::ALL.into_iter().filter(can_be) {
                let outcome = self.outcome(row, refusal, column, &expected_profile);
                outcomes.insert((refusal, column), outcome);
            }
        }
        outcomes
    }

    /// Returns the profile that a child of this row has when no call is refused.
    fn expected_profile(&mut self, row: &Row, column: usize) -> String {
        if let Some(expected_profile) = self.expected_profiles.get(&(row.scenario.name, column)) {
            return expected_profile.clone();
        }
        let column_of = Column::ALL[column];
        let refusal = Refusal::None;
        let cell = Cell { row, refusal, column: column_of, is_first: true, program: &self.program };
        let seen = watch(&cell, self.page, None);
        let name = row.scenario.name;
        assert_eq!(seen.faults, [""; 0], "{name} {column_of:?} where nothing is refused");
        let shows = row.scenario.shows;
        assert!(
            seen.profile.contains(shows),
            "{name} {column_of:?}: {shows:?} in {}",
            seen.profile
        );
        self.expected_profiles.insert((name, column), seen.profile.clone());
        seen.profile
    }

    fn outcome(
        &mut self,
        row: &Row,
        refusal: Refusal,
        column: usize,
        expected_profile: &str,
    ) -> String {
        let column = Column::ALL[column];
        let texts = [true, false].map(|is_first| {
            let cell = Cell { row, refusal, column, is_first, program: &self.program };
            let seen = watch(&cell, self.page, Some(expected_profile));
            let when = if is_first { "from the first on" } else { "later" };
            let place =
                format!("{} for {}, {refusal:?}, {column:?}, {when}", row.call, row.scenario.name);
            for fault in seen.faults {
                // printed at once, so that a test that is killed has shown what it found
                eprintln!("{place}: {fault}");
                self.faults.push(format!("{place}: {fault}"));
            }
            let mut rounds = seen.rounds;
            rounds.dedup();
            rounds.join(", then ")
        });
        let [first, later] = texts;
        if first == later { first } else { format!("{first}; after a launch {later}") }
    }
}

/// Runs every cell of these rows. The test fails on a forbidden outcome, and on an outcome that
/// differs from the page.
fn check_every_refusal(name: &str, rows: &[Row]) {
    if forced_path().is_some() {
        return; // all cells would take the forced path
    }
    if !root_or_skip(name) {
        return;
    }
    if let Some(sanitizer) = sanitizer() {
        return skip(name, &format!("the {sanitizer} sanitizer makes calls of its own"));
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = program::write(dir.path());
    let _open = open_files();
    let write_to = std::env::var_os(WRITE_TO);
    let is_slow = std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1");
    let columns = if is_slow || write_to.is_some() { Column::ALL.len() } else { 1 };
    let mut matrix = Matrix {
        page: Page::shared(),
        program,
        columns: (0..columns).collect(),
        expected_profiles: BTreeMap::new(),
        faults: Vec::new(),
    };
    let only = std::env::var("PROCESSION_TEST_CALL").ok();
    let is_scoped = |row: &Row| row.scenario.name == SCOPED.name;
    let scope = rows.iter().any(is_scoped).then(|| cgroup_or_skip(profile::SCOPE)).flatten();
    let has_scope = scope.is_some();
    *SCOPE.lock().expect("no thread panics") = scope;
    let is_wanted = |row: &&Row| {
        (has_scope || !is_scoped(row)) && only.as_ref().is_none_or(|only| only == row.call)
    };
    let found: Vec<(&Row, Outcomes)> =
        rows.iter().filter(is_wanted).map(|row| (row, matrix.outcomes(row))).collect();
    drop(SCOPE.lock().expect("no thread panics").take());
    if let Some(dir) = write_to {
        let lines: Vec<String> =
            found.iter().flat_map(|(row, outcomes)| table::lines(row, outcomes)).collect();
        let text = format!("{}{}\n", table::heading(), lines.join("\n"));
        fs::write(Path::new(&dir).join(name), text).expect("the directory is there");
    } else if is_reference(name) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        let page = table::read(&fs::read_to_string(page).expect("the page of the matrix"));
        let differ = found.iter().flat_map(|(row, now)| table::differences(&page, row, now));
        matrix.faults.extend(differ);
        let all = [LAUNCH, ASKED, TERMINALS, VERBS, LOOPS].concat();
        matrix.faults.extend(table::left_over(&page, &all));
    }
    assert_eq!(matrix.faults.len(), 0, "\n{}", matrix.faults.join("\n"));
}

/// Returns whether a refusal ends at most the child. Before Linux 5.16 a filter that kills a child also
/// ends a parent that shares its memory.
fn ends_only_child(refusal: Refusal, column: usize) -> bool {
    let has_own_memory =
        matches!(Column::ALL[column], Column::Forced(SpawnPath::Fork) | Column::Closure);
    refusal != Refusal::Death || has_own_memory || core_dumps_end_one_process()
}

/// Returns whether this kernel is as new as the one that the page describes.
fn is_reference(name: &str) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < (6, 15) {
        let deaths = if core_dumps_end_one_process() {
            ""
        } else {
            "; before 5.16 a filter that kills a child ends its parent too, so none is killed"
        };
        let release = release.trim();
        let why = format!("the page is of Linux 6.15 and later, and this is {release}{deaths}");
        skip(name, &why);
    }
    version >= (6, 15)
}

/// Case SE-21.
#[test]
fn a_launch_without_any_one_of_its_calls_works_or_says_why() {
    let name = "a_launch_without_any_one_of_its_calls_works_or_says_why";
    isolated(name, || check_every_refusal(name, LAUNCH));
}

/// Case SE-21.
#[test]
fn what_a_command_asks_for_comes_about_or_the_spawn_fails() {
    let name = "what_a_command_asks_for_comes_about_or_the_spawn_fails";
    isolated(name, || check_every_refusal(name, ASKED));
}

/// Case SE-21.
#[test]
fn a_terminal_comes_about_or_the_spawn_fails() {
    let name = "a_terminal_comes_about_or_the_spawn_fails";
    isolated(name, || check_every_refusal(name, TERMINALS));
}

/// Case SE-21.
#[test]
fn a_verb_whose_call_is_refused_says_so_or_does_without() {
    let name = "a_verb_whose_call_is_refused_says_so_or_does_without";
    isolated(name, || check_every_refusal(name, VERBS));
}

/// Case SE-21.
#[test]
fn a_reactor_whose_call_is_refused_says_so_or_does_without() {
    let name = "a_reactor_whose_call_is_refused_says_so_or_does_without";
    isolated(name, || check_every_refusal(name, LOOPS));
}
