//! What is wrapped in `winmail.dat`.

use super::*;
use crate::facts::archive::samples::{tnef, tnef_attribute, tnef_property};
use proptest::prelude::*;

fn taken(octets: &[u8]) -> Wrapped {
    read(&Octets::of(octets.to_vec())).expect("it is in memory").expect("it is one")
}

#[test]
fn attachments_have_all_their_names_and_their_content() {
    let octets = tnef("SETUP~1.EXE", "setup größer.exe", b"MZ and more");
    let wrapped = taken(&octets);
    assert_eq!((wrapped.is_cut, wrapped.files.len()), (false, 1));
    assert_eq!(wrapped.files[0].names, ["SETUP~1.EXE", "setup größer.exe"]);
    assert_eq!(wrapped.files[0].content.read(0, 100), Ok(b"MZ and more".to_vec()));

    let two = [&octets[..], &tnef_attribute(2, BEGIN, &[]), &tnef_attribute(2, TITLE, b"b.txt\0")].concat();
    assert_eq!(taken(&two).files[1].names, ["b.txt"]);

    let content = [&[1, 0, 0, 0][..], &tnef_property(0x0102, 0x3701, b"within")].concat();
    let within = [&two[..], &tnef_attribute(2, PROPERTIES, &content)].concat();
    assert_eq!(taken(&within).files[1].content.read(0, 100), Ok(b"within".to_vec()));
}

#[test]
fn what_breaks_off_is_told_and_what_is_none_of_it_is_left() {
    let octets = tnef("a.exe", "a.exe", b"MZ");
    assert!(taken(&octets[..octets.len() - 20]).is_cut);
    assert!(taken(&[&octets[..], &tnef_attribute(2, PROPERTIES, &[2, 0, 0, 0, 99, 0, 0, 0])].concat()).is_cut);
    let behind = taken(&[&octets[..], b"garbage at the end"].concat());
    assert_eq!((behind.is_cut, behind.files.len()), (false, 1));
    assert!(read(&Octets::of(b"nothing of it".to_vec())).is_ok_and(|wrapped| wrapped.is_none()));
}

proptest! {
    #[test]
    fn no_change_stops_it(places in proptest::collection::vec((6usize..400, any::<u8>()), 1..4), cut in any::<usize>()) {
        let mut octets = tnef("SETUP~1.EXE", "setup.exe", b"MZ");
        for (place, octet) in places {
            let bytes = octets.len();
            octets[place.min(bytes - 1)] = octet;
        }
        read(&Octets::of(octets.clone())).expect("it is in memory");
        octets.truncate(cut % octets.len());
        read(&Octets::of(octets)).expect("it is in memory");
    }
}
