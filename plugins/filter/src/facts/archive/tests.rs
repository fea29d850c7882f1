//! Archives of all kinds, whole, locked, broken and within each other.

use super::samples::*;
use super::*;
use proptest::prelude::*;

fn found(name: &str, octets: &[u8]) -> Archive {
    look(name, &Octets::of(octets.to_vec()), &mut Budget::default())
        .expect("it is in memory")
        .expect("it is an archive")
}

/// The names in an archive with which all is well.
fn names(name: &str, octets: &[u8]) -> Vec<String> {
    let found = found(name, octets);
    assert_eq!((found.is_locked, found.is_cut, found.is_unseen), (false, false, false), "{found:?}");
    found.names
}

#[test]
fn seven_zip_s_own_archives_are_read() {
    let packed = names("a.7z", &octets(SEVEN_PACKED));
    let notes = (1..=8).map(|n| format!("sub/note-number-{n}.txt"));
    let wanted: Vec<String> = ["sub".to_owned(), "a.txt".to_owned()].into_iter().chain(notes).collect();
    assert_eq!(packed, [wanted, vec!["sub/setup.exe".to_owned()]].concat());
    assert_eq!(names("a.7z", &octets(SEVEN_PLAIN)), ["a.txt", "sub/setup.exe"]);
    let locked = found("a.7z", &octets(SEVEN_LOCKED));
    assert_eq!((locked.is_locked, locked.is_cut, &*locked.names), (true, false, &["a.txt".to_owned()][..]));
    let hidden = found("a.7z", &octets(SEVEN_HIDDEN));
    assert_eq!((hidden.is_locked, hidden.is_cut, &*hidden.names), (true, false, &[][..]));
    let mut broken = octets(SEVEN_PACKED);
    let (middle, end) = (100, broken.len() - 8);
    broken[middle] ^= 0xff;
    assert!(!found("a.7z", &broken).names.contains(&"sub/setup.exe".to_owned()));
    assert!(found("a.7z", &broken[..end]).is_cut);
}

#[test]
fn tar_archives_have_names_in_pieces_and_long_ones() {
    let long = format!("{}/{}.exe", "d".repeat(90), "e".repeat(90));
    let record = format!(" path={long}\n");
    let record = format!("{}{record}", record.len() + 3);
    let octets = [
        tar_entry(b'0', "", "a.txt", b"12345"),
        tar_entry(b'0', "folder", "b.txt", b""),
        tar_entry(b'L', "", "././@LongLink", long.as_bytes()),
        tar_entry(b'0', "", "dddd", b"x"),
        tar_entry(b'x', "", "PaxHeader", record.as_bytes()),
        tar_entry(b'0', "", "dddd", b"x"),
        tar_entry(b'5', "", "c/", b""),
        vec![0; 1024],
    ]
    .concat();
    assert_eq!(names("a.tar", &octets), ["a.txt", "folder/b.txt", &long, &long, "c/"]);
    assert!(found("a.tar", &octets[..600]).is_cut, "its first file breaks off");
    let mut broken = octets.clone();
    broken[1024] ^= 1;
    assert!(found("a.tar", &broken).is_cut, "the second header's checksum is wrong");
    assert_eq!(look("a", &Octets::of(vec![0; 2048]), &mut Budget::default()), Ok(None));
}

