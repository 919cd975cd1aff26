//! `custode serve`.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::print::{self, say};
use super::{Exit, Global};
use crate::archive::{Archive, Opened};
use crate::error::{AtPlace, Code, Error, Result};
use crate::http::{ServeOptions, Server};

/// Libraries whose logs are never written: certval names the subjects of certificates it does not like.
const SILENT: [&str; 1] = ["certval"];

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen; without it, what custode.toml says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// How logs are written, on standard error.
    #[arg(long, value_parser = ["text", "json"])]
    log: Option<String>,
}

/// Serves until it is told to stop.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let folder = global.archive.clone();
    let opened = tokio::task::spawn_blocking(move || Archive::open_or_find(&folder))
        .await
        .map_err(|_| Error::new(Code::Internal, "opening the archive panicked"))??;
    let archive = match opened {
        Opened::Here(archive) => archive,
        Opened::Served { address, .. } => return Err(Error::new(Code::ArchiveLocked, "already served").at(address)),
    };
    let format = args.log.unwrap_or_else(|| archive.log_format().to_owned());
    logs(&format, archive.log_level());
    let options = ServeOptions { listen: args.listen.unwrap_or(archive.listen()), grace: Duration::from_secs(30) };
    let server = Server::start(archive, &options).await?;
    if global.json {
        print::json(&serde_json::json!({ "listening": format!("http://{}", server.address) }))?;
    } else {
        print::line(&format!("{} http://{}", say(global.lang(), "in ascolto su", "listening on"), server.address))?;
    }
    told_to_stop().await?;
    server.stop().await?;
    Ok(Exit::Good)
}

/// Returns when somebody interrupts or terminates this process.
pub(super) async fn told_to_stop() -> Result<()> {
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).at("signal handler")?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome.at("signal handler")?,
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    Ok(())
}

pub(super) fn logs(format: &str, level: &str) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(std::env::var("CUSTODE_LOG").ok().as_deref(), level))
        .with_writer(std::io::stderr)
        // Colours are for terminals: in a journal they are noise.
        .with_ansi(std::io::stderr().is_terminal());
    // A second subscriber (a test that serves twice in one process) is not an error.
    let _ = if format == "json" { builder.json().try_init() } else { builder.try_init() };
}

/// What is logged: as the environment says, else as the configuration does.
fn filter(environment: Option<&str>, level: &str) -> EnvFilter {
    // A bare level is about us: other libraries speak up from warnings on, since what they log is not ours to vouch for.
    let wanted = if level.contains(['=', ',']) { level.to_owned() } else { format!("custode={level},warn") };
    let chosen = environment.and_then(|text| EnvFilter::try_new(text).ok());
    let silent = SILENT.into_iter().filter_map(|library| format!("{library}=off").parse().ok());
    silent.fold(chosen.unwrap_or_else(|| EnvFilter::new(wanted)), EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_library_that_names_persons_is_in_no_log_whatever_is_asked_for() {
        for (environment, level) in
            [(None, "info"), (None, "debug,certval=trace"), (Some("trace"), "info"), (Some("certval=error"), "info")]
        {
            let kept = Kept::default();
            let writer = kept.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter(environment, level))
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || {
                tracing::error!(target: "certval::util::pdv_utilities", "certificate with subject CN=Rossi Mario");
                tracing::error!(target: "custode::archive", "damaged");
            });
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert!(!text.contains("Rossi"), "{environment:?} {level}: {text}");
            assert_eq!(
                text.contains("damaged"),
                environment != Some("certval=error"),
                "{environment:?} {level}: {text}"
            );
        }
    }
}
