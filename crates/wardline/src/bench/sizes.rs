//! Bytes of a sealed reading and of a sealed ECG sample, each read back and compared.
//!
//! The ECG is read from a folder of WFDB records. It and the ward's day go through the store as
//! the engine uses it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use model::{Channel, ClockUsed, Code, DeviceId, OrgId, Timestamp, Ucum};
use signal::wfdb;
use sim::Rng;
use store::{
    LogOffset, Marks, Point, Pushed, Question, Series, SeriesId, SeriesKey, SeriesLimits, WaveSpan,
};

use super::{
    Sizes,
    figure::Sheet,
    progress,
    ward_day::{BEDS, Bed, DAY_S, Day, START_MS, Second, VITALS, Walk},
};

/// Bytes of a reading that are promised: of the regular day, and of the one with wobble.
const READING_MOST: [f64; 2] = [0.8, 1.2];
/// Bytes of an ECG sample that are promised.
const SAMPLE_MOST: f64 = 0.52;

/// Seconds between two sealings, as memory would ask for them.
const SEAL_EVERY_S: i64 = 7_200;
const MILLI_NS: i64 = 1_000_000;
const MARKS: Marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };

fn org() -> OrgId {
    OrgId::v7(Timestamp::from_unix_millis(START_MS), 1)
}

fn device(number: u64) -> DeviceId {
    DeviceId::v7(Timestamp::from_unix_millis(START_MS), 100 + u128::from(number))
}

fn key(number: u64, channel: &str, code: u32, ucum: &str) -> SeriesKey {
    let (channel, kind) = (Channel::from(channel), Some(Code::Mdc(code)));
    SeriesKey { org: org(), device: device(number), channel, kind, ucum: Ucum::new(ucum) }
}

fn points(second: &Second) -> impl Iterator<Item = Point> {
    let (at, received_at) = (second.at, second.received_at);
    let of = move |(value, walk): (i64, Walk)| Point {
        at,
        received_at,
        value: Ok((value, walk.exp10)),
        marks: MARKS,
    };
    second.values.into_iter().zip(VITALS).map(of)
}

/// Measures, and says which promise was not kept.
pub(super) fn measure(
    asked: &Sizes,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let below = scratch.map_or_else(std::env::temp_dir, Path::to_owned);
    let kinds = [(Day::Regular, "regular"), (Day::Wobbling, "wobbling")];
    for ((day, name), most) in kinds.into_iter().zip(READING_MOST) {
        progress(&format!("sealing the ward's {name} day"));
        let folder = tempfile::tempdir_in(&below)?;
        let bytes = ward_day(&folder.path().join("series.sqlite"), day)?;
        sheet.add(&format!("bytes_per_reading_{name}"), bytes, "bytes");
        if bytes > most {
            sheet.breaks(format!("a reading of the {name} day has more than {most} bytes"));
        }
    }
    if let Some(dir) = &asked.ecg {
        progress("sealing the ECG records");
        let folder = tempfile::tempdir_in(&below)?;
        let (records, samples, bytes) = ecg(&folder.path().join("series.sqlite"), dir)?;
        sheet.condition("ecg_records", records);
        sheet.condition("ecg_samples", samples);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let each = bytes as f64 / samples.max(1) as f64;
        sheet.add("bytes_per_ecg_sample", each, "bytes");
        if each > SAMPLE_MOST {
            sheet.breaks(format!("an ECG sample has more than {SAMPLE_MOST} bytes"));
        }
    }
    Ok(())
}

/// Bytes of the database file a reading, with indices, times and everything else in it.
fn ward_day(path: &Path, day: Day) -> anyhow::Result<f64> {
    let series = Series::open(path)?;
    let mut ids: Vec<Vec<SeriesId>> = Vec::new();
    for bed in 0..BEDS {
        let id = |it: &Walk| series.series(&key(bed, it.channel, it.code, it.ucum));
        ids.push(VITALS.iter().map(id).collect());
    }
    let mut beds: Vec<_> = (0..BEDS).map(|bed| Bed::new(day, bed).peekable()).collect();
    let mut count = 0_u64;
    for until in (0..DAY_S).step_by(7_200).map(|from| from + SEAL_EVERY_S) {
        let end = Timestamp::from_unix_millis(START_MS + until * 1_000 - 500);
        for (bed, ids) in beds.iter_mut().zip(&ids) {
            while let Some(second) = bed.next_if(|second| second.at < end || until == DAY_S) {
                for (id, point) in ids.iter().zip(points(&second)) {
                    ensure!(series.push(*id, point) != Pushed::Refused, "memory is full");
                    count += 1;
                }
            }
        }
        series.seal(LogOffset::default(), b"")?;
    }
    for bed in 0..BEDS {
        compare(&series, day, bed)?;
    }
    // The last one to close it writes everything into the one file.
    drop(series);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let each = fs::metadata(path)?.len() as f64 / count as f64;
    Ok(each)
}

