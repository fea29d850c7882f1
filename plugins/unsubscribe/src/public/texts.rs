//! The page's words: English and German, and what the operator says in any language; and which of them a browser wants.

use mailwright_plugin::Config;
use std::collections::BTreeMap;

/// Texts of one language. `{list}` stands for the list's title, `{address}` for the recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Config)]
pub struct Texts {
    /// The page's title and heading.
    #[config(length = 1..=200)]
    pub title: Option<String>,
    /// The question, above the choices.
    #[config(length = 1..=500)]
    pub question: Option<String>,
    /// The choice: this list.
    #[config(length = 1..=500)]
    pub this: Option<String>,
    /// The choice: everything.
    #[config(length = 1..=500)]
    pub everything: Option<String>,
    /// The button.
    #[config(length = 1..=100)]
    pub button: Option<String>,
    /// What is said when it was this list.
    #[config(length = 1..=500)]
    pub done_this: Option<String>,
    /// What is said when it was everything.
    #[config(length = 1..=500)]
    pub done_everything: Option<String>,
    /// What is said above the choices where the list is unsubscribed from already.
    #[config(length = 1..=500)]
    pub already: Option<String>,
    /// The title of the page for a link that is none.
    #[config(length = 1..=200)]
    pub invalid_title: Option<String>,
    /// And what it says.
    #[config(length = 1..=500)]
    pub invalid: Option<String>,
}

/// One of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Title,
    Question,
    This,
    Everything,
    Button,
    DoneThis,
    DoneEverything,
    Already,
    InvalidTitle,
    Invalid,
}

/// Languages that are there without the operator.
const BUILT_IN: [&str; 2] = ["en", "de"];

/// Languages that are written from right to left.
const LEFTWARDS: [&str; 6] = ["ar", "dv", "fa", "he", "ur", "yi"];

impl Texts {
    fn own(&self, text: Text) -> Option<&str> {
        let own = match text {
            Text::Title => &self.title,
            Text::Question => &self.question,
            Text::This => &self.this,
            Text::Everything => &self.everything,
            Text::Button => &self.button,
            Text::DoneThis => &self.done_this,
            Text::DoneEverything => &self.done_everything,
            Text::Already => &self.already,
            Text::InvalidTitle => &self.invalid_title,
            Text::Invalid => &self.invalid,
        };
        own.as_deref()
    }
}

fn english(text: Text) -> &'static str {
    match text {
        Text::Title => "Unsubscribe",
        Text::Question => "What shall {address} get no more?",
        Text::This => "This list: {list}",
        Text::Everything => "All mailing lists of this sender",
        Text::Button => "Unsubscribe",
        Text::DoneThis => "{address} gets no more mail of this list: {list}.",
        Text::DoneEverything => "{address} gets no more mail of any list of this sender.",
        Text::Already => "{address} gets no mail of this list already: {list}.",
        Text::InvalidTitle => "This link does not work",
        Text::Invalid => "Something of it is missing. Open the link in the message itself, or copy all of it.",
    }
}

fn german(text: Text) -> &'static str {
    match text {
        Text::Title => "Abmelden",
        Text::Question => "Was soll {address} nicht mehr bekommen?",
        Text::This => "Diese Liste: {list}",
        Text::Everything => "Alle Mailinglisten dieses Absenders",
        Text::Button => "Abmelden",
        Text::DoneThis => "{address} bekommt keine Nachrichten dieser Liste mehr: {list}.",
        Text::DoneEverything => "{address} bekommt von keiner Liste dieses Absenders mehr Nachrichten.",
        Text::Already => "{address} bekommt schon keine Nachrichten dieser Liste mehr: {list}.",
        Text::InvalidTitle => "Dieser Link funktioniert nicht",
        Text::Invalid => {
            "Es fehlt etwas. Öffnen Sie den Link in der Nachricht selbst, oder kopieren Sie ihn vollständig."
        }
    }
}

/// The words of one page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    /// The language's tag, as `pt-br`.
    pub(crate) language: &'a str,
    own: Option<&'a Texts>,
}

