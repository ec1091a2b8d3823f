//! Plain data about terminals. This module makes no system call; transports convert the data.

/// The size of a terminal in characters and, if known, in pixels.
///
/// # Examples
///
/// ```
/// use procession::WindowSize;
///
/// let size = WindowSize::new(24, 80);
/// assert_eq!((size.rows, size.columns), (24, 80));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[doc(alias = "winsize")]
#[non_exhaustive]
pub struct WindowSize {
    /// Lines of text.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
    /// Width in pixels, 0 if unknown.
    pub pixel_width: u16,
    /// Height in pixels, 0 if unknown.
    pub pixel_height: u16,
}

impl WindowSize {
    /// Creates a size without pixels.
    pub const fn new(rows: u16, columns: u16) -> Self {
        Self { rows, columns, pixel_width: 0, pixel_height: 0 }
    }

    /// Adds the size in pixels.
    #[must_use]
    pub const fn with_pixels(self, width: u16, height: u16) -> Self {
        Self { pixel_width: width, pixel_height: height, ..self }
    }
}

/// The settings of a terminal, with the numbers of the system that the program runs on.
///
/// # Examples
///
/// ```
/// use procession::Termios;
///
/// let mut settings = Termios::default();
/// settings.set_echo(true);
/// assert!(settings.echoes());
/// settings.set_raw();
/// assert!(!settings.echoes());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Termios {
    /// The input modes.
    #[doc(alias = "c_iflag")]
    pub input_flags: u32,
    /// The output modes.
    #[doc(alias = "c_oflag")]
    pub output_flags: u32,
    /// The control modes.
    #[doc(alias = "c_cflag")]
    pub control_flags: u32,
    /// The local modes.
    #[doc(alias = "c_lflag")]
    pub local_flags: u32,
    /// The special characters, by the system's indices; entries beyond the system's count are 0.
    #[doc(alias = "c_cc")]
    pub control_chars: [u8; 32],
    /// The input speed in bits per second; 0 if the system does not tell, as in qemu's user mode. If both
    /// speeds are 0, setting the attributes changes neither.
    pub input_speed: u32,
    /// The output speed in bits per second; 0 like the input speed.
    pub output_speed: u32,
}

impl Termios {
    /// Returns whether typed characters are echoed.
    pub fn echoes(&self) -> bool {
        self.local_flags & bits::ECHO != 0
    }

    /// Switches the echo on or off.
    pub fn set_echo(&mut self, on: bool) {
        set(&mut self.local_flags, bits::ECHO, on);
    }

    /// Returns whether the child reads whole lines, with erase, kill and end-of-file characters.
    #[doc(alias = "ICANON")]
    pub fn is_canonical(&self) -> bool {
        self.local_flags & bits::ICANON != 0
    }

    /// Switches canonical mode, in which the child reads whole lines, on or off.
    pub fn set_canonical(&mut self, on: bool) {
        set(&mut self.local_flags, bits::ICANON, on);
    }

    /// Returns whether the erase character deletes whole UTF-8 characters.
    #[doc(alias = "IUTF8")]
    pub fn is_utf8(&self) -> bool {
        self.input_flags & bits::IUTF8 != 0
    }

    /// Switches the erasing of whole UTF-8 characters on or off. Has no effect if the system does not
    /// support it.
    pub fn set_utf8(&mut self, on: bool) {
        set(&mut self.input_flags, bits::IUTF8, on);
    }

    /// Returns the character that ends the input, usually 4 (Ctrl-D).
    #[doc(alias = "VEOF")]
    pub fn eof_char(&self) -> u8 {
        self.control_chars[bits::VEOF]
    }

    /// Sets raw mode: the terminal passes every byte through unchanged, in both directions.
    #[doc(alias = "cfmakeraw")]
    pub fn set_raw(&mut self) {
        self.input_flags &= !bits::COOKED_INPUT;
        self.output_flags &= !bits::OPOST;
        self.local_flags &= !(bits::ECHO | bits::ECHONL | bits::ICANON | bits::ISIG | bits::IEXTEN);
        self.control_flags &= !(bits::CSIZE | bits::PARENB);
        self.control_flags |= bits::CS8;
    }
}

fn set(flags: &mut u32, bit: u32, on: bool) {
    if on {
        *flags |= bit;
    } else {
        *flags &= !bit;
    }
}

/// The numbers of Linux (and Android) on most architectures.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(any(target_arch = "powerpc", target_arch = "powerpc64"))
))]
mod bits {
    pub(super) const ECHO: u32 = 0o10;
    pub(super) const ECHONL: u32 = 0o100;
    pub(super) const ICANON: u32 = 0o2;
    pub(super) const ISIG: u32 = 0o1;
    pub(super) const IEXTEN: u32 =
        if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0o400 } else { 0o100_000 };
    pub(super) const OPOST: u32 = 0o1;
    pub(super) const IUTF8: u32 = 0x4000;
    pub(super) const CSIZE: u32 = 0o60;
    pub(super) const CS8: u32 = 0o60;
    pub(super) const PARENB: u32 = 0o400;
    /// IGNBRK, BRKINT, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON.
    pub(super) const COOKED_INPUT: u32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x80 | 0x100 | 0x400;
    pub(super) const VEOF: usize =
        if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 16 } else { 4 };
}

/// The numbers of the BSDs and of macOS. Linux on PowerPC has the same ones, except VEOF.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(any(target_arch = "powerpc", target_arch = "powerpc64"))
)))]
mod bits {
    pub(super) const ECHO: u32 = 0x8;
    pub(super) const ECHONL: u32 = 0x10;
    pub(super) const ICANON: u32 = 0x100;
    pub(super) const ISIG: u32 = 0x80;
    pub(super) const IEXTEN: u32 = 0x400;
    pub(super) const OPOST: u32 = 0x1;
    /// Only macOS and Linux on PowerPC have this flag, not the BSDs.
    pub(super) const IUTF8: u32 =
        if cfg!(any(target_os = "macos", target_os = "linux")) { 0x4000 } else { 0 };
    pub(super) const CSIZE: u32 = 0x300;
    pub(super) const CS8: u32 = 0x300;
    pub(super) const PARENB: u32 = 0x1000;
    /// IGNBRK, BRKINT, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON.
    pub(super) const COOKED_INPUT: u32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200;
    pub(super) const VEOF: usize = if cfg!(target_os = "linux") { 4 } else { 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_mode_clears_the_flags_that_change_bytes() {
        let mut settings = Termios {
            input_flags: u32::MAX,
            output_flags: u32::MAX,
            control_flags: bits::PARENB,
            local_flags: u32::MAX,
            ..Termios::default()
        };
        settings.set_raw();
        assert!(!settings.echoes() && !settings.is_canonical());
        assert_eq!(settings.input_flags & bits::COOKED_INPUT, 0);
        assert_eq!(settings.output_flags & bits::OPOST, 0);
        assert_eq!(settings.control_flags, bits::CS8);
    }

    #[test]
    fn echo_and_lines_are_switched_one_by_one() {
        let mut settings = Termios::default();
        settings.set_echo(true);
        settings.set_canonical(true);
        settings.set_echo(false);
        assert!(!settings.echoes() && settings.is_canonical());
    }

    #[test]
    fn pixels_are_added_to_a_size() {
        let size = WindowSize::new(24, 80).with_pixels(640, 480);
        assert_eq!((size.pixel_width, size.pixel_height, size.rows), (640, 480, 24));
    }
}