fn compare(series: &Series, day: Day, bed: u64) -> anyhow::Result<()> {
    let from = Timestamp::from_unix_millis(START_MS - 1_000);
    let to = Timestamp::from_unix_millis(START_MS + (DAY_S + 1) * 1_000);
    for (place, vital) in VITALS.iter().enumerate() {
        let channel = Channel::from(vital.channel);
        let found =
            series.query(&Question { org: org(), device: device(bed), channel, from, to })?;
        let mut want: Vec<Point> =
            Bed::new(day, bed).filter_map(|second| points(&second).nth(place)).collect();
        want.sort_by_key(|point| (point.at, point.received_at));
        let found: Vec<Point> = found.stretches.into_iter().flat_map(|it| it.items).collect();
        ensure!(
            found == want,
            "{} of bed {bed} came back otherwise than it went in",
            vital.channel
        );
    }
    Ok(())
}

/// Records, samples, and bytes of their sealed chunks of 60 s with headers and times.
fn ecg(path: &Path, dir: &Path) -> anyhow::Result<(u64, u64, usize)> {
    let limits = SeriesLimits { query_samples_max: usize::MAX, ..SeriesLimits::default() };
    let series = Series::open_with(path, limits)?;
    let (mut records, mut count, mut bytes) = (0_u64, 0_u64, 0_usize);
    for file in headers(dir)? {
        let leads = leads(&file)
            .with_context(|| format!("{} is not a record that can be read", file.display()))?;
        let mut sent = Vec::new();
        for (lead, blocks) in leads.into_iter().enumerate() {
            let channel = format!("LEAD_{lead}");
            let id = series.series(&key(records, &channel, 131_330, "mV"));
            for block in &blocks {
                ensure!(series.push_wave(id, block.clone()) != Pushed::Refused, "memory is full");
                count += u64::try_from(block.samples.len()).unwrap_or(0);
            }
            sent.push((channel, blocks));
        }
        bytes += series.seal(LogOffset::default(), b"")?.bytes;
        for (channel, blocks) in sent {
            let (from, to) = (Timestamp::from_unix_nanos(0), Timestamp::from_unix_nanos(i64::MAX));
            let channel = Channel::from(channel.as_str());
            let device = device(records);
            let found = series.query_wave(&Question { org: org(), device, channel, from, to })?;
            let found: Vec<WaveSpan> =
                found.stretches.into_iter().flat_map(|it| it.items).collect();
            ensure!(found == blocks, "{} came back otherwise than it went in", file.display());
        }
        records += 1;
    }
    ensure!(records > 0, "{} has no WFDB record", dir.display());
    Ok((records, count, bytes))
}

fn headers(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    let mut found: Vec<PathBuf> =
        entries.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "hea"));
    found.sort();
    Ok(found)
}

/// The leads of a record in blocks of a second, as a monitor would send them, each received
/// up to 8 ms after its end.
fn leads(file: &Path) -> anyhow::Result<Vec<Vec<WaveSpan>>> {
    let header = wfdb::Header::parse(&fs::read_to_string(file)?)?;
    let first = header.signals.first().context("it has no signal")?;
    let bytes = fs::read(file.with_file_name(&first.file))?;
    let samples = wfdb::samples(&header, &bytes)?;
    let rate_hz = (header.rate.numerator(), header.rate.denominator());
    let mut rng = Rng::new(1, u64::from(rate_hz.0));
    let a_second = usize::try_from(rate_hz.0 / rate_hz.1.max(1))?.max(1);
    let mut of_lead = |counts: &Vec<i16>| -> Vec<WaveSpan> {
        let mut at = Timestamp::from_unix_millis(START_MS);
        let block = |samples: &[i16]| {
            let mut span = WaveSpan {
                at,
                received_at: at,
                rate_hz,
                gain: (5, -3),
                offset: 1_024,
                samples: samples.iter().copied().map(i32::from).collect(),
                invalid: [].into(),
                marks: MARKS,
            };
            at = span.end();
            let way = i64::try_from(rng.next() % 9).unwrap_or(0) * MILLI_NS;
            span.received_at = Timestamp::from_unix_nanos(at.unix_nanos() + way);
            span
        };
        counts.chunks(a_second).map(block).collect()
    };
    Ok(samples.iter().map(&mut of_lead).collect())
}
