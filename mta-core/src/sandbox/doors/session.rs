//! The host functions on the session and on the attempt, and on what `configure` has to say.

use super::super::exchange::address::to_wire;
use super::super::exchange::routing;
use super::super::host::bindings::mailwright::plugin as wire;
use super::super::host::call::Call;
use super::super::scene::{DeliveryScene, Note, Refused, SessionScene};
use crate::base::flow::policy::Hook;
use crate::base::mail::tie::Sent;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Call {
    fn session(&self) -> Result<&SessionScene, wire::session::Error> {
        self.scene.session.as_deref().ok_or(wire::session::Error::NotHere)
    }

    fn delivery(&self) -> Result<&DeliveryScene, wire::delivery::Error> {
        self.scene.delivery.as_deref().ok_or(wire::delivery::Error::NotHere)
    }

    /// The session, where it has notes: what is asked about a password leaves none.
    fn noted(&self) -> Option<&SessionScene> {
        self.scene.session.as_deref().filter(|_| self.hook != Hook::Password)
    }
}

impl wire::session::Host for Call {
    fn current(&mut self) -> Result<wire::session::Info, wire::session::Error> {
        let session = self.session()?;
        Ok(wire::session::Info {
            id: session.id.to_string(),
            listener: session.listener.to_string(),
            tenant: self.scene.tenant.as_deref().map(str::to_owned),
            peer_ip: session.peer.to_string(),
            helo: session.helo(),
            tls_version: session.tls().map(|tls| tls.version.to_owned()),
            auth_user: session.user(),
        })
    }

    fn peer_ip(&mut self) -> Result<String, wire::session::Error> {
        Ok(self.session()?.peer.to_string())
    }

    fn tls(&mut self) -> Result<Option<wire::session::TlsInfo>, wire::session::Error> {
        let session = self.session()?;
        Ok(session.tls().map(|tls| wire::session::TlsInfo {
            version: tls.version.to_owned(),
            cipher: tls.cipher.to_owned(),
            server_name: tls.server_name.as_deref().map(str::to_owned),
            client: tls.client.as_ref().map(|client| wire::session::Certificate {
                subject: client.subject.to_string(),
                sha256: client.sha256.to_string(),
                verified: client.verified,
            }),
        }))
    }

    fn get_note(&mut self, key: String) -> Result<Option<wire::session::Note>, wire::session::Error> {
        let session = self.noted().ok_or(wire::session::Error::NotHere)?;
        Ok(session.note(&self.plugin.space, self.plugin.shadow, &key).map(|note| match note {
            Note::Text(text) => wire::session::Note::Text(text),
            Note::Number(number) => wire::session::Note::Number(number),
            Note::Bytes(bytes) => wire::session::Note::Bytes(bytes),
        }))
    }

    fn set_note(&mut self, key: String, value: wire::session::Note) -> Result<(), wire::session::Error> {
        let session = self.noted().ok_or(wire::session::Error::NotHere)?;
        let note = match value {
            wire::session::Note::Text(text) => Note::Text(text),
            wire::session::Note::Number(number) => Note::Number(number),
            wire::session::Note::Bytes(bytes) => Note::Bytes(bytes),
        };
        let plugin = &self.plugin;
        session.set_note(&plugin.space, plugin.shadow, &key, note).map_err(|_: Refused| wire::session::Error::TooLarge)
    }

    fn rejected_recipients(&mut self) -> Result<u32, wire::session::Error> {
        Ok(self.session()?.rejected.load(Ordering::Relaxed))
    }
}

impl wire::setup::Host for Call {
    fn skip(&mut self, hooks: Vec<wire::setup::Hook>) {
        if self.configuring {
            self.skipped.hooks.extend(hooks.into_iter().map(named));
        }
    }

    fn skip_outcomes(&mut self, kinds: Vec<wire::setup::OutcomeKind>) {
        if self.configuring {
            self.skipped.outcomes.extend(kinds);
        }
    }
}

fn named(hook: wire::setup::Hook) -> Hook {
    match hook {
        wire::setup::Hook::Connect => Hook::Connect,
        wire::setup::Hook::Helo => Hook::Helo,
        wire::setup::Hook::Auth => Hook::Auth,
        wire::setup::Hook::Mail => Hook::Mail,
        wire::setup::Hook::Rcpt => Hook::Rcpt,
        wire::setup::Hook::Data => Hook::Data,
        wire::setup::Hook::Route => Hook::Route,
        wire::setup::Hook::PreSend => Hook::PreSend,
        wire::setup::Hook::Outcome => Hook::Outcome,
        wire::setup::Hook::Feedback => Hook::Feedback,
        wire::setup::Hook::Http => Hook::Http,
        wire::setup::Hook::Tick => Hook::Tick,
        wire::setup::Hook::Disconnect => Hook::Disconnect,
    }
}

impl wire::delivery::Host for Call {
    fn current(&mut self) -> Result<wire::delivery::Info, wire::delivery::Error> {
        let delivery = self.delivery()?;
        Ok(wire::delivery::Info {
            queue_id: delivery.id.to_string(),
            recipient: to_wire(&delivery.recipient),
            tenant: self.scene.tenant.as_deref().map(str::to_owned),
            campaign: delivery.campaign.as_deref().map(str::to_owned),
            priority: routing::to_wire(delivery.priority),
            attempt: delivery.attempt,
            queued_ms: delivery.accepted.0,
            last_reply: delivery.last_reply.clone(),
            site: delivery.site.as_deref().map(str::to_owned),
        })
    }

    fn recipient(&mut self) -> Result<wire::types::Address, wire::delivery::Error> {
        Ok(to_wire(&self.delivery()?.recipient))
    }

    fn attempt(&mut self) -> Result<u32, wire::delivery::Error> {
        Ok(self.delivery()?.attempt)
    }

    fn unsubscribe_uri(&mut self) -> Result<Option<String>, wire::delivery::Error> {
        let delivery = self.delivery()?;
        let config = self.world.post.door.get().map(|door| Arc::clone(&door.config.borrow()));
        let feedback = config.as_ref().and_then(|config| config.feedback.as_ref());
        let (Some(key), Some(feedback)) = (&self.world.key, feedback) else { return Ok(None) };
        let sent = Sent {
            id: delivery.id,
            recipient: delivery.recipient.clone(),
            tenant: self.scene.tenant.as_deref().map(Into::into),
            campaign: delivery.campaign.clone(),
        };
        Ok(key.mailto(&sent, &feedback.domain))
    }
}
