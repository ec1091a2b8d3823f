//! A race that the sanitizer must report: the runner starts this test first, and it must fail.

mod util;

#[test]
fn two_threads_race() {
    util::sys::race();
}
