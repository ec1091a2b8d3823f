//! The part of a child's fd map that the command sets.

use std::io::{stderr, stdin, stdout};
use std::sync::LazyLock;

use procession_protocol::ChildFd;

use super::fd::{Fd, FdKind, PIPES};
use super::named_fds::NamedFds;
use super::number_map::NumberMap;

/// What a child finds on 0 to 2 where its command names nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DefaultStdio {
    /// Pipes to the parent.
    #[default]
    Pipes,
    /// What the parent has on the same number.
    Inherited,
}

/// Changes to the default fd map, or a map that replaces it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FdMap {
    /// Numbers that are not named are closed in the child, also 0 to 2.
    replaced: bool,
    default: DefaultStdio,
    /// The entries that the command names.
    pub(crate) entries: NumberMap<Fd>,
    /// Entries that come with variables.
    pub(crate) named: NamedFds,
    /// The entries among these that a helper named although the command has a terminal, with the
    /// helper's message for that.
    by_helper: NumberMap<&'static str>,
}

impl DefaultStdio {
    /// Returns what the child finds on 0 to 2.
    fn fds(self) -> &'static [Fd; 3] {
        static INHERITED: LazyLock<[Fd; 3]> =
            LazyLock::new(|| [Fd::inherit(stdin()), Fd::inherit(stdout()), Fd::inherit(stderr())]);
        match self {
            Self::Pipes => &PIPES,
            Self::Inherited => &INHERITED,
        }
    }
}

impl FdMap {
    /// Returns a map of these numbers, and of those that come with variables.
    pub(super) fn only(self, fds: impl IntoIterator<Item = (ChildFd, Fd)>) -> Self {
        let entries = fds.into_iter().collect();
        Self { replaced: true, entries, named: self.named, ..Self::default() }
    }

    /// Returns the highest number that the command names, or a lower one than any.
    pub(crate) fn highest(&self) -> i32 {
        self.entries.keys().next_back().map_or(-1, |fd| fd.as_raw())
    }

    /// Returns whether both give a child the same descriptors.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let [one, two] = [&self.entries, &other.entries];
        let are_same = one.len() == two.len()
            && one.iter().all(|(fd, one)| two.get(fd).is_some_and(|two| one.is_same(two)));
        (self.replaced, self.default) == (other.replaced, other.default)
            && are_same
            && self.named.is_same(&other.named)
    }

    /// Sets the default map.
    pub(crate) fn set_default(&mut self, default: DefaultStdio) {
        self.default = default;
    }

    /// Sets the entry for a number; the last call for it wins.
    pub(super) fn set(&mut self, number: ChildFd, fd: Fd) {
        self.by_helper.remove(&number);
        self.entries.insert(number, fd);
    }

    /// Sets the entry for a number on behalf of a helper, for a command that has a terminal.
    pub(super) fn set_by_helper(&mut self, number: ChildFd, fd: Fd, why_no_terminal: &'static str) {
        self.set(number, fd);
        self.by_helper.insert(number, why_no_terminal);
    }

    /// Returns the subject and the reason of the error if an entry prevents a terminal.
    pub(crate) fn without_terminal(&self) -> Option<(String, &'static str)> {
        let standard = self.entries.keys().filter(|fd| (0..3).contains(&fd.as_raw()));
        let (by_helper, named): (Vec<&ChildFd>, Vec<&ChildFd>) =
            standard.partition(|fd| self.by_helper.contains_key(fd));
        if let Some(fd) = named.first() {
            return Some((format!("child fd {fd}"), "the child of a pty has its terminal there"));
        }
        let why = self.by_helper.get(by_helper.first()?)?;
        Some(("pty".to_owned(), why))
    }

    /// Calls with the entries of the default map for numbers that the command does not name, then with
    /// the command's, also those of closed numbers. A child with a terminal has no default map.
    fn each<'a>(&'a self, has_terminal: bool, mut call: impl FnMut(ChildFd, &'a Fd)) {
        if !self.replaced && !has_terminal {
            for (number, fd) in (0..).map(ChildFd::from).zip(self.default.fds()) {
                if !self.entries.contains_key(&number) {
                    call(number, fd);
                }
            }
        }
        for (number, fd) in self.entries.iter() {
            call(*number, fd);
        }
        for (number, fd) in self.named.entries(self.highest()) {
            call(number, fd);
        }
    }

    /// Returns the numbers whose kind matches, ascending, and the number of a terminal.
    pub(super) fn numbers(
        &self,
        terminal: Option<ChildFd>,
        is_wanted: fn(&FdKind) -> bool,
    ) -> Vec<ChildFd> {
        let mut numbers: Vec<ChildFd> = terminal.into_iter().collect();
        self.each(terminal.is_some(), |number, fd| {
            if is_wanted(fd.kind()) {
                numbers.push(number);
            }
        });
        numbers.sort_unstable();
        numbers
    }

    /// Returns what the child finds on each number; closed numbers are left out.
    pub(super) fn filled_in(&self, has_terminal: bool) -> NumberMap<&Fd> {
        let mut map = NumberMap::with_capacity(3 + self.entries.len());
        self.each(has_terminal, |number, fd| {
            if matches!(fd.kind(), FdKind::Closed) {
                map.remove(&number);
            } else {
                map.insert(number, fd);
            }
        });
        map
    }
}

