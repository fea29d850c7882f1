//! Octets in the alphabet that links can carry (RFC 4648 5), without padding.
//!
//! The library that the server uses would make this component twice as large.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(crate) fn encoded(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let octet = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

/// None where a letter is none, or the text is no encoding of octets: each has one alone (RFC 4648 3.5).
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            bits = bits << 6 | chunk.get(place).map_or(Some(0), |letter| value(*letter))?;
        }
        let whole = chunk.len().checked_sub(1).filter(|whole| *whole > 0)?;
        let [_, three @ ..] = bits.to_be_bytes();
        let (known, rest) = three.split_at(whole);
        // What is left over of the last letter says nothing.
        if rest.iter().any(|octet| *octet != 0) {
            return None;
        }
        octets.extend_from_slice(known);
    }
    Some(octets)
}

fn value(letter: u8) -> Option<u32> {
    let place = LETTERS.iter().position(|known| *known == letter)?;
    u32::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_as_the_standard_has_it_rfc4648_5() {
        for (octets, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encoded(octets.as_bytes()), text);
            assert_eq!(decoded(text).as_deref(), Some(octets.as_bytes()));
        }
        assert_eq!(encoded(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn octets_have_one_form_rfc4648_3_5() {
        for text in ["Zh", "Zm9", "Z", "Zg==", "Z g", "Zm9vY", "Zm+v", "Z\u{e4}"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(octets: Vec<u8>, text in "[A-Za-z0-9_-]{0,20}") {
            prop_assert_eq!(decoded(&encoded(&octets)), Some(octets));
            if let Some(octets) = decoded(&text) {
                prop_assert_eq!(encoded(&octets), text);
            }
        }
    }
}
