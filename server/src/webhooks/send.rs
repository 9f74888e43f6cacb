//! One delivery over HTTP (G50): the receiver's name is resolved once, its addresses are checked, and
//! one of these is connected to. No proxy, no redirects, no connection that stays, bounds on all that
//! comes back. TLS is verified by the receiver's name.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Timeout};

use super::address::Receiver;
use super::settings::Secret;
use super::sign;

/// Resolving, connecting, sending and the answer: all of it.
const WITHIN: Duration = Duration::from_secs(5);
/// Head and body of an answer are 64 KiB together at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: u64 = 48 * 1024;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The delivery id.
    pub id: &'a str,
    /// What kind of event.
    pub event_type: &'a str,
    /// The body.
    pub payload: &'a str,
    /// When this attempt is made, by the wall clock: seconds since 1970.
    pub timestamp: i64,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The receiver took it: 2xx.
    pub taken: bool,
    /// In a few words; no address and no text of others in it.
    pub words: String,
}

/// Sends to one receiver.
pub struct Sender {
    agent: Agent,
    url: String,
    secret: Option<Secret>,
}

impl Sender {
    /// To this receiver, signed when there is a secret.
    pub fn new(receiver: &Receiver, secret: Option<Secret>) -> Self {
        Self::with_names(receiver, secret, DefaultResolver::default())
    }

    fn with_names(receiver: &Receiver, secret: Option<Secret>, names: impl Resolver) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(WITHIN))
            .max_response_header_size(HEAD_BYTES_MAX)
            .max_idle_connections(0)
            .user_agent(concat!("coord/", env!("CARGO_PKG_VERSION")))
            .build();
        let checked = Checked { receiver: receiver.clone(), names };
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), checked),
            url: receiver.url().to_owned(),
            secret,
        }
    }

    /// One attempt; takes 5 s at most.
    pub fn send(&self, d: Delivery<'_>) -> Outcome {
        let timestamp = d.timestamp.to_string();
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-coord-event-type", d.event_type)
            .header("x-coord-delivery-id", d.id)
            .header("x-coord-timestamp", &timestamp);
        if let Some(secret) = &self.secret {
            let (secret, body) = (secret.bytes(), d.payload.as_bytes());
            request = request
                .header("x-coord-signature", sign::of_body(secret, body))
                .header("x-coord-signature-v2", sign::of_delivery(secret, &timestamp, d.id, body));
        }
        match request.send(d.payload) {
            Ok(mut answer) => {
                // The status decides. The rest is read so that the receiver is not cut off while it
                // still speaks.
                let _ = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
                let words = format!("status {}", answer.status().as_u16());
                Outcome { taken: answer.status().is_success(), words }
            }
            Err(e) => Outcome { taken: false, words: words(&e) },
        }
    }
}

/// Resolves names, and lets through what may be connected to.
#[derive(Debug)]
struct Checked<R> {
    receiver: Receiver,
    names: R,
}

impl<R: Resolver> Resolver for Checked<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        for address in permitted(&self.receiver, found.iter().copied())? {
            kept.push(address);
        }
        Ok(kept)
    }
}

fn permitted(
    receiver: &Receiver,
    found: impl IntoIterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, ureq::Error> {
    let kept = receiver.permitted(found);
    if kept.is_empty() { Err(ureq::Error::Other(Box::new(NotPublic))) } else { Ok(kept) }
}

/// The receiver's name leads to addresses that nothing is sent to.
#[derive(Debug, thiserror::Error)]
#[error("its address is not public and not in COORD_WEBHOOK_ALLOW_HOSTS")]
struct NotPublic;

/// Why there was no answer. Errors of the HTTP client may repeat the address, so its own words are not
/// passed on.
fn words(e: &ureq::Error) -> String {
    match e {
        ureq::Error::Timeout(Timeout::Resolve) => "timeout while resolving".to_owned(),
        ureq::Error::Timeout(Timeout::Connect) => "timeout while connecting".to_owned(),
        ureq::Error::Timeout(_) => "timeout".to_owned(),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::Io(io) if io.kind() == io::ErrorKind::TimedOut => "timeout".to_owned(),
        ureq::Error::Io(io) if io.get_ref().is_some_and(is_tls) => "TLS failed".to_owned(),
        ureq::Error::Io(io) => format!("not reached: {}", io.kind()),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => "TLS failed".to_owned(),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            "its answer is not HTTP as it should be".to_owned()
        }
        ureq::Error::Other(e) if e.is::<NotPublic>() => e.to_string(),
        _ => "not sent".to_owned(),
    }
}

