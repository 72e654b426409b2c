//! By which rule a series is rolled up, and the loop that keeps roll-ups made.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engine::{Directory, default_limits};
use model::Vital;
use protocols::profile::{NumericSpec, Profile};
use store::{RollRule, SeriesKey};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    Api,
    limits::{ROLLS_AT_ONCE, ROLLS_EVERY},
};

/// So many values in a row may be missing before there is a gap.
pub(crate) const MISSED: u32 = 3;
/// How often a channel is taken to give a value that no profile promises.
const UNPROMISED: Duration = Duration::from_secs(60);
/// Millionths in a thousandth.
const MICROS: i64 = 1_000;

/// What a device's profile promises of a channel.
pub(crate) fn promise<'a>(
    directory: &Directory,
    profiles: &'a BTreeMap<String, Profile>,
    key: &SeriesKey,
) -> Option<&'a NumericSpec> {
    let profile = profiles.get(&directory.devices.get(&key.device)?.profile)?;
    profile.channel(&key.channel.0)?.numeric()
}

/// The rule for a series: a value counts until three are missed, and «in range» is what no
/// built-in limit of the vital is beyond, where the series has the vital's own unit.
pub(crate) fn roll_rule(
    directory: &Directory,
    profiles: &BTreeMap<String, Profile>,
    key: &SeriesKey,
) -> RollRule {
    let cadence = promise(directory, profiles, key).map_or(UNPROMISED, |numeric| numeric.cadence);
    let reach_ns = i64::try_from(cadence.saturating_mul(MISSED).as_nanos()).unwrap_or(i64::MAX);
    RollRule { reach_ns, range_micros: usual_range(key) }
}

/// The range that no built-in limit of an adult is beyond, in millionths of the vital's unit.
pub(crate) fn usual_range(key: &SeriesKey) -> Option<(i64, i64)> {
    let vital = Vital::of(key.kind?).filter(|vital| vital.unit() == key.ucum.as_str())?;
    let limits = default_limits().find(|limits| limits.vital == vital)?;
    let micros = |thousandths: i64| thousandths.saturating_mul(MICROS);
    let low = limits.low.map_or(i64::MIN, |side| micros(side.limit_thousandths));
    let high = limits.high.map_or(i64::MAX, |side| micros(side.limit_thousandths));
    Some((low, high))
}

/// Makes roll-ups of new points every minute, until [`Api::stop`].
///
/// One that is not made yet costs the next question time and nothing else.
pub async fn keep_rolls(api: Arc<Api>) {
    let mut every = interval(ROLLS_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = api.stopping();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (series, profiles) = (api.series.clone(), Arc::clone(&api.profiles));
        let (directory, now) = (api.engine.directory(), api.clock.now());
        let tend =
            move || series.tend(now, &|key| roll_rule(&directory, &profiles, key), ROLLS_AT_ONCE);
        match tokio::task::spawn_blocking(tend).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "roll_ups_not_made");
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "roll_ups_broke_off");
            }
        }
    }
}
