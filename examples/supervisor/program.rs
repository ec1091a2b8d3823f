//! One program of the file: its command and its policy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use procession::{Command, Monitor, Policy, Ready, Resource, Rlimit};

use crate::file::{Fault, FileError};
use crate::value::Value;

type Result<T> = std::result::Result<T, FileError>;

const KEYS: &[&str] = &[
    "command",
    "directory",
    "env",
    "limits",
    "restart",
    "after",
    "ready",
    "start_timeout",
    "backoff",
    "reset_after",
    "give_up_after",
    "stop_signal",
    "stop_grace",
];

/// Applies the value of a key to a policy.
type Apply = fn(Policy, &Value<'_>) -> Result<Policy>;

/// The keys of a policy that need nothing else, and what they do.
const POLICY: [(&str, Apply); 6] = [
    ("start_timeout", |policy, value| Ok(policy.start_timeout(value.time()?))),
    ("backoff", |policy, value| {
        let [first, longest] =
            value.pair("a list of two times: the first pause and the longest")?;
        Ok(policy.backoff(first.time()?, longest.time()?))
    }),
    ("reset_after", |policy, value| Ok(policy.reset_after(value.time()?))),
    ("give_up_after", |policy, value| {
        const KEYS: &[&str] = &["failures", "within"];
        let keys = value.table("a table of `failures` and `within`", KEYS)?;
        let failures = value.required(&keys, "failures")?;
        let number = failures.number().and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| failures.expected("a number of failures"))?;
        Ok(policy.give_up_after(number, value.required(&keys, "within")?.time()?))
    }),
    ("stop_signal", |policy, value| Ok(policy.stop_signal(value.signal()?))),
    ("stop_grace", |policy, value| Ok(policy.stop_grace(value.time()?))),
];

/// Reads the table of a program. Also returns the value that says what it comes after.
pub(crate) fn program<'a>(table: &Value<'a>) -> Result<(Command, Policy, Option<Value<'a>>)> {
    let keys = table.table("a table", KEYS)?;
    let get = |key: &str| keys.iter().find(|(known, _)| *known == key).map(|(_, value)| value);

    let folder = table.source.path.parent().unwrap_or_else(|| Path::new(""));
    let directory = match get("directory") {
        Some(value) => folder.join(value.text()?),
        None => folder.to_owned(),
    };
    let mut command = command(table.required(&keys, "command")?)?;
    if !directory.as_os_str().is_empty() {
        command = command.current_dir(&directory);
    }
    if let Some(value) = get("env") {
        for (name, value) in value.any_table("a table of texts")? {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(value.expected("the value of a variable, but no variable is called so"));
            }
            command = command.env(name, value.text()?);
        }
    }
    if let Some(value) = get("limits") {
        for (name, value) in value.table("a table of limits", RESOURCE_NAMES)? {
            let found = RESOURCES.iter().find(|(known, _)| *known == name);
            if let Some((_, resource)) = found {
                command = command.rlimit(*resource, limits(&value)?);
            }
        }
    }

    let check = |value: &Value<'_>, policy: &Policy| {
        let one = Monitor::new().add(table.program, "true", policy.clone()).check();
        one.map_err(|error| value.fault(Fault::Monitor(error)))
    };
    let mut policy = get("restart").map_or(Ok(Policy::always()), restart)?;
    check(table, &policy)?; // which is about the name
    if let Some(value) = get("ready") {
        policy = policy.ready_when(ready(value, &directory)?);
    }
    for (key, apply) in POLICY {
        if let Some(value) = get(key) {
            policy = apply(policy, value)?;
            check(value, &policy)?;
        }
    }
    let after = get("after");
    if let Some(after) = after {
        for name in after.list("a list of names of programs")? {
            policy = policy.after(name.text()?);
        }
    }
    Ok((command, policy, after.cloned()))
}