/// rustls hands its errors on through those of sockets.
fn is_tls(e: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    e.to_string().contains("certificate") || e.to_string().contains("TLS")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::webhooks::address::AllowList;

    const DELIVERY: Delivery<'static> =
        Delivery { id: "id-1", event_type: "e", payload: "{}", timestamp: 5 };

    fn sender(url: &str, allow: &str) -> Sender {
        let allow = AllowList::parse(allow).unwrap();
        Sender::new(&Receiver::parse(url, &allow).unwrap(), None)
    }

    /// A listener, and how many connections it saw.
    fn listener() -> TcpListener {
        let l = TcpListener::bind("127.0.0.1:0").unwrap();
        l.set_nonblocking(true).unwrap();
        l
    }

    #[test]
    fn a_name_that_leads_home_is_not_connected_to() {
        let l = listener();
        let port = l.local_addr().unwrap().port();
        let outcome = sender(&format!("https://localhost:{port}/x"), "").send(DELIVERY);
        assert!(!outcome.taken && outcome.words.contains("not public"), "{outcome:?}");
        assert!(l.accept().is_err(), "it was connected to");
    }

    /// Answers each question with another address, and counts them.
    #[derive(Debug, Clone)]
    struct Turncoat {
        answers: Vec<SocketAddr>,
        asked: Arc<AtomicUsize>,
    }

    impl Resolver for Turncoat {
        fn resolve(
            &self,
            _: &Uri,
            _: &ureq::config::Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut one = self.empty();
            one.push(self.answers[self.asked.fetch_add(1, Ordering::SeqCst)]);
            Ok(one)
        }
    }

    #[test]
    fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
        let (meant, other) = (listener(), listener());
        let names = Turncoat {
            answers: [&meant, &other].map(|l| l.local_addr().unwrap()).to_vec(),
            asked: Arc::default(),
        };
        let allow = AllowList::parse("hooks.example").unwrap();
        let receiver = Receiver::parse("http://hooks.example/", &allow).unwrap();
        let sender = Sender::with_names(&receiver, None, names.clone());
        let sent = thread::spawn(move || sender.send(DELIVERY));
        meant.set_nonblocking(false).unwrap();
        let (mut stream, _) = meant.accept().unwrap();
        let mut head = [0; 4096];
        let n = stream.read(&mut head).unwrap();
        assert!(String::from_utf8_lossy(&head[..n]).contains("hooks.example"));
        stream.write_all(b"HTTP/1.1 204 Taken\r\n\r\n").unwrap();
        assert_eq!(sent.join().unwrap().words, "status 204");
        assert_eq!(names.asked.load(Ordering::SeqCst), 1, "resolved more than once");
        assert!(other.accept().is_err(), "the second answer was connected to");
    }

    #[test]
    fn a_public_name_that_was_turned_inward_is_not_connected_to() {
        let inside = listener();
        let names =
            Turncoat { answers: vec![inside.local_addr().unwrap(); 4], asked: Arc::default() };
        let receiver = Receiver::parse("https://a.example/", &AllowList::default()).unwrap();
        let outcome = Sender::with_names(&receiver, None, names.clone()).send(DELIVERY);
        assert!(outcome.words.contains("not public"), "{outcome:?}");
        assert_eq!(names.asked.load(Ordering::SeqCst), 1);
        assert!(inside.accept().is_err(), "it was connected to");
    }

    #[test]
    fn an_answer_without_end_is_cut_off_and_its_status_counts() {
        let l = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = l.local_addr().unwrap();
        let sent = thread::spawn(move || {
            let (mut stream, _) = l.accept().unwrap();
            let mut piece = [0; 4096];
            let _ = stream.read(&mut piece).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n").unwrap();
            let mut sent = 0usize;
            while stream.write_all(&piece).is_ok() {
                sent += piece.len();
            }
            sent
        });
        let outcome = sender(&format!("http://{at}/"), &at.to_string()).send(DELIVERY);
        assert_eq!(outcome, Outcome { taken: true, words: "status 200".to_owned() });
        // What the sockets hold on both sides comes on top of what was read.
        assert!(sent.join().unwrap() < 16 << 20);
    }

    #[test]
    fn plain_text_where_tls_is_wanted() {
        let l = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = l.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = l.accept().unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
        let outcome = sender(&format!("https://{at}/"), &at.to_string()).send(DELIVERY);
        assert!(!outcome.taken, "{outcome:?}");
    }

    #[test]
    fn nobody_there() {
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let outcome = sender(&format!("http://{at}/s3cret"), &at.to_string()).send(DELIVERY);
        assert!(!outcome.taken && outcome.words.starts_with("not reached"), "{outcome:?}");
        assert!(!outcome.words.contains("s3cret"));
    }
}
