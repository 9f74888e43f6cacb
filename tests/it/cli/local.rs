//! No server at all: the sessions of one workstation share a file.

use std::thread;

use coord_tests::command::Ran;
use coord_tests::workstation::Workstation;

fn desk() -> Workstation {
    Workstation::new("BOX", "ann", "local")
}

fn by(desk: &Workstation, session: &str, args: &[&str]) -> Ran {
    desk.run(args).session(session).done()
}

#[test]
fn sessions_of_one_workstation_coordinate_without_any_process() {
    let desk = desk();
    by(&desk, "BOX/a", &["msg", "send", "ALL", "hello", "all of you"])
        .exits(0)
        .says("sent to everybody");
    by(&desk, "BOX/b", &["msg", "inbox"]).exits(0).says("| all of you");
    by(&desk, "BOX/b", &["msg", "read", "--all"]).exits(0);
    by(&desk, "BOX/b", &["msg", "inbox"]).exits(0).says("no unread");
    by(&desk, "BOX/a", &["lock", "claim", "p", "src/**"]).exits(0).says("fence");
    by(&desk, "BOX/b", &["lock", "claim", "p", "src/a.rs"]).exits(10).complains("BOX/a");
    by(&desk, "BOX/b", &["todo", "add", "water the plants"]).exits(0);
    by(&desk, "BOX/a", &["todo", "list"]).exits(0).says("water the plants");
    by(&desk, "BOX/a", &["msg", "send", "NOBODY", "s", "b"]).exits(1);
    by(&desk, "BOX/a", &["sync"]).exits(0).says("nothing was waiting");
    assert!(!desk.queue_file().exists(), "nothing is ever queued");
    let told = desk.session_start("0198abcd", "startup").expect("there is mail");
    assert!(told.contains("| all of you"), "{told}");
}

#[test]
fn of_many_processes_one_gets_the_lock_each_round() {
    let desk = desk();
    for round in 0..10 {
        let codes: Vec<_> = thread::scope(|scope| {
            let desk = &desk;
            let claims: Vec<_> = (0..12)
                .map(|n| {
                    scope.spawn(move || {
                        let me = format!("BOX/s{n}");
                        by(desk, &me, &["lock", "claim", "p", "one"]).status.code()
                    })
                })
                .collect();
            claims.into_iter().map(|c| c.join().unwrap()).collect()
        });
        let winners: Vec<_> = (0..12).filter(|n| codes[*n] == Some(0)).collect();
        assert_eq!(winners.len(), 1, "round {round}: {codes:?}");
        assert!(codes.iter().all(|c| [Some(0), Some(10)].contains(c)), "{codes:?}");
        let winner = format!("BOX/s{}", winners[0]);
        by(&desk, &winner, &["lock", "release", "--all"]).exits(0).says("released 1");
    }
}
