//! The listings of the book's chapters. Each module is a file that a chapter shows, and a test that runs it.
//!
//! A region between `ANCHOR: name` and `ANCHOR_END: name` is what the book prints. `cargo xtask book` checks
//! that each listing of the book is such a region.

mod blocking_run;
mod cat_protocol;
mod containers;
mod descriptors;
mod doors;
mod first_run;
mod flow;
mod fortune;
mod from_tokio;
mod lifetimes;
mod logged;
mod machines;
mod pipelines;
mod reactor_alone;
mod readme_tokio;
mod run_options;
mod services;
mod terminals;
mod testing;
mod values;
mod verbose;
mod word_count;
