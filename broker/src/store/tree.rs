//! The RFC 6962 Merkle tree over the leaves, kept as a compact range: the roots of the perfect subtrees,
//! largest first. Enough to go on from, to compare with, and to give the root; never more than 64 hashes.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The SHA-256 root of a tree, or of a perfect part of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Root(pub [u8; 32]);

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tree over so many leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree {
    size: u64,
    subtrees: Vec<Root>,
}

impl Tree {
    /// The tree of this size with these perfect subtrees; `None` when there cannot be one.
    pub(super) fn from_parts(size: u64, subtrees: Vec<Root>) -> Option<Self> {
        let wanted = usize::try_from(size.count_ones()).ok()?;
        (subtrees.len() == wanted).then_some(Self { size, subtrees })
    }

    /// How many leaves it is over.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its perfect subtrees, largest first.
    pub(super) fn subtrees(&self) -> &[Root] {
        &self.subtrees
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, leaf: &[u8]) {
        let mut root = leaf_hash(leaf);
        // Each trailing one of the size is a perfect subtree as large as what is being added.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.subtrees.pop() else { break };
            root = node_hash(left, root);
        }
        self.subtrees.push(root);
        self.size = self.size.saturating_add(1);
    }

    /// `MTH` of the leaves.
    pub(super) fn root(&self) -> Root {
        let mut from_right = self.subtrees.iter().rev().copied();
        match from_right.next() {
            None => Root(Sha256::digest([]).into()),
            Some(last) => from_right.fold(last, |right, left| node_hash(left, right)),
        }
    }
}

fn leaf_hash(leaf: &[u8]) -> Root {
    Root(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

fn node_hash(left: Root, right: Root) -> Root {
    Root(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962, section 2.1, word for word.
    fn defined(leaves: &[Vec<u8>]) -> Root {
        match leaves {
            [] => Root(Sha256::digest([]).into()),
            [leaf] => leaf_hash(leaf),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(defined(left), defined(right))
            }
        }
    }

    #[test]
    fn the_root_is_the_one_that_rfc_6962_defines() {
        let leaves: Vec<Vec<u8>> = (0_u32..300).map(|n| n.to_be_bytes().to_vec()).collect();
        let mut tree = Tree::default();
        for (n, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), defined(&leaves[..n]), "{n} leaves");
            tree.push(leaf);
        }
    }

    /// The vectors of the reference implementation of Certificate Transparency.
    #[test]
    fn the_root_is_the_one_that_certificate_transparency_publishes() {
        let leaves: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        for (n, root) in roots.iter().enumerate() {
            assert_eq!(tree.root().to_string(), *root, "{n} leaves");
            if let Some(leaf) = leaves.get(n) {
                tree.push(leaf);
            }
        }
    }
}
