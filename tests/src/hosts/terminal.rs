//! Claude Code at a pseudo-terminal, as its person has it open: idle once it has answered.

use std::fs;
use std::io::{self, PipeWriter};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Host, Hosts, KEY};
use crate::command::Started;
use crate::model::Model;
use crate::workstation::Workstation;

/// A conversation whose person types nothing; ends with its owner.
pub struct Terminal {
    started: Option<Started>,
    _keyboard: PipeWriter,
}

impl Hosts {
    /// Opens Claude Code with these further arguments, and a first prompt.
    #[track_caller]
    pub fn at_terminal(&self, desk: &Workstation, model: &Model, args: &[&str]) -> Terminal {
        answer_first_questions(desk);
        let program = self.programs().join(Host::Claude.name());
        let command = format!("{} {} hello", program.display(), args.join(" "));
        let script = ["-qefc", &command, "/dev/null"];
        let run = Host::Claude
            .env(model)
            .into_iter()
            .fold(desk.run_program("script".as_ref(), &script), |run, (name, value)| {
                run.env(name, &value)
            });
        let (keys, keyboard) = io::pipe().expect("a pipe can be made");
        let run = run.env("PATH", &super::path_with_ours()).env("TERM", "xterm");
        Terminal { started: Some(run.start_reading(keys)), _keyboard: keyboard }
    }
}

/// What it asks a new user for: the look, whether to use the key, whether to trust the folder.
fn answer_first_questions(desk: &Workstation) {
    let known = &KEY[KEY.len() - 20..];
    let project = desk.project().display().to_string();
    let answers = json!({
        "hasCompletedOnboarding": true,
        "customApiKeyResponses": {"approved": [known], "rejected": []},
        "projects": {project: {"hasTrustDialogAccepted": true}},
    });
    let file = desk.home().join(".claude.json");
    fs::write(file, answers.to_string()).expect("it can be written");
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let Some(started) = self.started.take() else { return };
        // `script` passes it on, and Claude Code ends what it has started.
        let pid = i32::try_from(started.pid()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let _ = started.wait();
    }
}
