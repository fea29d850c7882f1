//! What a signature costs: choosing fields, hashing a body, and each kind of key.
//!
//! `cargo run --release -p mta-core --example sign_bench`. A message of seven fields and 4 KiB of text, one thread; each
//! line is the median of 61 batches, with the lowest. docs/performance.md has the figures.

use bytes::Bytes;
use mail_auth::dkim::Canonicalization;
use mta_core::base::mail::canonical;
use mta_core::base::mail::content::Body;
use mta_core::base::time::UnixMillis;
use mta_core::path::deliver::sign::fields::{author_domain, covered};
use mta_core::path::deliver::sign::key::{Key, Kind, generate};
use mta_core::path::deliver::sign::keyring::Signing;
use mta_core::path::deliver::sign::signature::{self, Over};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

const BATCHES: usize = 61;
const CALLS: u32 = 200;
const HEAD: &str = "Received: from a.example.org (a.example.org [192.0.2.1])\r\n\tby mx.example.org with ESMTP id \
    01J0000000000000000000000\r\n\tfor <rcpt@example.net>; Mon, 30 Nov 2026 06:45:38 +0000\r\n\
    From: sender@example.org\r\nTo: rcpt@example.net\r\nSubject: message number 1\r\n\
    Date: Mon, 30 Nov 2026 06:45:38 +0000\r\nMessage-ID: <1.abc@example.org>\r\n\r\n";
const LINE: &str = "The quick brown fox jumps over the lazy dog and keeps on running through it.\r\n";
const ODD_LINE: &str = "   <td>\ta cell  of much white space </td> \r\n";
const AT: UnixMillis = UnixMillis(1_790_000_000_000);

fn main() -> Result<(), Box<dyn Error>> {
    let head = [Bytes::from_static(HEAD.as_bytes())];
    let body = |line: &str| Body::Memory(line.repeat(4096 / line.len()).into());
    let forms = [Canonicalization::Relaxed];
    let hash = canonical::hashes(&body(LINE), &forms)?[0];
    let fields = covered(&head);
    measure("the author's domain", || author_domain(&head));
    measure("fields chosen", || covered(&head));
    for (what, line) in [("text", LINE), ("much white space", ODD_LINE)] {
        let body = body(line);
        measure(&format!("body of 4 KiB hashed, {what}"), || canonical::hashes(&body, &forms).is_ok());
    }
    for (what, kind) in [("Ed25519", Kind::Ed25519), ("RSA of 2,048 bits", Kind::Rsa)] {
        let key = Key::parse(generate(kind)?.as_bytes())?;
        let signing = Signing { domain: "example.org".into(), selector: "s2026".into(), tenants: Vec::new(), key };
        let over = Over { covered: &fields, body: &hash, at: AT };
        measure(&format!("field signed, {what}"), || signature::field(&signing, over));
    }
    Ok(())
}

fn measure<T>(what: &str, call: impl Fn() -> T) {
    let batch = || {
        let began = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
    };
    let mut micros: Vec<f64> = (0..BATCHES).map(|_| batch()).collect();
    micros.sort_by(f64::total_cmp);
    println!("{what}: median (lowest)\t{:.2} ({:.2})\tµs", micros[BATCHES / 2], micros[0]);
}
