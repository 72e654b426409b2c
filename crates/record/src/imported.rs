//! What was measured before and elsewhere, as somebody brought it in from a file: history,
//! told as such, which goes to the series and decides nothing.

use minicbor::Decoder;
use model::{Channel, Code, DeviceId, ImportId, MissingReason, Timestamp, Ucum, UserId};

use crate::{BodyError, Coded, Encoder, coded, coded::array_len};

/// A part of an import: values and waveforms of one device out of one file, with their own times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The import; its parts have this in common.
    pub import: ImportId,
    /// Who brought it in.
    pub by: UserId,
    /// The device that measured.
    pub device: DeviceId,
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of the file's bytes.
    pub sha256: [u8; 32],
    /// The form of the file, such as `edf`.
    pub form: String,
    /// Single values, by what they are of.
    pub values: Vec<ImportedValues>,
    /// Waveforms, each a stretch without a gap.
    pub waves: Vec<ImportedWave>,
}

/// Single values of one channel in one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedValues {
    /// The output of the device.
    pub channel: Channel,
    /// What was measured, if that is known.
    pub code: Option<Code>,
    /// The unit of every value.
    pub ucum: Ucum,
    /// The values, in any order.
    pub points: Vec<ImportedPoint>,
}

/// One value with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedPoint {
    /// When it was measured, as the file says.
    pub at: Timestamp,
    /// Mantissa and power of ten, or why there is none.
    pub value: Result<(i64, i8), MissingReason>,
}

/// A stretch of a waveform without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedWave {
    /// The output of the device.
    pub channel: Channel,
    /// What was measured, if that is known.
    pub code: Option<Code>,
    /// The unit.
    pub ucum: Ucum,
    /// The time of the first sample, as the file says.
    pub at: Timestamp,
    /// Samples a second, as numerator and denominator.
    pub rate_hz: (u32, u32),
    /// Mantissa and power of ten of one count, in the unit.
    pub gain: (i64, i8),
    /// Subtracted from a count before the gain is applied.
    pub offset: i32,
    /// The counts.
    pub samples: Vec<i32>,
    /// Samples that are there and mean nothing.
    pub doubts: Vec<ImportedDoubt>,
}

/// Samples of a stretch without a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedDoubt {
    /// The first of them, by its place in the stretch.
    pub start: u32,
    /// How many.
    pub len: u32,
    /// Why they mean nothing.
    pub reason: MissingReason,
}

coded! {
    struct Imported {
        0 import, 1 by, 2 device, 3 file, 4 sha256, 5 form, 6 values, 7 waves
    }
    struct ImportedValues { 0 channel, 1 code, 2 ucum, 3 points }
    struct ImportedWave {
        0 channel, 1 code, 2 ucum, 3 at, 4 rate_hz, 5 gain, 6 offset, 7 samples, 8 doubts
    }
    struct ImportedDoubt { 0 start, 1 len, 2 reason }
}

impl Coded for ImportedPoint {
    /// `[at, mantissa, exp10]`, or `[at, reason]`: there are many of them.
    fn write(&self, e: &mut Encoder<'_>) {
        match self.value {
            Ok((mantissa, exp10)) => {
                e.array(3);
                self.at.write(e);
                mantissa.write(e);
                exp10.write(e);
            }
            Err(reason) => {
                e.array(2);
                self.at.write(e);
                reason.write(e);
            }
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let len = array_len(d)?;
        let at = Timestamp::read(d)?;
        let value = match len {
            3 => Ok((i64::read(d)?, i8::read(d)?)),
            2 => Err(MissingReason::read(d)?),
            _ => return Err(BodyError::malformed("an imported value has two items or three")),
        };
        Ok(Self { at, value })
    }
}
