//! What a component says of itself in its custom section `mailwright:manifest`: JSON that the compiler writes.

use super::schema::{Field, Range, Rules, Schema};

/// The version of the contract that this SDK is of.
const CONTRACT: &str = "0.1.0";

/// Who a plugin is.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// The package's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its description; may be empty.
    pub description: &'static str,
    /// What it may be configured with; none where it takes no configuration.
    pub config: Option<Schema>,
}

impl Manifest {
    /// How long its text is.
    #[must_use]
    pub const fn length(&self) -> usize {
        let mut sink = Sink::new(&mut []);
        sink.manifest(self);
        sink.length
    }

    /// Its text, of that length.
    #[must_use]
    pub const fn written<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        let mut sink = Sink::new(&mut octets);
        sink.manifest(self);
        octets
    }
}

/// Where JSON is written; what does not fit is counted.
pub(super) struct Sink<'a> {
    octets: &'a mut [u8],
    length: usize,
}

impl<'a> Sink<'a> {
    pub(super) const fn new(octets: &'a mut [u8]) -> Self {
        Self { octets, length: 0 }
    }

    pub(super) const fn measured(schema: &Schema) -> usize {
        let mut sink = Sink::new(&mut []);
        sink.schema(schema, &Rules::NONE);
        sink.length
    }

    const fn octet(&mut self, octet: u8) {
        if self.length < self.octets.len() {
            self.octets[self.length] = octet;
        }
        self.length += 1;
    }

    /// JSON as it is.
    const fn raw(&mut self, json: &str) {
        let (octets, mut at) = (json.as_bytes(), 0);
        while at < octets.len() {
            self.octet(octets[at]);
            at += 1;
        }
    }

    /// A text in its quotation marks (RFC 8259 7).
    const fn text(&mut self, text: &str) {
        let (octets, mut at) = (text.as_bytes(), 0);
        self.octet(b'"');
        while at < octets.len() {
            match octets[at] {
                octet @ (b'"' | b'\\') => {
                    self.octet(b'\\');
                    self.octet(octet);
                }
                b'\n' => self.raw("\\n"),
                // What else can't stand in JSON has no place in words for people.
                0..0x20 => self.octet(b' '),
                octet => self.octet(octet),
            }
            at += 1;
        }
        self.octet(b'"');
    }

    const fn pair(&mut self, key: &str, value: &str) {
        self.raw(key);
        self.text(value);
    }

    const fn number(&mut self, number: i128) {
        let mut rest = number.unsigned_abs();
        if number < 0 {
            self.octet(b'-');
        }
        let mut unit: u128 = 1;
        while rest / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.octet(b'0' + (rest / unit) as u8);
            rest %= unit;
            unit /= 10;
        }
    }

    const fn manifest(&mut self, manifest: &Manifest) {
        self.pair("{\"contract\":", CONTRACT);
        self.pair(",\"name\":", manifest.name);
        self.pair(",\"version\":", manifest.version);
        if !manifest.description.is_empty() {
            self.pair(",\"description\":", manifest.description);
        }
        if let Some(schema) = &manifest.config {
            self.raw(",\"config\":");
            self.schema(schema, &Rules::NONE);
        }
        self.octet(b'}');
    }

    pub(super) const fn schema(&mut self, schema: &Schema, rules: &Rules) {
        self.octet(b'{');
        self.members(schema, rules);
        self.octet(b'}');
    }

    const fn members(&mut self, schema: &Schema, rules: &Rules) {
        match schema {
            Schema::Bool => self.raw("\"type\":\"boolean\""),
            Schema::Integer { least, most } => {
                let (least, most) = rules.between(*least, *most);
                self.raw("\"type\":\"integer\",\"minimum\":");
                self.number(least);
                self.raw(",\"maximum\":");
                self.number(most);
            }
            Schema::Float => {
                self.raw("\"type\":\"number\"");
                self.range(rules, "", ",\"minimum\":", ",\"maximum\":");
            }
            Schema::Text => {
                self.raw("\"type\":\"string\"");
                self.length(rules, ",\"minLength\":", ",\"maxLength\":");
            }
            Schema::Duration => {
                self.raw("\"type\":\"string\",\"format\":\"mailwright-duration\"");
                self.range(rules, "\"", ",\"x-minimum\":", ",\"x-maximum\":");
            }
            Schema::Size => {
                self.raw("\"type\":[\"integer\",\"string\"],\"format\":\"mailwright-size\"");
                self.range(rules, "\"", ",\"x-minimum\":", ",\"x-maximum\":");
            }
            Schema::Words(words) => {
                self.raw("\"enum\":[");
                let mut at = 0;
                while at < words.len() {
                    self.raw(if at > 0 { "," } else { "" });
                    self.text(words[at]);
                    at += 1;
                }
                self.octet(b']');
            }
            Schema::List(item) => {
                self.raw("\"type\":\"array\",\"items\":");
                self.schema(item, &rules.inner());
                self.length(rules, ",\"minItems\":", ",\"maxItems\":");
            }
            Schema::Map(value) => {
                self.raw("\"type\":\"object\",\"additionalProperties\":");
                self.schema(value, &rules.inner());
                self.length(rules, ",\"minProperties\":", ",\"maxProperties\":");
            }
            Schema::Table { doc, fields } => self.table(doc, fields),
        }
    }

    const fn table(&mut self, doc: &str, fields: &[Field]) {
        self.raw("\"type\":\"object\"");
        if !doc.is_empty() {
            self.pair(",\"description\":", doc);
        }
        self.raw(",\"properties\":{");
        let mut at = 0;
        while at < fields.len() {
            self.raw(if at > 0 { "," } else { "" });
            self.field(&fields[at]);
            at += 1;
        }
        self.raw("},\"required\":[");
        let (mut at, mut comma) = (0, "");
        while at < fields.len() {
            if fields[at].required {
                self.raw(comma);
                self.text(fields[at].name);
                comma = ",";
            }
            at += 1;
        }
        self.raw("],\"additionalProperties\":false");
    }

    const fn field(&mut self, field: &Field) {
        self.text(field.name);
        self.raw(":{");
        // A table's own words would be there twice.
        match field.schema {
            Schema::Table { doc, fields } => self.table(if field.doc.is_empty() { doc } else { field.doc }, fields),
            schema => {
                self.members(schema, &field.rules);
                if !field.doc.is_empty() {
                    self.pair(",\"description\":", field.doc);
                }
            }
        }
        if let Some(default) = field.default {
            self.raw(",\"default\":");
            self.raw(default);
        }
        self.octet(b'}');
    }

    /// The bounds as they were written; an open end is left out.
    const fn range(&mut self, rules: &Rules, quote: &str, least: &str, most: &str) {
        let Some(Range { shown, .. }) = rules.range else { return };
        if !shown.0.is_empty() {
            self.raw(least);
            self.raw(quote);
            self.raw(shown.0);
            self.raw(quote);
        }
        if !shown.1.is_empty() {
            self.raw(most);
            self.raw(quote);
            self.raw(shown.1);
            self.raw(quote);
        }
    }

    const fn length(&mut self, rules: &Rules, least: &str, most: &str) {
        let Some(length) = rules.length else { return };
        self.raw(least);
        self.number(length.0 as i128);
        if length.1 < usize::MAX {
            self.raw(most);
            self.number(length.1 as i128);
        }
    }
}
