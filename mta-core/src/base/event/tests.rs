//! Names of events, and how loud they are.

use super::*;

#[test]
fn an_event_is_counted_under_the_name_it_is_logged_with() {
    let events = [
        Event::Started { version: "1", hostname: "h" },
        Event::NotificationQueued { id: QueueId(1), about: QueueId(2), kind: "failed", to: "a@b" },
        Event::Bug { place: "p", why: "w" },
    ];
    for event in events {
        let logged = serde_json::to_value(&event).expect("events are JSON");
        assert_eq!(logged["event"], event.name());
    }
    assert_eq!(NAMES.last(), Some(&"bug"));
}

#[test]
fn a_plugin_says_how_loud_it_is() {
    let said = |level| Event::PluginLog { plugin: "p", level, message: "m", fields: &[], session: None, id: None };
    assert_eq!(said("warn").level(), Level::Warn);
    assert_eq!(said("trace").level(), Level::Info);
}
