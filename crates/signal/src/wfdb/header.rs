//! The text beside a recording: which signals it has, how fast, and what a count is worth.

use std::str::FromStr;

use crate::SampleRate;

/// The most signals a header may name; real records have at most a few dozen.
const SIGNALS_MAX: usize = 256;

/// How samples are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Two bytes a sample, little-endian two's complement.
    Bits16,
    /// Two samples of twelve bits in three bytes.
    Bits212,
}

impl Format {
    /// The value that stands for a sample that was not taken.
    pub fn missing(self) -> i16 {
        match self {
            Self::Bits16 => i16::MIN,
            Self::Bits212 => -2048,
        }
    }
}

/// A record's header: one line about the record, one about each signal, comments.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The record's name.
    pub record: String,
    /// Samples per second of each signal.
    pub rate: SampleRate,
    /// Samples in each signal; `None` where the header leaves it open.
    pub samples: Option<u64>,
    /// The signals, in the order in which their samples alternate.
    pub signals: Vec<Signal>,
    /// Lines after `#`, without it.
    pub comments: Vec<String>,
}

/// One signal of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The file that holds the samples.
    pub file: String,
    /// How they are packed there.
    pub format: Format,
    /// Bytes before the first sample.
    pub offset_bytes: u64,
    /// Counts (ADU) per `unit`.
    pub gain_adu_per_unit: f64,
    /// The count at physical zero.
    pub baseline: i32,
    /// The physical unit, `mV` unless the header says otherwise.
    pub unit: String,
    /// Bits of the converter, if given.
    pub resolution_bits: Option<u32>,
    /// The count in the middle of the converter's range.
    pub adc_zero: i32,
    /// The first sample, if given.
    pub initial: Option<i32>,
    /// The sum of all samples, in 16 bits, if given.
    pub checksum: Option<i16>,
    /// What was measured, such as the lead's name.
    pub description: String,
}

impl Signal {
    /// A sample in microvolts, rounded; `None` where it was not taken or the unit is not a voltage.
    pub fn microvolts(&self, sample: i16) -> Option<i32> {
        let scale = match self.unit.as_str() {
            "V" => 1_000_000.0,
            "mV" => 1_000.0,
            "uV" | "µV" => 1.0,
            _ => return None,
        };
        if sample == self.format.missing() {
            return None;
        }
        let physical =
            (f64::from(sample) - f64::from(self.baseline)) / self.gain_adu_per_unit * scale;
        let in_range = physical.abs() <= f64::from(i32::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be within i32 the line before"
        )]
        let rounded = in_range.then(|| physical.round() as i32);
        rounded
    }
}

/// Why a header could not be read. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Only comments and blank lines.
    #[error("header has no record line")]
    Empty,
    /// A field that must be there is not.
    #[error("line {line} has no {field}")]
    Missing {
        /// The line's number.
        line: usize,
        /// The field's name.
        field: &'static str,
    },
    /// A field that does not read as what it should be.
    #[error("line {line} has {field} `{found}`, expected {expected}")]
    Invalid {
        /// The line's number.
        line: usize,
        /// The field's name.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// Fewer signal lines than the record line announces.
    #[error("header announces {announced} signals and describes {described}")]
    SignalCount {
        /// The number in the record line.
        announced: usize,
        /// The number of lines that follow.
        described: usize,
    },
}

impl Header {
    /// Reads a `.hea` file; records of several segments are refused.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let comments = text
            .lines()
            .filter_map(|l| l.trim().strip_prefix('#'))
            .map(|c| c.trim().to_owned())
            .collect();
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| Line { number: index.saturating_add(1), text: line.trim() })
            .filter(|line| !line.text.is_empty() && !line.text.starts_with('#'));
        let record_line = lines.next().ok_or(HeaderError::Empty)?;
        let mut fields = record_line.text.split_whitespace();
        let record = record_line.required(fields.next(), "record name")?;
        if record.contains('/') {
            return Err(record_line.invalid("record name", record, "a record of one segment"));
        }
        let announced: usize = record_line.number(
            record_line.required(fields.next(), "number of signals")?,
            "number of signals",
        )?;
        if announced > SIGNALS_MAX {
            let found = announced.to_string();
            return Err(record_line.invalid("number of signals", &found, "at most 256"));
        }
        let rate = record_line.rate(fields.next().unwrap_or("250"))?;
        let samples = match fields.next() {
            Some(field) => {
                Some(record_line.number::<u64>(field, "number of samples")?).filter(|n| *n > 0)
            }
            None => None,
        };
        let signals =
            lines.take(announced).map(|line| line.signal()).collect::<Result<Vec<_>, _>>()?;
        if signals.len() != announced {
            return Err(HeaderError::SignalCount { announced, described: signals.len() });
        }
        Ok(Self { record: record.to_owned(), rate, samples, signals, comments })
    }
}

