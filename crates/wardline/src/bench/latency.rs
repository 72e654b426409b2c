//! How long a reading and an alarm take to a nurse's screen while the ward is busy.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use model::Timestamp;
use store::Clock;

use super::{
    Latency,
    feed::{Feed, Shown},
    figure::Sheet,
    fresh_server::FreshServer,
    ingest::{connect, own_usage, stage},
    paced::{Paced, Plan, Sent, pace},
    progress,
    template::{RATE_OF_ALARM, READINGS},
};
use crate::percentile::percentile;

/// The first seconds warm caches and connections up, and do not count.
const WARM_UP: Duration = Duration::from_secs(2);
/// A frame belongs to a message that left at most so long before it.
const BELONGS_WITHIN: Duration = Duration::from_secs(3);
/// Of all readings so many must have been shown for the figure to say anything.
const SHOWN_MIN: f64 = 0.95;

/// Measures both ways; an error says what never reached the screen.
pub(super) async fn measure(
    asked: &Latency,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let server = FreshServer::start(scratch).await?;
    let admin = server.admin().await?;
    let devices_count = asked.devices as usize;
    let (hospital, patients, devices) = stage(&admin, devices_count).await?;
    let racing = devices_count / 2;
    hospital.set_quick_limits(patients.get(..racing).unwrap_or_default()).await?;
    let publishers = connect(&devices, &hospital, &server, &clock).await?;
    let feed = Feed::open(&hospital.charge, &hospital.care_unit, &patients, &clock).await?;
    let from = clock.now().after(Duration::from_millis(200));
    let plan = Plan {
        from,
        until: from.after(WARM_UP).after(Duration::from_secs(asked.seconds)),
        every: Duration::from_secs_f64(f64::from(asked.devices) / f64::from(asked.rate.get())),
        racing,
        devices: devices_count,
    };
    progress(&format!("sending {} messages a second for {} s", asked.rate, asked.seconds));
    let (before, own_before) = (server.usage()?, own_usage()?);
    let paced = pace(publishers, &plan, &clock).await?;
    let (after, own_after) = (server.usage()?, own_usage()?);
    // The last frames are still on their way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let shown = feed.close().await?;
    ensure!(shown.gone == 0, "the screen was sent away {} times", shown.gone);
    sheet.condition("devices", asked.devices);
    sheet.condition("rate_per_s", asked.rate.get());
    sheet.condition("readings_per_message", READINGS);
    sheet.condition("seconds", asked.seconds);
    sheet.condition("beds_on_the_screen", asked.devices);
    add_latencies(paced, &shown, from.after(WARM_UP), sheet)?;
    let spent = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    let lasted_s = plan.until.since(plan.from).as_secs_f64();
    sheet.add("latency.server_cores", spent(before.cpu_us, after.cpu_us) / lasted_s, "1");
    sheet.add(
        "latency.generator_cores",
        spent(own_before.cpu_us, own_after.cpu_us) / lasted_s,
        "1",
    );
    server.stop().await
}

fn add_latencies(
    mut paced: Paced,
    shown: &Shown,
    counts_from: Timestamp,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let sent = paced.sent.iter().filter(|one| one.at >= counts_from).count();
    let mut readings = readings_to_screen(&paced.sent, shown, counts_from);
    let (mut alarms, onsets) = alarms_to_screen(&paced.sent, shown, counts_from);
    let counted = paced.sent.iter().filter(|one| counts(one, counts_from)).count();
    let share = readings.len() as f64 / counted.max(1) as f64;
    sheet.add("latency.messages", sent as f64, "1");
    sheet.add("latency.readings_shown", share, "1");
    ensure!(share >= SHOWN_MIN, "{:.1} % of the readings reached the screen", share * 100.0);
    ensure!(
        alarms.len() == onsets,
        "{onsets} alarms were provoked and {} were shown",
        alarms.len()
    );
    let rows = [
        ("latency.reading_to_screen", &mut readings),
        ("latency.alarm_to_screen", &mut alarms),
        ("latency.publish_to_ack", &mut paced.ack_ms),
        ("latency.sent_late", &mut paced.late_ms),
    ];
    for (name, samples) in rows {
        for (word, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let value = percentile(samples, share).with_context(|| format!("{name}: nothing"))?;
            sheet.add(&format!("{name}_{word}"), value, "ms");
        }
    }
    sheet.add("latency.alarms", onsets as f64, "1");
    Ok(())
}

