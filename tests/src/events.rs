//! A reader of server-sent events.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::raw::{Answer, Ask};

/// Longest wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// The cursor behind it; empty when it names none.
    pub id: String,
    /// `change`, `reset`; empty for a sign of life.
    pub name: String,
    /// Its JSON.
    pub data: Value,
}

/// An open stream.
pub struct Events {
    stream: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// Asks for a stream; another answer than a stream is given back.
    pub fn open(address: SocketAddr, ask: &Ask) -> io::Result<Result<Self, Answer>> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(socket);
        io::Write::write_all(stream.get_mut(), &ask.bytes(&address.to_string()))?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let headers: Vec<_> = head
            .lines()
            .filter_map(|l| l.split_once(':'))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if answer.header("content-type") == Some("text/event-stream") {
            assert_eq!(status, 200, "{head}");
            return Ok(Ok(Self { stream, text: String::new() }));
        }
        let length = answer.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body)?;
        Ok(Err(answer))
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// The next event, signs of life among them; `None` at the end of the stream.
    pub fn any(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = parsed(event);
                self.text = rest.to_owned();
                return Ok(Some(event));
            }
            let mut size = String::new();
            if self.stream.read_line(&mut size)? == 0 {
                return Ok(None);
            }
            let n = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; n + 2];
            self.stream.read_exact(&mut chunk)?;
            if n == 0 {
                return Ok(None);
            }
            self.text.push_str(&String::from_utf8_lossy(&chunk[..n]));
        }
    }

    /// The next event that says something; `None` when the stream ended or broke.
    pub fn said(&mut self) -> Option<Event> {
        loop {
            match self.any() {
                Ok(Some(e)) if e.name.is_empty() => {}
                Ok(event) => return event,
                Err(_) => return None,
            }
        }
    }
}

fn parsed(text: &str) -> Event {
    let field = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let data = serde_json::from_str(&field("data")).unwrap_or(Value::Null);
    Event { id: field("id"), name: field("event"), data }
}
