//! One sample from one channel of one device, with everything known of its time.
//!
//! **Absent on purpose:** the patient. Whose a reading is, [`crate::who`] answers
//! anew at each question, because a late transfer must be able to correct it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{DeviceId, Sample, Timestamp};

/// The output of a device that a profile names, such as `MDC_ECG_HEART_RATE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub Arc<str>);

impl From<&str> for Channel {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A [`Sample`] with its source and its times.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the types say it all")]
pub struct Reading {
    pub device: DeviceId,
    pub channel: Channel,
    pub times: Times,
    pub sample: Sample,
}

/// What each clock on the way said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// By the device, as sent and never rewritten.
    pub device_at: Timestamp,
    /// The device's own time when it sent the message (`wl:now`), if it said so.
    pub device_now: Option<Timestamp>,
    /// By the gateway that passed it on, if there was one.
    pub gateway_at: Option<Timestamp>,
    /// By us, at receipt.
    pub received_at: Timestamp,
    /// How far the device's clock can be trusted.
    pub clock: Clock,
    /// Whether its profile says that the device keeps samples and sends them later.
    pub may_be_buffered: bool,
}

/// What is known of a device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Nobody vouches for it.
    Unsynchronised,
    /// It was compared with ours, and runs ahead (or behind, if negative) by this.
    Synchronised {
        /// Device minus UTC.
        offset_ns: i64,
    },
}

/// The clock that an instant was taken from; screens mark all but the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ClockUsed {
    Device,
    Gateway,
    Receiver,
}

/// When the body was measured, whose clock says so, and whether the age is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The best estimate; it orders everything.
    pub at: Timestamp,
    /// Whose clock it came from.
    pub by: ClockUsed,
    /// Without it the sample may be hours old: it is marked and decides nothing.
    pub age_known: bool,
}

/// A device further off than this is not believed (decisions, “Time”).
const OFFSET_MAX: Duration = Duration::from_secs(2);

impl Times {
    /// The best estimate of when the body was measured.
    ///
    /// An unsynchronised device is given the gateway's time or ours, less the
    /// sample's age by the device's own clock, so that old values never look new.
    pub fn taken(&self) -> Taken {
        if let Clock::Synchronised { offset_ns } = self.clock
            && Duration::from_nanos(offset_ns.unsigned_abs()) <= OFFSET_MAX
        {
            let corrected = self.device_at.unix_nanos().saturating_sub(offset_ns);
            // Nothing was measured after it arrived, less its age by the device's own clock:
            // one sample from the future would make every later one look old.
            let age = self.device_now.map_or(Duration::ZERO, |now| now.since(self.device_at));
            let at = Timestamp::from_unix_nanos(corrected).min(self.received_at.before(age));
            return Taken { at, by: ClockUsed::Device, age_known: true };
        }
        let (at, by) = self
            .gateway_at
            .map_or((self.received_at, ClockUsed::Receiver), |at| (at, ClockUsed::Gateway));
        match self.device_now {
            Some(now) => Taken { at: at.before(now.since(self.device_at)), by, age_known: true },
            None => Taken { at, by, age_known: !self.may_be_buffered },
        }
    }
}

#[test]
fn a_clock_is_believed_up_to_two_seconds_and_corrected() {
    use ClockUsed::{Device, Gateway, Receiver};
    let at = |seconds: i64| Timestamp::from_unix_nanos(seconds * 1_000_000_000);
    let times = |device_at, device_now, clock| Times {
        device_at,
        device_now,
        gateway_at: None,
        received_at: at(300),
        clock,
        may_be_buffered: false,
    };
    let check =
        |clock, gateway_at, device_now: Option<i64>, buffers, want: (i64, ClockUsed, bool)| {
            let times = Times {
                device_at: at(100),
                device_now: device_now.map(at),
                gateway_at,
                received_at: at(300),
                clock,
                may_be_buffered: buffers,
            };
            let got = times.taken();
            assert_eq!((got.at, got.by, got.age_known), (at(want.0), want.1, want.2), "{times:?}");
        };
    let off_by = |offset_ns| Clock::Synchronised { offset_ns };
    let early = Times { received_at: at(99), ..times(at(100), None, off_by(0)) };
    assert_eq!(early.taken().at, at(99), "nothing is measured after it arrives");
    // Two of one message keep their distance.
    let aged =
        |device_at| Times { received_at: at(99), ..times(at(device_at), Some(at(100)), off_by(0)) };
    assert_eq!([100, 99, 97].map(|it| aged(it).taken().at), [99, 98, 96].map(at));
    check(off_by(2_000_000_000), Some(at(200)), None, false, (98, Device, true));
    check(off_by(-2_000_000_000), None, None, true, (102, Device, true));
    check(off_by(2_000_000_001), Some(at(200)), None, false, (200, Gateway, true));
    check(off_by(i64::MIN), None, None, false, (300, Receiver, true));
    check(Clock::Unsynchronised, Some(at(200)), None, false, (200, Gateway, true));
    // A buffering device that does not say its own time: the age is unknown.
    check(Clock::Unsynchronised, None, None, true, (300, Receiver, false));
    // Its sample is forty seconds old by its own clock, whatever that clock shows.
    check(Clock::Unsynchronised, None, Some(140), true, (260, Receiver, true));
    check(off_by(9_000_000_000), Some(at(200)), Some(101), true, (199, Gateway, true));
    // A sample from the device's future is not younger than now.
    check(Clock::Unsynchronised, None, Some(90), true, (300, Receiver, true));
}
