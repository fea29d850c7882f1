//! What a connection to another server showed of the TLS that its domain promises: what reports to the domain are made
//! of (RFC 8460 4).

use crate::base::mail::domain::Domain;
use std::net::IpAddr;
use std::sync::Arc;

/// One connection, or the look for a policy that came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsResult {
    /// The recipients' domain: whose policy it is, and who is told.
    pub domain: Domain,
    /// What the domain promises, as far as it was found.
    pub policy: PolicyFound,
    /// The host that was connected to; none: nothing was.
    pub mx: Option<Arc<str>>,
    /// Its address.
    pub remote: Option<IpAddr>,
    /// Ours.
    pub local: Option<IpAddr>,
    /// How it ended: the session was as the policy wants it, or why it was not, with words for the postmaster there.
    pub outcome: Result<(), (TlsFailure, Box<str>)>,
}

/// The policy that a connection was held to (RFC 8460 4.3, `policy`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyFound {
    /// None; TLS was used where it was offered.
    None,
    /// MTA-STS (RFC 8461): the lines of the policy, and its patterns of hosts.
    Sts {
        /// As they were fetched, without line ends.
        lines: Arc<[Box<str>]>,
        /// The `mx` patterns.
        hosts: Arc<[Box<str>]>,
    },
    /// DANE (RFC 7672): the TLSA records of the host, as zone files write them.
    Tlsa {
        /// One each.
        records: Arc<[Box<str>]>,
    },
}

/// Why a session was not as it should be: the result types of RFC 8460 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsFailure {
    /// The host did not offer STARTTLS.
    StarttlsNotSupported,
    /// The certificate is another host's.
    CertificateHostMismatch,
    /// The certificate is no longer, or not yet, valid.
    CertificateExpired,
    /// Nobody whom we trust vouches for the certificate.
    CertificateNotTrusted,
    /// Any other failure of the session.
    ValidationFailure,
    /// The TLSA records can't be used, or none fits.
    TlsaInvalid,
    /// A zone's signatures don't hold.
    DnssecInvalid,
    /// DANE is asked for by us, and the host has no usable records.
    DaneRequired,
    /// The MTA-STS policy was announced and could not be fetched.
    StsPolicyFetchError,
    /// The MTA-STS policy can't be read.
    StsPolicyInvalid,
    /// The server of the MTA-STS policy could not show who it is.
    StsWebpkiInvalid,
}

/// Where they are told. Never waits: what can't be kept is dropped and counted there.
pub trait TlsResults: Send + Sync {
    /// One more.
    fn tell(&self, result: TlsResult);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untold;

impl TlsResults for Untold {
    fn tell(&self, _result: TlsResult) {}
}
