//! Hashes of a body for its signatures (RFC 6376 3.4, 3.7), made a piece at a time: a body on the disk is never in memory.

use super::content::Body;
use mail_auth::dkim::Canonicalization;
use memchr::{memchr, memmem};
use sha2::{Digest, Sha256};
use std::io;

/// The SHA-256 of a body in one of its forms.
pub type BodyHash = [u8; 32];

/// What is read at once from a body on the disk, in octets.
const PIECE_BYTES: usize = 64 * 1024;

/// Empty lines that are written at once.
const LINES: [u8; 128] = {
    let mut lines = [b'\r'; 128];
    let mut at = 1;
    while at < lines.len() {
        lines[at] = b'\n';
        at += 2;
    }
    lines
};

/// The SHA-256 of the body in each of these forms. Reads from the disk where the body lies there.
///
/// # Errors
/// What the disk said.
pub fn hashes(body: &Body, forms: &[Canonicalization]) -> io::Result<Vec<BodyHash>> {
    let mut hashers: Vec<Hasher> = forms.iter().map(|form| Hasher::new(*form)).collect();
    match body {
        Body::Memory(octets) => hashers.iter_mut().for_each(|hasher| hasher.feed(octets)),
        Body::Stored { source, bytes } => {
            let mut piece = vec![0; PIECE_BYTES];
            let mut offset = 0;
            while offset < *bytes {
                let wanted = usize::try_from(bytes - offset).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
                let read = source.read_at(offset, &mut piece[..wanted])?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                hashers.iter_mut().for_each(|hasher| hasher.feed(&piece[..read]));
                offset += read as u64;
            }
        }
    }
    Ok(hashers.into_iter().map(Hasher::finish).collect())
}

/// A body on its way into its hash, a piece at a time.
#[derive(Clone, Debug)]
pub struct Hasher {
    relaxed: bool,
    hash: Sha256,
    /// Line ends that count only if something follows them.
    lines: u64,
    /// White space that counts only if the line goes on.
    space: bool,
    /// A CR was read, and not what follows it.
    cr: bool,
    empty: bool,
}

impl Hasher {
    /// Of nothing yet, in that form.
    #[must_use]
    pub fn new(form: Canonicalization) -> Self {
        let relaxed = form == Canonicalization::Relaxed;
        Self { relaxed, hash: Sha256::new(), lines: 0, space: false, cr: false, empty: true }
    }

    /// The next octets.
    pub fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        let mut odd = Odd::default();
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.cr) {
                if first == b'\n' {
                    self.lines += 1;
                    self.space = false;
                    rest = &rest[1..];
                } else {
                    // Only a body without lines has such a CR (RFC 3030 3).
                    self.put(b"\r");
                }
                continue;
            }
            match first {
                b'\r' => {
                    self.cr = true;
                    rest = &rest[1..];
                }
                b' ' | b'\t' if self.relaxed => {
                    self.space = true;
                    rest = &rest[1..];
                }
                _ => {
                    let end = if self.relaxed { odd.before(octets, octets.len() - rest.len()) } else { rest.len() };
                    let (run, behind) = rest.split_at(as_it_stands(&rest[..end], self.relaxed));
                    self.put(run);
                    rest = behind;
                }
            }
        }
    }

    /// What is neither white space nor a line end: all that was held back counts.
    fn put(&mut self, run: &[u8]) {
        self.empty = false;
        while self.lines > 0 {
            let now = self.lines.min(LINES.len() as u64 / 2);
            self.hash.update(&LINES[..2 * usize::try_from(now).unwrap_or_default()]);
            self.lines -= now;
        }
        if std::mem::take(&mut self.space) {
            self.hash.update(b" ");
        }
        self.hash.update(run);
    }

    /// Empty lines at the end don't count, and what is there ends with CRLF; of nothing the simple form makes a CRLF,
    /// the relaxed one nothing.
    #[must_use]
    pub fn finish(mut self) -> BodyHash {
        if std::mem::take(&mut self.cr) {
            self.put(b"\r");
        }
        if !self.empty || !self.relaxed {
            self.hash.update(b"\r\n");
        }
        self.hash.finalize().into()
    }
}

/// How much of a run goes into the hash as it is: line ends behind it count or not by what follows, and white space
/// too in the relaxed form. It begins with something that counts.
fn as_it_stands(run: &[u8], relaxed: bool) -> usize {
    let mut left = run;
    loop {
        left = match left {
            [before @ .., b'\r', b'\n'] | [before @ .., b'\r'] => before,
            [before @ .., b' ' | b'\t'] if relaxed => before,
            _ => return left.len(),
        };
    }
}

