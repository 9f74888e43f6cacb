//! Planted bugs at the border to the network and in the server's database, and a look at the pieces
//! of the change feed that arrive.

use std::sync::Arc;

use coord_agent::outbox::journal;
use coord_agent::remote::{Incoming, NetError, Outgoing};
use coord_protocol::wire::Batch;
use coord_server::api::Call;
use serde_json::Value;

use crate::copies::Copies;
use crate::disk::SimDisk;
use crate::net::SimNet;
use crate::planted::Planted;
use crate::verdicts::LOCKS;
use crate::world::World;

/// Where the change feed is read.
pub(crate) const FEED: &str = "/api/coord/changes";

/// What leaves the workstation instead.
pub(crate) fn outgoing(net: &SimNet, out: &Outgoing, planted: Option<Planted>) -> Outgoing {
    let mut out = out.clone();
    let slips = [Planted::StaleGranted, Planted::JournalBeforeSend];
    if !planted.is_some_and(|p| slips.contains(&p)) || !out.path.ends_with("/batch") {
        return out;
    }
    let Ok(mut batch) = serde_json::from_slice::<Batch>(&out.body) else { return out };
    if planted == Some(Planted::StaleGranted) {
        batch.entries.iter_mut().for_each(|e| e.past = false);
        out.body = serde_json::to_vec(&batch).unwrap_or_default();
    } else {
        let disk = SimDisk { sim: Arc::clone(&net.sim), pid: net.pid };
        let all: Vec<_> = batch.entries.iter().filter_map(|e| Some((e.id.clone()?, 200))).collect();
        let _ = journal::note(&disk, &all);
    }
    out
}

/// What arrives at the server instead.
pub(crate) fn call(world: &World, call: &Call) -> Call {
    let mut call = call.clone();
    let id = call.path().strip_prefix(LOCKS).and_then(|rest| rest.strip_prefix('/'));
    if let (Some(Planted::ReleaseUnchecked), "DELETE", Some(id)) =
        (world.planted, call.method.as_str(), id)
    {
        let holder = world.server.texts(&format!("SELECT session_id FROM claim WHERE id = '{id}'"));
        if let Some(holder) = holder.first() {
            call.target = format!("{LOCKS}/{id}?session_id={holder}");
        }
    }
    call
}

/// What is done to the database behind a call.
pub(crate) fn after(world: &World, call: &Call) {
    if world.planted == Some(Planted::BackDated) && call.path().ends_with("/batch") {
        let seen = world.server.claims_seen();
        world.server.tamper(&format!(
            "UPDATE claim SET acquired_at = acquired_at - 60000 WHERE seq > {seen}"
        ));
    }
}

/// The version of the replica at this moment.
pub(crate) fn version(net: &SimNet) -> String {
    let world = net.sim.look();
    let machine = &world.machines[world.processes[net.pid].machine];
    Copies::note(&machine.copies.base, "replica_version").unwrap_or_default()
}

/// A piece of the feed has arrived; when it was asked for, the replica had this version.
pub(crate) fn arrived(
    net: &SimNet,
    out: &Outgoing,
    answer: &Result<Incoming, NetError>,
    version: &str,
) {
    let Ok(answer) = answer else { return };
    if !out.path.starts_with(FEED) || answer.status != 200 {
        return;
    }
    let Some(feed) = answer.json().filter(|feed| feed["cursor"].is_string()) else { return };
    let world = &mut *net.sim.look();
    let machine = world.processes[net.pid].machine;
    let since = out.path.rsplit_once("since=").map_or("", |(_, since)| since);
    let base = &world.machines[machine].copies.base;
    let note = |name: &str| Copies::note(base, name).unwrap_or_default();
    let not_needed = note("feed_cursor") != since || note("replica_version") != version;
    if world.planted == Some(Planted::ReplicaRegresses) && !since.is_empty() {
        let sql = "UPDATE meta SET value = ?2 WHERE name = ?1";
        base.execute(sql, ["feed_cursor", since]).expect("the table is there");
        base.execute(sql, ["replica_version", version]).expect("the table is there");
    }
    if not_needed {
        world.mark("feed: not needed");
    }
    if feed["reset"] == Value::Bool(true) {
        world.mark("feed: reset");
    }
}
