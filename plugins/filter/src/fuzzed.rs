//! The door of the fuzz target (`fuzz/`).

use crate::facts::attachments::Attachments;
use crate::rules::subjects::Sets;
use mailwright_plugin::message::Part;
use mailwright_plugin::testing::{Message, scene};

/// Looks into an attachment of these octets, and into whatever is in it.
pub fn look_into(octets: &[u8]) {
    let size = octets.len() as u64;
    let part = Part {
        id: 0,
        parent: None,
        content_type: "application/octet-stream".to_owned(),
        charset: None,
        filename: Some("a".to_owned()),
        size,
        offset: 0,
        len: size,
    };
    scene(|scene| scene.message = Some(Message { parts: vec![(part, octets.to_vec())], ..Message::default() }));
    let mut attachments = Attachments::read(&Sets::default()).expect("the scene answers");
    assert!(!attachments.is_inside(|_| false).expect("the scene answers"));
}
