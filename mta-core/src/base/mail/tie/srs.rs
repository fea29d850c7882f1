//! Reverse paths of mail that is forwarded: rewritten, so that a bounce comes here and finds its way back (the Sender
//! Rewriting Scheme of Meng Weng Wong's paper, as libsrs2 writes it; HMAC, RFC 2104).
//!
//! `SRS0=hash=day=domain=local@ours` carries a sender. Where that is rewritten by another forwarder already,
//! `SRS1=hash=first==…@ours` carries its address and leads back to that first forwarder, which knows how old it is: however
//! long the way, the address does not grow. Hashes are of 40 bits in base 32, in any case, since servers change the case of
//! local parts; libsrs2's have 24 bits in base 64, and every forwarder reads its own alone.

use super::Key;
use crate::base::mail::address::{Address, carries_another};
use crate::base::mail::domain::Domain;
use crate::base::time::UnixMillis;
use data_encoding::BASE32_NOPAD;
use hmac::Mac as _;
use std::time::Duration;

/// Octets of a signature: 8 characters.
const MAC_BYTES: usize = 5;
/// Days are counted modulo this, in two characters.
const DAYS: u64 = 1024;
const DAY_SECONDS: u64 = 86_400;
/// The characters of base 32, for days.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Why an address leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    /// None of our keys has signed it.
    #[error("its address is none that we made")]
    Forged,
    /// Its day is too long ago.
    #[error("its address is too old")]
    Old,
}

impl Key {
    /// The reverse path in `domain` that leads back to the sender. None where there is none: a sender without a domain
    /// that has a name, or one so long that the address would be none (RFC 5321 4.5.3.1.3).
    #[must_use]
    pub fn forwarded(&self, sender: &Address, domain: &Domain, now: UnixMillis) -> Option<Address> {
        let host = sender.domain()?.dns_name()?.to_ascii_lowercase();
        let again = Carried::of(sender.local()).and_then(|carried| match carried.kind {
            Kind::First => Some(self.second(&host, carried.rest)),
            Kind::Second => {
                let (_, first, behind) = second_parts(carried.rest)?;
                Some(self.second(&Domain::parse(first).ok()?.dns_name()?, behind))
            }
        });
        let local = again.unwrap_or_else(|| self.first(&host, sender.local(), now));
        Address::new(local, Some(domain.clone())).ok()
    }

    fn first(&self, host: &str, local: &str, now: UnixMillis) -> String {
        let day = stamp(now);
        format!("SRS0={}={day}={host}={local}", self.hash("srs0", &[&day, host, local]))
    }

    fn second(&self, first: &str, behind: &str) -> String {
        format!("SRS1={}={first}={behind}", self.hash("srs1", &[first, behind]))
    }

    /// Where mail to an address that we made goes.
    ///
    /// # Errors
    /// We did not make it, or longer ago than `age_max`.
    pub fn way_back(&self, to: &Address, now: UnixMillis, age_max: Duration) -> Result<Address, Astray> {
        let carried = Carried::of(to.local()).ok_or(Astray::Forged)?;
        // Behind SRS0 and its separator; of SRS1 what second() made begins with the separator of ours.
        let rest = carried.rest.get(1..).unwrap_or_default();
        match carried.kind {
            Kind::First => {
                let mut parts = rest.splitn(4, '=');
                let mut next = || parts.next().ok_or(Astray::Forged);
                let (hash, day, host, local) = (next()?, next()?, next()?, next()?);
                self.check("srs0", &[day, host, local], hash)?;
                if is_older(day, now, age_max) {
                    return Err(Astray::Old);
                }
                address(local.to_owned(), host)
            }
            Kind::Second => {
                let (hash, first, behind) = second_parts(carried.rest).ok_or(Astray::Forged)?;
                self.check("srs1", &[first, behind], hash)?;
                address(format!("SRS0{behind}"), first)
            }
        }
    }

    fn hash(&self, what: &str, pieces: &[&str]) -> String {
        let whole = with_octets(pieces, |pieces| self.sign(what, pieces)).finalize().into_bytes();
        BASE32_NOPAD.encode(whole.get(..MAC_BYTES).unwrap_or_default())
    }

