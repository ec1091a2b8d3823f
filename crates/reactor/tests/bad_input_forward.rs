//! Extreme sizes, passed to a forward and to its ports.

#[path = "util/bound.rs"]
mod bound;
#[path = "forward/kernel.rs"]
#[expect(dead_code, reason = "other tests look at more of it")]
mod kernel;
#[path = "forward/outcome.rs"]
mod outcome;
#[path = "util/until.rs"]
mod until;

use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;

use kernel::KernelSource;
use outcome::{OutcomeCell, outcome};
use procession_reactor::Reactor;
use procession_reactor::driver::{Forward, SinkPort, SourcePort};
use until::until;

struct StartedForward {
    reactor: Reactor,
    source: Rc<KernelSource>,
    sink: Rc<dyn SinkPort>,
    result: Rc<OutcomeCell>,
    input: io::PipeWriter,
    output: io::PipeReader,
}

fn begun() -> StartedForward {
    let reactor = Reactor::new().expect("there are descriptors");
    let (end, input) = io::pipe().expect("there are descriptors");
    let (output, target) = io::pipe().expect("there are descriptors");
    let source = KernelSource::open(&reactor, end);
    let sink = <dyn SinkPort>::of_fd(&reactor, kernel::nonblocking(target))
        .expect("there are descriptors");
    let result = Rc::new(OutcomeCell::default());
    let put = result.clone();
    Forward::start(&reactor, source.clone(), sink.clone(), move |moved, result| {
        put.set(Some(outcome(moved, result)));
    })
    .expect("nothing else feeds it");
    StartedForward { reactor, source, sink, result, input, output }
}

/// The forward ends at the end of the source.
#[test]
fn draining_more_than_the_source_holds_moves_all_of_it() {
    let mut begun = begun();
    begun.input.write_all(b"all").unwrap();
    begun.source.forward().drain(usize::MAX);
    drop(begun.input);
    until(&mut begun.reactor, || begun.result.get().is_some());
    assert_eq!(begun.result.get(), Some(Ok(3)));
    let mut text = String::new();
    begun.output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "all");
}

#[test]
fn more_unsent_bytes_than_moved_bytes_count_as_none_moved() {
    let begun = begun();
    begun.source.forward().sink_lost(ErrorKind::BrokenPipe.into(), usize::MAX);
    assert_eq!(begun.result.get(), Some(Err((0, ErrorKind::BrokenPipe))));
    assert_eq!(begun.source.ended.get(), Some(false));
}

/// Ports that cannot grow accept it too.
#[test]
fn ports_accept_any_number_of_moved_bytes() {
    let begun = begun();
    for bytes in [0, usize::MAX] {
        begun.source.on_moved(bytes);
        begun.sink.on_moved(bytes);
    }
    assert!(begun.source.key().is_some() && begun.sink.key().is_some());
}
