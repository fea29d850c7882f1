//! Search filters as operators write them (RFC 4515 3), with `{user}` where the name goes. The name is put into what was
//! read, never into the text, so that nothing in it can be taken for a part of the filter.

/// Filters within filters.
const DEPTH_MAX: usize = 10;

/// Longest text, in octets.
const BYTES_MAX: usize = 4096;

/// What stands for the name.
const USER: &str = "{user}";

/// Which entries are meant. Parts of values, extensible matches and comparisons find no user, and are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of these: `(&(…)(…))`.
    And(Vec<Self>),
    /// One of these: `(|(…)(…))`.
    Or(Vec<Self>),
    /// Not this: `(!(…))`.
    Not(Box<Self>),
    /// The attribute has this value: `(uid={user})`.
    Equal(Box<str>, Vec<Piece>),
    /// The attribute is there: `(mail=*)`.
    Present(Box<str>),
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is written.
    Octets(Vec<u8>),
    /// The user's name.
    User,
}

impl Filter {
    /// Reads one that asks for the user somewhere.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (filter, rest) = Self::read(text, DEPTH_MAX)?;
        (text.len() <= BYTES_MAX && rest.is_empty() && filter.asks_for_the_user()).then_some(filter)
    }

    fn asks_for_the_user(&self) -> bool {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().any(Self::asks_for_the_user),
            Self::Not(filter) => filter.asks_for_the_user(),
            Self::Equal(_, pieces) => pieces.contains(&Piece::User),
            Self::Present(_) => false,
        }
    }

    /// One filter in its parentheses, and what stands behind it.
    fn read(text: &str, depth: usize) -> Option<(Self, &str)> {
        let depth = depth.checked_sub(1)?;
        let inner = text.strip_prefix('(')?;
        let (filter, rest) = match inner.as_bytes().first()? {
            b'&' => Self::several(&inner[1..], depth).map(|(filters, rest)| (Self::And(filters), rest))?,
            b'|' => Self::several(&inner[1..], depth).map(|(filters, rest)| (Self::Or(filters), rest))?,
            b'!' => Self::read(&inner[1..], depth).map(|(filter, rest)| (Self::Not(filter.into()), rest))?,
            _ => {
                let (item, rest) = inner.split_at(inner.find(')')?);
                (Self::item(item)?, rest)
            }
        };
        Some((filter, rest.strip_prefix(')')?))
    }

    fn several(mut text: &str, depth: usize) -> Option<(Vec<Self>, &str)> {
        let mut filters = Vec::new();
        while text.starts_with('(') {
            let (filter, rest) = Self::read(text, depth)?;
            filters.push(filter);
            text = rest;
        }
        (!filters.is_empty()).then_some((filters, text))
    }

    /// `attribute=value`, the attribute with options (RFC 4512 2.5), as `cn;lang-de`.
    fn item(item: &str) -> Option<Self> {
        let (attribute, value) = item.split_once('=')?;
        let named = |octet: u8| octet.is_ascii_alphanumeric() || b"-.;".contains(&octet);
        if attribute.is_empty() || !attribute.bytes().all(named) {
            return None;
        }
        if value == "*" {
            return Some(Self::Present(attribute.into()));
        }
        let mut pieces = Vec::new();
        for (index, part) in value.split(USER).enumerate() {
            if index > 0 {
                pieces.push(Piece::User);
            }
            if !part.is_empty() {
                pieces.push(Piece::Octets(unescaped(part)?));
            }
        }
        (!pieces.is_empty()).then(|| Self::Equal(attribute.into(), pieces))
    }
}

/// A value without its escapes, `\2a` for `*` (RFC 4515 3).
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'*' | b'(' | b')' | 0 => return None,
            b'\\' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
                octets.push(u8::from_str_radix(digits, 16).ok()?);
                rest = behind;
            }
            octet => octets.push(*octet),
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn octets(text: &str) -> Piece {
        Piece::Octets(text.as_bytes().to_vec())
    }

    #[test]
    fn filters_are_read_as_rfc4515_3_writes_them() {
        let mail = Filter::Equal("mail".into(), vec![Piece::User]);
        assert_eq!(Filter::parse("(mail={user})"), Some(mail.clone()));
        let person = Filter::Equal("objectClass".into(), vec![octets("person")]);
        let uid = Filter::Equal("uid".into(), vec![octets("a("), Piece::User, octets("*")]);
        let either = Filter::Or(vec![uid, Filter::Present("mail".into())]);
        let not = Filter::Not(Filter::Equal("cn;lang-de".into(), vec![octets("x")]).into());
        let whole = "(&(objectClass=person)(|(uid=a\\28{user}\\2A)(mail=*))(!(cn;lang-de=x)))";
        assert_eq!(Filter::parse(whole), Some(Filter::And(vec![person, either, not])));
        for wrong in [
            "",
            "mail={user}",
            "(mail=ann)",
            "(mail={user}",
            "(mail={user}))",
            "(&)",
            "(mail=*{user})",
            "(ma il={user})",
            "(={user})",
            "(mail=)",
            "(mail={user}\\2)",
            "(mail={user}\\zz)",
            "(!(mail={user})(a=b))",
        ] {
            assert_eq!(Filter::parse(wrong), None, "{wrong}");
        }
        let deep = |depth: usize| format!("{}(a={{user}}){}", "(!".repeat(depth), ")".repeat(depth));
        assert!(Filter::parse(&deep(9)).is_some() && Filter::parse(&deep(10)).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[(&|!)=*\\\\a-f{user}0-9]{0,40}") {
            drop(Filter::parse(&text));
        }
    }
}
