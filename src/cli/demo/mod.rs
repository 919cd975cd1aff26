//! `custode demo [DIR]`: the whole way of a document, in seconds and with nothing mocked.
//!
//! It makes a trial archive, starts the real server on a free port and does everything else as an upstream service, a
//! manager and an auditor would: over HTTP, with tokens made through the interface. The bundle is verified with nothing but
//! itself and the two public anchors. Invariant: the outcome is good only if every step was.

mod deposits;
mod next;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use self::story::Story;
use super::api::{Api, Payload};
use super::print::{self, say};
use super::{Exit, Global, check, export, seal};
use crate::archive::init::{self, Made, Wishes};
use crate::archive::{Archive, keys};
use crate::clock::SystemClock;
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::exhibit::verify::{Trust, verify};
use crate::http::{ServeOptions, Server};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the archive and the bundle are left; must be new or empty.
    #[arg(default_value = "./custode-demo")]
    dir: PathBuf,
}

/// Where things are.
struct Places {
    archive: PathBuf,
    bundle: PathBuf,
    vkey: PathBuf,
    anchor: PathBuf,
}

impl Places {
    fn new(dir: &Path) -> Self {
        let archive = dir.join("archive");
        Self {
            bundle: dir.join("bundle.zip"),
            vkey: archive.join("chain").join("archive.vkey"),
            anchor: dir.join("archive.keys").join(keys::ANCHOR),
            archive,
        }
    }
}

/// Runs the demonstration.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let lang = global.lang();
    let dir = args.dir.as_path();
    if dir.is_dir() && std::fs::read_dir(dir).at_path(dir)?.next().is_some() {
        return Err(Error::new(Code::FolderNotEmpty, "").at(dir.display()));
    }
    durable::create_dir_all(dir)?;
    let places = Places::new(dir);
    let mut story = Story::new(lang, global.json);
    story.aside("PROVA: senza valore legale. A trial: nothing made here has legal value.")?;

    let wishes = Wishes { profile: "trial".to_owned(), ..Wishes::default() };
    let made = init::init(&places.archive, &wishes)?;
    story.step(
        "archive",
        "Un archivio nuovo",
        "A new archive",
        json!({ "archive": places.archive, "vkey": made.vkey }),
    )?;
    story.line(&places.archive.display().to_string())?;
    story.line(&format!("{} {}", say(lang, "chiave pubblica", "public key"), made.vkey))?;

    let root = places.archive.clone();
    let archive = blocking(move || Archive::open_with(&root, Arc::new(SystemClock))).await?;
    let options = ServeOptions { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), grace: Duration::from_secs(10) };
    let server = Server::start(Arc::clone(&archive), &options).await?;
    let address = format!("http://{}", server.address);
    story.step("server", "Un server", "A server", json!({ "address": address }))?;
    story.line(&address)?;
    let way = over_http(&address, &made, &places, &mut story).await;
    drop(archive);
    let stopped = server.stop().await;
    let found = way?;
    stopped?;

    let verified = offline(&places, &mut story).await?;
    let exit = if found.good && verified { Exit::Good } else { Exit::Bad };
    next::tell(&places, &found, &mut story)?;
    story.finish(dir, exit == Exit::Good)?;
    Ok(exit)
}

/// What the steps over HTTP came to.
struct Found {
    good: bool,
    /// Documents worth looking at: the invoice, and the identity card.
    invoice: String,
    invoice_number: String,
}

