//! `custode deposit`: files and, recursively, folders; a receipt or refusal each.

use std::path::{Path, PathBuf};

use axum::http::Method;
use serde_json::{Map, Value};

use super::api::{Api, Payload};
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{AtPath, Code, Error, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Class of the documents; auto recognises it from the content.
    #[arg(long)]
    class: String,
    /// Metadata of every document, as KEY=VALUE.
    #[arg(short, long = "metadata", value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// Metadata of every document, as a JSON object in a file.
    #[arg(long, value_name = "FILE.json")]
    meta: Option<PathBuf>,
    /// Deposits the same content anew, under a key of its own.
    #[arg(long)]
    key: Option<String>,
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Deposits.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let metadata = metadata(&args)?;
    let mut files = Vec::new();
    for path in &args.paths {
        collect(path, &mut files)?;
    }
    let api = Api::open(global).await?;
    let all = each(&args, global, &api, &files, &metadata).await;
    api.close().await?;
    Ok(if all? { Exit::Good } else { Exit::Bad })
}

async fn each(
    args: &Args,
    global: &Global,
    api: &Api,
    files: &[PathBuf],
    metadata: &Map<String, Value>,
) -> Result<bool> {
    let bar = (files.len() > 1 && print::progress_wanted(global.json))
        .then(|| indicatif::ProgressBar::new(files.len() as u64));
    let mut all = true;
    for file in files {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("class", &args.class)
            .append_pair("name", &name)
            .finish();
        let mut headers = Vec::new();
        if !metadata.is_empty() {
            headers.push(("custode-metadata", ascii(&Value::Object(metadata.clone()).to_string())));
        }
        if let Some(key) = &args.key {
            headers.push(("idempotency-key", key.clone()));
        }
        let reply =
            api.send(Method::POST, &format!("/v1/documents?{query}"), &headers, Payload::File(file.clone())).await?;
        let status = reply.status.as_u16();
        let bytes = reply.bytes().await?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let refused = answer["status"] == "refused";
        if !(200..300).contains(&status) && !refused {
            return Err(crate::http::problem::parse(status, &bytes).at(file.display()));
        }
        all &= !refused;
        if global.json {
            print::json(&answer)?;
        } else {
            text(&answer, file, refused, global)?;
        }
        if let Some(bar) = &bar {
            bar.inc(1);
        }
    }
    Ok(all)
}

fn text(answer: &Value, file: &Path, refused: bool, global: &Global) -> Result<()> {
    let lang = global.lang();
    let id = answer["documents"][0]["id"].as_str().unwrap_or_default();
    let path = file.display().to_string();
    let path = print::printable(&path);
    if refused {
        let refusal = answer["refusal"].as_str().unwrap_or_default();
        print::line(&format!("{}  {path}  {refusal}", say(lang, "RIFIUTATO", "REFUSED")))?;
    } else {
        let sequence = &answer["sequence"];
        print::line(&format!("{}  {path}  {id}  n. {sequence}", say(lang, "accettato", "accepted")))?;
    }
    for document in answer["documents"].as_array().map(Vec::as_slice).unwrap_or_default() {
        print::findings(&document["findings"])?;
    }
    print::findings(&answer["findings"])
}

/// JSON with everything beyond ASCII escaped, so that it fits a header.
pub fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn metadata(args: &Args) -> Result<Map<String, Value>> {
    let mut all = match &args.meta {
        None => Map::new(),
        Some(path) => {
            let bytes = std::fs::read(path).at_path(path)?;
            crate::document::json::strict(&bytes).map_err(|e| {
                let twice = crate::document::json::is_duplicate(&e);
                let what = if twice { "a field is given twice" } else { "a JSON object is expected" };
                Error::new(Code::MetadataNotJson, what).at(format!(
                    "{}, line {}, column {}",
                    path.display(),
                    e.line(),
                    e.column()
                ))
            })?
        }
    };
    for pair in &args.metadata {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| Error::new(Code::Usage, "expected KEY=VALUE").at("--metadata"))?;
        all.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    Ok(all)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    // A link could lead out of the folder, or round in it: only what was named by hand is followed.
    let facts = std::fs::metadata(path).at_path(path)?;
    if !facts.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path).at_path(path)?.collect::<std::io::Result<Vec<_>>>().at_path(path)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().at_path(&entry.path())?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_in_a_header_is_ascii() {
        let escaped = super::ascii("{\"a\":\"è 😀\"}");
        assert!(escaped.is_ascii());
        let back: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(back["a"], "è 😀");
    }
}