#[cfg(test)]
mod tests {
    use procession_protocol::ChildFd;

    use super::DefaultStdio;
    use crate::command::{Command, Fd, FdKind};

    fn numbers(command: &Command) -> Vec<i32> {
        command.fd_entries().keys().map(|fd| fd.as_raw()).collect()
    }

    #[test]
    fn one_entry_changes_the_default_map_and_a_list_replaces_it() {
        assert_eq!(numbers(&Command::new("x")), [0, 1, 2]);
        assert_eq!(numbers(&Command::new("x").child_fd(5, Fd::null())), [0, 1, 2, 5]);
        assert_eq!(numbers(&Command::new("x").child_fd(0, Fd::closed())), [1, 2]);
        assert_eq!(numbers(&Command::new("x").child_fds([(4, Fd::null())])), [4]);
        let none: [(ChildFd, Fd); 0] = [];
        assert_eq!(numbers(&Command::new("x").child_fds(none)), [0; 0]);
    }

    #[test]
    fn what_is_not_named_is_inherited_if_the_loop_says_so() {
        let mut command = Command::new("x").stdin(Fd::null());
        command.fds.set_default(DefaultStdio::Inherited);
        assert_eq!((command.input_fds(), command.output_fds()), (vec![], vec![]));
        let map = command.fd_entries();
        let inherited = |fd: &Fd| matches!(fd.kind(), FdKind::Inherit(_));
        let are_inherited: Vec<bool> = map.iter().map(|(_, fd)| inherited(fd)).collect();
        assert_eq!(are_inherited, [false, true, true]);
        command.fds.set_default(DefaultStdio::Pipes);
        assert_eq!(command.output_fds(), [1, 2]);
    }

    #[test]
    fn the_standard_streams_go_by_name_too() {
        let by_number = Command::new("x").child_fd(0, Fd::null()).child_fd(1, Fd::same_as(2));
        let by_name = Command::new("x").stdin(Fd::null()).stdout(Fd::same_as(2));
        assert_eq!(format!("{by_name:?}"), format!("{by_number:?}"));
        let file = std::fs::File::open("/dev/null").unwrap();
        let owned: std::os::fd::OwnedFd = file.try_clone().unwrap().into();
        let command = by_name.stderr(file).child_fd(7, owned);
        let is_inherited = |(_, fd): (&ChildFd, &&Fd)| matches!(fd.kind(), FdKind::Inherit(_));
        assert!(command.fd_entries().iter().skip(2).all(is_inherited));
        assert_eq!(numbers(&command), [0, 1, 2, 7]);
    }
}
