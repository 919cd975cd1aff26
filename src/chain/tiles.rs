//! Tiles: the tree and its entries cut in files that any static web server can serve and any log client can read.
//!
//! Invariant: derived, never read for a verdict about anything else; `tile/` holds the tiles of the checkpoint's size, and of a
//! tile that is not full yet the narrower ones too: who holds an older checkpoint asks for the width that goes with it. They
//! go when the full tile is there, which everybody asks for then. Clause: C2SP tlog-tiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::index::Index;
use crate::durable;
use crate::error::Result;

/// Hashes in a full tile.
const WIDTH: u64 = 256;

/// One tile of a chain of a given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// `None` for a tile of entries.
    pub level: Option<usize>,
    pub number: u64,
    pub width: u64,
}

impl Tile {
    pub fn full(&self) -> bool {
        self.width == WIDTH
    }

    /// Path below `chain/`.
    pub fn path(&self) -> PathBuf {
        if self.full() { self.stem("") } else { self.stem(".p").join(self.width.to_string()) }
    }

    /// Reads a path below `tile/`; `None` when it is not one, or not in its only form.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok().filter(|level| *level < 8)?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
            None => (rest, WIDTH),
        };
        let mut value: u64 = 0;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let digits: u64 = digits.parse().ok().filter(|digits| *digits < 1000)?;
            value = value.checked_mul(1000)?.checked_add(digits)?;
        }
        let tile = Self { level, number: value, width };
        (tile.path() == Path::new("tile").join(path) && !path.contains("//")).then_some(tile)
    }

    /// Whether a chain of this size has all of it.
    pub fn within(&self, size: u64) -> bool {
        let hashes = size >> (8 * self.level.unwrap_or(0));
        self.number.checked_mul(WIDTH).and_then(|first| first.checked_add(self.width)).is_some_and(|end| end <= hashes)
    }

    fn stem(&self, suffix: &str) -> PathBuf {
        let mut path = PathBuf::from("tile");
        path.push(self.level.map_or_else(|| "entries".to_owned(), |level| level.to_string()));
        let mut groups = vec![format!("{:03}{suffix}", self.number % 1000)];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        path.extend(groups.iter().rev());
        path
    }

    /// The beginning of this tile's bytes that is the partial tile of so many hashes or entries.
    pub fn narrower<'a>(&self, bytes: &'a [u8], width: u64) -> Option<&'a [u8]> {
        let mut end = 0;
        for _ in 0..width {
            end += match self.level {
                Some(_) => 32,
                None => 2 + usize::from(u16::from_be_bytes(bytes.get(end..end + 2)?.try_into().ok()?)),
            };
        }
        bytes.get(..end)
    }

    /// Most bytes a file of this tile can have.
    pub fn limit(&self) -> usize {
        let each = if self.level.is_some() { 32 } else { usize::from(u16::MAX) + 2 };
        each * WIDTH as usize
    }

    /// The tile's bytes; `line` gives an entry's bytes. `None` when the index does not reach that far.
    pub fn bytes(&self, index: &Index, line: &dyn Fn(u64) -> Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        for at in self.number * WIDTH..self.number * WIDTH + self.width {
            match self.level {
                Some(level) => match index.tree.subtree(8 * level, at) {
                    Some(hash) => bytes.extend_from_slice(hash.as_bytes()),
                    None => return Ok(None),
                },
                None => {
                    let line = line(at)?;
                    let Ok(length) = u16::try_from(line.len()) else { return Ok(None) };
                    bytes.extend_from_slice(&length.to_be_bytes());
                    bytes.extend_from_slice(&line);
                }
            }
        }
        Ok(Some(bytes))
    }
}

/// Every tile of a chain of this size.
pub(super) fn all(size: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut row = |level: Option<usize>, hashes: u64| {
        for number in 0..hashes.div_ceil(WIDTH) {
            tiles.push(Tile { level, number, width: (hashes - number * WIDTH).min(WIDTH) });
        }
    };
    row(None, size);
    let (mut level, mut hashes) = (0, size);
    while hashes > 0 {
        row(Some(level), hashes);
        level += 1;
        hashes /= WIDTH;
    }
    tiles
}

