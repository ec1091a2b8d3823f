//! Runs programs from any thread, or from the tasks of any executor.

// ANCHOR: listing
use std::error::Error;
use std::thread;

use procession::{Background, Run};

fn main() -> Result<(), Box<dyn Error>> {
    let children = Background::start()?; // one for the whole program
    let threads = ["one", "two"].map(|word| {
        let children = children.clone();
        thread::spawn(move || {
            let shout = Run::new("tr").args(["a-z", "A-Z"]).stdin(word).check();
            children.run(shout).wait() // or `.await`, on any executor
        })
    });
    for thread in threads {
        let outcome = thread.join().map_err(|_| "a thread has panicked")??;
        println!("{}", outcome.stdout_utf8()?);
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();
