//! What a descriptor of a child can be.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::Path;

use procession::prelude::*;

// ANCHOR: kinds
fn build(log: &Path, lock: File) -> Command {
    use procession::FileMode;

    Command::new("make")
        .stdin(Fd::null()) // /dev/null
        .stdout(Fd::file(log, FileMode::Append)) // opened for the child, before it starts
        .stderr(Fd::same_as(1)) // 2>&1
        .child_fd(3, Fd::inherit(lock)) // a descriptor of ours, given to this child
        .child_fd(4, Fd::from_child()) // a pipe that we read
        .child_fd(5, Fd::socketpair()) // both directions on one descriptor
}
// ANCHOR_END: kinds

// ANCHOR: merged
async fn merged() -> Result<String, Box<dyn Error>> {
    let noisy = Run::new("sh").args(["-c", "echo out; echo err >&2; echo out"]);
    Ok(noisy.merge_stderr().check().await?.stdout_utf8()?.to_owned())
}
// ANCHOR_END: merged

// ANCHOR: socketpair
struct Ping;

impl ProcessProtocol for Ping {
    fn connection_made(&mut self, process: &Process) {
        process.write_to_child(3, "ping\n").ok();
        process.shutdown_write(3); // the child sees the end; we still read
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        println!("on {}: {}", fd.as_raw(), data.escape_ascii());
    }
}
// ANCHOR_END: socketpair

// ANCHOR: listen
fn server(socket: std::net::TcpListener) -> Command {
    // The child finds LISTEN_FDS=1, LISTEN_FDNAMES=http and the socket as descriptor 3.
    Command::new("my-server").listen_fds([("http", Fd::inherit(socket))])
}
// ANCHOR_END: listen

// ANCHOR: blocking
fn two_outputs() -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
    let script = Command::new("sh").args(["-c", "echo result >&3; echo log"]);
    let output = script.child_fd(3, Fd::from_child()).spawn()?.output()?;
    Ok((output.stdout().to_vec(), output.bytes(3).to_vec()))
}
// ANCHOR_END: blocking

#[test]
fn a_command_has_the_descriptors_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let lock = File::create(folder.path().join("lock")).unwrap();
    let command = build(&log, lock);
    let outputs: Vec<i32> = command.output_fds().iter().map(|fd| fd.as_raw()).collect();
    assert_eq!(outputs, [4, 5]);
    let sh = Command::new("sh").args(["-c", "echo both; echo of them >&2"]);
    let sh = sh.stdout(Fd::file(&log, procession::FileMode::Append)).stderr(Fd::same_as(1));
    assert!(sh.spawn().unwrap().wait().unwrap().is_ok());
    assert_eq!(std::fs::read_to_string(log).unwrap(), "both\nof them\n");
}

#[test]
fn both_outputs_keep_their_order() {
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.block_on(merged()).unwrap(), "out\nerr\nout\n");
}

#[test]
fn a_socketpair_has_two_directions() {
    let mut reactor = Reactor::new().unwrap();
    let cat = Command::new("sh").args(["-c", "cat <&3 >&3"]).child_fd(3, Fd::socketpair());
    let ended = reactor.spawn_process(Ping, cat).unwrap().ended();
    assert!(reactor.block_on(ended).unwrap().is_ok());
}

#[test]
fn a_socket_is_passed_by_name() -> io::Result<()> {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let sh = Command::new("sh").args(["-c", "echo $LISTEN_FDS $LISTEN_FDNAMES"]);
    let sh = sh.listen_fds([("http", Fd::inherit(socket))]);
    assert_eq!(sh.spawn()?.output()?.stdout(), b"1 http\n");
    let another = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    assert_eq!(server(another).get_program(), "my-server");
    Ok(())
}

#[test]
fn descriptor_three_is_an_output_too() {
    assert_eq!(two_outputs().unwrap(), (b"log\n".to_vec(), b"result\n".to_vec()));
}
