//! What the engine itself has to tell a session: a message like any other, from [`SYSTEM`].

use coord_protocol::edge::id_at;
use coord_protocol::session::{self, SYSTEM};
use coord_protocol::wire::Message;

use super::Cx;
use crate::store::{Stored, Tx};

/// Something a session is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The session.
    pub to: String,
    /// The project it is about.
    pub project_key: String,
    /// One line.
    pub subject: String,
    /// The whole.
    pub body: String,
}

impl Notice {
    /// Puts it into the mailbox. A team claim may have no session, and then nobody can be told so.
    pub(super) fn send(&self, tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
        if session::check(&self.to).is_err() {
            return Ok(());
        }
        tx.add_message(&Message {
            id: id_at(cx.now, cx.rng).to_string(),
            seq: 0,
            from_session: SYSTEM.to_owned(),
            to_session: self.to.clone(),
            project_key: Some(self.project_key.clone()),
            subject: self.subject.clone(),
            body: self.body.clone(),
            created_at: cx.now,
            read_at: None,
            offered_at: None,
            expires_at: None,
        })?;
        Ok(())
    }
}
