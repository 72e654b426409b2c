//! Every alarm there is: its codes, its class, its urgency, and its words.
//!
//! English is written here; screens translate by [`AlarmKind::key`] and [`Facts`].

use std::{fmt::Write, time::Duration};

use model::{AlarmClass, Priority, Vital};

use crate::{
    edition::Edition,
    limit::Side,
    news2::{self, Trigger},
};

#[cfg(test)]
mod tests;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// A vital beyond the patient's own limit.
    Limit(Vital, Side),
    /// Oxygen saturation so low that nobody's own limit matters.
    Desaturation,
    /// No heart beat for four seconds.
    Asystole,
    /// A heart too slow for any limit.
    ExtremeBradycardia,
    /// A heart too fast for any limit.
    ExtremeTachycardia,
    /// The early warning score asks for somebody.
    Score(Trigger),
    /// Nothing comes from the device.
    DeviceSilent,
    /// The device speaks, and one channel has no signal.
    NoSignal,
    /// A sensor is not on the patient.
    LeadsOff,
    /// The device's clock is wrong, or not synchronised as promised.
    ClockWrong,
    /// Readings come long after they were taken.
    DataLate,
    /// A battery asks for a charger.
    BatteryLow,
    /// A battery is about to end the monitoring.
    BatteryNearlyEmpty,
    /// The journal takes nothing in.
    NotRecording,
    /// The way from device to display takes too long.
    PipelineSlow,
    /// What sounded while nothing was recorded may be missing from the record.
    RecordGap,
    /// A waveform arrives with holes.
    WaveGap,
}

/// The code of an event in ISO/IEEE 11073-10101, partition 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventCode {
    /// The reference id, such as `MDC_EVT_ECG_ASYSTOLE`.
    pub reference: &'static str,
    /// The 32-bit number: partition × 65 536 + term.
    pub number: u32,
}

/// Where the codes come from (clinical reference, section 3.3).
pub const EVENT_CODES: Edition =
    Edition::first("event codes", "DICOM CID 3038; Philips code list; device frameworks", true);

/// What an alarm rests on, in numbers; with the kind it makes the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Facts {
    /// Nothing beyond the kind itself.
    Bare,
    /// A value in thousandths of its vital's unit, and the limit that it crossed.
    #[expect(missing_docs, reason = "the names say it all")]
    Level { vital: Vital, value_thousandths: i64, limit_thousandths: i64 },
    /// For how long something has been so: no beat, no data, on the way.
    Lasting(Duration),
    /// How far a clock runs ahead of ours, in nanoseconds; behind if negative.
    ClockOff {
        /// Device minus ours.
        offset_ns: i64,
    },
    /// A total of NEWS2, in points.
    Total {
        /// 0 to 20.
        points: u8,
    },
    /// The row of NEWS2 that alone reaches three points.
    Red(news2::Input),
}

impl AlarmKind {
    /// Every kind, in the order in which lists show them.
    pub fn all() -> impl Iterator<Item = Self> {
        let limits = Vital::ALL
            .iter()
            .flat_map(|vital| [Side::Low, Side::High].map(|side| Self::Limit(*vital, side)));
        let scores = [Trigger::SingleRed, Trigger::Medium, Trigger::High].map(Self::Score);
        let others = [
            Self::Desaturation,
            Self::Asystole,
            Self::ExtremeBradycardia,
            Self::ExtremeTachycardia,
            Self::DeviceSilent,
            Self::NoSignal,
            Self::LeadsOff,
            Self::ClockWrong,
            Self::DataLate,
            Self::BatteryLow,
            Self::BatteryNearlyEmpty,
            Self::NotRecording,
            Self::PipelineSlow,
            Self::RecordGap,
            Self::WaveGap,
        ];
        others.into_iter().chain(scores).chain(limits)
    }

