//! What the public asks of plugins by HTTP, and what it is answered: `on-http`, at the plugin's own path.

use bytes::Bytes;
use std::net::IpAddr;

/// A request to `/p/<plugin>/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRequest {
    /// Whom it is for, as the path names it: there may be no such plugin.
    pub plugin: Box<str>,
    /// The method; GET in the place of HEAD, whose answer is the same without its content (RFC 9110 9.3.2).
    pub method: Box<str>,
    /// What follows the plugin's name, as it was sent; it begins with `/`.
    pub path: Box<str>,
    /// What follows the question mark, as it was sent.
    pub query: Box<str>,
    /// The header fields but for those of the connection and those that name the client, with names in lower case.
    pub fields: Vec<(String, String)>,
    /// The content, within the listener's limit.
    pub body: Bytes,
    /// The client: as a trusted proxy names it, or else who connected.
    pub peer: IpAddr,
}

/// What a plugin answers, checked: it can be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicResponse {
    /// From 200 to 599.
    pub status: u16,
    /// Header fields, none of them of the connection or of the content's length.
    pub fields: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicAnswer {
    /// The plugin answered.
    Answered(PublicResponse),
    /// There is no such plugin, or it does not serve requests: which of both is nobody's business.
    Absent,
    /// The plugin failed, or is left alone for a while.
    Unable,
}
