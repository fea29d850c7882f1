//! A session, as those know it who are asked about it.

use crate::base::world::tls::TlsInfo;
use std::net::SocketAddr;
use std::sync::Arc;

/// A session as plugins may know it.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Names the session in logs.
    pub id: Box<str>,
    /// The listener's configured name.
    pub listener: Arc<str>,
    /// The client.
    pub peer: SocketAddr,
    /// The name given in EHLO or HELO, once there is one.
    pub helo: Option<Box<str>>,
    /// How it is protected, where it is.
    pub tls: Option<Arc<TlsInfo>>,
    /// The user that it authenticated as, once it did.
    pub user: Option<Box<str>>,
}
