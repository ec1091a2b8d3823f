//! The line receiver against a model: the lines do not depend on the division into chunks.

use std::ops::ControlFlow;

use bytes::Bytes;
use procession_protocol::LineReceiver;
use proptest::prelude::*;

/// A line, and whether it is cut.
type FoundLine = (Vec<u8>, bool);

fn poll(lines: &mut LineReceiver) -> Option<FoundLine> {
    lines.poll().map(|line| (line.to_vec(), line.is_cut()))
}

/// How the lines are asked for.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Polls,
    Calls,
    /// Calls that break after this many lines, again and again.
    Breaks(usize),
}

impl Ask {
    fn all(self, lines: &mut LineReceiver) -> Vec<FoundLine> {
        let most = match self {
            Self::Polls => return std::iter::from_fn(|| poll(lines)).collect(),
            Self::Calls => usize::MAX,
            Self::Breaks(most) => most,
        };
        let mut found = Vec::new();
        loop {
            let mut left = most;
            lines.for_each_line(|line| {
                found.push((line.to_vec(), line.is_cut()));
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if left > 0 {
                return found;
            }
        }
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![Just(Ask::Polls), Just(Ask::Calls), (1_usize..4).prop_map(Ask::Breaks)]
}

/// Returns the lines of a whole stream.
fn model(stream: &[u8], delimiter: &[u8], max_length: usize) -> Vec<FoundLine> {
    let mut expected = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let end = rest.windows(delimiter.len()).position(|window| window == delimiter);
        let line = &rest[..end.unwrap_or(rest.len())];
        expected.push((line[..line.len().min(max_length)].to_vec(), line.len() > max_length));
        rest = &rest[end.map_or(rest.len(), |end| end + delimiter.len())..];
    }
    expected
}

fn cut(stream: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| Bytes::copy_from_slice(&stream[pair[0]..pair[1]])).collect()
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"ab-=".to_vec()), 0..80)
}

fn delimiter() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"-".to_vec()),
        Just(b"-=".to_vec()),
        Just(b"--".to_vec()),
        Just(b"-=-".to_vec()),
        Just(b"--=--".to_vec()),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_chunking_gives_the_same_lines(
        stream in stream(),
        delimiter in delimiter(),
        max_length in 0_usize..20,
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        asks_between in any::<bool>(),
        ask in ask(),
    ) {
        let mut lines = LineReceiver::with_delimiter(delimiter.clone()).max_length(max_length);
        let mut found = Vec::new();
        for chunk in cut(&stream, &cuts) {
            lines.on_data(chunk);
            if asks_between {
                found.extend(ask.all(&mut lines));
            }
        }
        lines.on_end();
        found.extend(ask.all(&mut lines));
        prop_assert_eq!(found, model(&stream, &delimiter, max_length));
    }

    #[test]
    fn raw_mode_after_any_line_gives_the_rest_of_the_stream(
        stream in stream(),
        delimiter in delimiter(),
        lines_before in 0_usize..5,
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut lines = LineReceiver::with_delimiter(delimiter.clone());
        let mut left = lines_before;
        let mut passed = Vec::new();
        let mut raw = Vec::new();
        for chunk in cut(&stream, &cuts) {
            lines.on_data(chunk);
            loop {
                if left == 0 && !lines.is_raw() {
                    lines.set_raw_mode();
                }
                let Some(line) = lines.poll() else { break };
                prop_assert!(!line.is_cut());
                passed.extend_from_slice(&line);
                passed.extend_from_slice(&delimiter);
                left -= 1;
            }
            while let Some(data) = lines.poll_raw() {
                raw.extend_from_slice(&data);
            }
        }
        if lines.is_raw() {
            passed.extend_from_slice(&raw);
            prop_assert_eq!(passed, stream);
        }
    }

    #[test]
    fn raw_data_handed_back_are_cut_into_lines(
        stream in stream(),
        delimiter in delimiter(),
        raw_bytes in 0_usize..40,
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let raw_bytes = raw_bytes.min(stream.len());
        let mut lines = LineReceiver::with_delimiter(delimiter.clone());
        lines.set_raw_mode();
        let (mut taken, mut found) = (0, Vec::new());
        for chunk in cut(&stream, &cuts) {
            lines.on_data(chunk);
            while let Some(data) = lines.poll_raw() {
                let mine = data.len().min(raw_bytes - taken);
                taken += mine;
                if taken == raw_bytes {
                    lines.set_line_mode(data.slice(mine..));
                }
            }
            found.extend(std::iter::from_fn(|| poll(&mut lines)));
        }
        if lines.is_raw() {
            lines.set_line_mode(Bytes::new());
        }
        lines.on_end();
        found.extend(std::iter::from_fn(|| poll(&mut lines)));
        prop_assert_eq!(
            found,
            model(&stream[raw_bytes..], &delimiter, LineReceiver::DEFAULT_MAX_LENGTH)
        );
    }
}
