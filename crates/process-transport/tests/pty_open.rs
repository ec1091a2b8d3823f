//! Terminals that are opened before there is a child, and the settings of new terminals.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::fs::File;
use std::io::ErrorKind;

use procession_process_transport::{OfTerminal, Pty, RawMode};
use procession_protocol::{Termios, WindowSize};

use crate::filter::{Calls, answer};
use crate::util::{behaviour, sh};

/// Case PT-30.
#[test]
fn a_terminal_that_is_opened_first_has_a_name_and_is_the_childs() {
    behaviour("a_terminal_that_is_opened_first_has_a_name_and_is_the_childs", |driver| {
        let pty = Pty::open().unwrap();
        let name = pty.name().unwrap();
        assert!(name.starts_with("/dev/"), "{name:?}");
        let record = driver.run(sh("tty").pty(pty.size(11, 22)));
        assert_eq!(record.text(1).trim_end(), name.to_str().unwrap());
        assert_eq!(Pty::new().name().unwrap_err().kind(), ErrorKind::NotFound);
        assert!(Pty::new().slave().is_none() && Pty::new().master().is_none());
    });
}

/// Case PT-31.
#[test]
fn a_new_terminal_has_its_size_in_pixels_and_knows_utf_8() {
    behaviour("a_new_terminal_has_its_size_in_pixels_and_knows_utf_8", |driver| {
        for pty in [
            Pty::new().size(24, 80).size_pixels(640, 480),
            Pty::new().size_pixels(640, 480).size(24, 80),
            Pty::open().unwrap().size(24, 80).size_pixels(640, 480),
        ] {
            let child = driver.spawn(sh("read line; stty -a").pty(pty));
            let size = child.process.window_size().unwrap();
            assert_eq!(size, WindowSize::new(24, 80).with_pixels(640, 480));
            assert!(child.process.termios().unwrap().is_utf8());
            child.process.write("\n");
            driver.drive_to_end(&child.record);
            assert!(child.record.text(1).contains(" iutf8"), "{}", child.record.text(1));
        }
        let mut settings = Termios::of(Pty::open().unwrap().slave().unwrap()).unwrap();
        settings.set_utf8(false);
        let child = driver.spawn(sh("read line").pty(Pty::new().termios(settings)));
        assert!(!child.process.termios().unwrap().is_utf8(), "what the program says counts");
        child.process.write("\n");
        driver.drive_to_end(&child.record);
    });
}

/// Case PT-32.
#[test]
fn raw_mode_ends_with_its_guard_even_after_a_panic() {
    let pty = Pty::open().unwrap();
    let slave = pty.slave().unwrap();
    let before = Termios::of(slave).unwrap();
    assert!(before.is_canonical() && before.echoes());
    let panic = std::panic::catch_unwind(|| {
        let raw = RawMode::begin(slave).unwrap();
        assert_eq!(*raw.before(), before);
        assert!(!Termios::of(slave).unwrap().is_canonical());
        panic!("expected");
    });
    assert!(panic.is_err());
    assert_eq!(Termios::of(slave).unwrap(), before);
}

/// Case PT-33.
#[test]
fn a_descriptor_that_is_no_terminal_gives_an_error() {
    let file = File::open("/dev/null").unwrap();
    for error in [
        Termios::of(&file).unwrap_err(),
        WindowSize::of(&file).unwrap_err(),
        RawMode::begin(&file).unwrap_err(),
    ] {
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}

/// Case PT-47. The calls that know any speed are missing in qemu's user mode. The older ones serve there.
#[test]
fn a_system_without_free_speeds_has_terminals() {
    behaviour("a_system_without_free_speeds_has_terminals", |driver| {
        let pty = Pty::open().unwrap();
        let speeds = Termios::of(pty.slave().unwrap()).unwrap();
        assert_eq!((speeds.input_speed, speeds.output_speed), (38_400, 38_400));
        for newer in [0x802c_542a, 0x402c_542b] {
            let errno = if newer == 0x802c_542a { libc::ENOSYS } else { libc::ENOTTY };
            answer(libc::SYS_ioctl, Calls::Is { index: 1, value: newer }, errno);
        }
        let child = driver.spawn(sh("read line; stty -a; exit 3").pty(pty.size(11, 22)));
        let mut settings = child.process.termios().unwrap();
        assert_eq!((settings.input_speed, settings.output_speed), (0, 0), "nobody tells");
        assert!(settings.is_utf8() && settings.is_canonical() && settings.echoes());
        settings.set_echo(false);
        child.process.set_termios(&settings).unwrap();
        assert!(!child.process.termios().unwrap().echoes());
        settings.output_speed = 123_456;
        let error = child.process.set_termios(&settings).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY), "no older call has such a speed");
        child.process.write("\n");
        driver.drive_to_end(&child.record);
        let (text, code) = (child.record.text(1), child.record.code());
        assert!(text.contains("-echo echoe") && code == 3, "{text}");
    });
}
