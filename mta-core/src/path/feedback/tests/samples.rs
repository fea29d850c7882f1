//! Reports in the shapes that servers and feedback loops send, written for these tests. `{TO}` is the recipient, `{FIELD}`
//! the returned field with the ticket, `{PATH}` the reverse path that came back.

/// A report: its name, its header section and its body, with LF for line ends.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) head: &'static str,
    pub(super) body: &'static str,
}

impl Sample {
    /// As it arrives: with these values, and CRLF.
    pub(super) fn letter(&self, to: &str, field: &str, path: &str) -> (Vec<u8>, Vec<u8>) {
        let fill = |text: &str| {
            let text = text.replace("{TO}", to).replace("{FIELD}", field).replace("{PATH}", path);
            text.trim_start_matches('\n').replace('\n', "\r\n").into_bytes()
        };
        (fill(self.head), fill(self.body))
    }
}

/// Postfix: folded boundary, the header alone behind `undelivered-message-headers`.
pub(super) const POSTFIX: Sample = Sample {
    name: "postfix",
    head: "
Date: Mon,  2 Mar 2026 10:11:12 +0100 (CET)
From: MAILER-DAEMON@mail.receiver.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {PATH}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary=\"4A1B2C3D4E.1772442672/mail.receiver.example\"
Content-Transfer-Encoding: 8bit
Message-Id: <20260302091112.4A1B2C3D4E@mail.receiver.example>

",
    body: "
This is a MIME-encapsulated message.

--4A1B2C3D4E.1772442672/mail.receiver.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

The mail system: your message could not be delivered.

<{TO}>: host store.receiver.example[192.0.2.20] said: 550 5.1.1
    <{TO}>: Recipient address rejected (in reply to RCPT TO command)

--4A1B2C3D4E.1772442672/mail.receiver.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.receiver.example
X-Postfix-Queue-ID: 4A1B2C3D4E
X-Postfix-Sender: rfc822; {PATH}
Arrival-Date: Mon,  2 Mar 2026 10:11:11 +0100 (CET)

Final-Recipient: rfc822; {TO}
Original-Recipient: rfc822;{TO}
Action: failed
Status: 5.1.1
Remote-MTA: dns; store.receiver.example
Diagnostic-Code: smtp; 550 5.1.1 <{TO}>: Recipient address
    rejected: User unknown

--4A1B2C3D4E.1772442672/mail.receiver.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <{PATH}>
Received: from mx.example.org (mx.example.org [192.0.2.1])
	by mail.receiver.example with ESMTPS id 4A1B2C3D4E
{FIELD}
From: News <news@example.org>
To: {TO}
Subject: March

--4A1B2C3D4E.1772442672/mail.receiver.example--
",
};

/// Exim: fields in its own order, no Original-Recipient, the whole message returned.
pub(super) const EXIM: Sample = Sample {
    name: "exim",
    head: "
X-Failed-Recipients: {TO}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@exim.receiver.example>
To: {PATH}
References: <1@example.org>
Content-Type: multipart/report; report-type=delivery-status; boundary=1772442672-eximdsn-1804289383
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abcDE-0000aa-00@exim.receiver.example>
Date: Mon, 02 Mar 2026 10:11:12 +0100

",
    body: "
--1772442672-eximdsn-1804289383
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

  {TO}
    mailbox is full: retry timeout exceeded

--1772442672-eximdsn-1804289383
Content-type: message/delivery-status

Reporting-MTA: dns; exim.receiver.example

Action: failed
Final-Recipient: rfc822;{TO}
Status: 5.0.0

--1772442672-eximdsn-1804289383
Content-type: message/rfc822

Return-path: <{PATH}>
Received: from mx.example.org ([192.0.2.1])
	by exim.receiver.example with esmtp
{FIELD}
From: News <news@example.org>
Subject: March

the text
--1772442672-eximdsn-1804289383--
",
};

