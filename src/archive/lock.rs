//! One process at a time owns an archive: an exclusive operating-system lock on `lock`.
//!
//! Invariant: the contents of `lock` count only while somebody holds it; they say where its server answers and with which
//! local token (0600: whoever reads it may operate the archive anyway, since the files are as near).

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::{Code, Error, Result};

/// What `lock` says while a server holds it.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    pid: u32,
    address: Option<String>,
    token: Option<String>,
}

/// The lock, held.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

/// Who has the archive.
#[derive(Debug)]
pub enum Owner {
    /// This process, now.
    Us(Lock),
    /// A server, that answers here.
    Server {
        /// `http://127.0.0.1:8480`.
        address: String,
        /// An operator's token.
        token: String,
    },
}

/// How long a command waits for another that is about to finish or about to say where it listens.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Takes the lock, or finds the server that holds it. A holder that does not serve (another command) is waited for, a
/// little.
pub fn take(path: &Path) -> Result<Owner> {
    let started = std::time::Instant::now();
    loop {
        if let Some(file) = durable::lock(path)? {
            let lock = Lock { path: path.to_owned(), _file: file };
            lock.write(&Contents { pid: std::process::id(), address: None, token: None })?;
            return Ok(Owner::Us(lock));
        }
        let text = durable::read_plain(path)?;
        let contents: Option<Contents> = serde_json::from_slice(&text).ok();
        if let Some(Contents { address: Some(address), token: Some(token), .. }) = contents {
            return Ok(Owner::Server { address, token });
        }
        if started.elapsed() > PATIENCE {
            let who = contents.map_or_else(|| "another process".to_owned(), |c| format!("process {}", c.pid));
            return Err(
                Error::new(Code::ArchiveLocked, format!("held by {who}, which does not serve")).at(path.display())
            );
        }
        std::thread::sleep(PAUSE);
    }
}

impl Lock {
    /// Says where the server answers.
    pub fn serve_at(&self, address: SocketAddr, token: &str) -> Result<()> {
        let (address, token) = (Some(format!("http://{address}")), Some(token.to_owned()));
        self.write(&Contents { pid: std::process::id(), address, token })
    }

    fn write(&self, contents: &Contents) -> Result<()> {
        // A reader that comes between truncation and write finds no JSON and asks again.
        let text = serde_json::to_vec(contents).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        durable::overwrite(&self.path, &text)
    }
}
