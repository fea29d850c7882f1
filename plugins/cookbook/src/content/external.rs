//! Mail that pretends to come from inside: what comes from outside is marked in its subject, and what says our own domain
//! there is refused.
//!
//! `edit = ["headers"]`, and `listeners = ["mx"]` for the plugin: of those who have an account it must not be asked.

use mailwright_plugin::{Config, Disposition, Fault, Reply, message};

/// What is ours.
#[derive(Debug, Config)]
pub struct Config {
    /// Our domains.
    #[config(length = 1..=1000)]
    pub domains: Vec<String>,
    /// What is put before the subject.
    #[config(default = "[External]", length = 1..=40)]
    pub mark: String,
}

/// Marks and refuses.
#[derive(Debug)]
pub struct External(Config);

#[mailwright_plugin::plugin]
impl External {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let from = message::header("From")?.unwrap_or_default();
        // What stands behind the last @ is what mail programs show, whatever the name before it says.
        let domain = from.rsplit_once('@').map_or("", |(_, end)| end.trim_end_matches(['>', ' ']));
        if self.0.domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain)) {
            let text = "mail of this domain does not come from outside";
            return Ok(Disposition::Reject(Reply::reject(text)));
        }
        match message::header("Subject")? {
            Some(subject) if subject.starts_with(&self.0.mark) => {}
            Some(subject) => message::set_header("Subject", 0, Some(&format!("{} {subject}", self.0.mark)))?,
            None => message::add_header("Subject", &self.0.mark)?,
        }
        Ok(Disposition::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{Message, scene};

    fn asked(headers: &[(&str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        scene(|scene| scene.message = Some(Message { headers, ..Message::default() }));
        let config = from_json(r#"{ "domains": ["example.org"] }"#).expect("it fits");
        match External::configure(config).expect("it is sound").on_data().expect("there is a message") {
            Disposition::Next => message::header("Subject").expect("there is a message"),
            _ => None,
        }
    }

    #[test]
    fn the_outside_is_marked_once_and_our_own_name_refused() {
        let subject = |subject| asked(&[("From", "\"ann@example.org\" <a@else.example>"), ("Subject", subject)]);
        assert_eq!(subject("Hi").as_deref(), Some("[External] Hi"));
        assert_eq!(subject("[External] Hi").as_deref(), Some("[External] Hi"));
        assert_eq!(asked(&[]).as_deref(), Some("[External]"));
        assert_eq!(asked(&[("From", "Ann <ann@EXAMPLE.org>")]), None);
    }
}
