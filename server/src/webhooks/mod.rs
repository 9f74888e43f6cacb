//! Webhooks: events that the rules announce are stored with what caused them, and sent to receivers
//! afterwards (peer's section 11; reliability G50). What decides is pure and always built in
//! (`address`, `payload`, `retry`, `settings`); `sign`, `send` and `lanes` need an HTTP client and come
//! with the feature `webhooks`.

pub mod address;
#[cfg(feature = "webhooks")]
pub mod lanes;
mod outlet;
pub mod payload;
pub mod retry;
#[cfg(feature = "webhooks")]
pub mod send;
pub mod settings;
#[cfg(feature = "webhooks")]
pub mod sign;

pub use outlet::Outlet;
pub use settings::WebhookSettings;
