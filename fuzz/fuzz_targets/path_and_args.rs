//! Programs, search paths, arguments, variables and directories of arbitrary bytes. They are
//! refused as the contract says, or passed to the child unchanged. None of the programs exists,
//! except the shell that prints its arguments.
#![no_main]

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_process_transport::{Command, SpawnProcess, Step};
use procession_protocol::{ExitReason, Process, ProcessProtocol};
use procession_reactor::Reactor;

#[derive(Debug, Arbitrary)]
struct Input {
    /// In a directory that does not exist, or searched for in such directories.
    program: Vec<u8>,
    bare: bool,
    path: Vec<u8>,
    arg0: Option<Vec<u8>>,
    args: Vec<Vec<u8>>,
    vars: Vec<(Vec<u8>, Vec<u8>)>,
    cwd: Option<Vec<u8>>,
    /// Runs the shell with these arguments.
    echo: bool,
}

#[derive(Default)]
struct ChildRecord {
    output: Vec<u8>,
    ended: bool,
}

struct Collect(Rc<RefCell<ChildRecord>>);

impl ProcessProtocol for Collect {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.0.borrow_mut().output.extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        assert!(reason.is_ok(), "{reason:?}");
        self.0.borrow_mut().ended = true;
    }
}

fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// A directory that does not exist.
const NOWHERE: &[u8] = b"/nonexistent-directory-of-the-fuzzer/";

fn program(input: &Input) -> Vec<u8> {
    if input.echo {
        return b"/bin/sh".to_vec();
    }
    if input.bare {
        return input.program.iter().copied().filter(|byte| *byte != b'/').collect();
    }
    [NOWHERE, &input.program].concat()
}

fn search_path(input: &Input) -> Vec<u8> {
    let dirs = input.path.split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
    dirs.map(|dir| [NOWHERE, dir].concat()).collect::<Vec<_>>().join(&b':')
}

thread_local! {
    static REACTOR: RefCell<Reactor> = RefCell::new(Reactor::new().expect("a reactor"));
}

fuzz_target!(|input: Input| {
    let program = program(&input);
    let path = search_path(&input);
    let mut command = Command::new(os(&program));
    if input.echo {
        // The shell's argv[0] must not be an option, so the script is followed by a name.
        command = command.args(["-c", "for a do printf '%s\\0' \"$a\"; done", "sh"]);
    }
    command = command.args(input.args.iter().map(|arg| os(arg)));
    if let Some(arg0) = input.arg0.as_ref().filter(|_| !input.echo) {
        command = command.arg0(os(arg0));
    }
    command = command.env_clear();
    let vars: Vec<_> = if input.echo { Vec::new() } else { input.vars.clone() };
    for (key, value) in &vars {
        command = command.env(os(key), os(value));
    }
    command = command.env("PATH", os(&path));
    if let Some(cwd) = input.cwd.as_ref().filter(|_| !input.echo) {
        command = command.current_dir(os(&[NOWHERE, cwd].concat()));
    }

    let nul = |bytes: &[u8]| bytes.contains(&0);
    // The variable PATH is set last, and overrides one of the input.
    let bad_key = |key: &[u8]| key.is_empty() || key.contains(&b'=');
    let invalid = program.is_empty()
        || nul(&program)
        || nul(&path)
        || input.args.iter().any(|arg| nul(arg))
        || !input.echo
            && (input.arg0.as_deref().is_some_and(nul)
                || input.cwd.as_deref().is_some_and(nul)
                || vars.iter().any(|(key, _)| bad_key(key) || nul(key))
                || last_values(&vars).any(nul));

    REACTOR.with_borrow_mut(|reactor| {
        let seen = Rc::new(RefCell::new(ChildRecord::default()));
        let result = reactor.spawn_process(Collect(seen.clone()), command);
        match result {
            Err(error) if invalid => {
                assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(22)));
            }
            Err(error) if !input.echo => {
                let expected = if input.cwd.is_some() { Step::Chdir } else { Step::Exec };
                assert_eq!(error.step(), expected, "{error:?}");
                // Not found, or (E2BIG, ENAMETOOLONG) longer than the system allows.
                assert!(matches!(error.raw_os_error(), Some(2 | 7 | 36)), "{error:?}");
                error.to_string();
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(7), "{error:?}"),
            Ok(_) => {
                assert!(input.echo && !invalid);
                while !seen.borrow().ended {
                    reactor.turn(Some(Duration::from_secs(10))).expect("a turn");
                }
                let given: Vec<u8> =
                    input.args.iter().flat_map(|arg| [arg, &b"\0"[..]].concat()).collect();
                assert_eq!(seen.borrow().output, given, "the child got something else");
            }
        }
    });
});

/// Returns the values in the environment: the last one for each name, without PATH.
fn last_values(vars: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = &[u8]> {
    let map: std::collections::BTreeMap<&[u8], &[u8]> =
        vars.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    map.into_iter().filter(|(key, _)| *key != b"PATH").map(|(_, value)| value)
}
