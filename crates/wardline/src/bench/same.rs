//! Compares every reading that is found with what was sent: its value, and its time.
//!
//! A stored time is the device's own less what its clock is off, as far as the server can tell:
//! at most two seconds, and the same for all readings of a message. Which message a reading is
//! of, its heart rate says; everything else of that message must lie where the heart rate does.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use model::Timestamp;
use serde_json::Value;

use super::{
    flood::rate_of,
    parallel::in_parallel,
    read_back::Wanted,
    template::{VITALS, said},
};
use crate::rest::Rest;

/// Requests under way at once.
const AT_ONCE: usize = 4;
/// A clock that is further off is not believed, so no stored time lies further from its stamp.
const SHIFT_MAX_MS: i64 = 2_000;
/// Messages of one request: with those beside them, and two readings of the saturation each,
/// fewer points than a trend is thinned to.
const MESSAGES_AT_ONCE: usize = 4_000;
const POINTS: usize = 20_000;

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compared {
    /// Readings that are as they were sent.
    pub(super) readings: u64,
    /// The most that a stored time lies from its stamp, in milliseconds.
    pub(super) shift_most_ms: u64,
}

/// How often a vital has a value, in thousandths, at a millisecond.
type Found = HashMap<(i64, i64), u64>;

/// Compares all of it; an error says what is otherwise than it was sent.
pub(super) async fn compare_all(who: &Rest, wanted: &Arc<Wanted>) -> anyhow::Result<Compared> {
    let (who, wanted) = (who.clone(), Arc::clone(wanted));
    let parts = in_parallel(wanted.patients.len(), AT_ONCE, move |number| {
        let (who, wanted) = (who.clone(), Arc::clone(&wanted));
        async move { compare_one(&who, &wanted, number).await }
    })
    .await?;
    Ok(parts.into_iter().fold(Compared::default(), Compared::and))
}

async fn compare_one(who: &Rest, wanted: &Wanted, number: usize) -> anyhow::Result<Compared> {
    let patient = wanted.patients.get(number).context("a device without a patient")?;
    let stamps = wanted.stamps.get(number).context("a patient without a device")?;
    let vitals = VITALS.map(|(vital, _)| vital).join(",");
    let mut all = Compared::default();
    for (part, seq) in stamps.chunks(MESSAGES_AT_ONCE).zip((0_u64..).step_by(MESSAGES_AT_ONCE)) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let from = first.unix_millis() - SHIFT_MAX_MS - 1;
        let to = last.unix_millis() + SHIFT_MAX_MS + 1;
        let answer = who
            .get(&format!(
                "/api/v1/patients/{patient}/trends?from={from}&to={to}&vital={vitals}&points={POINTS}"
            ))
            .await?;
        let trends = Trends::of(&answer)?;
        let compared = trends.compare(part, seq);
        all = all.and(compared.with_context(|| format!("of device {number}"))?);
    }
    Ok(all)
}

/// What was found of each vital.
struct Trends(HashMap<String, Found>);

impl Trends {
    fn of(answer: &Value) -> anyhow::Result<Self> {
        let mut trends = HashMap::new();
        for series in answer.get("series").and_then(Value::as_array).context("no series")? {
            let vital = series.get("vital").and_then(Value::as_str).context("no vital")?;
            let points = series.get("points").and_then(Value::as_array).context("no points")?;
            let count = series.get("count").and_then(Value::as_u64).context("no count")?;
            ensure!(points.len() as u64 == count, "{count} points of {vital} came thinned");
            let mut found = Found::new();
            for point in points {
                let at = point.get(0).and_then(Value::as_i64).context("a point without a time")?;
                let value = point.get(1).and_then(Value::as_f64).context("one without a value")?;
                *found.entry((at, (value * 1_000.0).round() as i64)).or_default() += 1;
            }
            trends.insert(vital.to_owned(), found);
        }
        Ok(Self(trends))
    }

    fn count(&self, vital: &str, at: i64, value: i64) -> u64 {
        self.0.get(vital).and_then(|found| found.get(&(at, value))).copied().unwrap_or(0)
    }

