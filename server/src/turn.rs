//! Turns at a file that processes share. SQLite lets those that wait look again now and then, and with
//! many of them some never look at the right moment; the kernel lets them in one after the other.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use crate::store::private_file;

/// Whoever holds it writes; given back when dropped, or when the process ends.
pub(crate) struct Turn {
    _file: File,
}

/// Waits for a turn. `None`: not got in time, or not to be had here; then SQLite's own locks decide.
pub(crate) fn take(path: &Path, within: Duration) -> Option<Turn> {
    let file = private_file(path).ok()?;
    if file.try_lock().is_ok() {
        return Some(Turn { _file: file });
    }
    // The kernel's wait knows no time limit, so it is waited for in a thread that can be left behind:
    // it ends with the process, and its turn with it.
    let (tell, told) = sync_channel(1);
    thread::Builder::new()
        .name("turn".to_owned())
        .spawn(move || {
            let got = file.lock().map(|()| file);
            // Nobody waits any more: the turn goes with the file.
            let _ = tell.send(got);
        })
        .ok()?;
    let file = told.recv_timeout(within).ok()?.ok()?;
    Some(Turn { _file: file })
}
