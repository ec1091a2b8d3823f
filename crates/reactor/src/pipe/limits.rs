//! How much is read at once, and in one turn.

/// The most that one read asks for, but of a bulk.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The most that one read asks for while whole buffers of [`READ_BUFFER_BYTES`] come one after
/// another.
pub const READ_BULK_BYTES: usize = 256 * 1024;

/// After a read of that many bytes or more it pays to read again in the same turn, before the wait.
pub const READ_AGAIN_BYTES: usize = 4096;

/// How many bytes of one source a transport should read in one turn, so that others have theirs.
pub const READ_BUDGET_BYTES: usize = 256 * 1024;
