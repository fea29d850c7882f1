//! Hook calls as they are recorded, and back.

use super::super::exchange::compare::trail::{Ask, Step};
use super::super::host::bindings::mailwright::plugin::types;
use super::super::host::questions::{Auth, Mail, Question, Rcpt};
use super::body::BodyScene;
use super::{DeliveryScene, MessageScene};
use crate::base::flow::operator::trial::{
    Mailbox, Octets, RecordedCall, RecordedDelivery, RecordedMessage, RecordedQuestion,
};
use crate::base::mail::content::{Body, Content};
use crate::base::time::UnixMillis;

/// Octets of a body that are recorded.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A call as it is recorded; `body` is the beginning of the message's.
pub(crate) fn call(step: &Step, body: Vec<u8>) -> RecordedCall {
    let message = step.message.as_ref().map(|message| Box::new(written(message, body)));
    RecordedCall { asked: asked(&step.asked), message, said: step.said.clone() }
}

fn written(message: &MessageScene, body: Vec<u8>) -> RecordedMessage {
    let (body_type, size_bytes_max) = message.body.limits();
    RecordedMessage {
        id: message.id,
        sender: message.sender().cloned(),
        recipients: message.recipients().into_iter().cloned().collect(),
        whole: message.whole,
        body_type,
        size_bytes_max,
        head: Octets(message.content.head.to_vec()),
        body: Octets(body),
        body_bytes: message.content.body.size_bytes(),
        results: message.results.to_vec(),
        is_ours: message.is_ours,
        edits: message.headers.clone(),
        tags: message.tags.clone(),
    }
}

fn asked(ask: &Ask) -> RecordedQuestion {
    match ask {
        Ask::Gate(Question::Connect) => RecordedQuestion::Connect,
        Ask::Gate(Question::Helo(name)) => RecordedQuestion::Helo { name: name.clone() },
        Ask::Gate(Question::Auth(auth)) => {
            let Auth { mechanism, user, succeeded } = (**auth).clone();
            RecordedQuestion::Auth { mechanism, user, succeeded }
        }
        Ask::Gate(Question::Mail(mail)) => {
            RecordedQuestion::Mail { sender: mail.sender.as_ref().map(mailbox), params: mail.params.clone() }
        }
        Ask::Gate(Question::Rcpt(rcpt)) => RecordedQuestion::Rcpt {
            sender: rcpt.sender.as_ref().map(mailbox),
            to: mailbox(&rcpt.to),
            params: rcpt.params.clone(),
        },
        Ask::Data => RecordedQuestion::Data,
        Ask::Route(delivery) => RecordedQuestion::Route(sent(delivery)),
        Ask::PreSend(delivery) => RecordedQuestion::PreSend(sent(delivery)),
    }
}

fn sent(delivery: &DeliveryScene) -> RecordedDelivery {
    RecordedDelivery {
        id: delivery.id,
        recipient: delivery.recipient.clone(),
        attempt: delivery.attempt,
        accepted_ms: delivery.accepted.0,
        last_reply: delivery.last_reply.clone(),
        site: delivery.site.as_deref().map(str::to_owned),
        campaign: delivery.campaign.as_deref().map(str::to_owned),
        priority: delivery.priority,
    }
}

fn delivery(recorded: &RecordedDelivery) -> DeliveryScene {
    DeliveryScene {
        id: recorded.id,
        recipient: recorded.recipient.clone(),
        attempt: recorded.attempt,
        accepted: UnixMillis(recorded.accepted_ms),
        last_reply: recorded.last_reply.clone(),
        site: recorded.site.as_deref().map(Into::into),
        campaign: recorded.campaign.as_deref().map(Into::into),
        priority: recorded.priority,
    }
}

fn mailbox(address: &types::Address) -> Mailbox {
    Mailbox { local: address.local.clone(), domain: address.domain.clone() }
}

/// The call to be asked again.
pub(crate) fn step(call: &RecordedCall) -> Step {
    let address = |mailbox: &Mailbox| types::Address { local: mailbox.local.clone(), domain: mailbox.domain.clone() };
    let asked = match &call.asked {
        RecordedQuestion::Connect => Ask::Gate(Question::Connect),
        RecordedQuestion::Helo { name } => Ask::Gate(Question::Helo(name.clone())),
        RecordedQuestion::Auth { mechanism, user, succeeded } => {
            let auth = Auth { mechanism: mechanism.clone(), user: user.clone(), succeeded: *succeeded };
            Ask::Gate(Question::Auth(Box::new(auth)))
        }
        RecordedQuestion::Mail { sender, params } => {
            let mail = Mail { sender: sender.as_ref().map(address), params: params.clone() };
            Ask::Gate(Question::Mail(Box::new(mail)))
        }
        RecordedQuestion::Rcpt { sender, to, params } => {
            let rcpt = Rcpt { sender: sender.as_ref().map(address), to: address(to), params: params.clone() };
            Ask::Gate(Question::Rcpt(Box::new(rcpt)))
        }
        RecordedQuestion::Data => Ask::Data,
        RecordedQuestion::Route(recorded) => Ask::Route(Box::new(delivery(recorded))),
        RecordedQuestion::PreSend(recorded) => Ask::PreSend(Box::new(delivery(recorded))),
    };
    Step { by: None, asked, message: call.message.as_deref().map(message), said: call.said.clone() }
}

fn message(recorded: &RecordedMessage) -> MessageScene {
    MessageScene {
        id: recorded.id,
        content: Content { head: recorded.head.0.clone().into(), body: Body::Memory(recorded.body.0.clone().into()) },
        sender: recorded.sender.clone(),
        recipients: recorded.recipients.clone(),
        whole: recorded.whole,
        results: recorded.results.clone().into(),
        is_ours: recorded.is_ours,
        headers: recorded.edits.clone(),
        envelope: Vec::new(),
        tags: recorded.tags.clone(),
        body: BodyScene::new(recorded.body_type, recorded.size_bytes_max),
    }
}
