//! A file of addresses: CSV, each line an address and perhaps a reason.

use super::command::reason;
use mta_core::base::flow::suppression::Reason;
use mta_core::base::mail::address::Address;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Lines of a file that are told as wrong.
const TOLD_MAX: usize = 20;
/// Addresses in a file; a list has room for no more.
const LINES_MAX: usize = 1_000_000;

/// The addresses of a file, or all that is wrong with it.
pub(super) fn read(file: &Path, default: Reason) -> Result<Vec<(String, Reason)>, String> {
    let shown = file.display();
    if file.as_os_str() == "-" {
        return parse("standard input", io::stdin().lock(), default);
    }
    let content = File::open(file).map_err(|error| format!("{shown}: {error}"))?;
    parse(&shown.to_string(), content, default)
}

fn parse(name: &str, content: impl Read, default: Reason) -> Result<Vec<(String, Reason)>, String> {
    let mut lines = csv::ReaderBuilder::new();
    lines.has_headers(false).flexible(true).comment(Some(b'#')).trim(csv::Trim::All);
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (index, record) in lines.from_reader(content).records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                wrong.push(format!("{name}:{line}: expected text in UTF-8, as address,reason: {error}"));
                // What follows a failure to read would only repeat it.
                if error.is_io_error() {
                    break;
                }
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let field = |at: usize| record.get(at).unwrap_or_default();
        if index == 0 && field(0).eq_ignore_ascii_case("address") {
            continue;
        }
        if entries.len() >= LINES_MAX {
            wrong.push(format!("{name}:{line}: expected at most {LINES_MAX} addresses; a list has room for no more"));
            break;
        }
        let why = match field(1) {
            "" => Ok(default),
            word => reason(word).map_err(|expected| format!("{word:?} is no reason: {expected}")),
        };
        let address = Address::parse(field(0)).map_err(|why| format!("{:?} is no address: {why}", field(0)));
        match (address, why) {
            (Ok(_), Ok(why)) => entries.push((field(0).to_owned(), why)),
            (Err(what), _) | (_, Err(what)) => wrong.push(format!("{name}:{line}: {what}")),
        }
    }
    if wrong.is_empty() {
        return Ok(entries);
    }
    let more = wrong.len().saturating_sub(TOLD_MAX);
    wrong.truncate(TOLD_MAX);
    if more > 0 {
        wrong.push(format!("and {more} more lines"));
    }
    wrong.push("nothing was imported: mend these lines and import the file again".to_owned());
    Err(wrong.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, Reason)>, String> {
        parse("f.csv", text.as_bytes(), Reason::Manual)
    }

    #[test]
    fn a_file_has_addresses_with_or_without_reasons() {
        let text = "Address,reason,since,by\n# ours\nann@example.org\n bob@example.org , complaint ,2026,x\n\n\"\"\"a,b\"\"@example.org\",unsubscribe\r\n";
        let entry = |who: &str, reason| (who.to_owned(), reason);
        let wanted = [
            entry("ann@example.org", Reason::Manual),
            entry("bob@example.org", Reason::Complaint),
            entry("\"a,b\"@example.org", Reason::Unsubscribe),
        ];
        assert_eq!(parsed(text), Ok(wanted.to_vec()));
        assert_eq!(parsed(""), Ok(Vec::new()));
    }

    #[test]
    fn every_wrong_line_is_told_with_its_number() {
        let why = parsed("ann@example.org\nann\nbob@example.org,because\n").expect_err("two are wrong");
        assert_eq!(
            why,
            "f.csv:2: \"ann\" is no address: a mailbox is local-part@domain\n\
             f.csv:3: \"because\" is no reason: expected one of unsubscribe, hard-bounce, complaint, manual\n\
             nothing was imported: mend these lines and import the file again"
        );
        let many = parsed(&"x\n".repeat(TOLD_MAX + 5)).expect_err("all are wrong");
        assert!(many.contains("f.csv:20: ") && !many.contains("f.csv:21: ") && many.contains("and 5 more lines"));
        let binary = parse("f.csv", &b"a@b.test\n\xff@b.test\n"[..], Reason::Manual).expect_err("no UTF-8");
        assert!(binary.starts_with("f.csv:2: expected text in UTF-8"), "{binary}");
    }
}
