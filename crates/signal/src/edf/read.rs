//! From bytes: EDF+ of any writer, EDF of old included, whose records follow each other.

use std::str::FromStr;

use super::{DataRecord, EdfError, HEAD_LEN, Header, NOTES, Note, Signal};

/// The most signals of a file, notes included.
const SIGNALS_MAX: usize = 256;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What it says of all records.
    pub header: Header,
    /// The records in the order of the file.
    pub records: Vec<DataRecord>,
}

/// Fields of fixed width, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn text(&mut self, width: usize) -> String {
        let (text, rest) = self.0.split_at_checked(width).unwrap_or((self.0, &[]));
        self.0 = rest;
        String::from_utf8_lossy(text).trim().to_owned()
    }

    fn number<N: FromStr>(&mut self, width: usize, field: &'static str) -> Result<N, EdfError> {
        let found = self.text(width);
        let refused = |_| EdfError::Field {
            field,
            found: found.clone(),
            expected: "a whole number in range",
        };
        found.parse().map_err(refused)
    }
}

/// Reads a file; samples, times and notes are as they were written.
pub fn read(bytes: &[u8]) -> Result<Recording, EdfError> {
    let short = |expected| EdfError::Length { found: bytes.len(), expected };
    let mut fields = Fields(bytes.get(..HEAD_LEN).ok_or(short(HEAD_LEN))?);
    let version = fields.text(8);
    if version != "0" {
        let expected = "0, the only version of EDF";
        return Err(EdfError::Field { field: "version", found: version, expected });
    }
    let (patient, recording) = (fields.text(80), fields.text(80));
    let (date, time) = (fields.text(8), fields.text(8));
    let head_len: usize = fields.number(8, "length of the header")?;
    let form = fields.text(44);
    let count: i64 = fields.number(8, "number of records")?;
    let record_s = fields.text(8);
    let signals: usize = fields.number(4, "number of signals")?;
    if signals > SIGNALS_MAX {
        let (found, expected) = (signals.to_string(), "at most 256");
        return Err(EdfError::Field { field: "number of signals", found, expected });
    }
    let expected = signals.saturating_add(1).saturating_mul(HEAD_LEN);
    if head_len != expected {
        let (found, expected) = (head_len.to_string(), "256 for the file and for each signal");
        return Err(EdfError::Field { field: "length of the header", found, expected });
    }
    let described = described(bytes.get(HEAD_LEN..expected).ok_or(short(expected))?, signals)?;
    let body = bytes.get(expected..).unwrap_or_default();
    let samples: usize = described.iter().map(|it| it.samples_of_record).sum();
    let len = samples.saturating_mul(2);
    // A recording that was cut off says -1; what is there counts.
    let there = body.len().checked_div(len).unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(there);
    let whole = count.saturating_mul(len);
    let body = body.get(..whole).ok_or(short(expected.saturating_add(whole)))?;
    let duration_ns = nanos(record_s.as_bytes());
    let is_plus = form.starts_with("EDF+");
    let mut records = Vec::new();
    if len > 0 {
        for (number, part) in body.chunks_exact(len).enumerate() {
            let at =
                duration_ns.unwrap_or(0).checked_mul(i64::try_from(number).unwrap_or(i64::MAX));
            let record = record(part, &described, (!is_plus).then_some(at).flatten());
            records.push(record.ok_or(EdfError::NoTime { record: number })?);
        }
    }
    let is_note = |it: &Signal| it.label == NOTES;
    let notes: usize =
        described.iter().filter(|it| is_note(it)).map(|it| it.samples_of_record).sum();
    let header = Header {
        patient,
        recording,
        date,
        time,
        has_gaps: form.starts_with("EDF+D"),
        record_s,
        notes_len_bytes: notes.saturating_mul(2),
        signals: described.into_iter().filter(|it| !is_note(it)).collect(),
    };
    Ok(Recording { header, records })
}

fn described(bytes: &[u8], count: usize) -> Result<Vec<Signal>, EdfError> {
    let mut fields = Fields(bytes);
    let mut texts =
        |width: usize| -> Vec<String> { (0..count).map(|_| fields.text(width)).collect() };
    let [labels, transducers, units, mins, maxs, lows, highs, filters, lens] =
        [16, 80, 8, 8, 8, 8, 8, 80, 8].map(&mut texts);
    let mut signals = Vec::new();
    for at in 0..count {
        let of = |list: &[String]| list.get(at).cloned().unwrap_or_default();
        let number = |list: &[String], field| {
            let found = of(list);
            let refused = |_| EdfError::Field {
                field,
                found: found.clone(),
                expected: "a whole number in range",
            };
            found.parse::<i16>().map_err(refused)
        };
        let len = of(&lens);
        let samples_of_record = len.parse::<u32>().ok().and_then(|it| usize::try_from(it).ok());
        let expected = "a whole number in range";
        let refused = EdfError::Field { field: "samples of a record", found: len, expected };
        signals.push(Signal {
            label: of(&labels),
            transducer: of(&transducers),
            unit: of(&units),
            physical_min: of(&mins),
            physical_max: of(&maxs),
            digital_min: number(&lows, "least count")?,
            digital_max: number(&highs, "greatest count")?,
            prefiltering: of(&filters),
            samples_of_record: samples_of_record.ok_or(refused)?,
        });
    }
    Ok(signals)
}

/// One record; its time is `at`, or the first of its notes.
fn record(mut bytes: &[u8], signals: &[Signal], at: Option<i64>) -> Option<DataRecord> {
    let mut record = DataRecord::default();
    let mut onset = at;
    for signal in signals {
        let (own, rest) = bytes.split_at_checked(signal.samples_of_record.checked_mul(2)?)?;
        bytes = rest;
        if signal.label != NOTES {
            let counts = own.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair));
            record.samples.push(counts.collect());
            continue;
        }
        for list in own.split(|byte| *byte == 0).filter(|list| !list.is_empty()) {
            let mut texts = list.split(|byte| *byte == 0x14);
            let mut time = texts.next()?.split(|byte| *byte == 0x15);
            let onset_ns = nanos(time.next()?)?;
            let duration_ns = time.next().and_then(nanos);
            onset = onset.or(Some(onset_ns));
            for text in texts.filter(|text| !text.is_empty()) {
                let text = String::from_utf8_lossy(text).into_owned();
                record.notes.push(Note { onset_ns, duration_ns, text });
            }
        }
    }
    record.onset_ns = onset?;
    Some(record)
}

/// Decimal seconds as nanoseconds; digits beyond the ninth place are left out.
fn nanos(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = whole.bytes().chain(places.bytes()).all(|it| it.is_ascii_digit());
    if whole.is_empty() || !all_digits {
        return None;
    }
    let places: i64 = format!("{places:0<9}").get(..9)?.parse().ok()?;
    let nanos = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(places)?;
    Some(if negative { nanos.checked_neg()? } else { nanos })
}
