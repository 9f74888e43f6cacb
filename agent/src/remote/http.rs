//! HTTP through ureq: the only place that names it. Everything that could surprise is switched
//! off: proxies from the environment, redirects, errors for statuses, waiting without end.

use std::io::{self, BufReader};
use std::net::IpAddr;
use std::time::Duration;

use coord_protocol::limits::ANSWER_BYTES_MAX;
use coord_protocol::wire::{HEADER_ENTRY, HEADER_INSTANCE, HEADER_REPLAYED, HEADER_SESSION};
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration as Wait;
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, AsSendBody, Body};

use super::{Incoming, Net, NetError, Outgoing, Stream, retry_after};

/// Largest head of an answer.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// A connection stands within this time or not at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 16 * 1024;
/// The head of a stream is there within this time ...
const STREAM_HEAD_WITHIN: Duration = Duration::from_secs(5);
/// ... and something comes this often: the server shows every 15 s that it is alive.
const STREAM_SILENCE_MAX: Duration = Duration::from_secs(40);

/// Looks up names on a thread of its own, which can be given up on. An address in numbers needs no
/// look-up, and no thread.
#[derive(Debug)]
struct LookUp(DefaultResolver);

impl Resolver for LookUp {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let is_number = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let after = if is_number { Wait::NotHappening } else { timeout.after };
        self.0.resolve(uri, config, NextTimeout { after, ..timeout })
    }
}

/// How long an answer may take.
#[derive(Clone, Copy)]
enum Lasts {
    /// All of it, this long.
    Within(Duration),
    /// It goes on.
    On,
}

/// A server at a base address.
pub struct HttpNet {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl HttpNet {
    /// `base` as in `http://host:port`; the token is sent there and nowhere else.
    pub fn new(base: &str, token: Option<&str>) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .max_response_header_size(HEAD_BYTES_MAX)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_idle_connections(1)
            .user_agent(concat!("coord/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = LookUp(DefaultResolver::default());
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            base: base.trim_end_matches('/').to_owned(),
            authorization: token.map(|t| format!("Bearer {t}")),
        }
    }

    fn send(&self, out: &Outgoing, lasts: Lasts) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder()
            .method(out.method.map_or("GET", coord_protocol::request::Method::as_str))
            .uri(format!("{}{}", self.base, out.path));
        if let Some(a) = &self.authorization {
            request = request.header("authorization", a);
        }
        if let Some(key) = &out.key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let fits = |s: &&str| s.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if let Some(session) = out.session.as_deref().filter(fits) {
            request = request.header(HEADER_SESSION, session);
        }
        if out.method.is_none() || out.body.is_empty() {
            return self.run(request.body(())?, lasts);
        }
        let request = request.header("content-type", "application/json");
        self.run(request.body(out.body.as_slice())?, lasts)
    }

    fn run(
        &self,
        request: Request<impl AsSendBody>,
        lasts: Lasts,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request);
        let request = match lasts {
            Lasts::Within(budget) => request.timeout_global(Some(budget)),
            Lasts::On => request
                .timeout_recv_response(Some(STREAM_HEAD_WITHIN))
                .timeout_per_read(Some(STREAM_SILENCE_MAX)),
        };
        let request = request
            // DELETE and PATCH may come with or without a body.
            .allow_non_standard_methods(true)
            .build();
        self.agent.run(request)
    }

    fn name_error(&self, e: &ureq::Error) -> NetError {
        let base = self.base.clone();
        match e {
            ureq::Error::Timeout(_) => NetError::Timeout(base),
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                NetError::Unreachable(base, e.to_string())
            }
            ureq::Error::Io(io) if io.kind() == io::ErrorKind::TimedOut => NetError::Timeout(base),
            ureq::Error::Io(io) => NetError::Unreachable(base, io.to_string()),
            other => NetError::Garbled(base, other.to_string()),
        }
    }
}

/// The head of an answer.
fn head_of(response: &Response<Body>) -> Incoming {
    let head =
        |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Incoming {
        status: response.status().as_u16(),
        instance: head(HEADER_INSTANCE),
        entry: head(HEADER_ENTRY),
        replayed: head(HEADER_REPLAYED).as_deref() == Some("true"),
        retry_after: head("retry-after").map(|v| retry_after::parse(&v, head("date").as_deref())),
        body: Vec::new(),
    }
}

impl Net for HttpNet {
    fn call(&self, out: &Outgoing, budget: Duration) -> Result<Incoming, NetError> {
        let mut response =
            self.send(out, Lasts::Within(budget)).map_err(|e| self.name_error(&e))?;
        let mut incoming = head_of(&response);
        let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        incoming.body = match read {
            Ok(body) => body,
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                return Err(NetError::TooLarge(self.base.clone(), Box::new(incoming)));
            }
            Err(e) => return Err(self.name_error(&e)),
        };
        Ok(incoming)
    }

    fn stream(&self, out: &Outgoing) -> Result<Option<Stream>, NetError> {
        let mut response = self.send(out, Lasts::On).map_err(|e| self.name_error(&e))?;
        let mut head = head_of(&response);
        if head.status == 200 {
            let lines = BufReader::new(response.into_body().into_reader());
            return Ok(Some(Stream { head, lines: Box::new(lines) }));
        }
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        head.body = body.map_err(|e| self.name_error(&e))?;
        Ok(Some(Stream { head, lines: Box::new(io::empty()) }))
    }
}
