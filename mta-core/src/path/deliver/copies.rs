//! Which recipients can share a transaction: those whose copies of the message are alike (RFC 5321 4.5.4.1).

use crate::base::flow::report::Copy;
use crate::base::mail::content::Composed;
use crate::base::mail::edits::Edits;

/// Groups recipients with equal edits and bodies, each group in the recipients' order.
#[must_use]
pub fn group(recipients: Vec<(u32, Edits, Option<Composed>)>) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    for (recipient, edits, body) in recipients {
        match copies.iter_mut().find(|copy| copy.edits == edits && copy.body == body) {
            Some(copy) => copy.recipients.push(recipient),
            None => copies.push(Copy { edits, body, recipients: vec![recipient] }),
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::content::Piece;
    use crate::base::mail::edits::HeaderEdit;

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
}
