//! Reads what a machine's console says about its tests, and prints the table.
//!
//! Lines of the script begin with `@@`. Between `@@ begin` and `@@ end` is the output of a test
//! program, of which the harness's summary and list of failures count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The counts of one suite on one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: usize,
    /// Each as `program::test`.
    failed: Vec<String>,
    /// Each as `test: reason`.
    skipped: Vec<String>,
}

/// What one machine reported.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The Debian release, or the kind of machine.
    machine: String,
    /// The kernel's release and the processor.
    kernel: String,
    controllers: String,
    suites: BTreeMap<String, Counts>,
    /// What served where a kernel lacks something, each as `what: by what`.
    served: Vec<String>,
    /// The files that have not begun, each as `suite/file`.
    waiting: Vec<String>,
    /// The files that are left out, each as `suite/file: reason`.
    not_run: Vec<String>,
    running: Option<Running>,
    is_complete: bool,
}

/// A test program that has begun.
#[derive(Debug, Default)]
struct Running {
    suite: String,
    name: String,
    passed: Option<usize>,
    failed: Vec<String>,
    skipped: Vec<String>,
    is_in_failures: bool,
}

impl Report {
    pub(crate) fn new(machine: &str) -> Self {
        Self { machine: machine.to_owned(), ..Self::default() }
    }

    /// Returns what a machine reported whose whole console is in `log`.
    pub(crate) fn of_log(machine: &str, log: &str) -> Self {
        let mut report = Self::new(machine);
        log.lines().for_each(|line| drop(report.read(line)));
        report.finish();
        report
    }

    /// Reads a line of the console. Returns a line about a program that has ended.
    pub(crate) fn read(&mut self, line: &str) -> Option<String> {
        let Some(words) = line.strip_prefix("@@ ") else {
            self.running.as_mut()?.read(line);
            return None;
        };
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        match verb {
            "listed" => self.waiting.push(rest.replacen(' ', "/", 1)),
            "not-run" => self.not_run.push(rest.replacen(' ', "/", 1)),
            "kernel" => rest.clone_into(&mut self.kernel),
            "controllers" => rest.clone_into(&mut self.controllers),
            "begin" => {
                let (suite, name) = rest.split_once(' ')?;
                let [suite, name] = [suite, name].map(str::to_owned);
                self.waiting.retain(|file| *file != format!("{suite}/{name}"));
                self.running = Some(Running { suite, name, ..Running::default() });
            }
            "skipped" => self.running.as_mut()?.skipped.push(rest.to_owned()),
            "served" => self.served.push(rest.to_owned()),
            "end" => return self.end(rest.rsplit(' ').next()?),
            "done" => self.is_complete = true,
            _ => {}
        }
        None
    }

    /// Adds the program that has ended to its suite.
    fn end(&mut self, status: &str) -> Option<String> {
        let mut running = self.running.take()?;
        if status != "0" && running.failed.is_empty() {
            running.failed.push(format!("ended with {status}"));
        }
        let counts = self.suites.entry(running.suite.clone()).or_default();
        // A program without the harness is one test.
        let passed = running.passed.unwrap_or(usize::from(running.failed.is_empty()));
        let line = format!(
            "{}/{}: {passed} passed, {} failed, {} skipped {}",
            running.suite,
            running.name,
            running.failed.len(),
            running.skipped.len(),
            running.failed.join(" "),
        );
        // A skipped test passes as far as the harness knows.
        counts.passed += passed.saturating_sub(running.skipped.len());
        let name = running.name;
        counts.failed.extend(running.failed.into_iter().map(|test| format!("{name}::{test}")));
        counts.skipped.extend(running.skipped);
        Some(line)
    }

    /// Ends the report. A program that was running when the machine ended has failed.
    pub(crate) fn finish(&mut self) {
        self.end("the machine");
        let waiting = self.waiting.drain(..);
        self.not_run.extend(waiting.map(|file| format!("{file}: the machine ended before")));
    }

    /// Returns each reason for which files did not run, with these files.
    fn reasons_not_run(&self) -> Vec<String> {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for line in &self.not_run {
            let (file, reason) = line.split_once(": ").unwrap_or((line, "no reason"));
            reasons.entry(reason).or_default().push(file);
        }
        reasons.iter().map(|(reason, files)| format!("{reason}: {}", files.join(", "))).collect()
    }

    pub(crate) fn is_good(&self) -> bool {
        self.is_complete && self.suites.values().all(|counts| counts.failed.is_empty())
    }
}

impl Running {
    fn read(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            let passed = summary.split("; ").next().and_then(|part| {
                part.strip_suffix(" passed")?.rsplit(' ').next()?.parse::<usize>().ok()
            });
            self.passed = self.passed.max(passed);
            self.is_in_failures = false;
        } else if line == "failures:" {
            // The harness prints the outputs below this line first, then the names.
            self.is_in_failures = true;
            self.failed.clear();
        } else if let Some(name) = line.strip_prefix("    ").filter(|_| self.is_in_failures)
            && !name.is_empty()
            && !name.contains(' ')
        {
            self.failed.push(name.to_owned());
        }
    }
}

