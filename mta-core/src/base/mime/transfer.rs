//! Content-Transfer-Encoding, undone piece by piece (RFC 2045 6).

use memchr::memchr2;

/// White space at a line's end is not part of quoted-printable text (RFC 2045 6.7, rule 3). A run of more octets than
/// this is nobody's line end, and is kept, so that no more than this is held back.
const TRAILING_BYTES_MAX: usize = 1000;

/// Marks an octet that is not of the base64 alphabet.
const NO_SEXTET: u8 = 0xff;

/// Groups of base64 that are decoded at once: a line has 19 (RFC 2045 6.8).
const GROUPS_AT_ONCE: usize = 32;

/// The base64 alphabet (RFC 2045 6.8).
const SEXTETS: [u8; 256] = sextets();

/// Undoes one part's encoding. A copy of it goes on from the same place.
#[derive(Clone, Debug, Default)]
pub enum Decoder {
    /// `7bit`, `8bit`, `binary`, and what nobody knows: the octets as they stand.
    #[default]
    Plain,
    /// `base64`.
    Base64(Base64),
    /// `quoted-printable`.
    Quoted(Quoted),
}

/// RFC 2045 6.8: what is not of the alphabet is passed over, and padding ends the data.
#[derive(Clone, Debug, Default)]
pub struct Base64 {
    bits: u32,
    sextets: u8,
    ended: bool,
}

/// RFC 2045 6.7: what is no valid escape stands for itself.
#[derive(Clone, Debug, Default)]
pub struct Quoted {
    escape: Escape,
    /// White space and CR that may turn out to end a line.
    held: Vec<u8>,
    /// The run of white space is too long to be held.
    is_long: bool,
}

/// How much of an escape has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Equals,
    /// One digit, as it was written.
    Digit(u8),
    /// White space behind the equals sign: a soft line break, if the line ends.
    Soft,
    /// A soft line break's CR.
    SoftCr,
}

impl Decoder {
    /// The decoder for a field's value.
    #[must_use]
    pub fn of(encoding: &str) -> Self {
        match encoding.trim() {
            name if name.eq_ignore_ascii_case("base64") => Self::Base64(Base64::default()),
            name if name.eq_ignore_ascii_case("quoted-printable") => Self::Quoted(Quoted::default()),
            _ => Self::Plain,
        }
    }

    /// Octets pass as they are.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Decodes the next piece behind `out`. Where it is cut makes no difference.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(piece),
            Self::Base64(base64) => base64.push(piece, out),
            Self::Quoted(quoted) => quoted.push(piece, out),
        }
    }

    /// The part is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Plain => {}
            Self::Base64(base64) => base64.flush(out),
            Self::Quoted(quoted) => quoted.finish(out),
        }
    }
}

impl Base64 {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while !self.ended && !rest.is_empty() {
            rest = if self.sextets == 0 { whole_groups(rest, out) } else { rest };
            // What stopped the groups, a line end mostly, and on to the next whole group.
            let Some((&octet, behind)) = rest.split_first() else { return };
            rest = behind;
            self.octet(octet, out);
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        let sextet = SEXTETS[usize::from(octet)];
        if octet == b'=' {
            self.flush(out);
            self.ended = true;
        } else if sextet != NO_SEXTET {
            self.bits = self.bits << 6 | u32::from(sextet);
            self.sextets += 1;
            if self.sextets == 4 {
                out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                (self.bits, self.sextets) = (0, 0);
            }
        }
    }

    /// Writes the whole octets of an unfinished group.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let whole = usize::from(self.sextets) * 6 / 8;
        let bits = self.bits << (6 * (4 - u32::from(self.sextets)));
        out.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
        (self.bits, self.sextets) = (0, 0);
    }
}

/// Decodes groups of four for as long as nothing else stands between them; what is left.
fn whole_groups<'a>(octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = octets;
    loop {
        // Written to the end of `out` in one go: three octets at a time take twice as long.
        let mut decoded = [0; 3 * GROUPS_AT_ONCE];
        let mut groups = 0;
        for (group, place) in rest.chunks_exact(4).zip(decoded.chunks_exact_mut(3)) {
            let [a, b, c, d] = [group[0], group[1], group[2], group[3]].map(|octet| SEXTETS[usize::from(octet)]);
            // Only the mark has one of the two upper bits.
            if (a | b | c | d) & 0xc0 != 0 {
                break;
            }
            let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
            place.copy_from_slice(&bits.to_be_bytes()[1..]);
            groups += 1;
        }
        out.extend_from_slice(&decoded[..3 * groups]);
        rest = rest.get(4 * groups..).unwrap_or_default();
        if groups < GROUPS_AT_ONCE {
            return rest;
        }
    }
}

const fn sextets() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [NO_SEXTET; 256];
    let mut at = 0;
    while at < 64 {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table
}