    /// The stable word for it, in records, interfaces and translations.
    pub fn key(self) -> String {
        let word = match self {
            Self::Limit(vital, Side::Low) => return format!("{}.low", vital_key(vital)),
            Self::Limit(vital, Side::High) => return format!("{}.high", vital_key(vital)),
            Self::Desaturation => "desaturation",
            Self::Asystole => "asystole",
            Self::ExtremeBradycardia => "extreme_bradycardia",
            Self::ExtremeTachycardia => "extreme_tachycardia",
            Self::Score(Trigger::SingleRed) => "news2.single_red",
            Self::Score(Trigger::Medium) => "news2.medium",
            Self::Score(Trigger::High) => "news2.high",
            Self::DeviceSilent => "device_silent",
            Self::NoSignal => "no_signal",
            Self::LeadsOff => "leads_off",
            Self::ClockWrong => "clock_wrong",
            Self::DataLate => "data_late",
            Self::BatteryLow => "battery_low",
            Self::BatteryNearlyEmpty => "battery_nearly_empty",
            Self::NotRecording => "not_recording",
            Self::PipelineSlow => "pipeline_slow",
            Self::RecordGap => "record_gap",
            Self::WaveGap => "wave_gap",
        };
        word.to_owned()
    }

    /// The kind of this key, if there is one.
    pub fn find(key: &str) -> Option<Self> {
        Self::all().find(|kind| kind.key() == key)
    }

    /// Whether the patient or the equipment asks for somebody.
    pub const fn class(self) -> AlarmClass {
        match self {
            Self::Limit(Vital::BatteryLevel, _) => AlarmClass::Technical,
            Self::Limit(..)
            | Self::Desaturation
            | Self::Asystole
            | Self::ExtremeBradycardia
            | Self::ExtremeTachycardia
            | Self::Score(_) => AlarmClass::Physiological,
            Self::DeviceSilent
            | Self::NoSignal
            | Self::LeadsOff
            | Self::ClockWrong
            | Self::DataLate
            | Self::BatteryLow
            | Self::BatteryNearlyEmpty
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::RecordGap
            | Self::WaveGap => AlarmClass::Technical,
        }
    }

    /// How urgent it is unless a person's own limit says otherwise.
    pub const fn priority(self) -> Priority {
        match self {
            Self::Desaturation
            | Self::Asystole
            | Self::ExtremeBradycardia
            | Self::ExtremeTachycardia
            | Self::Score(Trigger::High) => Priority::High,
            Self::Limit(..)
            | Self::Score(Trigger::SingleRed | Trigger::Medium)
            | Self::DeviceSilent
            | Self::NoSignal
            | Self::LeadsOff
            | Self::BatteryNearlyEmpty
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::RecordGap => Priority::Medium,
            Self::ClockWrong | Self::DataLate | Self::BatteryLow | Self::WaveGap => Priority::Low,
        }
    }

    /// Whether it outlives its condition until a person has acknowledged it (RC-023, RC-027).
    pub const fn latches(self) -> bool {
        match self {
            Self::Desaturation
            | Self::Asystole
            | Self::ExtremeBradycardia
            | Self::ExtremeTachycardia
            | Self::RecordGap => true,
            Self::Limit(..)
            | Self::Score(_)
            | Self::DeviceSilent
            | Self::NoSignal
            | Self::LeadsOff
            | Self::ClockWrong
            | Self::DataLate
            | Self::BatteryLow
            | Self::BatteryNearlyEmpty
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::WaveGap => false,
        }
    }

    /// Whether a loss of its evidence is to be weighed in the alarm «no signal».
    ///
    /// A score names its missing inputs itself, and a technical condition is not
    /// blind when its device is: that is what it sees.
    pub const fn needs_signal(self) -> bool {
        match self {
            Self::Score(_) => false,
            Self::Limit(..)
            | Self::Desaturation
            | Self::Asystole
            | Self::ExtremeBradycardia
            | Self::ExtremeTachycardia
            | Self::DeviceSilent
            | Self::NoSignal
            | Self::LeadsOff
            | Self::ClockWrong
            | Self::DataLate
            | Self::BatteryLow
            | Self::BatteryNearlyEmpty
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::RecordGap
            | Self::WaveGap => matches!(self.class(), AlarmClass::Physiological),
        }
    }