/// The tiles that the last entry of a chain of this size changed.
fn touched(size: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let last = |level: Option<usize>, hashes: u64| {
        let number = (hashes - 1) / WIDTH;
        Tile { level, number, width: hashes - number * WIDTH }
    };
    tiles.push(last(None, size));
    let (mut level, mut hashes) = (0, size);
    loop {
        tiles.push(last(Some(level), hashes));
        if hashes % WIDTH != 0 {
            return tiles;
        }
        level += 1;
        hashes /= WIDTH;
    }
}

/// Writes what the last entry changed, and removes the partial tiles that a full one replaces. May be repeated.
pub(super) fn write_last(chain: &Path, index: &Index, line: &dyn Fn(u64) -> Result<Vec<u8>>) -> Result<()> {
    touched(index.size()).into_iter().try_for_each(|tile| write(chain, tile, index, line))
}

/// Writes every tile anew (repair).
pub(super) fn write_all(chain: &Path, index: &Index, line: &dyn Fn(u64) -> Result<Vec<u8>>) -> Result<()> {
    durable::remove_dir_all(&chain.join("tile"))?;
    all(index.size()).into_iter().try_for_each(|tile| write(chain, tile, index, line))
}

fn write(chain: &Path, tile: Tile, index: &Index, line: &dyn Fn(u64) -> Result<Vec<u8>>) -> Result<()> {
    let Some(bytes) = tile.bytes(index, line)? else { return Ok(()) };
    let path = chain.join(tile.path());
    let folder = path.parent().unwrap_or(chain);
    durable::create_dir_all(folder)?;
    durable::replace(&path, &bytes, durable::MODE_PLAIN)?;
    let partials = chain.join(tile.stem(".p"));
    if tile.full() && partials.is_dir() {
        durable::remove_dir_all(&partials)?;
    }
    Ok(())
}

/// Expected tiles by path below `chain/`, for the verification.
pub(super) fn expected(size: u64) -> BTreeMap<PathBuf, Tile> {
    all(size).into_iter().map(|tile| (tile.path(), tile)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_tlog_tiles() {
        let path = |level, number, width| Tile { level, number, width }.path().to_str().unwrap().to_owned();
        assert_eq!(path(Some(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Some(1), 0, 3), "tile/1/000.p/3");
        assert_eq!(path(None, 273, 112), "tile/entries/273.p/112");
    }

    #[test]
    fn only_the_one_form_of_a_path_is_read() {
        for tile in all(300_000) {
            let path = tile.path();
            let path = path.strip_prefix("tile").unwrap().to_str().unwrap();
            assert_eq!(Tile::parse(path), Some(tile), "{path}");
            assert!(tile.within(300_000));
        }
        for bad in [
            "",
            "0",
            "0/",
            "0/1",
            "0/0001",
            "0/x000/001",
            "0/001.p/0",
            "0/001.p/256",
            "0/001.p/01",
            "8/000",
            "00/000",
            "0/../000",
            "0/x001/x234/067.p",
            "0//001",
            "0/001/",
            "entries/+01",
            "-1/000",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad}");
        }
        let partial = Tile::parse("1/000.p/3").unwrap();
        assert!(partial.within(768) && !partial.within(767));
    }

    #[test]
    fn a_size_has_the_tiles_the_standard_lists() {
        // tlog-tiles' own example: 70,000 entries are 273 full tiles and one of 112, then one full and one of 17, then 1.
        let tiles = all(70_000);
        let of = |level| tiles.iter().filter(|t| t.level == level).map(|t| t.width).collect::<Vec<_>>();
        assert_eq!((of(Some(0)).len(), of(Some(0)).last().copied()), (274, Some(112)));
        assert_eq!(of(Some(1)), [256, 17]);
        assert_eq!(of(Some(2)), [1]);
        assert_eq!(of(None).len(), 274);
        assert!(all(0).is_empty());
        for size in 1..2_000 {
            assert!(touched(size).iter().all(|t| all(size).contains(t)), "{size}");
        }
    }
}