/// A line with its number, so that a refusal can name it.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn required(self, field: Option<&'a str>, name: &'static str) -> Result<&'a str, HeaderError> {
        field.ok_or(HeaderError::Missing { line: self.number, field: name })
    }

    fn invalid(self, field: &'static str, found: &str, expected: &'static str) -> HeaderError {
        HeaderError::Invalid { line: self.number, field, found: found.to_owned(), expected }
    }

    fn number<N: FromStr>(self, text: &str, field: &'static str) -> Result<N, HeaderError> {
        text.parse().map_err(|_| self.invalid(field, text, "a whole number in range"))
    }

    fn optional<N: FromStr>(
        self,
        text: Option<&str>,
        field: &'static str,
    ) -> Result<Option<N>, HeaderError> {
        text.map(|text| self.number(text, field)).transpose()
    }

    /// `360`, `360.5`, and `360/25(0)`, whose part after the slash is the rate of a counter nobody needs.
    fn rate(self, text: &str) -> Result<SampleRate, HeaderError> {
        let refused = || {
            self.invalid("sample rate", text, "a decimal number of Hz above 0 with up to 3 places")
        };
        let decimal = text.split(['/', '(']).next().unwrap_or(text);
        let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
        let all_digits = whole.bytes().chain(places.bytes()).all(|b| b.is_ascii_digit());
        if !all_digits || places.len() > 3 {
            return Err(refused());
        }
        let thousandths: u32 = format!("{whole}{places:0<3}").parse().map_err(|_| refused())?;
        SampleRate::new(thousandths, 1000).map_err(|_| refused())
    }

    fn signal(self) -> Result<Signal, HeaderError> {
        let mut fields = self.text.split_whitespace();
        let file = self.required(fields.next(), "file name")?;
        let (format, offset_bytes) = self.format(self.required(fields.next(), "format")?)?;
        let (gain, baseline, unit) = self.gain(fields.next().unwrap_or("200"))?;
        let resolution_bits = self.optional(fields.next(), "resolution")?;
        let adc_zero = self.optional(fields.next(), "converter zero")?.unwrap_or(0);
        let initial = self.optional(fields.next(), "first sample")?;
        let checksum = self.optional::<i32>(fields.next(), "checksum")?;
        let _block_size: Option<i64> = self.optional(fields.next(), "block size")?;
        let description = fields.collect::<Vec<_>>().join(" ");
        // Headers of the Challenge sets write a sum of 0 beside a `.mat`, whatever is in it, and
        // a first sample of another edition.
        let is_counted = checksum != Some(0) || !file.ends_with(".mat");
        Ok(Signal {
            file: file.to_owned(),
            format,
            offset_bytes,
            gain_adu_per_unit: gain,
            baseline: baseline.unwrap_or(adc_zero),
            unit,
            resolution_bits,
            adc_zero,
            initial: initial.filter(|_| is_counted),
            checksum: checksum.map(wrapped).filter(|_| is_counted),
            description,
        })
    }

    fn format(self, text: &str) -> Result<(Format, u64), HeaderError> {
        let (name, offset) = text.split_once('+').unwrap_or((text, "0"));
        let format = match name {
            "16" => Format::Bits16,
            "212" => Format::Bits212,
            _ => {
                return Err(self.invalid(
                    "format",
                    text,
                    "16 or 212 with one sample a frame and no skew",
                ));
            }
        };
        Ok((format, self.number(offset, "byte offset")?))
    }

    /// `200`, `200/mV`, `200(1024)/mV`; a gain of 0 stands for the default of 200.
    fn gain(self, text: &str) -> Result<(f64, Option<i32>, String), HeaderError> {
        let (numbers, unit) = text.split_once('/').unwrap_or((text, "mV"));
        let (gain, baseline) = match numbers.split_once('(') {
            Some((gain, rest)) => {
                let inner = rest
                    .strip_suffix(')')
                    .ok_or_else(|| self.invalid("gain", text, "a closing bracket"))?;
                (gain, Some(self.number(inner, "baseline")?))
            }
            None => (numbers, None),
        };
        let gain: f64 = gain.parse().map_err(|_| self.invalid("gain", text, "a decimal number"))?;
        if !gain.is_finite() || gain < 0.0 {
            return Err(self.invalid("gain", text, "a finite number, 0 or above"));
        }
        Ok((if gain == 0.0 { 200.0 } else { gain }, baseline, unit.to_owned()))
    }
}

/// Checksums are written with and without sign; only their low 16 bits count.
#[expect(clippy::cast_possible_truncation, reason = "keeping the low 16 bits is the purpose")]
fn wrapped(checksum: i32) -> i16 {
    checksum as i16
}
