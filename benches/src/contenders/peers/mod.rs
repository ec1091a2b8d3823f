//! The peers that only a measurement needs. Their dependencies are nearly half of the workspace's.

mod async_process;
mod calloop;
mod command_fds;
mod duct;
mod portable_pty;
mod processkit;
mod pty_process;
mod subprocess;

use super::Contender;

pub(super) const CONTENDERS: &[Contender] = &[
    Contender { name: "async-process", rows: async_process::row },
    Contender { name: "processkit", rows: processkit::row },
    Contender { name: "processkit (control groups)", rows: processkit::row_in_control_groups },
    Contender { name: "command-fds", rows: command_fds::row },
    Contender { name: "subprocess", rows: subprocess::row },
    Contender { name: "duct", rows: duct::row },
    Contender { name: "portable-pty", rows: portable_pty::row },
    Contender { name: "pty-process", rows: pty_process::row },
    Contender { name: "calloop", rows: calloop::row },
];
