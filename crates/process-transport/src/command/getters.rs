//! What a command says about its child, for tests and for code that wraps a start.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use procession_protocol::ChildFd;

use super::fd::FdKind;
use super::{Command, Pty};

/// Getters.
impl Command {
    /// Returns the program, as given.
    pub fn get_program(&self) -> &OsStr {
        &self.program
    }

    /// Returns the arguments, without `argv[0]`.
    pub fn get_args(&self) -> impl Iterator<Item = &OsStr> {
        self.args.iter().map(OsString::as_os_str)
    }

    /// Returns the changes to the parent's environment, by name: the value of a variable that the
    /// command sets, and `None` for one that it removes. After [`env_clear`](Self::env_clear) these
    /// are the variables set since.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Command;
    /// use std::ffi::OsStr;
    ///
    /// let command = Command::new("make").env("LANG", "C").env_remove("MAKEFLAGS");
    /// let changes: Vec<_> = command.get_envs().collect();
    /// let lang = (OsStr::new("LANG"), Some(OsStr::new("C")));
    /// assert_eq!(changes, [lang, (OsStr::new("MAKEFLAGS"), None)]);
    /// ```
    pub fn get_envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.env.changes.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// Returns the working directory, if one is set.
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.cwd.as_deref()
    }

    /// Returns the terminal, if the child gets one.
    pub fn get_pty(&self) -> Option<&Pty> {
        self.pty.as_ref()
    }

    /// Returns whether the child is [owned](Self::owned).
    pub fn is_owned(&self) -> bool {
        self.identity.owned
    }

    /// Returns the numbers that the parent can write to; a terminal is written on 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Fd, Pty};
    ///
    /// let command = Command::new("gpg").child_fd(3, Fd::to_child()).child_fd(4, Fd::from_child());
    /// assert_eq!(command.input_fds(), [0, 3]);
    /// assert_eq!(command.output_fds(), [1, 2, 4]);
    /// ```
    pub fn input_fds(&self) -> Vec<ChildFd> {
        let terminal = self.pty.is_some().then_some(ChildFd::STDIN);
        self.numbers(terminal, |kind| matches!(kind, FdKind::ToChild | FdKind::Socketpair))
    }

    /// Returns the numbers that the parent reads; a terminal is read on 1.
    pub fn output_fds(&self) -> Vec<ChildFd> {
        let terminal = self.pty.is_some().then_some(ChildFd::STDOUT);
        self.numbers(terminal, |kind| matches!(kind, FdKind::FromChild | FdKind::Socketpair))
    }

    /// Returns the numbers whose kind matches, ascending; `terminal`, if any, comes first.
    fn numbers(&self, terminal: Option<ChildFd>, like: fn(&FdKind) -> bool) -> Vec<ChildFd> {
        let map = self.fd_entries();
        let alike = map.iter().filter(|(_, fd)| like(fd.kind())).map(|(number, _)| *number);
        terminal.into_iter().chain(alike).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use procession_protocol::ChildFd;

    use crate::{Command, Fd, Pty};

    #[test]
    fn a_command_lists_what_the_parent_reads_and_writes() {
        let x = || Command::new("x");
        let all = x().child_fd(3, Fd::socketpair()).child_fd(4, Fd::to_child());
        assert_eq!((all.input_fds(), all.output_fds()), (fds([0, 3, 4]), fds([1, 2, 3])));
        let terminal = x().pty(Pty::new()).child_fd(5, Fd::from_child());
        assert_eq!((terminal.input_fds(), terminal.output_fds()), (fds([0]), fds([1, 5])));
        let none = x().child_fds([(0, Fd::null()), (1, Fd::same_as(0))]);
        assert_eq!((none.input_fds(), none.output_fds()), (fds([]), fds([])));
    }

    fn fds<const N: usize>(numbers: [i32; N]) -> Vec<ChildFd> {
        numbers.map(ChildFd::from).to_vec()
    }

    #[test]
    fn a_command_tells_its_environment_terminal_and_owner() {
        let plain = Command::new("x");
        assert_eq!((plain.get_envs().count(), plain.is_owned()), (0, false));
        assert!(plain.get_pty().is_none());
        let owned = Command::new("x").owned(true).pty(Pty::new());
        assert!(owned.is_owned() && owned.get_pty().is_some());
        let command = Command::new("x").env("B", "1").env_clear().env("A", "2").env_remove("C");
        let changes: Vec<_> = command.get_envs().collect();
        let [a, c] = ["A", "C"].map(OsStr::new);
        assert_eq!(changes, [(a, Some(OsStr::new("2"))), (c, None)]);
    }
}
