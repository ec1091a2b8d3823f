//! Decides when to enlarge a pipe. Makes no system calls.
//!
//! A pipe starts at the system's default size. While whole buffers pass one after another, the pipe
//! grows in two steps. A pipe with smaller transfers never grows. The memory of pipes is limited
//! per user (`pipe-user-pages-soft`, pipe(7)), so a refusal is final.

/// The sizes to ask for, in bytes, and after how many whole buffers in a row.
const STEPS: [(usize, u8); 2] = [(256 << 10, 4), (1 << 20, 8)];

/// The growth of one pipe.
///
/// # Examples
///
/// ```
/// use procession::driver::core::PipeGrowth;
///
/// let mut growth = PipeGrowth::adaptive();
/// assert_eq!(growth.on_moved(PipeGrowth::BUFFER_BYTES), None);
/// assert_eq!(growth.on_moved(3 * PipeGrowth::BUFFER_BYTES), Some(256 << 10));
/// ```
#[derive(Debug, Clone)]
pub struct PipeGrowth {
    /// The next step. Past the last step, the pipe asks for nothing more.
    step: u8,
    in_a_row: u8,
}

impl PipeGrowth {
    /// The default pipe size on Linux, in bytes.
    pub const BUFFER_BYTES: usize = 64 << 10;

    /// Returns the growth of a pipe that keeps its size.
    pub fn never() -> Self {
        Self { step: u8::MAX, in_a_row: 0 }
    }

    /// Returns the growth of a pipe of the default size that may grow.
    pub fn adaptive() -> Self {
        Self { step: 0, in_a_row: 0 }
    }

    /// Notes that `bytes` passed at once. Returns the size to ask for, if it is time.
    #[inline]
    pub fn on_moved(&mut self, bytes: usize) -> Option<usize> {
        if bytes < Self::BUFFER_BYTES {
            self.in_a_row = 0;
            return None;
        }
        self.on_buffers(bytes / Self::BUFFER_BYTES)
    }

    /// Counts whole buffers, because one call of splice may move several.
    fn on_buffers(&mut self, buffers: usize) -> Option<usize> {
        let &(size, enough) = STEPS.get(usize::from(self.step))?;
        let buffers = u8::try_from(buffers).unwrap_or(u8::MAX);
        self.in_a_row = self.in_a_row.saturating_add(buffers);
        if self.in_a_row < enough {
            return None;
        }
        self.step += 1;
        self.in_a_row = 0;
        Some(size)
    }

    /// Notes that the system refused. The pipe does not ask again.
    pub fn on_refused(&mut self) {
        *self = Self::never();
    }
}

#[cfg(test)]
mod tests {
    use super::PipeGrowth;

    const BUFFER_BYTES: usize = PipeGrowth::BUFFER_BYTES;

    #[test]
    fn a_bulk_grows_in_two_steps_and_a_trickle_never() {
        let mut growth = PipeGrowth::adaptive();
        let buffers = 1..40;
        let asked = buffers.filter_map(|nth| Some((nth, growth.on_moved(BUFFER_BYTES)?)));
        assert_eq!(asked.collect::<Vec<_>>(), [(4, 256 << 10), (12, 1 << 20)]);
        let mut growth = PipeGrowth::adaptive();
        let trickle = [BUFFER_BYTES, BUFFER_BYTES, BUFFER_BYTES, 100].repeat(50);
        assert!(trickle.into_iter().all(|bytes| growth.on_moved(bytes).is_none()));
    }

    #[test]
    fn one_call_may_move_several_buffers() {
        let mut growth = PipeGrowth::adaptive();
        assert_eq!(growth.on_moved(4 * BUFFER_BYTES + 1), Some(256 << 10));
        assert_eq!(growth.on_moved(8 * BUFFER_BYTES - 1), None);
        assert_eq!(growth.on_moved(BUFFER_BYTES), Some(1 << 20));
    }

    #[test]
    fn a_refusal_is_final() {
        let mut growth = PipeGrowth::adaptive();
        growth.on_refused();
        assert!((0..100).all(|_| growth.on_moved(BUFFER_BYTES).is_none()));
        let mut off = PipeGrowth::never();
        assert!((0..100).all(|_| off.on_moved(BUFFER_BYTES).is_none()));
    }
}
