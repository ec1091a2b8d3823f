//! Seals the extension traits, each by a supertrait of its own that other crates cannot name. One
//! supertrait for all of them would make the compiler list the implementors of the others.

#[cfg(feature = "reactor")]
use procession_reactor::{Handle, Reactor};

/// The supertrait of [`OfTerminal`](crate::OfTerminal).
#[expect(unnameable_types, reason = "this seals the trait")]
pub trait SealedOfTerminal {}

impl SealedOfTerminal for procession_protocol::Termios {}
impl SealedOfTerminal for procession_protocol::WindowSize {}

/// The supertrait of [`LoopCommand`](crate::driver::LoopCommand).
#[expect(unnameable_types, reason = "this seals the trait")]
pub trait SealedLoopCommand {}

/// The supertrait of [`LoopSpawned`](crate::driver::LoopSpawned).
#[expect(unnameable_types, reason = "this seals the trait")]
pub trait SealedLoopSpawned {}

/// The supertrait of [`SpawnProcess`](crate::SpawnProcess).
#[cfg(feature = "reactor")]
#[expect(unnameable_types, reason = "this seals the trait")]
pub trait SealedSpawnProcess {}

#[cfg(feature = "reactor")]
impl SealedSpawnProcess for Handle {}
#[cfg(feature = "reactor")]
impl SealedSpawnProcess for Reactor {}
#[cfg(feature = "reactor")]
impl<S: SealedSpawnProcess> SealedSpawnProcess for &S {}

/// The supertrait of [`ReapOrphans`](crate::ReapOrphans).
#[cfg(feature = "reactor")]
#[expect(unnameable_types, reason = "this seals the trait")]
pub trait SealedReapOrphans {}

#[cfg(feature = "reactor")]
impl SealedReapOrphans for Handle {}
