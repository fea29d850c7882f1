//! No programs by mail: attachments are refused by the end of their names, in archives' disguise too.
//!
//! It needs no grant.

use mailwright_plugin::message::{self, Error};
use mailwright_plugin::{Config, Disposition, Fault, Reply};

/// What is refused.
#[derive(Debug, Config)]
pub struct Config {
    /// Ends of file names, without the dot.
    #[config(default = ["exe", "scr", "com", "bat", "cmd", "pif", "js", "vbs", "jar", "lnk", "iso", "img"])]
    pub ends: Vec<String>,
}

/// Looks at the names of all parts.
#[derive(Debug)]
pub struct Attachments(Config);

#[mailwright_plugin::plugin]
impl Attachments {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let parts = match message::parts() {
            // Nested too deep, or too many parts: a mail program could still find what we can't see.
            Err(Error::TooLarge) => return Ok(refused("this message is built too deep to be looked at")),
            parts => parts?,
        };
        for name in parts.iter().filter_map(|part| part.filename.as_deref()) {
            // "invoice.pdf.EXE " opens as well as "invoice.exe".
            let name = name.trim_end_matches([' ', '.']).to_lowercase();
            if name.rsplit_once('.').is_some_and(|(_, end)| self.0.ends.iter().any(|other| other == end)) {
                return Ok(refused("attachments of this kind are not taken here"));
            }
        }
        Ok(Disposition::Next)
    }
}

fn refused(text: &str) -> Disposition {
    Disposition::Reject(Reply::new(552, text).status(5, 7, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::message::Part;
    use mailwright_plugin::testing::{Message, scene};

    fn asked(filename: &str) -> bool {
        let part = Part {
            id: 1,
            parent: Some(0),
            content_type: "application/octet-stream".to_owned(),
            charset: None,
            filename: Some(filename.to_owned()),
            size: 1,
            offset: 0,
            len: 1,
        };
        scene(|scene| scene.message = Some(Message { parts: vec![(part, vec![0])], ..Message::default() }));
        let mut plugin = Attachments::configure(from_json("{}").expect("it has defaults")).expect("it is sound");
        plugin.on_data().expect("there is a message") == Disposition::Next
    }

    #[test]
    fn programs_are_refused_however_they_are_named() {
        assert!(asked("report.pdf") && asked("exe") && asked("my.exe.txt"));
        for name in ["a.exe", "invoice.pdf.EXE", "b.js. ", "c..scr"] {
            assert!(!asked(name), "{name}");
        }
    }
}
