//! Helpers and commands that have a terminal: the error of an impossible combination says what to
//! do, in the user's terms.
#![cfg(feature = "reactor")]

mod util;

use procession_core::Deferred;
use procession_process_transport::{Command, Pipeline, Pty, SpawnProcess};
use procession_utils::{
    OutputError, Run, Stdin, get_process_output, get_process_output_and_value,
    get_process_output_merged, get_process_value, run_all,
};
use util::{Driver, behaviour, sh};

fn on_terminal(script: &str) -> Command {
    sh(script).pty(Pty::new())
}

/// Returns the error of a run that cannot be started.
fn said<T: std::fmt::Debug + 'static>(
    driver: &mut Driver,
    run: Deferred<T, OutputError>,
) -> String {
    let error = driver.reactor.block_on(run).expect_err("a terminal has 0 to 2");
    let failed = format!("{error}");
    assert!(failed.contains("pty"), "{failed}");
    for number in ["0", "1", "2"] {
        assert!(!failed.contains(number), "nobody named {number}: {failed}");
    }
    failed
}

/// Each helper says how its program can have a terminal, and mentions no descriptor number.
#[test]
fn a_helper_says_why_its_program_can_have_no_terminal() {
    behaviour("a_helper_says_why_its_program_can_have_no_terminal", |driver| {
        let command = || on_terminal("exit");
        let as_in_command = "Stdin::as_in_command()";
        let errors = [
            said(driver, get_process_output(command())),
            said(driver, get_process_value(command())),
            said(driver, get_process_output_and_value(command(), "")),
            said(driver, Run::from(command()).start()),
            said(driver, Run::from(command()).stdin(Stdin::bytes("x")).start()),
        ];
        for error in errors {
            assert!(error.contains(as_in_command), "{error}");
        }
        let merged = said(driver, get_process_output_merged(command()));
        assert!(merged.contains(as_in_command), "{merged}");
        let merged = Run::from(command()).stdin(Stdin::as_in_command()).merge_stderr().start();
        let merged = said(driver, merged);
        assert!(merged.contains("without merging"), "{merged}");
        let all = driver.reactor.block_on(run_all([command()], 1).all());
        assert!(format!("{all:?}").contains("as_in_command"), "{all:?}");
    });
}

/// A run that leaves its input to the command can have a terminal, and its output is that of the
/// terminal.
#[test]
fn a_run_that_leaves_its_input_to_the_command_can_have_a_terminal() {
    behaviour("a_run_that_leaves_its_input_to_the_command_can_have_a_terminal", |driver| {
        let run = Run::from(on_terminal("test -t 0 && test -t 2 && echo yes; echo err >&2"));
        let outcome = driver.reactor.block_on(run.stdin(Stdin::as_in_command())).unwrap();
        assert_eq!(outcome.stdout, "yes\r\nerr\r\n");
    });
}

/// The error of a pipeline's stage says what a program on a terminal can use instead.
#[test]
fn a_stage_says_why_it_can_have_no_terminal() {
    behaviour("a_stage_says_why_it_can_have_no_terminal", |driver| {
        for (first, last) in [(on_terminal("exit"), sh("exit")), (sh("exit"), on_terminal("exit"))]
        {
            let pipeline = Pipeline::new().stage(first).stage(last);
            let error = driver.reactor.handle().spawn_pipeline(pipeline).map(drop).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("pty") && said.contains("Process::forward"), "{said}");
            assert!(!said.contains("child fd"), "{said}");
        }
    });
}
