//! How long a person waits for a day of vitals and for an hour of ECG: the first time after a
//! start, and again and again.
//!
//! The day is put into the series of a monitor while its server rests, as the engine would
//! have sealed it; everything is asked for as a screen asks, to the last byte of the answer.

use std::path::Path;

use anyhow::{Context as _, ensure};
use model::{Channel, ClockUsed, Code, DeviceId, OrgId, Timestamp, Ucum};
use serde_json::{Value, json};
use sim::Rng;
use store::{Clock, DataDir, Marks, Point, Pushed, Series, SeriesId, SeriesKey, WaveSpan};

use super::{Query, figure::Sheet, fresh_server::FreshServer, hospital::Hospital, progress};
use crate::{
    percentile::percentile,
    rest::{Rest, text},
};

/// What is promised, in milliseconds: a day of six vitals for the first time and at the 99th
/// percentile of those after it, and an hour of ECG.
const MOST_MS: [(&str, f64); 3] =
    [("day_first", 20.0), ("day_again_p99", 5.0), ("ecg_hour_p99", 60.0)];

const DAY_S: i64 = 86_400;
/// Columns of a drawing as wide as a screen.
const COLUMNS: u32 = 1_200;
const ECG_HZ: u32 = 250;
const ECG_S: i64 = 3_600;
const ECG: (&str, u32) = ("MDC_ECG_ELEC_POTL_II", 131_330);

/// Channel, code, unit and first value.
const VITALS: [(&str, u32, &str, i64); 6] = [
    ("MDC_ECG_HEART_RATE", 147_842, "/min", 78),
    ("MDC_RESP_RATE", 151_562, "/min", 16),
    ("MDC_PULS_OXIM_SAT_O2", 150_456, "%", 96),
    ("MDC_PRESS_BLD_NONINV_SYS", 150_021, "mm[Hg]", 122),
    ("MDC_PRESS_BLD_NONINV_DIA", 150_022, "mm[Hg]", 74),
    ("MDC_TEMP", 150_344, "Cel", 37),
];

const MARKS: Marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };

/// Fills, asks, and says which promise was not kept.
pub(super) async fn measure(
    asked: &Query,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let to = clock.now();
    let from = Timestamp::from_unix_millis(to.unix_millis() - DAY_S * 1_000);
    let server = FreshServer::start(scratch).await?;
    let hospital = Hospital::build(server.admin().await?).await?;
    let (patients, devices) = (hospital.admit(1).await?, hospital.enrol(1, &[]).await?);
    let patient = patients.first().context("nobody was admitted")?;
    let device = &devices.first().context("no device was enrolled")?.id;
    // Whoever has a whole day has mostly been here for longer.
    let worn_from = from.unix_millis() - 3_600_000;
    let worn = json!({ "patient": patient, "from": worn_from.to_string() });
    hospital.charge.post(&format!("/api/v1/devices/{device}/association"), &worn).await?;
    let session = hospital.charge.get("/api/v1/session").await?;
    let org: OrgId = text(&session, &["org", "id"])?.parse().context("no organization")?;
    let of: DeviceId = device.parse().context("no device")?;
    progress("filling a day of six vitals and an hour of ECG");
    let server = server.start_again_after(|folder| fill(folder, (org, of), from)).await?;
    let charge = server.people()?.sign_in_by_click("charge").await?;
    let (from, to) = (from.unix_millis(), to.unix_millis());
    let vitals =
        "heart_rate,respiratory_rate,saturation,systolic_pressure,diastolic_pressure,temperature";
    let day = format!(
        "/api/v1/patients/{patient}/measured?from={from}&to={to}&columns={COLUMNS}&vital={vitals}"
    );
    let hour_from = to - ECG_S * 1_000;
    let hour =
        format!("/api/v1/patients/{patient}/waves?from={hour_from}&to={to}&channel={}", ECG.0);
    progress(&format!("asking {} times for each", asked.questions));
    let unrolled = ask(&charge, &day, &clock).await?;
    // A day that was lived has its roll-ups; this one has them once a server has run.
    let server = server.start_again_after(|_| Ok(())).await?;
    let charge = server.people()?.sign_in_by_click("charge").await?;
    let first = ask(&charge, &day, &clock).await?;
    check_day(&charge, &day).await?;
    let mut again = ask_often(&charge, &day, asked.questions, &clock).await?;
    let ecg_first = ask(&charge, &hour, &clock).await?;
    check_hour(&charge, &hour).await?;
    let mut ecg = ask_often(&charge, &hour, asked.questions, &clock).await?;
    sheet.condition("questions", asked.questions);
    sheet.condition("columns", COLUMNS);
    sheet.add("query.day_unrolled", unrolled, "ms");
    sheet.add("query.day_first", first, "ms");
    sheet.add("query.ecg_hour_first", ecg_first, "ms");
    for (name, samples) in [("day_again", &mut again), ("ecg_hour", &mut ecg)] {
        for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
            let value = percentile(samples, share).context("nothing was asked")?;
            sheet.add(&format!("query.{name}_{word}"), value, "ms");
        }
    }
    for (name, most) in MOST_MS {
        if sheet.value(&format!("query.{name}")).is_none_or(|value| value > most) {
            sheet.breaks(format!("{name} took more than {most} ms"));
        }
    }
    server.stop().await
}

