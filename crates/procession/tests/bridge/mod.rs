//! Test support for children beside sockets: the driver and the leak checks of the process
//! transport's tests.
#![allow(dead_code, reason = "the shared files have more than these tests use")]

#[path = "../../../process-transport/tests/util/bound.rs"]
mod bound;
#[path = "../../../process-transport/tests/util/drive.rs"]
mod drive;
#[path = "../../../process-transport/tests/util/isolate.rs"]
mod isolate;
#[path = "../../../process-transport/tests/util/leaks.rs"]
mod leaks;
#[path = "../../../process-transport/tests/util/path.rs"]
mod path;
#[path = "../../../process-transport/tests/util/recorder.rs"]
mod recorder;
#[path = "../../../process-transport/tests/util/sanitizer.rs"]
mod sanitizer;
#[path = "../../../process-transport/tests/util/skip.rs"]
mod skip;
#[path = "../../../process-transport/tests/util/sys.rs"]
pub(crate) mod sys;

use std::time::Duration;

pub(crate) use self::bound::{PROMPTLY, bound};
pub(crate) use self::drive::{Driver, behaviour};
pub(crate) use self::leaks::children;
pub(crate) use self::path::{command, sh};
pub(crate) use self::recorder::Event;

/// The time limit that the catalogue sets: nothing that a test waits for takes this long.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(10);
