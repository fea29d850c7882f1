//! Which recipients can share a transaction: those whose copies of the message are alike (RFC 5321 4.5.4.1).

use crate::base::flow::report::Copy;
use crate::base::mail::edits::Edits;

/// Groups recipients with equal edits, each group in the recipients' order.
#[must_use]
pub fn group(recipients: Vec<(u32, Edits)>) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    for (recipient, edits) in recipients {
        match copies.iter_mut().find(|copy| copy.edits == edits) {
            Some(copy) => copy.recipients.push(recipient),
            None => copies.push(Copy { edits, recipients: vec![recipient] }),
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::edits::HeaderEdit;

    #[test]
    fn equal_copies_travel_together_rfc5321_4_5_4_1() {
        let add = |value: &str| Edits { headers: vec![HeaderEdit::Add { name: "X".into(), value: value.into() }] };
        let copies = group(vec![(0, add("a")), (3, Edits::default()), (1, add("b")), (2, add("a"))]);
        let shared: Vec<&[u32]> = copies.iter().map(|copy| &*copy.recipients).collect();
        assert_eq!(shared, [&[0, 2][..], &[3], &[1]]);
    }
}
