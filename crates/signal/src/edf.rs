//! Recordings in EDF+ (Kemp and Olivan 2003), to bytes and from bytes: 16-bit signals in data
//! records, each with its own time, so that a recording may have gaps (EDF+D), and notes.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Recording, read};

/// What a file says of all of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who it is of: code, sex, birth date and name with spaces between them, `X` for unknown.
    pub patient: String,
    /// When, by whom and with what it was recorded.
    pub recording: String,
    /// The day, such as `21.11.26`.
    pub date: String,
    /// The second, such as `09.30.00`.
    pub time: String,
    /// Whether records lie apart (EDF+D).
    pub has_gaps: bool,
    /// How long a record is, as decimal text in seconds.
    pub record_s: String,
    /// Bytes of each record for its time and its notes; even.
    pub notes_len_bytes: usize,
    /// The signals, without that of the notes.
    pub signals: Vec<Signal>,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What is measured, such as `ECG II`.
    pub label: String,
    /// The sensor, or the source's name for it.
    pub transducer: String,
    /// The physical unit.
    pub unit: String,
    /// The physical value of the least count, as decimal text in the signal's unit.
    pub physical_min: String,
    /// The physical value of the greatest count, as decimal text in the signal's unit.
    pub physical_max: String,
    /// The least count.
    pub digital_min: i16,
    /// The greatest count.
    pub digital_max: i16,
    /// What was filtered away, or what else is to be known.
    pub prefiltering: String,
    /// Samples of one record, as a count.
    pub samples_of_record: usize,
}

/// A stretch of samples of all signals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataRecord {
    /// When it begins, in nanoseconds after the header's second.
    pub onset_ns: i64,
    /// What is noted; the record's place says nothing about the note's time.
    pub notes: Vec<Note>,
    /// The counts of each signal.
    pub samples: Vec<Vec<i16>>,
}

/// Something noted about a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When, in nanoseconds after the header's second.
    pub onset_ns: i64,
    /// For how long, in nanoseconds, if it lasts.
    pub duration_ns: Option<i64>,
    /// What.
    pub text: String,
}

/// Why bytes are not EDF+.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum EdfError {
    #[error("the file has {found} bytes, and its header asks for {expected}")]
    Length { found: usize, expected: usize },
    #[error("{field} is `{found}`, expected {expected}")]
    Field { field: &'static str, found: String, expected: &'static str },
    #[error("record {record} has no time of its own")]
    NoTime { record: usize },
}

/// The label of the signal that holds notes.
const NOTES: &str = "EDF Annotations";
/// Bytes of the fixed header, and of each signal's part of it.
const HEAD_LEN: usize = 256;
