//! The word that was probably meant.

use super::joined;

/// Beyond this no key is so long, and the distance's cost grows with the product of both lengths.
const OCTETS_MAX: usize = 64;

/// `; did you mean …?`, or nothing where none is near.
pub(crate) fn did_you_mean<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> String {
    let near = known.map(|known| (distance(word.as_bytes(), known.as_bytes()), known)).min();
    match near {
        Some((distance, known)) if distance <= 1 + known.len() / 4 => joined(&["; did you mean `", known, "`?"]),
        _ => String::new(),
    }
}

/// How many octets differ (Levenshtein), without regard to case.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len().max(other.len()) > OCTETS_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (b, above) in other.iter().zip(row.iter_mut().skip(1)) {
            let cost = diagonal + usize::from(!a.eq_ignore_ascii_case(b));
            diagonal = *above;
            left = cost.min(left + 1).min(*above + 1);
            *above = left;
        }
    }
    if other.is_empty() { one.len() } else { row.last().copied().unwrap_or(usize::MAX) }
}
