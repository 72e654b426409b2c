//! `demo --check`: a minute of the ward, watched from outside, and every figure added up.
//!
//! The server is a process of its own and is driven through its public interfaces
//! only. What was acknowledged must be found again, what was found must have been
//! sent, and an alarm must have reached a screen, a nurse, and the next nurse.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use model::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sim::{Fidelity, Hospital, Intent, Kind};
use store::Clock;
use tokio::sync::mpsc;

use super::{
    players::{Answered, Players, enrolled},
    screen::{Screen, Shown},
    stage::{self, Stage},
};
use crate::{
    percentile::percentile, recordings::recordings, rest::Rest, scenarios,
    server_process::ServerProcess,
};

/// How long the ward lives.
const LASTS: Duration = Duration::from_secs(60);
/// By then something must have been acknowledged.
const FIRST_ANSWERS: Duration = Duration::from_secs(12);
/// A number on a screen belongs to the message that was taken this close to it.
const SAME_READING: Duration = Duration::from_millis(300);
/// How long stored data may take to be readable.
const READABLE_WITHIN: Duration = Duration::from_secs(2);
/// How long everything after the server's start may take.
const WITHIN: Duration = Duration::from_secs(85);

/// The one line of the check.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    beds: usize,
    devices_connected: usize,
    sent: u64,
    stored: u64,
    duplicates: u64,
    refused: u64,
    dead_letters: u64,
    waveform_samples_stored: u64,
    alarms_raised: usize,
    alarms_acknowledged: usize,
    alarms_escalated: usize,
    reading_to_screen_ms_p50: f64,
    reading_to_screen_ms_p99: f64,
    alarm_to_screen_ms_p50: f64,
    alarm_to_screen_ms_p99: f64,
    rss_mib: f64,
}

/// Runs the check; an error says which part of the way is broken.
pub(crate) async fn check(seed: u64) -> anyhow::Result<Figures> {
    let data = tempdir()?;
    let mut server = ServerProcess::start(&data).await?;
    let outcome = tokio::time::timeout(WITHIN, watch(seed, &server)).await;
    let alive = server.is_alive();
    server.stop().await?;
    std::fs::remove_dir_all(&data).ok();
    ensure!(alive, "the server ended during the check");
    outcome.context("the check took longer than it may")?
}

fn tempdir() -> anyhow::Result<std::path::PathBuf> {
    let name = format!("wardline-check-{}", std::process::id());
    let data = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    Ok(data)
}

async fn watch(seed: u64, server: &ServerProcess) -> anyhow::Result<Figures> {
    let clock = Clock::system();
    let admin = Rest::new(&server.ready.people)?.sign_in_by_click("admin").await?;
    let script = scenarios::shipped("ward")?;
    let stage = stage::build(&admin, &script).await?;
    let care_unit = stage.care_units.first().context("the script has no care unit")?;
    let charge = admin.sign_in_by_click("tom").await?;
    let screen = Screen::open(&charge, care_unit, &clock).await?;
    let (answers, answered) = mpsc::channel(65_536);
    let doors = (server.ready.mqtt.as_str(), server.ready.https.as_str());
    let players = Players::connect(&stage, doors, &clock, Some(answers), &[]).await?;
    let mut figures = Figures {
        beds: stage.patients.len(),
        devices_connected: players.connected,
        ..Figures::default()
    };
    let collecting = tokio::spawn(collect(answered));
    let nurse =
        tokio::spawn(answer_one(Screen::open(&charge, care_unit, &clock).await?, charge.clone()));
    let started_at = clock.now();
    let (devices, fidelity) = (enrolled(&stage)?, Fidelity::default());
    let mut ward = Hospital::new(seed, started_at, script, devices, &recordings()?, &fidelity);
    players.play(&mut ward, &clock, started_at.after(FIRST_ANSWERS)).await?;
    ensure!(
        screen_or_answers(&screen, &charge).await?,
        "twelve seconds in, nothing was stored: messages do not pass the door"
    );
    players.play(&mut ward, &clock, started_at.after(LASTS)).await?;
    players.finish().await?;
    let answered = collecting.await?;
    let ended_at = clock.now();
    nurse.abort();
    let range = (started_at.before(Duration::from_secs(5)), ended_at.after(Duration::from_secs(5)));
    count(&answered, &mut figures);
    find_again(&charge, &stage, &answered, range, &clock, &mut figures).await?;
    find_dead_letters(&admin, &figures).await?;
    find_by_https(&admin, &stage).await?;
    figures.rss_mib = round(server.usage()?.rss_kib as f64 / 1_024.0);
    let shown = screen.shown();
    judge_screen(&shown, &stage, &answered, &mut figures)?;
    let outcomes = figures.stored + figures.duplicates + figures.refused + figures.dead_letters;
    ensure!(
        figures.sent == outcomes,
        "{} messages were sent and {outcomes} are accounted for",
        figures.sent
    );
    Ok(figures)
}

