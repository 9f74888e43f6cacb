//! Servers that misbehave.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest wait for a piece of a request or an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Between two bytes of a dripping answer.
const DRIP_EVERY: Duration = Duration::from_millis(50);

/// How a server misbehaves.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Takes the connection and never says a word.
    Silent,
    /// Answers with these bytes and closes.
    Says(String),
    /// Answers byte by byte, never finishing.
    Drips,
    /// Sends headers without end.
    EndlessHead,
    /// Sends a body without end.
    EndlessBody,
    /// A coord server whose first event never ends.
    EndlessEvent,
}

impl Fault {
    /// A web page where a coord server should be.
    pub fn page(status: &str) -> Self {
        Self::answer(status, "Content-Type: text/html\r\n", "<html><body>Welcome</body></html>")
    }

    /// A redirect to there.
    pub fn redirect(status: &str, to: &str) -> Self {
        Self::answer(status, &format!("Location: {to}\r\n"), "")
    }

    /// 503 with this `Retry-After`, as the seed describes it.
    pub fn unavailable(retry_after: &str) -> Self {
        let headers = format!("Content-Type: application/json\r\nRetry-After: {retry_after}\r\n");
        Self::answer("503 Service Unavailable", &headers, "{\"detail\":\"Database unavailable.\"}")
    }

    /// An answer with these header lines.
    pub fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Says(format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }
}

/// What all threads of a listener share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) connections: AtomicUsize,
    pub(crate) heads: Mutex<Vec<String>>,
    over: AtomicBool,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener whose connections are each handled by a thread, until it is dropped.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

impl Listener {
    pub(crate) fn start(handle: impl Fn(TcpStream, &Shared) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let address = listener.local_addr().expect("a listener knows its address");
        let shared = Arc::new(Shared::default());
        let (mine, handle) = (Arc::clone(&shared), Arc::new(handle));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if mine.over.load(Ordering::SeqCst) {
                    return;
                }
                mine.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, handle) = (Arc::clone(&mine), Arc::clone(&handle));
                thread::spawn(move || handle(stream, &shared));
            }
        });
        Self { address, shared }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
    }
}

/// A server that misbehaves always in the same way.
pub struct FaultServer {
    listener: Listener,
}

impl FaultServer {
    /// Starts one.
    pub fn start(fault: Fault) -> Self {
        Self { listener: Listener::start(move |stream, shared| serve(&fault, stream, shared)) }
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address)
    }

    /// How many connections it was asked for.
    pub fn connections(&self) -> usize {
        self.listener.shared.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests that came.
    pub fn heads(&self) -> Vec<String> {
        locked(&self.listener.shared.heads).clone()
    }
}

fn serve(fault: &Fault, stream: TcpStream, shared: &Shared) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut stream = BufReader::new(stream);
    // A client that went away is nothing to complain of.
    let Ok(request) = read_request(&mut stream) else { return };
    locked(&shared.heads).push(request.head);
    let _ = misbehave(fault, stream.get_mut(), &shared.over);
}

fn misbehave(fault: &Fault, out: &mut TcpStream, over: &AtomicBool) -> io::Result<()> {
    let going_on = || !over.load(Ordering::SeqCst);
    match fault {
        Fault::Silent => out.read(&mut [0]).map(|_| ()),
        Fault::Says(text) => {
            out.write_all(text.as_bytes())?;
            out.shutdown(Shutdown::Write)
        }
        Fault::Drips => {
            out.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: ")?;
            while going_on() {
                out.write_all(b"x")?;
                thread::sleep(DRIP_EVERY);
            }
            Ok(())
        }
        Fault::EndlessHead => {
            out.write_all(b"HTTP/1.1 200 OK\r\n")?;
            while going_on() {
                out.write_all(b"X-More: and more of the same\r\n")?;
            }
            Ok(())
        }
        Fault::EndlessEvent => {
            out.write_all(
                b"HTTP/1.1 200 OK\r\nCoord-Instance: evil\r\nContent-Type: text/event-stream\r\n\r\n",
            )?;
            let piece = "data: and more of the same\n".repeat(1000);
            while going_on() {
                out.write_all(piece.as_bytes())?;
            }
            Ok(())
        }
        Fault::EndlessBody => {
            out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            while going_on() {
                out.write_all(b"10\r\n0123456789abcdef\r\n")?;
            }
            Ok(())
        }
    }
}

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn read_request(from: &mut BufReader<TcpStream>) -> io::Result<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head
        .lines()
        .filter_map(|l| l.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    from.read_exact(&mut body)?;
    Ok(Asked { head, body })
}

/// An address at which nobody listens.
pub fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
    let address = listener.local_addr().expect("a listener knows its address");
    format!("http://{address}")
}

/// An address where connection attempts are neither taken nor refused: its queue is full, so the
/// system drops what comes, as a firewall would.
pub struct Unreachable {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Unreachable {
    /// Fills the queue of a listener that never takes anything from it.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let address = listener.local_addr().expect("a listener knows its address");
        rustix::net::listen(&listener, 0).expect("the queue can be made short");
        let mut queued = Vec::new();
        for _ in 0..16 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => queued.push(stream),
                Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                    return Self { address, _listener: listener, _queued: queued };
                }
                Err(e) => panic!("an attempt must not be answered: {e}"),
            }
        }
        panic!("the queue of a listener did not fill up");
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
