//! The words of the local `ssh` commands.

use std::ffi::OsString;
use std::time::Duration;

use super::texts::Names;

/// What the user says about `ssh` and the host.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) program: OsString,
    /// Arguments before the host.
    pub(crate) args: Vec<OsString>,
    pub(crate) host: String,
    pub(crate) keep_alive: Duration,
    /// How long it may take until a connection is ready.
    pub(crate) connect_timeout: Duration,
}

/// The longest interval of keep-alives, in seconds. `ssh` and `sleep` have limits.
const MOST_BEAT_SECS: u64 = 24 * 60 * 60;

impl Words {
    /// Returns the interval of keep-alives, in whole seconds.
    pub(crate) fn beat_secs(&self) -> u64 {
        self.keep_alive.as_secs().clamp(1, MOST_BEAT_SECS)
    }

    /// Returns the arguments for the shared connection, up to the host.
    pub(crate) fn master(&self, names: &Names) -> Vec<OsString> {
        let alive = format!("ServerAliveInterval={}", self.beat_secs());
        let options = ["ControlMaster=yes", "ControlPersist=no", &alive, "ServerAliveCountMax=3"];
        self.words(names, &options)
    }

    /// Returns the arguments for a session of the shared connection, up to the host. If the connection is
    /// gone, there is no other.
    pub(crate) fn session(&self, names: &Names) -> Vec<OsString> {
        self.words(names, &["ControlMaster=no", "ProxyCommand=false"])
    }

    fn words(&self, names: &Names, options: &[&str]) -> Vec<OsString> {
        // What comes first wins, also over the user's files.
        let always = [
            "BatchMode=yes",
            "LogLevel=ERROR",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
        ];
        let mut words: Vec<OsString> = ["-T", "-S", &names.socket].map(OsString::from).to_vec();
        for option in options.iter().copied().chain(always) {
            words.extend(["-o".into(), option.into()]);
        }
        words.extend(self.args.iter().cloned());
        if !options.contains(&"ProxyCommand=false") {
            // After the user's own: only a default.
            words.extend(["-o".into(), "ConnectTimeout=10".into()]);
        }
        words.extend(["--".into(), OsString::from(&self.host)]);
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(keep_alive: Duration) -> Words {
        let args = vec!["-o".into(), "BatchMode=no".into()];
        let connect_timeout = Duration::ZERO;
        Words { program: "ssh".into(), args, host: "-h".to_owned(), keep_alive, connect_timeout }
    }

    fn names() -> Names {
        Names { socket: "/tmp/s".to_owned(), nonce: "n".to_owned() }
    }

    #[test]
    fn intervals_are_those_that_every_program_takes() {
        for (interval, secs) in
            [(Duration::ZERO, 1), (Duration::from_millis(2999), 2), (Duration::MAX, 86_400)]
        {
            let words = words(interval).master(&names());
            assert!(words.contains(&format!("ServerAliveInterval={secs}").into()), "{words:?}");
        }
    }

    #[test]
    fn options_of_the_library_come_before_those_of_the_user_and_the_host_last() {
        let words = words(Duration::ZERO).session(&names());
        let at = |word: &str| words.iter().position(|found| found == word).unwrap();
        assert!(at("BatchMode=yes") < at("BatchMode=no") && at("BatchMode=no") < at("--"));
        assert_eq!(at("--") + 2, words.len());
        assert_eq!(words.last().unwrap(), "-h", "a host that looks like an option is none");
    }
}
