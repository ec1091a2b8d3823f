//! Watches a copy from outside, where no call is refused: its messages, the profiles of its
//! children, and what it leaves behind.

use std::thread;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid,
};

use crate::matrix::profile::{children_of, fds_of, pauses, profile, state_of};
use crate::matrix::rows::Action;
use crate::matrix::sys::Page;
use crate::matrix::{Cell, Refusal, copy};
use crate::util::{ms, sys};

/// A copy hangs if it takes longer than this. Its work takes milliseconds.
const HANGS: Duration = Duration::from_secs(20);

/// The time between two looks at a copy.
const LOOK: Duration = Duration::from_micros(200);

/// The observations of one copy.
#[derive(Debug, Default)]
pub(crate) struct CellReport {
    /// The outcome of each round, as the table shows it.
    pub(crate) rounds: Vec<String>,
    /// Forbidden outcomes.
    pub(crate) faults: Vec<String>,
    /// The profile of its child.
    pub(crate) profile: String,
}

/// Runs a cell in a copy of this process. `expected_profile` is the profile that its child must
/// have, if it is known.
pub(crate) fn watch(
    cell: &Cell<'_>,
    page: &'static Page,
    expected_profile: Option<&str>,
) -> CellReport {
    sys::alarm(ms(60_000)); // for this process: each cell has that time
    page.clear();
    let copy = sys::fork(|| copy::run(cell, page));
    let mut watcher = Watcher {
        copy,
        cell,
        expected_profile,
        seen: CellReport::default(),
        ran: None,
        fds: None,
        killed: Vec::new(),
    };
    watcher.listen(page);
    end(copy);
    watcher.seen
}

struct Watcher<'a> {
    copy: u32,
    cell: &'a Cell<'a>,
    expected_profile: Option<&'a str>,
    seen: CellReport,
    /// The path of the child of this round, and its pid.
    ran: Option<(String, u32)>,
    /// How many descriptors the copy had at the end of the previous round.
    fds: Option<usize>,
    /// Children that the copy could not wait for, and that the watcher killed.
    killed: Vec<u32>,
}

impl Watcher<'_> {
    fn children(&self) -> Vec<u32> {
        children_of(self.copy).into_iter().filter(|pid| !self.killed.contains(pid)).collect()
    }

    fn fault(&mut self, what: String) {
        self.seen.faults.push(what);
    }

    fn listen(&mut self, page: &Page) {
        loop {
            let mut heard = None;
            let is_said = until(HANGS, || {
                heard = page.heard();
                heard.is_some() || has_ended(self.copy)
            });
            let Some((text, child)) = heard else {
                let what =
                    if is_said { "DIED".to_owned() } else { format!("HANGS, {}", self.wchan()) };
                return self.fault(format!("{what} after {:?}", self.seen.rounds));
            };
            if text == "done" {
                return;
            }
            self.hear(&text, child);
            page.answer();
        }
    }

    fn hear(&mut self, text: &str, child: u32) {
        if text == "ready" {
            if !self.cell.is_first && self.cell.row.scenario.act != Action::OnThread {
                self.fds = Some(fds_of(self.copy).len());
            }
        } else if let Some(path) = text.strip_prefix("ran ") {
            self.look_at(child);
            self.ran = Some((path.to_owned(), child));
            if self.cell.row.scenario.is_ended_from_outside() {
                term(child);
            }
        } else {
            self.round_is_over(text);
        }
    }

    /// Checks that the running child is the only one, and is as the command asks.
    fn look_at(&mut self, child: u32) {
        // The program pauses after it has written its byte. By then its exec is over, and nothing of
        // its profile changes any more.
        let is_dead = || matches!(state_of(child), 'Z' | 'X');
        if !until(HANGS, || is_dead() || pauses(child)) {
            let place = self.wchan();
            self.fault(format!("NEVER PAUSES, {place}"));
        }
        let now = profile(child);
        let Some(expected_profile) = self.expected_profile else {
            self.seen.profile = now;
            return;
        };
        if now != expected_profile && !is_dead() {
            self.fault(format!("WRONG CHILD\n    {now}\nis not\n    {expected_profile}"));
        }
        let all = self.children();
        if all != [child] {
            self.fault(format!("CHILDREN {all:?} and not {child}"));
        }
    }

    fn round_is_over(&mut self, text: &str) {
        let ran = self.ran.take();
        let (round, is_open) = self.outcome(text, ran.as_ref());
        let left = self.children();
        if is_open {
            // The copy could not wait for the child or could not signal it, and has reported that.
            left.iter().copied().for_each(kill);
            self.killed.extend(left);
        } else {
            if !left.is_empty() {
                let states: Vec<char> = left.iter().map(|pid| state_of(*pid)).collect();
                self.fault(format!("LEAVES CHILDREN {left:?} {states:?}"));
            }
            let fds = fds_of(self.copy);
            let before = self.fds.replace(fds.len()).unwrap_or(fds.len());
            if fds.len() > before && self.cell.row.can_close() {
                self.fault(format!("LEAVES DESCRIPTORS {fds:?}, before there were {before}"));
            }
        }
        self.seen.rounds.push(round);
    }

    /// Returns the outcome of a round as the table shows it, and whether its child may still be
    /// there.
    fn outcome(&mut self, text: &str, ran: Option<&(String, u32)>) -> (String, bool) {
        let refusal = self.cell.refusal;
        if let Some(failed) = text.strip_prefix("failed ") {
            // A filter that kills returns no error.
            if failed != "Exec ENOENT" && !matches!(refusal, Refusal::Answer(_)) {
                self.fault(format!("FAILS: {failed}"));
            }
            return (failed.to_owned(), false);
        }
        let runs = match ran {
            Some((path, _)) if self.cell.names_path() => format!("runs ({path})"),
            _ => "runs".to_owned(),
        };
        match text.strip_prefix("ended ").unwrap_or(text) {
            "well" => (runs, false),
            "killed" => {
                if refusal != Refusal::Death {
                    self.fault("KILLED although nothing kills".to_owned());
                }
                ("killed".to_owned(), false)
            }
            how => {
                if how.starts_with("by ") || how.starts_with("with ") {
                    self.fault(format!("ENDED {how}"));
                }
                (format!("{runs}; {how}"), true)
            }
        }
    }

    /// Describes where each thread of the copy and each child is blocked.
    fn wchan(&self) -> String {
        let all = children_of(self.copy).into_iter().chain([self.copy]);
        let place = |pid: u32| {
            let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
            let call = read("syscall").unwrap_or_default();
            format!("{pid} {} {} {}", state_of(pid), read("wchan").unwrap_or_default(), call.trim())
        };
        all.map(place).collect::<Vec<_>>().join(", ")
    }
}

/// Polls the condition. Returns whether it became true in time.
fn until(most: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let looks = most.as_micros() / LOOK.as_micros();
    for _ in 0..looks {
        if is_so() {
            return true;
        }
        thread::park_timeout(LOOK);
    }
    is_so()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).expect("a pid is not 0")
}

fn has_ended(copy: u32) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid(copy)), options).is_ok_and(|ended| ended.is_some())
}

fn term(child: u32) {
    kill_process(pid(child), Signal::TERM).ok(); // it may be dead already
}

fn kill(child: u32) {
    kill_process(pid(child), Signal::KILL).ok(); // it may be dead already
}

/// Ends a copy and its remaining children.
fn end(copy: u32) {
    children_of(copy).into_iter().chain([copy]).for_each(kill);
    waitpid(Some(pid(copy)), WaitOptions::empty()).expect("it is our child");
}
