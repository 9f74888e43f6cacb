//! The drain of a long queue.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use coord_tests::server::TestServer;

use crate::desk::Desk;
use coord_tests::series::report_rate;

/// Entries in the drain.
const ENTRIES: usize = 10_000;
/// Entries that the stand-in client sends one by one.
const ENTRIES_ONE_BY_ONE: usize = 1_000;

pub(crate) fn measure(desk: &Desk, server: &TestServer) {
    let mut text = String::new();
    for n in 0..ENTRIES {
        let _ = writeln!(
            text,
            r#"{{"ts":"2026-05-12T15:30:00Z","method":"POST","path":"/api/coord/messages","body":{{"from_session":"DESK/bench","to_session":"ALL_SESSIONS","subject":"n {n}","body":"text"}},"id":"bench-drain-{n}","session":"DESK/bench"}}"#
        );
    }
    fs::write(desk.queue(), text).expect("a queue");
    let began = Instant::now();
    desk.run(&["sync"]);
    let took = began.elapsed();
    println!("\ndrain, entries per second");
    report_rate("coord sync, batches, one process", ENTRIES, took);
    let host = server.address();
    let script = format!(
        "import http.client\nc=http.client.HTTPConnection('{}',{})\nfor n in range({ENTRIES_ONE_BY_ONE}):\n c.request('POST','/api/coord/messages','{{\"from_session\":\"PY/x\",\"to_session\":\"ALL_SESSIONS\",\"subject\":\"%d\",\"body\":\"b\"}}'%n)\n c.getresponse().read()\n",
        host.ip(),
        host.port()
    );
    let began = Instant::now();
    let python = Command::new("python3").arg("-c").arg(script).status();
    if python.is_ok_and(|s| s.success()) {
        report_rate("python3, one by one, one connection", ENTRIES_ONE_BY_ONE, began.elapsed());
    }
}
