//! The kinds of virtual device: what each measures, how often, and how it speaks.

use model::{DeviceId, MissingReason, SiteId};

/// The kinds of device in the hospital; each has its profile under `profiles/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Kind {
    BedsideMonitor,
    IcuMonitor,
    EcgPatch,
    Oximeter,
    Cuff,
    GlucoseSensor,
    GlucoseMeter,
    HomeOximeter,
    WeightScale,
    Spirometer,
}

/// One output of a device that is sent as numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numeric {
    pub(crate) channel: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) decimals: u8,
    pub(crate) value: Result<f64, MissingReason>,
}

/// One output of a device that is sent as samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wave {
    pub(crate) channel: &'static str,
    pub(crate) lead: Option<&'static str>,
    pub(crate) rate_hz: u32,
    /// One count is `mantissa × 10^exp10` of the unit.
    pub(crate) gain: (i64, i8),
    pub(crate) unit: &'static str,
    pub(crate) source: Source,
}

/// What a wave shows of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Ecg,
    Pleth,
    Breath,
}

/// What a device can see of a body; ground truth asks whether anything could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    Beats,
    Rate,
    Saturation,
    Breaths,
    Pressure,
    Temperature,
    Glucose,
}

const ECG: Wave = Wave {
    channel: "MDC_ECG_ELEC_POTL_II",
    lead: Some("II"),
    rate_hz: 250,
    gain: (5, -3),
    unit: "mV",
    source: Source::Ecg,
};
const PLETH: Wave = Wave {
    channel: "MDC_PULS_OXIM_PLETH",
    lead: None,
    rate_hz: 125,
    gain: (1, -3),
    unit: "1",
    source: Source::Pleth,
};
const BREATH: Wave = Wave {
    channel: "MDC_IMPED_TTHOR",
    lead: None,
    rate_hz: 50,
    gain: (1, -3),
    unit: "Ohm",
    source: Source::Breath,
};
/// A sensor on a finger sends fewer samples than a monitor.
const SMALL_PLETH: Wave = Wave { rate_hz: 75, ..PLETH };

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::BedsideMonitor,
        Self::IcuMonitor,
        Self::EcgPatch,
        Self::Oximeter,
        Self::Cuff,
        Self::GlucoseSensor,
        Self::GlucoseMeter,
        Self::HomeOximeter,
        Self::WeightScale,
        Self::Spirometer,
    ];

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BedsideMonitor | Self::IcuMonitor => "Monitor",
            Self::EcgPatch => "ECG patch",
            Self::Oximeter | Self::HomeOximeter => "Oximeter",
            Self::Cuff => "Cuff",
            Self::GlucoseSensor => "Glucose sensor",
            Self::GlucoseMeter => "Glucose meter",
            Self::WeightScale => "Scale",
            Self::Spirometer => "Spirometer",
        }
    }

    /// The name of its profile.
    pub const fn profile(self) -> &'static str {
        match self {
            Self::BedsideMonitor => "bedside-monitor",
            Self::IcuMonitor => "icu-monitor",
            Self::EcgPatch => "ecg-patch",
            Self::Oximeter => "oximeter",
            Self::Cuff => "blood-pressure-cuff",
            Self::GlucoseSensor => "glucose-sensor",
            Self::GlucoseMeter => "glucose-meter",
            Self::HomeOximeter => "home-oximeter",
            Self::WeightScale => "weight-scale",
            Self::Spirometer => "spirometer",
        }
    }

    /// The kind that has this profile.
    pub fn of_profile(profile: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.profile() == profile)
    }

    /// Whether it keeps what it could not send.
    pub const fn buffers(self) -> bool {
        matches!(
            self,
            Self::EcgPatch
                | Self::GlucoseSensor
                | Self::GlucoseMeter
                | Self::HomeOximeter
                | Self::WeightScale
                | Self::Spirometer
        )
    }

    /// Whether its clock follows the network's.
    pub const fn is_synchronised(self) -> bool {
        !matches!(self, Self::EcgPatch)
    }

    pub(crate) const fn waves(self) -> &'static [Wave] {
        match self {
            Self::BedsideMonitor | Self::IcuMonitor => &[ECG, PLETH, BREATH],
            Self::EcgPatch => &[ECG],
            Self::Oximeter => &[SMALL_PLETH],
            Self::Cuff
            | Self::GlucoseSensor
            | Self::GlucoseMeter
            | Self::HomeOximeter
            | Self::WeightScale
            | Self::Spirometer => &[],
        }
    }

    /// Whether electrodes can fall off it.
    pub(crate) const fn has_electrodes(self) -> bool {
        matches!(self, Self::BedsideMonitor | Self::IcuMonitor | Self::EcgPatch)
    }

    /// Seconds between two messages of numerics.
    pub(crate) const fn cadence_s(self, is_at_home: bool) -> u32 {
        match self {
            Self::BedsideMonitor | Self::IcuMonitor | Self::EcgPatch | Self::Oximeter => 1,
            Self::Cuff if is_at_home => 900,
            Self::Cuff => 120,
            Self::HomeOximeter => 60,
            Self::GlucoseSensor => 300,
            Self::GlucoseMeter => 14_400,
            Self::Spirometer => 43_200,
            Self::WeightScale => 86_400,
        }
    }

    /// Seconds without a message after which somebody should wonder, as its profile says.
    pub(crate) const fn silent_after_s(self) -> u32 {
        match self {
            Self::BedsideMonitor | Self::IcuMonitor | Self::Oximeter => 10,
            Self::EcgPatch => 15,
            Self::Cuff => 1_200,
            Self::HomeOximeter => 300,
            Self::GlucoseSensor => 1_200,
            Self::GlucoseMeter | Self::WeightScale | Self::Spirometer => 172_800,
        }
    }

    /// Seconds between two looks at this; `None` if it cannot see it.
    pub(crate) const fn looks_every_s(self, sense: Sense, is_at_home: bool) -> Option<u32> {
        match (self, sense) {
            (Self::BedsideMonitor, Sense::Pressure) => Some(NIBP_EVERY_S),
            (Self::BedsideMonitor | Self::IcuMonitor, Sense::Temperature) => Some(10),
            (Self::BedsideMonitor | Self::IcuMonitor, Sense::Glucose) => None,
            (Self::BedsideMonitor | Self::IcuMonitor, _) => Some(1),
            (Self::EcgPatch, Sense::Beats | Sense::Rate | Sense::Breaths | Sense::Temperature)
            | (Self::Oximeter, Sense::Saturation | Sense::Rate) => Some(1),
            (Self::Cuff, Sense::Pressure)
            | (Self::HomeOximeter, Sense::Saturation | Sense::Rate)
            | (Self::GlucoseSensor, Sense::Glucose) => Some(self.cadence_s(is_at_home)),
            _ => None,
        }
    }
}

/// A monitor inflates its cuff this often.
pub(crate) const NIBP_EVERY_S: u32 = 120;

/// A device as the hospital registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Names it in topics and blocks.
    pub id: DeviceId,
    /// Where its topics live.
    pub site: SiteId,
    /// What it is.
    pub kind: Kind,
    /// The place in the script's list of patients, counted from 0, of whom it measures.
    pub bed_index: usize,
    /// What a nameplate says.
    pub serial: String,
}
