//! The host functions for what the operator and the system supply, on the scene.

use super::scene;

pub(crate) mod random {
    //! Octets that follow from the scene's number (SplitMix64), so that a test can be run again.

    pub(crate) fn bytes(len: u32) -> Vec<u8> {
        let mut octets = Vec::new();
        while octets.len() < len.min(65_536) as usize {
            octets.extend(super::scene(|scene| next(&mut scene.random)).to_le_bytes());
        }
        octets.truncate(len as usize);
        octets
    }

    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

pub(crate) mod tables {
    //! The scene's tables; those that it has not are not granted.
    use crate::tables::Error;

    pub(crate) fn lookup(table: &str, key: &str) -> Result<Option<String>, Error> {
        super::scene(|scene| {
            let values = scene.tables.get(table).ok_or(Error::NoSuchTable)?;
            let found = values.iter().find(|(known, _)| known.to_lowercase() == key.to_lowercase());
            Ok(found.map(|(_, value)| value.clone()))
        })
    }
}

pub(crate) mod tenants {
    //! Any hook may say whose it is: the scene does not know which one runs.
    use crate::tenants::Error;

    pub(crate) fn act_for(tenant: Option<&str>) -> Result<(), Error> {
        super::scene(|scene| {
            if tenant.is_some_and(|tenant| !scene.tenants.iter().any(|known| known == tenant)) {
                return Err(Error::NoSuchTenant);
            }
            scene.acting_for = tenant.map(str::to_owned);
            Ok(())
        })
    }
}

pub(crate) mod suppression {
    //! The scene's lists; every scope is granted. Entries are as old as time, and nobody's.
    use crate::Address;
    use crate::suppression::{Error, Held, Page, Reason};
    use std::collections::BTreeMap;

    fn key(who: &Address) -> String {
        who.to_string().to_lowercase()
    }

    /// Works on the list of whom the plugin acts for.
    fn with<T>(scope: &str, work: impl FnOnce(&mut BTreeMap<String, Reason>) -> T) -> T {
        super::scene(|scene| {
            let scope = scene.acting_for.as_ref().map_or(scope.to_owned(), |tenant| format!("{tenant}/{scope}"));
            let done = work(scene.suppression.entry(scope.clone()).or_default());
            scene.suppression.retain(|_, list| !list.is_empty());
            done
        })
    }

    fn held((address, why): (&String, &Reason)) -> Held {
        Held { address: address.clone(), why: *why, since_ms: 0, by: "plugin:test".to_owned() }
    }

    pub(crate) fn contains(scope: &str, who: &Address) -> Result<Option<Reason>, Error> {
        Ok(with(scope, |list| list.get(&key(who)).copied()))
    }

    pub(crate) fn add(scope: &str, who: &Address, why: Reason) -> Result<(), Error> {
        add_all(scope, &[(who.clone(), why)]).map(drop)
    }

    pub(crate) fn add_all(scope: &str, who: &[(Address, Reason)]) -> Result<u64, Error> {
        if who.iter().any(|(who, _)| who.local.is_empty()) {
            return Err(Error::Invalid);
        }
        Ok(with(scope, |list| {
            let before = list.len();
            for (who, why) in who {
                list.entry(key(who)).or_insert(*why);
            }
            (list.len() - before) as u64
        }))
    }

    pub(crate) fn remove(scope: &str, who: &Address) -> Result<bool, Error> {
        Ok(with(scope, |list| list.remove(&key(who))).is_some())
    }

    pub(crate) fn find(scope: &str, who: &Address) -> Result<Option<Held>, Error> {
        Ok(with(scope, |list| list.get_key_value(&key(who)).map(held)))
    }

    pub(crate) fn search(
        scope: &str,
        containing: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, Error> {
        let containing = containing.unwrap_or_default().to_lowercase();
        Ok(with(scope, |list| {
            let behind = list.iter().filter(|(who, _)| after.is_none_or(|after| who.as_str() > after));
            let mut entries: Vec<Held> = behind.filter(|(who, _)| who.contains(&containing)).map(held).collect();
            let more = entries.len() > limit as usize;
            entries.truncate(limit as usize);
            let after = entries.last().filter(|_| more).map(|last| last.address.clone());
            Page { entries, after }
        }))
    }
}

pub(crate) mod secrets {
    //! The scene's secrets: all of them may be seen.
    use hmac::{Hmac, Mac};
    use sha2::Sha256;

