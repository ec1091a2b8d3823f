//! A panic for a program's mistake names the remedy and the program's own line.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use procession::driver::core::WithCell;
use procession::{
    Command, Deferred, Handle, LineReceiver, Promise, Run, get_process_output,
    get_process_output_and_value, get_process_output_merged, get_process_value, run_all,
};

thread_local! {
    /// The message and the file of the last panic of this thread.
    static SAID: RefCell<Option<(String, String)>> = const { RefCell::new(None) };

    /// Of the result that does not come.
    static PROMISE: Cell<Option<Promise<(), String>>> = const { Cell::new(None) };
}

type Call = Box<dyn Fn()>;

const NO_REACTOR: &str = "this thread has no reactor: make one with `Reactor::new` first";

/// Case BI-13.
#[test]
fn a_panic_names_the_callers_line_and_the_remedy() {
    panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or_default().to_owned();
        let place = info.location().map(|place| place.file().to_owned()).unwrap_or_default();
        SAID.with(|said| *said.borrow_mut() = Some((text, place)));
    }));
    let x = || Command::new("true");
    let calls: [(&str, Call, &str); 13] = [
        ("current", Box::new(|| drop(Handle::current())), NO_REACTOR),
        ("start", Box::new(|| drop(Run::new("true").start())), NO_REACTOR),
        ("output", Box::new(|| drop(Run::new("true").output())), NO_REACTOR),
        ("await", Box::new(|| drop(Run::new("true").into_future())), NO_REACTOR),
        ("all", Box::new(|| drop(run_all(["true"], 1).all())), NO_REACTOR),
        ("first", Box::new(|| drop(run_all(["true"], 1).all_or_first_error())), NO_REACTOR),
        ("await all", Box::new(|| drop(run_all(["true"], 1).into_future())), NO_REACTOR),
        ("get_output", Box::new(move || drop(get_process_output(x()))), NO_REACTOR),
        ("merged", Box::new(move || drop(get_process_output_merged(x()))), NO_REACTOR),
        ("value", Box::new(move || drop(get_process_value(x()))), NO_REACTOR),
        ("both", Box::new(move || drop(get_process_output_and_value(x(), ""))), NO_REACTOR),
        ("timeout", Box::new(|| drop(never().timeout(Duration::ZERO))), NO_REACTOR),
        (
            "delimiter",
            Box::new(|| drop(LineReceiver::with_delimiter(""))),
            "an empty delimiter ends no line: `new` is for lines of text",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, call, expected) in calls {
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "{name} does not panic");
        let (text, place) = SAID.take().expect("it said something");
        if !text.starts_with(expected) || place != file!() {
            wrong.push(format!("{name}: {text:?} at {place}"));
        }
    }
    let cell = WithCell::new(());
    let again = catch_unwind(AssertUnwindSafe(|| cell.with(|()| cell.with(|()| ()))));
    assert!(again.is_err());
    if SAID.take().is_none_or(|(_, place)| place != file!()) {
        wrong.push("a cell".to_owned());
    }
    drop(panic::take_hook());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns a `Deferred` that never has a result.
fn never() -> Deferred<(), String> {
    let (promise, deferred) = Deferred::new();
    PROMISE.set(Some(promise));
    deferred
}
