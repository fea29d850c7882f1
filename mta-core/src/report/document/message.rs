//! A report as mail: the words for people, and the file (RFC 9990 3.5.2, RFC 8460 5.3).

use super::super::row::Head;
use super::super::tally::Snapshot;
use super::File;
use super::teller::Teller;
use crate::base::flow::entry::{Entry, OURS_TAG, Progress};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::mail::address::Address;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Notify, Recipient};
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::fmt::Write as _;

/// Letters of an encoded line (RFC 2045 6.8).
const LINE_LETTERS: usize = 76;

/// Under which name, when and for which tenant the message is queued.
#[derive(Clone, Debug)]
pub(in crate::report) struct Posted {
    pub(in crate::report) id: QueueId,
    pub(in crate::report) at: UnixMillis,
    pub(in crate::report) tenant: Option<Box<str>>,
}

impl Teller {
    /// The message to one destination.
    pub(in crate::report) fn offer(&self, report: &Snapshot, file: &File, to: &Address, posted: Posted) -> Offer {
        let Posted { id, at, tenant } = posted;
        let boundary = format!("report-{id}");
        let head = self.head(report, to, (id, at), &boundary);
        let head_bytes = u32::try_from(head.len()).unwrap_or(u32::MAX);
        let octets = (head + &self.body(report, file, &boundary)).into_bytes();
        // Nobody is told what becomes of a report, as of a notification: an answer to it would be reported, and so on.
        let notify = Some(Notify { success: false, failure: false, delay: false });
        let entry = Entry {
            id,
            accepted: at,
            envelope: Envelope {
                sender: self.report.sender.clone(),
                recipients: vec![Recipient { address: to.clone(), notify, orcpt: None }],
                body: BodyType::SevenBit,
                smtputf8: false,
                ret: None,
                envid: None,
            },
            trace: Box::default(),
            edits: Edits::default(),
            size_bytes: octets.len() as u64,
            head_bytes,
            tenant,
            tags: vec![(OURS_TAG.into(), Box::default())],
            progress: vec![Progress::fresh(at)],
            placements: Vec::new(),
        };
        Offer { entry, content: OfferedContent::Memory(Bytes::from(octets)) }
    }

    fn head(&self, report: &Snapshot, to: &Address, (id, at): (QueueId, UnixMillis), boundary: &str) -> String {
        let (from, submitter, host) = (&self.report.address, self.domain(), &self.hostname);
        let (domain, report_id) = (&report.subject.domain, report.id);
        // RFC 8460 5.3 wants a message id's form, RFC 9990 3.5.1 lets it be without brackets.
        let shown_id = match &report.head {
            Head::Dmarc(_) => report_id.to_string(),
            Head::Tls(_) => format!("<{report_id}@{submitter}>"),
        };
        let mut head = format!(
            "Date: {date}\r\nFrom: <{from}>\r\nTo: <{to}>\r\nSubject: Report Domain: {domain}\r\n Submitter: {submitter}\r\n \
             Report-ID: {shown_id}\r\nMessage-ID: <{id}@{host}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
            date = at.rfc5322(),
        );
        let kind = match &report.head {
            Head::Dmarc(_) => "multipart/mixed;",
            Head::Tls(_) => {
                // It is to arrive where TLS is what is broken (RFC 8460 3, RFC 8689 3).
                let _infallible = write!(
                    head,
                    "TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {submitter}\r\nTLS-Required: No\r\n"
                );
                "multipart/report; report-type=\"tlsrpt\";"
            }
        };
        let _infallible = write!(head, "Content-Type: {kind}\r\n boundary=\"{boundary}\"\r\n\r\n");
        head
    }

    fn body(&self, report: &Snapshot, file: &File, boundary: &str) -> String {
        let about = match &report.head {
            Head::Dmarc(_) => "mail that claims to be from",
            Head::Tls(_) => "TLS on connections to the mail servers of",
        };
        let (begin, end) = (UnixMillis(report.begin * 1000), UnixMillis(report.end * 1000));
        let mut body = format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\nThis is a \
             report of {submitter} on {about} {domain},\r\nfrom {begin} until {end}.\r\nIt is for machines; questions go \
             to {address}.\r\n\r\n--{boundary}\r\nContent-Type: {media_type};\r\n name=\"{name}\"\r\n\
             Content-Disposition: attachment;\r\n filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            submitter = self.domain(),
            domain = report.subject.domain,
            begin = begin.rfc5322(),
            end = end.rfc5322(),
            address = self.report.address,
            media_type = file.media_type,
            name = file.name,
        );
        let encoded = STANDARD.encode(&file.octets);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE_LETTERS));
            body.push_str(line);
            body.push_str("\r\n");
            rest = after;
        }
        let _infallible = write!(body, "--{boundary}--\r\n");
        body
    }
}