/// White space that the relaxed form changes. Most text has little of it, and goes into the hash in long runs; each kind is
/// looked for once and then not before its place was passed.
#[derive(Default)]
struct Odd {
    /// The next tab, the next two spaces, and the next space before a CR; none: not looked for yet.
    next: [Option<usize>; 3],
}

impl Odd {
    /// How many octets from `at` on come before any such.
    fn before(&mut self, octets: &[u8], at: usize) -> usize {
        let rest = &octets[at..];
        let look = |kind: usize| match kind {
            0 => memchr(b'\t', rest),
            1 => memmem::find(rest, b"  "),
            _ => memmem::find(rest, b" \r"),
        };
        for (kind, next) in self.next.iter_mut().enumerate() {
            if next.is_none_or(|known| known < at) {
                *next = Some(at + look(kind).unwrap_or(rest.len()));
            }
        }
        self.next.iter().flatten().min().map_or(rest.len(), |place| place - at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::content::ReadAt;
    use proptest::prelude::*;
    use std::sync::Arc;

    const FORMS: [Canonicalization; 2] = [Canonicalization::Simple, Canonicalization::Relaxed];

    fn of(octets: &[u8]) -> [[u8; 32]; 2] {
        let hashes = hashes(&Body::Memory(octets.to_vec().into()), &FORMS).expect("memory is read");
        [hashes[0], hashes[1]]
    }

    fn plain(octets: &[u8]) -> [u8; 32] {
        Sha256::digest(octets).into()
    }

    /// RFC 6376 3.4.5 has the examples.
    #[test]
    fn forms_are_those_of_rfc6376_3_4() {
        let body = b" C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(of(body), [plain(b" C \r\nD \t E\r\n"), plain(b" C\r\nD E\r\n")]);
        assert_eq!(of(b""), [plain(b"\r\n"), plain(b"")]);
        assert_eq!(of(b"\r\n\r\n"), of(b""));
        assert_eq!(of(b" \t\r\n"), [plain(b" \t\r\n"), plain(b"")]);
        assert_eq!(of(b"a\r\n \r\n")[1], plain(b"a\r\n"));
        assert_eq!(of(b"no end"), [plain(b"no end\r\n"); 2]);
    }

    #[test]
    fn a_cr_of_a_binary_body_is_an_octet_rfc3030_3() {
        assert_eq!(of(b"a\rb\r"), [plain(b"a\rb\r\r\n"); 2]);
    }

    /// Gives what it is asked for in small pieces.
    struct Drops(Vec<u8>);

    impl ReadAt for Drops {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[usize::try_from(offset).expect("small")..];
            let some = rest.len().min(buffer.len()).min(3);
            buffer[..some].copy_from_slice(&rest[..some]);
            Ok(some)
        }
    }

    #[test]
    fn a_body_on_the_disk_that_ends_too_soon_is_an_error() {
        let body = Body::Stored { source: Arc::new(Drops(b"four".to_vec())), bytes: 5 };
        assert!(hashes(&body, &FORMS).is_err());
    }

    proptest! {
        /// However it is cut; and as the library has it, which wants a body whole. Content that came by DATA has whole
        /// lines.
        #[test]
        fn any_body_is_what_the_library_makes_of_it(words in proptest::collection::vec(
            prop_oneof![
                Just("\r\n"), Just(" "), Just("\t"), Just("word"), Just("a word\r\n two"), Just("\r\n\r\n"), Just("."),
            ], 0..40,
        )) {
            let body = match words.concat() {
                body if body.is_empty() || body.ends_with("\r\n") => body.into_bytes(),
                body => (body + "\r\n").into_bytes(),
            };
            let stored = Body::Stored { bytes: body.len() as u64, source: Arc::new(Drops(body.clone())) };
            let pieces = hashes(&stored, &FORMS).expect("memory is read");
            prop_assert_eq!(&pieces[..], &of(&body)[..]);
            for (form, hash) in FORMS.into_iter().zip(pieces) {
                // The library counts lines of white space at the end, which RFC 6376 3.4.4 does not.
                let text = String::from_utf8_lossy(&body);
                if form == Canonicalization::Relaxed && text.trim_end() != text.trim_end_matches("\r\n") {
                    continue;
                }
                let theirs = mail_auth::common::crypto::HashAlgorithm::Sha256.hash(form.canonical_body(&body, 0));
                prop_assert_eq!(theirs.as_ref(), &hash[..], "{:?}", form);
            }
        }
    }
}
