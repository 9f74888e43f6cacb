//! The engine of one workstation: several processes share a database file, no process of it runs on.
//! Each call opens the file, runs in one transaction, and is gone (design 2, "local authority").

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng, fresh_id};
use coord_protocol::lease::RESTART_GRACE;
use coord_protocol::limits::TOUCH_EVERY;
use coord_protocol::session::check;
use coord_protocol::time::Millis;
use rusqlite::Connection;

use crate::api::{self, Call, Handler, Reply, Resume, Routed};
use crate::service::claims::queue::ALIVE_FOR;
use crate::service::once::{Parked, forget_old_keys};
use crate::service::{Cx, Rules, Waits};
use crate::store::{OpenError, Stored, Tx, View, be_patient_for, open_shared};
use crate::turn;

/// How often a call that waits looks for its answer.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// One write in so many also forgets old keys.
const FORGET_ONE_IN: u64 = 1_000;

/// A database file of this workstation, as one call sees it.
pub struct Local<'a> {
    pub(crate) conn: Connection,
    rules: Rules,
    clock: &'a dyn Clock,
    rng: &'a dyn Rng,
    /// Names this run of the machine: boot times of two runs cannot be compared.
    boot_id: String,
    /// The file beside the database whose lock divides the writers; where there are any others.
    turns: Option<PathBuf>,
    /// How long a write waits for its turn.
    turn_within: Duration,
}

/// A write waits no longer for its turn; SQLite's own patience comes on top.
const TURN_WITHIN_MAX: Duration = Duration::from_millis(1_500);

impl<'a> Local<'a> {
    /// Opens the file, making it when it is missing.
    pub fn open(
        path: &Path,
        rules: Rules,
        clock: &'a dyn Clock,
        rng: &'a dyn Rng,
        boot_id: String,
    ) -> Result<Self, OpenError> {
        let turns = Some(PathBuf::from(format!("{}.turn", path.display())));
        Ok(Self { turns, ..Self::over(open_shared(path)?, rules, clock, rng, boot_id) })
    }

    /// Over an open database.
    pub(crate) fn over(
        conn: Connection,
        rules: Rules,
        clock: &'a dyn Clock,
        rng: &'a dyn Rng,
        boot_id: String,
    ) -> Self {
        Self { conn, rules, clock, rng, boot_id, turns: None, turn_within: TURN_WITHIN_MAX }
    }

    /// With no more time than this for all waits together, about.
    pub fn within(self, budget: Duration) -> Self {
        be_patient_for(budget / 2);
        Self { turn_within: (budget / 2).min(TURN_WITHIN_MAX), ..self }
    }

