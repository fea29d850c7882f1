//! What is known of a client and its mail, and the keys that are made of it.

use crate::config::Key;
use mailwright_plugin::config::Network;
use mailwright_plugin::kv::shortened;
use mailwright_plugin::{Address, Fault, session};
use std::net::IpAddr;

/// What is known. What is not, is not there: a limit by it does not apply.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) peer: Option<IpAddr>,
    pub(crate) listener: Option<String>,
    pub(crate) helo: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) sender: Option<Address>,
    pub(crate) site: Option<String>,
}

impl Facts {
    /// Those of the session that the hook is called in.
    pub(crate) fn of_session(sender: Option<&Address>) -> Result<Self, Fault> {
        let session::Info { listener, tenant, peer_ip, helo, auth_user, .. } = session::current()?;
        Ok(Self {
            peer: peer_ip.parse().ok(),
            listener: Some(listener),
            helo,
            user: auth_user,
            tenant,
            sender: sender.cloned(),
            site: None,
        })
    }

    /// One part of a key.
    fn part(&self, key: Key, to: Option<&Address>, prefixes: (u8, u8)) -> Option<String> {
        match key {
            Key::Peer => self.peer.map(|ip| ip.to_string()),
            Key::Network => self.peer.map(|ip| Network::of(ip, prefixes.0, prefixes.1).to_string()),
            Key::Helo => self.helo.clone(),
            Key::Sender => self.sender.as_ref().map(ToString::to_string),
            Key::SenderDomain => self.sender.as_ref().map(|sender| sender.domain.clone()),
            Key::User => self.user.clone(),
            Key::Tenant => self.tenant.clone(),
            Key::Listener => self.listener.clone(),
            Key::Recipient => to.map(ToString::to_string),
            Key::RecipientDomain => to.map(|to| to.domain.clone()),
            Key::Site => self.site.clone(),
        }
    }

    /// The key of a limit: its name and these parts, as `per-user|ann`. None where a part is not there.
    pub(crate) fn key(&self, name: &str, by: &[Key], to: Option<&Address>, prefixes: (u8, u8)) -> Option<String> {
        let mut text = name.to_owned();
        for key in by {
            text.push('|');
            for letter in self.part(*key, to, prefixes)?.chars() {
                // So that no part can look like two.
                if letter == '|' || letter == '\\' {
                    text.push('\\');
                }
                text.push(letter.to_ascii_lowercase());
            }
        }
        Some(shortened(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            peer: "192.0.2.77".parse().ok(),
            user: Some("Ann|\\b".to_owned()),
            sender: Some(Address::new("Bob", "Example.ORG")),
            ..Facts::default()
        }
    }

    #[test]
    fn a_key_says_the_limit_and_what_it_is_by() {
        let to = Address::new("c", "d.test");
        let key = |by: &[Key]| facts().key("x", by, Some(&to), (24, 64));
        assert_eq!(key(&[]).as_deref(), Some("x"));
        assert_eq!(key(&[Key::Network, Key::Sender]).as_deref(), Some("x|192.0.2.0/24|bob@example.org"));
        assert_eq!(key(&[Key::SenderDomain, Key::RecipientDomain]).as_deref(), Some("x|example.org|d.test"));
        assert_eq!(key(&[Key::User]).as_deref(), Some("x|ann\\|\\\\b"));
        assert_eq!(key(&[Key::Peer, Key::Tenant]), None, "nobody's mail is under no limit of tenants");
        assert_eq!(facts().key("x", &[Key::Recipient], None, (24, 64)), None);
    }

    #[test]
    fn long_keys_stay_apart_within_their_limit() {
        let of = |end: char| {
            let helo = Some(format!("{}{end}", "\u{e9}".repeat(1000)));
            Facts { helo, ..Facts::default() }.key("x", &[Key::Helo], None, (24, 64)).expect("it is there")
        };
        assert!(of('a').len() <= 512 && of('b').len() <= 512);
        assert_ne!(of('a'), of('b'));
    }
}
