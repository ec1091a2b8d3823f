//! The task `matrix`: refuses each system call of a launch, and writes the outcomes to
//! docs/launch-matrix.md.
//!
//! The tests in `faults_matrix` do the work. If `PROCESSION_MATRIX_DIR` is set, each writes its
//! table to that directory. Otherwise they compare their outcomes with the page: a part of it, or
//! all of it in the slow tier.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

/// The path of the page, from the root.
const PAGE: &str = "docs/launch-matrix.md";

/// The text above the tables.
const HEAD: &str = include_str!("matrix/head.md");

/// The tests, and the headings of their tables, in the order of the page.
const TABLES: [(&str, &str); 5] = [
    ("a_launch_without_any_one_of_its_calls_works_or_says_why", "What every launch makes"),
    ("what_a_command_asks_for_comes_about_or_the_spawn_fails", "What a command asks for"),
    ("a_terminal_comes_about_or_the_spawn_fails", "A terminal"),
    ("a_verb_whose_call_is_refused_says_so_or_does_without", "The verbs of a child without a loop"),
    ("a_reactor_whose_call_is_refused_says_so_or_does_without", "A child of a reactor"),
];

/// Runs the tests and writes the page.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let dir = sh.current_dir().join("target").join("matrix");
    sh.remove_path(&dir)?;
    sh.create_dir(&dir)?;
    let package = ["--package", "procession-process-transport", "--test", "faults_matrix"];
    {
        let _dir = sh.push_env("PROCESSION_MATRIX_DIR", &dir);
        cmd!(sh, "cargo test --locked {package...}").run()?;
    }
    let mut page = HEAD.to_owned();
    for (test, heading) in TABLES {
        let table =
            sh.read_file(dir.join(test)).context("the task needs root, Linux and x86-64")?;
        ensure!(table.lines().count() > 2, "{test} has written no row");
        page.push_str(&format!("\n## {heading}\n\n{table}"));
    }
    sh.write_file(PAGE, page)?;
    println!("{PAGE} is written");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_each_table_below_the_head() {
        let sh = crate::shell_at_root().unwrap();
        let page = sh.read_file(PAGE).unwrap();
        let tables =
            page.strip_prefix(HEAD).expect("the page has the head: run `cargo xtask matrix`");
        let headings: Vec<&str> =
            tables.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, TABLES.map(|(_, heading)| heading));
    }

    #[test]
    fn each_table_is_of_a_test_that_exists() {
        let sh = crate::shell_at_root().unwrap();
        let file = "crates/process-transport/tests/faults_matrix.rs";
        let tests = sh.read_file(file).unwrap();
        for (test, _) in TABLES {
            assert!(tests.contains(&format!("fn {test}()")), "{test}");
        }
    }
}
