//! Server-sent events, as they come in.

use std::io::{self, BufRead, Read};

/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

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
/// is none.
pub fn next(lines: &mut dyn BufRead) -> io::Result<Option<Event>> {
    let mut event = Event::default();
    loop {
        let mut raw = Vec::new();
        lines.take(LINE_BYTES_MAX).read_until(b'\n', &mut raw)?;
        let Some(line) = raw.strip_suffix(b"\n") else {
            let too_long = raw.len() as u64 == LINE_BYTES_MAX;
            return if too_long { Err(io::Error::other("a line without end")) } else { Ok(None) };
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
            "data" => event.data.push_str(value),
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
}
