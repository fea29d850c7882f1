//! The page that a link leads to: plain HTML with a form, no script, nothing from elsewhere. What a screen reader and a
//! keyboard need is what HTML has of itself: a language, a heading, a legend, labels, a button.

use super::texts::{Text, Words};
use mailwright_plugin::web::{Response, escaped};

/// Nothing but our own form and style is done in the page, whatever gets into it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = ":root{color-scheme:light dark}body{font:1.125rem/1.5 system-ui,sans-serif;margin:0 auto;\
    max-width:36rem;padding:2rem 1rem;overflow-wrap:anywhere}fieldset{border:1px solid;border-radius:.25rem;padding:1rem}\
    legend{font-weight:bold;padding:0 .5rem}label{display:block;padding:.5rem 0}button{font:inherit;margin-top:1rem;\
    padding:.5rem 1.5rem}";

/// Whom and what a page is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The list's title.
    pub(crate) list: &'a str,
    /// The recipient.
    pub(crate) address: &'a str,
}

/// The question, with this list chosen; above it, where that is so, that this list is unsubscribed from already.
#[must_use]
pub(crate) fn question(words: &Words<'_>, about: About<'_>, already: bool) -> Response {
    let text = |text| filled(words.get(text), about);
    let above = match already {
        true => ["<p>", &text(Text::Already), "</p>\n"].concat(),
        false => String::new(),
    };
    let (this, everything) = if already { ("", " checked") } else { (" checked", "") };
    let body = [
        &*above,
        "<form method=\"post\">\n<fieldset>\n<legend>",
        &text(Text::Question),
        "</legend>\n<label><input type=\"radio\" name=\"scope\" value=\"list\"",
        this,
        "> ",
        &text(Text::This),
        "</label>\n<label><input type=\"radio\" name=\"scope\" value=\"everything\"",
        everything,
        "> ",
        &text(Text::Everything),
        "</label>\n</fieldset>\n<button type=\"submit\">",
        &text(Text::Button),
        "</button>\n</form>\n",
    ];
    page(200, words, &text(Text::Title), &body.concat())
}

/// What was done.
#[must_use]
pub(crate) fn done(words: &Words<'_>, about: About<'_>, everything: bool) -> Response {
    let text = |text| filled(words.get(text), about);
    let said = text(if everything { Text::DoneEverything } else { Text::DoneThis });
    page(200, words, &text(Text::Title), &["<p role=\"status\">", &said, "</p>\n"].concat())
}

/// A link that is none of ours.
#[must_use]
pub(crate) fn invalid(words: &Words<'_>) -> Response {
    let body = ["<p>", &escaped(words.get(Text::Invalid)), "</p>\n"].concat();
    page(404, words, &escaped(words.get(Text::InvalidTitle)), &body)
}

/// A text with what stands in its places, ready for a page.
fn filled(text: &str, about: About<'_>) -> String {
    // What takes a place is no text with places.
    let mut page = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, behind) = rest.split_at(at);
        page.push_str(&escaped(before));
        let places = [("{list}", about.list), ("{address}", about.address)];
        let known = places.iter().find_map(|(place, value)| Some((behind.strip_prefix(place)?, *value)));
        let (left, value) = known.unwrap_or((&behind[1..], "{"));
        page.push_str(&escaped(value));
        rest = left;
    }
    page + &escaped(rest)
}

/// A whole page; title and body are ready for it.
fn page(status: u16, words: &Words<'_>, title: &str, body: &str) -> Response {
    let language = escaped(words.language);
    let html = [
        "<!DOCTYPE html>\n<html lang=\"",
        &language,
        "\" dir=\"",
        words.direction(),
        "\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>",
        title,
        "</title>\n<style>",
        STYLE,
        "</style>\n</head>\n<body>\n<main>\n<h1>",
        title,
        "</h1>\n",
        body,
        "</main>\n</body>\n</html>\n",
    ];
    Response::html(status, &html.concat())
        .header("Content-Security-Policy", POLICY)
        .header("Content-Language", words.language)
        .header("Vary", "Accept-Language")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const ABOUT: About<'_> = About { list: "A & <b>", address: "{list}\"@example.org" };

    fn text(response: &Response) -> String {
        String::from_utf8(response.body.clone()).expect("a page is text")
    }

    #[test]
    fn the_page_asks_with_this_list_chosen_and_everything_has_a_label() {
        let texts = BTreeMap::new();
        let page = text(&question(&Words::wanted("de", &texts, "en"), ABOUT, false));
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"de\" dir=\"ltr\">"), "{page}");
        assert!(page.contains("<legend>Was soll {list}&quot;@example.org nicht mehr bekommen?</legend>"), "{page}");
        assert!(page.contains("value=\"list\" checked> Diese Liste: A &amp; &lt;b&gt;</label>"), "{page}");
        assert!(
            page.contains("<form method=\"post\">")
                && !page.contains("script")
                && !page.contains("Diese Liste: A & <b>")
        );
        let again = text(&question(&Words::wanted("en", &texts, "en"), ABOUT, true));
        assert!(again.contains("already") && again.contains("value=\"everything\" checked>"), "{again}");
    }

    #[test]
    fn what_was_done_is_a_status() {
        let texts = BTreeMap::new();
        let words = Words::wanted("", &texts, "en");
        assert!(
            text(&done(&words, ABOUT, true))
                .contains("role=\"status\">{list}&quot;@example.org gets no more mail of any")
        );
        assert!(text(&done(&words, ABOUT, false)).contains("this list: A &amp; &lt;b&gt;."));
        assert_eq!(invalid(&words).status, 404);
    }

    #[test]
    fn a_text_keeps_braces_that_are_no_places() {
        assert_eq!(filled("{x} {list} {", About { list: "{list}", address: "" }), "{x} {list} {");
    }
}