    pub(crate) fn get(name: &str) -> Option<Vec<u8>> {
        super::scene(|scene| scene.secrets.get(name).cloned())
    }

    pub(crate) fn hmac_sha256(secret: &str, data: &[u8]) -> Option<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&get(secret)?).expect("HMAC takes keys of any length");
        mac.update(data);
        Some(mac.finalize().into_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suppression::{Reason, Scope};
    use crate::tables::{Error, Table};
    use crate::{Address, random, secrets, tenants};

    #[test]
    fn a_mac_is_made_with_the_scenes_secret_and_known_again_rfc4231_4_3() {
        scene(|scene| scene.secrets.insert("key".to_owned(), b"Jefe".to_vec()));
        let mac = secrets::hmac_sha256("key", b"what do ya want for nothing?").expect("there is a key");
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(secrets::is_hmac_sha256("key", b"what do ya want for nothing?", &mac));
        for wrong in [&mac[..31], &[0; 32], &[]] {
            assert!(!secrets::is_hmac_sha256("key", b"what do ya want for nothing?", wrong));
        }
        assert!(!secrets::is_hmac_sha256("other", b"", &mac));
        assert_eq!(secrets::get("other"), None);
    }

    #[test]
    fn a_table_answers_in_any_case_and_only_when_the_scene_has_it() {
        assert_eq!(Table("vips").lookup("ann@example.org"), Err(Error::NoSuchTable));
        let values = [("Ann@example.org".to_owned(), "gold".to_owned())];
        scene(|scene| scene.tables.insert("vips".to_owned(), values.into()));
        assert_eq!(Table("vips").lookup("ann@EXAMPLE.org"), Ok(Some("gold".to_owned())));
        assert_eq!(Table("vips").has("bob@example.org"), Ok(false));
    }

    #[test]
    fn an_address_stays_on_its_list_until_it_is_removed() {
        let (news, ann) = (Scope("news"), Address::new("Ann", "Example.org"));
        assert_eq!(news.contains(&ann), Ok(None));
        assert_eq!((news.add(&ann, Reason::Complaint), news.add(&ann, Reason::Manual)), (Ok(()), Ok(())));
        assert_eq!(news.contains(&Address::new("ann", "example.org")), Ok(Some(Reason::Complaint)));
        assert_eq!(Scope("other").contains(&ann), Ok(None));
        assert_eq!((news.remove(&ann), news.remove(&ann)), (Ok(true), Ok(false)));
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.word()), Some(reason));
        }
    }

    #[test]
    fn a_tenants_list_is_its_own_and_is_searched() {
        scene(|scene| scene.tenants = vec!["acme".to_owned()]);
        assert_eq!(tenants::act_for(Some("beta")), Err(tenants::Error::NoSuchTenant));
        assert_eq!(tenants::act_for(Some("acme")), Ok(()));
        let (news, who) = (Scope("news"), |name: &str| (Address::new(name, "example.org"), Reason::Manual));
        assert_eq!(news.add_all(&[who("ann"), who("Anna"), who("bob"), who("ann")]), Ok(3));
        let page = news.search(Some("ANN"), None, 1).expect("a page");
        assert_eq!(
            (page.entries[0].address.as_str(), page.after.as_deref()),
            ("ann@example.org", Some("ann@example.org"))
        );
        let rest = news.search(Some("ann"), page.after.as_deref(), 9).expect("a page");
        assert_eq!((rest.entries[0].address.as_str(), rest.entries.len(), rest.after), ("anna@example.org", 1, None));
        assert_eq!(news.find(&who("BOB").0).map(|held| held.map(|held| held.why)), Ok(Some(Reason::Manual)));
        assert_eq!((tenants::act_for(None), news.contains(&who("ann").0)), (Ok(()), Ok(None)));
        assert!(scene(|scene| scene.suppression.contains_key("acme/news")));
    }

    #[test]
    fn random_octets_follow_from_the_scenes_number() {
        let (one, other) = (random::bytes(20), random::bytes(20));
        assert_eq!((one.len(), other.len()), (20, 20));
        assert_ne!(one, other);
        scene(|scene| scene.random = 0);
        assert_eq!(random::bytes(20), one);
        assert_eq!(random::bytes(100_000).len(), 65_536);
        assert_ne!(random::number(), random::number());
    }
}