#[test]
fn rar_archives_of_both_kinds_are_read() {
    // One unit with 0x04 above, and a run of four of the plain name.
    let unicode = b"axexe\0\x04\x70\x30\x02";
    let old = rar(
        0,
        &[
            rar_file(0, 0x33, b"sub\\setup.exe", b"packed"),
            rar_file(0x200, 0x33, unicode, b""),
            rar_file(0x200, 0x33, "ü.txt".as_bytes(), b""),
        ],
    );
    assert_eq!(names("a.rar", &old), ["sub\\setup.exe", "\u{430}xexe", "ü.txt"]);
    let new = rar5(&[rar5_file(3, "sub/setup.exe", &[], b"packed"), rar5_file(0, "ü.txt", &[3, 3, 0, 0], b"")]);
    assert_eq!(names("a.rar", &new), ["sub/setup.exe", "ü.txt"]);

    let locked = found("a.rar", &rar(0, &[rar_file(4, 0x33, b"a.txt", b"packed")]));
    assert_eq!((locked.is_locked, locked.names.len()), (true, 1));
    let hidden = found("a.rar", &rar(0x80, &[vec![7; 40]]));
    assert_eq!((hidden.is_locked, hidden.is_cut, hidden.names.len()), (true, false, 0));
    let locked = found("a.rar", &rar5(&[rar5_file(3, "a.txt", &[2, 1, 0], b"packed")]));
    assert_eq!((locked.is_locked, locked.names.len()), (true, 1));
    let hidden = found("a.rar", &rar5(&[rar5_block(&[4, 0, 0, 0, 15], &[]), vec![7; 40]]));
    assert_eq!((hidden.is_locked, hidden.is_cut), (true, false));

    assert!(found("a.rar", &rar(0, &[vec![7; 40]])).is_cut && found("a.rar", &rar5(&[vec![0xff; 40]])).is_cut);
}

#[test]
fn cabinets_and_single_files_are_read() {
    assert_eq!(names("a.cab", &cab(&["a.txt", "sub\\setup.exe"])), ["a.txt", "sub\\setup.exe"]);
    assert!(found("a.cab", &cab(&["a.txt"])[..50]).is_cut);
    assert_eq!(names("invoice.pdf.exe.gz", &gzip(None, b"MZ")), ["invoice.pdf.exe"]);
    assert_eq!(names("a.gz", &gzip(Some("setup.exe"), b"MZ")), ["setup.exe", "a"]);
    assert_eq!(names("notes.txt.xz", b"\xfd7zXZ\0 and so on"), ["notes.txt"], "there is nothing to look into");
    let closed = found("all.tar.bz2", b"BZh91AY and so on");
    assert_eq!((closed.is_unseen, &*closed.names), (true, &["all.tar".to_owned()][..]));
    assert!(found("a.gz", &gzip(None, b"hello")[..12]).is_cut);
}

#[test]
fn archives_within_archives_are_opened() {
    let program: &[(&str, &[u8])] = &[("setup.exe", b"MZ")];
    let inner = zip(program, true);
    for outer in [
        zip(&[("b.zip", &inner)], true),
        zip(&[("b.ZIP", &inner)], false),
        [b"in front".as_slice(), &zip(&[("b.zip", &inner)], true)].concat(),
        tar(&[("b.zip", &inner)]),
        gzip(Some("b.zip"), &inner),
        rar(0, &[rar_file(0, 0x30, b"b.zip", &inner)]),
        rar5(&[rar5_file(0, "b.zip", &[], &inner)]),
    ] {
        assert!(names("a", &outer).contains(&"setup.exe".to_owned()));
    }
    for inner in [tar(program), octets(SEVEN_PACKED), gzip(Some("setup.exe"), b"MZ"), gzip(None, &tar(program))] {
        let all = names("a.zip", &zip(&[("b.tgz", &inner)], true));
        assert!(all.iter().any(|name| name.ends_with("setup.exe")), "{all:?}");
    }
    let packed = found("a.rar", &rar(0, &[rar_file(0, 0x33, b"b.zip", &inner)]));
    assert!(packed.is_unseen && !packed.is_cut);
    let locked = found("a.zip", &zip(&[("b.zip", &zip(&[("c.zip", &octets(SEVEN_LOCKED))], true))], true));
    assert_eq!((locked.is_locked, &*locked.names), (true, &["b.zip", "c.zip", "a.txt"].map(ToOwned::to_owned)[..]));
}

#[test]
fn what_is_two_archives_at_once_is_read_as_both() {
    let hidden = zip(&[("setup.exe", b"MZ")], true);
    for front in
        [b"BZh91AY".to_vec(), rar(0, &[rar_file(0, 0x33, b"a.txt", b"")]), tar(&[("a.txt", b"")]), cab(&["a.txt"])]
    {
        assert!(found("a", &[front, hidden.clone()].concat()).names.contains(&"setup.exe".to_owned()));
    }
}

