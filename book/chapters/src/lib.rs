//! The listings of the book are in this package's tests, so that each is compiled and run.
//!
//! # What this crate does not do
//!
//! It has no code of its own.
#![forbid(unsafe_code)]
