//! Who and where we are: identity, session, project, folders. Read once per command.

pub mod env;
pub mod file;
pub mod identity;
pub mod paths;
pub mod pattern;
pub mod project;
pub mod session;
pub mod tool_call;

/// Configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is not what it should be.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A variable holds something that cannot be used.
    #[error("{name}={value:?}: {why}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong.
        why: String,
    },
    /// The session, made of variables and the identity file, has no usable name.
    #[error("{0}; look at COORD_SESSION_ID, and at machine in identity.json")]
    Session(#[from] coord_protocol::session::BadSession),
    /// A setting of the engine.
    #[error("{0}")]
    Setting(String),
    /// There is no home to keep state in.
    #[error("neither COORD_STATE_DIR nor HOME is set; set one of them")]
    NoHome,
}
