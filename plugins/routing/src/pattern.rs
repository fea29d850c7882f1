//! Patterns as operators write them: of addresses, and of texts.

use mailwright_plugin::Address;

/// A list of patterns of addresses: `ann@example.org`, `example.org`, `*.example.org` (what lies below), `*`, and `<>` for the
/// null sender. Case makes no difference.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    any: bool,
    null: bool,
    /// In order, to be searched by halves: a rule may have thousands.
    exact: Vec<String>,
    domains: Vec<String>,
    /// What domains below end with, as `.example.org`.
    below: Vec<String>,
}

impl Addresses {
    /// The list, if it is one.
    ///
    /// # Errors
    /// The first text that is no pattern, and why.
    pub(crate) fn new(texts: &[String]) -> Result<Self, String> {
        let mut list = Self::default();
        for text in texts {
            let lower = text.to_ascii_lowercase();
            match (&*lower, lower.strip_prefix("*.")) {
                ("*", _) => list.any = true,
                ("<>", _) => list.null = true,
                (_, Some(name)) if is_name(name) => list.below.push(lower[1..].to_owned()),
                (name, _) if is_name(name) => list.domains.push(lower),
                (address, _)
                    if address.rsplit_once('@').is_some_and(|(local, name)| !local.is_empty() && is_name(name)) =>
                {
                    list.exact.push(lower);
                }
                _ => {
                    let known = "an address, a domain, *.DOMAIN, * or <>";
                    return Err(format!("\"{text}\" is no pattern: expected {known}"));
                }
            }
        }
        for part in [&mut list.exact, &mut list.domains, &mut list.below] {
            part.sort_unstable();
            part.dedup();
        }
        Ok(list)
    }

    /// Whether the address is meant; none is the null sender.
    pub(crate) fn has(&self, address: Option<&Address>) -> bool {
        let Some(address) = address else { return self.null || self.any };
        if self.any {
            return true;
        }
        let domain = address.domain.to_ascii_lowercase();
        let found = |list: &[String], text: &str| list.binary_search_by(|known| known.as_str().cmp(text)).is_ok();
        found(&self.domains, &domain)
            || !self.below.is_empty() && above(&domain).any(|at| found(&self.below, at))
            || !self.exact.is_empty() && found(&self.exact, &address.to_string().to_ascii_lowercase())
    }
}

/// `.b.c` and `.c` of `a.b.c`.
fn above(domain: &str) -> impl Iterator<Item = &str> {
    domain.match_indices('.').map(|(at, _)| &domain[at..])
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(|label| !label.is_empty() && !label.contains(['@', '*', ' ', '<', '>']))
}

/// Whether the text is of that form, in which `*` stands for any letters, also none. Case makes no difference.
pub(crate) fn is_like(text: &str, form: &str) -> bool {
    let (text, form) = (text.trim().to_ascii_lowercase(), form.to_ascii_lowercase());
    let mut pieces = form.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Result<Addresses, String> {
        Addresses::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn has(texts: &[&str], address: &str) -> bool {
        let address = address.rsplit_once('@').map(|(local, domain)| Address::new(local, domain));
        list(texts).expect("they are patterns").has(address.as_ref())
    }

    #[test]
    fn addresses_are_meant_by_name_by_domain_and_by_the_domain_above() {
        for (pattern, address, wanted) in [
            ("Ann@Example.org", "ann@example.ORG", true),
            ("ann@example.org", "bob@example.org", false),
            ("example.org", "bob@example.org", true),
            ("example.org", "bob@sub.example.org", false),
            ("*.example.org", "bob@sub.example.org", true),
            ("*.example.org", "bob@a.sub.example.org", true),
            ("*.example.org", "bob@example.org", false),
            ("*.example.org", "bob@notexample.org", false),
            ("*", "bob@example.net", true),
            ("<>", "bob@example.net", false),
            ("<>", "", true),
            ("example.org", "", false),
        ] {
            assert_eq!(has(&[pattern], address), wanted, "{pattern} {address}");
        }
        assert!(has(&["z.test", "a.test", "m.test"], "x@m.test"));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for text in ["", "@example.org", "ann@", "*example.org", "a b", "*.*"] {
            let told = list(&[text]).expect_err(text);
            assert!(told.contains(&format!("\"{text}\" is no pattern")), "{told}");
        }
    }

    #[test]
    fn stars_stand_for_any_letters() {
        for (text, form, wanted) in [
            ("list", "LIST", true),
            ("lists", "list", false),
            ("<news.example.org>", "*news*", true),
            ("", "*", true),
            ("", "**", true),
            ("abc", "a*c", true),
            ("ac", "a*c", true),
            ("a", "a*a", false),
            ("abab", "*ab", true),
            ("abcab", "a*b*b", true),
            ("ab", "a*b*b", false),
            (" bulk ", "bulk", true),
        ] {
            assert_eq!(is_like(text, form), wanted, "{text} {form}");
        }
    }
}
