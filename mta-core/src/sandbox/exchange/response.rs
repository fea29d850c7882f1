//! A guest's answer to an HTTP request made fit to be sent (RFC 9110, RFC 9112).

use super::super::fault::{Fault, Kind};
use super::super::host::bindings::exports::mailwright::plugin::on_http::Response;
use crate::base::flow::policy::public::PublicResponse;
use std::ops::RangeInclusive;

/// A final answer's status: what is below 200 announces another one (RFC 9110 15.2), and there is none.
const STATUS: RangeInclusive<u16> = 200..=599;
/// Header fields of an answer.
const FIELDS_MAX: usize = 64;
/// Octets of their names and values.
const FIELD_BYTES_MAX: usize = 16 * 1024;
/// Octets of an answer's content. With its header it must also fit what a guest may send to the host in one call.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Fields that are the server's: they say where the answer ends, and what the connection is for (RFC 9110 7.6.1, RFC
/// 9112 6). What a guest says of them is left out.
const OURS: [&str; 11] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "date",
];

/// Checks what a guest answered.
///
/// # Errors
/// It can't be sent: nothing of it is.
pub(crate) fn checked(said: Response) -> Result<PublicResponse, Fault> {
    let Response { status, mut headers, body } = said;
    let wrong = |what: String| Fault::new(Kind::Answer, what);
    if !STATUS.contains(&status) {
        return Err(wrong(format!("it answered with status {status}: from 200 to 599 are answers")));
    }
    if body.len() > BODY_BYTES_MAX {
        return Err(wrong(format!("its answer has {} octets, at most {BODY_BYTES_MAX} are sent", body.len())));
    }
    let octets: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > FIELDS_MAX || octets > FIELD_BYTES_MAX {
        return Err(wrong(format!(
            "its answer has {} header fields with {octets} octets, at most {FIELDS_MAX} with {FIELD_BYTES_MAX} are sent",
            headers.len()
        )));
    }
    for (name, value) in &headers {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(wrong(format!("\"{}\" is no field name", shown(name))));
        }
        // RFC 9110 5.5: a line end in a value would begin another field, or another answer.
        if value.bytes().any(|octet| octet.is_ascii_control() && octet != b'\t') {
            return Err(wrong(format!("its field {} has a control character", shown(name))));
        }
    }
    headers.retain(|(name, _)| !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)));
    // RFC 9110 15.3.5, 15.3.6 and 15.4.5: these have no content.
    let body = if matches!(status, 204 | 205 | 304) { Vec::new() } else { body };
    Ok(PublicResponse { status, fields: headers, body })
}

/// RFC 9110 5.6.2.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn shown(name: &str) -> String {
    name.chars().take(40).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, fields: &[(&str, &str)], body: &[u8]) -> Result<PublicResponse, String> {
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        checked(Response { status, headers, body: body.to_vec() }).map_err(|fault| {
            assert_eq!(fault.kind, Kind::Answer);
            fault.why
        })
    }

    #[test]
    fn an_answer_can_smuggle_nothing_rfc9112_11_1() {
        for (name, value) in [
            ("X", "a\r\nSet-Cookie: b"),
            ("X", "a\n"),
            ("X", "a\0"),
            ("X\r\nY", "a"),
            ("", "a"),
            ("a b", "c"),
            ("a:", "c"),
        ] {
            assert!(said(200, &[(name, value)], b"").is_err(), "{name:?}: {value:?}");
        }
        let fields =
            [("Content-Length", "5"), ("transfer-encoding", "chunked"), ("Connection", "upgrade"), ("x", "ä\t")];
        let sent = said(200, &fields, b"ok").expect("it can be sent");
        assert_eq!((sent.fields, sent.body), (vec![("x".to_owned(), "ä\t".to_owned())], b"ok".to_vec()));
    }

    #[test]
    fn only_final_statuses_are_answers_and_some_have_no_content_rfc9110_15_2() {
        for status in [0, 99, 100, 101, 199, 600, 65_535] {
            assert!(said(status, &[], b"").is_err(), "{status}");
        }
        for (status, length) in [(200, 1), (404, 1), (599, 1), (204, 0), (205, 0), (304, 0)] {
            assert_eq!(said(status, &[], b"x").map(|sent| sent.body.len()), Ok(length), "{status}");
        }
    }

    #[test]
    fn an_answer_is_bounded() {
        let many = [("x", "y"); FIELDS_MAX + 1];
        let long = "v".repeat(FIELD_BYTES_MAX);
        assert!(said(200, &many, b"").is_err() && said(200, &many[1..], b"").is_ok());
        assert!(said(200, &[("x", &long)], b"").is_err() && said(200, &[("x", &long[1..])], b"").is_ok());
        let body = vec![0; BODY_BYTES_MAX + 1];
        assert!(said(200, &[], &body).is_err() && said(200, &[], &body[1..]).is_ok());
    }
}
