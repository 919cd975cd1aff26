//! The command line: one file per command, each of which parses, calls one use-case and prints.
//!
//! Invariant: a command does its work through the same HTTP interface, whether a server owns the archive (then over the
//! network, with the local token that stands in `lock`) or nobody does (then this process takes the lock and calls the
//! router in memory). So the two can never differ, and `custode check` from cron never fights a running server.
//! Exit status everywhere: 0 done or good, 1 bad, 2 could not.

mod api;
mod print;

mod adopt;
mod alarms;
mod check;
mod demo;
mod deposit;
mod export;
mod get;
mod init;
mod intake;
mod key;
mod nightly;
mod persons;
mod reindex;
mod renew;
mod repair;
mod restore;
mod retention;
mod seal;
mod search;
mod serve;
mod show;
mod vaults;
mod verify;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Error, Lang};

/// Long-term archive for digital documents under Italian law (conservazione a norma).
#[derive(Debug, Parser)]
#[command(name = "custode", version, about, max_term_width = 110)]
pub struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The archive's folder.
    #[arg(long, global = true, env = "CUSTODE_ARCHIVE", default_value = "./archive", value_name = "DIR")]
    archive: PathBuf,
    /// One JSON document on standard output (one line a result where results stream).
    #[arg(long, global = true)]
    json: bool,
    /// Language of what is printed for people; without it, that of the locale.
    #[arg(long, global = true, env = "CUSTODE_LANG", value_name = "it|en", value_parser = ["it", "en"])]
    lang: Option<String>,
    /// Token of the person or system on whose behalf this is done; without it, the local operator.
    #[arg(long, global = true, env = "CUSTODE_TOKEN", hide_env_values = true, value_name = "TOKEN", hide = true)]
    token: Option<String>,
}

impl Global {
    fn lang(&self) -> Lang {
        let wanted = self.lang.clone().or_else(|| {
            ["LC_ALL", "LC_MESSAGES", "LANG"]
                .into_iter()
                .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        });
        match wanted {
            Some(text) if text.starts_with("it") => Lang::It,
            _ => Lang::En,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole way in seconds: makes a trial archive, deposits one of everything, seals, checks, exports, verifies.
    Demo(demo::Args),
    /// Makes a new archive and prints the first manager token, once.
    Init(init::Args),
    /// HTTP API; closes packages on their rules.
    Serve(serve::Args),
    /// Deposits files and, recursively, folders.
    Deposit(deposit::Args),
    /// Closes open packages now.
    Seal(seal::Args),
    /// Verifies the archive; exit 0 good, 1 bad, 2 could not be checked.
    Check(check::Args),
    /// What is missing, late or about to be; exit 1 when one of them is an error.
    Alarms(alarms::Args),
    /// What must happen every night: seal what is due, check, report.
    Nightly(nightly::Args),
    /// Renews evidence that is about to age; `--plan` says what, when and how long it takes.
    Renew(renew::Args),
    /// Puts bad and missing copies right from good ones; exit 1 when no good copy is left.
    Repair(repair::Args),
    /// Finds documents by metadata.
    Search(search::Args),
    /// Everything known of a document.
    Show(show::Args),
    /// The exact bytes of a document.
    Get(get::Args),
    /// Makes an evidence bundle that verifies without Custode.
    Export(export::Args),
    /// Verifies a bundle offline; needs no archive.
    Verify(verify::Args),
    /// Why, and until when, a document is kept.
    #[command(subcommand)]
    Retention(retention::Command),
    /// Metadata classes.
    #[command(subcommand)]
    Class(adopt::ClassCommand),
    /// Retention and closing policies.
    #[command(subcommand)]
    Policy(adopt::PolicyCommand),
    /// The manual of conservation that receipts and indexes cite.
    #[command(subcommand)]
    Manual(adopt::ManualCommand),
    /// Persons and systems.
    #[command(subcommand)]
    Person(persons::PersonCommand),
    /// Access tokens.
    #[command(subcommand)]
    Token(persons::TokenCommand),
    /// Objects refused too often, and unblocking them.
    #[command(subcommand)]
    Intake(intake::Command),
    /// The key that the archive signs with.
    #[command(subcommand)]
    Key(key::Command),
    /// A witness of other archives' checkpoints (C2SP tlog-witness); needs no archive.
    #[command(subcommand)]
    Witness(witness::Command),
    /// After a copy of the archive was put back: declares what is lost.
    #[command(subcommand)]
    Restore(restore::Command),
    /// Where copies of sealed packages are kept.
    #[command(subcommand)]
    Vault(vaults::Command),
    /// Rebuilds the catalog from the plain files.
    Reindex(reindex::Args),
}

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Exit {
    /// 0: done, or good.
    Good,
    /// 1: bad: refused, damaged, not verified.
    Bad,
    /// 2: could not, or could not be checked.
    Could,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Good => Self::from(0),
            Exit::Bad => Self::from(1),
            Exit::Could => Self::from(2),
        }
    }
}