/// Returns the table, and below it what failed, what was skipped and which files did not run, each
/// with its machines.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut text = String::from(
        "| Machine | Kernel | Suite | Passed | Failed | Skipped |\n|---|---|---|---|---|---|\n",
    );
    for report in reports {
        let Report { machine, kernel, .. } = report;
        for (suite, Counts { passed, failed, skipped }) in &report.suites {
            let (failed, skipped) = (failed.len(), skipped.len());
            let row = format!("{machine} | {kernel} | {suite} | {passed} | {failed} | {skipped}");
            text.push_str(&format!("| {row} |\n"));
        }
        if !report.is_complete {
            text.push_str(&format!("| {machine} | {kernel} | **did not finish** | | | |\n"));
        }
    }
    let of_suites = |lines: fn(&Counts) -> &Vec<String>| {
        move |report: &Report| report.suites.values().flat_map(lines).cloned().collect()
    };
    section(&mut text, "Failed", reports, of_suites(|counts| &counts.failed));
    section(&mut text, "Skipped", reports, of_suites(|counts| &counts.skipped));
    section(&mut text, "Not run", reports, Report::reasons_not_run);
    text.push_str("\nWhat served:\n\n");
    for report in reports {
        for served in &report.served {
            writeln!(text, "- {}: {served}", report.machine).expect("a string takes text");
        }
        if !report.controllers.is_empty() {
            writeln!(text, "- {}: cgroup v2 with {}", report.machine, report.controllers)
                .expect("a string takes text");
        }
    }
    text
}

fn section(
    text: &mut String,
    title: &str,
    reports: &[Report],
    lines: impl Fn(&Report) -> Vec<String>,
) {
    let mut machines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for report in reports {
        for line in lines(report) {
            machines.entry(line).or_default().push(&report.machine);
        }
    }
    let heading =
        if machines.is_empty() { format!("\n{title}: none.\n") } else { format!("\n{title}:\n\n") };
    text.push_str(&heading);
    for (line, machines) in machines {
        text.push_str(&format!("- {line} ({})\n", machines.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "\
@@ not-run utils storm: it is huge
@@ listed reactor timers
@@ listed utils leaks
noise of the kernel
@@ kernel 6.1.0 x86_64
@@ controllers cpu memory
@@ begin reactor timers
test a ... ok
test b ... FAILED

failures:

---- b stdout ----
    left: 1
failures:
    b

test result: FAILED. 1 passed; 1 failed; 0 ignored
@@ end reactor timers 101
@@ begin reactor pipe
test result: ok. 3 passed; 0 failed; 0 ignored
@@ skipped c: needs wings
@@ served group signal: kill
@@ end reactor pipe 0
@@ begin utils late
";

    fn report() -> Report {
        Report::of_log("bookworm", CONSOLE)
    }

    #[test]
    fn a_suite_counts_what_its_programs_say() {
        let report = report();
        assert_eq!(report.kernel, "6.1.0 x86_64");
        let [skipped, failed] = ["c: needs wings", "timers::b"].map(|name| vec![name.to_owned()]);
        assert_eq!(report.suites["reactor"], Counts { passed: 3, failed, skipped });
        assert_eq!(report.served, ["group signal: kill"]);
    }

    #[test]
    fn a_machine_that_ends_early_fails_the_program_that_ran() {
        let report = report();
        assert!(!report.is_good());
        assert_eq!(report.suites["utils"].failed, ["late::ended with the machine"]);
        let table = table(&[report]);
        assert!(table.contains("did not finish"));
        assert!(table.contains("- the machine ended before: utils/leaks (bookworm)\n"), "{table}");
    }

    #[test]
    fn a_program_without_the_harness_is_one_test() {
        let mut report = Report::new("x");
        for (status, failed) in [("0", 0), ("124", 1)] {
            report.read("@@ begin reactor main_thread");
            report.read(&format!("@@ end reactor main_thread {status}"));
            assert_eq!(report.suites["reactor"].failed.len(), failed);
        }
        assert_eq!(report.suites["reactor"].passed, 1);
    }

    #[test]
    fn a_list_of_failures_names_each_test_with_its_machines() {
        let table = table(&[report(), report()]);
        assert!(table.contains("- timers::b (bookworm, bookworm)\n"), "{table}");
        assert!(table.contains("| bookworm | 6.1.0 x86_64 | reactor | 3 | 1 | 1 |\n"), "{table}");
        assert!(table.contains("- bookworm: group signal: kill\n"), "{table}");
        assert!(table.contains("- it is huge: utils/storm (bookworm, bookworm)\n"), "{table}");
    }
}
