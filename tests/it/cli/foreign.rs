//! A queue file that others write into: shells, editors, crashed programs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use coord_tests::server::eventually;
use serde_json::json;

use super::common::{desk, rows, server, text, texts};

const PATIENCE: Duration = Duration::from_secs(30);

fn todo(text: &str) -> String {
    json!({"method": "POST", "path": "/api/coord/todos", "body": {"text": text}}).to_string()
}

#[test]
fn lines_in_all_spellings_are_sent_and_rubbish_is_set_aside() {
    let server = server();
    let desk = desk(&server);
    let as_text = json!({"path": "/api/coord/todos", "body": "{\"text\":\"five\"}", "method": "POST",
        "note": "a field of somebody else", "id": null});
    let rubbish = "this is no entry";
    let smuggled =
        "{\"method\":\"POST\",\"path\":\"//evil.example/x\",\"body\":{\"text\":\"smuggled\"}}";
    let queue = format!(
        "\u{feff}{}\r\n\r\n  {}  \n\0\0\0{}\n{rubbish}\n{smuggled}\n{}\n{as_text}\n{}",
        todo("one"),
        todo("two"),
        todo("three"),
        todo("four"),
        todo("six"),
    );
    let mut queue = queue.into_bytes();
    queue.splice(0..0, *b"\xff\xfe broken bytes\n");
    desk.write_queue(&queue);
    desk.coord(&["sync"]).exits(0).says("sent 6 writes");
    let todos = desk.json(&["todo", "list"]);
    let want = ["one", "two", "three", "four", "five", "six"];
    assert_eq!(texts(rows(&todos, "todos"), "text"), want);
    assert!(!desk.queue_file().exists());
    let dead = desk.json(&["outbox", "dead"]);
    let letters = rows(&dead, "dead");
    assert_eq!(letters.len(), 3, "{dead}");
    assert_eq!(letters[0]["hex"], "fffe2062726f6b656e206279746573", "byte for byte");
    assert_eq!(letters[1]["text"], rubbish);
    assert_eq!(letters[2]["text"], smuggled);
    assert!(letters.iter().all(|l| !text(&l["reason"]).is_empty()), "{dead}");
    desk.coord(&["sync"]).exits(0).says("nothing was waiting");
    assert_eq!(rows(&desk.json(&["outbox", "dead"]), "dead").len(), 3);
}

#[test]
fn a_torn_end_waits_for_its_writer_and_is_set_aside_without_one() {
    let server = server();
    let desk = desk(&server);
    let line = format!("{}\n", todo("slowly"));
    let (head, tail) = line.split_at(20);
    let mut writer = OpenOptions::new().append(true).create(true).open(desk.queue_file()).unwrap();
    writer.write_all(format!("{}\n{head}", todo("first")).as_bytes()).unwrap();
    desk.coord(&["sync"]).exits(0);
    desk.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
    // The file was moved away meanwhile; what is written to it late is not lost.
    writer.write_all(tail.as_bytes()).unwrap();
    drop(writer);
    desk.coord(&["sync"]).exits(0);
    let todos = desk.json(&["todo", "list"]);
    assert_eq!(texts(rows(&todos, "todos"), "text"), ["first", "slowly"]);

    desk.write_queue(head);
    desk.coord(&["sync"]).exits(0);
    let dead = desk.json(&["outbox", "dead"]);
    assert_eq!(dead["dead"][0]["text"], head, "{dead}");
    assert!(!desk.queue_file().exists());
}

#[test]
fn an_own_line_is_not_glued_to_a_torn_one() {
    let mut server = server();
    let desk = desk(&server);
    server.kill9();
    desk.write_queue("{\"method\":\"POST\",\"pa");
    desk.coord(&["todo", "add", "whole"]).exits(0).says("queued");
    let lines = fs::read_to_string(desk.queue_file()).unwrap();
    let last = lines.lines().last().unwrap();
    assert!(last.starts_with('{') && last.contains("whole"), "{lines}");
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    assert_eq!(rows(&desk.json(&["outbox", "dead"]), "dead").len(), 1);
}

#[test]
fn hand_edits_are_respected() {
    let mut server = server();
    let desk = desk(&server);
    server.kill9();
    for n in ["one", "two", "three"] {
        desk.coord(&["todo", "add", n]).exits(0).says("queued");
    }
    // Somebody deletes a line and changes another, with an editor that replaces the file.
    let text = fs::read_to_string(desk.queue_file()).unwrap();
    let edited: String = text
        .lines()
        .filter(|l| !l.contains("two"))
        .map(|l| format!("{}\r\n", l.replace("\"three\"", "\"drei\"")))
        .collect();
    let new = desk.outbox().join("edited");
    fs::write(&new, edited).unwrap();
    fs::rename(&new, desk.queue_file()).unwrap();
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 2 writes");
    let todos = desk.json(&["todo", "list"]);
    assert_eq!(texts(rows(&todos, "todos"), "text"), ["one", "drei"]);
    // An old copy comes back, with another text under an id that was applied.
    desk.write_queue(text);
    desk.coord(&["sync"]).exits(0).says("applied before").says("refused (422)");
    let todos = desk.json(&["todo", "list"]);
    assert_eq!(texts(rows(&todos, "todos"), "text"), ["one", "drei", "two"]);
}

#[test]
fn a_queue_that_stays_can_still_be_sent_by_hand() {
    let mut server = server();
    let desk = desk(&server);
    desk.write_queue(format!("{}\nrubbish\n{}", todo("one"), todo("two")));
    server.kill9();
    desk.coord(&["sync"]).exits(0).says("2 writes wait here");
    let queue = desk.queue();
    assert_eq!(queue.len(), 2, "exactly what waits, as whole lines");
    assert!(queue.iter().all(|e| e["id"].is_string() && e["path"] == "/api/coord/todos"));
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 2 writes");
}

/// Appends lines as `echo ... >> file` does: opened for each one, one write, no lock. Waits between
/// them for further drains, so that lines and drains meet rather than follow each other.
fn append_slowly(writer: usize, lines: usize, file: &Path, drains: &AtomicUsize) {
    for n in 0..lines {
        eventually(PATIENCE, "drains go on", || drains.load(Ordering::SeqCst) >= n / 3);
        let mut file = OpenOptions::new().append(true).create(true).open(file).expect("it opens");
        let line = format!("{}\n", todo(&format!("{writer} {n}")));
        file.write_all(line.as_bytes()).expect("it can be written to");
    }
}

#[test]
fn lines_that_are_appended_during_drains_are_sent_once() {
    const WRITERS: usize = 4;
    const LINES: usize = 60;
    let server = server();
    let desk = desk(&server);
    let (file, over, drains) = (desk.queue_file(), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                desk.coord(&["sync"]).exits(0);
                drains.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (file, drains) = (&file, &drains);
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| scope.spawn(move || append_slowly(w, LINES, file, drains)))
            .collect();
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok));
    });
    desk.coord(&["sync"]).exits(0);
    let todos = desk.json(&["todo", "list"]);
    let mut got = texts(rows(&todos, "todos"), "text");
    got.sort();
    let line = |w: usize| (0..LINES).map(move |n| format!("{w} {n}"));
    let mut want: Vec<_> = (0..WRITERS).flat_map(line).collect();
    want.sort();
    assert_eq!(got, want);
    desk.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
}
