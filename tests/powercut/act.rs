//! What is done to an archive while its disk is watched, and whom it was promised.

use std::path::Path;
use std::sync::Arc;

use custode::archive::Archive;
use custode::archive::access::Actor;
use custode::archive::deposit::{Channel, Deposit, File, Unpacked};
use custode::clock::Clock;
use custode::document::Metadata;
use custode::durable::trial::Watched;
use custode::error::{Code, Error, Result};

use super::promise::Promise;
use super::sandbox::{Acknowledged, Told, Wish};

/// A clock that is ahead by so many seconds.
pub struct Ahead(pub i64);

impl Clock for Ahead {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now() + jiff::SignedDuration::from_secs(self.0)
    }
}

pub fn open(root: &Path, ahead: i64) -> Result<Arc<Archive>> {
    Archive::open_with(root, Arc::new(Ahead(ahead)))
}

/// Who operates it.
pub fn actor(archive: &Archive) -> Actor {
    archive.authenticate(archive.local_token()).unwrap()
}

/// An open archive, and what was promised of it so far.
pub struct Hand<'a> {
    pub archive: Arc<Archive>,
    pub root: &'a Path,
    /// The secret of the manager's token.
    pub manager: &'a str,
    pub promises: &'a mut Vec<Promise>,
    /// Whose log is to say when something was promised.
    pub watched: Option<&'a Watched>,
}

impl Hand<'_> {
    pub fn actor(&self) -> Actor {
        actor(&self.archive)
    }

    pub fn manager(&self) -> Result<Actor> {
        self.archive.authenticate(self.manager)
    }

    fn promise(&mut self, promise: Promise) {
        self.promises.push(promise);
        if let Some(watched) = self.watched {
            watched.mark(self.promises.len());
        }
    }

    /// Everything that is on the chain and in the records now was acknowledged by what just returned.
    pub fn noted(&mut self) {
        Promise::lines(self.root).into_iter().for_each(|promise| self.promise(promise));
    }

    fn send(&self, wish: &Wish, date: &str) -> Result<Told> {
        let mut spool = self.archive.spool(Some(wish.body.len() as u64))?;
        wish.body.chunks(400_000).try_for_each(|part| spool.write(part))?;
        let spooled = spool.finish()?;
        let mut metadata = Metadata::new();
        metadata.insert("date".to_owned(), date.into());
        let file = File {
            name: format!("{}.bin", wish.key),
            metadata,
            declared: None,
            relations: Vec::new(),
            unpacked: Unpacked::No,
            spooled,
        };
        let deposit = Deposit {
            channel: Channel::Http,
            class: Some("generic".to_owned()),
            idempotency_key: Some(wish.key.clone()),
            duplicate: false,
            dry_run: false,
            metadata_in_url: false,
            body: *file.spooled.digests(),
            client_manifest: None,
            files: vec![file],
            findings: Vec::new(),
        };
        let actor = self.actor();
        self.archive.may_deposit(&actor, Some("generic"))?;
        let answer = self.archive.deposit(&actor, deposit)?;
        Ok(Told { status: answer.status, body: answer.body })
    }

    /// Deposits; the same again when it was accepted before.
    pub fn deposit(&mut self, wish: Wish) -> Result<()> {
        let told = self.send(&wish, wish.date)?;
        assert!(matches!(told.status, 200 | 201), "{}", String::from_utf8_lossy(&told.body));
        let one = Acknowledged::of(wish, &told);
        let known = self.promises.iter().find_map(|promise| match promise {
            Promise::Document(known) if known.wish.key == one.wish.key => Some(known),
            _ => None,
        });
        if let Some(known) = known {
            assert!(known.receipt == one.receipt, "number {} was accepted twice", known.sequence);
            return Ok(());
        }
        self.promise(Promise::Document(Box::new(one)));
        Ok(())
    }

    /// Deposits something that is refused; once, for an object that is refused too often is blocked.
    pub fn refused(&mut self, wish: Wish) -> Result<()> {
        if self.promises.iter().any(|promise| matches!(promise, Promise::Refusal(_))) {
            return Ok(());
        }
        let told = self.send(&wish, "ieri")?;
        assert_eq!(told.status, 422, "{}", String::from_utf8_lossy(&told.body));
        self.promise(Promise::Refusal(told.json()["refusal"].as_str().unwrap().to_owned()));
        Ok(())
    }

    /// Reads a document that was acknowledged.
    pub fn read(&mut self, key: &str) -> Result<()> {
        let document = self.promises.iter().find_map(|promise| match promise {
            Promise::Document(one) if one.wish.key == key => Some(one.document.clone()),
            _ => None,
        });
        let document = document.ok_or_else(|| Error::new(Code::NotFound, "nothing of that key was acknowledged"))?;
        self.archive.content(&self.actor(), document.parse()?, None, None)?;
        self.noted();
        Ok(())
    }

    pub fn seal(&mut self) -> Result<()> {
        let report = self.archive.seal(&self.actor(), None)?;
        assert_eq!(report["findings"].as_array().map_or(0, Vec::len), 0, "{report}");
        self.noted();
        Ok(())
    }
}
