//! Seals the extension traits, by a supertrait that other crates cannot name.

#[cfg(feature = "reactor")]
use procession_reactor::Handle;

/// The supertrait of the extension traits; each of their implementors implements it.
#[expect(unnameable_types, reason = "this seals the traits")]
pub trait Sealed {}

impl Sealed for procession_protocol::Termios {}
impl Sealed for procession_protocol::WindowSize {}
#[cfg(feature = "reactor")]
impl Sealed for Handle {}
