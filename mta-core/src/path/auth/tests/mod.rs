//! The file of users, and the same work for everybody.

mod bench;
mod others;
mod tokens;

use bench::{Oracle, Unplugged};

use super::accounts::{Accounts, Surroundings};
use super::driver::{Authenticator, Fits, Parts};
use super::line::UserLine;
use crate::base::flow::Answer;
use crate::base::flow::policy::SessionInfo;
use crate::base::sasl::door::{Authenticate, Checked, Claim, Later, Offered};
use crate::base::sasl::stored::{ScramKeys, Verifier};
use crate::base::sasl::{Hidden, Mechanism, prepare};
use crate::base::time::{Now, UnixMillis};
use crate::base::world::fixtures::{Names, Web};
use crate::base::world::{Clock, Observe};
use crate::config::model::{Config, Tenant, UserPattern};
use arc_swap::ArcSwap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const HASH: &str = "$5$saltsalt$hl9BvcGsj7AkON13nbqeQHDgRpHyFxt7WDzLoS.OCQ/";
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn keys() -> ScramKeys {
    ScramKeys::derive(b"pencil", b"saltsalt".to_vec(), 4096)
}

fn accounts(text: &str) -> Result<Accounts, String> {
    Accounts::parse(text.as_bytes(), &around(false))
}

fn around(others_know: bool) -> Surroundings {
    let users = vec![UserPattern::parse("*@acme.example").expect("a pattern")];
    let tenants = ["acme", "globex"].map(|name| Tenant { name: name.into(), ..Tenant::default() });
    let [acme, globex] = tenants;
    Surroundings { tenants: vec![Tenant { users, ..acme }, globex], others_know }
}

#[test]
fn a_file_is_a_line_a_user() {
    let text = format!(
        "# who may send\n\nAnn@Example.org  password={HASH}\ttenant=acme\r\nrelay scram={} sender=@example.org sender=*",
        keys()
    );
    let read = accounts(&text).expect("it is sound");
    assert_eq!(read.len(), 2);
    let ann = read.user("ann@example.org").expect("she is there");
    assert_eq!((ann.tenant.as_deref(), ann.senders[0].to_string().as_str()), (Some("acme"), "ann@example.org"));
    assert_eq!(read.user("relay").expect("it is there").senders.len(), 2);
    let tenant =
        |name: &str| accounts(&format!("{name} password={HASH}")).expect("it is sound").user(name)?.tenant.clone();
    assert_eq!((tenant("a@acme.example").as_deref(), tenant("a@globex.example")), (Some("acme"), None), "by its name");
    assert_eq!(read.offered(), Offered { passwords: true, keys: false, tokens: false }, "Ann has no keys");
    let read = accounts(&format!("a@b.example scram={0} password={HASH}\nc@d.example scram={0}", keys()));
    assert_eq!(read.expect("it is sound").offered(), Offered { passwords: true, keys: true, tokens: false });
    // Nobody's keys are the same on each server that has the file, and others with another file.
    let nobody = |text: &str| accounts(text).expect("it is sound").keys("eve@example.org");
    let (one, more) = (format!("a@b.example scram={}", keys()), format!("c@d.example scram={}", keys()));
    assert_eq!(nobody(&one), nobody(&format!("# x\n{one}\n{more}")));
    assert!(nobody(&one) != nobody(&more) && nobody(&one).iterations == 4096);
    assert_eq!(accounts("").expect("it is sound").offered(), Offered::default());
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_without_a_hash() {
    for (line, expected) in [
        ("ann@example.org".to_owned(), "nobody could log in"),
        (format!("ann password={HASH}"), "is no address that mail could be from"),
        ("ann@example.org password=secret".to_owned(), "expected an argon2id hash"),
        ("ann@example.org scram=secret".to_owned(), "expected keys as"),
        (format!("ann@example.org password={HASH} password={HASH}"), "`password=` is there twice"),
        (format!("ann@example.org password={HASH} tenant=other"), "there is no [[tenant]] of the name \"other\""),
        (
            format!("ann@acme.example password={HASH} tenant=globex"),
            "\"globex\"'s here, and \"acme\"'s by its [[tenant]]",
        ),
        (format!("ann@example.org password={HASH} sender=x"), "expected an address"),
        (format!("ann@example.org {HASH}"), "expected `password=`"),
        (format!("password={HASH}"), "expected a user's name first"),
        (format!("a@b.example password={HASH}\nA@b.example password={HASH}"), "\"a@b.example\" is there already"),
    ] {
        let told = accounts(&format!("# x\n{line}")).expect_err(&line);
        assert!(told.contains(expected) && told.starts_with("line "), "{line}: {told}");
        assert!(!told.contains("hl9Bvc") || line.starts_with("password"), "{told}");
    }
    assert!(Accounts::parse(b"a@b.example \xff", &around(false)).expect_err("no text").contains("UTF-8"));
    assert!(accounts(&"x\n".repeat(40)).expect_err("all wrong").ends_with("and 20 more lines"));
}

#[test]
fn a_line_is_written_as_it_is_read() {
    let text = format!("ann@example.org password={HASH} scram={} tenant=acme sender=@example.org sender=*", keys());
    let line = UserLine::parse(&text).expect("it is sound").expect("it is one");
    assert_eq!(line.to_string(), text);
    assert_eq!(UserLine::parse(" # nothing"), Ok(None));
}

/// Stands still unless it is told to go on; at first it is the begin of 1970.
struct StillClock(Instant, AtomicU64);

impl Default for StillClock {
    fn default() -> Self {
        Self(Instant::now(), AtomicU64::new(0))
    }
}

impl StillClock {
    fn goes_on(&self, seconds: u64) {
        self.1.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Now {
        let gone = self.1.load(Ordering::Relaxed);
        Now { mono: self.0 + Duration::from_secs(gone), wall: UnixMillis(gone * 1000) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        // Whoever may not wait at all is told at once.
        let over = when <= self.mono();
        Box::pin(async move {
            if !over {
                std::future::pending::<()>().await;
            }
        })
    }
}

fn stage(text: &str, change: impl FnOnce(&mut Config), fits: Arc<Fits>) -> Authenticator {
    let toml = "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{ name = \"l\", bind = \"127.0.0.1:0\" }]\n";
    let mut config = crate::config::parse::parse("f", toml, &[]).expect("a good file");
    change(&mut config);
    let users = Arc::new(ArcSwap::from_pointee(accounts(text).expect("it is sound")));
    Authenticator::new(Parts {
        users,
        secrets: Arc::default(),
        config: watch::Sender::new(Arc::new(config)).subscribe(),
        clock: Arc::new(StillClock::default()),
        policy: Arc::new(Oracle::default()),
        dns: Arc::new(Names::default()),
        http: Arc::new(Web::default()),
        net: Arc::new(Unplugged),
        tls: Arc::new(Unplugged),
        observe: Arc::new(Deaf),
        fits,
    })
}

fn session() -> SessionInfo {
    let peer = SocketAddr::new(PEER, 4711);
    SessionInfo { id: "s1".into(), listener: "l".into(), peer, helo: None, tls: None, user: None }
}

struct Deaf;

impl Observe for Deaf {
    fn event(&self, _: crate::base::event::Event<'_>) {}
}

async fn check(stage: &Authenticator, name: &str, password: &str) -> Checked {
    stage.check(session(), Claim::Password(Mechanism::Plain, name.into(), secret(password))).await
}

fn secret(text: &str) -> Hidden {
    prepare::password(text).expect("a password")
}

#[tokio::test]
async fn the_right_password_of_the_right_user_is_let_in() {
    let text = format!("ann@example.org password={HASH}\nbob@example.org scram={}", keys());
    let stage = stage(&text, |_| {}, Arc::new(Verifier::fits));
    for name in ["ann@example.org", "bob@example.org"] {
        let checked = check(&stage, name, "pencil").await;
        assert!(matches!(&checked, Checked::Is(user) if &*user.name == name), "{checked:?}");
        assert_eq!(check(&stage, name, "pen").await, Checked::IsNot { known: true });
    }
    assert_eq!(check(&stage, "eve@example.org", "pencil").await, Checked::IsNot { known: false });
}

/// Time can't be compared in a test, work can: a name that nobody has costs one check of the same kind.
#[tokio::test]
async fn a_name_that_nobody_has_costs_the_same_work() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let fits = Arc::new(move |verifier: &Verifier, password: &str| {
        noted.lock().expect("no panic").push((verifier.clone(), password.to_owned()));
        // Even if it fitted.
        true
    });
    let stage = stage(&format!("ann@example.org password={HASH}"), |_| {}, fits);
    let checked = check(&stage, "ann@example.org", "pencil").await;
    assert!(matches!(checked, Checked::Is(_)));
    assert_eq!(check(&stage, "eve@example.org", "pencil").await, Checked::IsNot { known: false });
    let seen = seen.lock().expect("no panic");
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]));
    // SCRAM asks everybody for the same, and has keys for everybody.
    let of = |name| stage.keys(PEER, name).expect("now");
    assert_eq!((of("eve@example.org").salt.len(), of("eve@example.org")), (16, of("eve@example.org")));
    assert_eq!(stage.proven(PEER, "eve@example.org", true), Checked::IsNot { known: false });
}

