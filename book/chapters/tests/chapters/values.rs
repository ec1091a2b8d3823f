//! The howto's `getProcessValue`, as a chain and as async code.

// ANCHOR: chain
use procession::get_process_value;
use procession::prelude::*;

fn chain() -> Deferred<(i32, i32), procession::OutputError> {
    get_process_value("true").and_then(|first| {
        println!("true exits with {first}");
        get_process_value("false").map(move |second| (first, second))
    })
}
// ANCHOR_END: chain

// ANCHOR: async
async fn both() -> Result<(i32, i32), Failed<procession::OutputError>> {
    let first = get_process_value("true").await?;
    println!("true exits with {first}");
    Ok((first, get_process_value("false").await?))
}
// ANCHOR_END: async

#[test]
fn they_have_the_same_result() {
    let mut reactor = Reactor::new().unwrap();
    let chained = chain();
    assert_eq!(reactor.block_on(chained).unwrap(), (0, 1));
    assert_eq!(reactor.block_on(both()).unwrap(), (0, 1));
}
