//! Messages as lines on stdin and stdout, in bounded pieces. Nothing else of this process writes to
//! stdout while it serves.

use std::io::{self, BufRead, Write};
use std::sync::mpsc::Receiver;

/// Longest message that is read.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A line that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Whole, without its end.
    Whole(Vec<u8>),
    /// Longer than is read; it was skipped.
    TooLong,
}

/// Reads lines until the input ends or `take` says that it is enough. Blank lines are no messages; what
/// stands behind the last newline is none either, since it may be torn.
pub(super) fn read(mut input: impl BufRead, most: usize, mut take: impl FnMut(Line) -> bool) {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let piece = match input.fill_buf() {
            Ok([]) => return,
            Ok(piece) => piece,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let end = piece.iter().position(|b| *b == b'\n');
        let text = &piece[..end.unwrap_or(piece.len())];
        too_long |= line.len() + text.len() > most;
        if !too_long {
            line.extend_from_slice(text);
        }
        let used = text.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_none() {
            continue;
        }
        let whole = std::mem::take(&mut line);
        let is_blank = whole.trim_ascii().is_empty();
        let taken = match std::mem::take(&mut too_long) {
            true => take(Line::TooLong),
            false if is_blank => true,
            false => take(Line::Whole(whole)),
        };
        if !taken {
            return;
        }
    }
}

/// A message to be written, and who is told how that went.
pub(super) type Outgoing = (Vec<u8>, Box<dyn FnOnce(io::Result<()>) + Send>);

/// Writes messages, one line each, until nobody sends any more.
pub(super) fn write(mut output: impl Write, messages: &Receiver<Outgoing>) {
    for (mut message, told) in messages {
        message.push(b'\n');
        told(output.write_all(&message).and_then(|()| output.flush()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], piece: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        read(io::BufReader::with_capacity(piece, input), 8, |l| {
            lines.push(l);
            true
        });
        lines
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let whole = |t: &str| Line::Whole(t.as_bytes().to_vec());
        for piece in [1, 3, 7, 100] {
            let input = b"one\n\n \r\n12345678\n123456789\n123456789012345678\ntwo\r\ntorn";
            let expected =
                [whole("one"), whole("12345678"), Line::TooLong, Line::TooLong, whole("two\r")];
            assert_eq!(all(input, piece), expected, "{piece}");
        }
        let mut n = 0;
        read(&b"a\nb\nc\n"[..], 8, |_| {
            n += 1;
            n < 2
        });
        assert_eq!(n, 2);
    }
}
