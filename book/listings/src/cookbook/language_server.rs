//! Talks to a language server in frames with a Content-Length header.

// ANCHOR: listing
use std::error::Error;

use procession::prelude::*;
use procession::{FrameReceiver, Framing};

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        // `cat` answers with the request itself: put your server here.
        let mut server = Handle::current().spawn_child(Command::new("cat").owned(true))?;
        let request = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
        server.write(Framing::ContentLength.frame(request)?).await?;

        let mut frames = FrameReceiver::new(Framing::ContentLength).max_length(16 << 20);
        while let Some(chunk) = server.stdout().next().await {
            frames.on_data(chunk);
            while let Some(message) = frames.poll() {
                println!("{}", String::from_utf8_lossy(&message?));
                server.close_stdin(); // one answer is all that this program wants
            }
        }
        server.ended().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();
