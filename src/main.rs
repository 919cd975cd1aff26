//! Parse, run, and turn what happened into an exit status: 0 done or good, 1 bad, 2 could not.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = custode::cli::Args::parse();
    match custode::cli::run(args) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}