    fn check(&self, what: &str, pieces: &[&str], hash: &str) -> Result<(), Astray> {
        let signature = BASE32_NOPAD.decode(hash.to_ascii_uppercase().as_bytes()).map_err(|_| Astray::Forged)?;
        let fits = signature.len() == MAC_BYTES;
        let ours = fits && with_octets(pieces, |pieces| self.signed(what, pieces, &signature));
        if ours { Ok(()) } else { Err(Astray::Forged) }
    }
}

/// A local part that carries another address.
struct Carried<'a> {
    kind: Kind,
    /// From the first separator on.
    rest: &'a str,
}

#[derive(Clone, Copy)]
enum Kind {
    First,
    Second,
}

impl<'a> Carried<'a> {
    fn of(local: &'a str) -> Option<Self> {
        if !carries_another(local) {
            return None;
        }
        let (word, rest) = local.split_at_checked(4)?;
        Some(Self { kind: if word.ends_with('0') { Kind::First } else { Kind::Second }, rest })
    }
}

/// Hash, first forwarder, and what goes behind its SRS0, which begins with a separator.
fn second_parts(rest: &str) -> Option<(&str, &str, &str)> {
    let (hash, rest) = rest.get(1..)?.split_once('=')?;
    let (first, behind) = rest.split_once('=')?;
    (Domain::parse(first).is_ok() && behind.starts_with(['=', '+', '-'])).then_some((hash, first, behind))
}

fn address(local: String, host: &str) -> Result<Address, Astray> {
    let domain = Domain::parse(host).map_err(|_| Astray::Forged)?;
    Address::new(local, Some(domain)).map_err(|_| Astray::Forged)
}

/// Servers on the way change the case: it is not signed.
fn with_octets<T>(pieces: &[&str], make: impl FnOnce(&[&[u8]]) -> T) -> T {
    let lower: Vec<String> = pieces.iter().map(|piece| piece.to_lowercase()).collect();
    let octets: Vec<&[u8]> = lower.iter().map(String::as_bytes).collect();
    make(&octets)
}

fn day_of(now: UnixMillis) -> u64 {
    now.0 / 1000 / DAY_SECONDS % DAYS
}

fn stamp(now: UnixMillis) -> String {
    let day = day_of(now);
    let digit = |number: u64| {
        usize::try_from(number).ok().and_then(|at| DIGITS.get(at)).map_or('A', |digit| char::from(*digit))
    };
    [digit(day / 32), digit(day % 32)].iter().collect()
}

