//! Mail of plugins' own, with the grant `submit`. The guest is suspended until its message is durable.

use super::super::capability::submit::{Outbox, PostDoor, Submission, cause};
use super::super::exchange::address::from_wire;
use super::super::host::bindings::mailwright::plugin::submit::{Error, Host};
use super::super::host::bindings::mailwright::plugin::types::Address as WireAddress;
use super::super::host::call::{Call, World};
use super::network::within;
use crate::base::event::Event;
use crate::base::flow::offer::Offer;
use crate::base::flow::policy::Hook;
use crate::base::flow::spool::Room;
use crate::base::mail::address::Address;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use std::sync::Arc;

/// Messages that are looked for in the queue when a plugin has as many there as it may have.
const LOOKS_MAX: usize = 64;

/// A message that is ready to be queued, with what is told of it.
struct Ready {
    offer: Offer,
    plugin: Arc<str>,
    outbox: Arc<Outbox>,
    outstanding_max: usize,
    per_minute_max: u32,
}

impl Call {
    /// The message as it will be queued.
    fn ready(
        &self,
        door: &PostDoor,
        sender: Option<WireAddress>,
        to: Vec<WireAddress>,
        raw: &[u8],
    ) -> Result<Ready, Error> {
        // A shadow must leave no trace anywhere.
        if self.plugin.shadow {
            return Err(Error::NotPermitted);
        }
        // Before there is a message there is nothing to send mail because of, but a stranger's word.
        if matches!(
            self.hook,
            Hook::Connect | Hook::Helo | Hook::Auth | Hook::Password | Hook::Mail | Hook::Rcpt | Hook::Disconnect
        ) {
            return Err(Error::NotPermitted);
        }
        let cause = cause(&self.scene).ok_or(Error::NotPermitted)?;
        let limits = self.plugin.submit;
        if raw.len() > limits.message_bytes_max {
            let most = limits.message_bytes_max;
            return Err(Error::Invalid(format!("it has {} octets, at most {most} are sent", raw.len())));
        }
        if to.len() > limits.recipients_per_message_max {
            let most = limits.recipients_per_message_max;
            return Err(Error::Invalid(format!("it has {} recipients, at most {most} are taken", to.len())));
        }
        let address = |wire: WireAddress| {
            let shown = format!("{}@{}", wire.local, wire.domain);
            from_wire(wire).ok_or_else(|| Error::Invalid(format!("\"{}\" is no address", shown.escape_debug())))
        };
        let hostname = door.config.borrow().hostname.clone();
        let at = UnixMillis(self.now_ms());
        let dice = &self.world.reach.dice;
        let submission = Submission {
            plugin: &self.plugin.name,
            tenant: self.scene.tenant.as_deref(),
            sender: sender.map(address).transpose()?,
            to: to.into_iter().map(address).collect::<Result<Vec<Address>, Error>>()?,
            cause,
            id: QueueId::new(at, u128::from(dice.roll()) << 64 | u128::from(dice.roll())),
            at,
            hostname: &hostname,
        };
        Ok(Ready {
            offer: submission.offer(raw).map_err(Error::Invalid)?,
            plugin: self.plugin.name.clone(),
            outbox: self.world.post.outbox(&self.plugin.name),
            outstanding_max: limits.outstanding_max,
            per_minute_max: limits.messages_per_minute_max,
        })
    }
}

impl Host for Call {
    async fn send(&mut self, sender: Option<WireAddress>, to: Vec<WireAddress>, raw: Vec<u8>) -> Result<String, Error> {
        let wait = self.patience();
        let post = self.world.post.clone();
        let Some(door) = post.door.get() else {
            return Err(Error::Unavailable("there is no queue here: only a server that runs sends mail".to_owned()));
        };
        let ready = self.ready(door, sender, to, &raw)?;
        let late = || Error::Unavailable("it did not become durable in time, and may yet be sent".to_owned());
        within(&*self.world.clock, wait, queue(&self.world, door, ready)).await.unwrap_or_else(|| Err(late()))
    }
}

/// Makes the message durable, if the limits have room for it; its id.
async fn queue(world: &World, door: &PostDoor, ready: Ready) -> Result<String, Error> {
    let Ready { offer, plugin, outbox, outstanding_max, per_minute_max } = ready;
    let sending =
        outbox.sending.clone().acquire_owned().await.map_err(|closed| Error::Unavailable(closed.to_string()))?;
    match door.spool.room() {
        Room::Open => {}
        Room::DiskLow => return Err(Error::Unavailable("the disk is nearly full".to_owned())),
        Room::Failing => return Err(Error::Unavailable("the disk fails".to_owned())),
    }
    if !has_room(door, &outbox, outstanding_max).await || !outbox.may_send(world.clock.now().wall.0, per_minute_max) {
        return Err(Error::Quota);
    }
    let (spool, observe, id) = (door.spool.clone(), world.observe.clone(), offer.entry.id);
    // In a task of its own: what was begun ends, whether or not the guest may still wait for it. There are no more of
    // them than permits.
    let accepted = tokio::spawn(async move {
        let _sending = sending;
        let told = (offer.entry.tenant.clone(), offer.entry.envelope.clone(), offer.entry.size_bytes);
        let accepted = spool.accept(offer).await;
        if accepted.is_ok() {
            outbox.put(id);
            let (tenant, envelope, bytes) = told;
            observe.event(Event::Submitted {
                id,
                plugin: &plugin,
                tenant: tenant.as_deref(),
                sender: &envelope.sender.map(|sender| sender.to_string()).unwrap_or_default(),
                recipients: u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX),
                bytes,
            });
        }
        accepted
    });
    let accepted = accepted.await.map_err(|error| Error::Unavailable(error.to_string()))?;
    accepted.map(|()| id.to_string()).map_err(|fault| Error::Unavailable(fault.to_string()))
}

/// Whether the plugin may have one more message in the queue. Those that have ended are forgotten here.
async fn has_room(door: &PostDoor, outbox: &Outbox, most: usize) -> bool {
    for _ in 0..LOOKS_MAX {
        let Some(id) = outbox.take_if_full(most) else { return true };
        match door.spool.entry(id).await {
            Ok(None) => return true,
            // What can't be read is still there.
            Ok(Some(_)) | Err(_) => outbox.put(id),
        }
    }
    false
}
