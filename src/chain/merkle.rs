//! The Merkle tree over the chain's lines: roots, inclusion and consistency proofs.
//!
//! Invariant: order is kept and no leaf is doubled; the root of the first `n` leaves never changes once they are there.
//! Clause: RFC 6962 section 2.1, RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verification).

use crate::hash::Sha256;

/// Leaf hash: SHA-256(0x00 ‖ entry).
pub fn leaf(entry: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], entry])
}

/// Node hash: SHA-256(0x01 ‖ left ‖ right).
pub fn node(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Every complete subtree's hash, level by level: 64 bytes an entry (6.4 MB for 100,000), so that any root and any proof
/// costs a few dozen hashes and no file is read for it.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    levels: Vec<Vec<Sha256>>,
}

impl Tree {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds a leaf (its hash).
    pub fn push(&mut self, leaf: Sha256) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            match row.as_slice() {
                [.., left, right] if row.len().is_multiple_of(2) => hash = node(left, right),
                _ => return,
            }
        }
    }

    /// Hash of the complete subtree of 2^`level` leaves at `index`, when it is complete.
    pub fn subtree(&self, level: usize, index: u64) -> Option<Sha256> {
        self.levels.get(level)?.get(usize::try_from(index).ok()?).copied()
    }

    /// Root of all leaves.
    pub fn root(&self) -> Sha256 {
        self.range(0, self.size())
    }

    /// Root of the first `size` leaves.
    pub fn root_at(&self, size: u64) -> Option<Sha256> {
        (size <= self.size()).then(|| self.range(0, size))
    }

    /// Root there would be with one more leaf, which is not added.
    pub fn root_with(&self, leaf: Sha256) -> Sha256 {
        let size = self.size();
        let mut hash = leaf;
        for (level, row) in self.levels.iter().enumerate() {
            if size >> level & 1 == 1
                && let Some(left) = row.last()
            {
                // The last complete subtree of a level whose bit is set is part of no larger one.
                hash = node(left, &hash);
            }
        }
        hash
    }

    /// Audit path, leaf to root, of leaf `index` in the tree of the first `size` leaves.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Sha256>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut low, mut high) = (0, size);
        let mut path = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                path.push(self.range(middle, high));
                high = middle;
            } else {
                path.push(self.range(low, middle));
                low = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// Proof that the tree of `old` leaves is the beginning of the tree of `new` ones; empty for 0 and for equal sizes.
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Sha256>> {
        if old > new || new > self.size() {
            return None;
        }
        let mut path = Vec::new();
        if old == 0 || old == new {
            return Some(path);
        }
        let (mut low, mut high) = (0, new);
        while old != high {
            let middle = low + split(high - low);
            if old <= middle {
                path.push(self.range(middle, high));
                high = middle;
            } else {
                path.push(self.range(low, middle));
                low = middle;
            }
        }
        // `low` is still 0 exactly when the old root itself is a node of the new tree: then the verifier knows it.
        if low != 0 {
            path.push(self.range(low, high));
        }
        path.reverse();
        Some(path)
    }

    fn range(&self, low: u64, high: u64) -> Sha256 {
        let count = high - low;
        if count == 0 {
            return Sha256::of(b"");
        }
        if count.is_power_of_two() {
            let level = count.trailing_zeros() as usize;
            if low.is_multiple_of(count)
                && let Some(hash) = self.subtree(level, low / count)
            {
                return hash;
            }
        }
        let middle = low + split(count);
        node(&self.range(low, middle), &self.range(middle, high))
    }
}

/// Largest power of two smaller than `count` (which is at least 2).
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// Whether `path` leads from `leaf` at `index` to the root of a tree of `size` leaves (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: Sha256, index: u64, size: u64, path: &[Sha256], root: &Sha256) -> bool {
    if index >= size {
        return false;
    }
    let (mut first, mut second, mut hash) = (index, size - 1, leaf);
    for step in path {
        if second == 0 {
            return false;
        }
        if first & 1 == 1 || first == second {
            hash = node(step, &hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            hash = node(&hash, step);
        }
        first >>= 1;
        second >>= 1;
    }
    second == 0 && hash == *root
}