    /// Whether this alarm, once raised, tells everything that `other` would about the
    /// same patient or device, and so supersedes it (clinical reference, section 4.2; RC-024).
    pub const fn covers(self, other: Self) -> bool {
        use Side::{High, Low};
        use Vital::{HeartRate, PulseRate, Saturation};
        match self {
            Self::Asystole => matches!(
                other,
                Self::ExtremeBradycardia
                    | Self::ExtremeTachycardia
                    | Self::Limit(HeartRate | PulseRate, _)
            ),
            Self::ExtremeBradycardia => matches!(other, Self::Limit(HeartRate | PulseRate, Low)),
            Self::ExtremeTachycardia => matches!(other, Self::Limit(HeartRate | PulseRate, High)),
            Self::Desaturation => matches!(other, Self::Limit(Saturation, Low)),
            Self::Score(Trigger::High) => {
                matches!(other, Self::Score(Trigger::Medium | Trigger::SingleRed))
            }
            Self::Score(Trigger::Medium) => matches!(other, Self::Score(Trigger::SingleRed)),
            Self::DeviceSilent => {
                matches!(other, Self::NoSignal | Self::WaveGap | Self::DataLate)
            }
            Self::LeadsOff => matches!(other, Self::NoSignal),
            Self::BatteryNearlyEmpty => matches!(other, Self::BatteryLow),
            // Two sources of one rate; whether they say the same is asked in `source`.
            Self::Limit(HeartRate, Low) => matches!(other, Self::Limit(PulseRate, Low)),
            Self::Limit(HeartRate, High) => matches!(other, Self::Limit(PulseRate, High)),
            Self::Limit(..)
            | Self::Score(Trigger::SingleRed)
            | Self::NoSignal
            | Self::ClockWrong
            | Self::DataLate
            | Self::BatteryLow
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::RecordGap
            | Self::WaveGap => false,
        }
    }

    /// Whether it is one source of a rate that others tell too, and goes before them.
    pub const fn is_preferred_source(self) -> bool {
        matches!(self, Self::Limit(Vital::HeartRate, _))
    }

    /// Its code for other systems.
    pub const fn code(self) -> EventCode {
        let (reference, number) = match self {
            Self::Limit(Vital::Temperature, Side::High) => ("MDC_EVT_TEMP_HI_GT_LIM", 197_002),
            Self::Limit(_, Side::High) => ("MDC_EVT_HI_GT_LIM", 196_650),
            Self::Limit(_, Side::Low) => ("MDC_EVT_LO_LT_LIM", 196_672),
            Self::Desaturation => ("MDC_EVT_DESAT", 199_854),
            Self::Asystole => ("MDC_EVT_ECG_ASYSTOLE", 199_684),
            Self::ExtremeBradycardia => ("MDC_EVT_ECG_BRADY_EXTREME", 199_694),
            Self::ExtremeTachycardia => ("MDC_EVT_ECG_TACHY_EXTREME", 199_730),
            Self::DeviceSilent => ("MDC_EVT_DISCONN", 196_630),
            Self::NoSignal => ("MDC_EVT_MSMT_INTERRUP", 196_970),
            Self::LeadsOff => ("MDC_EVT_LEADS_OFF", 196_882),
            Self::BatteryLow | Self::BatteryNearlyEmpty => ("MDC_EVT_BATT_LO", 196_802),
            Self::WaveGap => ("MDC_EVT_WAVE_ARTIF_ERR", 197_040),
            // The nomenclature has no term for these: “not otherwise specified”, and our words.
            Self::Score(_)
            | Self::ClockWrong
            | Self::DataLate
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::RecordGap => ("MDC_EVT_NOS", 258_047),
        };
        EventCode { reference, number }
    }

    /// What is wrong, such as «SpO₂ low 84 %»; `source` is the ward's word for the device, such as «Monitor».
    pub fn title(self, facts: &Facts, source: &str) -> String {
        let mut title = match self {
            Self::Limit(vital, side) => limit_words(vital, side).to_owned(),
            Self::Desaturation => "SpO₂ very low".to_owned(),
            Self::Asystole => "Asystole".to_owned(),
            Self::ExtremeBradycardia => "Extreme bradycardia".to_owned(),
            Self::ExtremeTachycardia => "Extreme tachycardia".to_owned(),
            Self::Score(Trigger::SingleRed) => "NEWS2 red score".to_owned(),
            Self::Score(Trigger::Medium | Trigger::High) => "NEWS2".to_owned(),
            Self::DeviceSilent => format!("{source} silent"),
            Self::NoSignal => format!("{source} without signal"),
            Self::LeadsOff => format!("{source} not on the patient"),
            Self::ClockWrong => format!("{source} clock wrong"),
            Self::DataLate => format!("{source} data late"),
            Self::BatteryLow => format!("{source} battery low"),
            Self::BatteryNearlyEmpty => format!("{source} battery nearly empty"),
            Self::NotRecording => "Not recording".to_owned(),
            Self::PipelineSlow => "Screens behind".to_owned(),
            Self::RecordGap => "Record incomplete".to_owned(),
            Self::WaveGap => format!("{source} waveform with gaps"),
        };
        let added = match *facts {
            Facts::Level { vital, value_thousandths, limit_thousandths } => {
                let shown = self.shown(vital, value_thousandths, limit_thousandths);
                write!(title, " {shown} {}", unit_words(vital))
            }
            Facts::Total { points } => write!(title, " {points}"),
            Facts::Bare | Facts::Lasting(_) | Facts::ClockOff { .. } | Facts::Red(_) => Ok(()),
        };
        added.map_or_else(|_| String::new(), |()| title) // A string takes everything.
    }

