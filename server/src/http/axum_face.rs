//! The default face: axum on hyper. The only place with an async runtime.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use coord_protocol::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX};
use coord_protocol::wire::HEADER_SESSION;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;

use super::Stop;
use super::connections::{Connections, Seat, Seating};
use super::request_id::{HEADER_REQUEST, request_id};
use super::streams::Streams;
use super::timed_io::TimedIo;
use crate::api::{Call, Reply};
use crate::edge::OsRng;
use crate::engine::Engine;

const WORKERS: usize = 2;
/// Requests worked on at the same time; the others wait their turn.
const IN_FLIGHT_MAX: usize = 64;
/// The head must be complete within this time.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// The whole request must be there within this time.
const REQUEST_WITHIN: Duration = Duration::from_secs(15);
/// An answer must be taken within this time.
const ANSWER_TAKEN_WITHIN: Duration = Duration::from_secs(15);
/// After a stop, requests under way get this long.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);
/// After a stop, a client gets this long to take what is left of its stream.
const STREAM_DRAIN_WITHIN: Duration = Duration::from_millis(500);
/// A body over the limit is read on up to here, so that the client sees the 413 and not a reset.
const SWALLOW_MAX: usize = 8 * BODY_BYTES_MAX;
/// Pause in a burst of new connections.
const BURST_PAUSE: Duration = Duration::from_millis(2);
/// All places are taken by requests at work for so long: the next connection is told so,
const FULL_WITHIN: Duration = Duration::from_millis(100);
/// and those of this time, at once.
const FULL_FOR: Duration = Duration::from_secs(1);
/// Pause after the system refused a new connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone)]
struct Shared {
    engine: Engine,
    in_flight: Arc<Semaphore>,
    streams: Streams,
    stopped: watch::Receiver<bool>,
}

/// Serves until `stop`, then lets requests under way finish.
pub(super) fn serve(listener: TcpListener, engine: &Engine, stop: &Stop) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("http")
        .enable_all()
        .build()?;
    let (tell, told) = watch::channel(false);
    let waiter = stop.clone();
    std::thread::Builder::new().name("stop".into()).spawn(move || {
        waiter.wait();
        let _ = tell.send(true);
    })?;
    let shared = Shared {
        engine: engine.clone(),
        in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        streams: Streams::new(engine, told.clone()),
        stopped: told.clone(),
    };
    runtime.block_on(accept(tokio_listener(&runtime, listener)?, shared, told));
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}

fn tokio_listener(
    runtime: &tokio::runtime::Runtime,
    listener: TcpListener,
) -> io::Result<tokio::net::TcpListener> {
    let _inside = runtime.enter();
    tokio::net::TcpListener::from_std(listener)
}

async fn accept(
    listener: tokio::net::TcpListener,
    shared: Shared,
    mut stopped: watch::Receiver<bool>,
) {
    let table = Arc::new(Connections::default());
    let instance = shared.engine.instance().to_owned();
    let router = Router::new().fallback(answer).with_state(shared);
    let mut open = tokio::task::JoinSet::new();
    let mut turned_away = None;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let _ = stream.set_nodelay(true);
                    match seat(&table, from.ip(), &mut turned_away).await {
                        Some(seat) => {
                            open.spawn(connection(stream, seat, router.clone(), stopped.clone()));
                        }
                        None => {
                            open.spawn(turn_away(stream, instance.clone()));
                        }
                    }
                }
                // Out of descriptors, or the client left at once: never a reason to stop.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = open.join_next() => {}
            () = time_to_stop(&mut stopped) => break,
        }
    }
    drop(listener);
    let _ = timeout(DRAIN_WITHIN, async { while open.join_next().await.is_some() {} }).await;
}

/// A place for a new connection. In a burst the next ones wait, in the kernel's queue, until those
/// that came first have asked.
async fn seat(
    table: &Arc<Connections>,
    from: IpAddr,
    turned_away: &mut Option<Instant>,
) -> Option<Seat> {
    let began = Instant::now();
    loop {
        match table.seat(from) {
            Seating::Seat(seat) => return Some(seat),
            // What was full just now, after a wait, is no burst.
            Seating::Full if turned_away.is_some_and(|t| t.elapsed() < FULL_FOR) => return None,
            Seating::Full if began.elapsed() >= FULL_WITHIN => {
                *turned_away = Some(Instant::now());
                return None;
            }
            Seating::Full | Seating::Soon => {}
        }
        sleep(BURST_PAUSE).await;
    }
}

pub(super) async fn time_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could say so: stop too.
    let _ = stopped.wait_for(|s| *s).await;
}

/// All places are taken by requests at work: say so in a form that a client of ours knows.
async fn turn_away(mut stream: TcpStream, instance: String) {
    let reply = Reply::unavailable("Server");
    let mut text = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n".to_owned();
    for (name, value) in reply.headers(&instance) {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "content-length: {}\r\n\r\n{}", reply.body.len(), reply.body);
    let said = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        // What the client is still sending is read, so that it sees the answer and not a reset.
        tokio::io::copy(&mut stream.take(SWALLOW_MAX as u64), &mut tokio::io::sink()).await
    };
    let _ = timeout(Duration::from_secs(1), said).await;
}

