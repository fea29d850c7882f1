//! nodemailer, a mail client of many web applications; `package.json` beside this file names its version.

use super::{lossy, program, run};
use crate::program::tools;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// Node with this script and nodemailer; `transport(options)` there speaks to the server by STARTTLS and believes `ca`. What
/// it printed.
///
/// # Panics
/// When the script fails.
#[must_use]
pub fn send(server: SocketAddr, ca: &Path, script: &str) -> String {
    let head = format!(
        "const mailer = require(\"nodemailer\");\nconst ca = require(\"fs\").readFileSync({:?});\n\
         const tls = {{ ca, servername: \"mx.example.test\" }};\n\
         const transport = (options) => mailer.createTransport({{\n\
         host: \"{}\", port: {}, requireTLS: true, name: \"client.example\", tls, ...options }});\n",
        ca.display().to_string(),
        server.ip(),
        server.port()
    );
    let mut command = Command::new(program("node"));
    command.env("NODE_PATH", tools().join("nodemailer/node_modules"));
    command.arg("-e").arg(format!("(async () => {{\n{head}{script}\n}})()"));
    let output = run(command);
    assert!(output.status.success(), "{}{}", lossy(&output.stdout), lossy(&output.stderr));
    lossy(&output.stdout)
}
