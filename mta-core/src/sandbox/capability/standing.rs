//! What plugins may know of how mail that leaves looks to others: who signs it, what SPF says of it, what its way wants of TLS.

use crate::base::flow::attempt::NextHop;
use crate::base::flow::policy::standing::{SenderPolicy, Signers};
use crate::base::mail::domain::Domain;
use crate::base::world::tls::Outgoing;
use crate::config::model::Config;
use std::sync::Arc;
use tokio::sync::watch;

/// Who knows.
pub struct Standing {
    /// Who signs.
    pub signers: Arc<dyn Signers>,
    /// What SPF says.
    pub sender_policy: Arc<dyn SenderPolicy>,
    /// The ways.
    pub config: watch::Receiver<Arc<Config>>,
}

impl Standing {
    /// What the way to a domain wants of TLS; none where it leads to a mailbox on this machine.
    pub(crate) fn tls_to(&self, domain: &Domain) -> Option<Outgoing> {
        let config = self.config.borrow();
        let route = config.routes.iter().find(|route| route.to.as_ref().is_some_and(|to| to.matches(domain)));
        match route.map(|route| (&route.via, &route.tls)) {
            Some((NextHop::Maildir(_), _)) => None,
            Some((_, Some(tls))) => Some(tls.clone()),
            Some((_, None)) | None => Some(config.delivery.tls.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::Answer;
    use crate::base::flow::policy::standing::Signer;
    use crate::base::flow::policy::verify::Outcome;
    use crate::base::mail::address::Address;
    use crate::config::parse::parse;
    use std::net::IpAddr;

    struct Nobody;

    impl Signers for Nobody {
        fn signers(&self, _from: &str, _tenant: Option<&str>) -> Vec<Signer> {
            Vec::new()
        }
    }

    impl SenderPolicy for Nobody {
        fn spf<'a>(&'a self, _ip: IpAddr, _sender: &'a Address) -> Answer<'a, Outcome> {
            Box::pin(std::future::ready(Outcome::None))
        }
    }

    #[test]
    fn a_domains_way_wants_what_its_route_says_or_else_what_all_do() {
        let text = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n\
            [[route]]\nto = \"plain.example\"\nsmarthost = \"192.0.2.1:25\"\ntls = \"off\"\n\
            [[route]]\nto = \"*.plain.example\"\nsmarthost = \"192.0.2.2:25\"\n\
            [[route]]\nto = \"here.example\"\nmaildir = \"/var/mail/here\"\n[delivery]\ntls = \"required\"\n";
        let config = watch::Sender::new(Arc::new(parse("test", text, &[]).expect("it is sound")));
        let standing =
            Standing { signers: Arc::new(Nobody), sender_policy: Arc::new(Nobody), config: config.subscribe() };
        let tls = |name: &str| standing.tls_to(&Domain::parse(name).expect("a domain"));
        assert_eq!(tls("plain.example"), Some(Outgoing::Off));
        assert_eq!(tls("sub.plain.example"), Some(Outgoing::Required));
        assert_eq!(tls("elsewhere.example"), Some(Outgoing::Required));
        assert_eq!(tls("here.example"), None);
    }
}
