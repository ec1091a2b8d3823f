//! The two messages of D-Bus that go to systemd, and what is read of its messages. A pure core.
//!
//! # Model
//!
//! A message is a head of 16 bytes, fields, and a body that begins at a multiple of 8 bytes. Numbers are
//! little-endian. A value begins at a multiple of its size from the beginning of the message, an entry of
//! a struct at a multiple of 8. What cannot be read is [`Heard::Other`].

const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// The codes of the fields of a message that are written or read.
mod field {
    pub(super) const PATH: u8 = 1;
    pub(super) const INTERFACE: u8 = 2;
    pub(super) const MEMBER: u8 = 3;
    pub(super) const ERROR_NAME: u8 = 4;
    pub(super) const SIGNATURE: u8 = 8;
}

/// Returns the call that starts a unit, to whose cgroup a process is moved, and which the program may
/// divide.
pub(super) fn start_unit(unit: &str, description: &str, pid: u32) -> Vec<u8> {
    let mut body = Writer::default();
    body.string(unit);
    body.string("fail");
    body.array(8, |properties| {
        properties.property("Description", "s", |value| value.string(description));
        properties.property("Delegate", "b", |value| value.number(1));
        properties.property("CollectMode", "s", |value| value.string("inactive-or-failed"));
        properties.property("PIDs", "au", |value| value.array(4, |pids| pids.number(pid)));
    });
    body.array(8, |_| {});
    call("StartTransientUnit", "ssa(sv)a(sa(sv))", &body)
}

/// Returns the call by which a process has itself moved to a cgroup within that of a unit.
pub(super) fn attach(unit: &str, below: &str) -> Vec<u8> {
    let mut body = Writer::default();
    body.string(unit);
    body.string(below);
    body.array(4, |pids| pids.number(0)); // the caller
    call("AttachProcessesToUnit", "ssau", &body)
}

fn call(member: &str, signature: &str, body: &Writer) -> Vec<u8> {
    let mut message = Writer(vec![b'l', 1, 0, 1]);
    message.number(u32::try_from(body.0.len()).unwrap_or(u32::MAX));
    message.number(1); // its number
    message.array(8, |fields| {
        fields.field(field::PATH, "o", PATH);
        fields.field(field::INTERFACE, "s", MANAGER);
        fields.field(field::MEMBER, "s", member);
        fields.field(field::SIGNATURE, "g", signature);
    });
    message.align(8);
    message.0.extend(&body.0);
    message.0
}

/// Writes values.
#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// Writes the length of the elements, without what aligns the first one, and the elements.
    fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) {
        self.number(0);
        let place = self.0.len() - 4;
        self.align(alignment);
        let begin = self.0.len();
        elements(self);
        let bytes = u32::try_from(self.0.len() - begin).unwrap_or(u32::MAX);
        self.0[place..place + 4].copy_from_slice(&bytes.to_le_bytes());
    }

    fn property(&mut self, name: &str, signature: &str, value: impl FnOnce(&mut Self)) {
        self.align(8);
        self.string(name);
        self.signature(signature);
        value(self);
    }

    fn field(&mut self, code: u8, signature: &str, value: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
        if signature == "g" { self.signature(value) } else { self.string(value) }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The call was refused.
    Refused {
        /// The name of the error.
        name: String,
        text: String,
    },
    /// The start of a unit has come to its end.
    Started {
        unit: String,
        /// `done` if it was successful.
        result: String,
    },
    Other,
}

/// Reads a whole message.
pub(super) fn heard(message: &[u8]) -> Heard {
    read(message).unwrap_or(Heard::Other)
}

fn read(message: &[u8]) -> Option<Heard> {
    let kind = *message.get(1)?;
    let mut reader = Reader { message, at: 12 };
    let fields = usize::try_from(reader.number()?).ok()?;
    let end = reader.at.checked_add(fields)?;
    let (mut member, mut error) = (None, None);
    while reader.at < end {
        reader.align(8)?;
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (field::MEMBER, "s") => member = Some(reader.string()?),
            (field::ERROR_NAME, "s") => error = Some(reader.string()?),
            (_, "s" | "o") => drop(reader.string()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.number()?),
            _ => return None,
        }
    }
    reader.align(8)?;
    match (kind, member, error) {
        (3, _, Some(name)) => {
            let text = reader.string().unwrap_or_default().to_owned();
            Some(Heard::Refused { name: name.to_owned(), text })
        }
        (4, Some("JobRemoved"), _) => {
            reader.number()?; // of the job
            reader.string()?; // its path
            let unit = reader.string()?.to_owned();
            Some(Heard::Started { unit, result: reader.string()?.to_owned() })
        }
        _ => None,
    }
}

/// Reads values; `None` if they are not there.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to)?;
        Some(())
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.message.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn text(&mut self, count: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes(count)?).ok()?;
        (self.byte()? == 0).then_some(text)
    }

    fn string(&mut self) -> Option<&'a str> {
        let count = usize::try_from(self.number()?).ok()?;
        self.text(count)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let count = usize::from(self.byte()?);
        self.text(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as systemd sends it: a kind, fields with their signatures, and a body.
    fn message(kind: u8, fields: &[(u8, &str, &str)], body: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut message = Writer(vec![b'l', kind, 1, 1]);
        message.number(0);
        message.number(7);
        message.array(8, |all| {
            fields.iter().for_each(|(code, kind, value)| all.field(*code, kind, value));
        });
        message.align(8);
        body(&mut message);
        message.0
    }

    #[test]
    fn a_call_has_the_bytes_of_the_specification() {
        let call = attach("a.scope", "/b");
        let (head, rest) = call.split_at(16);
        assert_eq!(head[..4], *b"l\x01\0\x01");
        let body = [&b"\x07\0\0\0a.scope\0"[..], b"\x02\0\0\0/b\0\0", b"\x04\0\0\0\0\0\0\0"];
        let body = body.concat();
        assert_eq!(u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize, body.len());
        assert!(call.ends_with(&body), "{call:?}");
        assert_eq!((call.len() - body.len()) % 8, 0);
        assert!(rest.starts_with(b"\x01\x01o\0\x19\0\0\0/org/freedesktop/systemd1\0"), "{rest:?}");
    }

    #[test]
    fn the_end_of_a_start_and_an_error_are_read_and_nothing_else() {
        let signal = [(1, "o", "/a"), (3, "s", "JobRemoved"), (8, "g", "uoss")];
        let removed = message(4, &signal, |body| {
            body.number(9);
            body.string("/job/9");
            body.string("x.scope");
            body.string("done");
        });
        let (unit, result) = ("x.scope".to_owned(), "done".to_owned());
        assert_eq!(heard(&removed), Heard::Started { unit, result });
        let refused = message(3, &[(4, "s", "a.b.C"), (8, "g", "s")], |body| body.string("no"));
        let (name, text) = ("a.b.C".to_owned(), "no".to_owned());
        assert_eq!(heard(&refused), Heard::Refused { name, text });
        let other = message(4, &[(3, "s", "JobNew")], |body| body.number(1));
        assert_eq!(heard(&other), Heard::Other);
        assert_eq!(heard(&message(2, &[], |_| {})), Heard::Other);
    }

    #[test]
    fn every_beginning_of_a_message_is_read_without_a_panic() {
        let signal = [(3, "s", "JobRemoved"), (8, "g", "uoss")];
        let whole = message(4, &signal, |body| body.string("short"));
        for end in 0..whole.len() {
            assert_eq!(heard(&whole[..end]), Heard::Other);
        }
        assert_eq!(heard(&[0xff; 64]), Heard::Other);
    }
}
