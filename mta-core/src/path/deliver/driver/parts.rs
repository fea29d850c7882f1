//! What the driver is built of.

use crate::base::flow::attempt::Sign;
use crate::base::flow::policy::Policy;
use crate::base::flow::tls_result::TlsResults;
use crate::base::mail::tie::Key;
use crate::base::world::dns::{Dns, SignedDns};
use crate::base::world::maildir::Maildirs;
use crate::base::world::net::Net;
use crate::base::world::tls::ClientTls;
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::Config;
use crate::path::deliver::trust::driver::Promises;
use std::sync::Arc;
use tokio::sync::watch;

/// What deliver needs of the world and of other stages.
pub struct Parts {
    /// The configuration in force; each attempt keeps the one that it began with.
    pub config: watch::Receiver<Arc<Config>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The order of equal exchangers.
    pub dice: Arc<dyn Dice>,
    /// Connections.
    pub net: Arc<dyn Net>,
    /// What protects them.
    pub tls: Arc<dyn ClientTls>,
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Names, and whether their zones vouch for them.
    pub signed: Arc<dyn SignedDns>,
    /// What domains promise of their exchangers.
    pub promises: Arc<Promises>,
    /// Who is told how connections fared.
    pub results: Arc<dyn TlsResults>,
    /// Files.
    pub maildirs: Arc<dyn Maildirs>,
    /// Signatures.
    pub sign: Arc<dyn Sign>,
    /// `on-pre-send`.
    pub policy: Arc<dyn Policy>,
    /// What ties reports that come back to what goes out.
    pub key: Arc<Key>,
    /// Events.
    pub observe: Arc<dyn Observe>,
}
