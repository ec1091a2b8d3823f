//! [`LaunchError`]: why a command cannot be carried to another machine.

use std::io;

/// Why a launcher cannot carry a command: nothing was started.
///
/// # Examples
///
/// ```
/// use procession::{Command, LaunchError, Launcher, Ssh};
///
/// let error = Ssh::new("build@a").launch(&Command::new("make").uid(1000)).unwrap_err();
/// assert_eq!(error, LaunchError::NotCarried { option: "uid" });
/// assert_eq!(error.to_string(), "uid counts on this machine only and cannot be carried to another");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The command has an option that counts on this machine only.
    #[error("{option} counts on this machine only and cannot be carried to another")]
    NotCarried {
        /// The option, by the name of its method.
        option: &'static str,
    },
    /// A part of the command cannot be written in a command for another machine.
    #[error("the {part} has {what}")]
    NotText {
        /// The part: an argument, a variable, the directory.
        part: &'static str,
        /// What it has.
        what: &'static str,
    },
    /// The command is too long, with its arguments and variables.
    #[error(
        "the command has {bytes} bytes when it is quoted, and at most {max_bytes} can be carried"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
}

/// Has the kind `InvalidInput`, and keeps the error.
impl From<LaunchError> for io::Error {
    fn from(error: LaunchError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
