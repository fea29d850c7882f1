//! A reader of OpenMetrics that takes nothing but what the format says, so that a slip of the writer is found.

use crate::program::Mailwright;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Samples by their name and their labels, `name{a="b"}`, with the values as written.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads a whole exposition.
    ///
    /// # Panics
    /// When it is not as OpenMetrics 1.0 has it, with the line.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
        let (mut metrics, mut kinds) = (Self::default(), BTreeMap::new());
        let mut family = ("", "");
        let mut buckets: Vec<(String, f64)> = Vec::new();
        for line in body.lines() {
            if let Some(meta) = line.strip_prefix("# ") {
                let mut words = meta.splitn(3, ' ');
                let (what, name, rest) = (words.next(), words.next(), words.next());
                let (Some(name), Some(rest)) = (name, rest) else { panic!("no words: {line}") };
                match what {
                    Some("TYPE") => {
                        assert!(is_name(name) && ["counter", "gauge", "histogram"].contains(&rest), "{line}");
                        assert!(kinds.insert(name.to_owned(), rest.to_owned()).is_none(), "twice: {line}");
                        family = (name, rest);
                    }
                    Some("HELP") => assert!(name == family.0 && !rest.is_empty(), "of no family: {line}"),
                    _ => panic!("neither TYPE nor HELP: {line}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            let (name, labels) = labels(series);
            let suffix = name.strip_prefix(family.0).unwrap_or_else(|| panic!("of another family: {line}"));
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            match (family.1, suffix) {
                ("counter", "_total") => assert!(value >= 0.0, "{line}"),
                ("gauge", "") => {}
                ("histogram", "_bucket") => {
                    let of: Vec<_> = labels.iter().filter(|(name, _)| name != "le").cloned().collect();
                    let bound = labels.iter().find(|(name, _)| name == "le").map(|(_, bound)| bound.clone());
                    let bound = bound.unwrap_or_else(|| panic!("a bucket without le: {line}"));
                    if let Some((before, below)) = buckets.last() {
                        assert!(before == &format!("{of:?}") && value >= *below, "{line}");
                    }
                    buckets.push((format!("{of:?}"), value));
                    assert!(bound == "+Inf" || bound.contains('.'), "{line}");
                }
                ("histogram", "_count") => {
                    let (of, all) = buckets.last().unwrap_or_else(|| panic!("a count without buckets: {line}"));
                    assert!(of == &format!("{labels:?}") && (value - all).abs() < 0.5, "{line}");
                    buckets.clear();
                }
                ("histogram", "_sum") => {}
                _ => panic!("a suffix that does not fit: {line}"),
            }
            assert!(metrics.0.insert(series.to_owned(), value).is_none(), "twice: {line}");
        }
        metrics
    }

    /// What the command line prints.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn of(server: &Mailwright) -> Self {
        let printed = server.cli(&["metrics"]);
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        Self::parse(&String::from_utf8_lossy(&printed.stdout))
    }

    /// What `GET /metrics` answers.
    ///
    /// # Panics
    /// When nobody answers, or with another status than 200.
    #[must_use]
    pub fn scrape(at: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(at).expect("the port is open");
        write!(socket, "GET /metrics HTTP/1.1\r\nHost: {at}\r\n\r\n").expect("it is still there");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
        Self::parse(body)
    }

    /// A sample; 0 where there is none, as what never happened is not shown of each label.
    #[must_use]
    pub fn get(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    /// Whether there is such a sample.
    #[must_use]
    pub fn has(&self, series: &str) -> bool {
        self.0.contains_key(series)
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name of a series and its labels, each once.
fn labels(series: &str) -> (&str, Vec<(String, String)>) {
    let Some((name, rest)) = series.split_once('{') else {
        assert!(is_name(series), "no name: {series}");
        return (series, Vec::new());
    };
    assert!(is_name(name), "no name: {series}");
    let mut rest = rest.strip_suffix('}').unwrap_or_else(|| panic!("no end: {series}"));
    let mut labels: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let (label, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {series}"));
        assert!(is_name(label) && labels.iter().all(|(other, _)| other != label), "{series}");
        let mut value = String::new();
        let mut chars = behind.char_indices();
        let end = loop {
            match chars.next() {
                Some((at, '"')) => break at,
                Some((_, '\\')) => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => value.push(c),
                    _ => panic!("an escape that is none: {series}"),
                },
                Some((_, c)) => value.push(c),
                None => panic!("a value without end: {series}"),
            }
        };
        labels.push((label.to_owned(), value));
        rest = &behind[end + 1..];
        rest = match rest.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            None if rest.is_empty() => rest,
            _ => panic!("no comma: {series}"),
        };
    }
    (name, labels)
}
