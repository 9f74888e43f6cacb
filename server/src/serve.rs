//! Putting a server together: store, engine, face, signals.

use std::io;
use std::net::{SocketAddr, TcpListener};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::info;

use crate::checkout::Checkout;
use crate::engine::Engine;
use crate::http::gate::Gate;
use crate::http::{self, Face, Stop};
use crate::service::Rules;
use crate::settings::Settings;
use crate::store::{OpenError, Store, StoreError};
#[cfg(feature = "webhooks")]
use crate::webhooks::lanes::{Hooks, Lanes};

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database, a little later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address.
    #[error("cannot listen on {address}: {source}{hint}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// `COORD_HTTP` names something else.
    #[error("no HTTP face {0:?} is built in; there are: {1}")]
    NoFace(String, String),
    /// Anything else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A server that listens and has not begun to answer.
pub struct Bound {
    /// Where it listens (with port 0: what the system gave).
    pub address: SocketAddr,
    listener: TcpListener,
    engine: Engine,
    face: Face,
    #[cfg(feature = "webhooks")]
    hooks: Option<Hooks>,
}

/// Connections that the kernel keeps until they are taken in.
const WAIT_FOR_PLACE: i32 = 1_024;

/// Opens the database and the port.
pub fn bind(settings: &Settings) -> Result<Bound, ServeError> {
    let face = face(&settings.face)?;
    let store = Store::open(&settings.database)?;
    let listener = TcpListener::bind(settings.address).map_err(|source| {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "; something else listens there: stop it, or choose another --port"
            }
            _ => "",
        };
        ServeError::Listen { address: settings.address, source, hint }
    })?;
    // A burst of a thousand callers is no attack: none of them is to try again a second later.
    let _ = rustix::net::listen(&listener, WAIT_FOR_PLACE);
    let gate = Gate::new(settings.token.as_deref(), settings.hosts.clone());
    #[cfg(feature = "webhooks")]
    let hooks = settings.webhooks.as_ref().map(|w| Hooks::new(w, &store)).transpose()?;
    let rules = Rules {
        #[cfg(feature = "webhooks")]
        webhooks: hooks.as_ref().map(Hooks::outlet),
        ..settings.rules
    };
    let engine = Engine::start(store, rules, gate, settings.checkout.clone().map(Checkout::new))?;
    Ok(Bound {
        address: listener.local_addr()?,
        listener,
        engine,
        face,
        #[cfg(feature = "webhooks")]
        hooks,
    })
}

fn face(name: &str) -> Result<Face, ServeError> {
    let built_in = Face::built_in();
    let found =
        if name.is_empty() { built_in.first() } else { built_in.iter().find(|f| f.name() == name) };
    found.copied().ok_or_else(|| {
        let names: Vec<_> = built_in.iter().map(|f| f.name()).collect();
        ServeError::NoFace(name.to_owned(), names.join(", "))
    })
}

impl Bound {
    /// Answers until SIGTERM or SIGINT, then finishes what is under way.
    pub fn run(self) -> Result<(), ServeError> {
        let stop = Stop::default();
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let on_signal = stop.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            if signals.forever().next().is_some() {
                on_signal.now();
            }
        })?;
        self.run_until(&stop)
    }

    /// Answers until told to stop.
    pub fn run_until(self, stop: &Stop) -> Result<(), ServeError> {
        info!("listening on http://{}", self.address);
        #[cfg(feature = "webhooks")]
        let lanes = self.hooks.map(|h| h.start(&self.engine));
        let served = http::serve(self.face, self.listener, &self.engine, stop);
        #[cfg(feature = "webhooks")]
        lanes.into_iter().for_each(Lanes::stop);
        served?;
        self.engine.stop();
        info!("stopped");
        Ok(())
    }
}

/// Starts logging to stderr; `level` as in `COORD_LOG_LEVEL`, `json` as in `COORD_LOG_JSON`.
pub fn log_to_stderr(level: &str, json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // A second call (tests) finds a logger in place; that one stays.
    let _ = if json { log.json().try_init() } else { log.try_init() };
}
