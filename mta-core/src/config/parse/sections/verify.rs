//! `[verify]`: how mail from outside is verified.

use crate::config::model::Config;
use crate::config::model::verify::{OnTempError, Use, Verification};
use crate::config::parse::scalar::{self, PATTERN};
use crate::config::parse::section::{Key, Value, Words, put};
use std::time::Duration;

/// What is only told.
const TOLD: &Words<Use> = &[("off", Use::Off), ("report", Use::Report)];
/// What may be acted on.
const USES: &Words<Use> = &[("off", Use::Off), ("report", Use::Report), ("enforce", Use::Enforce)];
const TEMPERRORS: &Words<OnTempError> = &[("continue", OnTempError::Continue), ("tempfail", OnTempError::Tempfail)];
const SECOND: Duration = Duration::from_secs(1);

pub(in crate::config::parse) const VERIFY: &[Key<Verification>] = &[
    Key { name: "enabled", read: |d, v| put(&mut d.enabled, v.truth()) },
    Key { name: "listeners", read: |d, v| put(&mut d.listeners, v.names("a list of listeners' names")) },
    Key { name: "iprev", read: |d, v| put(&mut d.iprev, v.word(TOLD)) },
    Key { name: "spf", read: |d, v| put(&mut d.spf, v.word(USES)) },
    Key { name: "dkim", read: |d, v| put(&mut d.dkim, v.word(TOLD)) },
    Key { name: "arc", read: |d, v| put(&mut d.arc, v.word(TOLD)) },
    Key { name: "dmarc", read: |d, v| put(&mut d.dmarc, v.word(USES)) },
    Key {
        name: "trusted_sealers",
        read: |d, v| {
            let domains = v.list("a list of domains", |item| item.text(PATTERN, scalar::domain_pattern));
            put(&mut d.trusted_sealers, domains);
        },
    },
    Key { name: "on_temperror", read: |d, v| put(&mut d.on_temperror, v.word(TEMPERRORS)) },
    Key { name: "total", read: |d, v| put(&mut d.total, v.duration(SECOND..=Duration::from_secs(300))) },
    Key { name: "lookup", read: |d, v| put(&mut d.lookup, v.duration(SECOND..=Duration::from_secs(60))) },
    Key { name: "lookups_max", read: |d, v| put(&mut d.lookups_max, v.count(1..=1000)) },
    Key { name: "signatures_max", read: |d, v| put(&mut d.signatures_max, v.count(1..=100)) },
];

pub(super) fn verify(config: &mut Config, value: &mut Value<'_, '_>) {
    value.table(&mut config.verify, VERIFY);
}

/// DMARC judges what the others found: what it needs must be there.
pub(super) fn agrees(config: &Config, root: &mut Value<'_, '_>) {
    let verify = &config.verify;
    if verify.dmarc == Use::Enforce && (verify.spf == Use::Off || verify.dkim == Use::Off) {
        let what = "expected spf and dkim to be \"report\" or \"enforce\": without one of them DMARC would refuse what \
                    is right";
        root.wrong_below(&["verify", "dmarc"], what);
    }
    if config.arc.is_some() && (!verify.enabled || verify.arc == Use::Off) {
        let what = "expected verify.enabled and verify.arc = \"report\" beside it: a seal says what verification found";
        root.wrong_below(&["arc"], what);
    }
    if verify.lookup > verify.total {
        let most = scalar::shown_duration(verify.total);
        root.wrong_below(&["verify", "lookup"], &format!("expected at most verify.total, which is \"{most}\""));
    }
    let known: Vec<&str> = config.listeners.iter().map(|listener| &*listener.name).collect();
    for name in verify.listeners.iter().filter(|name| !known.contains(&&***name)) {
        let there = known.join(", ");
        let what = format!("\"{name}\" is no listener: expected names of those that are there ({there})");
        root.wrong_below(&["verify", "listeners"], &what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::parse;

    fn read(verify: &str) -> Result<Config, String> {
        let text = format!(
            "hostname = \"mx.example\"\ndata_dir = \"d\"\n[[listener]]\nname = \"mx\"\nbind = \"[::]:25\"\n[relay]\n\
             networks = [\"192.0.2.0/24\"]\n[verify]\n{verify}\n"
        );
        parse("f", &text, &[]).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_is_written_is_read_and_what_is_not_is_reported_alone() {
        let config = read("").expect("it is sound");
        assert_eq!((config.verify.dmarc, config.verify.spf), (Use::Report, Use::Report));
        assert!(config.verifies("mx", [198, 51, 100, 1].into()) && !config.verifies("mx", [192, 0, 2, 1].into()));
        let written = "listeners = [\"mx\"]\ndmarc = \"enforce\"\narc = \"off\"\ntrusted_sealers = [\"*.example.org\"]\n\
                       on_temperror = \"tempfail\"\ntotal = \"30s\"\nsignatures_max = 3";
        let config = read(written).expect("it is sound");
        let verify = &config.verify;
        assert_eq!((verify.dmarc, verify.arc, verify.on_temperror), (Use::Enforce, Use::Off, OnTempError::Tempfail));
        assert_eq!((verify.total, verify.signatures_max), (Duration::from_secs(30), 3));
        assert!(config.verifies("mx", [198, 51, 100, 1].into()) && !config.verifies("other", [198, 51, 100, 1].into()));
        assert!(!read("enabled = false").expect("it is sound").verifies("mx", [198, 51, 100, 1].into()));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (written, told) in [
            ("dkim = \"enforce\"", "f:9:8: verify.dkim: expected `off` or `report`, found"),
            ("dmarc = \"enforce\"\ndkim = \"off\"", "f:9:9: verify.dmarc: expected spf and dkim to be"),
            ("total = \"5s\"", "verify.total, which is \"5s\""),
            ("listeners = [\"mxx\"]", "\"mxx\" is no listener"),
            ("lookups_max = 0", "expected an integer from 1 to 1000"),
        ] {
            let words = read(written).expect_err("it makes no sense");
            assert!(words.contains(told), "{words}");
        }
    }
}
