//! Server-sent events, as they come in.

use std::io::{self, BufRead, Read};

/// Longest event that is read, all its lines together.
const EVENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An event, or a sign of life with nothing but an id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The place behind it, when it names one.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: String,
}

/// Reads up to the end of the next event; `None` at the end of the stream. An event that broke off
/// is none; one that is too long is `InvalidData`, and nothing behind it can be read.
pub fn next(lines: &mut dyn BufRead) -> io::Result<Option<Event>> {
    let mut event = Event::default();
    let mut has_data = false;
    let mut lines = lines.take(EVENT_BYTES_MAX);
    loop {
        let mut raw = Vec::new();
        lines.read_until(b'\n', &mut raw)?;
        let Some(line) = raw.strip_suffix(b"\n") else {
            let too_long = || io::Error::new(io::ErrorKind::InvalidData, "an event without end");
            return if lines.limit() == 0 { Err(too_long()) } else { Ok(None) };
        };
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        if line.is_empty() {
            return Ok(Some(event));
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.name),
            "data" => {
                if std::mem::replace(&mut has_data, true) {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            // Comments, and what is not known here.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_signs_of_life() {
        let mut text: &[u8] =
            b":\nid: r.1\n\nid: r.2\r\nevent: change\r\ndata: {\"a\":\"b: c\"}\r\n\r\nid: r.3\ndata: torn";
        let sign = next(&mut text).unwrap().unwrap();
        assert_eq!((sign.id.as_deref(), sign.name.as_str()), (Some("r.1"), ""));
        let event = next(&mut text).unwrap().unwrap();
        let wanted = Event {
            id: Some("r.2".into()),
            name: "change".into(),
            data: "{\"a\":\"b: c\"}".into(),
        };
        assert_eq!(event, wanted);
        assert_eq!(next(&mut text).unwrap(), None);
    }
    #[test]
    fn lines_of_data_are_joined() {
        let mut text: &[u8] = b"data: one\ndata\ndata:two\n\ndata:\ndata: x\n\n";
        assert_eq!(next(&mut text).unwrap().unwrap().data, "one\n\ntwo");
        assert_eq!(next(&mut text).unwrap().unwrap().data, "\nx");
        assert_eq!(next(&mut text).unwrap(), None);
    }

    #[test]
    fn an_event_without_end_is_an_error() {
        let kind = |line: &str| {
            let mut text = io::BufReader::new(Endless(line.bytes().collect(), 0));
            next(&mut text).unwrap_err().kind()
        };
        for line in ["data: more and more\n", ":\n", "one line"] {
            assert_eq!(kind(line), io::ErrorKind::InvalidData, "{line}");
        }
        let fits = format!("data: {}\n\n", "x".repeat(4_000_000));
        assert_eq!(next(&mut fits.as_bytes()).unwrap().unwrap().data.len(), 4_000_000);
    }

    /// The same bytes again and again; at most 64 MiB, so that a fault fails instead of filling memory.
    struct Endless(Vec<u8>, usize);

    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            assert!(self.1 < 64 << 20, "it is read on and on");
            for (n, b) in buf.iter_mut().enumerate() {
                *b = self.0[(self.1 + n) % self.0.len()];
            }
            self.1 += buf.len();
            Ok(buf.len())
        }
    }
}
