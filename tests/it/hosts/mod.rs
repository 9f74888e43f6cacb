//! `coord` in the real clients: Claude Code, Codex CLI and Copilot CLI, driven by a scripted model.

mod events;
