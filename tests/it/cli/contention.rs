//! Many processes that want the same lock at the same moment.

use std::io;

use coord_tests::workstation::Ran;

use super::common::{desk, home, rows, server, text};
use super::load::busy;

const PROCESSES: usize = 16;
const ROUNDS: usize = 200;

#[test]
fn of_sixteen_claims_at_once_one_is_granted() {
    let _busy = busy();
    let server = server();
    let stations = [desk(&server), home(&server)];
    for round in 0..ROUNDS {
        // All wait for the end of the same pipe, and are let go together.
        let (gate, opener) = io::pipe().unwrap();
        let claim = ["lock", "claim", "p", "src/hot.rs", "d", "--json"];
        let running: Vec<_> = (0..PROCESSES)
            .map(|n| {
                let run = stations[n % 2].run_after("read line", &claim);
                run.session(&format!("SESSION/{n}")).start_reading(gate.try_clone().unwrap())
            })
            .collect();
        drop((gate, opener));
        let ended: Vec<Ran> = running.into_iter().map(|r| r.wait()).collect();
        let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|r| r.status.code() == Some(0));
        assert_eq!(
            won.len(),
            1,
            "round {round}: {:?}",
            won.iter().map(|w| w.told()).collect::<Vec<_>>()
        );
        let granted = won[0].json();
        assert_eq!(granted["outcome"], "done", "round {round}: {granted}");
        let holder = text(&granted["result"]["session_id"]);
        for l in &lost {
            assert_eq!(l.status.code(), Some(10), "round {round}: {}", l.told());
            assert!(text(&l.json()["error"]["detail"]).contains(holder), "{}", l.told());
        }
        let live = server.get("/api/coord/locks").expect(200);
        assert_eq!(rows(&live, "locks").len(), 1, "round {round}: {live}");
        let release = ["lock", "release", text(&granted["result"]["id"])];
        stations[0].run(&release).session(holder).done().exits(0).says("released");
    }
}
