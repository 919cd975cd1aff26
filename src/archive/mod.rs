//! (being built)

pub mod access;
pub mod config;
