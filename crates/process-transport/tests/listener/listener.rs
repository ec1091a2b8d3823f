//! A program that takes the descriptors that it was passed, and prints them. With `accept`, it greets one
//! connection on the first of them. With `make FILE`, it runs make with this makefile, and shares the
//! jobserver of the make that runs this program.

use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use procession_process_transport::{Command, Fd, listen_fds};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let word = words.next();
    if word.as_deref() == Some("make") {
        return make(&words.next().ok_or("which makefile?")?);
    }
    let fds = match listen_fds() {
        Ok(fds) => fds,
        Err(error) => {
            println!("{:?}: {error}", error.kind());
            return Ok(());
        }
    };
    for (name, fd) in &fds {
        let flags = rustix::io::fcntl_getfd(fd)?;
        let closes = flags.contains(rustix::io::FdFlags::CLOEXEC);
        println!("{name} on {}{}", fd.as_raw_fd(), if closes { "" } else { ", inherited" });
    }
    match listen_fds() {
        Ok(none) => println!("then {}", none.len()),
        Err(error) => println!("then {:?}", error.kind()),
    }
    if word.as_deref() == Some("accept") {
        let (_, fd) = fds.into_iter().next().ok_or("there is none")?;
        let (mut peer, _) = TcpListener::from(fd).accept()?;
        peer.write_all(b"hello\n")?;
    }
    Ok(())
}

fn make(makefile: &str) -> Result<(), Box<dyn Error>> {
    let make = Command::new("make")
        .args(["-s", "-f", makefile])
        .child_fds([(1, Fd::inherit(stdout())), (2, Fd::inherit(stderr())), (9, Fd::null())])
        .inherit_jobserver();
    Ok(make.spawn()?.wait()?.map(drop)?)
}