/// Whether the tree of `old` leaves and this root is the beginning of the tree of `new` leaves (RFC 9162 section 2.1.4.2).
#[must_use]
pub fn verify_consistency(old: (u64, &Sha256), new: (u64, &Sha256), path: &[Sha256]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old == 0 {
        return path.is_empty();
    }
    if old >= new {
        return old == new && path.is_empty() && old_root == new_root;
    }
    let mut steps = path.iter();
    // When the old tree is one complete subtree its root is not sent.
    let start = if old.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(start) = start.filter(|_| !path.is_empty()) else { return false };
    let (mut first, mut second) = (old - 1, new - 1);
    while first & 1 == 1 {
        first >>= 1;
        second >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*start, *start);
    for step in steps {
        if second == 0 {
            return false;
        }
        if first & 1 == 1 || first == second {
            old_hash = node(step, &old_hash);
            new_hash = node(step, &new_hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            new_hash = node(&new_hash, step);
        }
        first >>= 1;
        second >>= 1;
    }
    second == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(size: u64) -> Tree {
        let mut tree = Tree::default();
        for n in 0..size {
            tree.push(leaf(format!("entry-{n}").as_bytes()));
        }
        tree
    }

    fn short(path: &[Sha256]) -> Vec<String> {
        path.iter().map(|h| h.to_string()[..16].to_owned()).collect()
    }

    #[test]
    fn the_published_vectors_are_reproduced() {
        for (size, root) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "40766b2033429026f53d54502679a839706b4741f8dcaf3a8bba5f41b5ffe075"),
            (2, "2f27a5082c1d42afa488ac350a9fc4390c084f54f71ecdff859e98db8429b479"),
            (3, "a64bf26e09128f6fe2fe6f8b2d8c801e166b57c047a7cd9b2b809e7a96a2f1cb"),
            (7, "9139601cc1ca8ab2a7a0c2c134c04845f2b1ba549a83d6c845cfcda439cc585d"),
            (8, "dfcc13b9b0ca932c68de3d59eaaa8fe266a9c8091c0300e8405ebfeb0d0e5832"),
        ] {
            assert_eq!(tree(size).root().to_string(), root);
            assert_eq!(tree(8).root_at(size).unwrap().to_string(), root);
        }
        let eight = tree(8);
        assert_eq!(
            short(&eight.inclusion(2, 7).unwrap()),
            ["27479b6ab321d2ee", "2f27a5082c1d42af", "e429c5b5ccaa9523"]
        );
        assert_eq!(short(&eight.inclusion(6, 7).unwrap()), ["4a136a70087b637e", "256b9e8825e5d370"]);
        assert_eq!(
            short(&eight.consistency(3, 7).unwrap()),
            ["049d7dcdb56bcfeb", "27479b6ab321d2ee", "2f27a5082c1d42af", "e429c5b5ccaa9523"]
        );
        assert_eq!(short(&eight.consistency(4, 7).unwrap()), ["e429c5b5ccaa9523"]);
    }

    #[test]
    fn every_proof_of_small_trees_verifies_and_only_in_its_place() {
        let tree = tree(40);
        for size in 1..=39 {
            let root = tree.root_at(size).unwrap();
            for index in 0..size {
                let path = tree.inclusion(index, size).unwrap();
                let leaf = tree.subtree(0, index).unwrap();
                assert!(verify_inclusion(leaf, index, size, &path, &root), "{index} in {size}");
                assert!(!verify_inclusion(leaf, index + 1, size, &path, &root) || size == 1);
                assert!(!verify_inclusion(leaf, index, size, &[path.clone(), vec![root]].concat(), &root));
                if let Some((_, cut)) = path.split_last() {
                    assert!(!verify_inclusion(leaf, index, size, cut, &root));
                }
            }
            for old in 0..=size {
                let old_root = tree.root_at(old).unwrap();
                let path = tree.consistency(old, size).unwrap();
                assert!(verify_consistency((old, &old_root), (size, &root), &path), "{old} to {size}");
                if old > 0 {
                    let other = tree.root_at(old - 1).unwrap();
                    assert!(!verify_consistency((old, &other), (size, &root), &path));
                }
            }
        }
        assert!(tree.inclusion(3, 3).is_none() && tree.inclusion(0, 41).is_none() && tree.consistency(5, 4).is_none());
    }

    #[test]
    fn the_root_with_one_more_is_the_root_after_adding_it() {
        let mut growing = Tree::default();
        for n in 0..70u64 {
            let next = leaf(&n.to_be_bytes());
            let foreseen = growing.root_with(next);
            growing.push(next);
            assert_eq!(growing.root(), foreseen);
        }
    }
}
