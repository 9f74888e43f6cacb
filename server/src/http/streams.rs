//! Event streams of the default face: parked tasks, woken by commits. A stream holds no worker while
//! nothing happens, and one piece of text at most while its client is slow.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::axum_face::time_to_stop;
use crate::api::{Follow, Reply};
use crate::engine::Engine;

/// A reader of a quiet stream hears this often that it is alive.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(15);
/// Two looks of one stream are this far apart, unless the first left something over: under load,
/// many commits are one look.
const LOOKS_APART: Duration = Duration::from_millis(20);
/// Streams that are read at the same time: the other readers are for everybody else.
const LOOKS_AT_ONCE: usize = 2;

/// What all streams of a server share.
#[derive(Clone)]
pub(super) struct Streams {
    engine: Engine,
    commits: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    looks: Arc<Semaphore>,
}

impl Streams {
    /// Streams of this engine, until `stopped`.
    pub(super) fn new(engine: &Engine, stopped: watch::Receiver<bool>) -> Self {
        let (count, commits) = watch::channel(0);
        engine.on_commit(Box::new(move || count.send_modify(|n| *n += 1)));
        let looks = Arc::new(Semaphore::new(LOOKS_AT_ONCE));
        Self { engine: engine.clone(), commits, stopped, looks }
    }

    /// The body of a stream whose first piece is this.
    pub(super) fn body(&self, first: String, stream: Box<Follow>) -> Body {
        let (give, take) = mpsc::channel(1);
        let all = self.clone();
        let mut stopped = self.stopped.clone();
        let mut commits = self.commits.clone();
        // What was committed since the first look is a reason for the next one.
        commits.mark_changed();
        tokio::spawn(async move {
            tokio::select! {
                () = feed(&all, commits, first, stream, &give) => {}
                () = give.closed() => {}
                () = time_to_stop(&mut stopped) => {}
            }
        });
        Body::new(Pieces(take))
    }

    async fn look(&self, stream: Box<Follow>) -> Option<Reply> {
        let _turn = self.looks.acquire().await.ok()?;
        let (tell, told) = oneshot::channel();
        self.engine.follow(stream, Box::new(move |reply| drop(tell.send(reply))));
        told.await.ok()
    }
}

/// Gives piece after piece, until the client is gone or the database cannot go on.
async fn feed(
    all: &Streams,
    mut commits: watch::Receiver<u64>,
    mut text: String,
    mut stream: Box<Follow>,
    give: &mpsc::Sender<Bytes>,
) {
    let mut silent_since = Instant::now();
    loop {
        // On a busy server also a stream that nothing concerns: so its reader's place moves on.
        if text.is_empty() && silent_since.elapsed() >= SIGN_OF_LIFE_EVERY {
            text = stream.sign_of_life();
        }
        if !text.is_empty() {
            if give.send(Bytes::from(text)).await.is_err() {
                return;
            }
            silent_since = Instant::now();
        }
        if !stream.more {
            let looked = Instant::now();
            tokio::select! {
                changed = commits.changed() => if changed.is_err() { return },
                () = sleep_until(silent_since + SIGN_OF_LIFE_EVERY) => {
                    text = String::new();
                    continue;
                }
            }
            sleep_until(looked + LOOKS_APART).await;
        }
        commits.mark_unchanged();
        // A stream that ends is taken up again by its reader, who hears the reason then.
        let Some(Reply { body, follow: Some(next), .. }) = all.look(stream).await else { return };
        (text, stream) = (body, next);
    }
}

/// The pieces as the body of an answer.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