    /// Against what, such as «below 88» or «no beat for 4 s»; empty if the title says it all.
    pub fn detail(self, facts: &Facts) -> String {
        match *facts {
            Facts::Level { vital, limit_thousandths, .. } => {
                format!("{} {}", self.breach(), digits(vital, limit_thousandths))
            }
            Facts::Lasting(span) => self.lasting(span),
            Facts::ClockOff { offset_ns } => {
                let way = if offset_ns < 0 { "behind" } else { "ahead" };
                format!("{} {way}", spoken(Duration::from_nanos(offset_ns.unsigned_abs())))
            }
            Facts::Total { .. } if matches!(self, Self::Score(Trigger::High)) => {
                "high risk: emergency assessment".to_owned()
            }
            Facts::Total { .. } => "medium risk: urgent review".to_owned(),
            Facts::Red(input) => format!("3 points for {}", input_words(input)),
            Facts::Bare if self == Self::ClockWrong => "not synchronised".to_owned(),
            Facts::Bare if self == Self::NotRecording => {
                "alarms go on, the record does not".to_owned()
            }
            Facts::Bare => String::new(),
        }
    }

    /// The value as screens print it; with a decimal more if rounding would hide that it
    /// lies beyond its limit.
    fn shown(self, vital: Vital, value_thousandths: i64, limit_thousandths: i64) -> String {
        let step = resolution(vital);
        let whole =
            value_thousandths.saturating_add(step / 2).div_euclid(step).saturating_mul(step);
        let is_hidden = match self.breach() {
            "below" => value_thousandths < limit_thousandths && whole >= limit_thousandths,
            _ => value_thousandths > limit_thousandths && whole <= limit_thousandths,
        };
        digits(vital, if is_hidden { value_thousandths } else { whole })
    }

    /// On which side of its limit the trouble lies; the value itself may be on its way back.
    const fn breach(self) -> &'static str {
        match self {
            Self::Limit(_, Side::Low)
            | Self::Desaturation
            | Self::ExtremeBradycardia
            | Self::BatteryLow
            | Self::BatteryNearlyEmpty => "below",
            Self::Limit(_, Side::High) | Self::ExtremeTachycardia => "above",
            Self::Asystole
            | Self::Score(_)
            | Self::DeviceSilent
            | Self::NoSignal
            | Self::LeadsOff
            | Self::ClockWrong
            | Self::DataLate
            | Self::NotRecording
            | Self::PipelineSlow
            | Self::RecordGap
            | Self::WaveGap => "against",
        }
    }

    fn lasting(self, span: Duration) -> String {
        let whole = spoken(Duration::from_secs(span.as_secs()));
        match self {
            Self::Asystole => format!("no beat for {whole}"),
            Self::DeviceSilent if span < Duration::from_secs(1) => "connection lost".to_owned(),
            Self::DeviceSilent => format!("no data for {whole}"),
            Self::DataLate | Self::PipelineSlow => format!("{} behind", spoken(span)),
            Self::RecordGap => format!("nothing was recorded for {whole} before a restart"),
            Self::Limit(..)
            | Self::Desaturation
            | Self::ExtremeBradycardia
            | Self::ExtremeTachycardia
            | Self::Score(_)
            | Self::NoSignal
            | Self::LeadsOff
            | Self::ClockWrong
            | Self::BatteryLow
            | Self::BatteryNearlyEmpty
            | Self::NotRecording
            | Self::WaveGap => format!("for {whole}"),
        }
    }
}

