//! The server over HTTP.

mod abuse;
mod batch;
mod changes;
mod crash;
mod database;
mod errors;
mod events;
mod files;
mod framing;
mod gate;
mod histories;
mod late;
mod leases;
mod lists;
mod locks;
mod messages;
mod metrics;
mod once;
mod openapi;
mod ownership;
mod parked;
mod seed;
mod shorthand;
mod slow;
mod webhooks;
