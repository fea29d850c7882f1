//! What the TLSA records of a host ask of those who send to it (RFC 7672 3, RFC 7671).

use crate::base::world::dns::Tlsa;

/// The certificate, or one above it, is a trust anchor that the record names (RFC 7671 5.2).
pub const DANE_TA: u8 = 2;

/// The certificate is the one that the record names (RFC 7671 5.1).
pub const DANE_EE: u8 = 3;

/// Records of a host that are looked at: each costs a comparison for each certificate.
pub const RECORDS_MAX: usize = 32;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: there are no records.
    Nothing,
    /// TLS, with whomever: there are records, and none that can be used (RFC 7672 2.2).
    Encryption,
    /// TLS with the host that one of these fits.
    Authentication(Vec<Tlsa>),
}

/// What these records ask. All of them are signed.
#[must_use]
pub fn asked(records: &[Tlsa]) -> Asked {
    if records.is_empty() {
        return Asked::Nothing;
    }
    let usable: Vec<&Tlsa> = records.iter().filter(|record| is_usable(record)).take(RECORDS_MAX).collect();
    // RFC 7671 9: of digests of the same thing the strongest alone counts, so that a broken one does not let others in.
    let outdone = |record: &Tlsa| {
        record.matching == 1
            && usable
                .iter()
                .any(|other| other.matching == 2 && other.usage == record.usage && other.selector == record.selector)
    };
    let counting: Vec<Tlsa> = usable.iter().filter(|record| !outdone(record)).map(|record| (*record).clone()).collect();
    if counting.is_empty() { Asked::Encryption } else { Asked::Authentication(counting) }
}

/// RFC 7672 3.1.3: those that lean on public authorities (usages 0 and 1) can't be used for mail.
fn is_usable(record: &Tlsa) -> bool {
    let fits = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    fits && matches!(record.usage, DANE_TA | DANE_EE) && record.selector <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(usage: u8, selector: u8, matching: u8, octets: usize) -> Tlsa {
        Tlsa { usage, selector, matching, data: vec![7; octets].into() }
    }

    #[test]
    fn records_that_can_be_used_ask_for_the_host_itself_rfc7672_3() {
        assert_eq!(asked(&[]), Asked::Nothing);
        for good in [record(3, 1, 1, 32), record(2, 0, 1, 32), record(3, 0, 2, 64), record(2, 1, 0, 5)] {
            assert_eq!(asked(std::slice::from_ref(&good)), Asked::Authentication(vec![good]));
        }
        let bad = [
            record(0, 1, 1, 32),
            record(1, 1, 1, 32),
            record(4, 1, 1, 32),
            record(255, 0, 0, 9),
            record(3, 2, 1, 32),
            record(3, 1, 3, 32),
            record(3, 1, 1, 31),
            record(3, 1, 2, 32),
            record(3, 1, 0, 0),
        ];
        assert_eq!(asked(&bad), Asked::Encryption);
        let good = record(3, 1, 1, 32);
        let all: Vec<Tlsa> = bad.into_iter().chain([good.clone()]).collect();
        assert_eq!(asked(&all), Asked::Authentication(vec![good]));
    }

    #[test]
    fn the_strongest_digest_of_a_thing_counts_alone_rfc7671_9() {
        let (weak, strong, other, whole) =
            (record(3, 1, 1, 32), record(3, 1, 2, 64), record(3, 0, 1, 32), record(3, 1, 0, 8));
        let counting = asked(&[weak, strong.clone(), other.clone(), whole.clone()]);
        assert_eq!(counting, Asked::Authentication(vec![strong, other, whole]));
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let many = vec![record(3, 1, 1, 32); RECORDS_MAX + 1];
        assert!(matches!(asked(&many), Asked::Authentication(counting) if counting.len() == RECORDS_MAX));
    }
}
