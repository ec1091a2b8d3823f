//! The part of a script that runs the program of a command: `sh` text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use procession_process_transport::driver::Elsewhere;

use super::LaunchError;
use super::quote::word;

/// Returns the lines that set umask and directory, and the line that runs the program in a process of its
/// own. `$?` is the program's status afterwards.
///
/// `exec` never takes a builtin command for the program.
pub(crate) fn run(there: &Elsewhere, on_no_dir: &str) -> Result<Vec<u8>, LaunchError> {
    let mut script = Vec::new();
    if let Some(umask) = there.umask {
        script.extend_from_slice(format!("umask {:04o}\n", umask & 0o777).as_bytes());
    }
    if let Some(dir) = &there.current_dir {
        let dir = directory(dir)?;
        let prefix: &[u8] = if dir.starts_with(b"/") { b"" } else { b"./" };
        script.extend_from_slice(b"CDPATH= cd -P ");
        script.extend_from_slice(&word(&[prefix, dir].concat()));
        script.extend_from_slice(format!(" || {on_no_dir}\n").as_bytes());
    }
    script.extend_from_slice(b"(exec");
    for part in argv(there)? {
        script.push(b' ');
        script.extend_from_slice(&word(&part));
    }
    script.extend_from_slice(if there.merges_stderr { b" 2>&1)\n" } else { b")\n" });
    Ok(script)
}

/// Returns the program and its arguments, after an `env` that changes the environment if that is needed.
pub(crate) fn argv(there: &Elsewhere) -> Result<Vec<Vec<u8>>, LaunchError> {
    let mut argv: Vec<Vec<u8>> = Vec::new();
    let program = match text("program", &there.program)? {
        [] => return Err(LaunchError::NotText { part: "program", what: "no name" }),
        [b'-', rest @ ..] if rest.contains(&b'/') => [b"./-", rest].concat(),
        // Of a name, `exec` would make options.
        [b'-', ..] => return Err(LaunchError::NotText { part: "program", what: "a hyphen first" }),
        name => name.to_vec(),
    };
    if there.clears_env || !there.env.is_empty() {
        argv.push(b"env".to_vec());
        if there.clears_env {
            argv.push(b"-i".to_vec());
        }
        let removed = there.env.iter().filter(|(_, value)| value.is_none() && !there.clears_env);
        for (name, _) in removed {
            argv.extend([b"-u".to_vec(), variable(name)?.to_vec()]);
        }
        for (name, value) in &there.env {
            let Some(value) = value else { continue };
            let value = text("value of a variable", value)?;
            let name = variable(name)?;
            if name.starts_with(b"-") {
                return Err(LaunchError::NotText {
                    part: "name of a variable",
                    what: "a hyphen first",
                });
            }
            argv.push([name, b"=", value].concat());
        }
        if program.contains(&b'=') {
            // `env` would take it for a variable.
            let exec = ["/bin/sh", "-c", "exec \"$@\"", "sh"];
            argv.extend(exec.map(|word| word.as_bytes().to_vec()));
        }
    }
    argv.push(program);
    for arg in &there.args {
        argv.push(text("argument", arg)?.to_vec());
    }
    Ok(argv)
}

/// Returns the bytes of a directory.
pub(crate) fn directory(dir: &Path) -> Result<&[u8], LaunchError> {
    match text("directory", dir.as_os_str())? {
        // Here it is no directory; there, `cd` and `srun` would take another one.
        [] => Err(LaunchError::NotText { part: "directory", what: "no name" }),
        dir => Ok(dir),
    }
}

fn variable(name: &OsStr) -> Result<&[u8], LaunchError> {
    let part = "name of a variable";
    match text(part, name)? {
        [] => Err(LaunchError::NotText { part, what: "no character" }),
        name if name.contains(&b'=') => Err(LaunchError::NotText { part, what: "an equals sign" }),
        name => Ok(name),
    }
}

fn text<'a>(part: &'static str, text: &'a OsStr) -> Result<&'a [u8], LaunchError> {
    let bytes = text.as_bytes();
    if bytes.contains(&0) {
        return Err(LaunchError::NotText { part, what: "a NUL byte" });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use procession_process_transport::Command;

    use super::*;

    fn script(command: &Command) -> Result<String, LaunchError> {
        let there = Elsewhere::of(command).unwrap();
        Ok(String::from_utf8(run(&there, "exit 126")?).unwrap())
    }

    #[test]
    fn the_script_says_all_of_a_command() {
        let command = Command::new("make").args(["-j4", "a b"]).current_dir("it's");
        let command = command.env("A.B", "x y").env_remove("C").umask(0o27);
        assert_eq!(
            script(&command).unwrap(),
            "umask 0027\nCDPATH= cd -P './it'\\''s' || exit 126\n\
             (exec env -u C 'A.B=x y' make -j4 'a b')\n"
        );
        let command =
            Command::new("a=b").env_clear().stderr(procession_process_transport::Fd::same_as(1));
        assert_eq!(
            script(&command).unwrap(),
            "(exec env -i /bin/sh -c 'exec \"$@\"' sh 'a=b' 2>&1)\n"
        );
        assert_eq!(script(&Command::new("true")).unwrap(), "(exec true)\n");
    }

    #[test]
    fn what_no_script_can_say_is_refused() {
        let x = || Command::new("x");
        for (command, part) in [
            (Command::new(""), "program"),
            (Command::new("-x"), "program"),
            (x().arg("a\0b"), "argument"),
            (x().env("a\0", "b"), "name of a variable"),
            (x().env("a=b", "c"), "name of a variable"),
            (x().env("-a", "c"), "name of a variable"),
            (x().env("a", "\0"), "value of a variable"),
            (x().env_remove(""), "name of a variable"),
            (x().current_dir("\0"), "directory"),
            (x().current_dir(""), "directory"),
        ] {
            match script(&command).unwrap_err() {
                LaunchError::NotText { part: found, .. } => assert_eq!(found, part),
                error => panic!("{error}"),
            }
        }
    }
}
