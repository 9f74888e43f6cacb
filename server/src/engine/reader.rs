//! The readers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tracing::{error, warn};

use super::{Done, Look};
use crate::api::{self, Reply};
use crate::edge::{LeaseClock, OsRng, SystemClock};
use crate::service::{Cx, Rules};
use crate::store::{Store, View};

impl Look {
    fn path(&self) -> &str {
        match self {
            Self::Once(w) => w.call.path(),
            Self::Piece(stream, _) => stream.call.path(),
        }
    }

    pub(super) fn done(self) -> Done {
        match self {
            Self::Once(w) => w.done,
            Self::Piece(_, done) => done,
        }
    }
}
pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) store: Arc<Store>,
    pub(super) rules: Rules,
    pub(super) clock: Arc<LeaseClock<SystemClock>>,
}

impl Reader {
    pub(super) fn run(self, asked: &Mutex<Receiver<Look>>) {
        loop {
            let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(look) = next else { return };
            let reply = catch_unwind(AssertUnwindSafe(|| self.look(&look))).unwrap_or_else(|_| {
                error!("{}: the handler panicked", look.path());
                Reply::error(500, "internal error")
            });
            look.done()(reply);
        }
    }

    fn look(&self, look: &Look) -> Reply {
        let cx = Cx::at(self.clock.now(), &self.rules, &OsRng);
        let view = View::new(&self.conn);
        let read = self.store.still_there().and_then(|()| match look {
            Look::Once(w) => api::read(&view, &cx, &w.call, w.handler, &w.params),
            Look::Piece(stream, _) => api::go_on(&view, &cx, stream),
        });
        read.unwrap_or_else(|e| {
            warn!("{}: {e}", look.path());
            Reply::unavailable("Database")
        })
    }
}
