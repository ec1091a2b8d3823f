//! Reads what a machine's console says about its tests, and prints the table.
//!
//! Lines of the script begin with `@@`. Between `@@ begin` and `@@ end` is the output of a test
//! program, of which the harness's summary and list of failures count.
//!
//! A console may hold several runs. Then the last result of each file counts.

use std::collections::{BTreeMap, BTreeSet};

/// The result of one file, or the sum of a suite on one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: usize,
    /// Each as `program::test`.
    failed: Vec<String>,
    /// Each as `test: reason`.
    skipped: Vec<String>,
    /// What served where a kernel lacks something, each as `what: by what`.
    served: Vec<String>,
    /// The commit that the file ran at.
    commit: String,
}

/// What one machine reported.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The Debian release, or the kind of machine.
    machine: String,
    /// The kernel's release and the processor.
    kernel: String,
    controllers: String,
    /// The results by `suite/file`.
    files: BTreeMap<String, Counts>,
    /// The files that have not begun, each as `suite/file`.
    waiting: BTreeSet<String>,
    /// The files that are left out, each as `suite/file`, with the reason.
    left_out: BTreeMap<String, String>,
    /// Of the run that is read.
    commit: String,
    running: Option<Running>,
}

/// A test program that has begun.
#[derive(Debug, Default)]
struct Running {
    suite: String,
    name: String,
    passed: Option<usize>,
    failed: Vec<String>,
    skipped: Vec<String>,
    served: Vec<String>,
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
            "commit" => {
                // A new run begins.
                self.finish();
                rest.clone_into(&mut self.commit);
            }
            "listed" => drop(self.waiting.insert(rest.replacen(' ', "/", 1))),
            "not-run" => {
                let (file, reason) = rest.split_once(": ").unwrap_or((rest, "no reason"));
                self.left_out.insert(file.replacen(' ', "/", 1), reason.to_owned());
            }
            "kernel" => rest.clone_into(&mut self.kernel),
            "controllers" => rest.clone_into(&mut self.controllers),
            "begin" => {
                let (suite, name) = rest.split_once(' ')?;
                let [suite, name] = [suite, name].map(str::to_owned);
                self.waiting.remove(&format!("{suite}/{name}"));
                self.running = Some(Running { suite, name, ..Running::default() });
            }
            "skipped" => self.running.as_mut()?.skipped.push(rest.to_owned()),
            "served" => self.running.as_mut()?.served.push(rest.to_owned()),
            "end" => return self.end(rest.rsplit(' ').next()?),
            _ => {}
        }
        None
    }

    /// Adds the result of the program that has ended.
    fn end(&mut self, status: &str) -> Option<String> {
        let mut running = self.running.take()?;
        if status != "0" && running.failed.is_empty() {
            running.failed.push(match status {
                "124" | "137" => "ended by its bound of time".to_owned(),
                _ => format!("ended with {status}"),
            });
        }
        // A program without the harness is one test.
        let passed = running.passed.unwrap_or(usize::from(running.failed.is_empty()));
        let Running { suite, name, failed, skipped, served, .. } = running;
        let line = format!(
            "{suite}/{name}: {passed} passed, {} failed, {} skipped {}",
            failed.len(),
            skipped.len(),
            failed.join(" "),
        );
        let counts = Counts {
            // A skipped test passes as far as the harness knows.
            passed: passed.saturating_sub(skipped.len()),
            failed: failed.into_iter().map(|test| format!("{name}::{test}")).collect(),
            skipped,
            served,
            commit: self.commit.clone(),
        };
        let file = format!("{suite}/{name}");
        self.left_out.remove(&file);
        self.files.insert(file, counts);
        Some(line)
    }

    /// Ends the report. A program that was running when the machine ended has failed.
    pub(crate) fn finish(&mut self) {
        self.end("the machine");
    }

    /// Returns the sum of each suite.
    fn suites(&self) -> BTreeMap<&str, Counts> {
        let mut suites: BTreeMap<&str, Counts> = BTreeMap::new();
        for (file, counts) in &self.files {
            let suite = file.split('/').next().unwrap_or_default();
            let sum = suites.entry(suite).or_default();
            sum.passed += counts.passed;
            sum.failed.extend(counts.failed.iter().cloned());
            sum.skipped.extend(counts.skipped.iter().cloned());
        }
        suites
    }

    /// Returns each reason for which files did not run, with these files.
    fn reasons_not_run(&self) -> Vec<String> {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (file, reason) in &self.left_out {
            reasons.entry(reason).or_default().push(file);
        }
        for file in &self.waiting {
            reasons.entry("the machine ended before").or_default().push(file);
        }
        reasons.iter().map(|(reason, files)| format!("{reason}: {}", files.join(", "))).collect()
    }

    /// Returns each commit that files ran at, with their number.
    fn commits(&self) -> String {
        let mut commits: BTreeMap<&str, usize> = BTreeMap::new();
        for counts in self.files.values() {
            *commits.entry(&counts.commit).or_default() += 1;
        }
        let parts = commits.iter().map(|(commit, files)| format!("{files} files of {commit}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn is_good(&self) -> bool {
        let all_passed = self.files.values().all(|counts| counts.failed.is_empty());
        all_passed && !self.files.is_empty() && self.waiting.is_empty()
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
        for (suite, Counts { passed, failed, skipped, .. }) in report.suites() {
            let (failed, skipped) = (failed.len(), skipped.len());
            let row = format!("{machine} | {kernel} | {suite} | {passed} | {failed} | {skipped}");
            text.push_str(&format!("| {row} |\n"));
        }
        if !report.waiting.is_empty() {
            text.push_str(&format!("| {machine} | {kernel} | **did not finish** | | | |\n"));
        }
    }
    let of_suites = |lines: fn(&Counts) -> &Vec<String>| {
        move |report: &Report| report.files.values().flat_map(lines).cloned().collect()
    };
    section(&mut text, "Failed", reports, of_suites(|counts| &counts.failed));
    section(&mut text, "Skipped", reports, of_suites(|counts| &counts.skipped));
    section(&mut text, "Not run", reports, Report::reasons_not_run);
    section(&mut text, "What served", reports, of_suites(|counts| &counts.served));
    let of_machine = |report: &Report| {
        let controllers = format!("cgroup v2 with {}", report.controllers);
        let controllers = (!report.controllers.is_empty()).then_some(controllers);
        controllers.into_iter().chain([report.commits()]).collect()
    };
    section(&mut text, "What ran", reports, of_machine);
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
@@ commit aaaa
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
        let suites = report.suites();
        assert_eq!((suites["reactor"].passed, &suites["reactor"].failed), (3, &failed));
        assert_eq!(suites["reactor"].skipped, skipped);
        let table = table(&[report]);
        assert!(table.contains("What served:\n\n- group signal: kill (bookworm)\n"), "{table}");
        assert!(table.contains("- cgroup v2 with cpu memory (bookworm)\n"), "{table}");
    }

    #[test]
    fn a_machine_that_ends_early_fails_the_program_that_ran() {
        let report = report();
        assert!(!report.is_good());
        assert_eq!(report.suites()["utils"].failed, ["late::ended with the machine"]);
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
            assert_eq!(report.suites()["reactor"].failed.len(), failed);
        }
        assert_eq!(report.suites()["reactor"].passed, 0, "the last result of a file counts");
    }

    #[test]
    fn a_later_run_of_files_replaces_their_results() {
        let again = "\
@@ commit bbbb
@@ listed utils leaks
@@ listed reactor timers
@@ begin utils leaks
test result: ok. 2 passed; 0 failed; 0 ignored
@@ end utils leaks 12.5 0
@@ begin reactor timers
test result: ok. 2 passed; 0 failed; 0 ignored
@@ end reactor timers 13.5 0
@@ begin utils late
test result: ok. 1 passed; 0 failed; 0 ignored
@@ end utils late 14.5 0
";
        let report = Report::of_log("bookworm", &format!("{CONSOLE}{again}"));
        assert!(report.is_good());
        assert_eq!((report.suites()["utils"].passed, report.suites()["reactor"].passed), (3, 4));
        assert_eq!(report.commits(), "1 files of aaaa, 3 files of bbbb");
        assert!(!table(&[report]).contains("did not finish"));
    }

    #[test]
    fn a_program_that_its_bound_ended_has_failed() {
        let mut report = Report::new("x");
        for (file, status) in [("a", "124"), ("b", "137")] {
            report.read(&format!("@@ begin reactor {file}"));
            report.read("test one ... ok");
            report.read(&format!("@@ end reactor {file} 912.00 {status}"));
        }
        let failed = ["a", "b"].map(|file| format!("{file}::ended by its bound of time"));
        assert_eq!(report.suites()["reactor"].failed, failed);
        assert!(!report.is_good());
    }

    #[test]
    fn a_list_of_failures_names_each_test_with_its_machines() {
        let table = table(&[report(), report()]);
        assert!(table.contains("- timers::b (bookworm, bookworm)\n"), "{table}");
        assert!(table.contains("| bookworm | 6.1.0 x86_64 | reactor | 3 | 1 | 1 |\n"), "{table}");
        assert!(table.contains("- group signal: kill (bookworm, bookworm)\n"), "{table}");
        assert!(table.contains("- it is huge: utils/storm (bookworm, bookworm)\n"), "{table}");
    }
}
