//! `[threads]`: how many threads serve.

use crate::config::model::Threads;
use crate::config::parse::section::Key;
use std::ops::RangeInclusive;

/// More than any machine has cores.
const THREADS: RangeInclusive<i128> = 1..=1024;

pub(in crate::config::parse) const KEYS: &[Key<Threads>] = &[
    Key { name: "receive", read: |t, v| t.receive = v.count(THREADS) },
    Key { name: "deliver", read: |t, v| t.deliver = v.count(THREADS) },
];

#[cfg(test)]
mod tests {
    use crate::config::model::Threads;
    use crate::config::parse::parse;

    fn read(lines: &str) -> Result<Threads, String> {
        let text = format!(
            "hostname = \"mx.example.test\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n{lines}"
        );
        parse("f", &text, &[]).map(|config| config.threads).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_is_not_said_is_left_to_the_machine() {
        assert_eq!(read(""), Ok(Threads::default()));
        assert_eq!(read("[threads]\ndeliver = 3"), Ok(Threads { receive: None, deliver: Some(3) }));
    }

    #[test]
    fn none_and_too_many_are_told_with_their_place() {
        for (line, found) in [("receive = 0", "0"), ("receive = 1025", "1025"), ("receive = \"2\"", "\"2\"")] {
            let told = read(&format!("[threads]\n{line}")).expect_err("it makes no sense");
            let wanted = format!("f:7:11: threads.receive: expected an integer from 1 to 1024, found {found}");
            assert!(told.contains(&wanted), "{told}");
        }
    }
}