#[tokio::test]
async fn who_fails_often_is_not_checked_any_more() {
    let counted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    let fits = Arc::new(move |_: &Verifier, _: &str| {
        count.fetch_add(1, Ordering::Relaxed);
        false
    });
    let stage = stage(&format!("ann@example.org password={HASH}"), |c| c.auth.failures_per_peer_max = 2, fits);
    for _ in 0..3 {
        assert_eq!(check(&stage, "ann@example.org", "x").await, Checked::IsNot { known: true });
    }
    assert_eq!(check(&stage, "ann@example.org", "x").await, Checked::Later(Later::Held));
    assert_eq!(stage.keys(PEER, "bob@example.org"), Err(Later::Held));
    assert_eq!(counted.load(Ordering::Relaxed), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_checks_run_at_once_and_others_wait_only_so_long() {
    let gate = Arc::new((Mutex::new((0, false)), Condvar::new()));
    let held = Arc::clone(&gate);
    let fits = Arc::new(move |_: &Verifier, _: &str| {
        let (state, changed) = &*held;
        let mut state = state.lock().expect("no panic");
        state.0 += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |state| !state.1).expect("no panic"));
        true
    });
    let change = |config: &mut Config| {
        config.auth.checks_max = 1;
        config.auth.check_wait = Duration::ZERO;
    };
    let stage = Arc::new(stage(&format!("ann@example.org password={HASH}"), change, fits));
    let first = Arc::clone(&stage);
    let first = tokio::spawn(async move { check(&first, "ann@example.org", "x").await });
    let began = Arc::clone(&gate);
    tokio::task::spawn_blocking(move || {
        let (state, changed) = &*began;
        drop(changed.wait_while(state.lock().expect("no panic"), |state| state.0 == 0).expect("no panic"));
    })
    .await
    .expect("no panic");
    assert_eq!(check(&stage, "ann@example.org", "x").await, Checked::Later(Later::Busy));
    gate.0.lock().expect("no panic").1 = true;
    gate.1.notify_all();
    assert!(matches!(first.await.expect("no panic"), Checked::Is(_)));
}
