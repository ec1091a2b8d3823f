//! Tests of what is refused, and of the search path.

use super::{AtProgramEnd, prepare};
use crate::{Command, Fd, Step};

fn step(command: &Command) -> Option<Step> {
    prepare(command, AtProgramEnd::LivesOn, None).err().map(|error| error.step())
}

#[test]
fn an_invalid_command_is_refused_before_anything_is_made() {
    let x = || Command::new("x");
    for bad in [
        Command::new(""),
        Command::new("a\0b"),
        Command::new("/a\0b"),
        x().arg("a\0b"),
        x().env("A\0", "b"),
        x().env("A", "b\0"),
        x().env("", "b"),
        x().env("A=B", "c"),
        x().current_dir("a\0b"),
        x().child_fd(-1, Fd::null()),
        x().child_fd(i32::MAX, Fd::null()),
        x().child_fd(3, Fd::same_as(3)),
        x().child_fd(3, Fd::same_as(9)),
        x().new_session().process_group(0),
        x().process_group(-5),
        x().uid(u32::MAX),
        x().gid(u32::MAX),
        x().env_remove("A\0B"),
    ] {
        assert_eq!(step(&bad), Some(Step::Validate), "{bad:?}");
    }
    assert_eq!(step(&x().child_fd(3, Fd::same_as(1)).child_fd(4, Fd::same_as(3))), None);
}

#[test]
fn an_empty_path_element_is_skipped() {
    let count = |path: &str| {
        let command = Command::new("prog").env("PATH", path);
        prepare(&command, AtProgramEnd::LivesOn, None).map(|p| p.request.candidates().len())
    };
    assert_eq!(count("").unwrap(), 0);
    assert_eq!(count(":/a::/b:").unwrap(), 2);
    let command = Command::new("./prog");
    let prepared = prepare(&command, AtProgramEnd::LivesOn, None).unwrap();
    assert_eq!(prepared.request.candidates().len(), 1);
}
