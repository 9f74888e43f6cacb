//! Another program, run to its end: bounded time and output.

use std::io::{Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes that it may print: about a million names of files.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most bytes of a complaint that are kept.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it said besides, its beginning.
    pub complaint: Vec<u8>,
}

impl Ended {
    /// The first line of its complaint that says something, without control characters.
    pub fn first_complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.complaint);
        let first = text.lines().map(str::trim).find(|l| !l.is_empty());
        first.unwrap_or("nothing").chars().filter(|c| !c.is_control()).collect()
    }
}

/// Why there is no end to tell of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// It is not there, or the folder is not.
    #[error("cannot be started there ({0})")]
    Start(String),
    /// It took too long.
    #[error("did not answer within {:.1} seconds", .0.as_secs_f32())]
    Slow(Duration),
    /// It said too much.
    #[error("says more than {OUTPUT_BYTES_MAX} bytes")]
    Long,
}

/// Runs it, with this on its stdin. One that takes too long, or says too much, is killed.
pub fn run(mut command: Command, stdin: Vec<u8>, within: Duration) -> Result<Ended, Unfinished> {
    let until = Instant::now() + within;
    command.stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Unfinished::Start(e.to_string()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // It may say what is wrong before it has read everything.
        thread::spawn(move || pipe.write_all(&stdin));
    }
    let said = reading(child.stdout.take(), OUTPUT_BYTES_MAX + 1);
    let complaint = reading(child.stderr.take(), COMPLAINT_BYTES_MAX);
    let Ok(stdout) = said.recv_timeout(within) else {
        end(&mut child);
        return Err(Unfinished::Slow(within));
    };
    if stdout.len() as u64 > OUTPUT_BYTES_MAX {
        end(&mut child);
        return Err(Unfinished::Long);
    }
    // Its output has ended, so it has, or is about to.
    let left = until.saturating_duration_since(Instant::now());
    let complaint = complaint.recv_timeout(left).unwrap_or_default();
    let status = child.wait().map_err(|e| Unfinished::Start(e.to_string()))?;
    Ok(Ended { status, stdout, complaint })
}

/// Reads a pipe up to a bound on a thread of its own: a read has no end of its own.
fn reading<R: Read + Send + 'static>(pipe: Option<R>, most: u64) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read before a failure is judged by git's status.
            let _ = pipe.take(most).read_to_end(&mut bytes);
        }
        let _ = send.send(bytes);
    });
    receive
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_says_and_how_it_ends() {
        let within = Duration::from_secs(5);
        let ended = run(shell("cat; echo '\n  bad\tthing' >&2; exit 3"), b"in".to_vec(), within);
        let ended = ended.unwrap();
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(3), b"in".as_slice()));
        assert_eq!(ended.first_complaint(), "badthing");
        // It need not read what it is given.
        assert!(run(shell("exit 0"), vec![b'x'; 1 << 20], within).unwrap().status.success());
        let missing = run(Command::new("/nowhere/at/all"), Vec::new(), within);
        assert!(matches!(missing, Err(Unfinished::Start(_))), "{missing:?}");
    }

    #[test]
    fn it_is_not_waited_for_without_end() {
        let within = Duration::from_millis(100);
        let slow = run(shell("exec sleep 30"), Vec::new(), within);
        assert_eq!(slow.unwrap_err(), Unfinished::Slow(within));
        let long = run(shell("exec cat /dev/zero"), Vec::new(), Duration::from_secs(30));
        assert_eq!(long.unwrap_err(), Unfinished::Long);
    }
}