/// Whether anything at all came through the door by now.
async fn screen_or_answers(screen: &Screen, charge: &Rest) -> anyhow::Result<bool> {
    if !screen.shown().numerics.is_empty() {
        return Ok(true);
    }
    let system = charge.get("/api/v1/system").await?;
    Ok(system.pointer("/counters/stored").and_then(Value::as_u64).unwrap_or(0) > 0)
}

async fn collect(mut answered: mpsc::Receiver<Answered>) -> Vec<Answered> {
    let mut all = Vec::new();
    while let Some(one) = answered.recv().await {
        all.push(one);
    }
    all
}

/// The nurse answers the first clinical alarm of medium priority, and no other.
async fn answer_one(mut screen: Screen, nurse: Rest) -> anyhow::Result<()> {
    let alarm = screen
        .until(|shown| {
            let fits = |alarm: &super::screen::ShownAlarm| {
                alarm.state == "active" && alarm.priority == "medium" && alarm.patient.is_some()
            };
            shown.alarms.iter().find(|(_, alarm)| fits(alarm)).map(|(id, _)| id.clone())
        })
        .await
        .context("the feed ended before an alarm came")?;
    nurse
        .post(&format!("/api/v1/alarms/{alarm}/acknowledge"), &json!({ "quiet_for_s": 120 }))
        .await?;
    Ok(())
}

fn count(answered: &[Answered], figures: &mut Figures) {
    for one in answered {
        figures.sent += 1;
        match (one.code, one.sent.intent) {
            (0..0x80, Intent::Repeat) => figures.duplicates += 1,
            (0..0x80, Intent::New | Intent::Garbage) => {}
            (0x99 | 0x83 | 0x90, _) => figures.dead_letters += 1,
            (0x80.., _) => figures.refused += 1,
        }
    }
}

fn is_stored(one: &Answered) -> bool {
    one.code < 0x80 && one.sent.intent == Intent::New
}

/// One vital that each message of this kind of device carries.
const fn witness(kind: Kind) -> &'static str {
    match kind {
        Kind::BedsideMonitor | Kind::IcuMonitor | Kind::Oximeter | Kind::HomeOximeter => {
            "saturation"
        }
        Kind::EcgPatch => "respiratory_rate",
        Kind::Cuff => "systolic_pressure",
        Kind::GlucoseSensor | Kind::GlucoseMeter => "glucose",
        Kind::WeightScale => "weight",
        Kind::Spirometer => "fev1",
    }
}

/// Reads everything back and compares it with what was acknowledged.
async fn find_again(
    who: &Rest,
    stage: &Stage,
    answered: &[Answered],
    (from, to): (Timestamp, Timestamp),
    clock: &Clock,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let range = format!("from={}&to={}", from.unix_millis(), to.unix_millis());
    let deadline = clock.now().after(READABLE_WITHIN);
    for (index, device) in stage.devices.iter().enumerate() {
        let patient = stage.patients.get(device.bed).context("a device without a patient")?;
        let mine =
            || answered.iter().filter(move |one| one.device_index == index && is_stored(one));
        let numerics = mine().filter(|one| one.sent.leaf == "num").count() as u64;
        let vital = witness(device.kind);
        let path = format!("/api/v1/patients/{patient}/trends?{range}&vital={vital}&points=20000");
        let found = poll(who, &path, numerics, deadline, clock, |answer| {
            answer.pointer("/series/0/count").and_then(Value::as_u64).unwrap_or(0)
        });
        let found = found.await?;
        ensure!(
            found == numerics,
            "{} of {}: {numerics} messages were acknowledged and {found} were found again",
            vital,
            device.serial
        );
        figures.stored += found;
        let mut by_leaf: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for one in mine().filter(|one| one.sent.wave_samples > 0) {
            let sum = by_leaf.entry(&one.sent.leaf).or_default();
            *sum = (sum.0 + 1, sum.1 + u64::from(one.sent.wave_samples));
        }
        for (leaf, (blocks, samples)) in by_leaf {
            let channel = leaf.strip_prefix("wave/").unwrap_or(leaf);
            let path = format!(
                "/api/v1/patients/{patient}/waves?{range}&channel={channel}&device={}",
                device.id
            );
            let found = poll(who, &path, samples, deadline, clock, wave_samples).await?;
            ensure!(
                found == samples,
                "{channel} of {}: {samples} samples were acknowledged and {found} were found again",
                device.serial
            );
            figures.stored += blocks;
            figures.waveform_samples_stored += found;
        }
    }
    Ok(())
}

fn wave_samples(answer: &Value) -> u64 {
    let spans = answer.get("spans").and_then(Value::as_array).into_iter().flatten();
    let lengths = spans.filter_map(|span| span.get("samples")?.as_array().map(Vec::len));
    lengths.sum::<usize>() as u64
}

