//! Seals the extension traits, by a supertrait that other crates cannot name.

#[cfg(feature = "reactor")]
use procession_reactor::{Handle, Reactor};

/// The supertrait of the extension traits; each of their implementors implements it.
#[expect(unnameable_types, reason = "this seals the traits")]
pub trait Sealed {}

impl Sealed for procession_protocol::Termios {}
impl Sealed for procession_protocol::WindowSize {}
#[cfg(feature = "reactor")]
impl Sealed for Handle {}
#[cfg(feature = "reactor")]
impl Sealed for Reactor {}
#[cfg(feature = "reactor")]
impl<S: Sealed> Sealed for &S {}
