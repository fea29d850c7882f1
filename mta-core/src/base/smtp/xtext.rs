//! xtext: text in a parameter's value (RFC 3461 4), and its UTF-8 twin for internationalised addresses (RFC 6533 3).

use std::fmt::Write as _;

/// Decodes xtext to printable ASCII; none if it is malformed or means anything else (RFC 3461 4.2, 4.4).
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let meant = match octet {
            b'+' => upper_hex(octets.next()?)? * 16 + upper_hex(octets.next()?)?,
            b'!'..=b'<' | b'>'..=b'~' => octet,
            _ => return None,
        };
        if !matches!(meant, b' '..=b'~') {
            return None;
        }
        decoded.push(char::from(meant));
    }
    Some(decoded)
}

/// Encodes printable ASCII as xtext; whatever else the text holds becomes `?`, for xtext has no way to carry it.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '!'..='~' if c != '+' && c != '=' => out.push(c as u8),
            ' ' | '+' | '=' => push_formatted(out, format_args!("+{:02X}", c as u32)),
            _ => out.push(b'?'),
        }
    }
}

/// Decodes `utf-8-addr-xtext` and `utf-8-addr-unitext` (RFC 6533 3).
#[must_use]
pub fn decode_utf8(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let meant = if c == '\\' {
            let (digits, behind) = rest.strip_prefix("\\x{")?.split_once('}')?;
            rest = behind;
            hex_point(digits)?
        } else {
            rest = &rest[c.len_utf8()..];
            if matches!(c, '+' | '=' | ' ') { return None } else { c }
        };
        if meant.is_control() {
            return None;
        }
        decoded.push(meant);
    }
    Some(decoded)
}

/// Encodes as `utf-8-addr-xtext`, which every server with DSN takes, with SMTPUTF8 or without.
pub fn encode_utf8(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '!'..='~' if !matches!(c, '+' | '=' | '\\') => out.push(c as u8),
            _ => push_formatted(out, format_args!("\\x{{{:02X}}}", c as u32)),
        }
    }
}

/// Encodes as `utf-8-addr-unitext`, which is shorter and for servers with SMTPUTF8 alone.
pub fn encode_unitext(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        if c.is_ascii() {
            encode_utf8(c.encode_utf8(&mut [0; 4]), out);
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Two to six upper-case hex digits that name a character.
fn hex_point(digits: &str) -> Option<char> {
    let well_formed = (2..=6).contains(&digits.len()) && digits.bytes().all(|d| upper_hex(d).is_some());
    if !well_formed {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
}

/// The digits of xtext are upper case (RFC 3461 4).
fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn push_formatted(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let mut shown = String::new();
    if shown.write_fmt(text).is_ok() {
        out.extend_from_slice(shown.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn xtext_is_decoded_rfc3461_4() {
        assert_eq!(decode("a+2Bb+3D+20c").as_deref(), Some("a+b= c"));
        for wrong in ["+", "+2", "+2b", "+0A", "a b", "a=b", "\u{e4}", "+FF"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_utf8_forms_are_decoded_rfc6533_3() {
        assert_eq!(decode_utf8("j\\x{F6}rg@ex\u{e4}mple").as_deref(), Some("j\u{f6}rg@ex\u{e4}mple"));
        for wrong in ["\\", "\\x{}", "\\x{0A}", "\\x{D800}", "\\x{f6}", "\\x{F6", "a=b", "a+b", "\\x{1234567}"] {
            assert_eq!(decode_utf8(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_to_the_same(ascii in "[ -~]{0,60}", any in "\\PC{0,60}") {
            let (mut one, mut other, mut short) = (Vec::new(), Vec::new(), Vec::new());
            encode(&ascii, &mut one);
            encode_utf8(&any, &mut other);
            encode_unitext(&any, &mut short);
            prop_assert!(other.is_ascii() && short.len() <= other.len());
            prop_assert_eq!(decode(&String::from_utf8_lossy(&one)), Some(ascii));
            prop_assert_eq!(decode_utf8(&String::from_utf8_lossy(&other)), Some(any.clone()));
            prop_assert_eq!(decode_utf8(&String::from_utf8_lossy(&short)), Some(any));
        }
    }
}
