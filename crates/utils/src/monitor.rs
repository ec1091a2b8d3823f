//! [`Monitor`]: programs that are kept running.
//!
//! The state (`state`) decides, and the supervision (`supervision`) does: it starts children, watches,
//! terminates, and gives facts to the state.

mod entry;
mod error;
mod event;
mod event_queue;
mod plan;
mod policy;
mod running;
mod state;
mod supervision;
mod table;

pub use self::error::MonitorError;
pub use self::event::{MonitorChange, MonitorEvent};
pub use self::event_queue::MonitorEvents;
pub use self::plan::Monitor;
pub use self::policy::Policy;
pub use self::running::RunningMonitor;
pub use self::table::{MonitorTable, ProgramRow, ProgramState};
