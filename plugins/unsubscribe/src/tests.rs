//! The hooks together, natively: from a message's fields to the link, the lists, and the next message.

use super::*;
use mailwright_plugin::config::from_json;
use mailwright_plugin::setup::Hook;
use mailwright_plugin::testing::{self, Message, Metric, scene};
use mailwright_plugin::{Bounce, Priority};

const CONFIG: &str = r#"{
    "url": "https://news.example.org/p/unsubscribe", "keys": ["k"], "soft_bounces_max": 2,
    "applications": [{ "secret": "api", "tenant": "acme" }],
    "lists": [
        { "name": "receipts", "transactional": true, "when": { "senders": ["billing@example.org"] } },
        { "name": "news", "title": "The news", "when": { "tenants": ["acme"], "senders": ["@example.org"] } },
        { "name": "offers", "scope": "ads", "when": { "fields": { "X-Stream": "offers" } } }
    ]
}"#;

fn plugin(change: &[(&str, &str)]) -> Unsubscribe {
    scene(|scene| {
        scene.secrets.insert("k".to_owned(), b"a key".to_vec());
        scene.secrets.insert("api".to_owned(), b"a secret of twenty octets".to_vec());
        scene.tenants = vec!["acme".to_owned()];
    });
    let json = change.iter().fold(CONFIG.to_owned(), |json, (from, to)| json.replace(from, to));
    Unsubscribe::configure(from_json(&json).expect("it fits")).expect("it is sound")
}

/// A message on its way to ann@example.net.
fn sends(sender: &str, fields: &[(&str, &str)]) {
    let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sender = sender.split_once('@').map(|(local, domain)| Address::new(local, domain));
    scene(|scene| {
        scene.message = Some(Message { headers, sender, ..Message::default() });
        let tenant = Some("acme".to_owned());
        scene.delivery =
            Some(delivery::Info { tenant, priority: Priority::Bulk, ..testing::delivery("ann@example.net") });
    });
}

fn field(name: &str) -> Option<String> {
    message::header(name).expect("there is a message")
}

/// The path of the link that the message has.
fn link() -> String {
    let field = field("List-Unsubscribe").expect("it has the field");
    let link = field.strip_prefix("<https://news.example.org/p/unsubscribe").and_then(|rest| rest.split_once('>'));
    link.expect("a link is first").0.to_owned()
}

fn one_click(target: &str) -> Request {
    Request::post_form(target, &[("List-Unsubscribe", "One-Click")])
}

fn said(plugin: &mut Unsubscribe, request: &Request) -> (u16, String) {
    // The real server forgets whom the plugin acts for with each request.
    scene(|scene| scene.acting_for = None);
    let answer = plugin.on_http(request).expect("an answer");
    (answer.status, String::from_utf8(answer.body).expect("text"))
}

fn suppressed() -> Vec<String> {
    scene(|scene| {
        let lists = scene.suppression.iter();
        lists.flat_map(|(scope, list)| list.keys().map(move |who| format!("{scope} {who}"))).collect()
    })
}

/// Samples of a counter, as `name label label`.
fn counted(name: &str) -> Vec<String> {
    scene(|scene| {
        let samples = scene.metrics.iter().filter_map(|metric| match metric {
            Metric::Added(found, labels, 1) if found == name => {
                Some(labels.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" "))
            }
            _ => None,
        });
        samples.collect()
    })
}