    /// What is in the database.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(&self.conn)
    }

    /// The name of this database.
    pub fn instance(&self) -> Stored<String> {
        if let Some(name) = View::new(&self.conn).instance()? {
            return Ok(name);
        }
        self.write(|tx| {
            tx.set_instance(&format!("coord-{}", fresh_id(self.clock, self.rng).simple()))?;
            Ok(tx.instance()?.unwrap_or_default())
        })
    }

    /// Runs a call: reads beside others, writes one process at a time.
    pub fn call(&self, call: &Call) -> Stored<Reply> {
        if let Routed::To(Handler::Read(handler), params) = api::find(call) {
            if let Some(session) = &call.session {
                self.note_reader(session)?;
            }
            let view = View::new(&self.conn);
            return api::read(&view, &self.cx(self.time(&view)?), call, handler, &params);
        }
        let reply = self.write(|tx| {
            let now = self.begin(tx)?;
            let cx = Cx { waits: Waits::Polling, ..self.cx(now) };
            let reply = api::perform(tx, &cx, call)?;
            tx.set_last_time(now)?;
            if self.rng.u64().is_multiple_of(FORGET_ONE_IN) {
                forget_old_keys(tx, now)?;
            }
            Ok(reply)
        })?;
        match (reply.parked.clone(), api::find(call)) {
            (Some(parked), Routed::To(Handler::Park { resume, .. }, params)) => {
                self.wait(call, resume, &params, &parked)
            }
            _ => Ok(reply),
        }
    }

    /// Waits for the answer of a call that was parked: here whoever ends a claim serves those who wait
    /// for it, and who waits looks now and then.
    fn wait(
        &self,
        call: &Call,
        resume: Resume,
        params: &[String],
        parked: &Parked,
    ) -> Stored<Reply> {
        loop {
            self.clock.sleep(POLL_EVERY);
            let answer = self.write(|tx| {
                let now = self.begin(tx)?;
                let cx = Cx { waits: Waits::Polling, ..self.cx(now) };
                tx.keep_waiter(&parked.id, now.plus(ALIVE_FOR))?;
                api::look_after_waiters(tx, &cx)?;
                let answer = api::resume(
                    tx,
                    &cx,
                    call,
                    resume,
                    params,
                    (parked, &api::print_to_keep(call)),
                )?;
                tx.set_last_time(now)?;
                Ok(answer)
            })?;
            if let Some(reply) = answer {
                return Ok(reply);
            }
        }
    }

    /// Reading is a sign of life, too; but not every look is a write.
    fn note_reader(&self, session: &str) -> Stored<()> {
        let view = self.view();
        let now = self.time(&view)?;
        let last = view.session(session)?.map(|s| s.last_seen);
        if last.is_some_and(|t| now.since(t) < TOUCH_EVERY) || check(session).is_err() {
            return Ok(());
        }
        self.write(|tx| {
            let now = self.begin(tx)?;
            tx.touch_session(session, now)
        })
    }

    fn cx(&self, now: Millis) -> Cx<'_> {
        Cx::at(now, &self.rules, self.rng)
    }

    /// Does a write of this workstation that the server has not seen yet, as if it were the server
    /// (G27). `waited` ago it was made: that is when it counts.
    pub(crate) fn provisional(&self, tx: &Tx<'_>, call: &Call, waited: Duration) -> Stored<Reply> {
        let waited = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        let then = Millis(self.time(tx)?.0.saturating_sub(waited));
        api::perform(tx, &Cx { provisional: true, ..self.cx(then) }, call)
    }

    /// Runs in a transaction of which nothing stays.
    pub(crate) fn tried<T>(&self, run: impl FnOnce(&Tx<'_>) -> Stored<T>) -> Stored<T> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let done = run(&Tx::new(&self.conn));
        self.conn.execute_batch("ROLLBACK")?;
        done
    }

    /// Runs in one transaction.
    pub(crate) fn write<T>(&self, run: impl FnOnce(&Tx<'_>) -> Stored<T>) -> Stored<T> {
        let _turn = self.turns.as_deref().and_then(|file| turn::take(file, self.turn_within));
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let done = run(&Tx::new(&self.conn));
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.conn.execute_batch(end);
        match (done, ended) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(_), Err(e)) => {
                // A commit that failed may have left the transaction open.
                let _ = self.conn.execute_batch("ROLLBACK");
                Err(e.into())
            }
            // The error that matters is the first.
            (Err(e), _) => Err(e),
        }
    }

    /// The moment, by one clock for all processes: within one run of the machine it follows the boot
    /// clock from where the first process of that run stood.
    pub(crate) fn time(&self, view: &View<'_>) -> Stored<Millis> {
        Ok(match view.boot_anchor(&self.boot_id)? {
            Some(anchor) => Millis(anchor.saturating_add(self.clock.boot().0)),
            None => self.clock.wall().max(view.last_time()?),
        })
    }

    /// The first write of a run of the machine sets the clock for all, and re-arms leases (G23).
    fn begin(&self, tx: &Tx<'_>) -> Stored<Millis> {
        let now = self.time(tx)?;
        if tx.boot_anchor(&self.boot_id)?.is_none() {
            tx.grant_grace(tx.last_time()?, now, RESTART_GRACE)?;
            tx.begin_run(&fresh_id(self.clock, self.rng).simple().to_string())?;
            tx.set_boot_anchor(&self.boot_id, now.0.saturating_sub(self.clock.boot().0))?;
        }
        Ok(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::OsRng;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Clocks that a test sets.
    #[derive(Default)]
    struct Hands {
        wall: AtomicI64,
        boot: AtomicI64,
    }

    impl Clock for Hands {
        fn wall(&self) -> Millis {
            Millis(self.wall.load(Ordering::Relaxed))
        }
        fn boot(&self) -> Millis {
            Millis(self.boot.load(Ordering::Relaxed))
        }
        fn sleep(&self, _: Duration) {}
    }

    fn call(method: &str, target: &str, body: &str) -> Call {
        Call {
            method: method.into(),
            target: target.into(),
            body: body.as_bytes().to_vec(),
            ..Call::default()
        }
    }

    const CLAIM: &str = r#"{"project_key":"p","session_id":"S","resource":"r","ttl_hours":1}"#;

    #[test]
    fn processes_share_the_file_and_wall_clocks_decide_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.db");
        let hands = Hands::default();
        hands.wall.store(1_000_000_000, Ordering::Relaxed);
        let open =
            |boot: &str| Local::open(&path, Rules::default(), &hands, &OsRng, boot.into()).unwrap();
        let claim = |who: &str, boot: &str| {
            let body = CLAIM.replace("\"S\"", &format!("\"{who}/x\""));
            open(boot).call(&call("POST", "/api/coord/locks", &body)).unwrap().status
        };
        assert_eq!(claim("A", "run-1"), 201);
        assert_eq!(claim("B", "run-1"), 409);
        // The wall clock leaps a year ahead: no lease ends by that.
        hands.wall.fetch_add(365 * 24 * 3_600_000, Ordering::Relaxed);
        assert_eq!(claim("B", "run-1"), 409);
        // An hour of real time does end it.
        hands.boot.fetch_add(3_600_001, Ordering::Relaxed);
        assert_eq!(claim("B", "run-1"), 201);
        // After a reboot the boot clock begins anew; B's lease goes on.
        hands.boot.store(0, Ordering::Relaxed);
        assert_eq!(claim("A", "run-2"), 409);
        assert_eq!(open("run-2").instance().unwrap(), open("run-2").instance().unwrap());
    }

    #[test]
    fn many_open_a_new_file_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.db");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let hands = Hands::default();
                    let local =
                        Local::open(path, Rules::default(), &hands, &OsRng, "b".into()).unwrap();
                    let body = format!(r#"{{"text":"{n}"}}"#);
                    let reply = local.call(&call("POST", "/api/coord/todos", &body)).unwrap();
                    assert_eq!(reply.status, 201, "{}", reply.body);
                });
            }
        });
        let hands = Hands::default();
        let local = Local::open(&path, Rules::default(), &hands, &OsRng, "b".into()).unwrap();
        let todos = local.call(&call("GET", "/api/coord/todos", "")).unwrap().body;
        assert!(todos.contains("\"count\":8"), "{todos}");
    }
}
