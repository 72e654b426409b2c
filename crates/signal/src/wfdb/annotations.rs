//! What people marked in a recording: beats, rhythms, and noise, in the MIT format.
//!
//! A file is a row of little-endian 16-bit words, six bits of code above ten bits of step since the mark before;
//! codes from 59 on are not marks but set something, or carry a longer step or a text.

use std::ops::Range;

/// A mark at one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The sample it marks, counted from the record's first.
    pub sample: u64,
    /// What is marked.
    pub code: AnnotationCode,
    /// A finer kind, with a meaning of its own for each code.
    pub subtype: i8,
    /// The signal it belongs to.
    pub channel: u8,
    /// A number the annotator may use.
    pub number: i8,
    /// Text, such as `(AFIB` for a change of rhythm; bytes that are not UTF-8 are replaced.
    pub text: String,
}

impl Annotation {
    /// Whether it marks a heartbeat, see [`AnnotationCode::is_beat`].
    pub fn is_beat(&self) -> bool {
        self.code.is_beat()
    }
}

/// What is marked, 1 to 49, by the table of WFDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnnotationCode(u8);

/// Symbols by code; a blank stands for a code without one.
const SYMBOLS: &[u8; 50] = b" NLRaVFJASEj/Q~ | sT*D\"=pB^t+u?![]en@xf()r        ";
/// The symbols that mark a beat.
const BEATS: &str = "NLRBAaJSVrFejnE/fQ?";

impl AnnotationCode {
    /// The code with this printed symbol, such as `N` or `[`.
    pub fn from_symbol(symbol: char) -> Option<Self> {
        let found = SYMBOLS.iter().position(|s| char::from(*s) == symbol && *s != b' ')?;
        u8::try_from(found).ok().map(Self)
    }

    /// The number in the file.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The printed symbol, a blank where the table has none.
    pub fn symbol(self) -> char {
        SYMBOLS.get(usize::from(self.0)).map_or(' ', |symbol| char::from(*symbol))
    }

    /// Whether this marks a heartbeat, of whatever kind; a flutter wave is none.
    pub fn is_beat(self) -> bool {
        BEATS.contains(self.symbol())
    }
}

/// Why bytes are not a file of annotations. Positions are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationsError {
    /// The bytes end before the word that ends the file, or within a field.
    #[error("annotations end at byte {at} without their end mark")]
    Unterminated {
        /// The number of bytes given.
        at: usize,
    },
    /// A field without a mark it could belong to.
    #[error("byte {at} sets a field of an annotation before the first one")]
    Orphan {
        /// Where the field begins.
        at: usize,
    },
    /// A step back before the first sample, or beyond what can be counted.
    #[error("byte {at} steps outside the recording")]
    OutOfTime {
        /// Where the step stands.
        at: usize,
    },
    /// A code that the table does not have.
    #[error("byte {at} has code {code}, expected 0 to 49 or 59 to 63")]
    UnknownCode {
        /// Where the word stands.
        at: usize,
        /// The code found.
        code: u8,
    },
}

const CODE_MAX: u8 = 49;
const SKIP: u8 = 59;
const NUMBER: u8 = 60;
const SUBTYPE: u8 = 61;
const CHANNEL: u8 = 62;
const TEXT: u8 = 63;

/// Reads an `.atr` file; what stands after its end mark is not looked at.
pub fn annotations(bytes: &[u8]) -> Result<Vec<Annotation>, AnnotationsError> {
    let mut words = Words { bytes, at: 0 };
    let mut found: Vec<Annotation> = Vec::new();
    let mut time: i64 = 0;
    loop {
        let at = words.at;
        let orphan = AnnotationsError::Orphan { at };
        let [low, high] = words.take()?;
        let code = high >> 2;
        let step = u16::from_be_bytes([high & 3, low]);
        match code {
            0 if step == 0 => return Ok(found),
            SKIP => {
                let [b0, b1, b2, b3] = words.take()?;
                let long_step = i32::from_be_bytes([b1, b0, b3, b2]);
                time = time
                    .checked_add(i64::from(long_step))
                    .ok_or(AnnotationsError::OutOfTime { at })?;
            }
            NUMBER => found.last_mut().ok_or(orphan)?.number = low.cast_signed(),
            SUBTYPE => found.last_mut().ok_or(orphan)?.subtype = low.cast_signed(),
            CHANNEL => found.last_mut().ok_or(orphan)?.channel = low,
            TEXT => {
                let text = words.take_text(usize::from(step))?;
                found.last_mut().ok_or(orphan)?.text = text;
            }
            0..=CODE_MAX => {
                time =
                    time.checked_add(i64::from(step)).ok_or(AnnotationsError::OutOfTime { at })?;
                let sample = u64::try_from(time).map_err(|_| AnnotationsError::OutOfTime { at })?;
                // Number and channel hold until they are set anew; subtype and text are of one mark.
                let (channel, number) =
                    found.last().map_or((0, 0), |before| (before.channel, before.number));
                let code = AnnotationCode(code);
                found.push(Annotation {
                    sample,
                    code,
                    subtype: 0,
                    channel,
                    number,
                    text: String::new(),
                });
            }
            _ => return Err(AnnotationsError::UnknownCode { at, code }),
        }
    }
}

/// The stretches, from sample to sample, of ventricular flutter or fibrillation between `[` and `]`; one left open lasts to the end.
pub fn flutter(annotations: &[Annotation]) -> Vec<Range<u64>> {
    let mut stretches = Vec::new();
    let mut since = None;
    for annotation in annotations {
        match annotation.code.symbol() {
            '[' => since = since.or(Some(annotation.sample)),
            ']' => stretches
                .extend(since.take().map(|start| start..annotation.sample.saturating_add(1))),
            _ => {}
        }
    }
    stretches.extend(since.map(|start| start..u64::MAX));
    stretches
}

/// The bytes not yet read, and where they begin.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Words<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], AnnotationsError> {
        let unterminated = AnnotationsError::Unterminated { at: self.bytes.len() };
        let chunk =
            self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(unterminated)?;
        self.at += N;
        Ok(*chunk)
    }

    /// Texts are padded to an even number of bytes.
    fn take_text(&mut self, length: usize) -> Result<String, AnnotationsError> {
        let unterminated = AnnotationsError::Unterminated { at: self.bytes.len() };
        let end = self.at + length;
        let text = self.bytes.get(self.at..end).ok_or(unterminated)?;
        self.at = end + length % 2;
        Ok(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
    }
}
