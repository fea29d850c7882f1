//! Bodies on the disk, and such as were hashed while they came.

use super::*;
use crate::base::mail::canonical;
use mail_auth::dkim::Canonicalization;

#[tokio::test]
async fn a_message_on_the_disk_is_judged_like_one_in_memory_and_a_disk_may_fail() {
    let octets = Bytes::from(SIGNED.replace('\n', "\r\n"));
    let head_bytes = header::section_bytes(&octets).expect("a head");
    let stored = |disk: Option<Bytes>| {
        let bytes = (octets.len() - head_bytes) as u64;
        Content { head: octets.slice(..head_bytes), body: Body::Stored { source: Arc::new(Disk(disk)), bytes } }
    };
    let bench = Bench::new(ZONE, enforcing);
    let verified = bench.verify_content(&stored(Some(octets.slice(head_bytes..)))).await;
    assert_eq!(told(&verified)[2..], ["dkim=pass", "dkim=pass", "arc=none", "dmarc=pass"]);
    let mut bench = Bench::new(ZONE, enforcing);
    bench.peer = OTHER;
    let verified = bench.verify_content(&stored(None)).await;
    assert_eq!(told(&verified)[1..], ["spf=fail", "dkim=temperror", "arc=temperror", "dmarc=temperror"]);
    assert_eq!(verified.consequence, Consequence::Go);
}

#[tokio::test]
async fn a_body_that_was_hashed_while_it_came_is_not_hashed_again_rfc6376_3_7() {
    let octets = Bytes::from(SIGNED.replace('\n', "\r\n"));
    let (head, body) = octets.split_at(header::section_bytes(&octets).expect("a head"));
    let hash = canonical::hashes(&Body::Memory(octets.slice_ref(body)), &[Canonicalization::Relaxed]);
    let hash = hash.expect("it is in memory")[0];
    let content = |head: Bytes, disk: Option<Bytes>| Content {
        head,
        body: Body::Stored { source: Arc::new(Disk(disk)), bytes: body.len() as u64 },
    };
    // The vector's first signature has the relaxed body; its second the simple one, for which the disk is read.
    let second = octets.windows(15).rposition(|part| part == b"DKIM-Signature:").expect("there are two");
    let from = octets.windows(7).position(|part| part == b"\r\nFrom:").expect("an author") + 2;
    let relaxed: Bytes = [&octets[..second], &octets[from..head.len()]].concat().into();
    let dkim = async |content: &Content, hash| {
        told(&Bench::new(ZONE, enforcing).verify_hashed(content, hash).await)[2..].to_vec()
    };
    let unread = content(relaxed.clone(), None);
    assert_eq!(dkim(&unread, Some(hash)).await[0], "dkim=pass", "the disk, which fails, is not read");
    assert_eq!(dkim(&unread, None).await[0], "dkim=temperror");
    assert_eq!(dkim(&unread, Some([0; 32])).await[0], "dkim=fail", "it is the hash that counts");
    let both = content(octets.slice_ref(head), Some(octets.slice_ref(body)));
    assert_eq!(dkim(&both, Some(hash)).await[..2], ["dkim=pass", "dkim=pass"]);
    assert_eq!(dkim(&content(octets.slice_ref(head), None), Some(hash)).await[0], "dkim=temperror");
}
