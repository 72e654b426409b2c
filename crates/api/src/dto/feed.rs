//! What travels on the feed: text for what changed, binary for traces.

use engine::{Directory, view};
use minicbor::{Encoder, encode};
use model::{CareUnitId, StaffId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    alarm::Alarm,
    bed::{BoardBed, StillOn},
    news::News2,
    numeric::Numeric,
    report::DeviceReport,
    words::time,
};

/// A text frame from the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum FeedSays {
    /// The first frame.
    Hello {
        /// The feed begins behind this cursor.
        cursor: String,
        /// The server's time.
        now: String,
        /// It goes on exactly where the page was.
        resumed: bool,
    },
    /// What changed.
    Delta(Box<Delta>),
    /// The watchdog device's beat, which came the whole way.
    Beat(Beat),
    /// The page missed something: it reads the board again.
    Gone {
        /// Why.
        reason: &'static str,
    },
    /// Blocks of this trace were dropped, as the page was too slow for them.
    Gap {
        /// Whose trace.
        patient: String,
        /// Its source.
        device: String,
        /// Its channel.
        channel: String,
    },
    /// Something is not permitted, or not understood.
    Problem {
        /// As in HTTP.
        status: u16,
        /// A stable word for the kind of problem.
        #[serde(rename = "type")]
        kind: &'static str,
        /// What to know.
        detail: String,
    },
}

/// What changed in a care unit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delta {
    cursor: String,
    at: String,
    recording: bool,
    /// How many openings in an emergency wait for whoever runs the care unit.
    to_review: usize,
    /// The devices of the care unit that are still on patients who left, whole; left out where
    /// no bed changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    still_on: Option<Vec<StillOn>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    numerics: Vec<NumericAt>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alarms: Vec<Alarm>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beds: Vec<BoardBed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    news2: Vec<News2At>,
    /// What devices say about themselves, without their own words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reports: Vec<ReportAt>,
    /// When the newest cause was measured and received.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
}

/// A number and where it belongs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NumericAt {
    patient: String,
    bed: Option<String>,
    numeric: Numeric,
}

/// A score and where it belongs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct News2At {
    patient: String,
    bed: Option<String>,
    news2: News2,
}

/// What a device says about itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReportAt {
    device: String,
    report: DeviceReport,
}

/// The times of a cause.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sent {
    device_at: String,
    received_at: String,
}

/// A sign that the way from device to screen is whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Beat {
    now: String,
    seq: u64,
    device_at: String,
    received_at: String,
    recording: bool,
    /// Why it does not record: `disk_full` or `disk_fault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// A text frame from a page.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum PageSays {
    /// Which traces it draws from now on.
    Want {
        /// `board`, `patient` or `none`.
        waves: String,
        /// Whose, with `patient`.
        patient: Option<String>,
    },
    /// An alarm was painted on a screen that somebody could see.
    Painted {
        /// Which.
        alarm: String,
        /// When, by the server's time as the page knows it.
        at: String,
    },
}

/// Why the journal does not record, in a word.
pub(crate) const fn why(recording: view::Recording) -> Option<&'static str> {
    match recording {
        view::Recording::Yes => None,
        view::Recording::DiskFull => Some("disk_full"),
        view::Recording::DiskFault => Some("disk_fault"),
    }
}

impl Delta {
    /// The delta as this member of staff sees it.
    pub(crate) fn of(
        it: &view::Delta,
        directory: &Directory,
        (me, unit): (Option<StaffId>, CareUnitId),
    ) -> Self {
        let bed = |bed: Option<model::BedId>| bed.map(|bed| bed.to_string());
        Self {
            cursor: it.cursor.to_string(),
            at: time(it.at),
            recording: it.recording.is_on(),
            to_review: directory.to_review(unit),
            still_on: (!it.beds.is_empty()).then(|| StillOn::of_unit(directory, unit, it.at)),
            numerics: it
                .numerics
                .iter()
                .map(|of| NumericAt {
                    patient: of.patient.to_string(),
                    bed: bed(of.bed),
                    numeric: Numeric::at(&of.numeric, it.at),
                })
                .collect(),
            alarms: it.alarms.iter().map(|alarm| Alarm::of(alarm, directory, me)).collect(),
            beds: it.beds.iter().map(|bed| BoardBed::of(bed, directory, me, it.at)).collect(),
            news2: it
                .news2
                .iter()
                .map(|of| News2At {
                    patient: of.patient.to_string(),
                    bed: bed(of.bed),
                    news2: News2::at(&of.news2, it.at),
                })
                .collect(),
            reports: it
                .reports
                .iter()
                .map(|report| ReportAt {
                    device: report.device.to_string(),
                    report: DeviceReport::of(report).without_words(),
                })
                .collect(),
            sent: it.sent.map(|sent| Sent {
                device_at: time(sent.device_at),
                received_at: time(sent.received_at),
            }),
        }
    }
}

