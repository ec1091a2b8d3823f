//! The table of the listings, in the order of the book.

use std::process::ExitCode;

/// Makes the `main` of a listing visible as `start`.
macro_rules! listing {
    () => {
        /// Runs the listing as a program of its own would run.
        pub(super) fn start() -> std::process::ExitCode {
            std::process::Termination::report(main())
        }
    };
}

mod blocking;
mod ctrl_c;
mod daemon;
mod dialogue;
mod directory;
mod environment;
mod exit_status;
mod fakes;
mod from_thread;
mod from_tokio;
mod kill_tree;
mod language_server;
mod lines;
mod many;
mod memory;
mod own_status;
mod pass_fd;
mod password;
mod pipeline;
mod progress;
mod pty;
mod restart;
mod retry;
mod run_command;
mod separately;
mod shell_script;
mod signal;
mod socket_activation;
mod spawn_error;
mod stdin;
mod tail;
mod timeout;
mod to_file;
mod together;
mod user;
mod wait_for_port;

/// The name of a listing, and its `main`.
type Listing = (&'static str, fn() -> ExitCode);

/// Every listing.
pub(crate) const LISTINGS: &[Listing] = &[
    ("run_command", run_command::start),
    ("exit_status", exit_status::start),
    ("timeout", timeout::start),
    ("shell_script", shell_script::start),
    ("environment", environment::start),
    ("directory", directory::start),
    ("spawn_error", spawn_error::start),
    ("retry", retry::start),
    ("memory", memory::start),
    ("user", user::start),
    ("lines", lines::start),
    ("separately", separately::start),
    ("together", together::start),
    ("tail", tail::start),
    ("to_file", to_file::start),
    ("pipeline", pipeline::start),
    ("stdin", stdin::start),
    ("dialogue", dialogue::start),
    ("password", password::start),
    ("language_server", language_server::start),
    ("pass_fd", pass_fd::start),
    ("pty", pty::start),
    ("socket_activation", socket_activation::start),
    ("signal", signal::start),
    ("kill_tree", kill_tree::start),
    ("ctrl_c", ctrl_c::start),
    ("own_status", own_status::start),
    ("daemon", daemon::start),
    ("many", many::start),
    ("progress", progress::start),
    ("restart", restart::start),
    ("wait_for_port", wait_for_port::start),
    ("fakes", fakes::start),
    ("blocking", blocking::start),
    ("from_thread", from_thread::start),
    ("from_tokio", from_tokio::start),
];