/// Puts the day into the series behind the state that the engine left.
fn fill(folder: &Path, (org, device): (OrgId, DeviceId), from: Timestamp) -> anyhow::Result<()> {
    let dir = DataDir::open(folder)?;
    let series = Series::open(dir.series())?;
    let (offset, checkpoint) =
        series.load_checkpoint()?.context("the server left no checkpoint when it ended")?;
    let key = |channel: &str, code: u32, ucum: &str| SeriesKey {
        org,
        device,
        channel: Channel::from(channel),
        kind: Some(Code::Mdc(code)),
        ucum: Ucum::new(ucum),
    };
    let mut rng = Rng::new(1, 1);
    for (channel, code, ucum, first) in VITALS {
        let id = series.series(&key(channel, code, ucum));
        fill_vital(&series, id, first, from, &mut rng)?;
    }
    let id = series.series(&key(ECG.0, ECG.1, "mV"));
    fill_ecg(&series, id, from, &mut rng)?;
    series.seal(offset, &checkpoint)?;
    Ok(())
}

fn fill_vital(
    series: &Series,
    id: SeriesId,
    first: i64,
    from: Timestamp,
    rng: &mut Rng,
) -> anyhow::Result<()> {
    let mut value = first;
    for second in 0..DAY_S {
        let drawn = rng.next();
        if drawn % 10 < 2 {
            let step = if drawn & (1 << 40) == 0 { 1 } else { -1 };
            value = (value + step).clamp(first - 5, first + 5);
        }
        let late_ms = i64::try_from(rng.next() % 9).unwrap_or(0);
        let at = Timestamp::from_unix_millis(from.unix_millis() + second * 1_000 + late_ms);
        let point = Point { at, received_at: at, value: Ok((value, 0)), marks: MARKS };
        ensure!(series.push(id, point) != Pushed::Refused, "memory is full");
    }
    Ok(())
}

/// A second after the other of a wave that beats.
fn fill_ecg(series: &Series, id: SeriesId, from: Timestamp, rng: &mut Rng) -> anyhow::Result<()> {
    let first = from.unix_millis() + (DAY_S - ECG_S) * 1_000;
    for second in 0..ECG_S {
        let sample = |n: u32| {
            let beat = match n {
                50..60 => i32::try_from(n).unwrap_or(0) * 40 - 2_000,
                60..70 => 2_760 - i32::try_from(n).unwrap_or(0) * 40,
                _ => 0,
            };
            beat + i32::try_from(rng.next() % 16).unwrap_or(0)
        };
        let at = Timestamp::from_unix_millis(first + second * 1_000);
        let span = WaveSpan {
            at,
            received_at: at,
            rate_hz: (ECG_HZ, 1),
            gain: (5, -3),
            offset: 0,
            samples: (0..ECG_HZ).map(sample).collect(),
            invalid: [].into(),
            marks: MARKS,
        };
        ensure!(series.push_wave(id, span) != Pushed::Refused, "memory is full");
    }
    Ok(())
}

/// Milliseconds from the question to the last byte of its answer.
async fn ask(who: &Rest, path: &str, clock: &Clock) -> anyhow::Result<f64> {
    let begun = clock.elapsed();
    who.bytes(path).await?;
    Ok(clock.elapsed().saturating_sub(begun).as_secs_f64() * 1_000.0)
}

async fn ask_often(who: &Rest, path: &str, times: u32, clock: &Clock) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    for _ in 0..times {
        took.push(ask(who, path, clock).await?);
    }
    Ok(took)
}

/// A quick answer counts only if everything is in it.
async fn check_day(who: &Rest, path: &str) -> anyhow::Result<()> {
    let answer = who.get(path).await?;
    let lines = answer.get("lines").and_then(Value::as_array).context("no lines")?;
    let all = |line: &Value| {
        let count = line.get("count").and_then(Value::as_i64);
        let columns = line.get("n").and_then(Value::as_array).map_or(0, Vec::len);
        // The last value may lie behind the end, and a column may be twice as wide.
        count >= Some(DAY_S - 1) && columns >= usize::try_from(COLUMNS).unwrap_or(0) / 2
    };
    ensure!(
        lines.len() == VITALS.len() && lines.iter().all(all),
        "of the day only this came back: {answer}"
    );
    Ok(())
}

async fn check_hour(who: &Rest, path: &str) -> anyhow::Result<()> {
    let answer = who.get(path).await?;
    let spans = answer.get("spans").and_then(Value::as_array).context("no spans")?;
    let len = |span: &Value| span.get("samples").and_then(Value::as_array).map_or(0, Vec::len);
    let count: usize = spans.iter().map(len).sum();
    let all = usize::try_from(ECG_S).unwrap_or(0) * usize::try_from(ECG_HZ).unwrap_or(0);
    // Its last second may end behind the question's end.
    ensure!(count + 250 >= all, "of {all} samples of the hour {count} came back");
    Ok(())
}
