//! Fifty processes at one file of this workstation, without a server and without a daemon.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::workstation::Workstation;

use super::common::{rows, texts};
use super::load::busy;

const CROWD: usize = 50;
/// Rounds in which all want the same file at once; `COORD_CROWD_ROUNDS` asks for more.
const ROUNDS: usize = 20;

fn desk() -> Workstation {
    Workstation::new("BOX", "ann", "local")
}

#[test]
fn of_fifty_that_want_a_file_one_has_it_and_each_has_its_turn() {
    let _busy = busy();
    let desk = desk();
    let (inside, served) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let until = Instant::now() + Duration::from_secs(50);
    thread::scope(|scope| {
        for n in 0..CROWD {
            let (desk, inside, served) = (&desk, &inside, &served);
            scope.spawn(move || {
                let me = format!("BOX/s{n}");
                let lock = |verb: &str| desk.run(&["lock", verb, "hot.rs"]).session(&me).done();
                loop {
                    let mut got = lock("acquire");
                    match got.status.code() {
                        Some(0) => break,
                        Some(10) => got.complains("is held by"),
                        // On a busy machine the store may not answer in time. Nobody holds it then.
                        Some(69) => got.complains("is not locked").complains("nothing is queued"),
                        _ => panic!("{}", got.told()),
                    };
                    assert!(Instant::now() < until, "{me} had no turn");
                    thread::sleep(Duration::from_millis(20 + n as u64 * 3));
                }
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "{me} is not alone");
                // Long enough for others to come in, if they could.
                thread::sleep(Duration::from_millis(5));
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "{me} was not alone");
                lock("release").exits(0);
                served.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(served.load(Ordering::SeqCst), CROWD);
}

#[test]
fn of_fifty_at_once_one_gets_the_file_each_round() {
    let _busy = busy();
    let desk = desk();
    let asked = std::env::var("COORD_CROWD_ROUNDS").ok().and_then(|n| n.parse().ok());
    let rounds: usize = asked.unwrap_or(ROUNDS);
    let began = Instant::now();
    for round in 0..rounds {
        let file = format!("f{round}");
        let codes: Vec<_> = thread::scope(|scope| {
            let (desk, file) = (&desk, &file);
            let all: Vec<_> = (0..CROWD)
                .map(|n| {
                    let run = desk.run(&["lock", "acquire", file]).session(&format!("BOX/s{n}"));
                    scope.spawn(move || run.done())
                })
                .collect();
            all.into_iter().map(|r| r.join().unwrap().status.code()).collect()
        });
        let won = codes.iter().filter(|c| **c == Some(0)).count();
        // 69: on a busy machine the store may not answer in time.
        let lost = codes.iter().filter(|c| [Some(10), Some(69)].contains(c)).count();
        assert_eq!((won, lost), (1, CROWD - 1), "round {round}: {codes:?}");
    }
    eprintln!("{rounds} rounds of {CROWD} processes in {:?}", began.elapsed());
}

#[test]
fn of_fifty_decisions_at_once_none_is_lost() {
    let _busy = busy();
    let desk = desk();
    thread::scope(|scope| {
        for n in 0..CROWD {
            let desk = &desk;
            scope.spawn(move || {
                let title = format!("d{n}");
                desk.run(&["decision", "add", "testing", &title])
                    .session(&format!("BOX/s{n}"))
                    .done()
                    .exits(0);
            });
        }
    });
    // What the store had no time for was queued, and said so.
    desk.coord(&["sync", "--force"]).exits(0);
    let all = desk.json(&["decision", "list"]);
    for field in ["title", "display_id"] {
        let found: BTreeSet<_> = texts(rows(&all, "decisions"), field).into_iter().collect();
        assert_eq!(found.len(), CROWD, "{field}");
    }
}

#[test]
fn a_holder_that_was_killed_is_recovered_within_its_silence() {
    let desk = desk().env("COORD_FILE_LOCK_TTL", "2").env("COORD_SESSION_STALE_AFTER", "2");
    let lock = |who: &str| desk.run(&["lock", "acquire", "f"]).session(who).done();
    let alive = AtomicBool::new(true);
    thread::scope(|scope| {
        // The holder: gives signs of life in a loop, until it is killed in the middle of one.
        let holder = scope.spawn(|| {
            lock("BOX/holder").exits(0);
            while alive.load(Ordering::SeqCst) {
                desk.run(&["session", "heartbeat"]).session("BOX/holder").done().exits(0);
                thread::sleep(Duration::from_millis(200));
            }
            let mut last = desk.run(&["session", "heartbeat"]).session("BOX/holder").start();
            last.kill9();
            last.wait();
        });
        thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            lock("BOX/other").exits(10);
            thread::sleep(Duration::from_millis(300));
        }
        alive.store(false, Ordering::SeqCst);
        holder.join().unwrap();
    });
    let killed = Instant::now();
    while lock("BOX/other").status.code() != Some(0) {
        assert!(killed.elapsed() < Duration::from_secs(8), "it is not recovered");
        thread::sleep(Duration::from_millis(50));
    }
    let after = killed.elapsed();
    assert!(after < Duration::from_secs(4), "{after:?}");
    desk.run(&["lock", "renew", "f"]).session("BOX/holder").done().exits(11).complains("BOX/other");
}
