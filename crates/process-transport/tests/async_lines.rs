//! `ChildOutput::lines`: lines come whole, the last one even without a line feed, and no data are lost.
#![cfg(feature = "reactor")]

use std::error::Error;

use procession_process_transport::{ChildError, Command, SpawnProcess};
use procession_reactor::{Handle, Reactor};

#[test]
fn lines_come_whole_and_the_rest_goes_back_to_the_output() -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    reactor.block_on(async {
        let printf = Command::new("printf").arg(r"one\r\n\ntwo\nth\0ree\nrest\nand no end");
        let mut child = Handle::current().spawn_child(printf)?;
        let mut lines = child.stdout().lines();
        for expected in ["one", "", "two"] {
            assert_eq!(lines.next().await.unwrap(), expected);
        }
        drop(lines);
        assert_eq!(child.stdout().lines().next().await.unwrap(), "th\0ree");
        let rest = child.stdout().collect().await;
        assert_eq!(rest, b"rest\nand no end");
        let mut none = child.stdout().lines();
        assert!(none.next().await.is_none() && none.next().await.is_none());
        Ok::<_, ChildError>(())
    })?;
    Ok(())
}

#[test]
fn a_slow_reader_of_lines_slows_the_child_and_loses_nothing() -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    let count = reactor.block_on(async {
        let seq = Command::new("seq").arg("200000");
        let mut child = Handle::current().spawn_child(seq)?;
        let mut count = 0_u32;
        // A new stream of lines for each line loses nothing either.
        while let Some(line) = child.stdout().lines().next().await {
            count += 1;
            assert_eq!(line, count.to_string().as_str());
            if count.is_multiple_of(100) {
                break;
            }
        }
        let mut lines = child.stdout().lines();
        while let Some(line) = lines.next().await {
            count += 1;
            assert_eq!(line, count.to_string().as_str());
        }
        Ok::<_, ChildError>(count)
    })?;
    assert_eq!(count, 200_000);
    Ok(())
}
