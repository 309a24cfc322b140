use super::super::disk::Kernel;
use super::super::record::POLICY_MAX;
use super::*;

fn leaf(n: u64) -> Vec<u8> {
    let length = usize::try_from(n % 97).unwrap() + 1;
    n.to_be_bytes().iter().copied().cycle().take(length).collect()
}

fn read(segments: &Segments, from: u64, to: u64) -> Vec<(u64, Vec<u8>)> {
    let mut leaves = Vec::new();
    segments
        .read_from(from, to, |leaf| {
            leaves.push((leaf.position, leaf.bytes.to_vec()));
            Ok::<(), ()>(())
        })
        .unwrap();
    leaves
}

#[test]
fn any_stretch_reads_back_over_any_number_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), 0, 5000, Box::new(Kernel)).unwrap();
    let mut written = 0;
    let mut rolled = 0;
    for group in 0..60_u64 {
        let appends: Vec<Vec<Vec<u8>>> = (0..group % 4 + 1)
            .map(|append| {
                (0..append % 3 + 1)
                    .map(|_| {
                        written += 1;
                        leaf(written - 1)
                    })
                    .collect()
            })
            .collect();
        rolled += usize::from(log.append(&appends).unwrap());
    }
    assert!(rolled >= 2, "{rolled}");
    assert_eq!(log.size(), written);
    let all: Vec<_> = (0..written).map(|n| (n, leaf(n))).collect();
    let live = log.segments();
    drop(log);
    let (log, cut) = Log::open(folder.path(), written, 5000, Box::new(Kernel)).unwrap();
    assert!(cut.is_none());
    assert_eq!(log.size(), written);
    for segments in [live, log.segments(), Segments::of(folder.path()).unwrap()] {
        for from in (0..=written).step_by(13) {
            for to in [from, from + 1, from + 70, written] {
                let to = to.min(written);
                let expected: Vec<_> =
                    all.iter().filter(|leaf| (from..to).contains(&leaf.0)).cloned().collect();
                assert_eq!(read(&segments, from, to), expected);
            }
        }
    }
}

#[test]
fn a_file_begun_but_not_headed_when_the_power_went_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), 0, 1, Box::new(Kernel)).unwrap();
    log.append(&[vec![leaf(1)]]).unwrap();
    let headed = header_of(1);
    drop(log);
    for length in 0..headed.len() {
        let path = folder.path().join(format!("{:020}.log", 1));
        std::fs::write(&path, &headed[..length]).unwrap();
        let (log, _) = Log::open(folder.path(), 1, 1, Box::new(Kernel)).unwrap();
        assert_eq!(log.size(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), headed);
    }
}

#[test]
fn an_empty_or_endless_leaf_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), 0, SEGMENT_BYTES, Box::new(Kernel)).unwrap();
    assert!(log.append(&[vec![vec![]]]).is_err());
    assert!(log.append(&[vec![vec![1; POLICY_MAX + 1]]]).is_err());
    assert_eq!(log.size(), 0);
    log.append(&[vec![vec![1; POLICY_MAX]]]).unwrap();
    assert_eq!(read(&log.segments(), 0, 1)[0].1.len(), POLICY_MAX);
}

/// Of a log that is being written to, the last group may not be on disk yet, unless the anchor says so.
#[test]
fn of_a_running_log_only_what_is_durable_for_sure_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), 0, SEGMENT_BYTES, Box::new(Kernel)).unwrap();
    let path = folder.path().join(format!("{:020}.log", 0));
    let mut ends = vec![(0, HEADER_BYTES)];
    for group in 1..4 {
        log.append(&[vec![leaf(1), leaf(2)], vec![leaf(3)]]).unwrap();
        ends.push((group * 3, std::fs::read(&path).unwrap().len()));
    }
    let bytes = std::fs::read(&path).unwrap();
    for groups in 0..ends.len() {
        let bytes = &bytes[..ends[groups].1];
        for anchored in 0..=groups {
            let sure = if anchored == groups { groups } else { groups - 1 };
            let running = sure_bytes(&path, bytes, ends[anchored].0, true).unwrap();
            assert_eq!(running, ends[sure].1, "{groups} groups, {anchored} anchored");
        }
        assert_eq!(sure_bytes(&path, bytes, 0, false).unwrap(), bytes.len(), "stopped, it is all there");
    }
}
