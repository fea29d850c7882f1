//! Which recipients can share a transaction: those whose copies of the message are alike (RFC 5321 4.5.4.1).

use crate::base::flow::entry::Entry;
use crate::base::flow::report::Copy;
use crate::base::mail::content::Composed;
use crate::base::mail::domain::Domain;
use crate::base::mail::edits::{Edits, HeaderEdit};
use crate::base::mail::tie::{self, Key, Purpose, Sent};

/// Groups recipients with equal edits and bodies, each group in the recipients' order.
#[must_use]
pub fn group(recipients: Vec<(u32, Edits, Option<Composed>)>) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    for (recipient, edits, body) in recipients {
        match copies.iter_mut().find(|copy| copy.edits == edits && copy.body == body) {
            Some(copy) => copy.recipients.push(recipient),
            None => copies.push(Copy { edits, body, reverse_path: None, recipients: vec![recipient] }),
        }
    }
    copies
}

/// What a recipient's copy is tied to.
#[must_use]
pub fn sent(entry: &Entry, recipient: u32) -> Option<Sent> {
    let place = usize::try_from(recipient).ok()?;
    Some(Sent {
        id: entry.id,
        recipient: entry.envelope.recipients.get(place)?.address.clone(),
        tenant: entry.tenant.clone(),
        campaign: entry.placement(place).and_then(|placement| placement.campaign.clone()),
    })
}

/// Each recipient's copy by itself, with the reverse path and the field that tie what comes back about it to it.
#[must_use]
pub fn followed(copies: &[Copy], entry: &Entry, key: &Key, domain: &Domain) -> Vec<Copy> {
    let of_one = |copy: &Copy, recipient: u32| {
        let mut edits = copy.edits.clone();
        let sent = sent(entry, recipient);
        let ticket = sent.as_ref().map(|sent| key.ticket(sent));
        edits.headers.extend(ticket.map(|value| HeaderEdit::Add { name: tie::FIELD.into(), value: value.into() }));
        let reverse_path = sent.and_then(|sent| key.address(Purpose::Reports, &sent, domain));
        Copy { edits, body: copy.body.clone(), reverse_path, recipients: vec![recipient] }
    };
    copies.iter().flat_map(|copy| copy.recipients.iter().map(|recipient| of_one(copy, *recipient))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fixtures::{address, entry};
    use crate::base::flow::placement::Placement;
    use crate::base::mail::content::Piece;

    #[test]
    fn equal_copies_travel_together_rfc5321_4_5_4_1() {
        let add = |value: &str| Edits { headers: vec![HeaderEdit::Add { name: "X".into(), value: value.into() }] };
        let going = [(0, add("a")), (3, Edits::default()), (1, add("b")), (2, add("a"))];
        let copies = group(going.into_iter().map(|(recipient, edits)| (recipient, edits, None)).collect());
        let shared: Vec<&[u32]> = copies.iter().map(|copy| &*copy.recipients).collect();
        assert_eq!(shared, [&[0, 2][..], &[3], &[1]]);
    }

    #[test]
    fn copies_with_other_bodies_travel_alone_rfc5321_4_5_4_1() {
        let body = |text: &'static str| Some(Composed::new(vec![Piece::Memory(text.into())]));
        let going = [(0, body("a")), (1, None), (2, body("b")), (3, body("a"))];
        let copies = group(going.into_iter().map(|(recipient, body)| (recipient, Edits::default(), body)).collect());
        let shared: Vec<&[u32]> = copies.iter().map(|copy| &*copy.recipients).collect();
        assert_eq!(shared, [&[0, 3][..], &[1], &[2]]);
    }

    #[test]
    fn what_is_followed_has_a_copy_for_each_recipient_rfc5321_4_5_4_1() {
        let key = Key::new([7; tie::KEY_BYTES]);
        let domain = Domain::parse("bounces.example.org").expect("a domain");
        let mut entry = entry(1, "news@bounces.example.org", &["ann@one.example", "bob@one.example"]);
        entry.tenant = Some("acme".into());
        entry.place(1, Some(Placement { campaign: Some("spring".into()), ..Placement::default() }));
        let mine = HeaderEdit::Add { name: "X".into(), value: "1".into() };
        let edits = Edits { headers: vec![mine.clone()] };
        let shared = Copy { edits, body: None, reverse_path: None, recipients: vec![0, 1] };
        let copies = followed(&[shared], &entry, &key, &domain);
        assert_eq!(copies.len(), 2);
        for (copy, (recipient, campaign)) in
            copies.iter().zip([("ann@one.example", None), ("bob@one.example", Some("spring"))])
        {
            let [edit, HeaderEdit::Add { name, value }] = &*copy.edits.headers else { panic!("two edits: {copy:?}") };
            assert_eq!((edit, &**name), (&mine, tie::FIELD));
            let sent = key.read_ticket(value).expect("ours");
            assert_eq!((&sent.recipient, sent.campaign.as_deref()), (&address(recipient), campaign));
            assert_eq!((sent.id, sent.tenant.as_deref()), (entry.id, Some("acme")));
            let path = copy.reverse_path.as_ref().expect("there is room for it");
            let mark = key.read_mark(path.local()).expect("ours");
            assert!(key.fits(&mark, &sent) && path.domain() == Some(&domain));
        }
    }
}
