//! The chain as any C2SP client reads it: checkpoint and tiles, over HTTP and as plain files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::server::{Server, problem, text};

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// RFC 6962 section 2.1, as it is written there.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => hash(&[]),
        [one] => *one,
        all => {
            let split = all.len().next_power_of_two() / 2;
            let (left, right) = all.split_at(split);
            hash(&[&[1], &root(left), &root(right)])
        }
    }
}

/// Lines out of a tile of entries.
fn entries(mut tile: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    while let Some((length, rest)) = tile.split_first_chunk::<2>() {
        let (line, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        lines.push(line.to_vec());
        tile = rest;
    }
    lines
}

#[test]
fn the_tiles_hold_the_chain_and_lead_to_the_checkpoint() {
    let server = Server::new();
    let (producer, manager) = (server.archive.token("producer"), server.archive.manager.clone());
    // Every token is a record on the chain: enough for a full tile and a partial one.
    let size = server.archive.entries().len();
    for n in 0..(260 - size) {
        let body = serde_json::json!({ "role": "reader", "expires": format!("{}d", n + 1) }).to_string();
        assert_eq!(server.post("/v1/tokens", &manager).body(body).send().unwrap().status(), 201);
    }
    let tile = |path: &str| {
        let reply = server.get(&format!("/v1/chain/tile/{path}"), &producer).send().unwrap();
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["content-type"]),
            (200, &"application/octet-stream".parse().unwrap())
        );
        reply.bytes().unwrap().to_vec()
    };
    let checkpoint = server.get("/v1/chain/checkpoint", &producer).send().unwrap().text().unwrap();
    let lines: Vec<&str> = checkpoint.lines().collect();
    let size: usize = lines[1].parse().unwrap();
    assert!(size > 256, "{size}");
    let rest = size - 256;
    let mut held = entries(&tile("entries/000"));
    held.extend(entries(&tile(&format!("entries/001.p/{rest}"))));
    assert_eq!(held.len(), size);
    assert_eq!(
        held[0],
        std::fs::read_to_string(server.archive.path("chain/entries")).unwrap().lines().next().unwrap().as_bytes()
    );
    let leaves: Vec<[u8; 32]> = held.iter().map(|line| hash(&[&[0], line])).collect();
    assert_eq!(STANDARD.encode(root(&leaves)), lines[2]);
    assert_eq!([tile("0/000"), tile(&format!("0/001.p/{rest}"))].concat(), leaves.concat());
    assert_eq!(tile("1/000.p/1"), root(&leaves[..256]));
    // What an older checkpoint leads to is given too, though on disk a full tile took its place.
    assert_eq!(tile("0/000.p/7"), leaves[..7].concat());
    // Until there is a full one every width that a checkpoint went with is a file, for whoever serves the folder as it is.
    for width in 1..=rest {
        let (hashes, lines) = (format!("0/001.p/{width}"), format!("entries/001.p/{width}"));
        let on_disk = |name: &str| std::fs::read(server.archive.path(&format!("chain/tile/{name}"))).unwrap();
        assert_eq!(on_disk(&hashes), leaves[256..256 + width].concat());
        assert_eq!(entries(&on_disk(&lines)), held[256..256 + width]);
    }
    assert!(
        !server.archive.path("chain/tile/0/000.p").exists()
            && !server.archive.path("chain/tile/entries/000.p").exists()
    );
    let check = || server.archive.run(&["check", "--read-only", "--json"]);
    assert_eq!(check().status.code(), Some(0), "{}", text(&check().stdout));
    // A narrower one that is bent, too short or of nobody is told.
    let narrow = server.archive.path("chain/tile/0/001.p/1");
    let good = std::fs::read(&narrow).unwrap();
    for bad in [vec![0; 32], good[..31].to_vec(), [&good[..], &[0]].concat()] {
        std::fs::write(&narrow, bad).unwrap();
        assert_eq!(check().status.code(), Some(1));
        assert!(text(&check().stdout).contains("chain/tile/0/001.p/1"), "{}", text(&check().stdout));
    }
    std::fs::write(&narrow, good).unwrap();
    assert_eq!(std::fs::read(server.archive.path("chain/tile/0/000")).unwrap(), tile("0/000"));
    assert_eq!(std::fs::read(server.archive.path("chain/tile/1/000.p/1")).unwrap(), tile("1/000.p/1"));
    for path in
        [format!("0/001.p/{}", rest + 1), "0/001".into(), "2/000.p/1".into(), "0/..%2f..%2fentries".into(), "x".into()]
    {
        problem(server.get(&format!("/v1/chain/tile/{path}"), &producer).send().unwrap(), 404);
    }
    problem(server.client.get(format!("{}/v1/chain/tile/0/000", server.base)).send().unwrap(), 401);
}
