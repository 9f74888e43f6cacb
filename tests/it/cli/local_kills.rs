//! Commands on the workstation's own store that are killed at random moments: the store opens, and
//! what was acknowledged is there, once.

use std::thread;
use std::time::Duration;

use coord_tests::workstation::Workstation;
use rusqlite::Connection;

use super::load::{Chance, busy};

const SEED: u64 = 0x5eed_0005;
const COMMANDS: usize = 500;
/// So many must really have been hit, and so many acknowledged, or the test says nothing.
const HIT_MIN: usize = 100;
const ACKNOWLEDGED_MIN: usize = 100;

/// What is done in turn; `#` becomes the number of the command.
const VERBS: [&[&str]; 5] = [
    &["todo", "add", "t#"],
    &["msg", "send", "ALL", "m#", "b"],
    &["decision", "add", "api", "d#"],
    &["lock", "claim", "p", "l#"],
    &["component", "set", "p", "c#", "built"],
];
/// Where the effect of each is found.
const FOUND_IN: [(&str, &str, &str); 5] = [
    ("todo", "text", "t"),
    ("message", "subject", "m"),
    ("decision", "title", "d"),
    ("claim", "resource", "l"),
    ("component", "component", "c"),
];

#[test]
fn five_hundred_killed_commands_lose_nothing_that_was_acknowledged() {
    let _machine = busy();
    let desk = Workstation::new("BOX", "ann", "local");
    desk.coord(&["todo", "add", "first"]).exits(0);
    let mut chance = Chance::new(SEED);
    eprintln!("seed {SEED:#x}");
    let usual = usual_time(&desk);
    let (mut acknowledged, mut hit) = (Vec::new(), 0);
    for n in 0..COMMANDS {
        let words: Vec<String> =
            VERBS[n % VERBS.len()].iter().map(|w| w.replace('#', &n.to_string())).collect();
        let most = u64::try_from(usual.as_micros()).unwrap() * 3 / 2;
        let after = Duration::from_micros(chance.below(most));
        let mut running = desk.run(&words).session(&format!("BOX/s{}", n % 3)).start();
        thread::sleep(after);
        running.kill9();
        let ran = running.wait();
        hit += usize::from(ran.status.code().is_none());
        if !ran.out().is_empty() {
            acknowledged.push(n);
        }
    }
    eprintln!("{hit} of {COMMANDS} hit, {} acknowledged", acknowledged.len());
    assert!(hit >= HIT_MIN && acknowledged.len() >= ACKNOWLEDGED_MIN, "the run was too kind");
    desk.coord(&["todo", "list"]).exits(0).says("first");
    let store = desk.home().join(".local/share/coord/local.db");
    let store = Connection::open(store).unwrap();
    let whole: String = store.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(whole, "ok");
    for n in acknowledged {
        let (table, column, letter) = FOUND_IN[n % FOUND_IN.len()];
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} = ?1");
        let name = format!("{letter}{n}");
        let count: i64 = store.query_row(&sql, [&name], |r| r.get(0)).unwrap();
        assert_eq!(count, 1, "{name} was acknowledged");
    }
    assert!(!desk.queue_file().exists(), "nothing is queued where nobody is away");
}

fn usual_time(desk: &Workstation) -> Duration {
    let began = std::time::Instant::now();
    for n in 0..10 {
        desk.coord(&["todo", "add", &format!("warm {n}")]).exits(0);
    }
    began.elapsed() / 10
}
