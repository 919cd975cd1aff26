//! (being built)

pub mod closing;
