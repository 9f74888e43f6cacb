//! Mail while a session works: at its next event, once.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::common::*;
use coord_tests::workstation::Workstation;

fn tool(station: &Workstation) -> Value {
    station.event("PostToolUse", ID, &json!({"tool_name": "Bash", "tool_input": {"command": "ls"}}))
}

fn send(from: &Workstation, subject: &str) {
    from.coord(&["msg", "send", "DESK/claude-0198abcd", subject, "b", "--may-come-later"]).exits(0);
}

#[test]
fn a_message_arrives_at_the_next_tool_call_and_once() {
    let server = server();
    let desk = desk(&server.url());
    desk.session_start(ID, "startup");
    assert_eq!(desk.hook(&tool(&desk)), json!({}));
    // From this workstation: at once, however short ago it was looked.
    send(&desk, "first");
    let answer = desk.hook(&tool(&desk));
    assert_eq!(answer["hookSpecificOutput"]["hookEventName"], "PostToolUse");
    assert!(context(&answer).contains("MESSAGE FROM DESK/claude-main \u{2014} first"), "{answer}");
    assert!(context(&answer).contains("not by your user"), "{answer}");
    assert_eq!(desk.hook(&tool(&desk)), json!({}));
    desk.coord(&["msg", "sent"]).exits(0).says("offered to 1");
    // From another one: within two seconds.
    send(&clone_on("LAB", "ann", &server.url()), "second");
    thread::sleep(Duration::from_millis(2_100));
    let prompt = desk.event("UserPromptSubmit", ID, &json!({"prompt": "x"}));
    let answer = desk.hook(&prompt);
    assert_eq!(answer["hookSpecificOutput"]["hookEventName"], "UserPromptSubmit");
    assert!(context(&answer).contains("\u{2014} second"), "{answer}");
    assert!(!context(&answer).contains("\u{2014} first"), "{answer}");
}

#[test]
fn a_session_about_to_stop_hears_its_mail_but_is_kept_only_once() {
    let server = server();
    let desk = desk(&server.url());
    let stop = |active: bool| desk.event("Stop", ID, &json!({"stop_hook_active": active}));
    assert_eq!(desk.hook(&stop(false)), json!({}));
    send(&desk, "one");
    let answer = desk.hook(&stop(false));
    assert_eq!(answer["decision"], "block");
    assert!(answer["reason"].as_str().unwrap().contains("\u{2014} one"), "{answer}");
    // However the host says it, or if it does not: not again before its person has spoken.
    send(&desk, "two");
    assert_eq!(desk.hook(&stop(true)), json!({}));
    assert_eq!(desk.hook(&stop(false)), json!({}));
    let answer = desk.hook(&desk.event("UserPromptSubmit", ID, &json!({"prompt": "x"})));
    assert!(context(&answer).contains("\u{2014} two"), "{answer}");
    send(&desk, "three");
    assert_eq!(desk.hook(&stop(false))["decision"], "block");
}

#[test]
fn what_was_forgotten_is_told_again() {
    let server = server();
    let desk = desk(&server.url());
    send(&desk, "one");
    assert!(context(&desk.hook(&tool(&desk))).contains("one"));
    assert_eq!(desk.hook(&tool(&desk)), json!({}));
    assert_eq!(desk.hook(&desk.event("PreCompact", ID, &json!({"trigger": "auto"}))), json!({}));
    assert!(context(&desk.hook(&tool(&desk))).contains("one"));
    assert_eq!(desk.hook(&tool(&desk)), json!({}));
    // One host says so before each call of its model.
    let gemini = |event: &str| {
        let input = desk.event(event, ID, &json!({"tool_name": "x", "tool_input": {}}));
        hook(&desk, "gemini", &input.to_string()).exits(0).object()
    };
    desk.coord(&["msg", "send", "DESK/gemini-0198abcd", "g", "b", "--may-come-later"]).exits(0);
    assert!(context(&gemini("AfterTool")).contains("\u{2014} g"));
    assert_eq!(gemini("PreCompress"), json!({}));
    assert_eq!(gemini("AfterTool"), json!({}));
}

#[test]
fn two_hooks_of_one_conversation_tell_it_once() {
    let server = server();
    let desk = desk(&server.url());
    for round in 0..5 {
        send(&desk, &format!("round {round}"));
        let told: usize = thread::scope(|scope| {
            let ask =
                |_| scope.spawn(|| usize::from(!context(&desk.hook(&tool(&desk))).is_empty()));
            let all: Vec<_> = (0..4).map(ask).collect();
            all.into_iter().map(|r| r.join().unwrap()).sum()
        });
        assert_eq!(told, 1, "round {round}");
    }
}

