//! The tags of signatures and seals, read strictly (RFC 6376 3.2): the library passes over what it does not understand.

/// Tags by name, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags(Vec<(String, String)>);

impl Tags {
    /// The tags of a field; none if it is no list of tags, or has one twice: then nothing in it counts.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let text = text.trim_end();
        let mut tags: Vec<(String, String)> = Vec::new();
        for spec in text.strip_suffix(';').unwrap_or(text).split(';') {
            let (name, value) = spec.split_once('=')?;
            let name = name.trim();
            let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic()) && name.chars().all(plain);
            if !is_name || tags.iter().any(|(known, _)| known == name) {
                return None;
            }
            tags.push((name.to_owned(), value.trim().to_owned()));
        }
        Some(Self(tags))
    }

    /// The value of a tag; names are compared with case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_tags_are_read_as_in_rfc6376_3_2() {
        let tags = Tags::read(b" a=rsa-sha256;\r\n\tb = ab\r\n cd ; h_1= ;").expect("it is one");
        assert_eq!((tags.get("a"), tags.get("b"), tags.get("h_1")), (Some("rsa-sha256"), Some("ab\r\n cd"), Some("")));
        assert_eq!((tags.get("A"), tags.get("c")), (None, None));
        for wrong in [&b"a=1; a=2"[..], b"a", b"a=1;;b=2", b"=1", b"1=a", b"a b=1", b"a=1; \xff=2", b""] {
            assert_eq!(Tags::read(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Tags::read(&octets);
        }
    }
}