async fn connection(
    stream: TcpStream,
    seat: Seat,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let seat = Arc::new(seat);
    let leave = Arc::clone(&seat.leave);
    let mine = Arc::clone(&seat);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        seat.busy();
        let (router, seat) = (router.clone(), Arc::clone(&seat));
        async move {
            request.extensions_mut().insert(Arc::clone(&seat));
            let response = router.oneshot(request).await;
            seat.idle();
            response
        }
    });
    let io = TokioIo::new(TimedIo::new(stream, ANSWER_TAKEN_WITHIN));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut conn = pin!(http.serve_connection(io, service));
    tokio::select! {
        _ = conn.as_mut() => {}
        () = leave.notified() => {}
        () = time_to_stop(&mut stopped) => {
            conn.as_mut().graceful_shutdown();
            if mine.is_stream() {
                let _ = timeout(STREAM_DRAIN_WITHIN, conn).await;
            } else {
                let _ = conn.await;
            }
        }
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let seat = parts.extensions.get::<Arc<Seat>>();
    let reply = match timeout(REQUEST_WITHIN, read_body(&parts.headers, body)).await {
        Ok(Ok(bytes)) => run(&shared, call(&parts, bytes), seat).await,
        Ok(Err(reply)) => unread(&shared, &parts, reply),
        Err(_) => {
            let late = Reply::error(408, "the request did not arrive in time");
            unread(&shared, &parts, late)
        }
    };
    let mut close = matches!(reply.status, 408 | 413);
    let reply = match reply.follow {
        Some(_) if !seat.is_some_and(|s| s.stream()) => {
            Reply::unavailable("Place for one more stream")
        }
        _ => reply,
    };
    // The connection of a stream carries nothing else.
    close |= reply.follow.is_some();
    let asked = text(&parts.headers, HeaderName::from_static(HEADER_REQUEST));
    response(reply, &shared, close, request_id(asked, &OsRng))
}

async fn run(shared: &Shared, call: Call, seat: Option<&Arc<Seat>>) -> Reply {
    let Ok(turn) = shared.in_flight.acquire().await else {
        return Reply::unavailable("Server");
    };
    let (tell, told) = oneshot::channel();
    shared.engine.handle(call, Box::new(move |reply| drop(tell.send(reply))));
    let reply = told.await.unwrap_or_else(|_| Reply::unavailable("Server"));
    let Some(hold) = reply.hold else { return reply };
    // From here on it is parked: it takes no turn from others, and no place of theirs. If its client
    // hangs up, this future goes, and the hold with it.
    drop(turn);
    if !seat.is_some_and(|s| s.park()) {
        return Reply::unavailable("Place for one more that waits");
    }
    let (tell, told) = oneshot::channel();
    hold.answer_to(move |reply| drop(tell.send(reply)));
    let mut stopped = shared.stopped.clone();
    tokio::select! {
        answer = told => answer.unwrap_or_else(|_| Reply::unavailable("Server")),
        () = time_to_stop(&mut stopped) => Reply::unavailable("Server"),
    }
}

/// What never reached the engine is counted, too.
fn unread(shared: &Shared, parts: &axum::http::request::Parts, reply: Reply) -> Reply {
    shared.engine.count_unread(parts.method.as_str(), parts.uri.path(), reply.status);
    reply
}

async fn read_body(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, Reply> {
    let too_large = || Reply::error(413, format!("the body is larger than {BODY_BYTES_MAX} bytes"));
    let announced = body.size_hint().lower();
    if announced > SWALLOW_MAX as u64 {
        return Err(too_large());
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Reply::error(415, "compressed bodies are not read"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(BODY_BYTES_MAX));
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Reply::error(400, format!("the body broke off: {e}")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > SWALLOW_MAX {
            break;
        }
        if seen <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&data);
        }
    }
    if seen > BODY_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

fn call(parts: &axum::http::request::Parts, body: Vec<u8>) -> Call {
    let text = |name| text(&parts.headers, name);
    Call {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
        body,
        // A key that is not text must be refused, not overlooked.
        key: parts
            .headers
            .get("idempotency-key")
            .map(|v| v.to_str().unwrap_or_default().to_owned()),
        session: text(HeaderName::from_static(HEADER_SESSION)),
        // Whatever it holds, it is there: to be compared, and refused.
        authorization: parts
            .headers
            .get(header::AUTHORIZATION)
            .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()),
        host: text(header::HOST),
        origin: text(header::ORIGIN),
        last_event: text(HeaderName::from_static("last-event-id")),
        past: false,
        late: false,
        waited_ms: None,
        examined: None,
    }
}

fn response(reply: Reply, shared: &Shared, close: bool, id: String) -> Response {
    let mut headers = reply.headers(shared.engine.instance());
    headers.push((HEADER_REQUEST, id));
    if close {
        headers.push(("connection", "close".to_owned()));
    }
    let body = match reply.follow {
        Some(stream) => shared.streams.body(reply.body, stream),
        None => Body::from(reply.body),
    };
    let mut r = Response::new(body);
    *r.status_mut() =
        axum::http::StatusCode::from_u16(reply.status).expect("replies have valid statuses");
    for (name, value) in headers {
        if let Ok(v) = HeaderValue::try_from(value) {
            r.headers_mut().insert(HeaderName::from_static(name), v);
        }
    }
    r
}
