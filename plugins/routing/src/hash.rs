//! A number made of texts, the same in every version and on every machine: shares of mail and the places of caps depend on
//! it. It is no secret: who chooses the texts can choose the number.

/// A number of 64 bits that looks like chance, made of these texts.
pub(crate) fn hash(seed: u64, texts: &[&str]) -> u64 {
    // FNV-1a, with an octet between texts that is in none.
    let mut sum = 0xcbf2_9ce4_8422_2325 ^ seed;
    for text in texts {
        for octet in text.bytes().chain([0xff]) {
            sum = (sum ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // FNV leaves the upper bits alike where texts are short: the last steps of SplitMix64 spread them.
    sum = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    sum = (sum ^ (sum >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ (sum >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_as_it_is() {
        assert_eq!(hash(0, &["a"]), hash(0, &["a"]));
        assert_ne!(hash(0, &["a", "b"]), hash(0, &["ab"]));
        assert_ne!(hash(0, &["a"]), hash(1, &["a"]));
    }

    #[test]
    fn shares_are_even() {
        let mut shares = [0_u32; 10];
        for number in 0..10_000 {
            shares[(hash(7, &[&format!("user{number}@example.net")]) % 10) as usize] += 1;
        }
        assert!(shares.iter().all(|share| (900..1100).contains(share)), "{shares:?}");
    }
}
