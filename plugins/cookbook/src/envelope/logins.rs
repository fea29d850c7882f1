//! Users of many services: a table says whose service knows a domain's users, and it is asked whether a password is right.
//!
//! `allow = ["passwords", "tables:services", "http:accounts.example.org"]`, `auth.plugin`, and a `[[table]]` of that name: a
//! domain and the URL of its service in each line. Each service needs its grant.

use mailwright_plugin::http::Request;
use mailwright_plugin::tables::Table;
use mailwright_plugin::{Admission, Config, Credentials, Fault};
use std::time::Duration;

/// How services are asked.
#[derive(Debug, Config)]
pub struct Config {
    /// How long one may take.
    #[config(default = "2s", range = "100ms"..="10s")]
    pub wait: Duration,
}

/// Asks services.
#[derive(Debug)]
pub struct Logins(Config);

#[mailwright_plugin::plugin]
impl Logins {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_password(&mut self, shown: &Credentials) -> Result<Admission, Fault> {
        let Some((_, domain)) = shown.user.rsplit_once('@') else { return Ok(Admission::Next) };
        let Some(service) = Table("services").lookup(domain)? else { return Ok(Admission::Next) };
        let wait = u32::try_from(self.0.wait.as_millis()).unwrap_or(u32::MAX);
        // Neither can have a line end in it.
        let body = format!("{}\n{}\n", shown.user, shown.password);
        let request = Request::post(&service, "text/plain; charset=utf-8", body).timeout_ms(wait);
        match request.send()?.status {
            204 => Ok(Admission::yes()),
            403 => Ok(Admission::No),
            // Not a refusal: the client would ask its user for another password.
            status => Err(Fault::Unavailable(format!("the service of {domain} answered with {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::http::{Error, Response};
    use mailwright_plugin::testing::{credentials, scene};

    fn asked(user: &str, answer: Result<u16, Error>) -> Result<Admission, Fault> {
        let answer = answer.map(|status| Response { status, headers: Vec::new(), body: Vec::new() });
        scene(|scene| {
            let service = ("acme.example".to_owned(), "https://acme.example/check".to_owned());
            scene.tables.insert("services".to_owned(), [service].into());
            scene.web.answers.insert("https://acme.example/check".to_owned(), answer);
        });
        let mut plugin = Logins::configure(from_json("{}").expect("it fits")).expect("it is sound");
        plugin.on_password(&credentials(user, "battery staple"))
    }

    #[test]
    fn a_domains_service_decides_and_an_outage_is_no_refusal() {
        assert_eq!(asked("ann@acme.example", Ok(204)), Ok(Admission::yes()));
        let request = scene(|scene| scene.web.requests.last().cloned()).expect("it was asked");
        assert_eq!((&request.body[..], request.timeout_ms), (&b"ann@acme.example\nbattery staple\n"[..], 2000));
        assert_eq!(asked("ann@acme.example", Ok(403)), Ok(Admission::No));
        assert!(asked("ann@acme.example", Ok(500)).is_err() && asked("ann@acme.example", Err(Error::Timeout)).is_err());
        assert_eq!(asked("ann@other.example", Ok(204)), Ok(Admission::Next), "others may know");
        assert_eq!(asked("ann", Ok(204)), Ok(Admission::Next));
    }
}
