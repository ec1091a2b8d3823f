//! Under qemu's user mode, a clone copies memory that should be shared, and does not wait for the
//! exec. Each child still reports its own error, at once.
//!
//! Alone: qemu takes many times the processor time of the program, and its bounds are for the program.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/watch.rs"]
mod watch;

use procession_process_transport::{Command, Step};
use procession_protocol::SpawnPath;

use crate::util::{Leaks, WATCHDOG, code, forced_path, isolated, sanitizer, skip, sys};
use crate::watch::{is_watched, watched};

#[test]
fn under_qemu_each_child_has_its_own_error() {
    let name = "under_qemu_each_child_has_its_own_error";
    if is_watched() {
        sys::alarm(WATCHDOG); // a hang in one of the spawns fails the test
        for round in 0..25 {
            let error = Command::new("/no/such/program").spawn().unwrap_err();
            assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(2)), "{round}");
            let mut child = Command::new("/bin/sleep").arg("0.01").spawn().expect("it is there");
            let missing = Command::new("/bin/true").current_dir("/no/such/directory");
            let error = missing.spawn().unwrap_err();
            assert_eq!((error.step(), error.raw_os_error()), (Step::Chdir, Some(2)), "{round}");
            assert_eq!(code(&child.wait().unwrap()), Some(0), "{round}");
            let echo = Command::new("/bin/echo").arg("hello").spawn().unwrap();
            assert_eq!(echo.spawned_by(), SpawnPath::Fork);
            assert_eq!(echo.output().unwrap().stdout(), b"hello\n", "{round}");
            let refused =
                sys::pre_exec(Command::new("/bin/true"), libc::EPERM).spawn().unwrap_err();
            assert_eq!(
                (refused.step(), refused.raw_os_error()),
                (Step::Signals, Some(libc::EPERM))
            );
        }
        Leaks::assert_no_children();
        return;
    }
    isolated(name, || {
        if forced_path().is_some() {
            return;
        }
        if let Some(sanitizer) = sanitizer() {
            return skip(name, &format!("qemu does not run what has the {sanitizer} sanitizer"));
        }
        let processor = match std::env::consts::ARCH {
            "x86" => "i386",
            other => other,
        };
        let qemu = format!("qemu-{processor}");
        let Some(output) = watched(name, &[&qemu]) else { return };
        let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
        assert!(out.contains("1 passed"), "{out}\n{err}");
    });
}
