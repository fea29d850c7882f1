//! The part for people (RFC 6522 3).

use crate::path::settle::notice::{Action, EXPIRED, Notice, Notification, mailbox};
use std::fmt::Write as _;

/// Where words of a remote are folded, in octets.
const LINE_BYTES: usize = 72;
/// Words of a remote beyond this are cut, in octets.
const WORDS_BYTES_MAX: usize = 900;

/// One line that says it all.
pub(super) fn subject(kind: Action) -> &'static str {
    match kind {
        Action::Failed => "Your message could not be delivered",
        Action::Delayed => "Your message is delayed",
        Action::Relayed => "Your message was passed on",
        Action::Delivered => "Your message was delivered",
    }
}

/// What happened, to whom, and what can be done.
pub(super) fn text(notification: &Notification<'_>) -> String {
    let mut text = format!("This is the mail server at {}.\r\n\r\n", notification.hostname);
    text.push_str(match notification.kind {
        Action::Failed => {
            "I'm sorry: the message that you sent could not be delivered to the\r\n\
             following addresses. I have given up on them; if it matters, check the\r\n\
             address, or reach the person in another way.\r\n"
        }
        Action::Delayed => {
            "The message that you sent has not yet reached the following addresses.\r\n\
             You need not send it again: I keep trying, and will tell you if I have\r\n\
             to give up.\r\n"
        }
        Action::Relayed => {
            "As you asked to be told: the message that you sent was passed on to the\r\n\
             mail servers of the following addresses. These servers don't report\r\n\
             what becomes of it, so this is the last that you will hear.\r\n"
        }
        Action::Delivered => {
            "As you asked to be told: the message that you sent was delivered to the\r\n\
             following addresses.\r\n"
        }
    });
    for notice in notification.notices {
        recipient(&mut text, notice);
    }
    text.push_str("\r\nThe technical details follow, and then what you sent or its header.\r\n");
    text
}

fn recipient(text: &mut String, notice: &Notice<'_>) {
    let _infallible = write!(text, "\r\n  <{}>\r\n", mailbox(&notice.recipient.address));
    match (&notice.last, notice.action) {
        (_, Action::Relayed | Action::Delivered) => {}
        (Some(last), _) => {
            let who = last.remote.as_deref().map_or_else(|| "The reason".to_owned(), |remote| format!("{remote} said"));
            folded(text, &format!("{who}: {}", last.reply));
        }
        (None, _) => folded(text, "The server of this address could not be reached."),
    }
    if notice.status == EXPIRED {
        folded(text, "I have tried for as long as I may.");
    }
    if let Some(until) = notice.retry_until {
        folded(text, &format!("I will keep trying until {}.", until.rfc5322()));
    }
}

fn folded(text: &mut String, words: &str) {
    let words = &words[..words.floor_char_boundary(WORDS_BYTES_MAX)];
    let mut column = 0;
    for word in words.split(|c: char| c.is_ascii_control() || c == ' ').filter(|word| !word.is_empty()) {
        if column == 0 || column + word.len() > LINE_BYTES {
            text.push_str(if column == 0 { "    " } else { "\r\n    " });
            column = 4;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push_str("\r\n");
}