/// Exchange: base64 for the words, a comment-like action, long diagnostic, headers with folded tickets.
pub(super) const EXCHANGE: Sample = Sample {
    name: "exchange",
    head: "
From: <postmaster@tenant.receiver.example>
To: <{PATH}>
Date: Mon, 2 Mar 2026 09:11:12 +0000
Content-Type: multipart/report; report-type=delivery-status;
 boundary=\"a3f166e2-86cc-4f6f-89a5-4bb4ba3ac25e\"
Content-Language: en-GB
Message-ID: <2f0e5b1c@receiver.example>
In-Reply-To: <1@example.org>
Subject: Undeliverable: March
Auto-Submitted: auto-replied
MIME-Version: 1.0

",
    body: "
--a3f166e2-86cc-4f6f-89a5-4bb4ba3ac25e
Content-Type: multipart/alternative; differences=Content-Type;
 boundary=\"b58f4b10-a1c5-4c9a-9d3f-1c3ef4b8f1cd\"

--b58f4b10-a1c5-4c9a-9d3f-1c3ef4b8f1cd
Content-Type: text/plain; charset=\"us-ascii\"
Content-Transfer-Encoding: base64

WW91ciBtZXNzYWdlIGNvdWxkbid0IGJlIGRlbGl2ZXJlZC4=

--b58f4b10-a1c5-4c9a-9d3f-1c3ef4b8f1cd--

--a3f166e2-86cc-4f6f-89a5-4bb4ba3ac25e
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01MB1234.prod.receiver.example
Received-From-MTA: dns;mx.example.org
Arrival-Date: Mon, 2 Mar 2026 09:11:10 +0000

Original-Recipient: rfc822;{TO}
Final-Recipient: rfc822;{TO}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {TO} not found by SMTP address lookup

--a3f166e2-86cc-4f6f-89a5-4bb4ba3ac25e
Content-Type: text/rfc822-headers

Received: from AM0PR01MB1234.prod.receiver.example by
 DB9PR01MB4321.prod.receiver.example with Microsoft SMTP Server
Authentication-Results: spf=pass (sender IP is 192.0.2.1)
{FIELD}
From: News <news@example.org>
To: {TO}
Return-Path: {PATH}

--a3f166e2-86cc-4f6f-89a5-4bb4ba3ac25e--
",
};

/// A delay: the message is still being tried.
pub(super) const DELAYED: Sample = Sample {
    name: "delayed",
    head: "
From: MAILER-DAEMON@mail.receiver.example
Subject: Warning: message delayed 4 hours
Content-Type: multipart/report; report-type=delivery-status; boundary=\"x\"
MIME-Version: 1.0

",
    body: "
--x
Content-Type: text/plain

You need not send it again.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.receiver.example

Final-Recipient: rfc822; {TO}
Action: delayed
Status: 4.4.1
Will-Retry-Until: Sat, 7 Mar 2026 10:11:12 +0100

--x
Content-Type: text/rfc822-headers

{FIELD}
Subject: March

--x--
",
};

/// A feedback loop: the recipient's name is taken out, the message is returned whole.
pub(super) const LOOP: Sample = Sample {
    name: "feedback loop",
    head: "
From: <staff@fbl.receiver.example>
To: <fbl@bounces.example.org>
Date: Mon, 2 Mar 2026 10:11:12 +0100
Subject: FW: March
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=\"part1_13d.2e68ed54\"

",
    body: "
--part1_13d.2e68ed54
Content-Type: text/plain; charset=\"US-ASCII\"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54
Content-Type: message/feedback-report

Feedback-Type: Abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{PATH}>
Arrival-Date: Mon, 2 Mar 2026 10:11:10 +0100
Source-IP: 192.0.2.1
Reported-Domain: example.org

--part1_13d.2e68ed54
Content-Type: message/rfc822
Content-Disposition: inline

Received: from mx.example.org (mx.example.org [192.0.2.1])
	by mx.receiver.example; Mon, 2 Mar 2026 10:11:10 +0100
{FIELD}
From: News <news@example.org>
To: <redacted@receiver.example>
Subject: March

the text
--part1_13d.2e68ed54--
",
};

/// A report of a complaint whose reporter names the recipient, and returns next to nothing.
pub(super) const NAMED: Sample = Sample {
    name: "complaint with its recipient",
    head: "
From: <abuse@receiver.example>
To: <fbl@bounces.example.org>
Content-Type: multipart/report; boundary=\"n\"; report-type=\"feedback-report\"
MIME-Version: 1.0

",
    body: "
--n
Content-Type: message/feedback-report
Content-Transfer-Encoding: quoted-printable

Feedback-Type: fraud
User-Agent: =
Other/2
Version: 1
Original-Mail-From: {PATH}
Original-Rcpt-To: <{TO}>
--n
Content-Type: text/rfc822-headers

From: News <news@example.org>
--n--
",
};
