//! Terminals that are opened before there is a child, and the settings of new terminals.
#![cfg(feature = "reactor")]

mod util;

use std::fs::File;
use std::io::ErrorKind;

use procession_process_transport::{OfTerminal, Pty, RawMode};
use procession_protocol::{Termios, WindowSize};

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
