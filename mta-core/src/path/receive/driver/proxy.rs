//! A trusted proxy's header: who the client is, before anything else is said.

use crate::base::world::net::Socket;
use crate::base::world::proxy::{Progress, Speaker, read};
use crate::path::receive::doors::{Doors, Phase};
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

/// Reads the header, and no octet of what is behind it. The client's address; that of the proxy where it speaks for
/// itself.
///
/// # Errors
/// It is none, or did not come in time; in words for the log.
pub(super) async fn client(
    socket: &mut Box<dyn Socket>,
    doors: &Doors,
    phase: &mut watch::Receiver<Phase>,
) -> Result<SocketAddr, String> {
    let limit = doors.config.borrow().limits.proxy_header;
    tokio::select! {
        biased;
        _ = phase.wait_for(|phase| *phase > Phase::Serving) => Err("the server is going down".to_owned()),
        client = header(socket) => client,
        () = doors.clock.sleep_until(doors.clock.now().mono + limit) => Err("its header did not come in time".to_owned()),
    }
}

async fn header(socket: &mut Box<dyn Socket>) -> Result<SocketAddr, String> {
    let mut octets = Vec::new();
    loop {
        match read(&octets).map_err(|fault| fault.to_string())? {
            Progress::Done(Speaker::Client(client)) => return Ok(client),
            Progress::Done(Speaker::Proxy) => return Ok(socket.peer()),
            Progress::More(more) => {
                let known = octets.len();
                octets.resize(known + more, 0);
                socket.read_exact(&mut octets[known..]).await.map_err(|_| "closed within its header".to_owned())?;
            }
        }
    }
}
