//! Each hook with a whole plugin that has it, and a test as a plugin's own would be.
//!
//! # `configure` and `self_test`
//!
//! Once a load. What `configure` leaves is how every transaction finds the plugin; an error refuses the load, and so does
//! a `self_test` that fails.
//!
//! ```
//! use mailwright_plugin::{Config, Disposition, Fault, config::from_json};
//!
//! #[derive(Config)]
//! struct Config {
//!     /// Addresses that nobody may write to.
//!     closed: Vec<String>,
//! }
//!
//! struct Closed(Vec<String>);
//!
//! #[mailwright_plugin::plugin]
//! impl Closed {
//!     fn configure(config: Config) -> Result<Self, Fault> {
//!         Ok(Self(config.closed))
//!     }
//!
//!     fn self_test(&mut self) -> Result<(), String> {
//!         if self.0.iter().any(|one| !one.contains('@')) { Err("an address has an @".to_owned()) } else { Ok(()) }
//!     }
//!
//!     fn on_data(&mut self) -> Disposition {
//!         Disposition::Next
//!     }
//! }
//!
//! let mut plugin = Closed::configure(from_json(r#"{ "closed": ["nobody"] }"#)?)?;
//! assert!(plugin.self_test().is_err());
//! # Ok::<(), Fault>(())
//! ```
//!
//! # `on_connect`
//!
//! Before the greeting.
//!
//! ```
//! use mailwright_plugin::{Fault, Gate, session, testing};
//!
//! #[derive(Default)]
//! struct Neighbours;
//!
//! #[mailwright_plugin::plugin]
//! impl Neighbours {
//!     fn on_connect(&mut self) -> Result<Gate, Fault> {
//!         let peer = session::current()?.peer_ip;
//!         Ok(if peer.starts_with("192.0.2.") { Gate::Next } else { Gate::reject("neighbours alone, please") })
//!     }
//! }
//!
//! testing::scene(|scene| scene.session = Some(testing::session("198.51.100.1")));
//! assert_eq!(Neighbours.on_connect()?, Gate::reject("neighbours alone, please"));
//! # Ok::<(), Fault>(())
//! ```
//!
//! # `on_helo`
//!
//! At EHLO and HELO, with the name that the client gives.
//!
//! ```
//! use mailwright_plugin::Gate;
//!
//! #[derive(Default)]
//! struct Names;
//!
//! #[mailwright_plugin::plugin]
//! impl Names {
//!     fn on_helo(&mut self, name: &str) -> Gate {
//!         if name.contains('.') || name.starts_with('[') { Gate::Next } else { Gate::reject("that is no full name") }
//!     }
//! }
//!
//! assert_eq!(Names.on_helo("mx.example.org"), Gate::Next);
//! assert_ne!(Names.on_helo("localhost"), Gate::Next);
//! ```
//!
//! # `on_auth`
//!
//! After each AUTH, whether it succeeded or not.
//!
//! ```
//! use mailwright_plugin::{Auth, Gate};
//!
//! #[derive(Default)]
//! struct NoRoot;
//!
//! #[mailwright_plugin::plugin]
//! impl NoRoot {
//!     fn on_auth(&mut self, auth: &Auth) -> Gate {
//!         if auth.user == "root" { Gate::reject("not by this name") } else { Gate::Next }
//!     }
//! }
//!
//! let auth = Auth { mechanism: "PLAIN".to_owned(), user: "root".to_owned(), succeeded: true };
//! assert_eq!(NoRoot.on_auth(&auth), Gate::reject("not by this name"));
//! ```
//!
//! # `on_password`
//!
//! Asked whether a password is a user's, where `auth.plugin` of the server's configuration names the plugin and its `allow` has
//! `"passwords"`. `Next` leaves the name to others, `No` refuses, and a fault has the client come again: it is no refusal.
//!
//! ```
//! use mailwright_plugin::{Account, Admission, Credentials, Fault, http, testing};
//!
//! #[derive(Default)]
//! struct Members;
//!
//! #[mailwright_plugin::plugin]
//! impl Members {
//!     fn on_password(&mut self, shown: &Credentials) -> Result<Admission, Fault> {
//!         let Some(member) = shown.user.strip_suffix("@club.example") else { return Ok(Admission::Next) };
//!         let body = format!("{member}\n{}\n", shown.password);
//!         let answer = http::Request::post("https://club.example/check", "text/plain; charset=utf-8", body).send()?;
//!         match answer.status {
//!             204 => Ok(Admission::Yes(Account::new().tenant("club").sender(&shown.user))),
//!             403 => Ok(Admission::No),
//!             status => Err(Fault::Unavailable(format!("the club answered with {status}"))),
//!         }
//!     }
//! }
//!
//! let ann = testing::credentials("ann@club.example", "battery staple");
//! assert!(Members.on_password(&ann).is_err(), "nobody answers");
//! let answer = |status| Ok(http::Response { status, headers: Vec::new(), body: Vec::new() });
//! testing::scene(|scene| scene.web.answers.insert("https://club.example/check".to_owned(), answer(204)));
//! assert_eq!(Members.on_password(&ann), Ok(Admission::Yes(Account::new().tenant("club").sender("ann@club.example"))));
//! assert_eq!(Members.on_password(&testing::credentials("root", "x")), Ok(Admission::Next));
//! assert!(!format!("{ann:?}").contains("battery"), "it is not printed by accident");
//! ```
//!
//! # `on_mail`
//!
//! Each MAIL, with the sender (none is the null sender of bounces) and its parameters.
//!
//! ```
//! use mailwright_plugin::{Address, Gate, Mail};
//!
//! #[derive(Default)]
//! struct Known;
//!
//! #[mailwright_plugin::plugin]
//! impl Known {
//!     fn on_mail(&mut self, mail: &Mail) -> Gate {
//!         match &mail.sender {
//!             Some(sender) if sender.domain == "example.invalid" => Gate::reject("nobody can answer you"),
//!             _ => Gate::Next,
//!         }
//!     }
//! }
//!
//! let mail = |sender| Mail { sender, params: vec![("SIZE".to_owned(), "4711".to_owned())] };
//! assert_eq!(Known.on_mail(&mail(None)), Gate::Next);
//! assert_ne!(Known.on_mail(&mail(Some(Address::new("a", "example.invalid")))), Gate::Next);
//! ```
//!
//! # `on_rcpt`
//!
//! Each RCPT. What is in `self` lasts to the end of the transaction.
//!
//! ```
//! use mailwright_plugin::{Address, Gate, Rcpt};
//!
//! #[derive(Default)]
//! struct Few {
//!     rcpts: u32,
//! }
//!
//! #[mailwright_plugin::plugin]
//! impl Few {
//!     fn on_rcpt(&mut self, _rcpt: &Rcpt) -> Gate {
//!         self.rcpts += 1;
//!         if self.rcpts > 2 { Gate::tempfail("two at a time, please") } else { Gate::Next }
//!     }
//! }
//!
//! let rcpt = Rcpt { sender: None, to: Address::new("a", "example.org"), params: Vec::new() };
//! let mut plugin = Few::default();
//! assert_eq!((plugin.on_rcpt(&rcpt), plugin.on_rcpt(&rcpt)), (Gate::Next, Gate::Next));
//! assert_ne!(plugin.on_rcpt(&rcpt), Gate::Next);
//! ```
//!
//! # `on_data`
//!
//! The whole message is here, and nothing is answered yet. [`message`](crate::message) reads and changes it.
//!
//! ```
//! use mailwright_plugin::testing::{Message, scene};
//! use mailwright_plugin::{Disposition, Fault, message};
//!
//! #[derive(Default)]
//! struct Lists;
//!
//! #[mailwright_plugin::plugin]
//! impl Lists {
//!     fn on_data(&mut self) -> Result<Disposition, Fault> {
//!         if message::header("List-Id")?.is_some() {
//!             message::add_header("Precedence", "list")?;
//!         }
//!         Ok(Disposition::Next)
//!     }
//! }
//!
//! let headers = vec![("List-Id".to_owned(), "<a.example.org>".to_owned())];
//! scene(|scene| scene.message = Some(Message { headers, ..Message::default() }));
//! assert_eq!(Lists.on_data()?, Disposition::Next);
//! assert_eq!(message::header("Precedence")?.as_deref(), Some("list"));
//! # Ok::<(), Fault>(())
//! ```
//!
//! # `on_route` and `on_http`
//!
//! [`Routing`](crate::Routing::place) has an example of the one, [`web`](crate::web) of the other.
//!
//! # `on_pre_send`
//!
//! Before each attempt, for each recipient. [`delivery`](crate::delivery) says which; edits reach this recipient alone.
//!
//! ```
//! use mailwright_plugin::delivery::Info;
//! use mailwright_plugin::{Address, Fault, Priority, Sending, delivery, testing};
//!
//! #[derive(Default)]
//! struct Holiday;
//!
//! #[mailwright_plugin::plugin]
//! impl Holiday {
//!     fn on_pre_send(&mut self) -> Result<Sending, Fault> {
//!         let closed = delivery::current()?.recipient.domain == "closed.example";
//!         Ok(if closed { Sending::Hold("they are on holiday".to_owned()) } else { Sending::Next })
//!     }
//! }
//!
//! testing::scene(|scene| {
//!     scene.delivery = Some(Info {
//!         queue_id: "1".to_owned(),
//!         recipient: Address::new("a", "closed.example"),
//!         tenant: None,
//!         campaign: None,
//!         priority: Priority::Normal,
//!         attempt: 1,
//!         queued_ms: 0,
//!         last_reply: None,
//!         site: None,
//!     });
//! });
//! assert!(matches!(Holiday.on_pre_send()?, Sending::Hold(_)));
//! # Ok::<(), Fault>(())
//! ```
//!
//! # `on_outcome`, `on_tick` and `on_disconnect`
//!
//! These are told, not asked: what became of a recipient, that time passed, that a connection is gone. They answer
//! nothing, and may be left out when a plugin can't keep up.
//!
//! ```
//! use mailwright_plugin::kv::Bucket;
//! use mailwright_plugin::{Outcome, Reply, log, testing};
//!
//! #[derive(Default)]
//! struct Bounces;
//!
//! #[mailwright_plugin::plugin]
//! impl Bounces {
//!     fn on_outcome(&mut self, outcome: &Outcome) {
//!         if let Outcome::Bounced(reply) = outcome {
//!             let _ = Bucket("bounces").incr(&reply.code.to_string(), 1, None);
//!         }
//!     }
//!
//!     fn on_tick(&mut self) {
//!         if let Ok(codes) = Bucket("bounces").list_keys("", None, 100) {
//!             log!(Info, "bounces came with {}", codes.join(", "));
//!         }
//!     }
//!
//!     fn on_disconnect(&mut self) {
//!         log!(Debug, "one less");
//!     }
//! }
//!
//! Bounces.on_outcome(&Outcome::Bounced(Reply::reject("no")));
//! Bounces.on_tick();
//! Bounces.on_disconnect();
//! let lines = testing::scene(|scene| scene.log.iter().map(|(_, line)| line.clone()).collect::<Vec<_>>());
//! assert_eq!(lines, ["bounces came with 550", "one less"]);
//! ```
//!
//! # `on_feedback`
//!
//! Told when a report came back by mail and was tied to a message that this server sent: it could not be delivered after
//! all, somebody complained, somebody wants no more. [`message`](crate::message) is the report. It may be told twice, so what
//! it does should be the same twice.
//!
//! ```
//! use mailwright_plugin::suppression::{Reason, Scope};
//! use mailwright_plugin::{Address, Bounce, Feedback, FeedbackKind, log, testing};
//!
//! #[derive(Default)]
//! struct Returns;
//!
//! #[mailwright_plugin::plugin]
//! impl Returns {
//!     fn on_feedback(&mut self, feedback: &Feedback) {
//!         let why = match &feedback.kind {
//!             FeedbackKind::Bounce(bounce) if bounce.status.class == 5 => Reason::HardBounce,
//!             // `not-spam` is the opposite of a complaint (RFC 6430).
//!             FeedbackKind::Complaint(what) if what != "not-spam" => Reason::Complaint,
//!             FeedbackKind::Unsubscribe => Reason::Unsubscribe,
//!             _ => return,
//!         };
//!         if let Err(error) = Scope("news").add(&feedback.recipient, why) {
//!             log!(Error, "{} could not be added: {error:?}", feedback.recipient);
//!         }
//!     }
//! }
//!
//! Returns.on_feedback(&testing::feedback(FeedbackKind::Bounce(Bounce::new(4, 2, 2)), "bob@example.net"));
//! Returns.on_feedback(&testing::feedback(FeedbackKind::Complaint("abuse".into()), "ann@example.net"));
//! assert_eq!(Scope("news").contains(&Address::new("bob", "example.net")), Ok(None));
//! assert_eq!(Scope("news").contains(&Address::new("ann", "example.net")), Ok(Some(Reason::Complaint)));
//! ```
