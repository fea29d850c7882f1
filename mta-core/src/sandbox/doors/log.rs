//! The host functions of the grants `log` and `metrics`.

use super::super::host::bindings::mailwright::plugin as wire;
use super::super::host::call::Call;
use crate::base::event::Event;
use crate::base::world::metrics::Refused;

/// Longest log line with its fields, in octets.
const LOG_LINE_BYTES_MAX: usize = 1024;

impl wire::log::Host for Call {
    fn write(&mut self, level: wire::log::Level, message: String, fields: Vec<(String, String)>) {
        let second = self.now_ms() / 1000;
        let Some(dropped) = self.plugin.log.pass(second, self.plugin.budget.log_lines_per_second_max) else { return };
        let mut left = LOG_LINE_BYTES_MAX;
        let message = printable(self.withheld(message), &mut left);
        let mut fields: Vec<(String, String)> = fields
            .into_iter()
            .map(|(key, value)| (printable(self.withheld(key), &mut left), printable(self.withheld(value), &mut left)))
            .take_while(|(key, _)| !key.is_empty())
            .collect();
        if dropped > 0 {
            fields.push(("lines_dropped".to_owned(), dropped.to_string()));
        }
        let delivery = self.scene.delivery.as_ref().map(|delivery| delivery.id);
        self.world.observe.event(Event::PluginLog {
            plugin: &self.plugin.name,
            level: match level {
                wire::log::Level::Error => "error",
                wire::log::Level::Warn => "warn",
                wire::log::Level::Info => "info",
                wire::log::Level::Debug => "debug",
            },
            message: &message,
            fields: &fields,
            session: self.scene.session.as_ref().map(|session| &*session.id),
            id: delivery.or(self.scene.message.as_ref().map(|message| message.id)),
        });
    }
}

impl Call {
    /// Whether a sample would show the password that the call is about to whoever reads the metrics.
    fn counts_password(&self, name: &str, labels: &[(String, String)]) -> bool {
        let gives_away = |(key, value): &(String, String)| self.gives_away(key) || self.gives_away(value);
        self.gives_away(name) || labels.iter().any(gives_away)
    }

    /// A sample that can't be counted is dropped: a hook has no better use for an error. The log says so once.
    fn counted(&self, metric: &str, counted: Result<(), Refused>) {
        let Err(why) = counted else { return };
        if self.plugin.figures.refused(why) {
            let metric = printable(metric.to_owned(), &mut { LOG_LINE_BYTES_MAX });
            let event = Event::PluginMetricDropped { plugin: &self.plugin.name, metric: &metric, why: &why.why() };
            self.world.observe.event(event);
        }
    }
}

impl wire::metrics::Host for Call {
    fn add(&mut self, name: String, labels: Vec<(String, String)>, delta: i64) {
        // What a shadow counts would stand beside what was done.
        if self.plugin.shadow || self.counts_password(&name, &labels) {
            return;
        }
        self.counted(&name, self.plugin.figures.own().add(&name, labels, delta));
    }

    fn observe(&mut self, name: String, labels: Vec<(String, String)>, value: f64) {
        if self.plugin.shadow || self.counts_password(&name, &labels) {
            return;
        }
        self.counted(&name, self.plugin.figures.own().observe(&name, labels, value));
    }
}

/// Without control characters and within what is left of the line.
fn printable(text: String, left: &mut usize) -> String {
    let mut text = if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text };
    text.truncate(text.floor_char_boundary(*left));
    *left -= text.len();
    text
}
