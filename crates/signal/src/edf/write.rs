//! To bytes: fields of fixed width in printable ASCII, then records.

use std::fmt::Write as _;

use super::{DataRecord, HEAD_LEN, Header, NOTES, Note, Signal};

/// Text of a fixed width: what is not printable ASCII becomes `_`, what is too long is cut.
fn put(out: &mut Vec<u8>, text: &str, width: usize) {
    let plain = text.chars().map(|it| if (' '..='~').contains(&it) { it } else { '_' });
    let plain: String = plain.chain(std::iter::repeat(' ')).take(width).collect();
    out.extend_from_slice(plain.as_bytes());
}

impl Header {
    /// The header of a file of so many records.
    pub fn encode(&self, records: usize) -> Vec<u8> {
        let count = self.signals.len().saturating_add(1);
        let len = count.saturating_add(1).saturating_mul(HEAD_LEN);
        let mut out = Vec::with_capacity(len);
        put(&mut out, "0", 8);
        put(&mut out, &self.patient, 80);
        put(&mut out, &self.recording, 80);
        put(&mut out, &self.date, 8);
        put(&mut out, &self.time, 8);
        put(&mut out, &len.to_string(), 8);
        put(&mut out, if self.has_gaps { "EDF+D" } else { "EDF+C" }, 44);
        put(&mut out, &records.to_string(), 8);
        put(&mut out, &self.record_s, 8);
        put(&mut out, &count.to_string(), 4);
        let notes = Signal {
            label: NOTES.to_owned(),
            transducer: String::new(),
            unit: String::new(),
            physical_min: "-1".to_owned(),
            physical_max: "1".to_owned(),
            digital_min: i16::MIN,
            digital_max: i16::MAX,
            prefiltering: String::new(),
            samples_of_record: self.notes_len_bytes / 2,
        };
        let all = || self.signals.iter().chain(std::iter::once(&notes));
        all().for_each(|it| put(&mut out, &it.label, 16));
        all().for_each(|it| put(&mut out, &it.transducer, 80));
        all().for_each(|it| put(&mut out, &it.unit, 8));
        all().for_each(|it| put(&mut out, &it.physical_min, 8));
        all().for_each(|it| put(&mut out, &it.physical_max, 8));
        all().for_each(|it| put(&mut out, &it.digital_min.to_string(), 8));
        all().for_each(|it| put(&mut out, &it.digital_max.to_string(), 8));
        all().for_each(|it| put(&mut out, &it.prefiltering, 80));
        all().for_each(|it| put(&mut out, &it.samples_of_record.to_string(), 8));
        all().for_each(|_| put(&mut out, "", 32));
        out
    }

    /// Whether a note still fits into a record's bytes for notes.
    pub fn has_room(&self, record: &DataRecord, note: &Note) -> bool {
        let taken = list(record).len().saturating_add(note.len_bytes());
        taken <= self.notes_len_bytes
    }

    /// One record; what does not fit of its notes is left out.
    pub fn encode_record(&self, record: &DataRecord) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, signal) in self.signals.iter().enumerate() {
            let samples = record.samples.get(at).into_iter().flatten();
            let padded = samples.copied().chain(std::iter::repeat(signal.digital_min));
            let padded = padded.take(signal.samples_of_record);
            out.extend(padded.flat_map(i16::to_le_bytes));
        }
        let mut notes = list(record);
        notes.resize(self.notes_len_bytes, 0);
        out.extend(notes);
        out
    }
}

impl Note {
    /// Bytes that the note takes in its record.
    pub fn len_bytes(&self) -> usize {
        self.encode().len()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = seconds(self.onset_ns, true);
        if let Some(duration) = self.duration_ns {
            out.push('\u{15}');
            out.push_str(&seconds(duration, false));
        }
        let text = self.text.chars().filter(|it| !it.is_control());
        out.push('\u{14}');
        out.extend(text);
        out.push_str("\u{14}\0");
        out.into_bytes()
    }
}

/// The record's own time, and its notes.
fn list(record: &DataRecord) -> Vec<u8> {
    let mut out = seconds(record.onset_ns, true).into_bytes();
    out.extend_from_slice(b"\x14\x14\0");
    record.notes.iter().for_each(|note| out.extend(note.encode()));
    out
}

/// Seconds as decimal text without zeros at its end.
fn seconds(nanos: i64, with_plus: bool) -> String {
    let sign = match (nanos < 0, with_plus) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    let (whole, rest) =
        (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let mut text = format!("{sign}{whole}");
    if rest > 0 {
        // Writing into a string cannot fail.
        let _ = write!(text, ".{rest:09}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}
