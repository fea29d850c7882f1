//! What a failed delivery says of an address: that it is no more, that it may be in trouble, or nothing.

use mailwright_plugin::EnhancedStatus;

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounced {
    /// There is no such mailbox: it is not written to again.
    Hard,
    /// It took nothing this time. So many of these within some time count as a hard one.
    Soft,
    /// It is about the message, or about us.
    Nothing,
}

/// By the status (RFC 3463). A refusal without one may be about anything, and counts as soft.
#[must_use]
pub(crate) fn of_status(status: Option<&EnhancedStatus>) -> Bounced {
    let Some(status) = status else { return Bounced::Soft };
    match (status.class, status.subject, status.detail) {
        // Bad mailbox, bad host, bad syntax, moved without a forwarding address, no mail at all (RFC 3463 3.2, RFC 7505 4.2).
        (5, 1, 1..=3 | 6 | 10) => Bounced::Hard,
        // The mailbox is disabled (RFC 3463 3.3).
        (5, 2, 1) => Bounced::Hard,
        // 1.7 and 1.8 are about the sender's address (RFC 3463 3.2); 3.4 and 2.3 about the message's length.
        (_, 1, 7 | 8) | (_, 3, 4) | (_, 2, 3) => Bounced::Nothing,
        // Protocol, content, and policy (RFC 3463 3.6 to 3.8): nothing of them is the mailbox's.
        (_, 5..=7, _) => Bounced::Nothing,
        _ => Bounced::Soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_no_more_is_told_from_one_in_trouble_rfc3463_3_2() {
        let of = |class, subject, detail| of_status(Some(&EnhancedStatus { class, subject, detail }));
        for hard in [(5, 1, 1), (5, 1, 2), (5, 1, 6), (5, 2, 1)] {
            assert_eq!(of(hard.0, hard.1, hard.2), Bounced::Hard, "{hard:?}");
        }
        for soft in [(5, 2, 2), (4, 2, 2), (5, 4, 4), (4, 4, 7), (5, 0, 0), (4, 1, 1)] {
            assert_eq!(of(soft.0, soft.1, soft.2), Bounced::Soft, "{soft:?}");
        }
        assert_eq!(of_status(None), Bounced::Soft);
    }

    #[test]
    fn what_is_about_us_or_the_message_is_not_the_addresses_fault_rfc3463_3_8() {
        for nothing in [(5, 7, 1), (5, 7, 26), (5, 6, 0), (5, 5, 0), (5, 3, 4), (5, 1, 8)] {
            let (class, subject, detail) = nothing;
            assert_eq!(of_status(Some(&EnhancedStatus { class, subject, detail })), Bounced::Nothing, "{nothing:?}");
        }
    }

    /// RFC 3463 3.3 and 3.6, RFC 7505 4.2.
    #[test]
    fn a_domain_without_mail_is_no_address() {
        assert_eq!(of_status(Some(&EnhancedStatus { class: 5, subject: 1, detail: 10 })), Bounced::Hard);
    }
}