/// The stable word for a vital, in keys.
pub const fn vital_key(vital: Vital) -> &'static str {
    match vital {
        Vital::BatteryLevel => "battery_level",
        Vital::DiastolicPressure => "diastolic_pressure",
        Vital::Glucose => "glucose",
        Vital::HeartRate => "heart_rate",
        Vital::MeanPressure => "mean_pressure",
        Vital::PulseRate => "pulse_rate",
        Vital::RespiratoryRate => "respiratory_rate",
        Vital::Saturation => "saturation",
        Vital::SystolicPressure => "systolic_pressure",
        Vital::Temperature => "temperature",
    }
}

/// What the ward says of a vital beyond its limit.
const fn limit_words(vital: Vital, side: Side) -> &'static str {
    use Side::{High, Low};
    match (vital, side) {
        (Vital::BatteryLevel, Low) => "Battery low",
        (Vital::BatteryLevel, High) => "Battery high",
        (Vital::DiastolicPressure, Low) => "Diastolic low",
        (Vital::DiastolicPressure, High) => "Diastolic high",
        (Vital::Glucose, Low) => "Glucose low",
        (Vital::Glucose, High) => "Glucose high",
        (Vital::HeartRate, Low) => "Heart rate low",
        (Vital::HeartRate, High) => "Heart rate high",
        (Vital::MeanPressure, Low) => "Mean pressure low",
        (Vital::MeanPressure, High) => "Mean pressure high",
        (Vital::PulseRate, Low) => "Pulse low",
        (Vital::PulseRate, High) => "Pulse high",
        (Vital::RespiratoryRate, Low) => "Breathing slow",
        (Vital::RespiratoryRate, High) => "Breathing fast",
        (Vital::Saturation, Low) => "SpO₂ low",
        (Vital::Saturation, High) => "SpO₂ high",
        (Vital::SystolicPressure, Low) => "Systolic low",
        (Vital::SystolicPressure, High) => "Systolic high",
        (Vital::Temperature, Low) => "Temperature low",
        (Vital::Temperature, High) => "Temperature high",
    }
}

const fn input_words(input: news2::Input) -> &'static str {
    match input {
        news2::Input::RespiratoryRate => "breathing",
        news2::Input::Saturation => "SpO₂",
        news2::Input::Oxygen => "oxygen",
        news2::Input::SystolicPressure => "systolic pressure",
        news2::Input::Pulse => "pulse",
        news2::Input::Consciousness => "consciousness",
        news2::Input::Temperature => "temperature",
    }
}

/// The steps in which a ward reads a vital, in thousandths of its unit.
const fn resolution(vital: Vital) -> i64 {
    match vital {
        Vital::Temperature => 100,
        Vital::BatteryLevel
        | Vital::DiastolicPressure
        | Vital::Glucose
        | Vital::HeartRate
        | Vital::MeanPressure
        | Vital::PulseRate
        | Vital::RespiratoryRate
        | Vital::Saturation
        | Vital::SystolicPressure => 1_000,
    }
}

/// The unit as the ward writes it.
fn unit_words(vital: Vital) -> &'static str {
    match vital.unit() {
        "mm[Hg]" => "mmHg",
        "Cel" => "°C",
        other => other,
    }
}

/// Whole where the value is whole, else with one decimal; temperatures always with one.
fn digits(vital: Vital, thousandths: i64) -> String {
    let whole = thousandths.rem_euclid(1_000) == 0 && vital != Vital::Temperature;
    let tenths = thousandths.saturating_add(50).div_euclid(100);
    let sign = if tenths < 0 { "-" } else { "" };
    let tenths = tenths.unsigned_abs();
    if whole {
        format!("{sign}{}", tenths / 10)
    } else {
        format!("{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

/// A span as one says it: tenths below ten seconds, then seconds, minutes, hours.
fn spoken(span: Duration) -> String {
    match (span.as_secs(), span.subsec_millis() / 100) {
        (seconds @ 0..10, tenths @ 1..) => format!("{seconds}.{tenths} s"),
        (seconds @ 0..120, _) => format!("{seconds} s"),
        (seconds @ 120..7_200, _) => format!("{} min", seconds / 60),
        (seconds, _) => format!("{} h", seconds / 3_600),
    }
}
