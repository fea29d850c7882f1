//! One set of expressions for each thing that rules look at, so that the server goes over it once for all rules.

use super::pattern::{address_glob, expression, glob};
use mailwright_plugin::Fault;
use mailwright_plugin::patterns::{Patterns, compile};

/// Header fields that rules may look at, each by a set of its own: the server keeps 64 sets of a plugin.
const FIELDS_MAX: usize = 48;

/// Where a rule's expressions lie in the set of their subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    begin: u32,
    end: u32,
}

impl Span {
    /// Whether one of the expressions is among those that were found, which are in order.
    pub(crate) fn is_among(self, found: &[u32]) -> bool {
        let at = found.partition_point(|index| *index < self.begin);
        found.get(at).is_some_and(|index| *index < self.end)
    }
}

/// What is looked at as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The client's name.
    Helo,
    /// The authenticated user.
    User,
    /// The reverse path.
    Sender,
    /// The recipients, each on a line.
    Recipient,
    /// The fields of that name; none is any.
    Header(Option<String>),
    /// Text parts.
    Body,
    /// Names of attachments, each on a line.
    Name,
    /// Their types.
    Type,
    /// Names in archives, each on a line.
    Inside,
}

/// Expressions on their way into sets.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    subjects: Vec<(Subject, Vec<String>)>,
}

impl Gathering {
    /// Takes a rule's patterns on a subject. None if there are none.
    pub(crate) fn add(&mut self, subject: Subject, patterns: &[String]) -> Option<Span> {
        if patterns.is_empty() {
            return None;
        }
        let place = self.subjects.iter().position(|(known, _)| *known == subject).unwrap_or_else(|| {
            self.subjects.push((subject, Vec::new()));
            self.subjects.len() - 1
        });
        let (subject, expressions) = &mut self.subjects[place];
        let begin = expressions.len() as u32;
        expressions.extend(patterns.iter().map(|pattern| match subject {
            Subject::Header(_) | Subject::Body => expression(pattern),
            Subject::Sender | Subject::Recipient => address_glob(pattern),
            _ => glob(pattern),
        }));
        Some(Span { begin, end: expressions.len() as u32 })
    }

    /// Has the server compile them.
    pub(crate) fn compile(self) -> Result<Sets, Fault> {
        let fields = self.subjects.iter().filter(|(subject, _)| matches!(subject, Subject::Header(_))).count();
        if fields > FIELDS_MAX {
            let words = format!("the rules look at {fields} different header fields; {FIELDS_MAX} are the most");
            return Err(Fault::InvalidConfig(words));
        }
        let mut sets = Vec::new();
        for (subject, expressions) in self.subjects {
            let set = compile(&expressions)
                .map_err(|why| Fault::InvalidConfig(format!("patterns of {}: {why}", subject.name())))?;
            sets.push((subject, set));
        }
        Ok(Sets(sets))
    }
}

impl Subject {
    /// What the operator calls it.
    fn name(&self) -> &str {
        match self {
            Self::Helo => "helo",
            Self::User => "user",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Header(None) => "header.\"*\"",
            Self::Header(Some(name)) => name,
            Self::Body => "body",
            Self::Name => "attachment.name",
            Self::Type => "attachment.type",
            Self::Inside => "attachment.inside",
        }
    }
}

/// The compiled sets.
#[derive(Debug, Default)]
pub(crate) struct Sets(Vec<(Subject, Patterns)>);

impl Sets {
    /// The set on a subject; none if no rule looks at it.
    pub(crate) fn of(&self, subject: &Subject) -> Option<Patterns> {
        self.0.iter().find(|(known, _)| known == subject).map(|(_, set)| *set)
    }

    /// What is found of a subject in a text.
    pub(crate) fn found(&self, subject: &Subject, text: &str) -> Vec<u32> {
        self.of(subject).map_or_else(Vec::new, |set| set.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn one_set_serves_all_rules_of_a_subject() {
        let mut gathering = Gathering::default();
        let one = gathering.add(Subject::Sender, &owned(&["a.test", "b.test"])).expect("patterns");
        let two = gathering.add(Subject::Sender, &owned(&["c.test"])).expect("a pattern");
        assert_eq!(gathering.add(Subject::Helo, &[]), None);
        let sets = gathering.compile().expect("they are sound");
        let found = sets.found(&Subject::Sender, "x@b.test");
        assert!(one.is_among(&found) && !two.is_among(&found));
        assert!(two.is_among(&sets.found(&Subject::Sender, "x@c.test")));
        assert!(sets.found(&Subject::Helo, "x").is_empty());
    }

    #[test]
    fn what_can_not_be_compiled_is_named() {
        let mut gathering = Gathering::default();
        gathering.add(Subject::Body, &owned(&["fine", "not (closed"]));
        let Err(Fault::InvalidConfig(words)) = gathering.compile() else { panic!("it is not sound") };
        assert!(words.contains("patterns of body") && words.contains("not (closed"), "{words}");
        let mut gathering = Gathering::default();
        for n in 0..=FIELDS_MAX {
            gathering.add(Subject::Header(Some(format!("X-{n}"))), &owned(&["x"])).expect("a pattern");
        }
        assert!(gathering.compile().is_err());
    }
}
