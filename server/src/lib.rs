//! coord's server, a library first: [`service`] holds the rules (commands and queries), [`store`]
//! the database, [`api`] the routes as plain functions, [`engine`] the threads that run them, and
//! [`http`] the faces that speak to the network. A workstation runs the same rules over files of its
//! own: [`local`] where there is no server, [`replica`] beside one.

pub mod api;
pub mod checkout;
pub mod child;
pub mod edge;
pub mod engine;
pub mod git;
pub mod http;
pub mod inline;
pub mod local;
pub mod metrics;
pub mod ownership;
pub mod parked;
pub mod pulse;
pub mod replica;
pub mod serve;
pub mod service;
pub mod settings;
mod start;
pub mod store;
mod turn;
pub mod webhooks;
