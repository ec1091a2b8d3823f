//! Test support for children beside sockets: the driver and the leak checks of the process
//! transport's tests.
#![allow(dead_code, reason = "the shared files have more than these tests use")]

#[path = "../../../process-transport/tests/util/drive.rs"]
mod drive;
#[path = "../../../process-transport/tests/util/path.rs"]
mod path;
#[path = "../../../process-transport/tests/util/recorder.rs"]
mod recorder;

pub(crate) use procession_test_support::{PROMPTLY, WATCHDOG, bound, children};

pub(crate) use self::drive::{Driver, behaviour};
pub(crate) use self::path::{command, sh};
pub(crate) use self::recorder::Event;
