//! Whether a replica that was read to its end is the server's rows, and `ahead` the same when
//! nothing waits.

use std::sync::Arc;

use crate::copies::{TABLES, columns_sql, rows_sql, texts};
use crate::files::Pid;
use crate::kit::Kit;
use crate::world::{MINUTE, Sim};

/// Pulls until there must be success, ten minutes apart.
const PULLS_MAX: usize = 20;

/// Pulls to the end, and compares.
pub(crate) fn check(sim: &Arc<Sim>, machine: usize) -> Result<(), String> {
    let done = sim.run(machine, 0, |pid| pull(sim, pid));
    if done != Some(true) {
        return Err(format!("workstation {machine} cannot read the feed to its end"));
    }
    let world = sim.look();
    let copies = &world.machines[machine].copies;
    for table in TABLES {
        let columns = texts(&copies.base, &columns_sql(table));
        // Of mail a workstation gets its own, and what is for all.
        let mine = format!(
            "SELECT seq FROM message WHERE to_session = 'ALL_SESSIONS'
             OR to_session LIKE 'M{machine}/%' OR to_session = 'M{machine}'
             OR from_session LIKE 'M{machine}/%'"
        );
        let condition = match table {
            "message" => format!("seq IN ({mine})"),
            "receipt" => {
                format!("message_seq IN ({mine}) OR session_id LIKE 'M{machine}/%'")
            }
            _ => "1".to_owned(),
        };
        let theirs = world.server.texts(&rows_sql(&columns, table, &condition));
        for (name, conn) in [("base", &copies.base), ("ahead", &copies.ahead)] {
            let ours = texts(conn, &rows_sql(&columns, table, "1"));
            differ(&ours, &theirs).map_err(|why| format!("M{machine}, {name}, {table}: {why}"))?;
        }
    }
    Ok(())
}

/// Reads the feed to its end, and has `ahead` made from it.
fn pull(sim: &Arc<Sim>, pid: Pid) -> bool {
    for _ in 0..PULLS_MAX {
        let kit = Kit::new(sim, pid);
        if kit.pull(&format!("M{}/last", kit.machine)) {
            let standin = kit.standin();
            let made = standin.engine.borrow_mut().refresh("at the end", Vec::new);
            made.expect("a replica can be written");
            return true;
        }
        sim.sleep(pid, 10 * MINUTE);
    }
    false
}

/// The first rows that only one side has.
fn differ(ours: &[String], theirs: &[String]) -> Result<(), String> {
    let missing = theirs.iter().find(|row| !ours.contains(row));
    let surplus = ours.iter().find(|row| !theirs.contains(row));
    match (missing, surplus) {
        (None, None) => Ok(()),
        _ => Err(format!("the server has {missing:?}, the copy {surplus:?}")),
    }
}
