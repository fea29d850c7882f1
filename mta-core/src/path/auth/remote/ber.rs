//! The part of BER that directories speak: one octet for the tag, a definite length, the content (RFC 4511 5.1).

use crate::config::model::auth::filter::{Filter, Piece};

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;

/// Longest element, in octets.
const ELEMENT_BYTES_MAX: usize = 1024 * 1024;

/// What came is no BER, or more than we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'o> {
    pub(super) tag: u8,
    pub(super) content: &'o [u8],
}

impl<'o> Element<'o> {
    /// The elements in it, up to one that is broken.
    pub(super) fn elements(&self) -> impl Iterator<Item = Element<'o>> + use<'o> {
        let mut rest = self.content;
        std::iter::from_fn(move || {
            let (element, behind) = take(rest).ok().flatten()?;
            rest = behind;
            Some(element)
        })
    }

    /// It as a number that is not negative.
    pub(super) fn number(&self) -> Option<u64> {
        let is_number = matches!(self.tag, INTEGER | ENUMERATED) && (1..=8).contains(&self.content.len());
        let octets = Some(self.content).filter(|octets| is_number && octets[0] < 0x80)?;
        Some(octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }
}

/// The first element, and what stands behind it; none where more must come first.
pub(super) fn take(octets: &[u8]) -> Result<Option<(Element<'_>, &[u8])>, Broken> {
    let [tag, length, rest @ ..] = octets else { return Ok(None) };
    // Tags of more than one octet are in no message that we know.
    if tag & 0x1f == 0x1f {
        return Err(Broken);
    }
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(*short), rest),
        long @ 0x81..=0x84 => {
            let Some((length, rest)) = rest.split_at_checked(usize::from(long & 0x7f)) else { return Ok(None) };
            (length.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)), rest)
        }
        _ => return Err(Broken),
    };
    if length > ELEMENT_BYTES_MAX {
        return Err(Broken);
    }
    let split = rest.split_at_checked(length);
    Ok(split.map(|(content, behind)| (Element { tag: *tag, content }, behind)))
}

/// An element with this content.
pub(super) fn write(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let mut octets = Vec::with_capacity(length + 6);
    octets.push(tag);
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => octets.push(short),
        _ => {
            let long = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            octets.push(0x84);
            octets.extend_from_slice(&long);
        }
    }
    content.iter().for_each(|part| octets.extend_from_slice(part));
    octets
}

/// A number.
pub(super) fn number(tag: u8, number: u32) -> Vec<u8> {
    // An octet before it keeps it from being read as negative.
    let octets = u64::from(number).to_be_bytes();
    let begin = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len() - 1);
    let begin = if octets[begin] >= 0x80 { begin - 1 } else { begin };
    write(tag, &[&octets[begin..]])
}

/// A filter that asks for this user (RFC 4511 4.5.1.7).
pub(super) fn filter(of: &Filter, user: &str) -> Vec<u8> {
    let several = |filters: &[Filter]| filters.iter().flat_map(|of| filter(of, user)).collect::<Vec<u8>>();
    match of {
        Filter::And(filters) => write(0xa0, &[&several(filters)]),
        Filter::Or(filters) => write(0xa1, &[&several(filters)]),
        Filter::Not(of) => write(0xa2, &[&filter(of, user)]),
        Filter::Equal(attribute, pieces) => {
            let value = pieces.iter().map(|piece| match piece {
                Piece::Octets(octets) => &octets[..],
                Piece::User => user.as_bytes(),
            });
            let value: Vec<&[u8]> = value.collect();
            write(0xa3, &[&write(OCTETS, &[attribute.as_bytes()]), &write(OCTETS, &value)])
        }
        Filter::Present(attribute) => write(0x87, &[attribute.as_bytes()]),
    }
}