/// An error with how to print it.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    json: bool,
    lang: Lang,
}

impl Failure {
    /// Prints the error, and gives the exit status of its kind.
    pub fn report(&self) -> ExitCode {
        print::error(&self.error, self.json, self.lang);
        ExitCode::from(self.error.code.kind().exit_status())
    }
}

/// Runs one command.
pub fn run(args: Args) -> Result<Exit, Box<Failure>> {
    let global = args.global;
    let (json, lang) = (global.json, global.lang());
    let failure = |error| Box::new(Failure { error, json, lang });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(crate::http::BLOCKING_THREADS)
        .build()
        .map_err(|e| failure(Error::io("threads", e)))?;
    // A command that only reads (`verify`, `search` …) may be piped into `head`: a closed pipe is not an error.
    // Behind a pointer, every command is compiled once; else once for each way in which the runtime may poll.
    let work: std::pin::Pin<Box<dyn Future<Output = _>>> = Box::pin(dispatch(args.command, &global));
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(std::time::Duration::from_secs(10));
    match outcome {
        Err(error) if print::is_broken_pipe(&error) => Ok(Exit::Good),
        other => other.map_err(failure),
    }
}

async fn dispatch(command: Command, global: &Global) -> crate::error::Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args, global).await,
        Command::Init(args) => init::run(args, global),
        Command::Serve(args) => serve::run(args, global).await,
        Command::Deposit(args) => deposit::run(args, global).await,
        Command::Seal(args) => seal::run(args, global).await,
        Command::Check(args) => check::run(args, global).await,
        Command::Alarms(args) => alarms::run(args, global).await,
        Command::Nightly(args) => nightly::run(args, global).await,
        Command::Renew(args) => renew::run(args, global).await,
        Command::Repair(args) => repair::run(args, global).await,
        Command::Search(args) => search::run(args, global).await,
        Command::Show(args) => show::run(args, global).await,
        Command::Get(args) => get::run(args, global).await,
        Command::Export(args) => export::run(args, global).await,
        Command::Verify(args) => verify::run(args, global).await,
        Command::Retention(command) => retention::run(command, global).await,
        Command::Class(command) => adopt::class(command, global).await,
        Command::Policy(command) => adopt::policy(command, global).await,
        Command::Manual(command) => adopt::manual(command, global).await,
        Command::Person(command) => persons::person(command, global).await,
        Command::Token(command) => persons::token(command, global).await,
        Command::Intake(command) => intake::run(command, global).await,
        Command::Key(command) => key::run(command, global).await,
        Command::Witness(command) => witness::run(command, global).await,
        Command::Restore(command) => restore::run(command, global).await,
        Command::Vault(command) => vaults::run(command, global).await,
        Command::Reindex(args) => reindex::run(args, global).await,
    }
}
