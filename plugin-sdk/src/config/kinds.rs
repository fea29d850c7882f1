//! The types that a configuration is made of.

use super::table::Table;
use super::{Json, Misfit, Range, Rules, Schema, Setting, joined, scalar};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A number of octets. The operator writes an integer, or text as `"64KiB"` (B, KiB, MiB, GiB).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl Setting for bool {
    const SCHEMA: Schema = Schema::Bool;
    const EMPTY: Option<&'static str> = Some("false");

    fn read(json: &Json, _rules: &Rules) -> Result<Self, Misfit> {
        match json {
            Json::Bool(truth) => Ok(*truth),
            other => Err(other.misfit("true or false")),
        }
    }
}

/// An integer between the type's own bounds and those of the rules.
fn integer(json: &Json, rules: &Rules, least: i128, most: i128) -> Result<i128, Misfit> {
    let (least, most) = rules.between(least, most);
    let found = match json {
        Json::Number(number) => scalar::integer(number).filter(|number| (least..=most).contains(number)),
        _ => None,
    };
    found.ok_or_else(|| json.misfit(&joined(&["an integer from ", &shown(least), " to ", &shown(most)])))
}

/// All bounds fit one of these: showing 128 bits takes more code.
fn shown(number: i128) -> String {
    match u64::try_from(number) {
        Ok(number) => number.to_string(),
        Err(_) => i64::try_from(number).unwrap_or(i64::MIN).to_string(),
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Setting for $integer {
            const SCHEMA: Schema = Schema::Integer { least: <$integer>::MIN as i128, most: <$integer>::MAX as i128 };
            const EMPTY: Option<&'static str> = Some("0");

            fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
                integer(json, rules, <$integer>::MIN as i128, <$integer>::MAX as i128).map(|number| number as $integer)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Setting for f64 {
    const SCHEMA: Schema = Schema::Float;
    const EMPTY: Option<&'static str> = Some("0");

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        let number = match json {
            Json::Number(number) => number.parse::<Self>().ok(),
            _ => None,
        };
        let bound = |text: &str, open: Self| text.parse().unwrap_or(open);
        match rules.range {
            Some(Range { shown: (least, most), .. }) => {
                let within = |number: &Self| (bound(least, Self::MIN)..=bound(most, Self::MAX)).contains(number);
                number.filter(within).ok_or_else(|| json.misfit(&joined(&["a number from ", least, " to ", most])))
            }
            None => number.ok_or_else(|| json.misfit("a number")),
        }
    }
}

impl Setting for String {
    const SCHEMA: Schema = Schema::Text;
    const EMPTY: Option<&'static str> = Some("\"\"");

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        match json {
            Json::Text(text) if rules.allow(text.chars().count()) => Ok(text.clone()),
            other => Err(other.misfit(&rules.sized("text", "characters"))),
        }
    }
}

impl Setting for Duration {
    const SCHEMA: Schema = Schema::Duration;

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        let found = match json {
            Json::Text(text) => scalar::millis(text).filter(|found| rules.has(*found)),
            _ => None,
        };
        let expected = || rules.ranged("a duration", "with its unit, as \"90s\" (ms, s, m, h, d)");
        found.map(Self::from_millis).ok_or_else(|| json.misfit(&expected()))
    }
}

impl Setting for Size {
    const SCHEMA: Schema = Schema::Size;
    const EMPTY: Option<&'static str> = Some("0");

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        let found = match json {
            Json::Text(text) => scalar::octets(text),
            Json::Number(number) => scalar::integer(number).and_then(|number| u64::try_from(number).ok()),
            _ => None,
        };
        let expected = || rules.ranged("a size", "as an integer in bytes, or text as \"64KiB\"");
        found.filter(|found| rules.has(*found)).map(Self).ok_or_else(|| json.misfit(&expected()))
    }
}

impl<T: Setting> Setting for Option<T> {
    const SCHEMA: Schema = T::SCHEMA;
    const OPTIONAL: bool = true;

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        match json {
            Json::Null => Ok(None),
            json => T::read(json, rules).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Setting> Setting for Box<T> {
    const SCHEMA: Schema = T::SCHEMA;
    const EMPTY: Option<&'static str> = T::EMPTY;
    const OPTIONAL: bool = T::OPTIONAL;

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        T::read(json, rules).map(Self::new)
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self::new)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const SCHEMA: Schema = Schema::List(&T::SCHEMA);
    const EMPTY: Option<&'static str> = Some("[]");

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        let Json::List(items) = json else { return Err(json.misfit(&rules.sized("a list", "items"))) };
        if !rules.allow(items.len()) {
            return Err(json.misfit(&rules.sized("a list", "items")));
        }
        // A list that grows leaves its smaller blocks behind, and a guest's memory stays as large as it once was.
        let mut list = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.push(T::read(item, &rules.inner()).map_err(|misfit| misfit.under(&index.to_string()))?);
        }
        Ok(list)
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    const SCHEMA: Schema = Schema::Map(&T::SCHEMA);
    const EMPTY: Option<&'static str> = Some("{}");

    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit> {
        let Json::Table(entries) = json else { return Err(json.misfit(&rules.sized("a table", "keys"))) };
        if !rules.allow(entries.len()) {
            return Err(json.misfit(&rules.sized("a table", "keys")));
        }
        let read = |(key, value): &(String, Json)| match T::read(value, &rules.inner()) {
            Ok(value) => Ok((key.clone(), value)),
            Err(misfit) => Err(misfit.under(key)),
        };
        entries.iter().map(read).collect()
    }
}

impl Setting for () {
    const SCHEMA: Schema = Schema::Table { doc: "", fields: &[] };
    const EMPTY: Option<&'static str> = Some("{}");

    fn read(json: &Json, _rules: &Rules) -> Result<Self, Misfit> {
        Table::of(json, &[]).map(|_| ())
    }
}
