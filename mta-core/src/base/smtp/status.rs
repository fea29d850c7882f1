//! Enhanced status codes (RFC 3463).

use serde::{Deserialize, Serialize};
use std::fmt;

/// `class.subject.detail`, as `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnhancedStatus {
    /// 2 success, 4 transient, 5 permanent.
    pub class: u8,
    /// What it is about, at most 999.
    pub subject: u16,
    /// Which of them, at most 999.
    pub detail: u16,
}

impl EnhancedStatus {
    /// A status from its three numbers.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Takes a status off the front of a reply's text (RFC 2034 4): what follows is without the space between them.
    /// None when there is none, or when its class does not fit the reply's `code`.
    #[must_use]
    pub fn split(text: &str, code: u16) -> Option<(Self, &str)> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut numbers = word.split('.').map(number);
        let (Some(Some(class)), Some(Some(subject)), Some(Some(detail)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        (u16::from(class) == code / 100).then_some((Self { class, subject, detail }, rest))
    }
}

/// One to three digits (RFC 3463 2).
fn number(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|d| d.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_leads_the_text_rfc2034_4_and_is_three_numbers_rfc3463_2() {
        let status = EnhancedStatus::new(5, 1, 1);
        assert_eq!(EnhancedStatus::split("5.1.1 no such user", 550), Some((status, "no such user")));
        assert_eq!(EnhancedStatus::split("5.1.1", 550), Some((status, "")));
        assert_eq!(EnhancedStatus::split("5.1.1 no", 450), None, "the class must fit the code");
        for text in ["", "5.1", "5.1.1.1", "5..1", "5.1.1000", "3.0.0 x", "5.1.x", "5.1.1: no"] {
            assert_eq!(EnhancedStatus::split(text, 550), None, "{text}");
        }
    }
}
