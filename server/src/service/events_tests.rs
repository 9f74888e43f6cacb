use coord_protocol::time::Millis;
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::edge::OsRng;
use crate::service::Rules;
use crate::store::migrate;
use crate::webhooks::{Outlet, WebhookSettings};

const URLS: &str = "https://a.example/one,https://a.example/two";

fn outlet(events: &str) -> &'static Outlet {
    let var = |name: &str| match name {
        "COORD_WEBHOOK_URL" => Some(URLS.to_owned()),
        "COORD_WEBHOOK_EVENTS" => Some(events.to_owned()),
        _ => None,
    };
    let settings = WebhookSettings::read(&var).unwrap().unwrap();
    Box::leak(Box::new(Outlet::new(&settings)))
}

/// Announces in a transaction; what is stored is (receiver, id, payload) of each row.
fn announced(webhooks: Option<&'static Outlet>, kind: &str) -> Vec<(String, String, String)> {
    let conn = Connection::open_in_memory().unwrap();
    migrate(&conn, None).unwrap();
    let tx = Tx::new(&conn);
    let rules = Rules { webhooks, ..Rules::default() };
    let cx = Cx::at(Millis(1_795_187_835_000), &rules, &OsRng);
    announce(&tx, &cx, kind, &json!({"queue_id": "q", "pattern": "src/é"})).unwrap();
    let mut stored = Vec::new();
    for receiver in webhooks.map(Outlet::receivers).unwrap_or_default() {
        for due in tx.due_deliveries(receiver, cx.now, 50).unwrap() {
            assert_eq!((due.event_type.as_str(), due.attempts), (kind, 0));
            let payload = tx.delivery_payload(due.seq).unwrap().unwrap();
            stored.push((receiver.clone(), due.id, payload));
        }
    }
    let rows: i64 = tx.delivery_counts().unwrap().iter().map(|(_, n)| n).sum();
    assert_eq!(usize::try_from(rows), Ok(stored.len()));
    stored
}

#[test]
fn an_event_is_stored_for_each_receiver() {
    let outlet = outlet("");
    let stored = announced(Some(outlet), QUEUE_GRANT);
    assert_eq!(stored.len(), 2);
    assert_ne!(stored[0].0, stored[1].0);
    assert_ne!(stored[0].1, stored[1].1, "each delivery has an id of its own");
    for (_, _, payload) in &stored {
        assert_eq!(
            payload,
            "{\"detail\": {\"pattern\": \"src/\\u00e9\", \"queue_id\": \"q\"}, \
             \"event_type\": \"queue_grant\", \"timestamp\": \"2026-11-20T15:17:15Z\"}"
        );
    }
    assert!(outlet.take_note() && !outlet.take_note());
}

#[test]
fn only_what_was_asked_for_is_stored() {
    let some = outlet("claim_granted, queue_cancel");
    assert!(announced(Some(some), QUEUE_GRANT).is_empty());
    assert!(!some.take_note());
    assert_eq!(announced(Some(some), QUEUE_CANCEL).len(), 2);
    assert!(announced(None, CLAIM_GRANTED).is_empty());
}