impl Beat {
    pub(crate) fn of(it: &view::Beat) -> Self {
        Self {
            now: time(it.now),
            seq: it.seq,
            device_at: time(it.device_at),
            received_at: time(it.received_at),
            recording: it.recording.is_on(),
            why: why(it.recording),
        }
    }
}

/// A frame without a body: the server's time and place.
pub(crate) fn hello(cursor: engine::Cursor, now: Timestamp, resumed: bool) -> FeedSays {
    FeedSays::Hello { cursor: cursor.to_string(), now: time(now), resumed }
}

/// A trace block as a binary frame: a CBOR map by small keys, its samples 16 bit little-endian.
///
/// A count beyond 16 bit stands at the end of its range and is marked saturated (2).
pub(crate) fn wave_frame(it: &view::Wave) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(it.samples_counts.len().saturating_mul(2).saturating_add(160));
    // A vector takes all that is written to it.
    let _ = write_wave(it, &mut Encoder::new(&mut bytes));
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit into 53 bits")]
fn write_wave(
    it: &view::Wave,
    e: &mut Encoder<&mut Vec<u8>>,
) -> Result<(), encode::Error<std::convert::Infallible>> {
    let narrow =
        |count: i32| i16::try_from(count).unwrap_or(if count < 0 { i16::MIN } else { i16::MAX });
    let samples: Vec<u8> =
        it.samples_counts.iter().flat_map(|count| narrow(*count).to_le_bytes()).collect();
    let cut =
        it.samples_counts.iter().zip(0_u32..).filter(|(count, _)| i16::try_from(**count).is_err());
    let cut = cut.map(|(_, at)| (at, 1_u32, 2_u8));
    let marks: Vec<(u32, u32, u8)> = it
        .marks
        .iter()
        .map(|mark| (mark.first_sample, mark.len_samples, mark.reason))
        .chain(cut)
        .collect();
    e.map(11)?;
    e.u8(0)?.bytes(&it.device.uuid().to_be_bytes())?;
    e.u8(1)?.str(&it.channel.0)?;
    e.u8(2)?.f64(it.start.unix_nanos() as f64 / 1e6)?;
    e.u8(3)?.array(2)?.u32(it.rate_hz.0)?.u32(it.rate_hz.1)?;
    e.u8(4)?.array(2)?.i64(it.gain.0)?.i8(it.gain.1)?;
    e.u8(5)?.i32(it.offset_counts)?;
    e.u8(6)?.str(&it.unit)?;
    e.u8(7)?.bytes(&samples)?;
    e.u8(8)?;
    if marks.is_empty() {
        e.null()?;
    } else {
        e.array(marks.len() as u64)?;
        for (first, len, reason) in marks {
            e.array(3)?.u32(first)?.u32(len)?.u8(reason)?;
        }
    }
    e.u8(9)?.bytes(&it.patient.uuid().to_be_bytes())?;
    e.u8(10)?.bool(it.gap_before)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::{CareUnitId, DeviceId, PatientId};

    use super::*;

    #[test]
    fn a_trace_frame_has_the_bytes_that_pages_read() {
        let at = Timestamp::from_unix_millis(1_795_226_400_000);
        let wave = view::Wave {
            care_unit: CareUnitId::v7(at, 1),
            patient: PatientId::v7(at, 2),
            device: DeviceId::v7(at, 3),
            channel: "MDC_PULS".into(),
            start: at,
            rate_hz: (125, 1),
            gain: (5, -3),
            offset_counts: -2,
            unit: "mV".into(),
            samples_counts: [1, -1, 40_000].into(),
            marks: vec![view::WaveSpanMark { first_sample: 0, len_samples: 1, reason: 1 }],
            gap_before: true,
            on_board: true,
        };
        let hex: String = wave_frame(&wave).iter().map(|byte| format!("{byte:02x}")).collect();
        let uuid = |uuid: u128| format!("50{uuid:032x}");
        let parts = [
            format!("ab00{}", uuid(wave.device.uuid())),
            "01684d44435f50554c53".to_owned(),
            format!("02fb{:016x}", 1_795_226_400_000_f64.to_bits()),
            "0382187d01".to_owned(),
            "04820522".to_owned(),
            "0521".to_owned(),
            "06626d56".to_owned(),
            "0746".to_owned() + "0100ffffff7f",
            "0882".to_owned() + "83000101" + "83020102",
            format!("09{}", uuid(wave.patient.uuid())),
            "0af5".to_owned(),
        ];
        assert_eq!(hex, parts.concat());
    }
}
