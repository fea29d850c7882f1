//! What the header section must have, and may not (RFC 5322 3.6, RFC 8058 3.1).

use crate::check::{Check, Finding};

/// Fields that are there once at most (RFC 5322 3.6); From, Date and Message-ID have checks of their own.
const ONCE: [&str; 8] = ["Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "References", "Subject"];
/// What List-Unsubscribe-Post says (RFC 8058 3.1).
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether a field could have that name (RFC 5322 2.2).
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':')
}

fn values<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Date, Message-ID, and fields that are there too often. Where the message is completed, what is missing comes later.
pub(crate) fn check(fields: &[(String, String)], is_completed: bool, findings: &mut Vec<Finding>) {
    let dates: Vec<&str> = values(fields, "Date").collect();
    let words = match &*dates {
        [] if is_completed => None,
        [] => Some("there is no Date: say when it was written".to_owned()),
        [date] if is_date(date) => None,
        [date] => Some(format!("\"{}\" is no date: write one as \"Mon, 5 Jan 2026 12:00:00 +0000\"", short(date))),
        _ => Some("there are two Date fields: leave one".to_owned()),
    };
    findings.extend(words.map(|words| Finding::new(Check::Date, words)));
    let ids: Vec<&str> = values(fields, "Message-ID").collect();
    let words = match &*ids {
        [] if is_completed => None,
        [] => Some("there is no Message-ID: give each message one of its own".to_owned()),
        [id] if is_id(id) => None,
        [id] => Some(format!("\"{}\" is no message id: write one as <unique@your-domain>", short(id))),
        _ => Some("there are two Message-ID fields: leave one".to_owned()),
    };
    findings.extend(words.map(|words| Finding::new(Check::MessageId, words)));
    if let Some(twice) = ONCE.iter().find(|name| values(fields, name).count() > 1) {
        findings.push(Finding::new(Check::Form, format!("there are two {twice} fields: leave one")));
    }
}

/// A link and the promise that one POST to it unsubscribes (RFC 2369 3.2, RFC 8058 3.1).
pub(crate) fn check_unsubscribe(fields: &[(String, String)], findings: &mut Vec<Finding>) {
    let has_link = values(fields, "List-Unsubscribe").any(|value| {
        let links = value.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
        links
            .map(|(link, _)| link.trim())
            .any(|link| link.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")))
    });
    let promises = values(fields, "List-Unsubscribe-Post").any(|value| value.eq_ignore_ascii_case(ONE_CLICK));
    let words = match (has_link, promises) {
        (true, true) => return,
        (false, _) => "there is no https link in List-Unsubscribe: add <https://...> that unsubscribes this recipient",
        (true, false) => {
            "the link does not promise to unsubscribe by one click: add \"List-Unsubscribe-Post: List-Unsubscribe=One-Click\""
        }
    };
    findings.push(Finding::new(Check::Unsubscribe, words));
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// `<left@right>` (RFC 5322 3.6.4).
fn is_id(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inner.and_then(|inner| inner.split_once('@')).is_some_and(|(left, right)| {
        let fits = |part: &str| !part.is_empty() && !part.contains(['<', '>', ' ', '\t', '@']);
        fits(left) && fits(right)
    })
}

/// A date as mail writes it (RFC 5322 3.3); a comment may follow.
fn is_date(text: &str) -> bool {
    let text = text.split('(').next().unwrap_or_default();
    let text = match text.split_once(',') {
        Some((day, rest)) if day.trim().len() == 3 => rest,
        Some(_) => return false,
        None => text,
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let [day, month, year, time, zone] = &*words else { return false };
    let number = |text: &str, most: u32| text.parse::<u32>().is_ok_and(|number| number <= most);
    let is_time = {
        let parts: Vec<&str> = time.split(':').collect();
        (2..=3).contains(&parts.len())
            && parts.iter().all(|part| part.len() == 2)
            && number(parts[0], 23)
            && parts[1..].iter().all(|part| number(part, 60))
    };
    let is_zone = match zone.strip_prefix(['+', '-']) {
        Some(offset) => offset.len() == 4 && number(offset, 9959),
        None => zone.len() <= 5 && zone.bytes().all(|octet| octet.is_ascii_alphabetic()),
    };
    let is_month = MONTHS.iter().any(|known| known.eq_ignore_ascii_case(month));
    (1..=2).contains(&day.len())
        && number(day, 31)
        && is_month
        && year.len() == 4
        && number(year, 9999)
        && is_time
        && is_zone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(fields: &[(&str, &str)], is_completed: bool) -> Vec<&'static str> {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut findings = Vec::new();
        check(&fields, is_completed, &mut findings);
        check_unsubscribe(&fields, &mut findings);
        findings.iter().map(|finding| finding.check.name()).collect()
    }

    #[test]
    fn dates_and_ids_are_there_once_and_as_mail_writes_them_rfc5322_3_3_and_3_6() {
        for (date, wanted) in [
            ("Mon, 5 Jan 2026 12:00:00 +0000", true),
            ("5 jan 2026 12:00 GMT", true),
            ("Mon, 05 Jan 2026 23:59:60 -0330 (comment)", true),
            ("2026-01-05T12:00:00Z", false),
            ("Mon, 5 Jan 26 12:00:00 +0000", false),
            ("Mon, 5 Jan 2026 25:00:00 +0000", false),
            ("Mon, 5 Jan 2026 12:00:00", false),
            ("Montag, 5 Jan 2026 12:00:00 +0000", false),
            ("", false),
        ] {
            assert_eq!(is_date(date), wanted, "{date}");
        }
        for (id, wanted) in [("<a@b>", true), ("a@b", false), ("<a>", false), ("<a@b c>", false), ("<@b>", false)] {
            assert_eq!(is_id(id), wanted, "{id}");
        }
    }

    #[test]
    fn what_is_missing_or_twice_is_found() {
        let one_click =
            [("List-Unsubscribe", "<https://a.test/u>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")];
        let with =
            |more: &[(&'static str, &'static str)], is_completed| named(&[&one_click[..], more].concat(), is_completed);
        assert_eq!(with(&[], true), Vec::<&str>::new(), "submission adds both");
        assert_eq!(with(&[], false), ["date", "message_id"]);
        let whole = [("Date", "5 Jan 2026 12:00 GMT"), ("Message-ID", "<a@b>")];
        assert_eq!(with(&whole, false), Vec::<&str>::new());
        assert_eq!(with(&[&whole[..], &[("Subject", "a"), ("subject", "b")]].concat(), false), ["form"]);
        assert_eq!(with(&[&whole[..], &whole[..]].concat(), true), ["date", "message_id"]);
    }

    #[test]
    fn unsubscribing_takes_one_click_rfc8058_3_1_rfc2369_3_2() {
        let post = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        for (fields, wanted) in [
            (&[("List-Unsubscribe", "<mailto:u@a.test>, <HTTPS://a.test/u>"), post][..], true),
            (&[("List-Unsubscribe", "<https://a.test/u>")], false),
            (&[("List-Unsubscribe", "<http://a.test/u>"), post], false),
            (&[("List-Unsubscribe", "https://a.test/u"), post], false),
            (&[("List-Unsubscribe", "<mailto:u@a.test>"), post], false),
            (&[post], false),
        ] {
            assert_eq!(named(fields, true).is_empty(), wanted, "{fields:?}");
        }
    }
}
