//! The journal against torn tails, damage, forged headers, newer formats and a disk that refuses.

use super::super::disk::{LocalDisk, LocalFile};
use super::frame::HEADER_BYTES;
use super::line::Line;
use super::segment::{self, Segment};
use super::writer::Writer;
use super::*;
use crate::base::world::store::Damage;
use bytes::Bytes;
use std::fs::File;
use std::os::unix::fs::FileExt;

const SEGMENT: u64 = 32 << 10;

fn local() -> Arc<dyn Disk> {
    Arc::new(LocalDisk::DIRECT)
}

fn open(dir: &Path) -> Result<FileJournal, StoreFault> {
    FileJournal::open(&local(), &dir.join("journal"), &dir.join("damaged"), SEGMENT, Position(0))
}

fn record(n: u8) -> Record {
    Record { kind: n, pieces: vec![Bytes::from(vec![n; 16]), Bytes::from(vec![n; 100 + usize::from(n) * 3])] }
}

/// A directory with a journal of records 1 to `count`, one group each, and where they lie.
async fn filled(count: u8) -> (tempfile::TempDir, Vec<Position>) {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path()).expect("a journal");
    let mut positions = Vec::new();
    for n in 1..=count {
        positions.extend(journal.append(vec![record(n)]).await.expect("appended"));
    }
    (dir, positions)
}

fn only_segment(dir: &Path) -> PathBuf {
    let mut paths = fs::read_dir(dir.join("journal")).expect("readable").map(|item| item.expect("readable").path());
    let path = paths.next().expect("a segment");
    assert!(paths.next().is_none(), "one segment alone");
    path
}

/// Kinds of the records that can be read, and the damage.
async fn found(journal: &FileJournal) -> (Vec<u8>, Vec<Damage>) {
    let (mut kinds, mut damage) = (Vec::new(), Vec::new());
    let mut at = Position(0);
    loop {
        let some = journal.replay(at, 1 << 20).await.expect("replayed");
        let Some(last) = some.last() else { return (kinds, damage) };
        at = last.end;
        for one in some {
            match one.record {
                Ok((kind, _)) => kinds.push(kind),
                Err(harm) => damage.push(harm),
            }
        }
    }
}

#[tokio::test]
async fn a_tail_torn_at_any_octet_is_cut() {
    let (dir, positions) = filled(3).await;
    let path = only_segment(dir.path());
    let whole = fs::read(&path).expect("readable");
    let begin = usize::try_from(segment::HEADER_BYTES + positions[2].0).expect("small");
    let end = begin + usize::try_from(frame::record_bytes(16 + 109)).expect("small");
    for cut in begin..=end {
        for is_preallocated in [false, true] {
            let mut torn = whole[..cut].to_vec();
            if is_preallocated {
                torn.resize(whole.len(), 0);
            }
            fs::remove_dir_all(dir.path().join("journal")).expect("removed");
            fs::create_dir(dir.path().join("journal")).expect("made");
            fs::write(&path, torn).expect("written");
            let journal = open(dir.path()).expect("a journal");
            let (kinds, damage) = found(&journal).await;
            // What the padding behind a payload is made of counts for nothing when the file is long enough.
            let is_whole = cut == end || (is_preallocated && cut >= end - 3);
            assert_eq!(kinds, if is_whole { vec![1, 2, 3] } else { vec![1, 2] }, "cut at {cut} of {end}");
            assert_eq!(damage, []);
            let next = journal.append(vec![record(9)]).await.expect("appended");
            assert!(next[0] >= if is_whole { Position(end as u64 - segment::HEADER_BYTES) } else { positions[2] });
            assert_eq!(found(&journal).await.0.last(), Some(&9));
        }
    }
}

#[tokio::test]
async fn a_bad_record_in_the_middle_is_set_aside_and_the_rest_is_found() {
    let (dir, positions) = filled(5).await;
    let path = only_segment(dir.path());
    let whole = fs::read(&path).expect("readable");
    let begin = usize::try_from(segment::HEADER_BYTES + positions[1].0).expect("small");
    let end = usize::try_from(segment::HEADER_BYTES + positions[2].0).expect("small");
    for harmed in (begin..end - 8).step_by(5) {
        let mut octets = whole.clone();
        octets[harmed] ^= 0x40;
        fs::write(&path, octets).expect("written");
        let journal = open(dir.path()).expect("a journal");
        let (kinds, damage) = found(&journal).await;
        assert_eq!(kinds, [1, 3, 4, 5], "octet {harmed}");
        assert_eq!(damage.len(), 1, "octet {harmed}");
        let head = &damage[0].head;
        assert!(harmed < begin + HEADER_BYTES + 16 && harmed >= begin + HEADER_BYTES || head[..16] == [2; 16]);
        let kept = fs::read(&damage[0].kept_in).expect("set aside");
        assert!(kept.len() >= end - begin);
        let read = journal.read(positions[1], 122).await.expect("read");
        assert!(read.record.is_err());
        fs::write(&path, &whole).expect("written");
    }
}

