//! The way of a document from deposit to a bundle that verifies without the archive.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::archive::deposit::{Channel, Deposit, File, Unpacked};
use crate::archive::init::{Wishes, init};
use crate::clock::SystemClock;
use crate::exhibit::tests::verify;
use crate::exhibit::verify::{Outcome, Trust};

struct Made {
    dir: tempfile::TempDir,
    archive: Arc<Archive>,
    actor: Actor,
}

fn made() -> Made {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("archive");
    init(&root, &Wishes { profile: "trial".into(), ..Wishes::default() }).unwrap();
    let archive = Archive::open_with(&root, Arc::new(SystemClock)).unwrap();
    let actor = archive.authenticate(archive.local_token()).unwrap();
    Made { dir, archive, actor }
}

impl Made {
    fn deposit(&self, name: &str, text: &str) -> String {
        let mut spool = self.archive.spool(None).unwrap();
        spool.write(text.as_bytes()).unwrap();
        let spooled = spool.finish().unwrap();
        let body = *spooled.digests();
        let metadata = json!({ "subject": format!("oggetto {name}") }).as_object().unwrap().clone();
        let file = File {
            name: name.into(),
            spooled,
            metadata,
            declared: None,
            relations: Vec::new(),
            unpacked: Unpacked::No,
        };
        let deposit = Deposit {
            channel: Channel::Http,
            class: Some("generic".into()),
            idempotency_key: None,
            duplicate: false,
            dry_run: false,
            metadata_in_url: false,
            body,
            client_manifest: None,
            files: vec![file],
            findings: Vec::new(),
        };
        let answer = self.archive.deposit(&self.actor, deposit).unwrap();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 201, "{body}");
        body["documents"][0]["id"].as_str().unwrap().to_owned()
    }

    fn bundle(&self, request: &BundleRequest) -> Result<(Value, PathBuf)> {
        let id = self.archive.begin_bundle(&self.actor, request)?;
        let facts = self.archive.bundle(&self.actor, id, request, &|_, _| ())?;
        Ok((facts, self.archive.bundle_file(&self.actor, id)?))
    }

    fn trust(&self) -> Trust {
        Trust {
            anchors: Some(self.archive.authorities.anchors().clone()),
            key: Some(self.archive.ledger.keys().current().clone()),
            witnesses: Vec::new(),
        }
    }
}

#[test]
fn a_deposited_document_leaves_in_a_bundle_that_verifies_without_the_archive() {
    let made = made();
    let ids = [made.deposit("uno.txt", "primo testo"), made.deposit("due.txt", "secondo testo")];
    let one = BundleRequest { documents: vec![ids[0].clone()], ..BundleRequest::default() };
    let error = made.bundle(&one).unwrap_err();
    assert_eq!((error.code, &error.place), (Code::NotSealed, &ids[0]));

    made.archive.seal(&made.actor, None).unwrap();
    let search =
        BundleRequest { search: vec!["subject=uno".into()], class: Some("generic".into()), ..BundleRequest::default() };
    let whole = BundleRequest { packages: vec!["generic/1".into()], ..BundleRequest::default() };
    for (request, documents) in [(&one, 1), (&search, 1), (&whole, 2)] {
        let (facts, path) = made.bundle(request).unwrap();
        assert_eq!(facts["documents"], documents);
        let report = verify(&path, &made.trust()).unwrap();
        assert_eq!(report.findings, vec![], "{facts}");
        assert_eq!((report.outcome, report.documents.len()), (Outcome::Good, documents));
        assert!(report.trial && report.documents.iter().all(|d| d.exists_since.is_some()));
        assert_eq!(verify(&path, &Trust::default()).unwrap().outcome, Outcome::Unchecked);

        // The chain knows the bundle, and holds nothing but counts and digests of it.
        let entry = made.archive.ledger.entry(facts["entry"].as_u64().unwrap()).unwrap();
        assert_eq!((entry.kind, &entry.object["sha256"]), (Kind::Bundle, &facts["sha256"]));
        assert_eq!(entry.object.keys().collect::<Vec<_>>(), ["id", "documents", "packages", "bytes", "sha256"]);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut accesses = Vec::new();
    made.archive
        .ledger
        .each_access(|line| {
            accesses.push(line["what"].as_str().unwrap().to_owned());
            Ok(())
        })
        .unwrap();
    assert_eq!(accesses.iter().filter(|what| *what == "bundle").count(), 3);
    drop(made.dir);
}

#[test]
fn a_token_of_other_classes_gets_nothing() {
    let made = made();
    let id = made.deposit("uno.txt", "testo");
    made.archive.seal(&made.actor, None).unwrap();
    let request = BundleRequest { documents: vec![id], ..BundleRequest::default() };
    let bundle = made.archive.begin_bundle(&made.actor, &request).unwrap();
    made.archive.bundle(&made.actor, bundle, &request, &|_, _| ()).unwrap();

    let other = Actor { classes: Some(["invoice".parse().unwrap()].into()), ..made.actor.clone() };
    let refused = made.archive.begin_bundle(&other, &request).unwrap();
    assert_eq!(made.archive.bundle(&other, refused, &request, &|_, _| ()).unwrap_err().code, Code::ClassForbidden);
    assert_eq!(made.archive.bundle_file(&other, bundle).unwrap_err().code, Code::ClassForbidden);
    assert_eq!(made.archive.bundle_file(&made.actor, refused).unwrap_err().code, Code::NotFound);

    // Bundles are copies: after a day they go.
    made.archive.forget_bundles(made.archive.clock.now() + SignedDuration::from_hours(25)).unwrap();
    assert_eq!(made.archive.bundle_file(&made.actor, bundle).unwrap_err().code, Code::NotFound);
}