impl Quoted {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some((&octet, behind)) = rest.split_first() {
            rest = if self.escape == Escape::None {
                self.text(rest, out)
            } else if self.escaped(octet, out) {
                behind
            } else {
                // It was not of the escape: read again as text.
                rest
            };
        }
    }

    /// Text up to the next escape or behind the line's end; what is left.
    fn text<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let at = memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(at);
        let trailing = run.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t' | b'\r')).count();
        let (text, trailing) = run.split_at(run.len() - trailing);
        if !text.is_empty() {
            self.release(out);
            out.extend_from_slice(text);
        }
        self.hold(trailing, out);
        let Some((&stop, behind)) = behind.split_first() else { return behind };
        if stop == b'=' {
            self.release(out);
            self.escape = Escape::Equals;
        } else {
            if !self.is_long && self.held.last() == Some(&b'\r') {
                out.push(b'\r');
            }
            out.push(b'\n');
            self.held.clear();
            self.is_long = false;
        }
        behind
    }

    fn hold(&mut self, trailing: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(trailing);
        if self.is_long || self.held.len() > TRAILING_BYTES_MAX {
            out.append(&mut self.held);
            self.is_long = true;
        }
    }

    /// The white space was within a line.
    fn release(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.is_long = false;
    }

    /// One octet of an escape; whether it was of it.
    fn escaped(&mut self, octet: u8, out: &mut Vec<u8>) -> bool {
        let before = std::mem::take(&mut self.escape);
        match (before, octet) {
            (Escape::Equals | Escape::Soft, b'\r') => self.escape = Escape::SoftCr,
            (Escape::Equals | Escape::Soft | Escape::SoftCr, b'\n') => {}
            (Escape::Equals | Escape::Soft, b' ' | b'\t') if self.held.len() < TRAILING_BYTES_MAX => {
                self.held.push(octet);
                self.escape = Escape::Soft;
                return true;
            }
            (Escape::Equals, digit) if hex(digit).is_some() => self.escape = Escape::Digit(digit),
            (Escape::Digit(first), second) => match (hex(first), hex(second)) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => {
                    out.extend_from_slice(&[b'=', first]);
                    return false;
                }
            },
            // The soft line break was whole without its LF.
            (Escape::SoftCr, _) => return false,
            _ => {
                // The white space stays held: it may yet end the line.
                out.push(b'=');
                return false;
            }
        }
        self.held.clear();
        true
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let Escape::Digit(first) = std::mem::take(&mut self.escape) {
            out.extend_from_slice(&[b'=', first]);
        }
        self.held.clear();
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(encoding: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::of(encoding), Vec::new());
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn base64_passes_over_what_is_not_of_its_alphabet_rfc2045_6_8() {
        let cases: [(&str, &[u8]); 6] = [
            ("aGVsbG8gd29ybGQ=", b"hello world"),
            ("aGVs\r\nbG8g d29y!bGQ=\r\n", b"hello world"),
            ("aGVsbG8", b"hello"),
            ("aGVsbA==bG8=", b"hell"),
            ("a", b""),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
        ];
        for (text, wanted) in cases {
            assert_eq!(decoded(" BASE64 ", &[text.as_bytes()]), wanted, "{text}");
        }
    }

    #[test]
    fn quoted_printable_joins_soft_lines_and_drops_white_space_at_line_ends_rfc2045_6_7() {
        let cases: [(&str, &str); 9] = [
            ("a=3Db=20\r\n", "a=b \r\n"),
            ("long =\r\nline", "long line"),
            ("long= \t\r\nline", "longline"),
            ("trailing  \t\r\nspace ", "trailing\r\nspace"),
            ("a b\tc", "a b\tc"),
            ("=c3=A9", "\u{e9}"),
            ("50 = half, =G1 =4", "50 = half, =G1 =4"),
            ("end=", "end"),
            ("bare \nend", "bare\nend"),
        ];
        for (text, wanted) in cases {
            let told = decoded("quoted-printable", &[text.as_bytes()]);
            assert_eq!(String::from_utf8_lossy(&told), wanted, "{text:?}");
        }
        let long = format!("x{}\r\n", " ".repeat(TRAILING_BYTES_MAX + 1));
        assert_eq!(decoded("quoted-printable", &[long.as_bytes()]), long.as_bytes(), "that is no line end");
    }

    #[test]
    fn unknown_encodings_leave_the_octets_alone_rfc2045_6_4() {
        assert_eq!(decoded("x-uuencode", &[b"=41"]), b"=41");
    }

    proptest! {
        #[test]
        fn where_it_is_cut_makes_no_difference(
            input in prop::collection::vec(prop::sample::select(b"=4aF \t\r\nx+/\xff".to_vec()), 0..60),
            cut in 0_usize..60,
            other in 0_usize..60,
            is_base64: bool,
        ) {
            let (cut, other) = (cut.min(input.len()), other.min(input.len()));
            let (low, high) = (cut.min(other), cut.max(other));
            let encoding = if is_base64 { "base64" } else { "quoted-printable" };
            let whole = decoded(encoding, &[&input]);
            prop_assert_eq!(decoded(encoding, &[&input[..low], &input[low..high], &input[high..]]), whole);
        }

        #[test]
        fn runs_of_white_space_are_the_same_in_any_split(
            spaces in TRAILING_BYTES_MAX - 3..TRAILING_BYTES_MAX + 4, cut in 0_usize..1010, end in "(\r\n|x|=\r\n|)",
        ) {
            let input = format!("a{}{end}", " ".repeat(spaces));
            let (first, second) = input.as_bytes().split_at(cut.min(input.len()));
            prop_assert_eq!(
                decoded("quoted-printable", &[first, second]),
                decoded("quoted-printable", &[input.as_bytes()])
            );
        }
    }
}
