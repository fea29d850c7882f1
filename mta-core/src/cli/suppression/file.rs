//! A file of addresses: CSV, each line an address and perhaps a reason.

use super::command::reason;
use mta_core::base::flow::operator::suppression::Reason;
use mta_core::base::mail::address::Address;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Lines of a file that are told as wrong.
const TOLD_MAX: usize = 20;
/// A line, in octets: an address has 254 at most.
const LINE_BYTES_MAX: u64 = 4_096;
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
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    let mut content = BufReader::new(content);
    let mut octets = Vec::new();
    for line in 1.. {
        octets.clear();
        match (&mut content).take(LINE_BYTES_MAX).read_until(b'\n', &mut octets) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(format!("{name}:{line}: {error}")),
        }
        match entry(&octets, line == 1, default) {
            Ok(Some(entry)) if entries.len() < LINES_MAX => entries.push(entry),
            Ok(Some(_)) => {
                wrong.push(format!(
                    "{name}:{line}: expected at most {LINES_MAX} addresses; a list has room for no more"
                ));
                break;
            }
            Ok(None) => {}
            Err(what) => wrong.push(format!("{name}:{line}: {what}")),
        }
        // What is behind it would be counted as another line.
        if octets.len() as u64 >= LINE_BYTES_MAX {
            break;
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

/// What a line says, if anything.
fn entry(line: &[u8], first: bool, default: Reason) -> Result<Option<(String, Reason)>, String> {
    if line.len() as u64 >= LINE_BYTES_MAX {
        return Err(format!("expected a line of less than {LINE_BYTES_MAX} octets"));
    }
    let line = std::str::from_utf8(line).map_err(|_| "expected text in UTF-8, as address,reason".to_owned())?.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let fields = fields(line)?;
    let field = |at: usize| fields.get(at).map_or("", |field| field.trim());
    if first && field(0).eq_ignore_ascii_case("address") {
        return Ok(None);
    }
    Address::parse(field(0)).map_err(|why| format!("{:?} is no address: {why}", field(0)))?;
    let why = match field(1) {
        "" => default,
        word => reason(word).map_err(|expected| format!("{word:?} is no reason: {expected}"))?,
    };
    Ok(Some((field(0).to_owned(), why)))
}

/// The fields of a line (RFC 4180 2): between commas, or within quotes, where two quotes stand for one. No field of ours
/// has a line end.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let trimmed = rest.trim_start();
        let Some(mut quoted) = trimmed.strip_prefix('"') else {
            let (field, behind) = rest.split_once(',').map_or((rest, None), |(field, behind)| (field, Some(behind)));
            fields.push(field.to_owned());
            match behind {
                Some(behind) => rest = behind,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        loop {
            let (before, behind) = quoted.split_once('"').ok_or("expected a quote at the end of the field")?;
            field += before;
            match behind.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    quoted = more;
                }
                None => {
                    rest = behind.trim_start();
                    break;
                }
            }
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.is_empty() => return Ok(fields),
            None => return Err(format!("expected a comma behind the quote, found {rest:?}")),
        }
    }
}

/// A field as it is written: within quotes where it must be (RFC 4180 2).
pub(super) fn written(field: &str) -> Cow<'_, str> {
    match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")).into(),
        false => field.into(),
    }
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
        let quoted = parsed("\"a@b.test\n\"a@b.test\"x\n").expect_err("both are wrong");
        assert!(
            quoted.contains("f.csv:1: expected a quote") && quoted.contains("f.csv:2: expected a comma"),
            "{quoted}"
        );
        let long = parsed(&format!("{}\n", "x".repeat(5000))).expect_err("it is too long");
        assert!(long.starts_with("f.csv:1: expected a line of less than 4096 octets"), "{long}");
    }

    #[test]
    fn what_is_written_is_read_again_rfc4180_2() {
        for field in ["ann@example.org", "\"a,b\"@example.org", "\"a\\\"b\"@example.org"] {
            assert_eq!(fields(&format!("{},manual", written(field))), Ok(vec![field.to_owned(), "manual".to_owned()]));
        }
    }
}
