//! Users authenticate and submit mail.

mod a_plugin_knows_the_users;
mod a_plugin_may_refuse_who_was_let_in;
mod guessing_tells_nothing_and_is_slowed_down;
mod others_know_the_users;
mod the_file_of_users_is_followed;
mod tokens_let_in;
mod users_bind_their_proof_to_the_connection;
mod users_send_by_every_mechanism;

use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::process::Output;

/// Python: logs in with a password by smtplib, and says who sends.
const LOGIN: &str = r#"
def login(name, password):
    s = smtplib.SMTP(HOST, PORT, timeout=60)
    s.ehlo()
    assert s.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"], s.esmtp_features
    try:
        return s.login(name, password)[0], s
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code, s
def sender(name, password, address):
    code, s = login(name, password)
    assert code == 235, (name, code)
    return s.mail(address)[0]
"#;

/// Makes users with a password each: name, password, what else is said of them.
fn add(server: &Mailwright, users: &[(&str, &str, &[&str])]) {
    for (name, password, more) in users {
        let words: Vec<&str> = ["user", "add", name].into_iter().chain(more.iter().copied()).collect();
        let output = server.cli_told(&words, &format!("{password}\n"));
        assert!(output.status.success(), "{}", said(&output));
    }
}

fn said(output: &Output) -> String {
    lossy(&output.stdout) + &lossy(&output.stderr)
}

/// A server that relays for users alone, without TLS.
fn server(setup: Setup, users: &[(&str, &str, &[&str])]) -> Mailwright {
    let setup = setup.set("relay", "networks = []").set("auth", "users = \"users\"");
    let server = Mailwright::prepare(&setup);
    add(&server, users);
    server.begin(&["listener.mx.auth=danger_plaintext"])
}
