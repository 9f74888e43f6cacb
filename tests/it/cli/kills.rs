//! Commands and drains that are killed at random moments.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use coord_tests::proxy::{Mode, Proxy};
use coord_tests::server::TestServer;
use coord_tests::workstation::{Ran, Run, Workstation};
use serde_json::json;

use super::common::{all_messages, server, texts};
use super::load::{Chance, busy};

const SEED: u64 = 0x5eed_0004;
const COMMANDS: usize = 500;
const SYNCS: usize = 200;
/// The commands are of so many sessions in turn.
const SESSIONS: usize = 3;
/// Commands, and then drains, in a row under the same circumstances.
const COMMANDS_IN_A_ROW: usize = 20;
const SYNCS_IN_A_ROW: usize = 8;
/// How slow a slow server is, in each direction.
const SLOWNESS: Duration = Duration::from_millis(15);

/// How it stands with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Up,
    Down,
    Slow,
}

struct Trial {
    server: TestServer,
    proxy: Proxy,
    desk: Workstation,
    chance: Chance,
    /// Subject of each command, and whether it was acknowledged.
    sent: Vec<(String, bool)>,
    commands: usize,
    commands_hit: usize,
    syncs: usize,
    syncs_hit: usize,
}

impl Trial {
    fn new() -> Self {
        let server = server();
        let proxy = Proxy::before(server.address());
        let desk = Workstation::new("DESK", "mike", &proxy.url());
        let chance = Chance::new(SEED);
        let sent = Vec::new();
        Self {
            server,
            proxy,
            desk,
            chance,
            sent,
            commands: 0,
            commands_hit: 0,
            syncs: 0,
            syncs_hit: 0,
        }
    }

    /// Runs a command and kills it somewhere within its usual time, or a little later.
    fn kill_within(&mut self, run: Run, usual: Duration) -> Ran {
        let most = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX) * 5 / 4;
        let after = Duration::from_micros(self.chance.below(most));
        let mut running = run.start();
        thread::sleep(after);
        running.kill9();
        running.wait()
    }

    fn send(&mut self, usual: Duration) {
        let n = self.commands;
        self.commands += 1;
        let subject = format!("message {n}");
        let session = format!("DESK/sender-{}", n % SESSIONS);
        let run = self.desk.run(&["msg", "send", "ALL", &subject, "b"]).session(&session);
        let ran = self.kill_within(run, usual);
        let words = ran.out();
        // Words that were spoken count, also when the kill came before the exit.
        let acknowledged = words.starts_with("sent to everybody") || words.starts_with("queued: ");
        match ran.status.code() {
            Some(code) => assert!(code == 0 && acknowledged, "{}", ran.told()),
            None => self.commands_hit += 1,
        }
        self.sent.push((subject, acknowledged));
    }

    /// Gives the next drain something to do, and kills it at that.
    fn sync(&mut self, usual: Duration) {
        let subject = format!("entry {}", self.syncs);
        let body = json!({"from_session": "DESK/script", "subject": subject});
        let entry = json!({"method": "POST", "path": "/api/coord/messages", "body": body});
        self.desk.run(&["outbox", "append"]).stdin(entry.to_string()).done().exits(0);
        self.sent.push((subject, true));
        let run = self.desk.run(&["sync"]);
        let ran = self.kill_within(run, usual);
        self.syncs += 1;
        match ran.status.code() {
            Some(code) => assert_eq!(code, 0, "{}", ran.told()),
            None => self.syncs_hit += 1,
        }
    }

    fn arrange(&mut self, how: Server) {
        match how {
            Server::Down => self.server.kill9(),
            Server::Up | Server::Slow if !self.server.alive() => self.server.restart(),
            Server::Up | Server::Slow => {}
        }
        let slow = Mode::Slow(SLOWNESS);
        self.proxy.set(if how == Server::Slow { slow } else { Mode::Pass });
    }

    /// How long a command and a drain take when nobody kills them.
    fn usual(&self) -> (Duration, Duration) {
        let command = self.desk.coord(&["status"]);
        let sync = self.desk.coord(&["sync"]);
        (command.took, sync.took.max(command.took * 3))
    }

    #[track_caller]
    fn check(&self) {
        let arrived = texts(&all_messages(&self.server), "subject");
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for subject in &arrived {
            *seen.entry(subject).or_default() += 1;
        }
        for (subject, acknowledged) in &self.sent {
            let times = seen.remove(subject.as_str()).unwrap_or(0);
            assert!(times <= 1, "{subject} took effect {times} times");
            assert!(times == 1 || !acknowledged, "{subject} was acknowledged and is lost");
        }
        assert!(seen.is_empty(), "nobody sent {seen:?}");
        for session in 0..SESSIONS {
            self.in_order(session, &arrived);
        }
    }

    /// What a session was told to be sent or queued took effect in the order of its commands.
    #[track_caller]
    fn in_order(&self, session: usize, arrived: &[String]) {
        let number = |s: &str| s.strip_prefix("message ")?.parse::<usize>().ok();
        let mine = |s: &&String| number(s).is_some_and(|n| n % SESSIONS == session);
        let told: Vec<_> =
            self.sent.iter().filter(|(_, a)| *a).map(|(s, _)| s).filter(mine).collect();
        let came: Vec<_> = arrived.iter().filter(|s| told.contains(s)).collect();
        assert_eq!(came, told, "session {session}");
    }
}

#[test]
fn what_was_acknowledged_survives_kills_and_is_not_repeated() {
    let _busy = busy();
    let mut trial = Trial::new();
    let mut turns = [Server::Up, Server::Down, Server::Slow].into_iter().cycle();
    while trial.commands < COMMANDS || trial.syncs < SYNCS {
        let how = turns.next().expect("a cycle has no end");
        trial.arrange(how);
        let (usual, usual_sync) = trial.usual();
        for _ in 0..COMMANDS_IN_A_ROW.min(COMMANDS - trial.commands) {
            trial.send(usual);
        }
        for _ in 0..SYNCS_IN_A_ROW.min(SYNCS - trial.syncs) {
            trial.sync(usual_sync);
        }
    }
    trial.arrange(Server::Up);
    let last = trial.desk.json(&["sync"]);
    assert_eq!(last["waiting"], 0, "{last}");
    let acknowledged = trial.sent.iter().filter(|(_, a)| *a).count() - SYNCS;
    println!(
        "seed {SEED:#x}: {COMMANDS} commands, {} hit, {acknowledged} acknowledged; \
         {SYNCS} syncs, {} hit",
        trial.commands_hit, trial.syncs_hit
    );
    trial.check();
    assert!(!trial.desk.queue_file().exists());
    trial.desk.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
    assert!(trial.commands_hit >= COMMANDS / 4, "only {} hit", trial.commands_hit);
    assert!(acknowledged >= COMMANDS / 10, "only {acknowledged} acknowledged");
    assert!(trial.syncs_hit >= SYNCS / 4, "only {} drains hit", trial.syncs_hit);
}
