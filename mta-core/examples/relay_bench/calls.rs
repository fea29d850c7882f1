//! How long the program's plugins were called, by its own metrics: time by the clock, which varies less than rates.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The sum of each plugin's and hook's histogram.
const SECONDS: &str = "mailwright_plugins_call_seconds_sum{";

/// The time in all calls so far.
pub(crate) async fn time(metrics: u16) -> io::Result<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", metrics)).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").await?;
    let mut told = String::new();
    stream.read_to_string(&mut told).await?;
    let seconds: f64 = told
        .lines()
        .filter(|line| line.starts_with(SECONDS))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    Duration::try_from_secs_f64(seconds).map_err(io::Error::other)
}
