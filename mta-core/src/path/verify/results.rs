//! Results as a header field (RFC 8601 2.2), and fields that only claim to be ours (RFC 8601 5).

use crate::base::flow::policy::verify::AuthResult;
use crate::base::mail::edits::HeaderEdit;
use crate::base::mail::header;
use mail_auth::{DnsError, Error};
use std::fmt::Write as _;

/// The field's name.
const NAME: &str = "Authentication-Results";

/// Longest value of a property in octets: what is longer is cut, and no reader can take it for the whole.
const VALUE_BYTES_MAX: usize = 255;

/// The field with its final CRLF, each result on a line of its own.
pub(super) fn field(hostname: &str, results: &[AuthResult]) -> Box<str> {
    let mut field = format!("{NAME}: {hostname}");
    for result in results {
        // Writing to a String can't fail.
        let _ = write!(field, ";\r\n\t{}={}", result.method.name(), result.outcome.name());
        if !result.detail.is_empty() {
            let _ = write!(field, " reason=");
            quoted(&mut field, &result.detail);
        }
        for (property, text) in &result.properties {
            let _ = write!(field, "\r\n\t {property}=");
            value(&mut field, text);
        }
    }
    // RFC 8601 2.2: where nothing was done the field says so.
    if results.is_empty() {
        field.push_str("; none");
    }
    field.push_str("\r\n");
    field.into()
}

/// A token of RFC 2045 5.1 or an address stands as it is, all else in quotes.
fn value(field: &mut String, text: &str) {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~@".contains(&octet);
    if !text.is_empty() && text.len() <= VALUE_BYTES_MAX && text.bytes().all(plain) {
        field.push_str(text);
    } else {
        quoted(field, text);
    }
}

/// A quoted string (RFC 5322 3.2.4); what can't be seen becomes a space, so that nothing ends the line.
fn quoted(field: &mut String, text: &str) {
    field.push('"');
    for letter in text[..text.floor_char_boundary(VALUE_BYTES_MAX)].chars() {
        match letter {
            '"' | '\\' => field.extend(['\\', letter]),
            letter if letter.is_control() => field.push(' '),
            // Nobody may have asked for UTF-8 (RFC 6532 3.2).
            letter => field.push(if letter.is_ascii() { letter } else { '?' }),
        }
    }
    field.push('"');
}

/// The edits that take away every field that claims our name, from the bottom up.
pub(super) fn forged(head: &[u8], hostname: &str) -> Vec<HeaderEdit> {
    let ours = header::fields(head).filter(|field| field.name.eq_ignore_ascii_case(NAME));
    let claims = ours.zip(0_u32..).filter(|(field, _)| claims(&field.unfolded(), hostname));
    let mut edits: Vec<HeaderEdit> =
        claims.map(|(_, nth)| HeaderEdit::Set { name: NAME.into(), nth, value: None }).collect();
    // Each is counted as those before it left them: taken from below, none moves another.
    edits.reverse();
    edits
}

/// Whether the field names this server as the one that wrote it: the first word behind comments, in quotes or not
/// (RFC 8601 2.2, 2.5).
fn claims(text: &str, hostname: &str) -> bool {
    let rest = behind_comments(text);
    let name: String = match rest.strip_prefix('"') {
        Some(quoted) => unquoted(quoted),
        None => rest.chars().take_while(|letter| !letter.is_whitespace() && !";/(".contains(*letter)).collect(),
    };
    name.trim().trim_end_matches('.').eq_ignore_ascii_case(hostname)
}

/// Without the white space and the comments (RFC 5322 3.2.2) that it begins with.
fn behind_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with('(') {
        let (mut depth, mut escaped, mut end) = (0_usize, false, rest.len());
        for (at, letter) in rest.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = at + letter.len_utf8();
                break;
            }
        }
        rest = rest[end..].trim_start();
    }
    rest
}

/// Up to the closing quote, without escapes.
fn unquoted(quoted: &str) -> String {
    let mut name = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => name.extend(letters.next()),
            letter => name.push(letter),
        }
    }
    name
}

/// The library's reason, in its words; of a resolver's failure only that it failed.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Dns(DnsError::Resolver(_)) => "the name servers did not answer".to_owned(),
        Error::Dns(DnsError::RecordNotFound(_)) => "no such record".to_owned(),
        Error::Dns(DnsError::InvalidRecordType) => "the record is not one".to_owned(),
        other => {
            let text = other.to_string();
            text.trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::policy::verify::{Method, Outcome};
    use crate::base::mail::content::{Body, Content};
    use crate::base::mail::render::render;
    use proptest::prelude::*;

    fn result(detail: &str, value: &str) -> AuthResult {
        let properties = vec![("smtp.mailfrom", value.into())];
        AuthResult { method: Method::Spf, outcome: Outcome::Pass, domain: None, properties, detail: detail.into() }
    }

    #[test]
    fn results_are_written_as_in_rfc8601_2_2() {
        let written = field("mx.example", &[result("", "ann@example.org"), result("why \"so\"", "a b")]);
        assert_eq!(
            &*written,
            "Authentication-Results: mx.example;\r\n\tspf=pass\r\n\t smtp.mailfrom=ann@example.org;\r\n\tspf=pass \
             reason=\"why \\\"so\\\"\"\r\n\t smtp.mailfrom=\"a b\"\r\n"
        );
        assert_eq!(&*field("mx.example", &[]), "Authentication-Results: mx.example; none\r\n");
    }

    fn left(head: &str) -> String {
        let content = Content { head: head.to_owned().into(), body: Body::Memory("".into()) };
        let rendered = render(&[], &content, forged(head.as_bytes(), "mx.example").iter());
        String::from_utf8(rendered.head.concat()).expect("ASCII")
    }

    #[test]
    fn forged_fields_go_and_others_stay_rfc8601_5() {
        for forgery in [
            "mx.example; spf=pass",
            "MX.Example 1; spf=pass",
            "(really (it) is) mx.example; dkim=pass",
            "\"mx.example\"; dkim=pass",
            "\r\n mx.example;\r\n dkim=pass",
            "mx.example/1; none",
            "mx.example.; none",
            "mx.example",
        ] {
            let head = format!(
                "Authentication-Results: other.example; spf=fail\r\nauthentication-results: {forgery}\r\nFrom: a@b\r\n\r\n"
            );
            assert_eq!(
                left(&head),
                "Authentication-Results: other.example; spf=fail\r\nFrom: a@b\r\n\r\n",
                "{forgery}"
            );
        }
        let head = "Authentication-Results: not-mx.example; x=y\r\nAuthentication-Results: mx.example.org; x=y\r\n\r\n";
        assert_eq!(left(head), head);
        let many = "Authentication-Results: mx.example; a=b\r\n".repeat(3) + "Subject: x\r\n\r\n";
        assert_eq!(left(&many), "Subject: x\r\n\r\n");
    }

    proptest! {
        /// Whatever strangers write: one field, of lines that are short enough, in which no line is its own.
        #[test]
        fn nothing_breaks_out_of_the_field(detail in ".{0,300}", value in ".{0,300}") {
            let written = field("mx.example", &[result(&detail, &value)]);
            let head = format!("{written}\r\n");
            prop_assert_eq!(header::fields(head.as_bytes()).count(), 1);
            prop_assert!(written.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
            let _ = claims(&detail, "mx.example");
        }
    }
}
