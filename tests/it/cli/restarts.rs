//! A thousand messages while the server is killed and restarted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::server::TestServer;
use coord_tests::workstation::Workstation;

use super::common::{all_messages, desk, server, text};
use super::load::busy;

const SENDERS: usize = 8;
const EACH: usize = 125;
const ALL: usize = SENDERS * EACH;
const KILLS: usize = 10;
/// Of each hundred commands, so many begin while the server is up (a part of them is still on its
/// way when it is killed), while it is down, and while it comes back.
const UP: usize = 60;
const IN_FLIGHT: usize = 20;
const DOWN: usize = 25;
const COMING_BACK: usize = 15;
const STUCK: Duration = Duration::from_mins(1);

const _: () = assert!((UP + DOWN + COMING_BACK) * KILLS == ALL);

/// How many commands may begin, and how those that began have ended.
#[derive(Default)]
struct Counts {
    allowed: AtomicUsize,
    begun: AtomicUsize,
    direct: AtomicUsize,
    queued: AtomicUsize,
}

impl Counts {
    fn ended(&self) -> usize {
        self.direct.load(Ordering::SeqCst) + self.queued.load(Ordering::SeqCst)
    }

    fn allow(&self, more: usize) -> usize {
        self.allowed.fetch_add(more, Ordering::SeqCst) + more
    }

    /// Waits until one more command may begin.
    fn begin(&self) {
        let mine = self.begun.fetch_add(1, Ordering::SeqCst);
        poll("a command may begin", || mine < self.allowed.load(Ordering::SeqCst));
    }

    fn wait_for(&self, ended: usize) {
        poll("commands end", || self.ended() >= ended);
    }
}

fn poll(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < STUCK, "it never came to pass that {what}");
        thread::sleep(Duration::from_micros(500));
    }
}

/// Sends one session's messages one after the other; each must be acknowledged.
fn sender(desk: &Workstation, session: &str, counts: &Counts) {
    for n in 0..EACH {
        counts.begin();
        let subject = format!("{session} {n}");
        let mut ran = desk.run(&["msg", "send", "ALL", &subject, "b"]).session(session).done();
        let words = ran.exits(0).out();
        if words.starts_with("sent to everybody") {
            counts.direct.fetch_add(1, Ordering::SeqCst);
        } else {
            assert!(words.starts_with("queued: "), "{}", ran.told());
            counts.queued.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Kills the server in the midst of the sending, and brings it back.
fn killer(server: &mut TestServer, desk: &Workstation, counts: &Counts) -> usize {
    for kill in 0..KILLS {
        let up = counts.allow(UP);
        counts.wait_for(up - IN_FLIGHT);
        server.kill9();
        let down = counts.allow(DOWN);
        counts.wait_for(down);
        counts.allow(COMING_BACK);
        server.restart();
        if kill % 2 == 0 {
            // Somebody asks for it.
            desk.coord(&["sync"]).exits(0);
        } else {
            // The rest is over: the next command finds the server, and what waits before it.
            desk.close_breaker();
        }
    }
    KILLS
}

#[test]
fn a_thousand_messages_arrive_once_and_in_order_though_the_server_is_killed() {
    let _busy = busy();
    let mut server = server();
    let desk = desk(&server);
    let counts = Counts::default();
    let sessions: Vec<_> = (0..SENDERS).map(|n| format!("DESK/sender-{n}")).collect();
    let kills = thread::scope(|scope| {
        for session in &sessions {
            let (desk, counts) = (&desk, &counts);
            scope.spawn(move || sender(desk, session, counts));
        }
        killer(&mut server, &desk, &counts)
    });
    let last = desk.json(&["sync"]);
    assert_eq!(last["waiting"], 0, "{last}");
    let (direct, queued) =
        (counts.direct.load(Ordering::SeqCst), counts.queued.load(Ordering::SeqCst));
    println!("{kills} kills, {direct} sent directly, {queued} queued");

    let all = all_messages(&server);
    let mut next: HashMap<&str, usize> = HashMap::new();
    for m in &all {
        let session = text(&m["from_session"]);
        let n = next.entry(session).or_default();
        assert_eq!(text(&m["subject"]), format!("{session} {n}"), "out of order or repeated");
        *n += 1;
    }
    assert_eq!(all.len(), ALL, "{next:?}");
    assert!(sessions.iter().all(|s| next[s.as_str()] == EACH), "{next:?}");
    assert!(!desk.queue_file().exists());
    assert!(queued >= KILLS * DOWN, "the kills hit nothing: only {queued} queued");
    assert!(direct >= 100, "hardly anything went directly: {direct}");
}
