//! Whether an archive survived: opened on what the power cut left.

use std::collections::BTreeSet;
use std::path::Path;

use custode::archive::Archive;
use custode::archive::find::Request;
use custode::archive::inspect::CheckRequest;
use custode::clock::Clock as _;
use custode::id::CheckId;

use super::act::{Ahead, Hand, actor, open};
use super::audit;
use super::promise::Promise;
use super::record::{Catalog, put};
use super::sandbox::{Acknowledged, Sandbox};
use super::scenes::Scene;
use super::state::Tree;

/// Makes the disk and judges what is on it. `keys` of documents that may be there without having been acknowledged are the
/// scene's own: it is done again, and gives their receipts.
pub fn judge(scene: &Scene, tree: &Tree, catalog: Option<&Catalog>, promises: &[Promise], manager: &str, when: &str) {
    let sandbox = Sandbox::empty();
    tree.make(&sandbox.path(""));
    if let Some(catalog) = catalog {
        put(catalog, &sandbox.root().join("catalog"));
    }
    let root = sandbox.root();
    promises.iter().for_each(|promise| promise.holds_on_disk(&root, when));
    let archive = open(&root, scene.ahead).unwrap_or_else(|error| panic!("{when}: does not open: {error}"));
    promises.iter().for_each(|promise| promise.holds(&archive, &root, when));
    nothing_half_done(&archive, &root, when);

    let mut all = promises.to_vec();
    let mut hand = Hand { archive, root: &root, manager, promises: &mut all, watched: None };
    (scene.act)(&mut hand).unwrap_or_else(|error| panic!("{when}: not done by the second run: {error}"));
    (scene.afterwards)(&root);
    hand.seal().unwrap_or_else(|error| panic!("{when}: not sealed: {error}"));
    let archive = hand.archive;
    let request = CheckRequest::default();
    let report = archive.check(&actor(&archive), CheckId::new(Ahead(scene.ahead).now()), &request, &|_, _| {}).unwrap();
    assert_eq!(report["outcome"], "good", "{when}: {report}");
    all.iter().for_each(|promise| promise.holds(&archive, &root, when));
    archive.close().unwrap_or_else(|error| panic!("{when}: does not close: {error}"));
    drop(archive);
    let acknowledged: Vec<Acknowledged> = all
        .into_iter()
        .filter_map(|promise| match promise {
            Promise::Document(one) => Some(*one),
            _ => None,
        })
        .collect();
    audit::sealed_at(&root, &acknowledged);
}

/// What can be seen is whole: the packages are those of the chain, and every row has its document.
fn nothing_half_done(archive: &Archive, root: &Path, when: &str) {
    let actor = actor(archive);
    let listed = archive.packages(&actor, None, None, Some(1000)).unwrap();
    let listed: BTreeSet<String> =
        listed["packages"].as_array().unwrap().iter().map(|row| row["package"].as_str().unwrap().to_owned()).collect();
    let mut sealed = 0;
    let mut chained = BTreeSet::new();
    for entry in audit::entries(root).iter().filter(|entry| entry["kind"] == "package") {
        let package = &entry["package"];
        chained.insert(format!("{}/{}", package["series"].as_str().unwrap(), package["number"]));
        sealed += package["documents"].as_u64().unwrap();
    }
    assert_eq!(listed, chained, "{when}: packages in view and on the chain");
    let found = archive.search(&actor, &Request { limit: Some(100), ..Request::default() }).unwrap();
    let rows = found["documents"].as_array().unwrap();
    let with_package = rows.iter().filter(|row| row["status"] == "sealed").count() as u64;
    assert_eq!(with_package, sealed, "{when}: sealed documents in view and on the chain");
    for row in rows {
        let mut content = Vec::new();
        let id = row["document"].as_str().or(row["id"].as_str()).unwrap();
        archive
            .content(&actor, id.parse().unwrap(), None, None)
            .and_then(|mut read| read.read_to_end(&mut content).map_err(|e| custode::error::Error::io("content", e)))
            .unwrap_or_else(|error| panic!("{when}: a row without its document: {error}"));
        let sha256 = custode::hash::Sha256::of(&content).to_string();
        assert_eq!(row["sha256"], sha256, "{when}: a row whose document is another");
    }
}