    /// Compares messages from number `first` on, with these stamps.
    fn compare(&self, stamps: &[Timestamp], first: u64) -> anyhow::Result<Compared> {
        let mut by_rate: HashMap<i64, Vec<i64>> = HashMap::new();
        for (at, rate) in self.0.get("heart_rate").into_iter().flatten().map(|(point, _)| *point) {
            by_rate.entry(rate).or_default().push(at);
        }
        let mut compared = Compared::default();
        for (seq, stamp) in (first..).zip(stamps) {
            let (rate, sent_at) = (i64::try_from(rate_of(seq))?, stamp.unix_millis());
            let near = by_rate.get(&rate).into_iter().flatten();
            let mut near = near.filter(|at| (*at - sent_at).abs() <= SHIFT_MAX_MS);
            let (Some(at), None) = (near.next().copied(), near.next()) else {
                bail!("message {seq} of {sent_at} ms has not one heart rate of {rate} thousandths");
            };
            for (vital, each) in VITALS {
                let Some(value) = said(vital, seq) else { continue };
                // Half a millisecond earlier may be the millisecond before.
                let beside = if each > 1 { self.count(vital, at - 1, value) } else { 0 };
                let found = self.count(vital, at, value) + beside;
                ensure!(
                    found == each,
                    "message {seq} said {each} times {value} thousandths of {vital} at {at} ms, \
                     and {found} are found"
                );
                compared.readings += each;
            }
            compared.readings += 1;
            compared.shift_most_ms = compared.shift_most_ms.max((at - sent_at).unsigned_abs());
        }
        Ok(compared)
    }
}

impl Compared {
    fn and(self, other: Self) -> Self {
        Self {
            readings: self.readings + other.readings,
            shift_most_ms: self.shift_most_ms.max(other.shift_most_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Messages 0 and 1 of these stamps, stored so many milliseconds later.
    fn stored(stamps: &[i64], shift: i64) -> Value {
        let of = |vital: &str, each: u64| {
            let mut points = Vec::new();
            for (seq, at) in (0_u64..).zip(stamps) {
                let value = said(vital, seq).unwrap_or(rate_of(seq).cast_signed());
                for number in 0..each.cast_signed() {
                    points.push(json!([
                        at + shift - (each.cast_signed() - 1 - number),
                        value as f64 / 1e3
                    ]));
                }
            }
            json!({ "vital": vital, "count": points.len(), "points": points })
        };
        json!({ "series": VITALS.map(|(vital, each)| of(vital, each)) })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), want: Result<(u64, u64), &str>) {
        let stamps = [1_000, 1_007];
        let mut answer = stored(&stamps, 30);
        change(&mut answer);
        let stamps = stamps.map(Timestamp::from_unix_millis);
        let got = Trends::of(&answer).and_then(|trends| trends.compare(&stamps, 0));
        let got = got.map(|it| (it.readings, it.shift_most_ms)).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned));
    }

    #[test]
    fn what_was_stored_otherwise_than_it_was_sent_is_named() {
        check(|_| {}, Ok((20, 30)));
        check(
            |it| it["series"][0]["points"][1][1] = json!(70.002),
            Err("message 1 of 1007 ms has not one heart rate of 70001 thousandths"),
        );
        check(
            |it| it["series"][2]["points"][0][1] = json!(74.001),
            Err(
                "message 0 said 1 times 74000 thousandths of pulse_rate at 1030 ms, and 0 are found",
            ),
        );
        check(
            |it| it["series"][2]["points"][0][0] = json!(1_031),
            Err(
                "message 0 said 1 times 74000 thousandths of pulse_rate at 1030 ms, and 0 are found",
            ),
        );
        check(
            |it| it["series"][1]["points"][0][0] = json!(1_028),
            Err(
                "message 0 said 2 times 97000 thousandths of saturation at 1030 ms, and 1 are found",
            ),
        );
        check(
            |it| it["series"][0]["points"][0][0] = json!(3_001),
            Err("message 0 of 1000 ms has not one heart rate of 70000 thousandths"),
        );
        check(
            |it| it["series"][3]["count"] = json!(3),
            Err("3 points of respiratory_rate came thinned"),
        );
    }
}
