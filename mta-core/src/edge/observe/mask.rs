//! What lines show of people: addresses in any text that an event brings, and users' names.
//!
//! Texts are looked through where lines are made, and not where events are: whoever makes an event can't forget it.

use crate::base::mail::address::Address;
use crate::config::model::Addresses;
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::borrow::Cow;
use std::fmt;

/// Length of the key, in octets.
pub const KEY_BYTES: usize = 32;
/// Octets of a hash: 13 characters, so that no two of many millions are alike.
const HASH_BYTES: usize = 8;
/// What a hash begins with, which few local parts do.
const SIGN: char = '~';
/// In the place of what is not shown at all.
const NOTHING: &str = "*";

/// What is shown.
#[derive(Clone, Default)]
pub enum Mask {
    /// All.
    #[default]
    Plain,
    /// Of addresses the domain.
    Domain,
    /// Of addresses the domain, with a hash by this key.
    Hashed([u8; KEY_BYTES]),
}

impl Mask {
    /// As the configuration wants it; the key is asked for where there is a use for it.
    ///
    /// # Errors
    /// The key can't be had.
    pub fn of(wish: Addresses, key: impl FnOnce() -> Result<[u8; KEY_BYTES], String>) -> Result<Self, String> {
        Ok(match wish {
            Addresses::Plain => Self::Plain,
            Addresses::Domain => Self::Domain,
            Addresses::Hashed => Self::Hashed(key()?),
        })
    }

    /// Lines are as events bring them.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// A text with what it shows of the addresses in it.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_plain() || !text.contains('@') {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let (before, behind) = (&rest[..at], &rest[at + 1..]);
            let (kept, local) = before.split_at(begin_of_local(before));
            let domain = &behind[..domain_bytes(behind)];
            shown.push_str(kept);
            if !local.is_empty() {
                self.write(&mut shown, local, domain);
            }
            shown.push('@');
            rest = behind;
        }
        shown.push_str(rest);
        Cow::Owned(shown)
    }

    /// A user's name, which may be an address.
    #[must_use]
    pub fn name<'t>(&self, name: &'t str) -> Cow<'t, str> {
        if self.is_plain() || name.contains('@') || name.is_empty() {
            return self.text(name);
        }
        let mut shown = String::new();
        self.write(&mut shown, name, "");
        Cow::Owned(shown)
    }

    fn write(&self, shown: &mut String, local: &str, domain: &str) {
        match self {
            Self::Plain => shown.push_str(local),
            Self::Domain => shown.push_str(NOTHING),
            Self::Hashed(key) => {
                shown.push(SIGN);
                shown.push_str(&hash(key, local, domain));
            }
        }
    }
}

impl fmt::Debug for Mask {
    /// A key is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Domain => "Domain",
            Self::Hashed(_) => "Hashed(..)",
        })
    }
}

/// However it is written: quoted or not, in any case, with U-labels or A-labels.
fn hash(key: &[u8; KEY_BYTES], local: &str, domain: &str) -> String {
    let written = Address::parse(&format!("{local}@{domain}")).ok();
    let plain = written.as_ref().map_or(local, Address::local).to_lowercase();
    let known = written.as_ref().and_then(Address::domain).map(|domain| domain.to_ascii().to_string());
    let domain = known.unwrap_or_else(|| domain.to_lowercase());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for piece in [&plain, &domain] {
        mac.update(&(piece.len() as u64).to_be_bytes());
        mac.update(piece.as_bytes());
    }
    let whole = mac.finalize().into_bytes();
    BASE32_NOPAD.encode(whole.get(..HASH_BYTES).unwrap_or_default()).to_ascii_lowercase()
}

/// Where the local part before an `@` begins: a quoted string, or characters that one may have.
fn begin_of_local(before: &str) -> usize {
    if let Some(inside) = before.strip_suffix('"') {
        // The opening quote is the last that is not escaped; without one what is there may still be somebody's.
        let mut quotes = inside.rmatch_indices('"');
        let opening = quotes.find(|(at, _)| !inside[..*at].ends_with('\\'));
        return opening.map_or(0, |(at, _)| at);
    }
    let is_local =
        |letter: char| letter.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(letter) || !letter.is_ascii();
    let run = before.rfind(|letter| !is_local(letter));
    let begin = run.map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    // What words are set off with, and not what names begin with.
    let set_off = before[begin..].find(|letter| !"'`={|/".contains(letter));
    set_off.map_or(begin, |more| begin + more)
}

