//! XCLIENT: a trusted sender says who the client is that it speaks for (Postfix's XCLIENT_README). Values are xtext
//! (RFC 3461 4), of which any may be `[UNAVAILABLE]`, and a name `[TEMPUNAVAIL]`.

use super::error::CommandError;
use super::name::client_name;
use super::params;
use crate::base::smtp::xtext;
use std::net::IpAddr;

/// The attributes that we take, as EHLO announces them.
pub const ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// Longest name of a user, in octets: that of the file of users.
const LOGIN_BYTES_MAX: usize = 255;

/// What is said of the client. None: nothing is, and what was known holds on. Its name, and where it connected to, are
/// checked and not kept: nothing here depends on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xclient {
    /// Its address.
    pub address: Option<Said<IpAddr>>,
    /// Its port.
    pub port: Option<Said<u16>>,
    /// Whether it speaks ESMTP.
    pub extended: Option<bool>,
    /// How it named itself.
    pub helo: Option<Said<Box<str>>>,
    /// Who it has shown to be.
    pub login: Option<Said<Box<str>>>,
}

/// A value that may be said to be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<T> {
    /// This.
    Is(T),
    /// Nobody knows.
    Unavailable,
}

impl Xclient {
    /// Reads what follows `XCLIENT `.
    pub(super) fn parse(rest: &str) -> Result<Self, CommandError> {
        let mut told = Self::default();
        let mut seen = Vec::new();
        for param in params::params(rest) {
            let (name, value) = param.split_once('=').ok_or(CommandError::Xclient)?;
            let name = name.to_ascii_uppercase();
            if seen.contains(&name) {
                return Err(CommandError::RepeatedParameter);
            }
            let value = xtext::decode(value).ok_or(CommandError::Xclient)?;
            told.note(&name, &value).ok_or(CommandError::Xclient)?;
            seen.push(name);
        }
        if seen.is_empty() { Err(CommandError::Xclient) } else { Ok(told) }
    }

    /// One attribute; none where its value is none.
    fn note(&mut self, name: &str, value: &str) -> Option<()> {
        let word = |text: &str| client_name(text, CommandError::Xclient).ok();
        match name {
            "NAME" if value.eq_ignore_ascii_case("[TEMPUNAVAIL]") => {}
            "NAME" => _ = said(value, word)?,
            "ADDR" => self.address = Some(said(value, address)?),
            "PORT" => self.port = Some(said(value, port)?),
            "DESTADDR" => _ = said(value, address)?,
            "DESTPORT" => _ = said(value, port)?,
            "PROTO" if value.eq_ignore_ascii_case("SMTP") => self.extended = Some(false),
            "PROTO" if value.eq_ignore_ascii_case("ESMTP") => self.extended = Some(true),
            "HELO" => self.helo = Some(said(value, word)?),
            "LOGIN" => self.login = Some(said(value, login)?),
            _ => return None,
        }
        Some(())
    }
}

fn said<T>(value: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Said<T>> {
    if value.eq_ignore_ascii_case("[UNAVAILABLE]") { Some(Said::Unavailable) } else { read(value).map(Said::Is) }
}

/// An IPv6 address has `IPV6:` before it.
fn address(value: &str) -> Option<IpAddr> {
    match value.split_at_checked(5) {
        Some((tag, ip)) if tag.eq_ignore_ascii_case("IPV6:") => ip.parse().ok().map(IpAddr::V6),
        _ => value.parse().ok().map(IpAddr::V4),
    }
}

fn port(value: &str) -> Option<u16> {
    value.bytes().all(|digit| digit.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

fn login(value: &str) -> Option<Box<str>> {
    (1..=LOGIN_BYTES_MAX).contains(&value.len()).then(|| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Xclient, CommandError> {
        Xclient::parse(text)
    }

    #[test]
    fn attributes_are_read_in_any_order_and_case_rfc3461_4() {
        let told = parse(
            "name=mx.example Addr=IPV6:2001:db8::1 PORT=4000 PROTO=esmtp HELO=c.example LOGIN=ann+40example.org DESTADDR=192.0.2.1 DESTPORT=25",
        );
        let expected = Xclient {
            address: Some(Said::Is("2001:db8::1".parse().expect("an address"))),
            port: Some(Said::Is(4000)),
            extended: Some(true),
            helo: Some(Said::Is("c.example".into())),
            login: Some(Said::Is("ann@example.org".into())),
        };
        assert_eq!(told, Ok(expected));
        let told = parse(
            "NAME=[TEMPUNAVAIL] ADDR=[UNAVAILABLE] HELO=[unavailable] PORT=[UNAVAILABLE] LOGIN=+5BUNAVAILABLE+5D",
        );
        let unknown = Xclient {
            address: Some(Said::Unavailable),
            port: Some(Said::Unavailable),
            extended: None,
            helo: Some(Said::Unavailable),
            login: Some(Said::Unavailable),
        };
        assert_eq!(told, Ok(unknown));
    }

    #[test]
    fn what_is_none_is_refused_whole() {
        for wrong in [
            "",
            " ",
            "ADDR",
            "ADDR=",
            "ADDR=192.0.2",
            "ADDR=2001:db8::1",
            "ADDR=IPV6:192.0.2.1",
            "ADDR=[TEMPUNAVAIL]",
            "PORT=65536",
            "PORT=+31x",
            "PORT=-1",
            "PROTO=LMTP",
            "PROTO=[UNAVAILABLE]",
            "HELO=a+0Ab",
            "HELO=a+20b",
            "LOGIN=",
            "NAME=a+2b",
            "SHOE=42",
            "ADDR=192.0.2.1 HELO",
        ] {
            assert_eq!(parse(wrong), Err(CommandError::Xclient), "{wrong}");
        }
        assert_eq!(parse("PORT=1 port=2"), Err(CommandError::RepeatedParameter));
        assert_eq!(parse(&format!("LOGIN={}", "a".repeat(256))), Err(CommandError::Xclient));
    }

    proptest! {
        #[test]
        fn no_words_make_it_panic_and_what_is_taken_is_safe(text in "((NAME|ADDR|PORT|PROTO|HELO|LOGIN|DESTADDR)=[ -~]{0,20} ?){0,4}|\\PC{0,60}") {
            if let Ok(Xclient { helo: Some(Said::Is(name)), .. }) = parse(&text) {
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c)));
            }
        }
    }
}
