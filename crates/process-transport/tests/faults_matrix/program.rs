//! A program that makes only two system calls, so that hardly any filter of its parent changes what
//! it does. It writes a byte and then pauses until a signal ends it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// `write(1, "E", 1)`, with the byte from the head of the file, and then `pause()` for ever. If
/// `pause` is refused, the code loops.
#[rustfmt::skip]
const CODE: [u8; 31] = [
    0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe, 1, 0, 0x40, 0, 0xba, 1, 0, 0, 0, 0x0f, 0x05,
    0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7,
];

/// The output of the program.
pub(crate) const WRITES: &[u8] = b"E";

/// The address at which the file is mapped.
const ADDRESS: u64 = 0x40_0000;

const HEADER: u64 = 64;
const SEGMENT: u64 = 56;

/// Writes the program into a directory.
pub(crate) fn write(dir: &Path) -> PathBuf {
    let path = dir.join("pauses");
    fs::write(&path, bytes()).expect("a file of ours");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a file of ours");
    path
}

/// Returns an ELF file of one segment (`elf(5)`).
fn bytes() -> Vec<u8> {
    let size = HEADER + SEGMENT + CODE.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (executable, x86_64) = (2_u16, 62_u16);
    file.extend([executable, x86_64].iter().flat_map(|word| word.to_le_bytes()));
    file.extend(1_u32.to_le_bytes());
    // Entry point, program headers, no section headers.
    file.extend([ADDRESS + HEADER + SEGMENT, HEADER, 0].iter().flat_map(|word| word.to_le_bytes()));
    file.extend(0_u32.to_le_bytes());
    let sizes = [HEADER, SEGMENT].map(|size| u16::try_from(size).expect("it is small"));
    file.extend(sizes.iter().chain(&[1, 0, 0, 0]).flat_map(|word| word.to_le_bytes()));
    let (load, readable_and_executable) = (1_u32, 5_u32);
    file.extend([load, readable_and_executable].iter().flat_map(|word| word.to_le_bytes()));
    file.extend(
        [0, ADDRESS, ADDRESS, size, size, 0x1000].iter().flat_map(|word| word.to_le_bytes()),
    );
    file.extend(CODE);
    file
}
