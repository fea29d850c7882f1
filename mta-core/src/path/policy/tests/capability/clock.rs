//! What clocks on walls show, as guests are told.

use super::super::guests::{ACCEPT, Import, NEXT, expect_octet};
use super::{allowed, connect, serving};
use crate::base::flow::policy::Gate;

const LOCAL: Import = ("clock", "local", "(param i32 i32 i64 i32)");
const NEXT_LOCAL: Import = ("clock", "next-local", "(param i32 i32 i32 i32 i32 i64 i32)");

/// "Asia/Tokyo" lies at 4000.
fn zone() -> String {
    let text = "Asia/Tokyo";
    text.bytes()
        .enumerate()
        .map(|(at, octet)| format!("(i32.store8 (i32.const {}) (i32.const {octet}))", 4000 + at))
        .collect()
}

/// Traps unless the word at that place has that value.
fn expect_word(at: u32, value: i32) -> String {
    format!("(if (i32.ne (i32.load (i32.const {at})) (i32.const {value})) (then unreachable))")
}

#[tokio::test]
async fn a_guest_is_told_the_time_of_a_zone() {
    // Monday, 2026-01-05T18:07:09Z, is Tuesday 03:07:09 there. The option's tag lies at 2048, the year at 2052, then an
    // octet for each; the offset at 2060.
    let shown = [expect_octet(2048, 1), expect_octet(2054, 1), expect_octet(2055, 6), expect_octet(2056, 3)];
    let more = [expect_octet(2057, 7), expect_octet(2058, 9), expect_octet(2059, 1), expect_word(2060, 32_400)];
    let call = "(call $local (i32.const 4000) (i32.const 10) (i64.const 1767636429000) (i32.const 2048))";
    // "Asia/Tok" is no zone.
    let unknown = "(call $local (i32.const 4000) (i32.const 8) (i64.const 0) (i32.const 2048))";
    let body =
        format!("{} {call} {} {} {unknown} {} {ACCEPT}", zone(), shown.concat(), more.concat(), expect_octet(2048, 0));
    let stage = serving(allowed(&["clock"]), &[LOCAL], &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_guest_is_told_when_a_time_comes_next() {
    // From there, 09:00 on a Wednesday is 2026-01-07T00:00:00Z. The list of days lies at 5000; Wednesday is a 2.
    let call = |minute: u32, days: u32| {
        format!(
            "(call $next-local (i32.const 4000) (i32.const 10) (i32.const {minute}) (i32.const 5000) (i32.const {days})
                (i64.const 1767636429000) (i32.const 2048))"
        )
    };
    let wanted = "(if (i64.ne (i64.load (i32.const 2056)) (i64.const 1767744000000)) (then unreachable))";
    let none = expect_octet(2048, 0);
    let body = format!(
        "{} (i32.store8 (i32.const 5000) (i32.const 2)) {} {} {wanted} {} {none} {} {none} {NEXT}",
        zone(),
        call(540, 1),
        expect_octet(2048, 1),
        call(1440, 1),
        call(540, 0)
    );
    let stage = serving(allowed(&["clock"]), &[NEXT_LOCAL], &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Next);
    assert_eq!(stage.events.faults(), []);
}