/// Asks until the answer is what it should be, or the time is up; answers the last one.
async fn poll(
    who: &Rest,
    path: &str,
    want: u64,
    deadline: Timestamp,
    clock: &Clock,
    read: impl Fn(&Value) -> u64,
) -> anyhow::Result<u64> {
    loop {
        let found = read(&who.get(path).await?);
        if found == want || clock.now() > deadline {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether the devices screen knows who speaks HTTPS.
async fn find_by_https(admin: &Rest, stage: &Stage) -> anyhow::Result<()> {
    for device in stage.devices.iter().filter(|device| device.kind == Kind::Cuff) {
        let shown = admin.get(&format!("/api/v1/devices/{}", device.id)).await?;
        let door = shown.get("door").and_then(Value::as_str);
        let connected = shown.get("connected").and_then(Value::as_bool);
        ensure!(
            (door, connected) == (Some("https"), Some(true)),
            "{} speaks HTTPS and is shown as {shown}",
            device.serial
        );
    }
    Ok(())
}

async fn find_dead_letters(admin: &Rest, figures: &Figures) -> anyhow::Result<()> {
    let letters = admin.get("/api/v1/dead-letters?limit=200").await?;
    let found = letters.get("items").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    ensure!(
        found == figures.dead_letters,
        "{} messages were refused as undecodable and {found} dead letters were found",
        figures.dead_letters
    );
    Ok(())
}

fn judge_screen(
    shown: &Shown,
    stage: &Stage,
    answered: &[Answered],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut readings = readings_to_screen(shown, stage, answered)?;
    let mut alarms = alarms_to_screen(shown, stage, answered);
    figures.alarms_raised = shown.alarms.len();
    figures.alarms_acknowledged = shown.alarms.values().filter(|alarm| alarm.acknowledged).count();
    figures.alarms_escalated = shown.alarms.values().filter(|alarm| alarm.step > 0).count();
    ensure!(shown.waves > 0, "no trace reached the screen");
    ensure!(shown.beats > 0, "the watchdog's beat never reached the screen");
    ensure!(shown.gone == 0, "the feed lost its place {} times", shown.gone);
    ensure!(
        figures.alarms_raised >= 3,
        "{} alarms were raised on a ward where three people fall ill",
        figures.alarms_raised
    );
    ensure!(figures.alarms_acknowledged >= 1, "no alarm could be acknowledged");
    ensure!(figures.alarms_escalated >= 1, "no unanswered alarm reached the next responder");
    let at = |samples: &mut Vec<f64>, share| percentile(samples, share).map(round);
    (figures.reading_to_screen_ms_p50, figures.reading_to_screen_ms_p99) = at(&mut readings, 0.5)
        .zip(at(&mut readings, 0.99))
        .context("no reading reached the screen")?;
    (figures.alarm_to_screen_ms_p50, figures.alarm_to_screen_ms_p99) =
        at(&mut alarms, 0.5).zip(at(&mut alarms, 0.99)).context("no alarm reached the screen")?;
    Ok(())
}

/// From the last byte of a PUBLISH to the frame that shows its saturation, in milliseconds.
fn readings_to_screen(
    shown: &Shown,
    stage: &Stage,
    answered: &[Answered],
) -> anyhow::Result<Vec<f64>> {
    let (mut latencies, mut expected) = (Vec::new(), 0_usize);
    for one in answered.iter().filter(|one| is_stored(one) && one.sent.leaf == "num") {
        let Some(device) = stage.devices.get(one.device_index) else { continue };
        if witness(device.kind) != "saturation" {
            continue;
        }
        expected += 1;
        let patient = stage.patients.get(device.bed);
        let near = shown.numerics.iter().find(|it| {
            Some(&it.patient) == patient
                && it.vital == "saturation"
                && it.read_at >= one.sent_at
                && distance(it.taken_at, one.sent.taken_at) < SAME_READING
        });
        latencies.extend(near.map(|it| millis(it.read_at, one.sent_at)));
    }
    if latencies.len() * 100 < expected * 98 {
        bail!("{} of {expected} readings reached the screen", latencies.len());
    }
    Ok(latencies)
}

/// From the PUBLISH that raised an alarm, or the instant at which it fell due, to its frame.
fn alarms_to_screen(shown: &Shown, stage: &Stage, answered: &[Answered]) -> Vec<f64> {
    let latency = |alarm: &super::screen::ShownAlarm| {
        let patient = alarm.patient.as_ref()?;
        let index = |one: &Answered| stage.devices.get(one.device_index).map(|device| device.bed);
        let of_patient = answered
            .iter()
            .filter(|one| index(one).and_then(|bed| stage.patients.get(bed)) == Some(patient));
        let cause = of_patient.map(|one| one.sent_at).filter(|at| *at <= alarm.raised_at).max();
        // A cause just before the raising is the message itself; else a deadline passed.
        let from = cause.filter(|at| distance(*at, alarm.raised_at) < Duration::from_millis(20));
        Some(millis(alarm.read_at, from.unwrap_or(alarm.raised_at)))
    };
    shown.alarms.values().filter_map(latency).collect()
}

fn distance(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

fn millis(later: Timestamp, earlier: Timestamp) -> f64 {
    later.since(earlier).as_secs_f64() * 1_000.0
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