/// A stamp that can't be read is old. One of tomorrow is by a clock that goes a little ahead.
fn is_older(day: &str, now: UnixMillis, age_max: Duration) -> bool {
    let digit = |octet: u8| DIGITS.iter().position(|digit| *digit == octet.to_ascii_uppercase());
    let [high, low] = day.as_bytes() else { return true };
    let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return true };
    let age = (day_of(now) + DAYS - (high * 32 + low) as u64) % DAYS;
    age != DAYS - 1 && age > age_max.as_secs() / DAY_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::tie::KEY_BYTES;
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
    const AGE_MAX: Duration = Duration::from_secs(21 * DAY_SECONDS);

    fn key(octet: u8) -> Key {
        Key::new([octet; KEY_BYTES])
    }

    fn domain(text: &str) -> Domain {
        Domain::parse(text).expect("a domain")
    }

    fn read(text: &str) -> Address {
        Address::parse(text).expect("a mailbox")
    }

    fn days(count: u64) -> UnixMillis {
        NOW.plus(Duration::from_secs(count * DAY_SECONDS))
    }

    fn back(text: &str, now: UnixMillis) -> Result<String, Astray> {
        key(1).way_back(&read(text), now, AGE_MAX).map(|address| address.to_string())
    }

    #[test]
    fn a_sender_is_carried_and_found_again() {
        let path = key(1).forwarded(&read("Ann.Lee@Example.org"), &domain("srs.example"), NOW).expect("short");
        let text = path.to_string();
        let (start, end) = text.split_at(13);
        assert!(start.starts_with("SRS0=") && end.starts_with('='), "{text}");
        assert!(text.ends_with("=example.org=Ann.Lee@srs.example"), "{text}");
        assert_eq!(back(&text, NOW).as_deref(), Ok("Ann.Lee@example.org"));
        assert_eq!(back(&text.to_lowercase(), NOW).as_deref(), Ok("ann.lee@example.org"));
        assert_eq!(back(&text.to_uppercase(), days(21)).as_deref(), Ok("ANN.LEE@example.org"));
        assert_eq!(back(&text, days(22)), Err(Astray::Old));
        assert_eq!(back(&text, UnixMillis(NOW.0 - 86_400_000)).as_deref(), Ok("Ann.Lee@example.org"), "a clock ahead");
        assert_eq!(key(2).way_back(&path, NOW, AGE_MAX), Err(Astray::Forged));
        let rotated = key(2).after(vec![[3; KEY_BYTES], [1; KEY_BYTES]]);
        assert!(rotated.way_back(&path, NOW, AGE_MAX).is_ok(), "what an older key made counts");
        for forged in ["SRS0=AAAAAAAA=AA=example.org=ann@srs.example", "SRS0=x@srs.example", "SRS1=@srs.example"] {
            assert_eq!(back(forged, NOW), Err(Astray::Forged), "{forged}");
        }
        let other = text.replace("Ann.Lee", "Bob");
        assert_eq!(back(&other, NOW), Err(Astray::Forged));
    }

    #[test]
    fn what_another_forwarder_rewrote_leads_back_to_the_first() {
        let theirs = read("SRS0+HHHH=TT=orig.example=ann@one.example");
        let second = key(1).forwarded(&theirs, &domain("two.example"), NOW).expect("short");
        let text = second.to_string();
        assert!(
            text.starts_with("SRS1=") && text.ends_with("=one.example=+HHHH=TT=orig.example=ann@two.example"),
            "{text}"
        );
        assert_eq!(back(&text, days(500)), Ok(theirs.to_string()), "the first knows how old it is");
        // A third one goes back to the first too, and is no longer than the second.
        let third = key(7).forwarded(&second, &domain("six.example"), NOW).expect("short").to_string();
        assert_eq!(third.len(), text.len());
        assert!(third.ends_with("=one.example=+HHHH=TT=orig.example=ann@six.example"), "{third}");
        assert_eq!(back(&text.replace("one.example", "evil.example"), NOW), Err(Astray::Forged));
        // Nothing but the beginning is like it: an address as any other.
        let odd = key(1).forwarded(&read("srs1=odd@one.example"), &domain("two.example"), NOW).expect("short");
        assert_eq!(back(&odd.to_string(), NOW).as_deref(), Ok("srs1=odd@one.example"));
    }

    #[test]
    fn long_senders_fit_where_a_path_does_rfc5321_4_5_3_1_3() {
        let sender = read(&format!("{}@{}example.org", "a".repeat(64), "b.".repeat(40)));
        let path = key(1).forwarded(&sender, &domain("srs.example"), NOW).expect("it is short enough");
        assert!(path.local().len() > 64, "as all of these are that carry a long local part");
        assert_eq!(back(&path.to_string(), NOW), Ok(sender.to_string()));
        let longer = read(&format!("{}@{}example.org", "a".repeat(64), "b.".repeat(80)));
        assert_eq!(key(1).forwarded(&longer, &domain("srs.example"), NOW), None);
        let literal = read("ann@[192.0.2.1]");
        assert_eq!(key(1).forwarded(&literal, &domain("srs.example"), NOW), None);
    }

    proptest! {
        /// RFC 2104: whoever has not the key makes none.
        #[test]
        fn any_sender_comes_back_and_no_other(local in "[a-zA-Z0-9=+._-]{1,40}", days_later in 0_u64..21, guess in ".{0,80}") {
            prop_assume!(Address::parse(&format!("{local}@example.org")).is_ok());
            let sender = read(&format!("{local}@example.org"));
            let path = key(1).forwarded(&sender, &domain("srs.example"), NOW).expect("short");
            prop_assert_eq!(back(&path.to_string(), days(days_later)), Ok(sender.to_string()));
            let guessed = Address::new(format!("SRS0={guess}"), Some(domain("srs.example")));
            if let Ok(guessed) = guessed {
                prop_assert!(key(1).way_back(&guessed, NOW, AGE_MAX).is_err());
            }
        }
    }
}
