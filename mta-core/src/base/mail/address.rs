//! A mailbox as the envelope carries it (RFC 5321 4.1.2, RFC 6531 3.3).

use super::domain::{Domain, DomainError};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Longest local part in octets, without quoting (RFC 5321 4.5.3.1.1).
pub const LOCAL_BYTES_MAX: usize = 64;

/// Longest mailbox in octets: a path has 256 with its brackets (RFC 5321 4.5.3.1.3).
pub const MAILBOX_BYTES_MAX: usize = 254;

/// A mailbox. Made only by parsing, so that what exists is well formed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The local part without quoting, at most 64 octets where it carries no other address; its case is kept (RFC 5321 2.4).
    pub(super) local: SmolStr,
    /// Absent only in `<postmaster>` (RFC 5321 4.1.1.3).
    pub(super) domain: Option<Domain>,
}

/// Why a text is no mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@` behind the local part, or nothing before it.
    #[error("a mailbox is local-part@domain")]
    Incomplete,
    /// Neither a dot-string nor a quoted string (RFC 5321 4.1.2).
    #[error("the local part is malformed")]
    Local,
    /// Local part above [`LOCAL_BYTES_MAX`], or all of it above [`MAILBOX_BYTES_MAX`].
    #[error("a local part has at most 64 octets and a path 256")]
    TooLong,
    /// The part behind the `@`.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl Address {
    /// Reads `local@domain` as it stands between `<` and `>`, without a source route.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, rest) = split_local(text)?;
        let domain = rest.strip_prefix('@').ok_or(AddressError::Incomplete)?;
        Self::new(local, Some(Domain::parse(domain)?))
    }

    /// A mailbox from an unquoted local part and a domain; without a domain only `postmaster` is one.
    ///
    /// # Errors
    /// A local part that no quoting can carry, or one that is too long.
    pub fn new<'a>(local: impl Into<Cow<'a, str>>, domain: Option<Domain>) -> Result<Self, AddressError> {
        let local = local.into();
        if local.contains(char::is_control) {
            return Err(AddressError::Local);
        }
        if domain.is_none() && !local.eq_ignore_ascii_case("postmaster") {
            return Err(AddressError::Incomplete);
        }
        let address = Self { local: local.into_owned().into(), domain };
        let is_long = address.local.len() > LOCAL_BYTES_MAX && !carries_another(&address.local);
        if is_long || shown_bytes(&address) > MAILBOX_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(address)
    }

    /// `<postmaster>`, the one mailbox that needs no domain (RFC 5321 4.5.1).
    #[must_use]
    pub fn postmaster() -> Self {
        Self { local: "postmaster".into(), domain: None }
    }

    /// The local part, unquoted.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain; none for `postmaster` alone.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// It can be passed on without SMTPUTF8 (RFC 6531 3.2).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain.as_ref().is_none_or(Domain::is_ascii)
    }

    /// The same mailbox for a server without SMTPUTF8: the domain in A-labels. None when the local part is not ASCII,
    /// for which there is no such form (RFC 6531 3.2).
    #[must_use]
    pub fn to_ascii(&self) -> Option<Self> {
        let domain = self.domain.as_ref().map(Domain::to_ascii);
        self.local.is_ascii().then(|| Self { local: self.local.clone(), domain })
    }

    /// Length in octets as shown.
    fn domain_bytes(&self) -> usize {
        match &self.domain {
            Some(Domain::Name(name)) => name.len() + 1,
            // `[IPv6:` and `]` around at most 45 octets.
            Some(Domain::Literal(_)) => 54,
            None => 0,
        }
    }
}

/// Whether a local part has the form in which forwarders carry another address (SRS0, SRS1). Such are longer than others:
/// nobody holds them to [`LOCAL_BYTES_MAX`], since the address that they carry may have a local part of that length itself.
#[must_use]
pub fn carries_another(local: &str) -> bool {
    let octets = local.as_bytes();
    let word =
        octets.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"SRS0") || word.eq_ignore_ascii_case(b"SRS1"));
    word && octets.get(4).is_some_and(|separator| b"=+-".contains(separator))
}

fn shown_bytes(address: &Address) -> usize {
    let quoting = if is_dot_string(&address.local) {
        0
    } else {
        2 + address.local.bytes().filter(|o| matches!(o, b'"' | b'\\')).count()
    };
    address.local.len() + quoting + address.domain_bytes()
}