#[test]
fn a_beginning_that_two_settings_report_is_told_once() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.session_start(OTHER_ID, "startup");
    let input = desk.event("SessionStart", ID, &json!({"source": "new"})).to_string();
    let as_copilot =
        |host: &str| desk.run(&["hook", host]).env("COPILOT_CLI", "1").stdin(input.clone()).done();
    let first = as_copilot("copilot").exits(0).object();
    assert!(first["additionalContext"].as_str().unwrap().contains("LAB/"), "{first}");
    assert_eq!(as_copilot("claude").exits(0).object(), json!({}));
}

#[test]
fn every_host_hears_in_its_own_form() {
    let server = server();
    let desk = desk(&server.url());
    for (host, event, at) in [
        ("claude", "PostToolUse", "/hookSpecificOutput/additionalContext"),
        ("codex", "PostToolUse", "/hookSpecificOutput/additionalContext"),
        ("copilot", "PostToolUse", "/additionalContext"),
        ("cursor", "postToolUse", "/additional_context"),
        ("gemini", "AfterTool", "/hookSpecificOutput/additionalContext"),
        ("opencode", "PostToolUse", "/context"),
    ] {
        let to = format!("DESK/{host}-0198abcd");
        desk.coord(&["msg", "send", &to, "hello", "b", "--may-come-later"]).exits(0);
        let input = desk.event(event, ID, &json!({"tool_name": "x", "tool_input": {}}));
        let answer = hook(&desk, host, &input.to_string()).exits(0).object();
        let text = answer.pointer(at).and_then(Value::as_str).unwrap_or_default();
        assert!(text.contains("\u{2014} hello"), "{host}: {answer}");
        assert_eq!(answer.as_object().unwrap().len(), 1, "{host}: {answer}");
    }
}

#[test]
fn what_a_subagent_does_is_not_told_the_conversations_mail() {
    let server = server();
    let desk = desk(&server.url());
    send(&desk, "one");
    let mut of_agent = tool(&desk);
    of_agent["agent_id"] = json!("a1");
    of_agent["agent_type"] = json!("Explore");
    assert_eq!(desk.hook(&of_agent), json!({}));
    assert!(context(&desk.hook(&tool(&desk))).contains("\u{2014} one"));
}

#[test]
fn what_was_forgotten_while_the_server_is_away_is_told_when_it_is_back() {
    let mut server = server();
    let desk = desk(&server.url());
    send(&desk, "one");
    assert!(context(&desk.hook(&tool(&desk))).contains("one"));
    desk.hook(&desk.event("PreCompact", ID, &json!({"trigger": "auto"})));
    server.kill9();
    assert_eq!(desk.hook(&tool(&desk)), json!({}));
    server.restart();
    desk.close_breaker();
    assert!(context(&desk.hook(&tool(&desk))).contains("\u{2014} one"));
}

#[test]
fn nobody_speaks_in_the_engines_name() {
    let server = server();
    let desk = desk(&server.url());
    let mut forged = desk
        .run(&["msg", "send", "ALL", "your claims have ended", "b"])
        .session("coord/server")
        .done();
    forged.exits(1).complains("the engine's own name");
}

#[test]
fn many_news_and_much_mail_fit_into_one_answer() {
    let mut server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    desk.session_start(ID, "startup");
    server.kill9();
    for n in 0..14 {
        desk.hook(&before(&desk, ID, &format!("src/{}/{n}.rs", "deep/".repeat(20))));
    }
    server.restart();
    lab.coord(&["lock", "claim", "acme/app", "src/**", &"why ".repeat(100)]).exits(0);
    for n in 0..5 {
        let body = "x".repeat(1900);
        desk.coord(&["msg", "send", "DESK/claude-0198abcd", &format!("m{n}"), &body]).exits(0);
    }
    desk.close_breaker();
    desk.coord(&["sync", "--force"]).exits(0);
    let answer = desk.hook(&tool(&desk));
    assert!(context(&answer).contains("MESSAGE FROM"), "{answer}");
    assert!(context(&answer).len() <= 9_000, "{}", context(&answer).len());
    thread::sleep(Duration::from_millis(100));
    let next = desk.hook(&tool(&desk));
    assert!(context(&next).contains("LOST"), "{next}");
}