#[test]
fn one_click_unsubscribes_once_and_the_same_again_rfc8058_3_2() {
    let mut plugin = plugin(&[]);
    assert_eq!(plugin.self_test(), Ok(()));
    sends("news@example.org", &[]);
    assert_eq!(plugin.on_pre_send(), Ok(Sending::Next));
    assert_eq!(field("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    let link = link();
    for _ in 0..2 {
        assert_eq!(said(&mut plugin, &one_click(&link)), (200, "unsubscribed\n".to_owned()));
        assert_eq!(suppressed(), ["acme/news ann@example.net"], "the tenant's own list");
    }
    let multipart = Request {
        headers: vec![("content-type".to_owned(), "multipart/form-data; boundary=b".to_owned())],
        body: b"--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n"
            .to_vec(),
        ..one_click(&link)
    };
    assert_eq!(said(&mut plugin, &multipart).0, 200);
    let again = "news list one-click again";
    assert_eq!(counted("unsubscribes_total"), ["news list one-click new", again, again]);
}

#[test]
fn the_page_changes_nothing_and_its_form_does() {
    let mut plugin = plugin(&[]);
    sends("news@example.org", &[]);
    assert_eq!(plugin.on_pre_send(), Ok(Sending::Next));
    let link = link();
    let (status, page) = said(&mut plugin, &Request::get(&link));
    assert_eq!((status, suppressed()), (200, Vec::new()));
    assert!(page.contains("This list: The news") && page.contains("ann@example.net"), "{page}");
    let (status, words) = said(&mut plugin, &Request::post_form(&link, &[("scope", "nothing")]));
    assert_eq!((status, suppressed()), (400, Vec::new()), "{words}");
    let (status, page) = said(&mut plugin, &Request::post_form(&link, &[("scope", "everything")]));
    assert!(status == 200 && page.contains("of any list"), "{page}");
    assert_eq!(suppressed(), ["acme/everything ann@example.net"]);
    assert!(said(&mut plugin, &Request::get(&link)).1.contains("already"));
    let delete = Request { method: "DELETE".to_owned(), ..Request::get(&link) };
    assert_eq!(said(&mut plugin, &delete).0, 405);
}

#[test]
fn a_link_that_is_none_of_ours_does_nothing_and_is_counted() {
    let mut plugin = plugin(&[]);
    sends("news@example.org", &[]);
    assert_eq!(plugin.on_pre_send(), Ok(Sending::Next));
    let link = link();
    let other = if link.ends_with('A') { "B" } else { "A" };
    let forged = [&link[..link.len() - 40], other, &link[link.len() - 39..]].concat();
    for path in [&*forged, "/u/", "/u/x", "/u/%41"] {
        let (status, page) = said(&mut plugin, &one_click(path));
        assert_eq!((status, suppressed()), (404, Vec::new()), "{path}");
        assert!(page.contains("This link does not work"), "{page}");
    }
    scene(|scene| scene.tenants = vec!["other".to_owned()]);
    assert_eq!(said(&mut plugin, &one_click(&link)).0, 404, "that tenant is gone");
    assert_eq!(counted("links_refused_total"), ["signature", "form", "form", "form", "tenant"]);
    for path in ["/", "/v2/news", "/u"] {
        assert_eq!(said(&mut plugin, &Request::get(path)), (404, "not found\n".to_owned()), "{path}");
    }
}

#[test]
fn who_unsubscribed_is_not_written_to_again() {
    let mut plugin = plugin(&[]);
    let rcpt = |sender: &str| {
        let (local, domain) = sender.split_once('@').expect("an address");
        let to = Address::new("Ann", "example.net");
        Rcpt { sender: Some(Address::new(local, domain)), to, params: Vec::new() }
    };
    let session = session::Info { tenant: Some("acme".to_owned()), ..testing::session("192.0.2.1") };
    scene(|scene| scene.session = Some(session));
    let put = |scope, why| Scope(scope).add(&Address::new("ann", "example.net"), why).expect("there is room");
    assert_eq!(plugin.on_rcpt(&rcpt("news@example.org")), Ok(Gate::Next));
    put("news", Reason::Unsubscribe);
    let refused = Reply::reject("the recipient has unsubscribed (list news)");
    assert_eq!(plugin.on_rcpt(&rcpt("news@example.org")), Ok(Gate::Reject(refused.clone())));
    assert_eq!(plugin.on_rcpt(&rcpt("billing@example.org")), Ok(Gate::Next), "receipts come");
    assert_eq!(plugin.on_rcpt(&rcpt("any@other.example")), Ok(Gate::Next), "no list, as far as is known");
    sends("news@example.org", &[]);
    assert_eq!(plugin.on_pre_send(), Ok(Sending::Fail(refused)));
    sends("any@other.example", &[("X-Stream", "offers")]);
    assert_eq!(plugin.on_pre_send(), Ok(Sending::Next), "another list");
    put("everything", Reason::Complaint);
    sends("any@other.example", &[("X-Stream", "offers")]);
    assert!(matches!(plugin.on_pre_send(), Ok(Sending::Fail(_))));
    sends("billing@example.org", &[]);
    assert_eq!((plugin.on_pre_send(), field("List-Unsubscribe")), (Ok(Sending::Next), None));
    let all = "\"suppressed\": \"drop\", \"keys\"";
    assert_eq!(scene(|scene| scene.skipped.clone()), [], "it has something to say at RCPT");
    let mut drops = self::plugin(&[("\"keys\"", all)]);
    assert_eq!(scene(|scene| scene.skipped.clone()), [Hook::Rcpt]);
    assert_eq!(drops.on_rcpt(&rcpt("news@example.org")), Ok(Gate::Next));
    sends("news@example.org", &[]);
    assert!(matches!(drops.on_pre_send(), Ok(Sending::Discard(_))));
    let withheld =
        ["news rcpt unsubscribe", "news send unsubscribe", "offers send complaint", "news dropped complaint"];
    assert_eq!(counted("withheld_total"), withheld);
}

#[test]
fn an_address_that_is_no_more_gets_no_receipts_either() {
    let mut plugin = plugin(&[]);
    let bounced = |status| Outcome::Bounced(Reply { enhanced: status, ..Reply::new(550, "no") });
    let status = |reply: Reply| reply.enhanced;
    sends("news@example.org", &[]);
    plugin.on_outcome(&bounced(status(Reply::new(550, "").status(5, 7, 1))));
    plugin.on_outcome(&Outcome::Deferred(Reply::tempfail("later")));
    assert_eq!(suppressed(), Vec::<String>::new());
    // It is nobody's list: whoever wrote may have made the address up.
    sends("any@other.example", &[]);
    plugin.on_outcome(&bounced(status(Reply::new(550, "").status(5, 1, 1))));
    assert_eq!(suppressed(), Vec::<String>::new());
    sends("billing@example.org", &[]);
    plugin.on_outcome(&bounced(status(Reply::new(550, "").status(5, 1, 1))));
    assert_eq!(suppressed(), ["everything ann@example.net"]);
    assert!(matches!(plugin.on_pre_send(), Ok(Sending::Fail(_))));
}

#[test]
fn soft_bounces_count_within_their_window() {
    let mut plugin = plugin(&[]);
    sends("news@example.org", &[]);
    let full = Outcome::Bounced(Reply::new(552, "full").status(5, 2, 2));
    plugin.on_outcome(&full);
    scene(|scene| scene.now_ms += 31 * 86_400_000);
    plugin.on_outcome(&Outcome::Expired);
    assert_eq!(suppressed(), Vec::<String>::new(), "the first is too old to count");
    plugin.on_feedback(&testing::feedback(FeedbackKind::Bounce(Bounce::new(4, 4, 7)), "Ann@example.net"));
    assert_eq!(suppressed(), ["everything ann@example.net"]);
    assert_eq!(counted("suppressed_total"), ["soft-bounces"]);
    assert!(scene(|scene| scene.kv.is_empty()));
}

#[test]
fn complaints_and_requests_by_mail_are_heard() {
    let mut plugin = plugin(&[]);
    let mut writes = |subject: &str, to: &str, kind: FeedbackKind| {
        sends("", &[("Subject", subject)]);
        plugin.on_feedback(&testing::feedback(kind, to));
        suppressed()
    };
    assert_eq!(writes("", "bob@example.net", FeedbackKind::Complaint("not-spam".to_owned())), Vec::<String>::new());
    assert_eq!(
        writes("", "bob@example.net", FeedbackKind::Complaint("abuse".to_owned())),
        ["everything bob@example.net"]
    );
    assert_eq!(
        writes("unsubscribe TICKET offers", "cy@example.net", FeedbackKind::Unsubscribe)[0],
        "ads cy@example.net"
    );
    let all = writes("unsubscribe TICKET", "di@example.net", FeedbackKind::Unsubscribe);
    assert_eq!(all[2], "everything di@example.net", "who can't be asked of what");
}

#[test]
fn what_is_not_granted_is_told_at_load() {
    let mut plugin = plugin(&[("[\"k\"]", "[\"k\", \"old\"]")]);
    assert_eq!(plugin.self_test(), Err("add \"hmac:old\" to its `allow`".to_owned()));
}

#[test]
fn programs_have_their_interface_where_there_are_some() {
    let mut plugin = plugin(&[]);
    assert_eq!(said(&mut plugin, &Request::get("/v1/news")).0, 401);
    let bearer = ("authorization".to_owned(), "Bearer a secret of twenty octets".to_owned());
    let import = Request {
        method: "POST".to_owned(),
        headers: vec![bearer],
        body: b"ann@example.net,unsubscribe\n".to_vec(),
        ..Request::get("/v1/ads")
    };
    assert_eq!(said(&mut plugin, &import), (200, "added 1 of 1\n".to_owned()));
    assert_eq!(suppressed(), ["acme/ads ann@example.net"]);
    let mut closed = self::plugin(&[("{ \"secret\": \"api\", \"tenant\": \"acme\" }", "")]);
    assert_eq!(said(&mut closed, &import).0, 404);
}
