//! The standard plugins, as they are built in: with real clients and next hops.

mod bulk_mail_is_checked_before_it_is_queued;
mod limits_hold_for_all_who_share_them;
mod list_mail_is_unsubscribed_from;
mod mail_goes_by_the_rules_of_routing;
mod new_senders_wait_and_come_back;
mod programs_keep_the_suppression_lists;
mod rules_filter_mail;
mod shipped_configurations_serve;

use mailwright_tests::peers::{lossy, run};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use std::path::Path;
use std::process::Command;

/// Has a builtin tried on the cases that stand beside its source.
fn cases(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(name).join("cases");
    let mut command = Command::new(binary());
    command.args(["plugin", "test", &format!("builtin:{name}"), "--cases", "."]).current_dir(folder);
    let told = run(command);
    let (out, err) = (lossy(&told.stdout), lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
    out
}

/// Has the server read the first configuration of a plugin's page, with files of its own for those that the page names.
fn page_is_sound(page: &str, files: &[(&str, &str)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins").join(page);
    let text = std::fs::read_to_string(&path).expect("there is such a page");
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it has one");
    let server = Mailwright::prepare(&Setup::new());
    let mut example = example.to_owned();
    for (at, (named, content)) in files.iter().enumerate() {
        let own = server.dir().join(format!("file-{at}"));
        std::fs::write(&own, content).expect("our own directory");
        assert!(example.contains(named), "{named} is not in the page");
        example = example.replace(named, own.to_str().expect("it is UTF-8"));
    }
    server.configure(&Setup::new().table(&example));
    let checked = server.cli(&["check-config"]);
    assert!(checked.status.success(), "{}{}", lossy(&checked.stdout), lossy(&checked.stderr));
}
