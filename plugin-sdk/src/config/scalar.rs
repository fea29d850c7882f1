//! Lengths of time and sizes from text, as the server's own configuration writes them.
//!
//! They are constant functions, since the compiler reads the ranges and defaults of a plugin's fields with them.

/// Milliseconds from `500ms`, `90s`, `1h30m` or `5d`.
pub(crate) const fn millis(text: &str) -> Option<u64> {
    let octets = text.as_bytes();
    let (mut at, mut sum) = (0, 0_u64);
    while at < octets.len() {
        let Some((number, behind)) = number(octets, at) else { return None };
        let (factor, letters) = match (letter(octets, behind), letter(octets, behind + 1)) {
            (b'm', b's') => (1, 2),
            (b's', _) => (1000, 1),
            (b'm', _) => (60_000, 1),
            (b'h', _) => (3_600_000, 1),
            (b'd', _) => (86_400_000, 1),
            _ => return None,
        };
        let Some(more) = number.checked_mul(factor) else { return None };
        let Some(all) = sum.checked_add(more) else { return None };
        (at, sum) = (behind + letters, all);
    }
    if octets.is_empty() { None } else { Some(sum) }
}

/// Octets from `4096B`, `64KiB`, `64 MiB` or `1GiB`.
pub(crate) const fn octets(text: &str) -> Option<u64> {
    let octets = text.as_bytes();
    let Some((number, mut at)) = number(octets, 0) else { return None };
    while letter(octets, at) == b' ' {
        at += 1;
    }
    let shift = match letter(octets, at) {
        b'K' => 10,
        b'M' => 20,
        b'G' => 30,
        _ => 0,
    };
    if shift > 0 {
        if letter(octets, at + 1) != b'i' {
            return None;
        }
        at += 2;
    }
    if octets.len() > at && (letter(octets, at) != b'B' || octets.len() > at + 1) || (octets.len() == at && shift > 0) {
        return None;
    }
    number.checked_mul(1 << shift)
}

/// A number, and the place behind it.
const fn number(octets: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let (begin, mut number) = (at, 0_u64);
    while letter(octets, at).is_ascii_digit() {
        let digit = letter(octets, at) - b'0';
        let Some(tens) = number.checked_mul(10) else { return None };
        let Some(more) = tens.checked_add(digit as u64) else { return None };
        (at, number) = (at + 1, more);
    }
    if at == begin { None } else { Some((number, at)) }
}

/// 0 behind the end.
const fn letter(octets: &[u8], at: usize) -> u8 {
    if at < octets.len() { octets[at] } else { 0 }
}

/// An integer of any of our types.
pub(crate) const fn integer(text: &str) -> Option<i128> {
    let octets = text.as_bytes();
    let negative = letter(octets, 0) == b'-';
    match number(octets, negative as usize) {
        Some((number, end)) if end == octets.len() => Some(if negative { -(number as i128) } else { number as i128 }),
        _ => None,
    }
}
