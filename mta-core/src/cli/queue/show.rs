//! The queue as text for people. What comes from outside is made printable: a terminal obeys control characters.

use mta_core::edge::control::Status;
use mta_core::edge::control::row::{Message, RecipientRow, Row};
use std::fmt::Write;

/// One message and, indented, each of its recipients.
pub(crate) fn row_text(row: &Row) -> String {
    let mut text =
        format!("{}  {:>4}  {:>9}  <{}>", row.id, age(row.age_seconds), size(row.size_bytes), printable(&row.sender));
    if let Some(tenant) = &row.tenant {
        let _ = write!(text, "  tenant {}", printable(tenant));
    }
    for recipient in &row.recipients {
        let _ = write!(text, "\n    {}", recipient_text(recipient));
    }
    text
}

fn recipient_text(recipient: &RecipientRow) -> String {
    let mut text = format!("<{}>  {}", printable(&recipient.address), recipient.state);
    if let Some(due) = &recipient.due {
        let _ = write!(text, ", due {due}, {} attempts", recipient.attempts);
    }
    for (name, value) in [
        ("via", &recipient.via),
        ("from", &recipient.pool),
        ("campaign", &recipient.campaign),
        ("priority", &recipient.priority),
        ("expires", &recipient.expires),
        ("placed by", &recipient.placed_by),
    ] {
        if let Some(value) = value {
            let _ = write!(text, ", {name} {}", printable(value));
        }
    }
    if let Some(reply) = &recipient.last_reply {
        let remote = recipient.remote.as_deref().unwrap_or("us");
        let _ = write!(text, ", {} said: {}", printable(remote), printable(reply));
    }
    if let Some(reason) = &recipient.held_for {
        let _ = write!(text, ", {}", printable(reason));
    }
    text
}

/// Everything of one message.
pub(crate) fn message_text(message: &Message) -> String {
    let row = &message.row;
    let mut text = String::new();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let end = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{end}{name:<11} {}", printable(value));
        }
    };
    add("id", &row.id.to_string());
    add("accepted", &format!("{}, {} ago", row.accepted, age(row.age_seconds)));
    add("sender", &format!("<{}>", row.sender));
    add("tenant", row.tenant.as_deref().unwrap_or(""));
    add("size", &format!("{} bytes, {} of them header", row.size_bytes, message.head_bytes));
    add("body", &format!("{}{}", message.body, if message.smtputf8 { " SMTPUTF8" } else { "" }));
    add("ret", message.ret.as_deref().unwrap_or(""));
    add("envid", message.envid.as_deref().unwrap_or(""));
    add("trace", &message.trace.split_whitespace().collect::<Vec<_>>().join(" "));
    for edit in &message.edits {
        add("edit", edit);
    }
    for (name, value) in &message.tags {
        add("tag", &format!("{name}={value}"));
    }
    for recipient in &row.recipients {
        add("recipient", &recipient_text(recipient));
        add("  notify", recipient.notify.as_deref().unwrap_or(""));
        add("  orcpt", recipient.orcpt.as_deref().unwrap_or(""));
        add("  last", recipient.last_at.as_deref().unwrap_or(""));
    }
    text
}

/// How the server is.
pub(crate) fn status_text(status: &Status) -> String {
    let mut text = format!(
        "{}: mailwright {}, process {}, up for {}",
        printable(&status.hostname),
        status.version,
        status.pid,
        age(status.uptime_seconds)
    );
    for (event, count) in &status.events {
        let _ = write!(text, "\n  {event:<20} {count:>12}");
    }
    text
}

/// A length of time in its largest whole unit: enough to see how old something is.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Octets in the unit that shows them in three digits or so.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message() -> Message {
        serde_json::from_value(json!({
            "id": "00000000000000000000000001", "accepted": "2026-01-01T00:00:00.000Z", "age_seconds": 7260,
            "sender": "a@b\u{1b}[31m", "size_bytes": 4301, "tenant": null, "next_due": "2026-01-01T03:00:00.000Z",
            "recipients": [
                {"address": "c@d", "state": "pending", "attempts": 2, "due": "2026-01-01T03:00:00.000Z",
                 "last_reply": "451 4.2.0 later", "remote": "mx.d", "notify": "NEVER"},
                {"address": "e@f", "state": "held", "attempts": 0, "due": null, "last_reply": null, "held_for": "odd"}
            ],
            "body": "8BITMIME", "smtputf8": true, "ret": null, "envid": null, "head_bytes": 301,
            "trace": "Received: from x\r\n\tby y", "edits": ["add X-A: 1"], "tags": [["k", "v"]]
        }))
        .expect("a message")
    }

    #[test]
    fn a_row_is_a_line_and_one_for_each_recipient() {
        assert_eq!(
            row_text(&message().row),
            "00000000000000000000000001    2h    4.2 KiB  <a@b\u{fffd}[31m>
    <c@d>  pending, due 2026-01-01T03:00:00.000Z, 2 attempts, mx.d said: 451 4.2.0 later
    <e@f>  held, odd"
        );
    }

    #[test]
    fn a_message_is_shown_whole() {
        assert_eq!(
            message_text(&message()),
            "id          00000000000000000000000001
accepted    2026-01-01T00:00:00.000Z, 2h ago
sender      <a@b\u{fffd}[31m>
size        4301 bytes, 301 of them header
body        8BITMIME SMTPUTF8
trace       Received: from x by y
edit        add X-A: 1
tag         k=v
recipient   <c@d>  pending, due 2026-01-01T03:00:00.000Z, 2 attempts, mx.d said: 451 4.2.0 later
  notify    NEVER
recipient   <e@f>  held, odd"
        );
    }
}
