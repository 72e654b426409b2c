//! How many messages a second become durable, acknowledged, decided, shown and readable.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use model::Timestamp;
use serde_json::Value;
use store::Clock;

use super::{
    Ingest,
    feed::Feed,
    figure::Sheet,
    flood::{Flooded, Push, Until, flood},
    fresh_server::FreshServer,
    hospital::{Device, Hospital},
    progress,
    publisher::{Publisher, Seat, address_of, connect_all},
    read_back::{READABLE_WITHIN, Wanted, read_back},
    same::compare_all,
    template::READINGS,
};
use crate::{
    percentile::percentile,
    rest::Rest,
    server_process::{Usage, usage_of},
};

/// Measures and reads back; an error says what was lost.
pub(super) async fn measure(
    asked: &Ingest,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let server = FreshServer::start(scratch).await?;
    let admin = server.admin().await?;
    let (hospital, patients, devices) = stage(&admin, asked.devices as usize).await?;
    let publishers = connect(&devices, &hospital, &server, &clock).await?;
    let feed = Feed::open(&hospital.charge, &hospital.care_unit, &patients, &clock).await?;
    sheet.condition("payload_bytes", publishers.first().map_or(0, Publisher::payload_len));
    describe(asked, sheet);
    progress(&format!("pushing for {} s", asked.seconds));
    let (before, own_before) = (server.usage()?, own_usage()?);
    let push = Push::new(asked.in_flight, asked.rate, asked.devices);
    let until = Until::after(asked.seconds, &clock);
    let from = clock.now();
    let flooded = flood(publishers, push, &until, &clock).await?;
    let (after, own_after) = (server.usage()?, own_usage()?);
    progress(&format!("reading back {} messages", flooded.acked()));
    let wanted = wanted(&patients, &flooded, from, &clock);
    let wanted = Arc::new(wanted);
    let found = read_back(&hospital.charge, &wanted, &clock).await?;
    let ended_at = flooded.ended_at;
    let wanted_readings = flooded.acked() * u64::from(READINGS);
    ensure!(
        found.readings == wanted_readings,
        "{wanted_readings} readings were sent and {} are found",
        found.readings
    );
    let read_back_s = clock.now().since(ended_at).as_secs_f64();
    progress("comparing every reading with what was sent");
    let compared = compare_all(&hospital.charge, &wanted).await?;
    if found.incomplete_until > READABLE_WITHIN {
        let (late, within) = (found.incomplete_until.as_secs_f64(), READABLE_WITHIN.as_secs());
        sheet.breaks(format!("a reading was not readable {late:.1} s after its acknowledgement; {within} s are promised"));
    }
    let shown = feed.close().await?;
    ensure!(shown.numerics > 0, "nothing reached the screen during the run");
    add_rates("ingest", flooded, (before, after), (own_before, own_after), sheet)?;
    sheet.add("ingest.incomplete_until", found.incomplete_until.as_secs_f64(), "s");
    sheet.add("ingest.read_back_took", read_back_s, "s");
    sheet.add("ingest.readings_read_back", found.readings as f64, "1");
    sheet.add("ingest.readings_compared", compared.readings as f64, "1");
    sheet.add("ingest.clock_shift_most", compared.shift_most_ms as f64, "ms");
    sheet.add("ingest.numerics_shown", shown.numerics as f64, "1");
    sheet.add("ingest.feed_restarts", shown.gone as f64, "1");
    sheet.add("ingest.server_rss", after.rss_kib as f64 / 1_024.0, "MiB");
    add_system(&admin.get("/api/v1/system").await?, sheet);
    server.stop().await
}

/// Builds a hospital with a patient for each device.
pub(super) async fn stage(
    admin: &Rest,
    count: usize,
) -> anyhow::Result<(Hospital, Vec<String>, Vec<Device>)> {
    progress(&format!("admitting {count} patients and enrolling as many devices"));
    let hospital = Hospital::build(admin.clone()).await?;
    let patients = hospital.admit(count).await?;
    let devices = hospital.enrol(count, &patients).await?;
    Ok((hospital, patients, devices))
}

/// Connects every device.
pub(super) async fn connect(
    devices: &[Device],
    hospital: &Hospital,
    server: &FreshServer,
    clock: &Clock,
) -> anyhow::Result<Vec<Publisher>> {
    progress(&format!("connecting {} devices", devices.len()));
    let seats: anyhow::Result<Vec<Seat>> =
        devices.iter().map(|device| Seat::of(device, &hospital.site, clock)).collect();
    connect_all(seats?, address_of(server.mqtt()).await?, clock).await
}

/// What this process has used so far.
pub(super) fn own_usage() -> anyhow::Result<Usage> {
    usage_of(std::process::id())
}

/// What a flood of this kind is, for its sheet.
pub(super) fn describe(asked: &Ingest, sheet: &mut Sheet) {
    sheet.condition("devices", asked.devices);
    sheet.condition("in_flight_each", asked.in_flight);
    sheet.condition("rate_limit_per_s", asked.rate.map(std::num::NonZeroU32::get));
    sheet.condition("readings_per_message", READINGS);
    sheet.condition("seconds", asked.seconds);
    sheet.condition("transport", "MQTT 5, QoS 1, TLS 1.3 with client certificates, loopback");
}

fn wanted(patients: &[String], flooded: &Flooded, from: Timestamp, clock: &Clock) -> Wanted {
    // The stamps of a device may run ahead of the clock by a burst, and behind it by a reading.
    let margin = std::time::Duration::from_secs(5);
    Wanted {
        patients: patients.to_vec(),
        stamps: flooded.stamps_by_device.clone(),
        from: from.before(margin),
        to: clock.now().after(margin),
        acked_at: flooded.ended_at,
    }
}

/// Adds what a flood tells of a server, ours or another.
pub(super) fn add_rates(
    name: &str,
    mut flooded: Flooded,
    (before, after): (Usage, Usage),
    (own_before, own_after): (Usage, Usage),
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let acked = flooded.acked();
    ensure!(acked > 0, "not one message was acknowledged");
    let spent = |from: Usage, to: Usage| to.cpu_us.saturating_sub(from.cpu_us) as f64;
    let lasted_us = flooded.ended_at.since(flooded.began_at).as_secs_f64() * 1e6;
    sheet.add(&format!("{name}.messages_per_s"), flooded.per_second(), "1/s");
    sheet.add(&format!("{name}.messages"), acked as f64, "1");
    for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
        let value = percentile(&mut flooded.ack_ms, share).context("no acknowledgement")?;
        sheet.add(&format!("{name}.publish_to_ack_{word}"), value, "ms");
    }
    sheet.add(&format!("{name}.server_cpu_per_message"), spent(before, after) / acked as f64, "us");
    sheet.add(&format!("{name}.server_cores"), spent(before, after) / lasted_us, "1");
    sheet.add(&format!("{name}.generator_cores"), spent(own_before, own_after) / lasted_us, "1");
    Ok(())
}

fn add_system(system: &Value, sheet: &mut Sheet) {
    for (name, pointer) in
        [("ingest.sync_p50", "/journal/fsync_us_p50"), ("ingest.sync_p99", "/journal/fsync_us_p99")]
    {
        if let Some(value) = system.pointer(pointer).and_then(Value::as_f64) {
            sheet.add(name, value, "us");
        }
    }
    if let Some(bytes) = system.pointer("/journal/bytes").and_then(Value::as_f64) {
        sheet.add("ingest.journal_written", bytes / 1e6, "MB");
    }
}
