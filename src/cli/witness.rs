//! `custode witness init | serve | forget`: keeps the last checkpoint of archives it is told about, on another machine than theirs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::print::{self, say};
use super::{Exit, Global, serve};
use crate::chain::note::Verifier;
use crate::chain::witness::{Keeper, create_key, forget};
use crate::clock::SystemClock;
use crate::error::{Code, Error, Result};
use crate::http::witness::Server;

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the witness's key and prints its public half (vkey), for the archives' custode.toml.
    Init {
        /// Folder of the witness.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Its name: a host and path it answers for, without scheme, as witness.example.org/w1.
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Answers archives over HTTP until it is told to stop.
    Serve {
        /// Where to listen; put a TLS server in front of it when archives reach it over networks of others.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8481")]
        listen: SocketAddr,
        /// Folder of the witness.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// An archive it witnesses: its public key (vkey), or a file that holds it, as chain/archive.vkey. Of an archive that changed
        /// its key, every key, oldest first: once a newer one has signed, an older one is not taken any more.
        #[arg(long, value_name = "VKEY", required = true)]
        log: Vec<String>,
    },
    /// Lets go of what was seen of an archive that was restored from an older copy, when its manager has declared that; what was
    /// seen is set aside, not deleted.
    Forget {
        /// Folder of the witness, which must not be serving.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The archive: its public key (vkey), or a file that holds it.
        #[arg(long, value_name = "VKEY")]
        log: String,
    },
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    match command {
        Command::Init { dir, name } => {
            let vkey = create_key(&dir, &name)?.to_string();
            if global.json {
                print::json(&json!({ "vkey": vkey }))?;
            } else {
                print::line(&vkey)?;
            }
        }
        Command::Forget { dir, log } => {
            let origin = Verifier::from_text_or_file(&log)?;
            let aside = forget(&dir, origin.name())?;
            let aside =
                aside.ok_or_else(|| Error::new(Code::WitnessLog, "nothing was seen of it").at(origin.name()))?;
            if global.json {
                print::json(&json!({ "aside": aside }))?;
            } else {
                print::line(&format!(
                    "{} {}",
                    say(global.lang(), "messo da parte in", "set aside in"),
                    aside.display()
                ))?;
            }
        }
        Command::Serve { listen, dir, log } => {
            let keys = log.iter().map(|text| Verifier::from_text_or_file(text)).collect::<Result<Vec<_>>>()?;
            let keeper = tokio::task::spawn_blocking(move || Keeper::open(&dir, &keys, Arc::new(SystemClock)));
            let keeper = keeper.await.map_err(|_| Error::new(Code::Internal, "opening the witness panicked"))??;
            serve::logs("text", "info");
            let vkey = keeper.verifier().to_string();
            let server = Server::start(keeper, listen).await?;
            let address = format!("http://{}", server.address);
            if global.json {
                print::json(&json!({ "listening": address, "vkey": vkey }))?;
            } else {
                print::line(&format!("{} {address}  {vkey}", say(global.lang(), "in ascolto su", "listening on")))?;
            }
            serve::told_to_stop().await?;
            server.stop().await;
        }
    }
    Ok(Exit::Good)
}
