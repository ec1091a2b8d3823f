//! A monitor in a test: its start, its events, and its stop.

use std::time::Duration;

use procession_utils::{Monitor, MonitorEvent, MonitorEvents, Policy, RunningMonitor};

use super::{Driver, WATCHDOG, ms};

/// A policy with short pauses.
pub(crate) fn quick(policy: Policy) -> Policy {
    policy.backoff(ms(10), ms(40)).stop_grace(Duration::from_secs(5))
}

pub(crate) fn start(driver: &mut Driver, monitor: Monitor) -> (RunningMonitor, MonitorEvents) {
    let handle = driver.reactor.handle();
    let running = monitor.start_on(&handle).expect("the monitor is right");
    let events = running.events();
    (running, events)
}

/// Turns until an event is as wanted, and returns it and those before it.
pub(crate) fn until_event(
    driver: &mut Driver,
    events: &mut MonitorEvents,
    mut wanted: impl FnMut(&MonitorEvent) -> bool,
) -> Vec<MonitorEvent> {
    let mut seen: Vec<MonitorEvent> = Vec::new();
    driver.until("the event comes", WATCHDOG, |_| {
        while let Some(event) = events.try_next() {
            let found = wanted(&event);
            seen.push(event);
            if found {
                return true;
            }
        }
        false
    });
    seen
}

pub(crate) fn is(event: &MonitorEvent, program: &str, text: &str) -> bool {
    &*event.program == program && event.change.to_string().starts_with(text)
}

pub(crate) fn until(
    driver: &mut Driver,
    events: &mut MonitorEvents,
    program: &str,
    text: &str,
) -> String {
    let seen = until_event(driver, events, |event| is(event, program, text));
    seen.last().expect("it was found").to_string()
}

/// Stops, and returns the events until the end.
pub(crate) fn stop(
    driver: &mut Driver,
    running: &RunningMonitor,
    events: &mut MonitorEvents,
) -> Vec<String> {
    let stopped = running.shutdown();
    driver.get(stopped).expect("a stop does not fail");
    std::iter::from_fn(|| events.try_next()).map(|event| event.to_string()).collect()
}
