//! Unpacks within what may be spent.

use super::Budget;
use crate::facts::octets::{Octets, Sequence, fault_in};
use flate2::read::DeflateDecoder;
use mailwright_plugin::Fault;
use std::io::Read;

/// What is unpacked at once, in octets.
const STEP_BYTES: usize = 16 * 1024;

/// How unpacking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// The octets are no such packing, or break off.
    Broken,
    /// There is more than may be unpacked.
    Spent,
}

/// What is packed by RFC 1951.
pub(super) fn inflate(octets: &Octets) -> DeflateDecoder<Sequence> {
    DeflateDecoder::new(Sequence::new(octets))
}

/// Unpacks what is said to be `size` octets, which need not be true.
pub(super) fn unpack(mut packed: impl Read, size: u64, budget: &mut Budget) -> Result<(Vec<u8>, End), Fault> {
    let most = budget.unpacked_bytes;
    let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or(usize::MAX).min(most));
    let end = loop {
        let from = octets.len();
        if from == most {
            // Whether there is more is not worth a buffer.
            break match packed.read(&mut [0]) {
                Ok(0) => End::Whole,
                Ok(_) => End::Spent,
                Err(error) => broken(error)?,
            };
        }
        octets.resize(most.min(from + STEP_BYTES), 0);
        let read = packed.read(&mut octets[from..]);
        octets.truncate(from + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break End::Whole,
            Ok(_) => {}
            Err(error) => break broken(error)?,
        }
    };
    octets.shrink_to_fit();
    budget.unpacked_bytes -= octets.len();
    Ok((octets, end))
}

fn broken(error: std::io::Error) -> Result<End, Fault> {
    fault_in(error).map_or(Ok(End::Broken), Err)
}
