//! The example `reactor_only`: it hears its socket and stops by itself.

use std::process::Command;

#[test]
fn it_reads_what_the_timer_wrote_and_stops() {
    let output = Command::new(env!("CARGO_BIN_EXE_reactor_only")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "read hello\nstopped\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
