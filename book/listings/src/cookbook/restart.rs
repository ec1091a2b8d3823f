//! Keeps a program running, and gives up when it fails too often.

// ANCHOR: listing
use std::error::Error;
use std::time::Duration;

use procession::{Command, Monitor, MonitorChange, Policy, Reactor, Stopped};

fn main() -> Result<Stopped, Box<dyn Error>> {
    let server = Command::new("sh").args(["-c", "echo no database; exit 1"]);
    let policy = Policy::on_failure()
        .backoff(Duration::from_millis(10), Duration::from_secs(30)) // 10, 20, 40 … ms
        .give_up_after(3, Duration::from_secs(60));
    Reactor::new()?.run_main(async {
        let running = Monitor::new().add("server", server, policy).start()?;
        let mut events = running.events();
        while let Some(event) = events.next().await {
            println!("{event}");
            if let MonitorChange::Failed { .. } | MonitorChange::Done = event.change {
                break;
            }
        }
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();
