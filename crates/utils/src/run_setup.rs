//! [`RunSetup`]: the options of a run that its error messages depend on.

/// How the program was set up, as far as its error messages depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RunSetup {
    /// Both outputs go through one pipe.
    pub(crate) is_merged: bool,
    /// The program runs where it can use the parent's terminal.
    pub(crate) is_foreground: bool,
    /// A launcher's local command runs it on another machine, and may report on descriptor 3.
    pub(crate) is_elsewhere: bool,
}
