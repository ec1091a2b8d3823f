//! Records what happens on a terminal, as script(1) does, in asciinema's format, and plays it back:
//! `record [--input] FILE [PROGRAM [ARGUMENT..]]`, `record --play FILE`.
//!
//! PROGRAM is `$SHELL`, or `sh`. It gets a terminal of its own, with the size and the settings of this one.
//! With `--input`, what is typed is recorded too, passwords included. `record` ends with the status of the
//! program. A recording is a text file: a line about all of it, then a line for each piece of output ("o")
//! or input ("i") and for each new size ("r"), each with its time in seconds
//! (<https://docs.asciinema.org/manual/asciicast/v2/>). `asciinema play FILE` plays it, too.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::{ExitCode, Termination};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use procession::prelude::*;
use procession::{RawMode, Termios, WindowSize};
use serde_json::{Value, json};

/// The size if this program has no terminal.
const NO_TERMINAL: WindowSize = WindowSize::new(24, 80);

/// Bytes as text, piece by piece: a character that a piece cuts is kept for the next one.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn push(&mut self, data: &[u8]) -> String {
        self.0.extend_from_slice(data);
        let whole = match self.0.utf8_chunks().last() {
            // Up to three bytes may be the beginning of a character.
            Some(last) if !last.invalid().is_empty() && is_beginning(last.invalid()) => {
                self.0.len() - last.invalid().len()
            }
            _ => self.0.len(),
        };
        let rest = self.0.split_off(whole);
        String::from_utf8_lossy(&std::mem::replace(&mut self.0, rest)).into_owned()
    }
}

/// Returns whether these bytes, which are no character, may become one.
fn is_beginning(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// The file that is written.
struct Recording {
    file: BufWriter<File>,
    began: Duration,
    output: Text,
    /// `None` if the input is not recorded.
    input: Option<Text>,
    /// The first error of the file.
    result: io::Result<()>,
}

impl Recording {
    fn begin(file: File, size: WindowSize, command: &str, with_input: bool) -> Result<Self> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = json!({
            "version": 2,
            "width": size.columns,
            "height": size.rows,
            "timestamp": now.as_secs(),
            "command": command,
            "env": { "SHELL": variable("SHELL"), "TERM": variable("TERM") },
        });
        let mut file = BufWriter::new(file);
        writeln!(file, "{header}")?;
        let began = Handle::current().now();
        let input = with_input.then(Text::default);
        Ok(Self { file, began, output: Text::default(), input, result: Ok(()) })
    }

    fn add(&mut self, kind: &str, text: &str) {
        let after = Handle::current().now().saturating_sub(self.began).as_secs_f64();
        if !text.is_empty() && self.result.is_ok() {
            let event = json!([(after * 1e6).round() / 1e6, kind, text]);
            self.result = writeln!(self.file, "{event}");
        }
    }

    fn on_output(&mut self, data: &[u8]) {
        let text = self.output.push(data);
        self.add("o", &text);
    }

    fn on_input(&mut self, data: &[u8]) {
        let text = self.input.as_mut().map(|input| input.push(data)).unwrap_or_default();
        self.add("i", &text);
    }
}

/// The protocol of the program: what it prints goes to the recording and to the terminal.
struct Screen {
    recording: Rc<RefCell<Recording>>,
    terminal: Rc<OnceCell<Transport>>,
}

impl ProcessProtocol for Screen {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.recording.borrow_mut().on_output(&data);
        self.terminal.get().inspect(|terminal| terminal.write(data));
    }

    fn child_write_buffer_full(&mut self, _: &Process, _: ChildFd) {
        self.terminal.get().inspect(|terminal| terminal.pause());
    }

    fn child_write_buffer_drained(&mut self, _: &Process, _: ChildFd) {
        self.terminal.get().inspect(|terminal| terminal.resume());
    }
}

/// The protocol of the terminal: what is typed goes to the program.
struct Keyboard {
    recording: Rc<RefCell<Recording>>,
    process: Process,
}

impl Protocol for Keyboard {
    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.recording.borrow_mut().on_input(&data);
        self.process.write(data);
    }

    fn read_closed(&mut self, _: &Transport) {
        // Without a terminal, the input may end before the program.
        self.process.send_eof().ok();
    }

    fn write_buffer_full(&mut self, _: &Transport) {
        self.process.pause(1);
    }

    fn write_buffer_drained(&mut self, _: &Transport) {
        self.process.resume(1);
    }

    fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
        self.process.resume(1);
    }
}