#[tokio::test]
async fn content_that_imitates_a_record_is_not_taken_for_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path()).expect("a journal");
    // What a sender could know: the format and the position, but not the salt.
    let at = HEADER_BYTES as u64 + 16;
    let forged = Sealed::new(Record { kind: 77, pieces: Vec::new() }).expect("short").at(at).encode(0);
    let pieces = vec![Bytes::from(vec![1; 16]), Bytes::copy_from_slice(&forged)];
    journal.append(vec![Record { kind: 1, pieces }, record(2)]).await.expect("appended");
    drop(journal);
    let path = only_segment(dir.path());
    let file = File::options().write(true).open(&path).expect("opened");
    file.write_all_at(b"\xff", segment::HEADER_BYTES).expect("written");
    let (kinds, damage) = found(&open(dir.path()).expect("a journal")).await;
    assert_eq!((kinds, damage.len()), (vec![2], 1));
}

#[tokio::test]
async fn a_newer_format_is_refused_in_words() {
    let (dir, _) = filled(1).await;
    let file = File::options().write(true).open(only_segment(dir.path())).expect("opened");
    file.write_all_at(&2u32.to_le_bytes(), 8).expect("written");
    match open(dir.path()) {
        Err(StoreFault::Newer(why)) => assert!(why.contains("newer Mailwright"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_segment_that_fails_is_left_and_a_new_one_begun() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal_dir = dir.path().join("journal");
    fs::create_dir(&journal_dir).expect("made");
    let mut broken = Segment::create(&LocalDisk::DIRECT, &journal_dir, 0, SEGMENT, 0).expect("made");
    broken.file = Box::new(LocalFile::cached(File::open(&broken.path).expect("opened, to be read alone")));
    let line = Arc::new(Line::new(Vec::new()));
    let broken = Arc::new(broken);
    line.push(Arc::clone(&broken));
    let (orders, received) = mpsc::sync_channel(2);
    let writer = Writer {
        line: Arc::clone(&line),
        disk: local(),
        dir: journal_dir,
        segment_bytes: SEGMENT,
        active: Some((broken, SEGMENT)),
        end: 0,
        newest: Some(0),
        headers: Vec::new(),
    };
    std::thread::spawn(move || writer.run(&received));
    let journal = FileJournal { line, disk: local(), orders, damaged_dir: dir.path().join("damaged") };
    assert!(matches!(journal.append(vec![record(1)]).await, Err(StoreFault::Io(_))));
    journal.append(vec![record(2)]).await.expect("a new segment takes it");
    assert_eq!(found(&journal).await, (vec![2], vec![]));
    drop(journal);
    assert_eq!(found(&open(dir.path()).expect("a journal")).await, (vec![2], vec![]));
}

#[tokio::test]
async fn segments_are_given_back_from_the_front_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path()).expect("a journal");
    let large = |n: u8| Record { kind: n, pieces: vec![Bytes::from(vec![n; 10_000])] };
    let mut positions = Vec::new();
    for n in 1..=12 {
        positions.extend(journal.append(vec![large(n)]).await.expect("appended"));
    }
    let files = || fs::read_dir(dir.path().join("journal")).expect("readable").count();
    assert_eq!(files(), 4, "three to a segment");
    journal.trim(positions[5]).await.expect("trimmed");
    assert_eq!((files(), journal.extent().0), (3, positions[3]), "the second segment still holds the sixth");
    let (_, end) = journal.extent();
    journal.trim(end).await.expect("trimmed");
    assert_eq!((files(), journal.extent()), (0, (end, end)));
    drop(journal);
    let floor = FileJournal::open(&local(), &dir.path().join("journal"), dir.path(), SEGMENT, end).expect("a journal");
    assert!(floor.append(vec![record(1)]).await.expect("appended")[0] >= end);
}
