//! What is interrupted: each scene begins with an archive and does one thing to it.

use std::path::Path;

use custode::archive::manage::NewToken;
use custode::archive::renew::RenewRequest;
use custode::error::{Code, Error, Result};

use super::act::{Hand, open};
use super::promise::Promise;
use super::sandbox::{Sandbox, Wish};

/// An archive to begin with.
pub struct Template {
    pub sandbox: Sandbox,
    pub promises: Vec<Promise>,
    pub manager: String,
}

/// See the module. What it does may be done again at any time, by whoever was interrupted.
#[derive(Clone, Copy)]
pub struct Scene {
    pub name: &'static str,
    /// Seconds between the archive's making and what is done.
    pub ahead: i64,
    pub template: fn() -> Template,
    pub act: fn(&mut Hand<'_>) -> Result<()>,
    /// What must be so when all is done.
    pub afterwards: fn(&Path),
}

fn nothing_else(_: &Path) {}

/// A day and an hour: a time-stamp over the chain is due.
const TOMORROW: i64 = 90_000;
/// Nineteen years and some months: the development authority's certificates have less than one year left.
const LATER: i64 = 606_000_000;

pub const DEPOSIT: Scene = Scene {
    name: "deposit",
    ahead: 0,
    template: || begun(&[0], false),
    act: |hand| {
        hand.deposit(Wish::new(10, 100))?;
        hand.deposit(Wish::new(11, 90_000))?;
        hand.deposit(Wish::new(12, 1_100_000))?;
        hand.refused(Wish::new(13, 50))?;
        hand.read("key-10")
    },
    afterwards: nothing_else,
};

/// A refusal and nothing after it: what is not repeated must be good as it stands.
pub const REFUSAL: Scene = Scene {
    name: "refusal",
    ahead: 0,
    template: || begun(&[0], false),
    act: |hand| if hand.watched.is_some() { hand.refused(Wish::new(13, 50)) } else { Ok(()) },
    afterwards: nothing_else,
};

pub const SEAL: Scene = Scene {
    name: "seal",
    ahead: 0,
    template: || {
        let mut template = begun(&[0], true);
        template.with(0, |hand| {
            // Two cohorts, one of them with a body in a file of its own.
            hand.deposit(Wish::new(1, 300))?;
            hand.deposit(Wish::new(2, 5_000))?;
            hand.deposit(Wish::new(3, 1_100_000))
        });
        template
    },
    act: |hand| hand.seal(),
    afterwards: nothing_else,
};

pub const RENEW_STAMP: Scene = Scene {
    name: "time-stamp renewal",
    ahead: LATER,
    template: || begun(&[1, 2], true),
    act: renew,
    afterwards: renewed_once,
};

pub const RENEW_TREE: Scene = Scene {
    name: "hash-tree renewal",
    ahead: 0,
    template: || {
        let mut template = begun(&[1, 2], true);
        // A table in which SHA-256 ended long ago.
        let table = template.sandbox.root().join("policies/algorithms@1.toml");
        let table = std::fs::read_to_string(table).unwrap().replace("version = 1", "version = 2");
        let table = table.replacen("name = \"SHA-256\"\n", "name = \"SHA-256\"\nuntil = \"2020-12-31\"\n", 1);
        template.with(0, |hand| hand.archive.adopt_policy(&hand.manager()?, table.as_bytes()).map(drop));
        template
    },
    act: renew,
    afterwards: renewed_once,
};

pub const NIGHTLY: Scene = Scene {
    name: "nightly with a time-stamp over the chain",
    ahead: TOMORROW,
    template: || {
        let mut template = begun(&[1], true);
        template.with(0, |hand| hand.read("key-1"));
        template
    },
    act: |hand| {
        let report = hand.archive.nightly(&hand.actor())?;
        // What a disk that failed meanwhile keeps from being looked at is said, and looked at the next time.
        if report["check"]["outcome"] == "unchecked" {
            return Err(Error::new(Code::Io, report["check"]["findings"].to_string()));
        }
        assert_eq!(report["check"]["outcome"], "good", "{report}");
        hand.noted();
        Ok(())
    },
    afterwards: nothing_else,
};

pub const REINDEX: Scene = Scene {
    name: "reindex",
    ahead: 0,
    template: || begun(&[1, 2], true),
    act: |hand| {
        hand.archive.reindex(&hand.actor())?;
        hand.read("key-1")
    },
    afterwards: nothing_else,
};

pub const ACTS: Scene = Scene {
    name: "acts of people",
    ahead: 0,
    template: || begun(&[1], true),
    act: |hand| {
        let manager = hand.manager()?;
        let class = std::fs::read_to_string(hand.root.join("schemas/generic@1.json")).unwrap();
        let class = class.replace("\"version\": 1", "\"version\": 2").replace("class:generic:1", "class:generic:2");
        match hand.archive.adopt_class(&manager, class.as_bytes()) {
            // Adopted already, by whoever was interrupted.
            Err(error) if error.code == Code::ConfigInvalid => {}
            other => drop(other?),
        }
        hand.noted();
        let wish: NewToken = serde_json::from_value(serde_json::json!({ "role": "producer" })).unwrap();
        let made = hand.archive.create_token(&manager, &wish)?;
        hand.archive.authenticate(made["secret"].as_str().unwrap())?;
        hand.noted();
        hand.archive.revoke_token(&manager, made["token"].as_str().unwrap().parse()?)?;
        hand.noted();
        Ok(())
    },
    afterwards: nothing_else,
};

fn renew(hand: &mut Hand<'_>) -> Result<()> {
    let report = hand.archive.renew(&hand.actor(), &RenewRequest::default(), &|_, _| {})?;
    assert_eq!(report["findings"].as_array().map_or(0, Vec::len), 0, "{report}");
    hand.noted();
    Ok(())
}

/// Each package was renewed, and nobody paid for a second time.
fn renewed_once(root: &Path) {
    let mut renewed = Vec::new();
    for entry in super::audit::entries(root) {
        let packages = entry["renewal"]["packages"].as_array().cloned().unwrap_or_default();
        renewed.extend(packages.iter().map(|one| (one["package"].to_string(), one["generation"].as_u64())));
    }
    renewed.sort();
    let generations: Vec<Option<u64>> = renewed.iter().map(|(_, generation)| *generation).collect();
    assert_eq!(generations, [Some(2), Some(2)], "{renewed:?}");
}

/// A trial archive with these deposits, sealed if so told.
fn begun(numbers: &[u64], seal: bool) -> Template {
    let sandbox = Sandbox::empty();
    let made = sandbox.json(&["init"]);
    let manager = made["manager_token"].as_str().unwrap().to_owned();
    let mut template = Template { sandbox, promises: Vec::new(), manager };
    template.with(0, |hand| {
        numbers.iter().try_for_each(|number| hand.deposit(Wish::new(*number, 2_000)))?;
        if seal { hand.seal() } else { Ok(()) }
    });
    template
}

impl Template {
    fn with(&mut self, ahead: i64, act: impl FnOnce(&mut Hand<'_>) -> Result<()>) {
        let root = self.sandbox.root();
        let archive = open(&root, ahead).unwrap();
        let mut hand =
            Hand { archive, root: &root, manager: &self.manager, promises: &mut self.promises, watched: None };
        act(&mut hand).unwrap();
        hand.archive.close().unwrap();
    }
}