fn record(file: &str, program: &[String], with_input: bool) -> Result<ExitCode> {
    let shell = || vec![std::env::var("SHELL").unwrap_or_else(|_| "sh".to_owned())];
    let program = if program.is_empty() { shell() } else { program.to_vec() };
    let size = WindowSize::of(io::stdin()).unwrap_or(NO_TERMINAL);
    let mut pty = Pty::new().size(size.rows, size.columns);
    if let Ok(settings) = Termios::of(io::stdin()) {
        pty = pty.termios(settings);
    }
    let command = Command::new(&program[0]).args(&program[1..]).pty(pty).kill_on_drop(true);

    let mut reactor = Reactor::new()?;
    let out = File::create(file).with_context(|| format!("cannot write {file}"))?;
    let recording = Recording::begin(out, size, &program.join(" "), with_input)?;
    let recording = Rc::new(RefCell::new(recording));
    let terminal = Rc::new(OnceCell::new());
    let screen = Screen { recording: Rc::clone(&recording), terminal: Rc::clone(&terminal) };
    let process = reactor.spawn_process(screen, command)?;

    let (resized, sizes) = (process.clone(), Rc::clone(&recording));
    let _watch = reactor.on_signal(Signal::WINCH, move |_| {
        let Ok(size) = WindowSize::of(io::stdin()) else { return };
        resized.resize(size.rows, size.columns).ok();
        sizes.borrow_mut().add("r", &format!("{}x{}", size.columns, size.rows));
    })?;
    // Each key goes to the program at once, Ctrl-C too.
    let raw = RawMode::begin(io::stdin()).ok();
    let keyboard = Keyboard { recording: Rc::clone(&recording), process: process.clone() };
    let screen = reactor.stdio(keyboard)?;
    terminal.get_or_init(|| screen.clone());
    let ended = reactor.run_until(async move {
        let reason = process.ended().await;
        screen.lose_connection();
        reason
    });
    drop(raw);
    let mut recording = recording.borrow_mut();
    let text = String::from_utf8_lossy(&recording.output.0).into_owned();
    recording.add("o", &text);
    let written = std::mem::replace(&mut recording.result, Ok(()));
    written
        .and_then(|()| recording.file.flush())
        .with_context(|| format!("cannot write {file}"))?;
    Ok(match ended {
        Err(stopped) => stopped.report(),
        Ok(reason) => {
            let reason = reason?;
            // As a shell would report it.
            let signal = reason.signal().map(|signal| 128 + signal.as_raw());
            let status = signal.or_else(|| reason.exit_code()).unwrap_or(1);
            ExitCode::from(u8::try_from(status).unwrap_or(1))
        }
    })
}

fn play(file: &str) -> Result<ExitCode> {
    let cannot = || format!("cannot play {file}");
    let mut lines = BufReader::new(File::open(file).with_context(cannot)?).lines();
    let header: Value = serde_json::from_str(&lines.next().context("it is empty")??)?;
    ensure!(header["version"] == 2, "{file} is no recording of version 2");
    let mut reactor = Reactor::new()?;
    let played = reactor.run_until(async {
        let handle = Handle::current();
        let began = handle.now();
        for line in lines {
            let event: (f64, String, String) = serde_json::from_str(&line?)?;
            let (at, kind, text) = event;
            let at = began + Duration::try_from_secs_f64(at)?;
            handle.sleep(at.saturating_sub(handle.now())).await;
            if kind == "o" {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()?;
            }
        }
        anyhow::Ok(ExitCode::SUCCESS)
    });
    match played {
        Ok(played) => played.with_context(cannot),
        Err(stopped) => Ok(stopped.report()),
    }
}

fn run() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["--play", file] => play(file),
        ["--input", file, ..] if !file.starts_with('-') => record(file, &args[2..], true),
        [file, ..] if !file.starts_with('-') => record(file, &args[1..], false),
        _ => {
            anyhow::bail!("say record [--input] FILE [PROGRAM [ARGUMENT..]], or record --play FILE")
        }
    }
}

fn main() -> ExitCode {
    procession_examples::end("record", run())
}
