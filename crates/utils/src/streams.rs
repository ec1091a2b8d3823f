//! The descriptors that a helper sets for its program, and the errors for a command that has a
//! terminal there.

use procession_process_transport::{Command, Fd};
use procession_protocol::ChildFd;

const INPUT_IS_ITS_OWN: &str = "Run and the get_process_… helpers give the program a standard input of \
                                their own, and this command has a terminal there: leave it to that \
                                with Run and stdin(Stdin::as_in_command())";

const OUTPUTS_ARE_MERGED: &str = "merge_stderr and get_process_output_merged read a pipe, and this \
                                  command has a terminal, whose outputs are one already: run it \
                                  without merging them";

/// Sends both outputs through one pipe.
pub(crate) fn merged(command: Command) -> Command {
    command.helper_fd(ChildFd::STDOUT, Fd::from_child(), OUTPUTS_ARE_MERGED).helper_fd(
        ChildFd::STDERR,
        Fd::same_as(1),
        OUTPUTS_ARE_MERGED,
    )
}

/// Sets the standard input.
pub(crate) fn with_input(command: Command, fd: Fd) -> Command {
    command.helper_fd(ChildFd::STDIN, fd, INPUT_IS_ITS_OWN)
}
