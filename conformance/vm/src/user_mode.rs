//! Runs the tests of spawning in qemu's user mode, as builds of containers for other processors do:
//! the kernel starts the emulator for each program of another kind (`binfmt_misc`).
//!
//! A program of this computer's own kind needs no emulator. Copies of the test programs have a mark
//! in the padding of their ELF header, and the kernel starts the emulator for the mark.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xshell::Shell;

use crate::image;
use crate::machine::Architecture;
use crate::programs::{Programs, Test};
use crate::report::Report;
use crate::spawn_tests::SPAWN_TESTS;

/// The first byte of the padding of an ELF header, and its value in a marked program.
const PADDING: usize = 9;
const MARK: u8 = b'Q';

/// Where an ELF header names its processor.
const MACHINE: usize = 18;

/// Returns whether a test is of spawning.
pub(crate) fn is_of_spawning(test: &Test) -> bool {
    test.suite == "process-transport" && SPAWN_TESTS.contains(&&*test.name)
}

/// Runs those of the tests that are of spawning. Their output is added to the log.
pub(crate) fn run(
    sh: &Shell,
    architecture: &Architecture,
    programs: &Programs,
    log: &Path,
) -> Result<()> {
    let folder = format!("target/vm/{}/user-mode", architecture.debian);
    let folder = sh.current_dir().join(sh.create_dir(folder)?);
    // The tests run as another user.
    fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
    let mut list = String::new();
    for test in programs.tests.iter().filter(|test| is_of_spawning(test)) {
        let program = marked(&test.program, &folder)?;
        let [place, program] = [&test.folder, &program].map(|path| path.display());
        list.push_str(&format!("{} {} {place} {program}\n", test.suite, test.name));
    }
    let list_file = folder.join("list");
    sh.write_file(&list_file, list)?;
    let first = programs.tests.first().context("there is a test")?;
    let handler = handler(&fs::read(&first.program)?, architecture)?;
    let [script, suites] = ["user-mode", "suites"]
        .map(|name| sh.current_dir().join("conformance/vm/guest").join(name));
    println!("== {}: {}", architecture.user_emulator, log.display());
    let mut emulated = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh"])
        .arg(script)
        .arg(list_file)
        .args([&handler, architecture.debian])
        .arg(suites)
        .env("TMPDIR", &folder)
        .env("SECONDS_EACH", image::SECONDS_EACH.to_string())
        .env("PROCESSION_BUSY_MACHINE", image::BUSY_FACTOR.to_string())
        .env("QEMU_LD_PREFIX", image::system_root(sh, architecture)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start unshare")?;
    let output = BufReader::new(emulated.stdout.take().context("it is a pipe")?);
    let mut log = OpenOptions::new().append(true).open(log)?;
    let mut report = Report::new(architecture.user_emulator);
    for line in output.split(b'\n') {
        let line = line?;
        log.write_all(&[&line[..], b"\n"].concat())?;
        if let Some(progress) = report.read(&String::from_utf8_lossy(&line)) {
            println!("         {progress}");
        }
    }
    ensure!(
        emulated.wait()?.success(),
        "the tests did not run in a namespace of users with its own binfmt_misc: it takes Linux 6.7"
    );
    Ok(())
}

/// Copies a program to `folder`, with the mark.
fn marked(program: &Path, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join(program.file_name().context("a program has a name")?);
    fs::copy(program, &copy)?;
    let mut bytes = fs::read(&copy)?;
    *bytes.get_mut(PADDING).context("the program is no ELF file")? = MARK;
    fs::write(&copy, bytes)?;
    Ok(copy)
}

/// Returns the line for binfmt_misc that has the emulator start programs of an architecture: on this
/// architecture only those with the mark.
fn handler(program: &[u8], architecture: &Architecture) -> Result<String> {
    let mut magic = program.get(..MACHINE + 2).context("the program is no ELF file")?.to_vec();
    // Any kind of system and of file, and any padding.
    let mut mask = vec![0xff_u8; MACHINE + 2];
    mask[7..MACHINE - 2].fill(0);
    mask[MACHINE - 2] = 0xfe;
    magic[MACHINE - 2] = 2;
    if architecture.target.starts_with(std::env::consts::ARCH) {
        (magic[PADDING], mask[PADDING]) = (MARK, 0xff);
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let path = std::env::var_os("PATH").context("no PATH")?;
    let emulator = std::env::split_paths(&path)
        .map(|dir| dir.join(architecture.user_emulator))
        .find(|path| path.exists())
        .with_context(|| format!("no {}", architecture.user_emulator))?;
    let [magic, mask] = [hex(&magic), hex(&mask)];
    Ok(format!(":procession:M::{magic}:{mask}:{}:F", emulator.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{ARM, X86};

    #[test]
    fn only_a_program_of_this_architecture_needs_the_mark() {
        let header = [b"\x7fELF\x02\x01\x01", &[0; 9][..], b"\x03\0\x3e\0"].concat();
        let own = if cfg!(target_arch = "x86_64") { &X86 } else { &ARM };
        let other = if cfg!(target_arch = "x86_64") { &ARM } else { &X86 };
        let with_mark = "\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x51";
        for (architecture, is_marked) in [(own, true), (other, false)] {
            // The error says that the emulator is not installed.
            let Ok(line) = handler(&header, architecture) else { continue };
            assert_eq!(line.contains(with_mark), is_marked, "{line}");
        }
        assert!(handler(b"#!", own).is_err());
    }
}
