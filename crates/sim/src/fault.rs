//! The faults of life, on a script.

use std::fmt;

/// What goes wrong with a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The electrodes fell off: waves say so, numerics are absent with the reason.
    LeadsOff,
    /// The patient moves: noise on every trace, numbers that are wrong or absent.
    Motion,
    /// The cable was pulled: the connection breaks without a goodbye.
    NetworkCut,
    /// It goes on measuring, sends nothing, and then sends all at once.
    Stall,
    /// Its certificate has expired: it is refused until it has a new one.
    Expired,
    /// The clock shows this many seconds too much.
    ClockWrong {
        /// Device minus true time, in seconds.
        ahead_s: f64,
    },
    /// The clock runs too fast.
    ClockDrift {
        /// Seconds that it gains in an hour.
        gains_s_per_hour: f64,
    },
    /// The sensor shows more and more beside the truth.
    SensorDrift {
        /// What it gains in an hour, in the unit of its value.
        gains_per_hour_units: f64,
    },
    /// Every message is sent twice.
    Repeats,
    /// Bytes that nobody can read, once a second beside the good messages.
    Garbage,
    /// A message ends in its middle, and the connection with it, every five seconds.
    HalfWritten,
    /// The battery shows this charge.
    Battery {
        /// Charge, in percent.
        percent: f64,
    },
    /// The battery runs down.
    BatteryDrain {
        /// Percent an hour.
        percent_per_hour: f64,
    },
}

impl Fault {
    /// The words of all faults, in scripts.
    pub const WORDS: [&'static str; 13] = [
        "battery",
        "battery-drain",
        "clock-drift",
        "clock-wrong",
        "expired",
        "garbage",
        "half-written",
        "leads-off",
        "motion",
        "network-cut",
        "repeats",
        "sensor-drift",
        "stall",
    ];

    /// Its word in scripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::LeadsOff => "leads-off",
            Self::Motion => "motion",
            Self::NetworkCut => "network-cut",
            Self::Stall => "stall",
            Self::Expired => "expired",
            Self::ClockWrong { .. } => "clock-wrong",
            Self::ClockDrift { .. } => "clock-drift",
            Self::SensorDrift { .. } => "sensor-drift",
            Self::Repeats => "repeats",
            Self::Garbage => "garbage",
            Self::HalfWritten => "half-written",
            Self::Battery { .. } => "battery",
            Self::BatteryDrain { .. } => "battery-drain",
        }
    }

    /// Whether nothing of the device arrives meanwhile.
    pub(crate) const fn is_deaf(&self) -> bool {
        matches!(self, Self::NetworkCut | Self::Stall | Self::Expired)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A fault of one device for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// The device's place in the hospital's list.
    pub device_index: usize,
    /// What goes wrong.
    pub fault: Fault,
    /// First second after the start.
    pub from_s: f64,
    /// First second after the fault.
    pub until_s: f64,
}

impl Planned {
    /// Whether it holds at this second.
    pub(crate) fn holds(&self, second: f64) -> bool {
        self.from_s <= second && second < self.until_s
    }
}

#[test]
fn a_fault_holds_from_its_first_second_to_the_one_before_its_end() {
    let planned = Planned { device_index: 2, fault: Fault::Garbage, from_s: 5.0, until_s: 7.0 };
    for (second, want) in [(4.9, false), (5.0, true), (6.9, true), (7.0, false)] {
        assert_eq!(planned.holds(second), want, "at {second} s");
    }
}
