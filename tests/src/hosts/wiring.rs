//! A workstation as its user leaves it after `coord init`: wired, and trusted.

use std::fs;

use serde_json::json;

use super::Host;
use crate::workstation::Workstation;

/// Wires these hosts.
#[track_caller]
pub(super) fn wire(desk: &Workstation, hosts: &[Host]) {
    let tools = hosts.iter().flat_map(|host| ["--tool", host.name()]);
    let args: Vec<&str> = ["init", "--yes"].into_iter().chain(tools).collect();
    desk.coord(&args).exits(0);
    for host in hosts {
        trust(*host, desk);
    }
}

/// What its user does, since `coord` never writes it: the host trusts the project.
pub(super) fn trust(host: Host, desk: &Workstation) {
    let project = desk.project();
    let (file, content) = match host {
        // With `-p` it asks nobody.
        Host::Claude => return,
        Host::Codex => {
            let trusted =
                format!("[projects.\"{}\"]\ntrust_level = \"trusted\"\n", project.display());
            (".codex/config.toml", trusted)
        }
        Host::Copilot => {
            (".copilot/config.json", json!({"trusted_folders": [project]}).to_string())
        }
    };
    let file = desk.home().join(file);
    fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("a folder can be made");
    fs::write(file, content).expect("it can be written");
}
