//! What only Claude Code has: switches that turn hooks off, and the plugin.

use std::path::PathBuf;

use serde_json::Value;

use super::super::files::read;
use super::super::json::values;
use super::super::wiring::Scope;
use super::Check;
use super::hosts::Surveyed;

/// Settings that an administrator may have put there.
const MANAGED: &str = "/etc/claude-code/managed-settings.json";

/// The settings files that hold in a project, as far as they can be read.
fn settings(places: &[Surveyed<'_>]) -> Vec<(PathBuf, Value)> {
    let mut files = vec![PathBuf::from(MANAGED)];
    for place in places {
        match place.site.scope {
            Scope::User => files.push(place.site.places.claude.join("settings.json")),
            Scope::Project => {
                let folder = place.site.root().join(".claude");
                files.push(folder.join("settings.json"));
                files.push(folder.join("settings.local.json"));
            }
        }
    }
    let parsed = |file: PathBuf| {
        let text = read(&file).ok().flatten()?;
        Some((file, values(&text)?))
    };
    files.into_iter().filter_map(parsed).collect()
}

/// Whether coord's plugin is switched on.
pub(super) fn plugin(places: &[Surveyed<'_>]) -> bool {
    let is_on = |settings: &Value| {
        let all = settings["enabledPlugins"].as_object();
        all.is_some_and(|a| a.iter().any(|(n, on)| n.starts_with("coord@") && *on == true))
    };
    settings(places).iter().any(|(_, s)| is_on(s))
}

pub(super) fn examine(places: &[Surveyed<'_>]) -> Vec<Check> {
    let mut all = Vec::new();
    for (file, settings) in settings(places) {
        for switch in ["disableAllHooks", "allowManagedHooksOnly"] {
            if settings[switch] == true {
                let what = format!("{switch} in {}: no hook of coord's runs", file.display());
                all.push(Check::fail("claude", what, format!("take {switch} out there")));
            }
        }
    }
    all
}
