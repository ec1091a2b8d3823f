//! Runs a program on a loop, as a whole program.

// ANCHOR: main
use std::error::Error;

use procession::prelude::*;

fn main() -> Result<Stopped, Box<dyn Error>> {
    run_main(async {
        let hello = Run::new("echo").arg("hello").check().await?;
        println!("{}", hello.stdout_utf8()?.trim());
        Ok(())
    })
}
// ANCHOR_END: main

#[test]
fn it_finishes() {
    assert_eq!(main().unwrap(), Stopped::Finished);
}
