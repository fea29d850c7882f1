//! The header fields that list mail has: where to unsubscribe (RFC 2369 3.2), that one click is enough (RFC 8058 3.1), and
//! which list it is (RFC 2919 3).

use crate::config::{List, OwnFields};
use mailwright_plugin::message::Error;
use mailwright_plugin::{Fault, delivery, message};

const UNSUBSCRIBE: &str = "List-Unsubscribe";
const POST: &str = "List-Unsubscribe-Post";
const ID: &str = "List-Id";

/// What the second field says, and what is posted then (RFC 8058 3.1).
pub(crate) const ONE_CLICK: (&str, &str) = (UNSUBSCRIBE, "One-Click");

/// Gives this recipient's copy its fields.
///
/// # Errors
/// The operator does not let the plugin edit header fields, or there is no room.
pub(crate) fn stamp(list: &List, link: &str) -> Result<(), Fault> {
    if let Some(id) = &list.list_id
        && message::header(ID)?.is_none()
    {
        message::add_header(ID, id)?;
    }
    let has_own = message::header(UNSUBSCRIBE)?.is_some();
    if has_own && list.own_fields == OwnFields::Keep {
        return Ok(());
    }
    // Programs take the first that they can use; those that know RFC 8058 look for the https one.
    let mailto = delivery::unsubscribe_uri()?.map(|uri| [", <", &mail_of(&uri, list), ">"].concat());
    put(UNSUBSCRIBE, has_own, &["<", link, ">", mailto.as_deref().unwrap_or_default()].concat())?;
    let has_post = message::header(POST)?.is_some();
    put(POST, has_post, &[ONE_CLICK.0, "=", ONE_CLICK.1].concat())
}

/// The address that takes requests by mail, with the list behind the ticket in its subject. No signature: whoever changes it
/// unsubscribes themselves from another list.
fn mail_of(uri: &str, list: &List) -> String {
    [uri, "%20", &list.name].concat()
}

/// The list that such a request names, in its subject.
#[must_use]
pub(crate) fn list_in(subject: &str) -> Option<&str> {
    // A ticket and the word before it are there at least; a program may have put "Re:" before them.
    let words: Vec<&str> = subject.split_whitespace().collect();
    if words.len() > 2 { words.last().copied() } else { None }
}

/// One field of that name, in the place of all that there are.
fn put(name: &str, is_there: bool, value: &str) -> Result<(), Fault> {
    if !is_there {
        return Ok(message::add_header(name, value)?);
    }
    message::set_header(name, 0, Some(value))?;
    loop {
        match message::set_header(name, 1, None) {
            Ok(()) => {}
            Err(Error::NoSuchItem) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::testing::{self, Message, scene};

    fn stamped(list: &List, fields: &[(&str, &str)], uri: Option<&str>) -> Vec<String> {
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        scene(|scene| {
            scene.message = Some(Message { headers, ..Message::default() });
            scene.delivery = Some(testing::delivery("ann@example.net"));
            scene.unsubscribe_uri = uri.map(str::to_owned);
        });
        stamp(list, "https://a.test/u/T").expect("there is a message");
        let headers = scene(|scene| scene.message.clone().map(|message| message.headers)).unwrap_or_default();
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_message_says_where_to_unsubscribe_rfc8058_3_1() {
        let list = List { name: "news".to_owned(), list_id: Some("News <n.a.test>".to_owned()), ..List::default() };
        let fields = stamped(&list, &[], Some("mailto:u-1@b.test?subject=unsubscribe%20T"));
        let wanted = [
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "List-Unsubscribe: <https://a.test/u/T>, <mailto:u-1@b.test?subject=unsubscribe%20T%20news>",
            "List-Id: News <n.a.test>",
        ];
        assert_eq!(fields, wanted);
        assert_eq!(list_in("unsubscribe T news"), Some("news"));
        assert_eq!((list_in("unsubscribe T"), list_in("")), (None, None));
    }

    #[test]
    fn ours_take_the_place_of_its_own_rfc2369_3_2_rfc2919_3() {
        let own = [("List-Id", "<own>"), ("List-Unsubscribe", "<a>"), ("X", "1"), ("list-unsubscribe", "<b>")];
        let list = List { name: "news".to_owned(), list_id: Some("<ours>".to_owned()), ..List::default() };
        let fields = stamped(&list, &own, None);
        let wanted = [
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "List-Id: <own>",
            "List-Unsubscribe: <https://a.test/u/T>",
            "X: 1",
        ];
        assert_eq!(fields, wanted);
        let keeps = List { own_fields: OwnFields::Keep, ..list };
        assert_eq!(stamped(&keeps, &own, None).len(), own.len());
        assert_eq!(stamped(&keeps, &[], None).len(), 3, "one without gets ours");
    }
}
