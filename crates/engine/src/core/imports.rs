//! What somebody brought in from a file: it fills the series and decides nothing. No device was
//! heard, no state of anybody changes, and no screen is told, whatever the values are.

use std::sync::Arc;

use ::record::{Imported, ImportedWave};
use model::{ClockUsed, DeviceId, MissingReason, Timestamp};

use super::{
    Core, Turn,
    out::{PointOf, WaveOf},
};
use crate::view::WaveSpanMark;

impl Core {
    /// Hands a part of an import to the series, and says when it is there.
    pub(super) fn take_imported(
        &mut self,
        part: Imported,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        let (org, device) = (self.org_now(), part.device);
        for values in part.values {
            turn.out.points.extend(values.points.iter().map(|point| PointOf {
                org,
                device,
                channel: values.channel.clone(),
                kind: values.code,
                ucum: values.ucum.clone(),
                at: point.at,
                received_at,
                value: point.value,
                is_late: true,
                clock: ClockUsed::Device,
                age_known: false,
            }));
        }
        for wave in part.waves {
            let wave = of_file(wave, device, received_at);
            turn.out.waves.push(WaveOf { org, ..wave });
        }
        if let Some(cause) = self.cause {
            turn.out.answer(cause.position, Ok(None));
        }
    }
}

/// A stretch as the series keep it: nobody compared the clock that its time is from with ours.
fn of_file(wave: ImportedWave, device: DeviceId, received_at: Timestamp) -> WaveOf {
    let mark = |doubt: &::record::ImportedDoubt| WaveSpanMark {
        first_sample: doubt.start,
        len_samples: doubt.len,
        reason: mark_of(doubt.reason),
    };
    WaveOf {
        org: None,
        device,
        channel: wave.channel,
        kind: wave.code,
        at: wave.at,
        received_at,
        is_late: true,
        clock: ClockUsed::Device,
        age_known: false,
        rate_hz: wave.rate_hz,
        gain: wave.gain,
        offset_counts: wave.offset,
        unit: wave.ucum.as_str().into(),
        marks: wave.doubts.iter().map(mark).collect(),
        samples_counts: Arc::from(wave.samples),
    }
}

/// The number of a reason among those of a waveform; what has none of its own was not measured.
const fn mark_of(reason: MissingReason) -> u8 {
    match reason {
        MissingReason::SensorDetached => 1,
        MissingReason::OutOfRange => 2,
        MissingReason::PoorSignal => 3,
        MissingReason::DeviceFault
        | MissingReason::Implausible
        | MissingReason::WarmingUp
        | MissingReason::NotMeasured
        | MissingReason::Unknown
        | MissingReason::Withdrawn => 5,
    }
}
