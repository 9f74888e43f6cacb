//! The server is away: reads from the copy, and claims.

use std::fs;
use std::process::Command;

use coord_tests::server::TestServer;

use crate::MESSAGES;
use crate::desk::{Desk, fill};
use crate::table::{self, Row};

pub(crate) fn measure() {
    let mut server = TestServer::start("axum");
    let desk = Desk::new(&server.url());
    fill(server.address(), MESSAGES);
    desk.run(&["msg", "read", "--all"]);
    for n in 0..200 {
        desk.run(&["lock", "claim", "acme/app", &format!("src/{n}/**")]);
    }
    desk.run(&["todo", "add", "one"]);
    let online = vec![
        Row::new("/bin/true", Command::new("/bin/true"), ""),
        Row::new("todo list, online", desk.coord(&["todo", "list"], desk.url()), ""),
        Row::new("lock list (200 locks), online", desk.coord(&["lock", "list"], desk.url()), ""),
        Row::new("msg inbox, online", desk.coord(&["msg", "inbox"], desk.url()), ""),
        Row::new("status, online", desk.coord(&["status"], desk.url()), ""),
    ];
    let title = format!("reads, {MESSAGES} read messages in the copy");
    table::measure(&title, online, || {});
    server.kill9();
    let away = |args: &[&str]| desk.coord(args, desk.url());
    let reads = || {
        vec![
            Row::new("/bin/true", Command::new("/bin/true"), ""),
            Row::new("todo list, away", away(&["todo", "list"]), ""),
            Row::new("lock list (200 locks), away", away(&["lock", "list"]), ""),
            Row::new("msg inbox, away", away(&["msg", "inbox"]), ""),
            Row::new("status, away", away(&["status"]), ""),
        ]
    };
    table::measure("the same, server away, nothing waits", reads(), || {});
    desk.run(&["todo", "add", "waits"]);
    desk.run(&["lock", "claim", "acme/app", "docs/**"]);
    let mut rows = reads();
    let again = ["lock", "claim", "acme/app", "docs/**"];
    rows.push(Row::new("lock claim, provisional (renewed)", away(&again), ""));
    let queue = fs::read(desk.queue()).expect("something waits");
    table::measure("the same, two writes wait", rows, || {
        // The claims would pile up.
        let _ = fs::write(desk.queue(), &queue);
    });
}