/// Takes the local part off the front, unquoted (RFC 5321 4.1.2: Dot-string or Quoted-string).
fn split_local(text: &str) -> Result<(Cow<'_, str>, &str), AddressError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return split_quoted(quoted).map(|(local, rest)| (Cow::Owned(local), rest));
    }
    let end = text.find(|c| !(is_atext(c) || c == '.')).unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    match is_dot_string(local) {
        true => Ok((Cow::Borrowed(local), rest)),
        false if local.is_empty() => Err(AddressError::Incomplete),
        false => Err(AddressError::Local),
    }
}

/// What follows an opening quote, up to the closing one.
fn split_quoted(text: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((local, &text[at + 1..])),
            // quoted-pairSMTP: any printable ASCII (RFC 5321 4.1.2).
            '\\' => match chars.next() {
                Some((_, c @ ' '..='~')) => local.push(c),
                _ => return Err(AddressError::Local),
            },
            c if c.is_control() => return Err(AddressError::Local),
            c => local.push(c),
        }
    }
    Err(AddressError::Local)
}

/// Atoms with single dots between them.
fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 3.2.3, and every character beyond ASCII (RFC 6531 3.3) but the C1 controls.
fn is_atext(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) } else { !c.is_control() }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.eq_ignore_ascii_case("postmaster") { Self::new(text, None) } else { Self::parse(text) }
    }
}

impl fmt::Display for Address {
    /// As it is written between `<` and `>`: the local part quoted where it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            f.write_str(&self.local)?;
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Address {
        Address::parse(text).expect("a mailbox")
    }

    #[test]
    fn a_local_part_keeps_its_case_rfc5321_2_4() {
        assert_eq!(read("John.Doe+x@EXAMPLE.org").to_string(), "John.Doe+x@example.org");
    }

    #[test]
    fn quoting_is_taken_off_and_put_back_where_needed_rfc5321_4_1_2() {
        assert_eq!(read(r#""john.doe"@example.org"#), read("john.doe@example.org"));
        for text in [r#""john doe"@example.org"#, r#""a\"b\\c"@example.org"#, r#"""@example.org"#, r#""a@b"@c.d"#] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read(r#""\j\o"@example.org"#).local(), "jo");
    }

    #[test]
    fn malformed_local_parts_are_refused_rfc5321_4_1_2() {
        for text in [".a@b", "a.@b", "a..b@c", "\"a@b", "\"a\u{7f}\"@b", "\"a\\\u{e4}\"@b"] {
            assert_eq!(Address::parse(text), Err(AddressError::Local), "{text}");
        }
        for text in ["", "@b", "a", "a b@c", "\"a\"b@c", "a<b@c"] {
            assert_eq!(Address::parse(text), Err(AddressError::Incomplete), "{text}");
        }
    }

    #[test]
    fn lengths_follow_rfc5321_4_5_3_1() {
        let local = "a".repeat(64);
        assert!(Address::parse(&format!("{local}@b.c")).is_ok());
        assert_eq!(Address::parse(&format!("{local}a@b.c")), Err(AddressError::TooLong));
        let domain = [&*"d".repeat(63); 3].join(".");
        assert!(Address::parse(&format!("{}@{domain}", &local[..62])).is_ok());
        assert_eq!(Address::parse(&format!("{}@{domain}", &local[..63])), Err(AddressError::TooLong));
    }

    #[test]
    fn beyond_ascii_is_read_and_known_rfc6531_3_3() {
        let address = read("jörg@bücher.example");
        assert!(!address.is_ascii());
        assert_eq!(address.to_ascii(), None);
        assert_eq!(read("joerg@bücher.example").to_ascii(), Some(read("joerg@xn--bcher-kva.example")));
        assert!(read("joerg@[192.0.2.1]").is_ascii());
    }

    #[test]
    fn postmaster_alone_needs_no_domain_rfc5321_4_5_1() {
        assert_eq!("PostMaster".parse::<Address>().map(|a| a.domain().is_none()), Ok(true));
        assert_eq!(Address::new("someone", None), Err(AddressError::Incomplete));
        assert_eq!(Address::postmaster().to_string(), "postmaster");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same_mailbox(local in "\\PC{0,20}", domain in "[a-zü.-]{1,12}") {
            let made = Domain::parse(&domain).map(|d| Address::new(&*local, Some(d)));
            if let Ok(Ok(address)) = made {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }

        #[test]
        fn no_text_makes_the_parser_fail(text in "\\PC*") {
            let _ = Address::parse(&text);
        }
    }
}
