//! A proxy that loses, cuts and delays answers.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::fault::{Asked, Listener, PATIENCE, Shared, locked, read_request};

/// What a proxy does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Hands it on, and the answer back.
    Pass,
    /// Hands it on and throws the answer away.
    LoseAnswer,
    /// Hands it on and lets only so many bytes of the answer through.
    CutAnswer(usize),
    /// Waits before handing on, and as long again before handing back.
    Slow(Duration),
    /// Closes without handing it on.
    Drop,
}

/// What a proxy is told to do.
struct Orders {
    always: Mode,
    /// Each for the first request whose head holds the text.
    once: Vec<(String, Mode)>,
}

/// Stands before a server; can lose, cut and delay.
pub struct Proxy {
    listener: Listener,
    orders: Arc<Mutex<Orders>>,
}

impl Proxy {
    /// Before the server at `upstream`.
    pub fn before(upstream: SocketAddr) -> Self {
        let orders = Arc::new(Mutex::new(Orders { always: Mode::Pass, once: Vec::new() }));
        let told = Arc::clone(&orders);
        let listener = Listener::start(move |stream, shared| {
            // A side that went away is nothing to complain of.
            let _ = relay(upstream, stream, shared, &told);
        });
        Self { listener, orders }
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address)
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        locked(&self.orders).always = mode;
    }

    /// Once, for the first request whose head holds this text.
    pub fn once(&self, text: &str, mode: Mode) {
        locked(&self.orders).once.push((text.to_owned(), mode));
    }

    /// Orders for one request that no request has met yet.
    pub fn unmet(&self) -> usize {
        locked(&self.orders).once.len()
    }

    /// The heads of the requests that came.
    pub fn heads(&self) -> Vec<String> {
        locked(&self.listener.shared.heads).clone()
    }
}

impl Orders {
    fn mode_for(&mut self, head: &str) -> Mode {
        let at = self.once.iter().position(|(text, _)| head.contains(text));
        at.map_or(self.always, |at| self.once.remove(at).1)
    }
}

/// One request of a connection: the other side is told to close after it.
fn relay(
    upstream: SocketAddr,
    client: TcpStream,
    shared: &Shared,
    orders: &Mutex<Orders>,
) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut client = BufReader::new(client);
    let asked = read_request(&mut client)?;
    let mode = locked(orders).mode_for(&asked.head);
    locked(&shared.heads).push(asked.head.clone());
    match mode {
        Mode::Drop => return Ok(()),
        Mode::Slow(pause) => thread::sleep(pause),
        Mode::Pass | Mode::LoseAnswer | Mode::CutAnswer(_) => {}
    }
    let answer = forward(upstream, &asked)?;
    let kept = match mode {
        Mode::LoseAnswer | Mode::Drop => 0,
        Mode::CutAnswer(n) => n.min(answer.len()),
        Mode::Pass | Mode::Slow(_) => answer.len(),
    };
    if let Mode::Slow(pause) = mode {
        thread::sleep(pause);
    }
    client.get_mut().write_all(&answer[..kept])?;
    client.get_mut().shutdown(Shutdown::Both)
}

fn forward(upstream: SocketAddr, asked: &Asked) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect_timeout(&upstream, PATIENCE)?;
    // On loopback a socket can meet itself when nobody listens.
    if server.local_addr()? == upstream {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    server.set_read_timeout(Some(PATIENCE))?;
    let (first, rest) = asked.head.split_once("\r\n").unwrap_or((&asked.head, "\r\n"));
    server.write_all(format!("{first}\r\nConnection: close\r\n{rest}").as_bytes())?;
    server.write_all(&asked.body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}
