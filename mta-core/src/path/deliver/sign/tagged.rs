//! Fields that are lists of tags: as they are signed, and as they go out (RFC 6376 3.2, 3.4.2, 3.7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Where such a field is folded, in octets without CRLF (RFC 5322 2.1.1: "SHOULD be no more than 78").
const LINE_BYTES_WANTED: usize = 76;
/// Between two lines of it. The relaxed form makes one space of it.
const FOLD: &str = "\r\n\t";
/// Room for a usual one, in octets.
const USUAL_BYTES: usize = 1024;

/// A field on its way, without its signature.
pub(super) struct Tagged {
    name: &'static str,
    /// Behind the colon, folded.
    value: String,
    line_bytes: usize,
}

impl Tagged {
    /// A field of that name without tags.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, value: String::with_capacity(USUAL_BYTES), line_bytes: name.len() + 1 }
    }

    /// The same with a tag more. Its value is one that stands as it is: no white space, no semicolon.
    pub(super) fn tag(mut self, name: &str, value: &str) -> Self {
        self.begin(name, value.len());
        self.put(value);
        self
    }

    /// The same with a number more.
    pub(super) fn number(self, name: &str, value: u64) -> Self {
        self.tag(name, &value.to_string())
    }

    /// The same with a list of names, which may be folded behind each.
    pub(super) fn names(mut self, name: &str, values: &[&str]) -> Self {
        self.begin(name, values.first().map_or(0, |first| first.len()));
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.put(":");
                if self.line_bytes + value.len() > LINE_BYTES_WANTED {
                    self.fold();
                }
            }
            self.put(value);
        }
        self
    }

    /// The same with octets in base64.
    pub(super) fn octets(self, name: &str, value: &[u8]) -> Self {
        self.tag(name, &BASE64.encode(value))
    }

    /// Writes what is signed: the relaxed form, with the signature's tag and nothing in it.
    pub(super) fn write_unsigned(&self, out: &mut Vec<u8>) {
        out.extend(self.name.bytes().map(|octet| octet.to_ascii_lowercase()));
        out.push(b':');
        for (place, line) in self.value.trim_start().split(FOLD).enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(line.as_bytes());
        }
        out.extend_from_slice(b"; b=");
    }

    /// The field with its signature and its CRLF.
    pub(super) fn signed(mut self, signature: &[u8]) -> String {
        self.value.push(';');
        self.fold();
        self.put("b=");
        let mut rest = &*BASE64.encode(signature);
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(rest.len().min(LINE_BYTES_WANTED - self.line_bytes));
            self.put(line);
            rest = behind;
            if !rest.is_empty() {
                self.fold();
            }
        }
        [self.name, ":", &self.value, "\r\n"].concat()
    }

    fn begin(&mut self, name: &str, value_bytes: usize) {
        if !self.value.is_empty() {
            self.put(";");
        }
        if self.line_bytes + name.len() + value_bytes + 2 > LINE_BYTES_WANTED {
            self.fold();
        } else {
            self.put(" ");
        }
        self.put(name);
        self.put("=");
    }

    fn put(&mut self, text: &str) {
        self.value.push_str(text);
        self.line_bytes += text.len();
    }

    fn fold(&mut self) {
        self.value.push_str(FOLD);
        self.line_bytes = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_auth::dkim::Canonicalization;
    use proptest::prelude::*;

    fn written(domain: &str, names: &[&str]) -> Tagged {
        Tagged::new("ARC-Seal").number("i", 1).tag("d", domain).names("h", names).octets("bh", &[7; 32])
    }

    #[test]
    fn lines_are_folded_and_the_signature_with_them_rfc5322_2_1_1() {
        let field = written("example.org", &["From", "To"]).signed(&[9; 64]);
        assert!(field.starts_with("ARC-Seal: i=1; d=example.org; h=From:To;\r\n\tbh=BwcH"), "{field}");
        assert!(field.ends_with("\r\n") && field.lines().all(|line| line.len() <= 78), "{field}");
    }

    proptest! {
        /// What is signed is the relaxed form of what goes out, as the library makes it, but for the signature.
        #[test]
        fn what_is_signed_is_what_verifiers_read_rfc6376_3_7(domain in "[a-z.]{1,200}", names in 0_usize..60, octets in 1_usize..300) {
            let names = vec!["Content-Transfer-Encoding"; names];
            let mut signed = Vec::new();
            written(&domain, &names).write_unsigned(&mut signed);
            let field = written(&domain, &names).signed(&vec![1; octets]);
            let (start, _) = field.split_once("\tb=").expect("it is signed");
            let (name, value) = start.split_once(':').expect("a field");
            let value = format!("{value}\tb=\r\n");
            let mut relaxed = Vec::new();
            Canonicalization::Relaxed.canonicalize_headers([(name.as_bytes(), value.as_bytes())].into_iter(), &mut relaxed);
            prop_assert_eq!(String::from_utf8_lossy(&relaxed).trim_end().to_owned(), String::from_utf8_lossy(&signed));
        }
    }
}
