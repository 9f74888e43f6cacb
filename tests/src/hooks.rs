//! A receiver of webhooks.

use std::io::{BufReader, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::{Listener, PATIENCE, locked, read_request};

/// A delivery as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request line.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When it was there.
    pub at: Instant,
}

impl Received {
    /// The first header of this name (in lower case); empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
}

/// How a receiver answers.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The status of each delivery in turn; the last one goes on.
    pub statuses: Vec<u16>,
    /// Time before each answer; the last one goes on.
    pub delays: Vec<Duration>,
    /// Further header lines.
    pub headers: String,
}

impl Manners {
    /// At once, with these statuses.
    pub fn statuses(statuses: &[u16]) -> Self {
        Self { statuses: statuses.to_vec(), delays: vec![Duration::ZERO], headers: String::new() }
    }
}

/// Takes deliveries on loopback until it is dropped.
pub struct HookReceiver {
    listener: Listener,
    got: Arc<Mutex<Vec<Received>>>,
}

impl HookReceiver {
    /// Starts one.
    pub fn start(manners: Manners) -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let mine = Arc::clone(&got);
        let listener = Listener::start(move |stream, _| {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut stream = BufReader::new(stream);
            let Ok(asked) = read_request(&mut stream) else { return };
            let at = {
                let mut got = locked(&mine);
                got.push(received(&asked.head, asked.body));
                got.len() - 1
            };
            thread::sleep(nth(&manners.delays, at));
            let _ = write!(
                stream.get_mut(),
                "HTTP/1.1 {} Said\r\n{}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}",
                nth(&manners.statuses, at),
                manners.headers
            );
        });
        Self { listener, got }
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        self.listener.address.to_string()
    }

    /// An address of it.
    pub fn url(&self) -> String {
        format!("http://{}/hook/s3cret-path?x=1", self.listener.address)
    }

    /// What came so far.
    pub fn got(&self) -> Vec<Received> {
        locked(&self.got).clone()
    }

    /// How many connections it was asked for.
    pub fn connections(&self) -> usize {
        self.listener.shared.connections.load(Ordering::SeqCst)
    }
}

fn nth<T: Clone + Default>(all: &[T], at: usize) -> T {
    all.get(at).or(all.last()).cloned().unwrap_or_default()
}

fn received(head: &str, body: Vec<u8>) -> Received {
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    Received { line, headers, body, at: Instant::now() }
}
