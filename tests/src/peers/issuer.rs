//! One who knows users, over HTTP on loopback: it signs tokens and shows its keys, says of tokens whose they are, and whether
//! a password is a user's.

use crate::Watched;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The server. Its thread ends with the test's process.
pub struct Issuer {
    address: SocketAddr,
    state: Arc<Watched<State>>,
}

/// What it knows.
#[derive(Default)]
struct State {
    key: Option<KeyPair>,
    /// Tokens that mean something to nobody else, and what it says of them.
    tokens: BTreeMap<String, Value>,
    /// Users with their passwords, and what it says of them.
    users: BTreeMap<(String, String), Value>,
    away: bool,
    /// Paths that were asked for, with what was sent there.
    asked: Vec<(String, String)>,
}

/// The name and the password that the server under test has here.
pub const CLIENT: (&str, &str) = ("mailwright", "se:cret");

impl Default for Issuer {
    fn default() -> Self {
        Self::start()
    }
}

impl Issuer {
    /// Starts it; nobody is known.
    ///
    /// # Panics
    /// When loopback has no port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let issuer = Self { address: listener.local_addr().expect("a bound socket"), state: Arc::default() };
        issuer.renew();
        let state = Arc::clone(&issuer.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that hangs up is no business of this one's.
                let _ = answer(&stream, &state);
            }
        });
        issuer
    }

    /// The URL of a path here: `keys`, `tokens`, `users` or `lines`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Has another key from here on.
    ///
    /// # Panics
    /// When none can be made.
    pub fn renew(&self) {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        self.state.change(|state| state.key = Some(key));
    }

    /// Answers nothing but 503, or answers again.
    pub fn is_away(&self, away: bool) {
        self.state.change(|state| state.away = away);
    }

    /// A token for the mail server that is good for so many seconds, of this user.
    ///
    /// # Panics
    /// When it can't be signed.
    #[must_use]
    pub fn token(&self, user: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
        let until = i64::try_from(now).expect("it is not that late") + seconds;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iss": "https://issuer.test", "aud": "mail", "sub": user, "exp": until });
        self.state.look(|state| {
            let key = state.key.as_ref().expect("it has one");
            let message = format!("{}.{}", part(&json!({ "alg": "EdDSA", "kid": kid(key) })), part(&claims));
            let signature = key.sign(message.as_bytes()).expect("it signs");
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        })
    }

    /// Says this of a token from here on.
    pub fn says_of_token(&self, token: &str, said: Value) {
        self.state.change(|state| state.tokens.insert(token.to_owned(), said));
    }

    /// Says this of a user with this password from here on.
    pub fn says_of_user(&self, name: &str, password: &str, said: Value) {
        self.state.change(|state| state.users.insert((name.to_owned(), password.to_owned()), said));
    }

    /// What was sent to a path so far.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<String> {
        let of = |(asked, body): &(String, String)| (*asked == format!("/{path}")).then(|| body.clone());
        self.state.look(|state| state.asked.iter().filter_map(of).collect())
    }
}

/// What a key is called: as its own octets begin.
fn kid(key: &KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(&key.der_bytes()[..6])
}

fn answer(stream: &TcpStream, state: &Watched<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut who) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
            Some((name, value)) if name == "content-length" => length = value.parse().unwrap_or(0),
            Some((name, value)) if name == "authorization" => value.clone_into(&mut who),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, said) = state.change(|state| {
        state.asked.push((path.clone(), body.clone()));
        state.say(&path, &who, &body)
    });
    let head = format!("HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", said.len());
    (&*stream).write_all(format!("{head}Connection: close\r\n\r\n{said}").as_bytes())
}

impl State {
    fn say(&self, path: &str, who: &str, body: &str) -> (u16, String) {
        // RFC 6749 2.3.1: both are escaped as in a form before they are put together.
        let (name, password) = (CLIENT.0, CLIENT.1.replace(':', "%3A"));
        let is_known = who == format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        match path {
            _ if self.away => (503, String::new()),
            "/keys" => (200, self.keys()),
            "/tokens" if is_known => {
                let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
                let said = self.tokens.get(token).cloned().unwrap_or_else(|| json!({ "active": false }));
                (200, said.to_string())
            }
            "/tokens" => (401, String::new()),
            "/users" => {
                let asked: Value = serde_json::from_str(body).unwrap_or_default();
                let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
                let said = self.users.get(&(text("user"), text("password")));
                said.map_or((403, String::new()), |said| (200, said.to_string()))
            }
            // The same of two lines, without a word on who the user is.
            "/lines" => {
                let mut lines = body.lines().map(str::to_owned);
                let shown = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
                (if self.users.contains_key(&shown) { 204 } else { 403 }, String::new())
            }
            _ => (404, String::new()),
        }
    }

    fn keys(&self) -> String {
        let key = self.key.as_ref().map(|key| {
            let x = URL_SAFE_NO_PAD.encode(key.der_bytes());
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid(key), "x": x })
        });
        json!({ "keys": [key] }).to_string()
    }
}
