//! The sockets that a service manager passed to this program.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::command::named_fds::LISTEN_FDS_START;
use crate::sys;

/// They were taken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The name of a descriptor that came without one, as in `sd_listen_fds_with_names(3)`.
const NO_NAME: &str = "unknown";

/// Takes the descriptors that a service manager, or a parent with [`Command::listen_fds`], passed to this
/// program, with their names, in order. There are none if nobody passed any to this process.
///
/// They are 3 and the following numbers. `LISTEN_FDS` says how many they are, `LISTEN_FDNAMES` has their
/// names, which colons divide, and `LISTEN_PID` the process that they are for
/// (`sd_listen_fds(3)`). The name is `unknown` where there is none. They become close-on-exec.
///
/// Call it early: it trusts that no other code of this program has closed or taken these numbers. The
/// variables stay; a child of this process ignores them, because they name another process.
///
/// # Errors
///
/// `AlreadyExists` if an earlier call has taken them. `InvalidData` if a variable is not what it should be,
/// or if a number is not open; then none is taken.
///
/// # Examples
///
/// ```
/// use std::net::TcpListener;
///
/// for (name, fd) in procession::listen_fds()? {
///     if name == "http" {
///         let listener = TcpListener::from(fd);
///         println!("listens on {}", listener.local_addr()?);
///     }
/// }
/// # std::io::Result::Ok(())
/// ```
///
/// [`Command::listen_fds`]: crate::Command::listen_fds
#[doc(alias = "sd_listen_fds")]
#[doc(alias = "socket activation")]
pub fn listen_fds() -> io::Result<Vec<(String, OwnedFd)>> {
    let pid = variable("LISTEN_PID")?;
    if pid.is_none_or(|pid| pid.parse() != Ok(process::id())) {
        return Ok(Vec::new());
    }
    let names = names()?;
    if TAKEN.swap(true, Ordering::AcqRel) {
        let why = "the descriptors of LISTEN_FDS were taken before";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    for (number, _) in (LISTEN_FDS_START..).zip(&names) {
        if let Err(error) = sys::close_on_exec(number) {
            TAKEN.store(false, Ordering::Release);
            return Err(bad(format!("LISTEN_FDS is {}, but {number}: {error}", names.len())));
        }
    }
    let numbers = LISTEN_FDS_START..;
    Ok(names.into_iter().zip(numbers).map(|(name, number)| (name, sys::take(number))).collect())
}

/// Returns the name of each descriptor.
fn names() -> io::Result<Vec<String>> {
    let Some(count) = variable("LISTEN_FDS")? else { return Ok(Vec::new()) };
    let most = i64::try_from(sys::open_files_limit()).unwrap_or(i64::MAX);
    let Some(count) = count.parse().ok().filter(|count| (0..=most).contains(count)) else {
        return Err(bad(format!("LISTEN_FDS is {count:?}, not a number of descriptors")));
    };
    let count = usize::try_from(count).unwrap_or_default();
    if count == 0 {
        return Ok(Vec::new());
    }
    let Some(names) = variable("LISTEN_FDNAMES")? else {
        return Ok(vec![NO_NAME.to_owned(); count]);
    };
    let names: Vec<String> = names.split(':').map(ToOwned::to_owned).collect();
    if names.len() == count {
        Ok(names)
    } else {
        Err(bad(format!("LISTEN_FDS is {count}, and LISTEN_FDNAMES has {} names", names.len())))
    }
}

fn variable(name: &str) -> io::Result<Option<String>> {
    let text = |value: OsString| {
        value.into_string().map_err(|value| bad(format!("{name} is {value:?}, which is no text")))
    };
    env::var_os(name).map(text).transpose()
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
