//! Domains: where their policies may be, and whose they are.

/// Names of a walk up from a domain, at most eight (RFC 9989 4.10); one label alone is nobody's.
pub(crate) fn walk(domain: &str) -> Vec<&str> {
    let labels = domain.split('.').count();
    let mut found = vec![domain];
    let mut rest = domain;
    while let Some((_, above)) = rest.split_once('.') {
        rest = above;
        let left = rest.split('.').count();
        if left >= 2 && (labels <= 8 || left <= 7) {
            found.push(rest);
        }
    }
    found
}

/// Whether one is the other, or below it.
pub(crate) fn is_within(domain: &str, above: &str) -> bool {
    domain.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The value of a tag of a record, as `v=DMARC1; p=none`.
pub(crate) fn tag<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    record.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_below_the_top_and_has_eight_steps_at_most_rfc9989_4_10() {
        assert_eq!(walk("news.shop.example"), ["news.shop.example", "shop.example"]);
        assert_eq!(walk("example"), ["example"]);
        let long = walk("1.2.3.4.5.6.7.8.9.10.shop.example");
        assert_eq!((long.len(), long[1]), (7, "6.7.8.9.10.shop.example"));
    }

    #[test]
    fn within_means_the_same_or_below() {
        assert!(is_within("a.b.test", "b.test") && is_within("b.test", "b.test"));
        assert!(!is_within("ab.test", "b.test") && !is_within("b.test", "a.b.test"));
    }

    #[test]
    fn tags_are_read_in_any_case_and_with_any_space() {
        assert_eq!(tag("v=DMARC1; P = none ;adkim=s", "p"), Some("none"));
        assert_eq!(tag("v=DMARC1; p=none", "adkim"), None);
    }
}
