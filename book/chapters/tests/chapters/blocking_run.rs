//! Runs a program and waits for it, without a loop.

// ANCHOR: main
use procession::Run;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let year = Run::new("date").arg("+%Y").check().output_blocking()?;
    println!("it is {}", year.stdout_utf8()?.trim());
    Ok(())
}
// ANCHOR_END: main

#[test]
fn it_ends_well() {
    main().unwrap();
}
