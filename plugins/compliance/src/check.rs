//! What is checked, and what follows from a finding.

use mailwright_plugin::{Config, Fault};

/// Octets of what a sender is told; the server cuts a reply at 512.
pub(crate) const WORDS_BYTES_MAX: usize = 480;
/// Recipients' domains whose routes are looked at.
pub(crate) const DOMAINS_MAX: usize = 50;

/// What follows from a finding. The worst of a message counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Config)]
pub enum Action {
    /// It is not looked at.
    Off,
    /// The message goes, and the log, a tag, metrics and, if wanted, a header field tell.
    #[default]
    Warn,
    /// It is kept until an operator decides.
    Hold,
    /// It is refused, and the reply says why.
    Reject,
}

/// What follows from the findings of single checks.
#[derive(Clone, Debug, Default, Config)]
pub struct Checks {
    /// There is one From with one mailbox that could exist.
    pub from: Option<Action>,
    /// The author is not at a domain where anybody has a mailbox.
    pub freemail: Option<Action>,
    /// This server signs for the author's domain.
    pub dkim: Option<Action>,
    /// The sender's domain allows our addresses.
    pub spf: Option<Action>,
    /// DKIM or SPF speaks for the author's domain.
    pub alignment: Option<Action>,
    /// The author's domain has a DMARC policy.
    pub dmarc: Option<Action>,
    /// One click unsubscribes.
    pub unsubscribe: Option<Action>,
    /// There is one Message-ID.
    pub message_id: Option<Action>,
    /// There is one Date.
    pub date: Option<Action>,
    /// No field is there more often than it may be.
    pub form: Option<Action>,
    /// Our addresses have names that have the addresses.
    pub rdns: Option<Action>,
    /// It leaves by TLS where that can be had.
    pub tls: Option<Action>,
}

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    From,
    Freemail,
    Dkim,
    Spf,
    Alignment,
    Dmarc,
    Unsubscribe,
    MessageId,
    Date,
    Form,
    Rdns,
    Tls,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) check: Check,
    /// What, and what to do.
    pub(crate) words: String,
}

impl Finding {
    pub(crate) fn new(check: Check, words: impl Into<String>) -> Self {
        Self { check, words: words.into() }
    }
}

/// What follows from which.
#[derive(Clone, Debug)]
pub(crate) struct Actions([Action; Check::ALL.len()]);

impl Action {
    /// As the configuration names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Hold => "hold",
            Self::Reject => "reject",
        }
    }
}

impl Check {
    pub(crate) const ALL: [Self; 12] = [
        Self::From,
        Self::Freemail,
        Self::Dkim,
        Self::Spf,
        Self::Alignment,
        Self::Dmarc,
        Self::Unsubscribe,
        Self::MessageId,
        Self::Date,
        Self::Form,
        Self::Rdns,
        Self::Tls,
    ];

    /// As the configuration names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::Freemail => "freemail",
            Self::Dkim => "dkim",
            Self::Spf => "spf",
            Self::Alignment => "alignment",
            Self::Dmarc => "dmarc",
            Self::Unsubscribe => "unsubscribe",
            Self::MessageId => "message_id",
            Self::Date => "date",
            Self::Form => "form",
            Self::Rdns => "rdns",
            Self::Tls => "tls",
        }
    }

    /// Subject and detail of the reply's status (RFC 3463 3, RFC 7372 3).
    pub(crate) fn status(self) -> (u16, u16) {
        match self {
            Self::Dkim => (7, 20),
            Self::Alignment => (7, 22),
            Self::Spf => (7, 23),
            Self::Rdns => (7, 25),
            Self::From | Self::MessageId | Self::Date | Self::Form => (6, 0),
            Self::Freemail | Self::Dmarc | Self::Unsubscribe | Self::Tls => (7, 1),
        }
    }
}

impl Actions {
    /// # Errors
    /// A check is wanted for which the addresses are not known.
    pub(crate) fn new(usual: Action, checks: &Checks, has_addresses: bool) -> Result<Self, Fault> {
        let said = [
            checks.from,
            checks.freemail,
            checks.dkim,
            checks.spf,
            checks.alignment,
            checks.dmarc,
            checks.unsubscribe,
            checks.message_id,
            checks.date,
            checks.form,
            checks.rdns,
            checks.tls,
        ];
        let mut actions = said.map(|action| action.unwrap_or(usual));
        for check in [Check::Spf, Check::Rdns].into_iter().filter(|_| !has_addresses) {
            if said[check as usize].is_some_and(|action| action != Action::Off) {
                let words = "it is about the addresses that mail comes from: write `addresses = [\"192.0.2.25\"]`";
                return Err(Fault::InvalidConfig(format!("checks.{}: {words}", check.name())));
            }
            actions[check as usize] = Action::Off;
        }
        Ok(Self(actions))
    }

    pub(crate) fn of(&self, check: Check) -> Action {
        self.0[check as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_in_their_places() {
        for (at, check) in Check::ALL.into_iter().enumerate() {
            assert_eq!(check as usize, at, "{}", check.name());
        }
    }

    #[test]
    fn a_status_says_what_was_missed_rfc7372_3_rfc3463_3() {
        assert_eq!(Check::Dkim.status(), (7, 20));
        assert_eq!((Check::Spf.status(), Check::Rdns.status()), ((7, 23), (7, 25)));
        assert_eq!((Check::Date.status(), Check::Tls.status()), ((6, 0), (7, 1)));
    }
}
