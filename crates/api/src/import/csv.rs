//! Rows of `values.csv` and `waves.csv`, by the names of their columns.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use model::MissingReason;
use protocols::{Decimal, senml::reason_of};

use super::{ImportError, Reading, Stretch, Value, instant, rate};

/// A longer line is of no table of ours.
const LINE_LEN_MAX: usize = 1 << 20;

/// One row.
pub(super) enum Row {
    Value(Value),
    Stretch(Stretch),
}

/// A file under reading.
pub(super) struct Table {
    path: PathBuf,
    file: BufReader<File>,
    columns: BTreeMap<String, usize>,
    line: usize,
    done: u64,
    len: u64,
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let fault = |source| ImportError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(fault)?;
        let len = file.metadata().map_err(fault)?.len();
        let (file, columns) = (BufReader::new(file), BTreeMap::new());
        let mut table = Self { path: path.to_owned(), file, columns, line: 0, done: 0, len };
        let names = table.fields()?.ok_or_else(|| ImportError::file(path, "it is empty"))?;
        table.columns = names.into_iter().zip(0..).collect();
        let has = |name: &str| table.columns.contains_key(name);
        let is_ours = has("at") && has("channel") && (has("value") || has("samples"));
        if is_ours {
            return Ok(table);
        }
        let what = "its first line does not name the columns at, channel, and value or samples";
        Err(ImportError::file(path, what))
    }

    /// Bytes that were read.
    pub(super) const fn done(&self) -> u64 {
        self.done
    }

    /// Bytes of the file.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    fn wrong(&self, what: impl ToString) -> ImportError {
        ImportError::Line { path: self.path.clone(), line: self.line, what: what.to_string() }
    }

    fn fields(&mut self) -> Result<Option<Vec<String>>, ImportError> {
        let mut line = String::new();
        let read = self.file.read_line(&mut line);
        let read = read.map_err(|source| ImportError::Read { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        self.done = self.done.saturating_add(u64::try_from(read).unwrap_or(0));
        if read > LINE_LEN_MAX {
            return Err(self.wrong("it is longer than a mebibyte"));
        }
        let fields = split(line.trim_end_matches(['\n', '\r']));
        fields.map(Some).ok_or_else(|| self.wrong("a quoted field does not end"))
    }

    pub(super) fn next(&mut self, reading: &Reading) -> Result<Option<Row>, ImportError> {
        let Some(fields) = self.fields()? else { return Ok(None) };
        let text = |name: &str| -> &str {
            let at = self.columns.get(name);
            at.and_then(|at| fields.get(*at)).map_or("", String::as_str)
        };
        let device = match reading.device {
            Some(device) => device,
            None if text("device").is_empty() => return Err(ImportError::NoDevice),
            None => text("device").parse().map_err(|error| self.wrong(error))?,
        };
        let at = instant(text("at")).ok_or_else(|| {
            self.wrong(format!("`{}` is no time; write it like 2026-11-21T08:30:00Z", text("at")))
        })?;
        let named = text("channel");
        let channel = reading.channels.get(named).map_or(named, String::as_str).to_owned();
        let unit = text("unit").to_owned();
        if !self.columns.contains_key("samples") {
            let value = match (text("value"), text("missing")) {
                ("", "") => Err(MissingReason::Unknown),
                ("", why) => Err(reason_of(why)
                    .ok_or_else(|| self.wrong(format!("`{why}` is no reason that is known")))?),
                (value, _) => Ok(Decimal::parse(value)
                    .ok_or_else(|| self.wrong(format!("`{value}` is no decimal number")))?),
            };
            return Ok(Some(Row::Value(Value { device, channel, at, unit, value })));
        }
        let number = |name: &str| self.wrong(format!("`{}` is no {name}", text(name)));
        let rate_hz = rate(text("rate_hz")).ok_or_else(|| number("rate_hz"))?;
        let gain = Decimal::parse(text("gain")).ok_or_else(|| number("gain"))?;
        let offset = text("offset").parse().map_err(|_| number("offset"))?;
        let counts = text("samples").split_ascii_whitespace().map(str::parse);
        let samples: Vec<i32> =
            counts.collect::<Result<_, _>>().map_err(|error| self.wrong(error))?;
        let doubts = text("doubts").split_ascii_whitespace().map(doubt);
        let doubts: Option<Vec<_>> = doubts.collect();
        Ok(Some(Row::Stretch(Stretch {
            device,
            channel,
            at,
            unit,
            rate_hz,
            gain: (gain.mantissa, gain.exp10),
            offset,
            samples,
            doubts: doubts.ok_or_else(|| number("doubts"))?,
        })))
    }
}

/// `from+count:why`.
fn doubt(text: &str) -> Option<(u64, u64, MissingReason)> {
    let (place, why) = text.split_once(':')?;
    let (start, len) = place.split_once('+')?;
    Some((start.parse().ok()?, len.parse().ok()?, reason_of(why)?))
}

/// The fields of a line (RFC 4180); `None` if a quote is left open.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, is_quoted) {
            ('"', true) if letters.next_if_eq(&'"').is_some() => field.push('"'),
            ('"', _) => is_quoted = !is_quoted,
            (',', false) => fields.push(std::mem::take(&mut field)),
            (letter, _) => field.push(letter),
        }
    }
    fields.push(field);
    (!is_quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_be_quoted() {
        for (line, fields) in [
            ("a,b", Some(vec!["a", "b"])),
            ("\"a,b\",\"say \"\"no\"\"\",", Some(vec!["a,b", "say \"no\"", ""])),
            ("\"a", None),
            ("", Some(vec![""])),
        ] {
            let want = fields.map(|it| it.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(split(line), want, "{line}");
        }
    }

    #[test]
    fn a_doubt_is_from_where_how_many_and_why() {
        assert_eq!(doubt("3+20:sensor-detached"), Some((3, 20, MissingReason::SensorDetached)));
        for wrong in ["3:sensor-detached", "3+x:unknown", "3+4", "3+4:tired"] {
            assert_eq!(doubt(wrong), None, "{wrong}");
        }
    }
}
