//! [`Report`]: what a launcher's local command says on descriptor 3 about its own failure.

/// Why the local command has no status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// The program has not started, and will not.
    Unstarted,
    /// The connection was lost. The program may have started.
    Lost,
}

/// The descriptor of reports.
pub(crate) const REPORT_FD: i32 = 3;

impl Report {
    /// Returns the word that the local command writes, with a line feed.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Unstarted => "unstarted",
            Self::Lost => "lost",
        }
    }

    /// Returns the report in this text, if it is one.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let is = |report: &Self| text.strip_suffix(b"\n") == Some(report.word().as_bytes());
        [Self::Unstarted, Self::Lost].into_iter().find(is)
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_report_is_a_line_with_its_word() {
        assert_eq!(Report::of(b"lost\n"), Some(Report::Lost));
        assert_eq!(Report::of(b"unstarted\n"), Some(Report::Unstarted));
        assert_eq!(Report::of(b"lost"), None);
    }
}