/// A racing heart shows the same number again, so only the others can be told apart.
fn counts(one: &Sent, from: Timestamp) -> bool {
    one.at >= from && one.rate_thousandths != RATE_OF_ALARM
}

/// From the last byte of a message to the first frame with its heart rate, in milliseconds.
fn readings_to_screen(sent: &[Sent], shown: &Shown, from: Timestamp) -> Vec<f64> {
    let mut frames = BTreeMap::<(usize, u64), Vec<Timestamp>>::new();
    for rate in &shown.rates {
        let key = (rate.patient, rate.rate_thousandths);
        frames.entry(key).or_default().push(rate.read_at);
    }
    let latency = |one: &Sent| {
        let read = frames.get(&(one.device, one.rate_thousandths))?;
        let first = read.iter().find(|read_at| belongs(one.at, **read_at))?;
        Some(millis(one.at, *first))
    };
    sent.iter().filter(|one| counts(one, from)).filter_map(latency).collect()
}

/// From the first message beyond its limit to the first frame with its alarm, in
/// milliseconds; and how many such messages there were.
fn alarms_to_screen(sent: &[Sent], shown: &Shown, from: Timestamp) -> (Vec<f64>, usize) {
    let mut frames = BTreeMap::<usize, Vec<Timestamp>>::new();
    for alarm in &shown.alarms {
        frames.entry(alarm.patient).or_default().push(alarm.read_at);
    }
    let latency = |one: &Sent| {
        let read = frames.get(&one.device)?;
        read.iter().find(|read_at| belongs(one.at, **read_at)).map(|read| millis(one.at, *read))
    };
    let onsets: Vec<&Sent> = sent.iter().filter(|one| one.is_onset && one.at >= from).collect();
    (onsets.iter().filter_map(|one| latency(one)).collect(), onsets.len())
}

/// A frame may be read before the clock is read after the write: by the machine's own jitter.
fn belongs(sent_at: Timestamp, read_at: Timestamp) -> bool {
    let jitter = Duration::from_millis(20);
    read_at.after(jitter) >= sent_at && read_at.since(sent_at) < BELONGS_WITHIN
}

fn millis(sent_at: Timestamp, read_at: Timestamp) -> f64 {
    read_at.since(sent_at).as_secs_f64() * 1_000.0
}

#[test]
fn a_frame_is_matched_with_the_message_that_it_shows() {
    use super::feed::{ShownAlarm, ShownRate};
    let at = Timestamp::from_unix_millis;
    let sent = |device, rate_thousandths, millis, is_onset| Sent {
        device,
        rate_thousandths,
        at: at(millis),
        is_onset,
    };
    let sent = [
        sent(0, 70_001, 1_000, false),
        sent(1, 70_001, 1_010, false),
        sent(0, RATE_OF_ALARM, 2_000, true),
        sent(0, RATE_OF_ALARM, 2_100, false),
        sent(0, 70_004, 9_000, false),
    ];
    let rate = |patient, rate_thousandths, millis| ShownRate {
        patient,
        rate_thousandths,
        read_at: at(millis),
    };
    let shown = Shown {
        rates: vec![rate(0, 70_001, 1_004), rate(1, 70_001, 1_013), rate(0, 70_004, 8_000)],
        alarms: vec![ShownAlarm { patient: 0, read_at: at(2_007) }],
        ..Shown::default()
    };
    assert_eq!(readings_to_screen(&sent, &shown, at(0)), [4.0, 3.0]);
    assert_eq!(readings_to_screen(&sent, &shown, at(1_005)), [3.0]);
    assert_eq!(alarms_to_screen(&sent, &shown, at(0)), (vec![7.0], 1));
}
