use super::super::disk::Kernel;
use super::*;

fn anchor(generation: u64) -> Anchor {
    let mut tree = Tree::default();
    (0..generation).for_each(|n| tree.push(&n.to_be_bytes()));
    let high_water = (generation > 0).then(|| Timestamp::new(1_790_000_000, 123_456_789).unwrap());
    Anchor { generation, tree, high_water, boot_id: boot_id() }
}

#[test]
fn the_newest_of_two_is_found_and_reads_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Anchor::find(folder.path()).unwrap().newest.is_none());
    for generation in 0..9 {
        anchor(generation).write(folder.path(), &mut Kernel).unwrap();
        let found = Anchor::find(folder.path()).unwrap();
        assert_eq!((found.newest, found.damaged), (Some(anchor(generation)), false));
    }
}

/// Whatever becomes of the one being written, the one before is still there.
#[test]
fn a_torn_or_damaged_anchor_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    anchor(4).write(folder.path(), &mut Kernel).unwrap();
    anchor(5).write(folder.path(), &mut Kernel).unwrap();
    let path = folder.path().join("anchor.1");
    let whole = std::fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let found = Anchor::find(folder.path()).unwrap();
        assert_eq!(
            (found.newest, found.damaged),
            (Some(anchor(4)), true),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    };
    for at in 0..whole.len() {
        check(&whole[..at]);
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        check(&bytes);
    }
}

#[test]
fn a_root_that_is_not_that_of_its_subtrees_is_no_anchor() {
    let text = anchor(3).text();
    let (body, _) = text.rsplit_once("crc32c ").unwrap();
    let forged = body.replace(&anchor(3).tree.root().to_string(), &anchor(4).tree.root().to_string());
    assert_ne!(forged, body);
    let filled = |body: &str| {
        let mut text = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
        text.push_str(&"\n".repeat(BYTES - text.len()));
        text
    };
    assert!(parse(filled(body).as_bytes()).is_ok());
    assert!(parse(filled(&forged).as_bytes()).is_err());
}

#[test]
fn the_largest_tree_there_can_be_fits_into_the_file() {
    let tree = Tree::from_parts(u64::MAX, vec![Root([7; 32]); 64]).unwrap();
    let largest = Anchor { generation: u64::MAX, tree, high_water: Some(Timestamp::MAX), boot_id: boot_id() };
    assert_eq!(largest.text().len(), BYTES);
    assert!(parse(largest.text().as_bytes()).is_ok_and(|read| read == largest));
}
