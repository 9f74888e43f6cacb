//! The faces: each turns requests of one HTTP library into [`crate::api::Call`]s and back. Bounds
//! on heads, bodies, connections and time live here, nothing else.

#[cfg(feature = "axum-face")]
mod axum_face;
#[cfg(feature = "axum-face")]
mod connections;
pub mod gate;
mod request_id;
#[cfg(feature = "axum-face")]
mod streams;
#[cfg(feature = "axum-face")]
mod timed_io;
#[cfg(feature = "tiny-http")]
mod tiny_face;

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::engine::Engine;

/// Which HTTP library speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// axum on hyper.
    #[cfg(feature = "axum-face")]
    Axum,
    /// `tiny_http`.
    #[cfg(feature = "tiny-http")]
    Tiny,
}

impl Face {
    /// The faces that were built in, the default one first.
    pub fn built_in() -> &'static [Self] {
        &[
            #[cfg(feature = "axum-face")]
            Self::Axum,
            #[cfg(feature = "tiny-http")]
            Self::Tiny,
        ]
    }

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "axum-face")]
            Self::Axum => "axum",
            #[cfg(feature = "tiny-http")]
            Self::Tiny => "tiny-http",
        }
    }
}

/// Serves until told to stop.
pub fn serve(face: Face, listener: TcpListener, engine: &Engine, stop: &Stop) -> io::Result<()> {
    match face {
        #[cfg(feature = "axum-face")]
        Face::Axum => axum_face::serve(listener, engine, stop),
        #[cfg(feature = "tiny-http")]
        Face::Tiny => tiny_face::serve(listener, engine, stop),
    }
}

/// Says once, to whoever waits, that it is time to end.
#[derive(Clone, Default)]
pub struct Stop {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// It is time.
    pub fn now(&self) {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.1.notify_all();
    }

    /// Waits until it is time.
    pub fn wait(&self) {
        let mut due = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*due {
            due = self.inner.1.wait(due).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether it is time.
    pub fn is_due(&self) -> bool {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
