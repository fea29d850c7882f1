//! The report in a message: a multipart/report (RFC 6522 3), its part for machines, and the header that it returns.

use super::fields::{Group, groups};
use crate::base::mail::header;
use crate::base::mime::tree::{Part, Tree};
use crate::base::mime::walk::Walk;

/// How much of a part for machines is read, in octets.
const STATUS_BYTES_MAX: usize = 256 * 1024;
/// How much of what is returned is read, in octets: its header stands at the top.
const RETURNED_BYTES_MAX: usize = 256 * 1024;

/// A report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) form: Form,
    /// The header section of the message that it is about, as far as it is returned.
    pub(super) returned: Vec<u8>,
}

/// What kind of report it is.
#[derive(Debug)]
pub(super) enum Form {
    /// A delivery status notification: the fields of the message, then of each recipient (RFC 3464 2.1).
    Status(Vec<Group>),
    /// An abuse report: its fields (RFC 5965 3).
    Complaint(Group),
}

/// The report that a message is; none where it is another message.
pub(super) fn read(head: &[u8], body: &[u8]) -> Option<Report> {
    let mut walk = Walk::new(head).ok()?;
    // What is beyond the limits ends the walk: parts before it are there, and a header section that is returned may be long.
    let _to_its_end = walk.push(body, true);
    let Tree { parts } = walk.finish();
    // RFC 6522 3: the report is the message itself, and what it reports stands directly in it.
    parts.first().filter(|top| &*top.content_type == "multipart/report")?;
    let inside = || parts.iter().filter(|part| part.parent == Some(0));
    let form = inside().find_map(|part| form(part, body))?;
    let returned = inside().find(|part| returns(&part.content_type)).map(|part| section(part, body));
    Some(Report { form, returned: returned.unwrap_or_default() })
}

fn form(part: &Part, body: &[u8]) -> Option<Form> {
    let fields = || groups(&octets(part, body, STATUS_BYTES_MAX));
    match &*part.content_type {
        // RFC 6533 4: the global twin.
        "message/delivery-status" | "message/global-delivery-status" => Some(Form::Status(fields())),
        "message/feedback-report" => {
            // RFC 5965 3.1: without a type it is no report.
            fields().into_iter().find(|group| group.get("feedback-type").is_some()).map(Form::Complaint)
        }
        _ => None,
    }
}

/// RFC 6522 3, RFC 6533 4.
fn returns(content_type: &str) -> bool {
    matches!(content_type, "message/rfc822" | "text/rfc822-headers" | "message/global" | "message/global-headers")
}

/// The header section at the top of a part; all of a part that has no body.
fn section(part: &Part, body: &[u8]) -> Vec<u8> {
    let mut returned = octets(part, body, RETURNED_BYTES_MAX);
    if returned.is_empty() {
        // The walk ended in it. Whatever else is read here, a ticket in it is ours or nobody's.
        let rest = usize::try_from(part.content).ok().and_then(|from| body.get(from..)).unwrap_or_default();
        returned.extend_from_slice(rest.get(..RETURNED_BYTES_MAX).unwrap_or(rest));
    }
    let length = header::section_bytes(&returned).unwrap_or(returned.len());
    returned.truncate(length);
    returned
}

/// Decoded octets from the beginning of a part.
fn octets(part: &Part, body: &[u8], most: usize) -> Vec<u8> {
    let mut reading = part.read(0, most);
    while let Some((at, bytes)) = reading.wanted() {
        let from = usize::try_from(at).ok().and_then(|at| body.get(at..)).unwrap_or_default();
        reading.push(from.get(..bytes).unwrap_or(from));
    }
    reading.into_octets()
}
