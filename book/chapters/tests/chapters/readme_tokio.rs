//! The program of the README on tokio, which `cargo xtask book` compares with the README.

// ANCHOR: main
use procession::tokio::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn hello() -> Result<String, Box<dyn std::error::Error>> {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::piped()).owned(true); // a drop ends its whole group
    let mut cat = cat.spawn()?;
    cat.stdin.take().expect("a pipe").write_all(b"hello\n").await?; // and closes it
    let mut said = String::new();
    cat.stdout.take().expect("a pipe").read_to_string(&mut said).await?;
    cat.wait().await?;
    Ok(said)
}
// ANCHOR_END: main

#[test]
fn cat_says_hello() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(hello()).unwrap(), "hello\n");
}
