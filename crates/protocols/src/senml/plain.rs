//! The short way through a pack in JSON that is spelled plainly, as devices spell it:
//! known labels, texts without escapes, numbers, and nothing nested. One pass, nothing copied.
//!
//! Whatever is spelled otherwise is not read here at all; the parser of [`super::json`] then
//! says what it is. So both ways give the same records, and only that one gives errors.

use std::borrow::Cow;

use super::item::{Item, Label, Record};
use crate::{decimal::Decimal, limits};

/// The records of a plain pack; `None` if it is anything else.
pub(super) fn records(payload: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut scan = Scan(payload);
    let mut records = Vec::with_capacity(16);
    scan.gap();
    scan.take(b'[')?;
    scan.gap();
    if scan.take(b']').is_none() {
        loop {
            if records.len() == limits::RECORDS_MAX {
                return None;
            }
            records.push(scan.record()?);
            if !scan.goes_on(b']')? {
                break;
            }
        }
    }
    scan.gap();
    scan.0.is_empty().then_some(records)
}

/// What is left of the payload.
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    /// Passes over blanks.
    fn gap(&mut self) {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == byte).then(|| self.0 = rest)
    }

    /// Whether another item follows; `None` if neither that nor the end does.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        self.gap();
        if self.take(end).is_some() {
            return Some(false);
        }
        self.take(b',')?;
        self.gap();
        Some(true)
    }

    /// What was taken since `from`.
    fn since(&self, from: &'a [u8]) -> Option<&'a [u8]> {
        from.get(..from.len().checked_sub(self.0.len())?)
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let from = self.0;
        let mut record = Record::new(from);
        self.take(b'{')?;
        self.gap();
        if self.take(b'}').is_none() {
            loop {
                let label = Label::of_text(self.text()?)?;
                self.gap();
                self.take(b':')?;
                self.gap();
                let from = self.0;
                let item = self.item()?;
                record.set(label, item, self.since(from)?);
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        record.raw = self.since(from)?;
        Some(record)
    }

    fn item(&mut self) -> Option<Item<'a>> {
        if self.0.first() == Some(&b'"') {
            return Some(Item::Text(Cow::Borrowed(self.text()?)));
        }
        let len = self.0.iter().position(|byte| !is_of_number(*byte)).unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        let number = str::from_utf8(number).ok().filter(|number| is_number(number.as_bytes()))?;
        Some(Decimal::parse(number).map_or(Item::NotANumber, Item::Number))
    }

    fn text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let len = self.0.iter().position(|byte| !is_plain(*byte))?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        self.take(b'"')?;
        str::from_utf8(text).ok()
    }
}

/// Whether a byte stands for itself in a text.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The grammar of RFC 8259, section 6.
fn is_number(text: &[u8]) -> bool {
    /// What follows the digits at the beginning; `None` if there are none.
    fn after_digits(text: &[u8]) -> Option<&[u8]> {
        let len = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        text.get(len..).filter(|_| len > 0)
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = match text.strip_prefix(b"0") {
        Some(rest) => Some(rest),
        None => after_digits(text),
    };
    let fraction = whole.and_then(|rest| match rest.strip_prefix(b".") {
        Some(rest) => after_digits(rest),
        None => Some(rest),
    });
    let power = fraction.and_then(|rest| match rest.split_first() {
        Some((b'e' | b'E', rest)) => {
            let unsigned = rest.strip_prefix(b"+").or_else(|| rest.strip_prefix(b"-"));
            after_digits(unsigned.unwrap_or(rest))
        }
        Some(_) | None => Some(rest),
    });
    power == Some(&[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::json, *};

    /// What each way makes of a text: the short way if it takes it, and the long way.
    fn both(text: &str) -> (Option<Vec<String>>, Option<Vec<String>>) {
        let short = records(text.as_bytes());
        let short = short.map(|all| all.iter().map(|record| format!("{record:?}")).collect());
        let mut long = Vec::new();
        let told = json::each_in_any_spelling(text.as_bytes(), |record| {
            long.push(format!("{record:?}"));
            Ok(())
        });
        (short, told.is_ok().then_some(long))
    }

    #[track_caller]
    fn check(text: &str, is_short: bool) {
        let (short, long) = both(text);
        assert_eq!(short.is_some(), is_short, "{text}");
        if is_short {
            assert_eq!(short, long, "{text}");
        }
    }

    #[test]
    fn what_devices_send_goes_the_short_way_and_all_else_the_long_one() {
        let pack = r#"[{"bn":"urn:dev:mac:1/","bt":1.7e9,"n":"MDC_TEMP","u":"Cel","v":-36.50},
            {"n":"x","vs":"absent:unknown","t":-1E+2}, { } ,{"v":0,"v":0.0}]"#;
        check(pack, true);
        for plain in ["[]", " [ ] \n", "[{}]", r#"[{"vd":"AQ=="}]"#, r#"[{"s":1e400}]"#] {
            check(plain, true);
        }
        for other in [
            "",
            "[",
            "]",
            "{}",
            "[{}",
            "[{}]x",
            "[{},]",
            "[,{}]",
            "[1]",
            "[{}{}]",
            "\u{feff}[]",
            r#"[{"x":1}]"#,
            r#"[{"x_":1}]"#,
            r#"[{"n":"µ"}]"#,
            r#"[{"n":"\u0041"}]"#,
            "[{\"n\":\"a\tb\"}]",
            r#"[{"vb":true}]"#,
            r#"[{"v":null}]"#,
            r#"[{"v":[1]}]"#,
            r#"[{"v":{}}]"#,
            r#"[{"v":1,}]"#,
            r#"[{"v" 1}]"#,
            r#"[{"v":}]"#,
            r#"[{v:1}]"#,
            r#"[{"n":"a}]"#,
            r#"[{"n":'a'}]"#,
            r#"[{"v":1 2}]"#,
        ] {
            check(other, false);
        }
        for wrong in ["01", "-", "+1", ".5", "1.", "1e", "1e+", "--1", "1.2.3", "1-", "1e5.", "0x1"]
        {
            check(&format!(r#"[{{"v":{wrong}}}]"#), false);
            assert_eq!(both(&format!(r#"[{{"v":{wrong}}}]"#)).1, None, "{wrong}");
        }
        let many = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        check(&many(limits::RECORDS_MAX - 1), true);
        check(&many(limits::RECORDS_MAX), true);
        check(&many(limits::RECORDS_MAX + 1), false);
    }

    proptest! {
        #[test]
        fn what_the_short_way_takes_the_long_way_takes_for_the_same(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "[", "]", "{", "}", ",", ":", " ", "\n", "\"n\"", "\"v\"", "\"u\"", "\"bt\"",
                    "\"vs\"", "\"q\"", "1", "-2.5", "1e3", "0", "00", "1.", "true", "\"a\\n\"",
                    "{\"v\":1}", ",{\"n\":\"x\",\"v\":2}", "[{\"v\":7", "}]",
                ]),
                0..12,
            ),
        ) {
            let text = words.concat();
            if let (Some(short), long) = both(&text) {
                prop_assert_eq!(Some(short), long, "{}", text);
            }
        }
    }
}
