//! Tests of the example `true_and_false`: the two lines of the howto.

mod util;

use util::{example, run};

#[test]
fn the_status_of_both_programs_is_printed() {
    let ended = run(example("true_and_false"));
    assert_eq!(ended.stdout, "/bin/true exits with rc=0\n/bin/false exits with rc=1\n");
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
}
