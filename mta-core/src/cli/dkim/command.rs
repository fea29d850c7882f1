//! What may be said behind `dkim`.

use super::super::config_args::ConfigArgs;
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum DkimCommand {
    /// Make a key, and print its DNS record and what the configuration needs.
    ///
    /// The private key goes to a file that its owner alone may read; one that is there is left alone. Publish the record
    /// before the server signs with the key.
    Generate {
        /// The domain that signs: that of your authors' addresses, or one above it.
        #[arg(long)]
        domain: String,
        /// Where below it the public key will be, as s2026: the name of this key among the domain's.
        #[arg(long)]
        selector: String,
        /// What kind of key. Every verifier knows RSA; an Ed25519 key beside it is for those who know that too.
        #[arg(long, value_enum, default_value = "rsa")]
        kind: KindArg,
        /// The file of the private key; SELECTOR._domainkey.DOMAIN.pem if not given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Print the DNS records of all keys that the configuration names.
    Records(ConfigArgs),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindArg {
    /// RSA of 2,048 bits.
    Rsa,
    /// Ed25519 (RFC 8463).
    Ed25519,
}