async fn over_http(address: &str, made: &Made, places: &Places, story: &mut Story) -> Result<Found> {
    let lang = story.lang();
    let manager = Api::at(address, &made.manager_token)?;
    let system =
        json!({ "name": "Sistema di versamento (esempio)", "system": true, "roles": ["producer"], "label": "esempio" });
    let system = manager.post("/v1/persons", system).await?;
    let producer = token(&manager, json!({ "role": "producer", "person": system["person"], "expires": "1d" })).await?;
    let auditor = token(&manager, json!({ "role": "auditor", "expires": "1d" })).await?;
    story.step(
        "tokens",
        "Due token, dati dal responsabile",
        "Two tokens, given by the manager",
        json!(["producer", "auditor"]),
    )?;
    story.line(say(
        lang,
        "produttore: versa, non legge. verificatore: legge, non modifica",
        "producer: deposits, reads nothing. auditor: reads, changes nothing",
    ))?;

    let producer = Api::at(address, &producer)?;
    let deposited = deposits::all(&producer, story).await?;

    story.step("seal", "Sigillo dei pacchetti aperti", "The open packages are sealed", Value::Null)?;
    let sealed = manager.post("/v1/seal", json!({})).await?;
    story.fact("report", sealed.clone());
    story.say(|| seal::text(&sealed, lang))?;

    story.step("check", "Verifica completa", "A full check", Value::Null)?;
    let auditor = Api::at(address, &auditor)?;
    let report = check::through(&auditor, json!({ "mode": "full" }), true).await?;
    story.fact("report", report.clone());
    story.say(|| check::text(&report, lang))?;

    let number = &deposited.invoice_number;
    let criterion = format!("number={number}");
    story.step("search", "Ricerca", "A search", json!({ "class": "invoice", "criteria": [criterion] }))?;
    let page = auditor.post("/v1/documents/search", json!({ "class": "invoice", "criteria": [criterion] })).await?;
    let rows = page["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
    story.fact("found", json!(rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>()));
    for row in rows {
        let text = |key: &str| print::printable(row[key].as_str().unwrap_or_default());
        story.line(&format!("{criterion}: {}  {}  {}", text("id"), text("package"), text("name")))?;
    }
    let found = rows.iter().any(|row| row["id"] == *deposited.invoice);
    let same = read_back(&auditor, &deposited, story).await?;

    story.step(
        "export",
        "Pacchetto di distribuzione per chi verifica",
        "An evidence bundle for whoever verifies",
        Value::Null,
    )?;
    let request = json!({ "documents": deposited.chosen, "lang": say(lang, "it", "en") });
    let facts = export::make(&auditor, request, &places.bundle, true).await?;
    story.fact("bundle", facts);
    let size = std::fs::metadata(&places.bundle).at_path(&places.bundle)?.len();
    let documents = say(lang, "documenti", "documents");
    story.line(&format!(
        "{}: {} {documents}, {}",
        places.bundle.display(),
        deposited.chosen.len(),
        print::size(size)
    ))?;

    let good = sealed["findings"].as_array().is_some_and(Vec::is_empty)
        && check::exit(&report) == Exit::Good
        && deposited.refused_as_it_should
        && found
        && same;
    Ok(Found { good, invoice: deposited.invoice, invoice_number: deposited.invoice_number })
}

async fn token(manager: &Api, wish: Value) -> Result<String> {
    let made = manager.post("/v1/tokens", wish).await?;
    Ok(made["secret"].as_str().unwrap_or_default().to_owned())
}

/// The bytes that come back are those that went in.
async fn read_back(auditor: &Api, deposited: &deposits::Deposited, story: &mut Story) -> Result<bool> {
    let path = format!("/v1/documents/{}/content", deposited.invoice);
    let reply = auditor.send(Method::GET, &path, &[], Payload::Empty).await?;
    let mut bytes = Vec::new();
    reply.copy_to(&mut bytes, "the invoice").await?;
    let same = bytes == deposited.invoice_bytes;
    story.fact("same_bytes", json!(same));
    let lang = story.lang();
    story.line(if same {
        say(lang, "riletto: byte per byte quello versato", "read back: byte for byte what was deposited")
    } else {
        say(lang, "riletto: NON è quello versato", "read back: NOT what was deposited")
    })?;
    Ok(same)
}

/// The bundle alone, with the archive's public key and the authority's certificate, as if they had come another way.
async fn offline(places: &Places, story: &mut Story) -> Result<bool> {
    let lang = story.lang();
    story.step(
        "verify",
        "Verifica fuori linea, senza archivio",
        "Verification offline, without the archive",
        Value::Null,
    )?;
    let (anchor, vkey, bundle) = (places.anchor.clone(), places.vkey.clone(), places.bundle.clone());
    let report = blocking(move || {
        let trust = Trust::load(&[anchor], Some(&vkey.display().to_string()), &[])?;
        verify(&bundle, &trust)
    })
    .await?;
    let report = serde_json::to_value(&report).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    story.fact("report", report.clone());
    story.say(|| super::verify::text(&report, lang))?;
    Ok(check::exit(&report) == Exit::Good)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::new(Code::Internal, "a step panicked"))?
}
