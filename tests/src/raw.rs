//! A raw HTTP/1.1 client: it sends what it is told, also what no client should send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest wait for a piece of an answer; no test expects a server to be slower.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as JSON, when the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "unexpected answer: {}", self.text());
        self.json()
    }

    /// The sentence of an error with the expected status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        let body = self.expect(status);
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "an error without detail: {}", self.text());
        detail.to_owned()
    }
}

/// A request, as it will stand on the wire.
#[derive(Debug, Clone)]
pub struct Ask {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    close: bool,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            close: false,
        }
    }

    /// With one more header. A `Host` given here takes the place of the usual one.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// With these bytes as body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The last request on its connection.
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The bytes of head and body.
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut line = |name: &str, value: &str| {
            head.extend([name, ": ", value, "\r\n"]);
        };
        if !has("host") {
            line("Host", host);
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if !has("content-length") && !has("transfer-encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        if self.close {
            line("Connection", "close");
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// A connection.
pub struct Conn {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Conn {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        // On loopback a socket can meet itself when nobody listens.
        if stream.local_addr()? == address {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_string() })
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request and reads its answer. A server may answer before it has read everything,
    /// so an error while sending counts only when no answer follows.
    pub fn ask(&mut self, ask: &Ask) -> io::Result<Answer> {
        let sent = self.send(&ask.bytes(&self.host));
        match self.answer_to(&ask.method) {
            Err(_) if sent.is_err() => Err(sent.expect_err("just looked at")),
            other => other,
        }
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        self.answer_to("GET")
    }

    /// Reads the 100 that a request with `Expect: 100-continue` waits for: the server has its head
    /// and reads on.
    pub fn told_to_go_on(&mut self) -> io::Result<bool> {
        Ok(self.head()?.0 == 100)
    }

    fn answer_to(&mut self, method: &str) -> io::Result<Answer> {
        let (status, headers) = loop {
            let head = self.head()?;
            if head.0 >= 200 {
                break head;
            }
        };
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method == "HEAD" || matches!(status, 204 | 304) {
            return Ok(answer);
        }
        answer.body = match answer.header("content-length").map(str::parse) {
            Some(Ok(n)) => self.exactly(n)?,
            Some(Err(_)) => return Err(broken("bad content-length")),
            None if answer.header("transfer-encoding") == Some("chunked") => self.chunks()?,
            None => self.rest()?,
        };
        Ok(answer)
    }

    fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| broken("bad status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken("bad header"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn exactly(&mut self, n: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; n];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let n = usize::from_str_radix(&size, 16).map_err(|_| broken("bad chunk"))?;
            body.extend(self.exactly(n)?);
            self.line()?;
            if n == 0 {
                return Ok(body);
            }
        }
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stream.read_to_end(&mut body)?;
        Ok(body)
    }

    /// Waits until the other side has closed; what still comes is thrown away. Whether it did.
    pub fn closed_within(&mut self, limit: Duration) -> bool {
        let _ = self.socket().set_read_timeout(Some(limit));
        match io::copy(&mut self.stream, &mut io::sink()) {
            Ok(_) => true,
            Err(e) => !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
