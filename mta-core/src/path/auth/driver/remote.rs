//! Asks others whether a password is a user's: a plugin, a server by HTTP, then a directory by LDAP (RFC 4511 4.2).

use super::requests::{Request, Requests};
use crate::base::event::Event;
use crate::base::flow::policy::Policy;
use crate::base::flow::policy::password::{Account, PasswordAnswer, PasswordQuestion};
use crate::base::world::Observe;
use crate::base::world::http::HttpHost;
use crate::base::world::net::{Net, Socket};
use crate::base::world::tls::ClientTls;
use crate::config::model::Config;
use crate::config::model::auth::Auth;
use crate::config::model::auth::ldap::Ldap;
use crate::config::model::auth::remote::HttpUsers;
use crate::path::auth::remote::http;
use crate::path::auth::remote::ldap::{Lookup, Step};
use crate::path::auth::remote::{Question, Said};
use crate::sandbox::Secret;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One read of what a directory says.
const READ_BYTES: usize = 8 * 1024;

/// Those who know passwords.
pub(super) struct Remote {
    pub(super) policy: Arc<dyn Policy>,
    pub(super) requests: Arc<Requests>,
    pub(super) net: Arc<dyn Net>,
    pub(super) tls: Arc<dyn ClientTls>,
    pub(super) observe: Arc<dyn Observe>,
}

/// What all of them together say.
pub(super) enum Known {
    /// They are a user's, says this one.
    Yes(Account, &'static str),
    No,
    /// One did not answer, and the others do not know better.
    Unanswered,
}

impl Remote {
    /// Asks one after the other, until one says yes, or the plugin that the name is its own and the password is not.
    pub(super) async fn check(
        &self,
        config: &Config,
        question: &Question<'_>,
        secret: impl Fn(&str) -> Option<Arc<Secret>>,
    ) -> Known {
        let auth = &config.auth;
        let mut no = Known::No;
        if let Some(plugin) = &auth.plugin {
            match self.policy.password(asked(plugin, question, config)).await {
                PasswordAnswer::Yes(found) => return Known::Yes(found, "plugin"),
                PasswordAnswer::No => return Known::No,
                PasswordAnswer::Next => {}
                PasswordAnswer::Unable(why) => {
                    self.unanswered(auth, "plugin", &why);
                    no = Known::Unanswered;
                }
            }
        }
        if let Some(http) = &auth.http {
            match self.ask_server(http, question, &secret).await {
                Ok(Said::Yes(found)) => return Known::Yes(found, "http"),
                Ok(Said::No) => {}
                Err(why) => {
                    self.unanswered(auth, "http", &why);
                    no = Known::Unanswered;
                }
            }
        }
        if let Some(ldap) = &auth.ldap {
            match self.ask_directory(ldap, question, &secret).await {
                Ok(Said::Yes(found)) => return Known::Yes(found, "ldap"),
                Ok(Said::No) => {}
                Err(why) => {
                    self.unanswered(auth, "ldap", &why);
                    no = Known::Unanswered;
                }
            }
        }
        no
    }

    /// Tells the operator why it is not known.
    pub(super) fn unanswered(&self, auth: &Auth, of: &str, why: &str) {
        let host = match of {
            "plugin" => auth.plugin.as_ref().map(ToString::to_string),
            "http" => auth.http.as_ref().map(|http| http.at.origin.to_string()),
            _ => auth.ldap.as_ref().map(|ldap| ldap.server.to_string()),
        };
        let host = host.unwrap_or_default();
        self.observe.event(Event::AuthUnanswered { of, host: &host, why });
    }

    async fn ask_server(
        &self,
        server: &HttpUsers,
        question: &Question<'_>,
        secret: &impl Fn(&str) -> Option<Arc<Secret>>,
    ) -> Result<Said, String> {
        let ours = server.secret.as_deref().map(|name| secret(name).ok_or_else(|| absent(name))).transpose()?;
        let ours = ours.as_ref().map(|secret| secret.octets());
        let (fields, body) = http::request(question, ours);
        let request = Request { to: &server.at, trust: &server.trust, wait: server.wait, fields, body: Some(body) };
        let answer = self.requests.send(request).await?;
        http::answer(answer.status, &answer.body)
    }

    async fn ask_directory(
        &self,
        ldap: &Ldap,
        question: &Question<'_>,
        secret: &impl Fn(&str) -> Option<Arc<Secret>>,
    ) -> Result<Said, String> {
        let ours = ldap.bind.as_ref().map(|(_, name)| secret(name).ok_or_else(|| absent(name))).transpose()?;
        let ours = ours.as_ref().map_or(&[][..], |secret| secret.octets());
        let clock = &self.requests.clock;
        let over = clock.sleep_until(clock.mono() + ldap.wait);
        tokio::select! {
            biased;
            said = self.talk(ldap, question, ours) => said,
            () = over => Err(format!("no answer within {:?}", ldap.wait)),
        }
    }

    async fn talk(&self, ldap: &Ldap, question: &Question<'_>, ours: &[u8]) -> Result<Said, String> {
        let lost = |error: std::io::Error| format!("the connection: {error}");
        let mut socket = self.connect(ldap).await?;
        let (mut lookup, first) = Lookup::new(ldap, question.name, question.password.reveal(), ours);
        socket.write_all(&first).await.map_err(lost)?;
        socket.flush().await.map_err(lost)?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = socket.read(&mut buffer).await.map_err(lost)?;
            if read == 0 {
                return Err("it hung up".to_owned());
            }
            match lookup.receive(&buffer[..read])? {
                Step::More => {}
                Step::Send(octets) => {
                    socket.write_all(&octets).await.map_err(lost)?;
                    socket.flush().await.map_err(lost)?;
                }
                Step::Over(said) => {
                    // It has said what we wanted to know.
                    let _ = socket.write_all(&lookup.farewell()).await;
                    let _ = socket.shutdown().await;
                    return Ok(said);
                }
            }
        }
    }

    async fn connect(&self, ldap: &Ldap) -> Result<Box<dyn Socket>, String> {
        let mut last = "it has no address".to_owned();
        for address in self.requests.addresses(&ldap.server).await? {
            match self.net.connect(address, None).await {
                Err(error) => last = format!("connecting to {address}: {error}"),
                Ok(socket) if !ldap.server.secure => return Ok(socket),
                Ok(socket) => {
                    let host = match &ldap.server.host {
                        HttpHost::Name(name) => name.to_string(),
                        HttpHost::Address(ip) => ip.to_string(),
                    };
                    let secured = self.tls.connect(socket, &host, &ldap.trust).await;
                    return secured.map(|secured| secured.socket).map_err(|fault| format!("TLS: {}", fault.why));
                }
            }
        }
        Err(last)
    }
}

/// The same question, as plugins are asked.
fn asked(plugin: &Arc<str>, question: &Question<'_>, config: &Config) -> PasswordQuestion {
    PasswordQuestion {
        plugin: Arc::clone(plugin),
        session: question.session.clone(),
        tenant: config.tenant_of_user(question.name).cloned(),
        mechanism: question.how.name(),
        user: question.name.into(),
        password: question.password.clone(),
    }
}

fn absent(name: &str) -> String {
    format!("the secret {name:?} is not there")
}
