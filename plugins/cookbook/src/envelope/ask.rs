//! A service of one's own decides: each recipient is put to it by HTTP, and what it says is answered.
//!
//! `allow = ["http:http://127.0.0.1:8080"]`: the server that `url` names.

use mailwright_plugin::http::{Error, Request};
use mailwright_plugin::{Config, Fault, Gate, Rcpt, session};
use std::time::Duration;

/// Whom to ask.
#[derive(Debug, Config)]
pub struct Config {
    /// The service: 204 lets a recipient in, 403 refuses it with the answer's text; all else is a fault.
    #[config(length = 8..=1000)]
    pub url: String,
    /// How long it may take.
    #[config(default = "2s", range = "100ms"..="10s")]
    pub wait: Duration,
    /// What happens when it does not answer.
    #[config(default = "tempfail")]
    pub otherwise: Otherwise,
}

/// What a service that is silent means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Otherwise {
    /// The recipient is let in.
    Accept,
    /// The client comes back later.
    Tempfail,
}

/// Asks.
#[derive(Debug)]
pub struct Ask(Config);

#[mailwright_plugin::plugin]
impl Ask {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        let sender = rcpt.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        // Addresses may hold nearly anything; lines are what they can't hold.
        let body = format!("{}\n{sender}\n{}\n", session::peer_ip()?, rcpt.to);
        let wait = u32::try_from(self.0.wait.as_millis()).unwrap_or(u32::MAX);
        let answer = Request::post(&self.0.url, "text/plain; charset=utf-8", body).timeout_ms(wait).send();
        match answer {
            Ok(answer) if answer.status == 204 => Ok(Gate::Next),
            Ok(answer) if answer.status == 403 => Ok(Gate::reject(&String::from_utf8_lossy(&answer.body))),
            Ok(answer) => Err(Fault::Unavailable(format!("the service answered with {}", answer.status))),
            // The operator must grant it; no message should pass unasked until then.
            Err(Error::NotPermitted) => Err(Error::NotPermitted.into()),
            Err(error) => match self.0.otherwise {
                Otherwise::Accept => Ok(Gate::Next),
                Otherwise::Tempfail => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::Address;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::http::Response;
    use mailwright_plugin::testing::{self, scene};

    fn asked(answer: Result<(u16, &str), Error>, otherwise: &str) -> Result<Gate, Fault> {
        let answer = answer.map(|(status, text)| Response { status, headers: Vec::new(), body: text.into() });
        scene(|scene| {
            scene.session = Some(testing::session("192.0.2.1"));
            scene.web.answers.insert("http://127.0.0.1:8080/".to_owned(), answer);
        });
        let config = format!(r#"{{ "url": "http://127.0.0.1:8080/", "otherwise": "{otherwise}" }}"#);
        let mut plugin = Ask::configure(from_json(&config).expect("it fits")).expect("it is sound");
        plugin.on_rcpt(&Rcpt { sender: None, to: Address::new("a", "example.org"), params: Vec::new() })
    }

    #[test]
    fn the_service_decides_and_its_absence_is_as_configured() {
        assert_eq!(asked(Ok((204, "")), "tempfail"), Ok(Gate::Next));
        let request = scene(|scene| scene.web.requests.last().cloned()).expect("it was asked");
        assert_eq!((&request.body[..], request.timeout_ms), (&b"192.0.2.1\n\na@example.org\n"[..], 2000));
        assert_eq!(asked(Ok((403, "not today")), "tempfail"), Ok(Gate::reject("not today")));
        assert!(asked(Ok((500, "")), "accept").is_err());
        assert_eq!(asked(Err(Error::Timeout), "accept"), Ok(Gate::Next));
        assert!(asked(Err(Error::Timeout), "tempfail").is_err());
        assert!(asked(Err(Error::NotPermitted), "accept").is_err(), "a missing grant is no outage");
    }
}