impl<'a> Words<'a> {
    /// Those of the language that is wanted most of all that there are (RFC 9110 12.5.4).
    #[must_use]
    pub(crate) fn wanted(accepted: &str, texts: &'a BTreeMap<String, Texts>, default: &'a str) -> Self {
        let known = || texts.keys().map(String::as_str).chain(BUILT_IN);
        let language = chosen(accepted, known).unwrap_or(default);
        let own = texts.iter().find(|(name, _)| name.eq_ignore_ascii_case(language)).map(|(_, texts)| texts);
        Self { language, own }
    }

    /// A text, with its places for the list and the recipient.
    #[must_use]
    pub(crate) fn get(&self, text: Text) -> &'a str {
        let built_in = if primary(self.language).eq_ignore_ascii_case("de") { german } else { english };
        self.own.and_then(|own| own.own(text)).unwrap_or_else(|| built_in(text))
    }

    /// How it is written, for `dir`.
    #[must_use]
    pub(crate) fn direction(&self) -> &'static str {
        let is_leftwards = LEFTWARDS.iter().any(|known| primary(self.language).eq_ignore_ascii_case(known));
        if is_leftwards { "rtl" } else { "ltr" }
    }
}

/// The known language that fits best: by weight, then in the order in which they are named; a whole tag before a part.
fn chosen<'k, I: Iterator<Item = &'k str>>(accepted: &str, known: impl Fn() -> I) -> Option<&'k str> {
    let mut best: Option<(u32, &str)> = None;
    for range in accepted.split(',').take(RANGES_MAX) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let (tag, weight) = (tag.trim(), weight(parameters));
        let whole = known().find(|known| known.eq_ignore_ascii_case(tag));
        let found = whole.or_else(|| known().find(|known| known.eq_ignore_ascii_case(primary(tag))));
        if let Some(found) = found.filter(|_| weight > best.map_or(0, |(weight, _)| weight)) {
            best = Some((weight, found));
        }
    }
    best.map(|(_, language)| language)
}

/// Languages of a browser that are looked at.
const RANGES_MAX: usize = 32;

/// A weight in thousandths: `q=0.5` is 500, none is 1000.
fn weight(parameters: &str) -> u32 {
    let Some((_, text)) = parameters.split_once("q=") else { return 1000 };
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if whole != "0" {
        return 1000;
    }
    let digits = fraction.chars().map_while(|digit| digit.to_digit(10)).chain([0, 0, 0]).take(3);
    digits.fold(0, |sum, digit| sum * 10 + digit)
}

fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(accepted: &str) -> String {
        let texts = [("fr".to_owned(), Texts::default()), ("pt-br".to_owned(), Texts::default())].into();
        Words::wanted(accepted, &texts, "en").language.to_owned()
    }

    #[test]
    fn the_language_that_is_wanted_most_is_taken_rfc9110_12_5_4() {
        for (accepted, wanted) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("nl, fr;q=0.3, de;q=0.7", "de"),
            ("FR-ca;q=0.5, de;q=0.05", "fr"),
            ("pt-BR, fr", "pt-br"),
            ("pt", "en"),
            ("de;q=0, *", "en"),
            ("de;q=0.001", "de"),
            (";;,,;q=,q", "en"),
        ] {
            assert_eq!(language(accepted), wanted, "{accepted}");
        }
    }

    #[test]
    fn what_the_operator_says_stands_and_the_rest_is_there() {
        let own = Texts { button: Some("Austragen".to_owned()), ..Texts::default() };
        let texts = [("de".to_owned(), own)].into();
        let words = Words::wanted("de-CH", &texts, "en");
        assert_eq!((words.get(Text::Button), words.get(Text::Title)), ("Austragen", "Abmelden"));
        let none = BTreeMap::new();
        let default = Words::wanted("xx", &none, "he");
        assert_eq!((default.language, default.direction(), default.get(Text::Button)), ("he", "rtl", "Unsubscribe"));
        assert_eq!(words.direction(), "ltr");
    }
}
