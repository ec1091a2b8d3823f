//! Signals as numbers with names. This module neither sends nor handles signals.

use std::fmt;
use std::io;
use std::str::FromStr;

/// The number of a signal.
///
/// # Platform
///
/// The constants have the numbers of the target: Linux and Android on one side, macOS and the BSDs
/// on the other. Linux on MIPS and SPARC, which has numbers of its own, is not supported.
///
/// # Examples
///
/// ```
/// use procession::Signal;
///
/// assert_eq!("TERM".parse(), Ok(Signal::TERM));
/// assert_eq!("SIGTERM".parse(), Ok(Signal::TERM));
/// assert_eq!("15".parse(), Ok(Signal::TERM));
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::from_raw(40).to_string(), "signal 40");
/// ```
///
/// # References
///
/// [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6",
        target_arch = "sparc",
        target_arch = "sparc64",
    )
))]
compile_error!("the signal numbers of Linux on MIPS and SPARC are not in the table");

macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $linux:literal, $bsd:literal;)*) => {
        impl Signal {
            $(
                $(#[$doc])*
                #[cfg(any(target_os = "linux", target_os = "android"))]
                pub const $name: Self = Self($linux);
                $(#[$doc])*
                #[cfg(not(any(target_os = "linux", target_os = "android")))]
                pub const $name: Self = Self($bsd);
            )*

            /// Each name once, without `SIG`.
            const NAMES: &[(Self, &'static str)] = &[$((Self::$name, stringify!($name))),*];
        }
    };
}

signals! {
    /// The terminal hung up.
    HUP = 1, 1;
    /// Interrupt from the keyboard.
    INT = 2, 2;
    /// Quit from the keyboard; dumps core.
    QUIT = 3, 3;
    /// Illegal instruction.
    ILL = 4, 4;
    /// Trace or breakpoint trap.
    TRAP = 5, 5;
    /// Abort.
    ABRT = 6, 6;
    /// Bad memory access.
    BUS = 7, 10;
    /// Arithmetic error.
    FPE = 8, 8;
    /// Kill; can be neither caught nor ignored.
    KILL = 9, 9;
    /// The user's first signal.
    USR1 = 10, 30;
    /// Invalid memory reference.
    SEGV = 11, 11;
    /// The user's second signal.
    USR2 = 12, 31;
    /// Write to a pipe that nobody reads.
    PIPE = 13, 13;
    /// Timer of alarm(2).
    ALRM = 14, 14;
    /// Polite request to end.
    TERM = 15, 15;
    /// A child stopped or ended.
    CHLD = 17, 20;
    /// Continue if stopped.
    CONT = 18, 19;
    /// Stop; can be neither caught nor ignored.
    STOP = 19, 17;
    /// Stop from the keyboard.
    TSTP = 20, 18;
    /// Background read from the terminal.
    TTIN = 21, 21;
    /// Background write to the terminal.
    TTOU = 22, 22;
    /// Urgent data on a socket.
    URG = 23, 16;
    /// CPU time limit.
    XCPU = 24, 24;
    /// File size limit.
    XFSZ = 25, 25;
    /// Virtual timer.
    VTALRM = 26, 26;
    /// Profiling timer.
    PROF = 27, 27;
    /// The terminal's window changed its size.
    WINCH = 28, 28;
    /// I/O is possible.
    IO = 29, 23;
    /// Bad system call.
    SYS = 31, 12;
}

impl Signal {
    /// Creates a signal from any number.
    ///
    /// Zero is the existence test of kill(2). If a number is not a signal, sending it fails with
    /// `EINVAL`.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Returns the name without `SIG`, such as `"TERM"`, if there is a constant for the number.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(signal, _)| *signal == self).map(|(_, name)| *name)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl FromStr for Signal {
    type Err = ParseSignalError;

    /// Parses a name in capitals, with or without `SIG`, or a decimal number.
    fn from_str(text: &str) -> Result<Self, ParseSignalError> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        if let Some((signal, _)) = Self::NAMES.iter().find(|(_, known)| *known == name) {
            return Ok(*signal);
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_number => Ok(Self(number)),
            _ => Err(ParseSignalError { text: text.to_owned() }),
        }
    }
}

/// The error of parsing a [`Signal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no signal is called {text:?}")]
#[non_exhaustive]
pub struct ParseSignalError {
    text: String,
}

/// Has the kind `InvalidInput`, and keeps the error.
impl From<ParseSignalError> for io::Error {
    fn from(error: ParseSignalError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_numbers_are_distinct() {
        for (signal, name) in Signal::NAMES {
            assert_eq!(signal.name(), Some(*name));
            assert_eq!(name.parse(), Ok(*signal));
            assert_eq!(signal.to_string().parse(), Ok(*signal));
            assert_eq!(signal.as_raw().to_string().parse(), Ok(*signal));
        }
    }

    #[test]
    fn any_number_is_a_signal_and_only_known_ones_have_names() {
        assert_eq!(Signal::from_raw(0).name(), None);
        assert_eq!(Signal::from_raw(-5).as_raw(), -5);
        assert_eq!("0".parse(), Ok(Signal::from_raw(0)));
        assert_eq!("64".parse(), Ok(Signal::from_raw(64)));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in ["", "SIG", "term", "SIGSIGTERM", "+15", "-1", "15 ", "99999999999"] {
            let error = text.parse::<Signal>().unwrap_err();
            assert_eq!(error.to_string(), format!("no signal is called {text:?}"));
        }
    }
}