#[test]
fn what_is_unpacked_has_limits() {
    // One within the other: the fifth is opened, the sixth is not.
    let nested =
        |depth: usize| (1..depth).fold(zip(&[("setup.exe", b"MZ")], true), |inner, _| zip(&[("in.zip", &inner)], true));
    assert!(names("a.zip", &nested(5)).contains(&"setup.exe".to_owned()));
    let deep = found("a.zip", &nested(6));
    assert!(deep.is_cut && !deep.names.contains(&"setup.exe".to_owned()));

    // A thousandth of what it unpacks to: its names are seen as far as it is unpacked, and the rest is said to be unseen.
    let zeros = vec![0; 3 * 1024 * 1024];
    let bomb = gzip(None, &tar(&[("before.exe", b"MZ"), ("zeros", &zeros), ("behind.exe", b"MZ")]));
    let seen = found("a.tgz", &bomb);
    assert_eq!((seen.is_cut, seen.is_unseen), (false, true));
    assert_eq!(seen.names, ["a.tar", "before.exe", "zeros"]);

    // What is spent for one is not there for the next.
    let mut budget = Budget::default();
    look("a.tgz", &Octets::of(bomb), &mut budget).expect("it is in memory");
    let next = look("a.zip", &Octets::of(nested(2)), &mut budget).expect("it is in memory").expect("it is one");
    assert_eq!((next.is_unseen, next.names.len()), (true, 1));

    // A size that is not true makes no memory.
    let mut liar = zip(&[("b.zip", &zip(&[("setup.exe", b"MZ")], true))], true);
    let entry = liar.windows(4).position(|window| window == b"PK\x01\x02").expect("there is one");
    liar[entry + 24..entry + 28].fill(0xf0);
    assert_eq!(names("a.zip", &liar), ["b.zip", "setup.exe"]);

    let inner = zip(&[("x", b"")], false);
    let many: Vec<(String, &[u8])> = (0..300).map(|n| (format!("{n}.zip"), &*inner)).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (&**name, *content)).collect();
    let many = found("a.zip", &zip(&many, false));
    assert_eq!((many.is_unseen, many.is_cut, many.names.len()), (true, false, 300 + 256));
    let names = found("a.tar", &tar(&vec![("x", b"".as_slice()); 10_001]));
    assert_eq!((names.is_cut, names.names.len()), (true, 10_000));
}

/// One of each kind.
fn samples() -> Vec<Vec<u8>> {
    let files: &[(&str, &[u8])] = &[("a.txt", b"hello"), ("b.zip", &zip(&[("c", b"c")], true))];
    vec![
        octets(SEVEN_PACKED),
        octets(SEVEN_PLAIN),
        octets(SEVEN_LOCKED),
        zip(files, true),
        tar(files),
        gzip(Some("a"), &tar(files)),
        rar(0, &[rar_file(0x200, 0x30, b"a\0\x04\x55bc", b"hello"), rar_file(0x100, 0x33, &[b'b'; 20], b"")]),
        rar5(&[rar5_file(0, "a.zip", &[2, 1, 0], b"hello")]),
        cab(&["a", "b"]),
    ]
}

proptest! {
    #[test]
    fn no_octets_stop_it(which in 0usize..9, rest in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mark = samples()[which][..8].to_vec();
        look("a", &Octets::of([mark, rest].concat()), &mut Budget::default()).expect("it is in memory");
    }

    #[test]
    fn no_change_of_an_archive_stops_it(which in 0usize..9, places in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4), cut in any::<usize>()) {
        let mut octets = samples()[which].clone();
        for (place, octet) in places {
            let bytes = octets.len();
            octets[place % bytes] = octet;
        }
        look("a", &Octets::of(octets.clone()), &mut Budget::default()).expect("it is in memory");
        octets.truncate(cut % octets.len());
        look("a", &Octets::of(octets), &mut Budget::default()).expect("it is in memory");
    }
}
