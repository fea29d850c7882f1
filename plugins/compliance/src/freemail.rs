//! Domains at which anybody has a mailbox, and whose policies let nobody else write in their name.

/// Of providers with one domain.
const DOMAINS: [&str; 30] = [
    "126.com",
    "163.com",
    "aim.com",
    "aol.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "googlemail.com",
    "icloud.com",
    "libero.it",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "passport.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "rocketmail.com",
    "t-online.de",
    "wanadoo.fr",
    "web.de",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
];

/// First labels of providers that have a domain in each country, as `yahoo.co.jp`.
const LABELS: [&str; 5] = ["gmx", "hotmail", "live", "outlook", "yahoo"];

/// Whether anybody can have a mailbox there; the domain in lower case.
pub(crate) fn is_one(domain: &str) -> bool {
    let of_country = domain.split_once('.').is_some_and(|(label, rest)| {
        let is_country = rest.len() <= 6 && rest.split('.').all(|label| label.len() <= 3);
        is_country && LABELS.contains(&label)
    });
    of_country || DOMAINS.contains(&domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_known_in_every_country_and_their_companies_are_not_meant() {
        for (domain, wanted) in [
            ("gmail.com", true),
            ("yahoo.co.uk", true),
            ("yahoo.com", true),
            ("hotmail.fr", true),
            ("google.com", false),
            ("yahoo-inc.com", false),
            ("live.example.org", false),
            ("example.gmail.com", false),
            ("yahoo", false),
        ] {
            assert_eq!(is_one(domain), wanted, "{domain}");
        }
    }
}
