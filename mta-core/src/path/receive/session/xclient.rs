//! XCLIENT (Postfix's XCLIENT_README): who is trusted to speak for others says for whom, and the session begins anew with
//! that client, at the greeting (RFC 5321 3.1).

use super::state::Helo;
use super::{Effect, Session};
use crate::base::event::Event;
use crate::base::sasl::door::{Checked, User};
use crate::base::sasl::prepare;
use crate::base::smtp::command::{Said, Xclient};
use crate::path::receive::replies;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

impl Session {
    /// Whether the other end may say who the client is. It is judged by where it connected from, also when it has done so.
    pub(super) fn may_name_clients(&self) -> bool {
        self.listener.xclient_from.iter().any(|network| network.contains(self.origin.ip()))
    }

    /// XCLIENT.
    pub(super) fn xclient(&mut self, told: Xclient) {
        if !self.may_name_clients() {
            return self.refuse("XCLIENT", &replies::NOT_TRUSTED);
        }
        if self.transaction.is_some() {
            return self.refuse("XCLIENT", &replies::NESTED_MAIL);
        }
        if self.refuse_when_draining() {
            return;
        }
        let Xclient { address, port, extended, helo, login } = told;
        let peer = client(self.peer, address, port);
        let user = match login {
            None | Some(Said::Unavailable) => None,
            Some(Said::Is(name)) => match self.known_user(peer.ip(), &name) {
                Some(user) => Some(user),
                None => return self.refuse("XCLIENT", &replies::UNKNOWN_LOGIN),
            },
        };
        self.peer = peer;
        self.user = user;
        self.helo = match helo {
            Some(Said::Is(name)) => Some(Helo { name, extended: extended.unwrap_or(true) }),
            None | Some(Said::Unavailable) => None,
        };
        self.doors.observe.event(Event::Xclient {
            session: &self.id,
            by: self.origin,
            peer,
            helo: self.helo(),
            user: self.user(),
        });
        let rejected = std::mem::take(&mut self.counts.rejected_recipients);
        self.effects.push_back(Effect::Renewed { rejected });
        self.welcome();
    }

    /// The user of that name: whoever is trusted has checked the password.
    fn known_user(&self, client: IpAddr, name: &str) -> Option<Arc<User>> {
        let name = prepare::name(name)?;
        match self.doors.auth.proven(client, &name, true) {
            Checked::Is(user) => Some(user),
            Checked::IsNot { .. } | Checked::Unfit { .. } | Checked::Later(_) => None,
        }
    }
}

/// Where the client is. One whose address nobody knows is nowhere: it must not have what the trusted sender may do.
fn client(known: SocketAddr, address: Option<Said<IpAddr>>, port: Option<Said<u16>>) -> SocketAddr {
    let known_port = if address.is_none() { known.port() } else { 0 };
    let ip = match address {
        None => known.ip(),
        Some(Said::Is(ip)) => ip,
        Some(Said::Unavailable) => Ipv4Addr::UNSPECIFIED.into(),
    };
    let port = match port {
        None => known_port,
        Some(Said::Is(port)) => port,
        Some(Said::Unavailable) => 0,
    };
    SocketAddr::new(ip, port)
}
