//! Virtual devices: each measures a body in its own way and speaks its own messages.

use model::{DeviceId, MissingReason, SiteId};

/// The kinds of device in the ward; each has its profile under `profiles/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Kind {
    BedsideMonitor,
    EcgPatch,
    Oximeter,
    Cuff,
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

impl Kind {
    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BedsideMonitor => "Monitor",
            Self::EcgPatch => "ECG patch",
            Self::Oximeter => "Oximeter",
            Self::Cuff => "Cuff",
        }
    }

    /// The name of its profile.
    pub const fn profile(self) -> &'static str {
        match self {
            Self::BedsideMonitor => "bedside-monitor",
            Self::EcgPatch => "ecg-patch",
            Self::Oximeter => "oximeter",
            Self::Cuff => "blood-pressure-cuff",
        }
    }

    /// Whether it keeps what it could not send.
    pub const fn buffers(self) -> bool {
        matches!(self, Self::EcgPatch)
    }

    /// Whether its clock follows the network's.
    pub const fn is_synchronised(self) -> bool {
        !matches!(self, Self::EcgPatch)
    }

    pub(crate) const fn waves(self) -> &'static [Wave] {
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
        match self {
            Self::BedsideMonitor => &[ECG, PLETH, BREATH],
            Self::EcgPatch => &[ECG],
            Self::Oximeter => &[PLETH],
            Self::Cuff => &[],
        }
    }

    /// Seconds between two messages of numerics.
    pub(crate) const fn cadence_s(self) -> u32 {
        match self {
            Self::BedsideMonitor | Self::EcgPatch | Self::Oximeter => 1,
            Self::Cuff => 120,
        }
    }
}

/// A device as the hospital registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Names it in topics and blocks.
    pub id: DeviceId,
    /// Where its topics live.
    pub site: SiteId,
    /// What it is.
    pub kind: Kind,
    /// The place in the ward, counted from 0, of the bed whose patient it measures.
    pub bed_index: usize,
    /// What a nameplate says.
    pub serial: String,
}

/// Which devices stand at the eight beds of the demo ward: six monitors, two beds by patch, oximeter and cuff.
pub fn demo_devices() -> Vec<(usize, Kind)> {
    let monitors = (0..6).map(|bed| (bed, Kind::BedsideMonitor));
    let mobile = [6, 7]
        .into_iter()
        .flat_map(|bed| [Kind::EcgPatch, Kind::Oximeter, Kind::Cuff].map(|kind| (bed, kind)));
    monitors.chain(mobile).collect()
}
