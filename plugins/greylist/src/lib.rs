//! Greylisting: who is new waits a while. Real senders come back; most of what sends spam does not.
//!
//! `docs/plugins/greylist.md` says what operators may set. New is a triple of the client's network, the sender and the
//! recipient; a network from which many came back is known as a whole.

mod config;
mod exempt;
mod memory;
#[cfg(test)]
mod tests;

pub use config::{Config, Exempt, Mode, Part};
use mailwright_plugin::config::Network;
use mailwright_plugin::kv::Bucket;
use mailwright_plugin::log::{self, Level};
use mailwright_plugin::setup::{self, Hook};
use mailwright_plugin::{Address, Disposition, Fault, Gate, Rcpt, Reply, clock, message, metrics, session};
use memory::{Known, Memory};
use std::net::IpAddr;
use std::time::Duration;

/// Greylisting, and what is known of the client in this transaction.
#[derive(Debug)]
pub struct Greylist {
    config: Config,
    client: Option<Client>,
}

/// A client, as far as it counts.
#[derive(Clone, Debug)]
struct Client {
    /// The key of its network, as `network|192.0.2.0/24`.
    network: String,
    /// It need not wait, whatever it brings.
    known: bool,
}

#[mailwright_plugin::plugin]
impl Greylist {
    fn configure(config: Config) -> Result<Self, Fault> {
        if let Some(exempt) = &config.exempt {
            exempt.check().map_err(|misfit| misfit.under("exempt"))?;
        }
        if config.verified.is_empty() {
            setup::skip(&[Hook::Data]);
        }
        Ok(Self { config, client: None })
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        // Whose mail it is shows in its data.
        if self.may_verify(rcpt.sender.as_ref()) {
            return Ok(Gate::Next);
        }
        Ok(self.wait_ms(rcpt.sender.as_ref(), &rcpt.to)?.map_or(Gate::Next, |wait| Gate::Tempfail(self.reply(wait))))
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let message = message::current()?;
        let Some(sender) = message.sender.as_ref().filter(|sender| self.may_verify(Some(sender))) else {
            return Ok(Disposition::Next);
        };
        let theirs = |result: &message::AuthResult| {
            let of = result.domain.as_ref().is_some_and(|domain| domain.eq_ignore_ascii_case(&sender.domain));
            of && result.outcome == "pass" && matches!(&*result.method, "spf" | "dkim")
        };
        if message::auth_results()?.iter().any(theirs) {
            return Ok(Disposition::Next);
        }
        // All of them are remembered now, so that they wait together.
        let mut longest = None;
        for to in &message.recipients {
            longest = longest.max(self.wait_ms(Some(sender), to)?);
        }
        Ok(longest.map_or(Disposition::Next, |wait| Disposition::Tempfail(self.reply(wait))))
    }
}

impl Greylist {
    fn may_verify(&self, sender: Option<&Address>) -> bool {
        sender.is_some_and(|sender| self.config.verified.iter().any(|one| one.matches(&sender.domain)))
    }

    /// How long that mail has to wait; none where it passes.
    fn wait_ms(&mut self, sender: Option<&Address>, to: &Address) -> Result<Option<u64>, Fault> {
        let memory = Memory {
            bucket: Bucket(&self.config.bucket),
            now_ms: clock::now_ms(),
            delay_ms: millis(self.config.delay),
            window_ms: millis(self.config.window),
            lifetime_ms: millis(self.config.lifetime),
        };
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client(&memory)?,
        };
        let exempt = self.config.exempt.as_ref();
        if client.known || exempt.is_some_and(|exempt| exempt.has_mail(sender, to).unwrap_or(false)) {
            self.client = Some(client);
            return Ok(None);
        }
        let known = memory.triple(&self.triple(&client.network, sender, to))?;
        if known == Known::Now && self.config.allow_after > 0 {
            memory.returned(&client.network)?;
        }
        self.client = Some(client);
        Ok(match known {
            Known::Yes => None,
            Known::Now => {
                metrics::add("returned", &[], 1);
                None
            }
            Known::Full => {
                metrics::add("full", &[], 1);
                log::write(Level::Warn, "the bucket is full: who is new does not wait", &[]);
                None
            }
            Known::NotYet(wait) => self.held(wait),
        })
    }

    /// Somebody is to wait, or would be.
    fn held(&self, wait_ms: u64) -> Option<u64> {
        let mode = if self.config.mode == Mode::Enforce { "enforce" } else { "warn" };
        metrics::add("deferred", &[("mode", mode)], 1);
        if self.config.mode == Mode::Enforce {
            return Some(wait_ms);
        }
        let seconds = wait_ms.div_ceil(1000).to_string();
        log::write(Level::Warn, &["it would have somebody new wait, for ", &seconds, " s"].concat(), &[]);
        None
    }

    fn client(&self, memory: &Memory<'_>) -> Result<Client, Fault> {
        let session = session::current()?;
        let peer: Option<IpAddr> = session.peer_ip.parse().ok();
        let network = peer.map_or(session.peer_ip.clone(), |ip| {
            Network::of(ip, self.config.prefix_v4, self.config.prefix_v6).to_string()
        });
        let network = ["network|", &network].concat();
        let exempt = match &self.config.exempt {
            Some(exempt) => exempt.has_client(&session, peer)?,
            None => false,
        };
        let enough = i64::from(self.config.allow_after);
        let known = session.auth_user.is_some() || exempt || (enough > 0 && memory.returns(&network)? >= enough);
        Ok(Client { network, known })
    }

    /// The key of a triple.
    fn triple(&self, network: &str, sender: Option<&Address>, to: &Address) -> String {
        let part = |part: Part, address: Option<&Address>| match (part, address) {
            (Part::None, _) => "*".to_owned(),
            (_, None) => "<>".to_owned(),
            (Part::Domain, Some(address)) => address.domain.to_ascii_lowercase(),
            (Part::Address, Some(address)) => address.to_string().to_ascii_lowercase(),
        };
        let network = network.strip_prefix("network|").unwrap_or(network);
        let (sender, to) = (part(self.config.sender, sender), part(self.config.recipient, Some(to)));
        ["triple|", network, "|", &sender, "|", &to].concat()
    }

    /// 451 4.7.1, and when to come back (RFC 5321 4.2.3, RFC 3463 3.8).
    fn reply(&self, wait_ms: u64) -> Reply {
        let seconds = wait_ms.div_ceil(1000).to_string();
        Reply::tempfail(&[&self.config.text, ": come back in ", &seconds, " s"].concat())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
