//! A value exactly as its source sent it, or the reason why there is none.
//!
//! Nothing here knows what a heart rate is: a new device needs no new type, and
//! glucose stays in the sensor's unit until a decider's door converts it.

use std::{borrow::Cow, fmt};

/// What was measured, in the nomenclature of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A number of ISO/IEEE 11073-10101, with its partition.
    Mdc(u32),
    /// A LOINC number and its check digit.
    Loinc(u32, u8),
}

/// A decimal number with its kind and unit, never rounded on the way in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    /// What was measured.
    pub kind: Code,
    /// The digits.
    pub mantissa: i64,
    /// The power of ten that the mantissa is multiplied by.
    pub exp10: i8,
    /// The unit as its source sent it, in UCUM where the source knew it.
    pub ucum: Ucum,
}

/// The code of a unit; the common ones cost no allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ucum(Cow<'static, str>);

/// Codes that arrive a thousand times a second.
const COMMON: [&str; 16] = [
    "%",
    "/min",
    "{beats}/min",
    "mm[Hg]",
    "Cel",
    "[degF]",
    "mV",
    "uV",
    "mg/dL",
    "mmol/L",
    "L/min",
    "kg",
    "cm",
    "kPa",
    "1",
    "s",
];

impl Ucum {
    /// Keeps the code exactly as given.
    pub fn new(code: &str) -> Self {
        let known = COMMON.iter().find(|known| **known == code);
        Self(known.map_or_else(|| Cow::Owned(code.to_owned()), |known| Cow::Borrowed(*known)))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Ucum {
    fn from(code: &str) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Ucum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one channel gave at one instant.
///
/// This is not an `Option`: the reason reaches the screen and the record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sample {
    /// The sensor gave a value.
    Measured(Measure),
    /// The sensor gave none; a zero is never put in its place.
    Missing(MissingReason),
}

/// Why a value is absent, in words a nurse can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum MissingReason {
    #[error("sensor detached")]
    SensorDetached,
    #[error("device fault")]
    DeviceFault,
    #[error("implausible value")]
    Implausible,
    #[error("out of the sensor's range")]
    OutOfRange,
    #[error("poor signal")]
    PoorSignal,
    #[error("sensor warming up")]
    WarmingUp,
    #[error("not measured")]
    NotMeasured,
    #[error("no reason given")]
    Unknown,
    /// Never said by a device, and never sealed: a person's correction says so.
    #[error("withdrawn by a person")]
    Withdrawn,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mdc(number) => write!(f, "MDC {number}"),
            Self::Loinc(number, check) => write!(f, "LOINC {number}-{check}"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let (places, zeros) = (self.exp10.min(0).unsigned_abs(), self.exp10.max(0));
        let (width, zeros) = (usize::from(places) + 1, "0".repeat(zeros.unsigned_abs().into()));
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(places));
        let point = if places == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{zeros}{point}{fraction} {}", self.ucum)
    }
}

#[test]
fn a_measure_prints_as_it_was_sent() {
    let kind = Code::Loinc(2_339, 0);
    for (mantissa, exp10, want) in [(55, -1, "5.5 g"), (-5, -2, "-0.05 g"), (7, 2, "700 g")] {
        assert_eq!(Measure { kind, mantissa, exp10, ucum: "g".into() }.to_string(), want);
    }
}
