//! When a device was heard last, and how full its battery was then, from the series.
//!
//! A device that speaks answers to the first and shortest question; the longer ones
//! are asked only about those that are silent.

use std::time::Duration;

use model::{Channel, DeviceId, Measure, OrgId, Timestamp, Vital};
use protocols::profile::Profile;
use store::{DatabaseError, Question, Series};

use crate::dto::words::number;

/// How far back is looked, the shortest first.
const LOOKS: [Duration; 3] =
    [Duration::from_secs(30), Duration::from_secs(3_600), Duration::from_secs(86_400)];

/// What is known of a device's last words.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    /// When the newest sample of the last day reached us.
    pub(crate) at: Option<Timestamp>,
    pub(crate) battery_percent: Option<f64>,
}

/// Looks a device up; blocks while it reads.
pub(crate) fn heard(
    series: &Series,
    org: OrgId,
    device: DeviceId,
    profile: &Profile,
    now: Timestamp,
) -> Result<Heard, DatabaseError> {
    let question = |channel: Channel, back: Duration| Question {
        org,
        device,
        channel,
        from: now.before(back),
        to: Timestamp::from_unix_nanos(i64::MAX),
    };
    let mut found = Heard::default();
    for back in LOOKS {
        for (spec, _) in profile.numerics() {
            let answer = series.query(&question(spec.channel(), back))?;
            let points = answer.stretches.iter().flat_map(|stretch| &stretch.items);
            let points = points.filter(|point| !point.marks.is_of_a_file());
            found.at = found.at.max(points.map(|point| point.received_at).max());
        }
        if found.at.is_some() {
            break;
        }
    }
    let Some(battery) = profile.battery.clone().filter(|_| found.at.is_some()) else {
        return Ok(found);
    };
    for stretch in series.query(&question(battery, Duration::from_secs(3_600)))?.stretches {
        let newest = stretch.items.iter().rev();
        let newest = newest.filter(|point| !point.marks.is_of_a_file());
        let newest = newest.filter_map(|point| point.value.ok()).next();
        if let Some(((mantissa, exp10), kind)) = newest.zip(stretch.kind) {
            let measure = Measure { kind, mantissa, exp10, ucum: stretch.ucum };
            found.battery_percent = Vital::BatteryLevel.thousandths(&measure).ok().map(number);
        }
    }
    Ok(found)
}
