//! Where the outside touches us: sockets, disks, clocks, logs and operators.

pub mod config_file;
pub mod control;
pub mod http;
pub mod observe;
pub mod plugins;
pub mod store;
pub mod supplies;
pub mod tls;
pub mod world;