/// Length of the domain or address literal that a text begins with.
fn domain_bytes(behind: &str) -> usize {
    if behind.starts_with('[') {
        return behind.find(']').map_or(0, |end| end + 1);
    }
    let is_domain = |letter: char| letter.is_alphanumeric() || "-.".contains(letter);
    let run = &behind[..behind.find(|letter| !is_domain(letter)).unwrap_or(behind.len())];
    run.trim_end_matches(['-', '.']).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hashed(text: &str) -> String {
        Mask::Hashed([7; KEY_BYTES]).text(text).into_owned()
    }

    /// What stands for an address.
    fn of(address: &str) -> String {
        let shown = hashed(address);
        assert!(shown.starts_with('~') && shown.find('@') == Some(14), "{shown}");
        shown
    }

    #[test]
    fn an_address_is_the_same_wherever_and_however_it_is_written() {
        let ann = of("ann@example.org");
        assert!(ann.ends_with("@example.org"), "{ann}");
        for text in ["Ann@EXAMPLE.org", "\"ann\"@example.org"] {
            assert_eq!(hashed(text)[..14], ann[..14], "{text}");
        }
        assert_eq!(hashed("a@b\u{fc}cher.example")[..14], hashed("a@xn--bcher-kva.example")[..14]);
        assert_ne!(hashed("ann@example.net")[..14], ann[..14], "another domain is another person");
        assert_ne!(Mask::Hashed([8; KEY_BYTES]).text("ann@example.org"), ann, "another key");
        let (from, to) = ("550 5.1.1 <ann@example.org>: no, 'ann@example.org' ann@example.org.", ann.as_str());
        assert_eq!(hashed(from), format!("550 5.1.1 <{to}>: no, '{to}' {to}."));
        assert_eq!(hashed("to=ann@example.org,mailto:ann@example.org rfc822;ann@example.org"), {
            let odd = of("to=ann@example.org");
            format!("{odd},mailto:{to} rfc822;{to}")
        });
        assert_eq!(hashed("\"a \\\" b\"@[192.0.2.1] x"), format!("{} x", of("\"a \\\" b\"@[192.0.2.1]")));
        for plain in ["", "no address", "a @ b", "<@>", "@example.org", "spf=pass(example.org)"] {
            assert_eq!(hashed(plain).contains('~'), plain == "none of them", "{plain}");
        }
    }

    #[test]
    fn names_of_users_are_hidden_too_and_less_may_be_shown() {
        let mask = Mask::Hashed([7; KEY_BYTES]);
        assert_eq!(mask.name("ann@example.org"), of("ann@example.org"));
        let name = mask.name("ann");
        assert!(name.starts_with('~') && name.len() == 14 && name == mask.name("ANN"), "{name}");
        assert_eq!(Mask::Domain.text("<ann@example.org> and b@c"), "<*@example.org> and *@c");
        assert_eq!((Mask::Domain.name("ann"), Mask::Plain.name("ann")), ("*".into(), "ann".into()));
        assert_eq!(Mask::Plain.text("ann@example.org"), "ann@example.org");
        assert_eq!(format!("{mask:?}"), "Hashed(..)");
    }

    proptest! {
        /// Whatever stands before an `@` and could be a local part does not stand there afterwards.
        #[test]
        fn no_local_part_is_left(local in "[a-z][a-z0-9.+_=-]{7,20}", before in "\\PC{0,8}", behind in "\\PC{0,8}", quoted: bool) {
            let local = if quoted { format!("\"{local}\"") } else { local };
            let text = format!("{before}{local}@example.org{behind}");
            let bare = local.trim_matches('"');
            prop_assert!(!hashed(&text).contains(&format!("{bare}@")), "{}", hashed(&text));
            prop_assert!(!hashed(&text).contains(&format!("{bare}\"@")), "{}", hashed(&text));
            prop_assert!(!Mask::Domain.text(&text).contains(bare) || before.contains(bare) || behind.contains(bare));
        }

        #[test]
        fn any_text_can_be_looked_through(text in "\\PC*") {
            let _ = (hashed(&text), Mask::Domain.text(&text));
        }
    }
}
