//! The small second face: `tiny_http`. For a minimal build on loopback; it has no bounds on
//! connections and time (see docs/operations.md), so it is not the default.

use std::io::{self, Read};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use coord_protocol::limits::BODY_BYTES_MAX;
use coord_protocol::wire::HEADER_SESSION;
use tiny_http::{Header, Request, Response, Server};

use super::Stop;
use super::request_id::{HEADER_REQUEST, request_id};
use crate::api::{Call, Reply};
use crate::edge::OsRng;
use crate::engine::Engine;

/// Threads that read bodies and wait for replies.
const WORKERS: usize = 32;
/// How often a worker looks whether it is time to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Serves until `stop`.
pub(super) fn serve(listener: TcpListener, engine: &Engine, stop: &Stop) -> io::Result<()> {
    let server = Arc::new(Server::from_listener(listener, None).map_err(io::Error::other)?);
    let workers: Vec<_> = (0..WORKERS)
        .map(|n| {
            let (server, engine, stop) = (Arc::clone(&server), engine.clone(), stop.clone());
            thread::Builder::new()
                .name(format!("http-{n}"))
                .spawn(move || work(&server, &engine, &stop))
        })
        .collect::<io::Result<_>>()?;
    for w in workers {
        w.join().map_err(|_| io::Error::other("an HTTP worker panicked"))??;
    }
    Ok(())
}

fn work(server: &Server, engine: &Engine, stop: &Stop) -> io::Result<()> {
    while !stop.is_due() {
        // An error here means that tiny_http no longer listens: end, so that somebody notices.
        if let Some(request) = server.recv_timeout(LOOK_EVERY)? {
            answer(request, engine);
        }
    }
    Ok(())
}

fn answer(mut request: Request, engine: &Engine) {
    let id = request_id(header(&request, HEADER_REQUEST), &OsRng);
    let reply = match read(&mut request) {
        Ok(call) => run(engine, call),
        Err(reply) => {
            engine.count_unread(request.method().as_str(), request.url(), reply.status);
            reply
        }
    };
    let instance = engine.instance().to_owned();
    let Some(hold) = reply.hold.clone() else { return respond(request, &reply, &instance, id) };
    // It is answered later, and no thread is kept until then. Here nobody notices when the client hangs
    // up; the answer is written by a thread of its own, as the client may be slow.
    let kept = hold.clone();
    hold.answer_to(move |reply| {
        thread::spawn(move || {
            respond(request, &reply, &instance, id);
            drop(kept);
        });
    });
}

fn respond(request: Request, reply: &Reply, instance: &str, id: String) {
    // A client that left is no error of ours.
    let _ = request.respond(response(reply, instance, id));
}

fn run(engine: &Engine, call: Call) -> Reply {
    let (tell, told) = sync_channel(1);
    engine.handle(call, Box::new(move |reply| drop(tell.send(reply))));
    let reply = told.recv().unwrap_or_else(|_| Reply::unavailable("Server"));
    // A thread for each reader of a stream is not what this face is for.
    if reply.follow.is_some() { Reply::no_stream() } else { reply }
}

fn header(request: &Request, name: &'static str) -> Option<String> {
    request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str().to_owned())
}

/// Framing that tiny_http would guess about is refused (CVE-2026-66752).
fn read(request: &mut Request) -> Result<Call, Reply> {
    let lengths: Vec<_> =
        request.headers().iter().filter(|h| h.field.equiv("content-length")).collect();
    let digits = |h: &&Header| h.value.as_str().bytes().all(|b| b.is_ascii_digit());
    if header(request, "transfer-encoding").is_some() {
        return Err(Reply::error(411, "send a Content-Length; chunked bodies are not read here"));
    }
    if lengths.len() > 1
        || !lengths.iter().all(digits)
        || (lengths.len() == 1 && request.body_length().is_none())
    {
        return Err(Reply::error(400, "bad Content-Length"));
    }
    let too_large = || Reply::error(413, format!("the body is larger than {BODY_BYTES_MAX} bytes"));
    if request.body_length().unwrap_or(0) > BODY_BYTES_MAX {
        return Err(too_large());
    }
    if header(request, "content-encoding").is_some() {
        return Err(Reply::error(415, "compressed bodies are not read"));
    }
    let mut body = Vec::new();
    request
        .as_reader()
        .take(BODY_BYTES_MAX as u64 + 1)
        .read_to_end(&mut body)
        .map_err(|e| Reply::error(400, format!("the body broke off: {e}")))?;
    if body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    Ok(Call {
        method: request.method().as_str().to_owned(),
        target: request.url().to_owned(),
        body,
        key: header(request, "idempotency-key"),
        session: header(request, HEADER_SESSION),
        authorization: header(request, "authorization"),
        host: header(request, "host"),
        origin: header(request, "origin"),
        last_event: header(request, "last-event-id"),
        past: false,
        late: false,
        waited_ms: None,
        examined: None,
    })
}

fn response(reply: &Reply, instance: &str, id: String) -> Response<io::Cursor<Vec<u8>>> {
    let mut r = Response::from_string(&reply.body).with_status_code(reply.status);
    for (name, value) in reply.headers(instance).into_iter().chain([(HEADER_REQUEST, id)]) {
        if let Ok(h) = Header::from_bytes(name, value) {
            r.add_header(h);
        }
    }
    r
}
