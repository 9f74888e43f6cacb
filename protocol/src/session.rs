//! Session names and message addresses.

use crate::limits::NAME_BYTES_MAX;

/// The address of a broadcast (seed 001).
pub const ALL_SESSIONS: &str = "ALL_SESSIONS";
/// The session part of a machine's own mailbox: `<MACHINE>/claude-main`.
pub const MAIN: &str = "claude-main";

/// Who speaks when the engine itself has something to tell.
pub const SYSTEM: &str = "coord/server";

/// Why a session name or address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSession {
    /// Nothing in it.
    #[error("session id is empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("session id is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// White space around it, control or invisible characters within.
    #[error("session id {0:?} holds a character that a name cannot have")]
    Character(String),
}

/// Checks a session id. Any printable text will do; `<MACHINE>/<name>` is the usual form.
pub fn check(id: &str) -> Result<(), BadSession> {
    if id.is_empty() {
        return Err(BadSession::Empty);
    }
    if id.len() > NAME_BYTES_MAX {
        return Err(BadSession::TooLong);
    }
    if id.trim() != id || id.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{2029}') {
        return Err(BadSession::Character(id.to_owned()));
    }
    Ok(())
}

/// The machine part of a session id, when it has one.
pub fn machine_of(id: &str) -> Option<&str> {
    id.split_once('/').map(|(m, _)| m).filter(|m| !m.is_empty())
}

/// The mailbox of a machine.
pub fn main_of(machine: &str) -> String {
    format!("{machine}/{MAIN}")
}

/// Turns what a person types as recipient into an address (seed 001): `ALL`, `fleet` and
/// `broadcast` in any case are the broadcast, a bare machine name is its main mailbox, anything
/// with a `/` is taken as it is.
pub fn address(typed: &str) -> Result<String, BadSession> {
    let t = typed.trim();
    check(t)?;
    if ["ALL", "FLEET", "BROADCAST", ALL_SESSIONS].iter().any(|w| t.eq_ignore_ascii_case(w)) {
        Ok(ALL_SESSIONS.to_owned())
    } else if t.contains('/') {
        Ok(t.to_owned())
    } else {
        Ok(main_of(t))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_typed() {
        for t in ["ALL", "all", "fleet", "Broadcast", "ALL_SESSIONS"] {
            assert_eq!(address(t).as_deref(), Ok(ALL_SESSIONS));
        }
        assert_eq!(address("HOWARD-HOME").as_deref(), Ok("HOWARD-HOME/claude-main"));
        assert_eq!(address("HOWARD-HOME/codex-1").as_deref(), Ok("HOWARD-HOME/codex-1"));
        assert!(address("").is_err());
        assert!(address("a\nb/c").is_err());
    }

    #[test]
    fn machine_part() {
        assert_eq!(machine_of("BOX/claude-main"), Some("BOX"));
        assert_eq!(machine_of("lonely"), None);
        assert_eq!(machine_of("/x"), None);
    }
}
