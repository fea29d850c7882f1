//! Expressions of native tests: the engine that the server has too, on texts that the scene states.

use super::scene;
use crate::message::{Error, Mailbox};
use crate::testing::Message;
use regex::bytes::RegexSet;
use std::cell::RefCell;

thread_local! {
    static SETS: RefCell<Vec<RegexSet>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn compile(expressions: &[String]) -> Result<u32, String> {
    let set = RegexSet::new(expressions).map_err(|error| error.to_string())?;
    SETS.with_borrow_mut(|sets| {
        sets.push(set);
        Ok(sets.len() as u32 - 1)
    })
}

/// The expressions that match any of the texts; none where there is no such set.
pub(super) fn found<'a>(set: u32, texts: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u32>> {
    SETS.with_borrow(|sets| {
        let set = sets.get(set as usize)?;
        let mut found: Vec<u32> = texts.flat_map(|text| set.matches(text)).map(|index| index as u32).collect();
        found.sort_unstable();
        found.dedup();
        Some(found)
    })
}

pub(crate) fn matches(set: u32, text: &str) -> Vec<u32> {
    found(set, [text.as_bytes()].into_iter()).unwrap_or_default()
}

/// What the stand-in of `message` does with sets, and with names that the scene states.
pub(crate) mod of_message {
    use super::super::mailboxes::read;
    use super::{Error, Mailbox, Message, found, scene};

    fn with<T>(look: impl FnOnce(&Message) -> Result<T, Error>) -> Result<T, Error> {
        scene(|scene| scene.message.as_ref().ok_or(Error::NotHere).and_then(look))
    }

    pub(crate) fn matches(patterns: u32) -> Result<Vec<u32>, Error> {
        with(|message| {
            let head: String = message.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            found(patterns, [head.as_bytes(), &message.body].into_iter()).ok_or(Error::NoSuchItem)
        })
    }

    pub(crate) fn matches_header(patterns: u32, name: Option<&str>) -> Result<Vec<u32>, Error> {
        let text = |(field, value): &(String, String)| match name {
            Some(name) => field.eq_ignore_ascii_case(name).then(|| value.clone()),
            None => Some(format!("{field}: {value}")),
        };
        with(|message| {
            let texts: Vec<String> = message.headers.iter().filter_map(text).collect();
            found(patterns, texts.iter().map(String::as_bytes)).ok_or(Error::NoSuchItem)
        })
    }

    pub(crate) fn matches_part(patterns: u32, id: u32) -> Result<Vec<u32>, Error> {
        with(|message| {
            let stated = message.parts.iter().find(|(part, _)| part.id == id).map(|(_, octets)| octets);
            let whole = (message.parts.is_empty() && id == 0).then_some(&message.body);
            let octets = stated.or(whole).ok_or(Error::NoSuchItem)?;
            found(patterns, [octets.as_slice()].into_iter()).ok_or(Error::NoSuchItem)
        })
    }

    pub(crate) fn mailboxes(name: &str) -> Result<Vec<Mailbox>, Error> {
        with(|message| {
            let fields = message.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
            Ok(fields.flat_map(|(_, value)| read(value)).collect())
        })
    }

    pub(crate) fn filenames() -> Result<Vec<(u32, String)>, Error> {
        with(|message| {
            let parts = message.parts.iter().map(|(part, _)| part);
            let first = parts.filter_map(|part| Some((part.id, part.filename.clone()?)));
            Ok(first.chain(message.other_names.iter().cloned()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;
    use crate::patterns::compile;

    fn set(expressions: &[&str]) -> crate::patterns::Patterns {
        compile(&expressions.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).expect("they are sound")
    }

    #[test]
    fn sets_find_what_matches_in_what_the_scene_states() {
        let headers = vec![("Subject".to_owned(), "You won".to_owned()), ("To".to_owned(), "won@a.test".to_owned())];
        scene(|scene| scene.message = Some(Message { headers, body: b"a prize\r\n".to_vec(), ..Message::default() }));
        let (one, two) = (set(&["^You", "^To: won", "prize"]), set(&["(?i)WON"]));
        assert_eq!(one.matches("You prize"), [0, 2]);
        assert_eq!(message::matches(one), Ok(vec![2]));
        assert_eq!(message::matches_header(one, Some("subject")), Ok(vec![0]));
        assert_eq!(message::matches_header(one, None), Ok(vec![1]));
        assert_eq!(message::matches_header(two, Some("to")), Ok(vec![0]));
        assert_eq!(message::matches_part(one, 0), Ok(vec![2]));
        assert_eq!(message::matches_part(one, 7), Err(Error::NoSuchItem));
        assert!(compile(&["(".to_owned()]).is_err());
    }

    #[test]
    fn mailboxes_and_names_are_as_stated() {
        let headers = vec![("From".to_owned(), "\"Ann\" <ann@a.test>, bob@a.test".to_owned())];
        let other_names = vec![(3, "b.exe".to_owned())];
        scene(|scene| scene.message = Some(Message { headers, other_names, ..Message::default() }));
        let found = message::mailboxes("from").expect("there is a message");
        assert_eq!((&*found[0].name, &*found[0].address, &*found[1].address), ("Ann", "ann@a.test", "bob@a.test"));
        assert_eq!(message::filenames(), Ok(vec![(3, "b.exe".to_owned())]));
    }
}
