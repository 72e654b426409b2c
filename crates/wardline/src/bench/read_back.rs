//! Reads back what was acknowledged: every patient, every vital, no reading less and none more.
//! Whether each says what was sent is compared in `same`, which takes longer than is promised.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use model::Timestamp;
use serde_json::Value;
use store::Clock;

use super::{parallel::in_parallel, template::VITALS};
use crate::rest::Rest;

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// After the last acknowledgement everything is readable within this.
pub(super) const READABLE_WITHIN: Duration = Duration::from_secs(2);
/// What is not found by then is lost, and not merely late.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// What is to be found.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The patients' ids, in the order of the devices.
    pub(super) patients: Vec<String>,
    /// The stamps of the acknowledged messages, by device.
    pub(super) stamps: Vec<Vec<Timestamp>>,
    /// The first instant that may hold a reading.
    pub(super) from: Timestamp,
    /// The last one.
    pub(super) to: Timestamp,
    /// When the last acknowledgement was read.
    pub(super) acked_at: Timestamp,
}

/// How the reading went.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadBack {
    /// Readings that were found.
    pub(super) readings: u64,
    /// From the last acknowledgement to the last request that did not find all of its
    /// patient's readings; zero if each patient was complete when first asked about.
    pub(super) incomplete_until: Duration,
}

/// Finds everything again, or says what is missing.
pub(super) async fn read_back(
    who: &Rest,
    wanted: &Arc<Wanted>,
    clock: &Clock,
) -> anyhow::Result<ReadBack> {
    let (who, clock, wanted) = (who.clone(), clock.clone(), Arc::clone(wanted));
    let count = wanted.patients.len();
    let found = in_parallel(count, AT_ONCE, move |number| {
        let (who, wanted, clock) = (who.clone(), Arc::clone(&wanted), clock.clone());
        async move { read_one(&who, &wanted, number, &clock).await }
    })
    .await?;
    let readings = found.iter().map(|one| one.readings).sum();
    let incomplete_until = found.iter().map(|one| one.incomplete_until).max().unwrap_or_default();
    Ok(ReadBack { readings, incomplete_until })
}

async fn read_one(
    who: &Rest,
    wanted: &Wanted,
    number: usize,
    clock: &Clock,
) -> anyhow::Result<ReadBack> {
    let patient = wanted.patients.get(number).context("a device without a patient")?;
    let stamps = wanted.stamps.get(number).context("a patient without a device")?;
    let messages = stamps.len() as u64;
    let vitals = VITALS.map(|(vital, _)| vital).join(",");
    let (from, to) = (wanted.from.unix_millis(), wanted.to.unix_millis());
    let path =
        format!("/api/v1/patients/{patient}/trends?from={from}&to={to}&vital={vitals}&points=10");
    let mut incomplete_until = Duration::ZERO;
    loop {
        let asked_at = clock.now();
        let answer = who.get(&path).await?;
        let lacking = VITALS.iter().find_map(|(vital, each)| {
            let (want, found) = (messages * each, count_of(&answer, vital));
            (found != want).then(|| {
                format!("{want} readings of {vital} were acknowledged and {found} are found")
            })
        });
        let Some(lacking) = lacking else {
            let readings = VITALS.iter().map(|(_, each)| messages * each).sum();
            return Ok(ReadBack { readings, incomplete_until });
        };
        incomplete_until = asked_at.since(wanted.acked_at);
        let lost_after_s = LOST_AFTER.as_secs();
        ensure!(
            incomplete_until < LOST_AFTER,
            "of device {number}, {lacking}, {lost_after_s} s later"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn count_of(answer: &Value, vital: &str) -> u64 {
    let series = answer.get("series").and_then(Value::as_array).into_iter().flatten();
    let mut of_vital = series.filter(|one| one.get("vital").and_then(Value::as_str) == Some(vital));
    of_vital.next().and_then(|one| one.get("count")?.as_u64()).unwrap_or(0)
}
