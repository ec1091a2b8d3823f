//! What seals the extension traits: a supertrait that nobody outside can name.

#[cfg(feature = "reactor")]
use procession_reactor::Handle;

/// Implemented by what has the verbs of an extension trait.
#[expect(unnameable_types, reason = "this is what seals")]
pub trait Sealed {}

impl Sealed for procession_protocol::Termios {}
impl Sealed for procession_protocol::WindowSize {}
#[cfg(feature = "reactor")]
impl Sealed for Handle {}
