//! Area PG: a child in a session of its own outlives the run of its reactor.
#![cfg(feature = "reactor")]

mod util;

use procession_process_transport::SpawnProcess;
use procession_reactor::{Reactor, Stopped};
use rustix::process::{Pid, WaitId, WaitIdOptions, getsid, waitid};

use crate::util::{Leaks, PROMPTLY, Recorder, bound, command, isolated, process_state};

/// Case PG-12.
#[test]
fn a_child_in_a_session_of_its_own_outlives_the_run() {
    isolated("a_child_in_a_session_of_its_own_outlives_the_run", || {
        let mut reactor = Reactor::new().unwrap();
        let (recorder, record) = Recorder::new();
        let sleep = command("/bin/sleep").arg("3").new_session();
        let child = reactor.spawn_process(recorder, sleep).unwrap();
        let number = child.pid().unwrap();
        let pid = Pid::from_raw(number.cast_signed()).unwrap();
        assert_eq!(getsid(Some(pid)).unwrap(), pid);
        let from = reactor.now();
        reactor.call_soon(procession_reactor::Handle::stop);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert!(reactor.now() - from < bound(PROMPTLY), "run does not wait for it");
        assert!(record.exited().is_none());
        drop(reactor);
        assert!("SR".contains(process_state(number)), "it is alive");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).unwrap();
        Leaks::assert_no_children();
    });
}
