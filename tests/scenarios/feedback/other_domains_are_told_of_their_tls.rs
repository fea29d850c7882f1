//! Recipients' domains that want to be told of the TLS of their hosts get a report (RFC 8460): by mail that is signed, and
//! at their own server by HTTPS. It counts what the policy of the domain was kept by, and what it was not.

use mailwright_tests::dns::Zones;
use mailwright_tests::peers::policies::PolicyServer;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::peers::{lossy, program, run};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RECEIVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const STRIPPED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const WEB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// Keeps what is posted, and what it was said to be.
const SERVER: &str = r#"
import http.server, ssl, sys
folder, cert, key, ip = sys.argv[1:]
class Reports(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open(folder + "/posted", "wb").write(body)
        open(folder + "/head", "w").write(self.path + " " + self.headers["Content-Type"])
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer((ip, 0), Reports)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// What Python makes of a report: the JSON in the mail, and that which was posted.
const READ: &str = r#"
import email, gzip, json, sys
message = email.message_from_binary_file(open(sys.argv[1] + "/message", "rb"))
parts = {part.get_content_type(): part for part in message.walk()}
part = parts["application/tlsrpt+gzip"]
print(json.dumps({
    "type": message.get_content_type() + " " + message.get_param("report-type"),
    "about": message["TLS-Report-Domain"] + " " + message["TLS-Report-Submitter"] + " " + message["TLS-Required"],
    "file": part.get_filename(),
    "mailed": json.loads(gzip.decompress(part.get_payload(decode=True))),
    "posted": json.loads(gzip.decompress(open(sys.argv[1] + "/posted", "rb").read())),
}))
"#;

struct ReportServer {
    child: Child,
    port: u16,
}

impl ReportServer {
    fn start(folder: &Path, authority: &Authority) -> Self {
        let mut command = Command::new(program("python3"));
        command.arg("-c").arg(SERVER).arg(folder).arg(authority.path("web.pem")).arg(authority.path("web.key"));
        command.arg(WEB.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says its port");
        Self { child, port: line.trim().parse().expect("it says its port") }
    }
}

impl Drop for ReportServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn told(server: &Mailwright, words: &[&str]) -> String {
    let output = server.cli(&[&["report"], words].concat());
    assert!(output.status.success(), "{}", lossy(&output.stderr));
    lossy(&output.stdout)
}

#[test]
fn other_domains_are_told_of_their_tls_rfc8460_3_and_5() {
    let folder = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.sign("mx.sts.test", &["mx.sts.test"], 2100);
    authority.sign("web", &["mta-sts.sts.test", "reports.test"], 2100);
    let receiving = Setup::new().maildir("*", Path::new("mail")).table(&authority.certificate("tls", "mx.sts.test"));
    let receiver = Mailwright::prepare(&receiving).begin(&[&format!("listener.mx.bind={RECEIVER}:0")]);
    let port = receiver.address().port();
    let stripped = Script::new().start_at(SocketAddr::from((STRIPPED, port)));
    let policies = PolicyServer::start(WEB.into(), &authority, "web");
    policies.publish("sts.test", "enforce", &["*.sts.test"]);
    let reports = ReportServer::start(folder.path(), &authority);
    let wanted = format!("v=TLSRPTv1; rua=mailto:tls@collector.test,https://reports.test:{}/v1?of=sts", reports.port);
    // The exchanger that is tried first is one in whose name somebody hides STARTTLS.
    let zones = Zones::new().mx("sts.test", 10, "strip.sts.test").mx("sts.test", 20, "mx.sts.test");
    let zones = zones.a("strip.sts.test", STRIPPED).a("mx.sts.test", RECEIVER).a("mta-sts.sts.test", WEB);
    let zones = zones.txt("_mta-sts.sts.test", "v=STSv1; id=1;").txt("_smtp._tls.sts.test", &wanted);
    let dns = zones.a("reports.test", WEB).start();
    let sink = Sink::start();
    let setup = Setup::new()
        .dns(dns.address(), port)
        .smarthost("collector.test", sink.address())
        .set("delivery", &format!("mta_sts_port = {}", policies.address().port()))
        .set("report", "address = \"tls@example.test\"")
        .set("report", "https_networks = [\"127.0.0.0/8\"]");
    let roots = format!("SSL_CERT_FILE={}", authority.path("ca.pem").display());
    let server = Mailwright::prepare(&setup).wrapped(&["env", &roots]).begin(&[]);
    let mut client = server.client();
    client.hello();
    let id = client.mail("a@from.example", &["b@sts.test"], b"Subject: x\r\n\r\nhello\r\n").queue_id();
    let delivered = server.event("delivered", |event| event["id"] == id.as_str());
    let remote = format!("mx.sts.test[{RECEIVER}]:{port}");
    assert_eq!(delivered["remote"], remote.as_str(), "{delivered}");

    let listed = told(&server, &["list"]);
    assert!(listed.contains("tls sts.test  2 results"), "{listed}");
    let sent = told(&server, &["send", "sts.test"]);
    assert!(sent.contains("to tls@collector.test: queued as") && sent.contains("/v1?of=sts: posted"), "{sent}");
    let report = sink.message("the report", |message| message.recipients == ["tls@collector.test"]);
    std::fs::write(folder.path().join("message"), &report.octets).expect("our own folder");
    let head = std::fs::read_to_string(folder.path().join("head")).expect("it was posted");
    assert_eq!(head, "/v1?of=sts application/tlsrpt+gzip");

    let mut command = Command::new(program("python3"));
    command.args(["-c", READ]).arg(folder.path());
    let output = run(command);
    assert!(output.status.success(), "{}", lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert_eq!(read["type"], "multipart/report tlsrpt");
    assert_eq!(read["about"], "sts.test example.test No");
    let mailed = &read["mailed"];
    assert_eq!(*mailed, read["posted"], "one report, whoever gets it");
    assert_eq!(mailed["contact-info"], "tls@example.test");
    let file = read["file"].as_str().expect("it has a name");
    assert!(file.starts_with("example.test!sts.test!") && file.ends_with(".json.gz"), "{file}");
    assert!(mailed["report-id"].as_str().is_some_and(|id| file.contains(id)), "{mailed}");
    let policy = &mailed["policies"][0];
    assert_eq!(policy["policy"]["policy-type"], "sts", "{mailed}");
    assert_eq!(policy["policy"]["policy-domain"], "sts.test");
    assert_eq!(policy["policy"]["mx-host"], serde_json::json!(["*.sts.test"]));
    assert_eq!(policy["policy"]["policy-string"][0], "version: STSv1");
    let summary = serde_json::json!({"total-successful-session-count": 1, "total-failure-session-count": 1});
    assert_eq!(policy["summary"], summary, "{mailed}");
    let failure = &policy["failure-details"][0];
    assert_eq!(failure["result-type"], "starttls-not-supported", "{mailed}");
    let told = ["receiving-mx-hostname", "receiving-ip", "sending-mta-ip"].map(|name| failure[name].as_str());
    assert_eq!(told, ["strip.sts.test", &STRIPPED.to_string(), "127.0.0.1"].map(Some));
    assert_eq!(stripped.messages().len(), 0);
    let _ = server.event("report-posted", |event| event["kind"] == "tls" && event["results"] == 2);
}
