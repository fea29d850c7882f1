//! `[srs]`: the domain of rewritten reverse paths.

use crate::base::mail::domain::Domain;
use crate::config::model::Srs;
use crate::config::parse::section::{Key, Value};
use std::time::Duration;

const SRS_DOMAIN: &str = "a domain whose exchanger is this server, as \"srs.example.org\"";
const DAY: Duration = Duration::from_secs(86_400);
/// How long a rewritten address counts where the file is silent: bounces come within days.
const AGE_MAX: Duration = Duration::from_secs(21 * 86_400);
/// The longest domain that leaves room for a sender (RFC 5321 4.5.3.1.3), in octets.
const DOMAIN_BYTES_MAX: usize = 100;

/// `[srs]` before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct SrsDraft {
    domain: Option<Domain>,
    age_max: Option<Duration>,
}

pub(in crate::config::parse) const SRS: &[Key<SrsDraft>] = &[
    Key { name: "domain", read: |d, v| d.domain = v.text(SRS_DOMAIN, domain) },
    Key { name: "age_max", read: |d, v| d.age_max = v.duration(DAY..=Duration::from_secs(365 * 86_400)) },
];

fn domain(text: &str) -> Result<Domain, String> {
    match Domain::parse(text) {
        Ok(Domain::Literal(_)) => Err("an address is no domain of its own".to_owned()),
        Ok(domain) if domain.to_ascii().to_string().len() > DOMAIN_BYTES_MAX => {
            Err(format!("it has at most {DOMAIN_BYTES_MAX} octets, or there would be no room for senders"))
        }
        Ok(domain) => Ok(domain.to_ascii()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn srs(value: &mut Value<'_, '_>) -> Option<Srs> {
    let mut draft = SrsDraft::default();
    if value.table(&mut draft, SRS) {
        value.require("domain", SRS_DOMAIN);
    }
    Some(Srs { domain: draft.domain?, age_max: draft.age_max.unwrap_or(AGE_MAX) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fixtures::{address, entry};
    use crate::base::flow::attempt::{NextHop, Routes as _};
    use crate::base::flow::entry::OUTSIDE_TAG;
    use crate::config::model::Config;
    use crate::config::parse::parse;

    const CONFIG: &str = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\n\
        bind = \"[::1]:25\"\n[relay]\ndomains = [\"example.org\"]\n[srs]\ndomain = \"srs.example.org\"\n\
        [[route]]\nto = \"inside.example\"\nsmarthost = \"192.0.2.1:25\"\ninside = true\n\
        [[route]]\nto = \"outside.example\"\nsmarthost = \"192.0.2.2:25\"\n\
        [[route]]\nto = \"store.example\"\nlmtp = \"192.0.2.3:24\"\n";

    fn config(text: &str) -> Config {
        parse("f", text, &[]).expect("it is sound")
    }

    #[test]
    fn strangers_are_rewritten_whose_bounces_would_not_come_here() {
        let config = config(CONFIG);
        let rewrites = |sender: &str| config.rewrites(Some(&address(sender))).is_some();
        assert!(rewrites("ann@example.net") && rewrites("SRS0=x@other.example"));
        assert!(!rewrites("ann@example.org") && !rewrites("SRS0=x@SRS.example.org"));
        assert!(config.rewrites(None).is_none(), "nobody is told (RFC 5321 4.5.5)");
        assert_eq!(config.srs.as_ref().map(|srs| srs.age_max), Some(Duration::from_secs(21 * 86_400)));
    }

    #[test]
    fn what_a_stranger_sent_is_forwarded_where_it_leaves_us() {
        let config = config(CONFIG);
        let mut message = entry(1, "ann@example.net", &["bob@example.org"]);
        let hop = |domain: &str| config.next_hop(Domain::parse(domain).ok().as_ref());
        assert!(!config.forwards(&message, &hop("far.example")), "it is ours");
        message.tags.push((OUTSIDE_TAG.into(), Box::default()));
        for (domain, wanted) in
            [("far.example", true), ("outside.example", true), ("inside.example", false), ("store.example", false)]
        {
            assert_eq!(config.forwards(&message, &hop(domain)), wanted, "{domain}");
            let pooled = NextHop::From("pool".into(), Box::new(hop(domain)));
            assert_eq!(config.forwards(&message, &pooled), wanted, "{domain} from a pool");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        let told = |was: &str, is: &str| {
            let text = CONFIG.replace(was, is);
            assert_ne!(text, CONFIG);
            parse("f", &text, &[]).expect_err("it makes no sense").to_string()
        };
        let domain = "domain = \"srs.example.org\"";
        let words = told(domain, "domain = \"[192.0.2.1]\"");
        assert!(words.contains("f:9:10: srs.domain: expected a domain whose exchanger is this server"), "{words}");
        assert!(told(domain, "").contains("missing"), "{}", told(domain, ""));
        let words = told(domain, &format!("{domain}\nage_max = \"1h\""));
        assert!(words.contains("f:10:11: srs.age_max: expected"), "{words}");
        let words = told("lmtp = \"192.0.2.3:24\"", "lmtp = \"192.0.2.3:24\"\ninside = true");
        assert!(words.contains("route.2.inside") && words.contains("beside smarthost alone"), "{words}");
        let arc = "[arc]\ndomain = \"example.org\"\nselector = \"s\"\nkey = \"k\"\n[verify]\narc = \"off\"\n[srs]";
        let words = told("[srs]", arc);
        assert!(words.contains("arc: expected verify.enabled and verify.arc"), "{words}");
    }
}
