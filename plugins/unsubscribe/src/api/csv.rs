//! Lists as CSV (RFC 4180): `address,reason,since,by` is written; of what is read, the first two count.

use mailwright_plugin::Address;
use mailwright_plugin::suppression::{Held, Reason};

const HEADING: &str = "address,reason,since,by\r\n";
/// Wrong lines that are told.
const TOLD_MAX: usize = 20;

/// An address as it is written everywhere: what is behind the last `@` is the domain.
#[must_use]
pub(crate) fn address(text: &str) -> Option<Address> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then(|| Address::new(local, domain))
}

/// Entries with their heading.
#[must_use]
pub(crate) fn written(entries: &[Held]) -> String {
    let mut text = HEADING.to_owned();
    for Held { address, why, since_ms, by } in entries {
        for piece in [&*field(address), ",", why.word(), ",", &time(*since_ms), ",", &field(by), "\r\n"] {
            text.push_str(piece);
        }
    }
    text
}

/// Within quotes where it must be (RFC 4180 2).
fn field(text: &str) -> String {
    match text.contains([',', '"']) {
        true => ["\"", &text.replace('"', "\"\""), "\""].concat(),
        false => text.to_owned(),
    }
}

/// The addresses of all lines, each with its reason. Empty lines, and those that begin with `#`, say nothing; the first
/// may be a heading.
///
/// # Errors
/// Words for each line that is wrong, up to so many.
pub(crate) fn read(text: &str) -> Result<Vec<(Address, Reason)>, String> {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line) {
            Ok(None) if place == 0 => {}
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => wrong.push((place, "a heading is the first line".to_owned())),
            Err(words) => wrong.push((place, words)),
        }
    }
    if wrong.is_empty() {
        return Ok(entries);
    }
    let told = wrong.iter().take(TOLD_MAX);
    Err(told.map(|(place, words)| ["line ", &(place + 1).to_string(), ": ", words, "\n"].concat()).collect())
}

/// An address and its reason, or nothing where it is a heading.
fn entry(line: &str) -> Result<Option<(Address, Reason)>, String> {
    let (who, rest) = first(line)?;
    let (why, _) = first(rest)?;
    if who.eq_ignore_ascii_case("address") {
        return Ok(None);
    }
    let who = address(&who).ok_or_else(|| ["\"", &who, "\" is no address"].concat())?;
    match &*why {
        "" => Ok(Some((who, Reason::Manual))),
        word => match Reason::named(word) {
            Some(why) => Ok(Some((who, why))),
            None => {
                let known = Reason::ALL.map(Reason::word).join(", ");
                Err(["\"", word, "\" is no reason; expected one of ", &known].concat())
            }
        },
    }
}

/// The first field of a line, and what is behind its comma.
fn first(line: &str) -> Result<(String, &str), String> {
    let line = line.trim_start();
    let Some(mut quoted) = line.strip_prefix('"') else {
        let (field, rest) = line.split_once(',').unwrap_or((line, ""));
        return Ok((field.trim().to_owned(), rest));
    };
    let mut field = String::new();
    loop {
        let (before, behind) = quoted.split_once('"').ok_or("expected a quote at the end of the field")?;
        field.push_str(before);
        // Two quotes stand for one.
        match behind.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                quoted = more;
            }
            None => match behind.trim_start() {
                "" => return Ok((field, "")),
                behind => {
                    return Ok((field, behind.strip_prefix(',').ok_or("expected a comma behind the quote")?));
                }
            },
        }
    }
}

/// A moment in UTC (RFC 3339 5.6), to the second.
fn time(ms: u64) -> String {
    let seconds = ms / 1000;
    let (mut year, mut days) = (1970, seconds / 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // As many years as there may be digits for.
    while year < 9999 && days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length || month == 12 {
            break;
        }
        days -= length;
        month += 1;
    }
    let two = |number: u64| {
        let digits = number.to_string();
        if number < 10 { ["0", &digits].concat() } else { digits }
    };
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let date = [year.to_string(), two(month), two(days + 1)].join("-");
    [&date, "T", &two(hour), ":", &two(minute), ":", &two(second), "Z"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_told_in_utc_rfc3339_5_6() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds * 1000 + 999), told);
        }
        assert!(time(u64::MAX).starts_with("9999-12-"));
    }

    #[test]
    fn what_is_written_is_read_again_rfc4180_2() {
        let held = |address: &str| Held {
            address: address.to_owned(),
            why: Reason::Complaint,
            since_ms: 0,
            by: "a,b".to_owned(),
        };
        let text = written(&[held("ann@example.org"), held("\"a,\"\"b\"@example.org")]);
        let read = read(&text).expect("our own");
        assert_eq!(read[1], (Address::new("\"a,\"\"b\"", "example.org"), Reason::Complaint));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn each_wrong_line_is_told() {
        let words = read("ann@example.org\n# ours\n\naddress\n\"a\n\"a\"b\nbob@\n").expect_err("four are wrong");
        let lines: Vec<&str> = words.lines().collect();
        assert_eq!(lines.len(), 4, "{words}");
        assert!(lines[0].starts_with("line 4: a heading") && lines[3] == "line 7: \"bob@\" is no address", "{words}");
        assert_eq!(read(&"x\n".repeat(100)).expect_err("all").lines().count(), TOLD_MAX);
        assert_eq!(read(""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", lines in "[a,\"@\n# ]*", ms: u64) {
            drop((read(&text), read(&lines), time(ms)));
        }
    }
}
