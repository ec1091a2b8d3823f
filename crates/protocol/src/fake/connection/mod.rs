//! A fake connection for the tests of protocols. `double` has the value that a test holds, `wire` the
//! queue and the peer, `engine` the driver, `control` the handle.

mod control;
mod double;
mod engine;
mod wire;

pub use double::FakeConnection;
