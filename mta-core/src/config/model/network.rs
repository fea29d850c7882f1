//! Address blocks, as configurations write them.

use std::net::IpAddr;

/// An address block, as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The base address; bits behind the prefix are zero.
    pub base: IpAddr,
    /// How many leading bits must be equal.
    pub prefix: u8,
}