/// Reads a text for `sh`, or a list of a program and its arguments.
fn command(value: &Value<'_>) -> Result<Command> {
    if value.value.is_str() {
        return Ok(Command::new("sh").args(["-c", value.text()?]));
    }
    const EXPECTED: &str = "a text for sh, or a list of a program and its arguments";
    let words = value.list(EXPECTED)?;
    let words = words.iter().map(Value::text).collect::<Result<Vec<_>>>()?;
    match words.split_first() {
        Some((program, args)) if !program.is_empty() => Ok(Command::new(program).args(args)),
        _ => Err(value.expected(EXPECTED)),
    }
}

fn restart(value: &Value<'_>) -> Result<Policy> {
    match value.value.as_str() {
        Some("always") => Ok(Policy::always()),
        Some("on-failure") => Ok(Policy::on_failure()),
        Some("never") => Ok(Policy::never()),
        _ => Err(value.expected("\"always\", \"on-failure\" or \"never\"")),
    }
}

fn ready(value: &Value<'_>, directory: &Path) -> Result<Ready> {
    const EXPECTED: &str =
        "\"notify\", or a table of one of `line`, `tcp`, `unix`, `file` and `fd`";
    if value.value.as_str() == Some("notify") {
        return Ok(Ready::notify());
    }
    let path = |value: &Value<'_>| Ok::<PathBuf, FileError>(directory.join(value.text()?));
    let ways = value.table(EXPECTED, &["line", "tcp", "unix", "file", "fd"])?;
    let [(way, value)] = ways.as_slice() else { return Err(value.expected(EXPECTED)) };
    Ok(match *way {
        "line" => Ready::line(value.text()?),
        "tcp" => tcp(value)?,
        "unix" => Ready::unix(path(value)?),
        "file" => Ready::file(path(value)?),
        _ => {
            let number = value.number().and_then(|number| i32::try_from(number).ok());
            let number = number.filter(|number| *number > 2);
            Ready::fd(number.ok_or_else(|| value.expected("the number of a descriptor from 3"))?)
        }
    })
}

fn tcp(value: &Value<'_>) -> Result<Ready> {
    let port = value.number().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    if let Some(port) = port {
        return Ok(Ready::tcp(port));
    }
    let address = value.value.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    let address = address.filter(|address| address.port() > 0);
    let address = address.ok_or_else(|| value.expected("a port, or an address as in \"[::1]:80\""));
    Ok(Ready::tcp_at(address?))
}

/// The names of [`RESOURCES`].
const RESOURCE_NAMES: &[&str] = &[
    "address_space",
    "core",
    "cpu",
    "data",
    "file_size",
    "locked_memory",
    "open_files",
    "processes",
    "stack",
];

const RESOURCES: [(&str, Resource); 9] = [
    ("address_space", Resource::AddressSpace),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("file_size", Resource::FileSize),
    ("locked_memory", Resource::LockedMemory),
    ("open_files", Resource::OpenFiles),
    ("processes", Resource::Processes),
    ("stack", Resource::Stack),
];

/// Reads a soft and a hard limit, or one for both.
fn limits(value: &Value<'_>) -> Result<Rlimit> {
    if !value.value.is_array() {
        let both = limit(value)?;
        return Ok(Rlimit { soft: both, hard: both });
    }
    const EXPECTED: &str = "one limit, or a list of the soft and the hard one, which is not lower";
    let [soft, hard] = value.pair(EXPECTED)?;
    let (soft, hard) = (limit(&soft)?, limit(&hard)?);
    if soft.unwrap_or(u64::MAX) > hard.unwrap_or(u64::MAX) {
        return Err(value.expected(EXPECTED));
    }
    Ok(Rlimit { soft, hard })
}

fn limit(value: &Value<'_>) -> Result<Option<u64>> {
    match (value.value.as_str(), value.number()) {
        (Some("unlimited"), _) => Ok(None),
        (_, Some(number)) => Ok(Some(number)),
        _ => Err(value.expected("a number or \"unlimited\"")),
    }
}
