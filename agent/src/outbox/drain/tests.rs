use std::sync::Mutex;

use coord_server::edge::{OsRng, SystemClock};
use serde_json::from_slice;

use super::*;
use crate::outbox::keep::QueueOnly;
use crate::outbox::real_disk::RealDisk;

type Said = Result<Incoming, NetError>;

/// A server that answers as told, and remembers what it was asked.
struct Told<F> {
    answer: F,
    asked: Mutex<Vec<(String, Value)>>,
}

impl<F: Fn(&Outgoing, &Value) -> Said + Send + Sync> Net for Told<F> {
    fn call(&self, out: &Outgoing, _: Duration) -> Said {
        let body = from_slice(&out.body).unwrap_or(Value::Null);
        self.asked.lock().unwrap().push((out.path.clone(), body.clone()));
        if out.path == "/health" { Ok(ours(200)) } else { (self.answer)(out, &body) }
    }
}

fn ours(status: u16) -> Incoming {
    Incoming { status, instance: Some("i".to_owned()), ..Incoming::default() }
}

fn too_large(head: Incoming) -> Said {
    Err(NetError::TooLarge("base".to_owned(), Box::new(head)))
}

fn proof(status: u16, out: &Outgoing) -> Incoming {
    Incoming { entry: out.key.clone(), ..ours(status) }
}

/// What a server says that takes each entry of a batch.
fn all_done(batch: &Value) -> Incoming {
    let entries = batch["entries"].as_array().unwrap();
    let results: Vec<_> =
        entries.iter().map(|e| json!({"id": e["id"], "status": 201, "body": {}})).collect();
    Incoming { body: json!({"results": results}).to_string().into_bytes(), ..ours(200) }
}

/// Sends claims `e0`, `e1` ... to a server that answers like this.
fn sent(
    entries: usize,
    answer: impl Fn(&Outgoing, &Value) -> Said + Send + Sync,
) -> (Report, Vec<(String, Value)>) {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(&dir.path().join("q")).unwrap();
    let state = RealDisk::open(&dir.path().join("s")).unwrap();
    let file = disk.open_append(QUEUE).unwrap();
    for n in 0..entries {
        let entry = json!({"method": "POST", "path": "/api/coord/locks", "id": format!("e{n}"),
            "ts": "2026-01-01T00:00:00Z", "body": {"n": n}});
        file.append(format!("{entry}\n").as_bytes()).unwrap();
    }
    let net = Told { answer, asked: Mutex::default() };
    let breaker = Breaker::new(&state, &SystemClock, &OsRng, "base");
    let tools = Tools {
        disk: &disk,
        keeper: &QueueOnly,
        net: &net,
        breaker: &breaker,
        clock: &SystemClock,
        rng: &OsRng,
    };
    let report = drain(&tools, Duration::from_secs(20), Leave::Anybody).unwrap();
    assert!(breaker.resting().is_none(), "the breaker is open");
    (report, net.asked.into_inner().unwrap())
}

fn ids(all: &[Settled]) -> Vec<(&str, u16)> {
    all.iter().map(|s| (s.request.id.as_deref().unwrap(), s.status)).collect()
}

#[test]
fn an_answer_that_is_too_large_is_settled_by_its_head() {
    let (report, asked) = sent(4, |out, body| match (out.key.as_deref(), &body["entries"]) {
        (None, Value::Array(all))
            if all.iter().any(|e| ["e1", "e2"].iter().any(|i| e["id"] == *i)) =>
        {
            too_large(ours(200))
        }
        (None, _) => Ok(all_done(body)),
        (Some("e1"), _) => too_large(proof(201, out)),
        (Some(_), _) => too_large(proof(409, out)),
    });
    assert_eq!(ids(&report.applied), [("e0", 201), ("e1", 201), ("e3", 201)]);
    assert_eq!(ids(&report.rejected), [("e2", 409)]);
    assert_eq!((report.waiting, report.stopped), (0, None));
    let plain = asked.iter().filter(|(path, _)| path == "/api/coord/locks").count();
    assert_eq!(plain, 2, "{asked:?}");
}

#[test]
fn an_answer_without_proof_that_is_too_large_makes_a_dead_letter() {
    let (report, _) = sent(2, |_, _| too_large(ours(200)));
    assert_eq!(ids(&report.rejected), [("e0", 200), ("e1", 200)]);
    assert_eq!((report.waiting, report.stopped), (0, None));
}

#[test]
fn the_entry_to_blame_is_found_without_losing_that_the_others_are_late() {
    let (report, asked) = sent(5, |_, body| {
        let all = body["entries"].as_array().expect("only batches");
        if all.iter().any(|e| e["id"] == "e3") { Ok(ours(422)) } else { Ok(all_done(body)) }
    });
    assert_eq!(ids(&report.applied), [("e0", 201), ("e1", 201), ("e2", 201), ("e4", 201)]);
    assert_eq!(ids(&report.rejected), [("e3", 422)]);
    let batches = asked.iter().filter(|(path, _)| path == "/api/coord/batch");
    let entries = batches.flat_map(|(_, b)| b["entries"].as_array().unwrap());
    assert!(entries.into_iter().all(|e| e["waited_ms"].as_u64() > Some(0)), "{asked:?}");
}

#[test]
fn a_server_that_knows_no_batches_gets_plain_calls() {
    for status in [404, 405, 501] {
        let (report, asked) = sent(3, |out, _| match out.key {
            None => Ok(ours(status)),
            Some(_) => Ok(proof(201, out)),
        });
        assert_eq!(ids(&report.applied), [("e0", 201), ("e1", 201), ("e2", 201)]);
        assert_eq!(asked.len(), 5, "greeting, one batch, three calls: {asked:?}");
    }
}
