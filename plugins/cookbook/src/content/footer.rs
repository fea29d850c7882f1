//! A footer below plain texts that leave by a listener of one's own users. Other bodies are left as they are: a footer
//! would break signatures, or land in the wrong part.
//!
//! `edit = ["body"]`, and `listeners = ["submission"]` for the plugin.

use mailwright_plugin::{Config, Disposition, Fault, message};

/// The footer.
#[derive(Debug, Config)]
pub struct Config {
    /// Its text, in ASCII.
    #[config(length = 1..=2000)]
    pub text: String,
}

/// The footer as it is written.
#[derive(Debug)]
pub struct Footer {
    text: String,
}

#[mailwright_plugin::plugin]
impl Footer {
    fn configure(config: Config) -> Result<Self, Fault> {
        let Config { text } = config;
        if !text.is_ascii() {
            // The text's character set is the sender's: only ASCII is the same in nearly all of them.
            return Err(Fault::InvalidConfig("text: expected ASCII alone".to_owned()));
        }
        let lines: String = text.lines().map(|line| format!("{line}\r\n")).collect();
        Ok(Self { text: format!("-- \r\n{lines}") })
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let parts = message::parts()?;
        let coding = message::header("Content-Transfer-Encoding")?.unwrap_or_default().trim().to_lowercase();
        let plain = matches!(&parts[..], [one] if one.content_type == "text/plain");
        if plain && ["", "7bit", "8bit"].contains(&&*coding) {
            let info = message::current()?;
            let ends = info.size == info.body_offset || message::read(info.size - 2, 2)? == b"\r\n";
            let end = if ends { "" } else { "\r\n" };
            message::new_body()?.copy(..)?.write(end)?.write(&self.text)?;
        }
        Ok(Disposition::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{Message, scene};

    fn written(coding: &str, body: &str) -> Option<String> {
        let headers = vec![("Content-Transfer-Encoding".to_owned(), coding.to_owned())];
        scene(|scene| scene.message = Some(Message { headers, body: body.into(), ..Message::default() }));
        let config = from_json(r#"{ "text": "Example Ltd\nLondon" }"#).expect("it fits");
        let mut plugin = Footer::configure(config).expect("it is sound");
        assert_eq!(plugin.on_data(), Ok(Disposition::Next));
        let body = scene(|scene| scene.message.as_ref().and_then(|message| message.new_body.clone()));
        body.map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    #[test]
    fn plain_texts_get_it_and_others_stay_as_they_are() {
        assert_eq!(written("7bit", "hi\r\n").as_deref(), Some("hi\r\n-- \r\nExample Ltd\r\nLondon\r\n"));
        assert_eq!(written("8BIT", "hi").as_deref(), Some("hi\r\n-- \r\nExample Ltd\r\nLondon\r\n"));
        assert_eq!(written("7bit", "").as_deref(), Some("-- \r\nExample Ltd\r\nLondon\r\n"));
        assert_eq!(written("base64", "aGk=\r\n"), None);
        let refused = Footer::configure(Config { text: "Müller".to_owned() });
        assert!(matches!(refused, Err(Fault::InvalidConfig(_))), "{refused:?}");
    }
}
