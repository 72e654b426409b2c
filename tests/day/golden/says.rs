//! Everything that a directory says, as lines of text that do not depend on how a program
//! keeps it: records, standing alarms, rows, values, waveforms and roll-ups.

use std::collections::BTreeMap;

use super::*;

/// FNV-1a over a few numbers at a time: good enough to tell two lists apart.
fn mix(sum: u64, parts: &[i64]) -> u64 {
    parts.iter().fold(sum, |sum, part| sum.wrapping_mul(0x0100_0000_01b3) ^ part.cast_unsigned())
}

fn ms(at: Timestamp) -> i64 {
    at.nanos_after(START) / 1_000_000
}

fn name<T: std::fmt::Display>(of: Option<T>) -> String {
    of.map_or_else(|| "-".to_owned(), |it| it.to_string())
}

fn subject(subject: Subject) -> String {
    match subject {
        Subject::Patient(patient) => patient.to_string(),
        Subject::Place(place) => format!("place {place}"),
        Subject::Nobody => "-".to_owned(),
    }
}

/// A clock that shows when the newest record was received.
fn clock_of(folder: &Path) -> Clock {
    let dir = DataDir::open(folder).unwrap();
    let records = replayed(&dir);
    Clock::manual(records.iter().map(|record| record.frame.received_at).max().unwrap())
}

fn replayed(dir: &DataDir) -> Vec<Record> {
    let storage = std::sync::Arc::new(FileStorage::open(dir).unwrap());
    let from = store::begins_at(&*storage).unwrap();
    store::replay(storage, from).unwrap().map(Result::unwrap).collect()
}

/// All of it. The program has started on the directory by then, and stopped.
pub(super) async fn all(folder: &Path) -> String {
    let mut said = format!("format {}", fs::read_to_string(folder.join("FORMAT")).unwrap());
    said += &journal(&DataDir::open(folder).unwrap());
    let node = Node::open(folder, &clock_of(folder)).await;
    said += &standing(&node.engine).await;
    let Kept { records, series } = node.stop().await;
    said += &rows(&records, &series);
    said += &values(&series);
    said
}

/// Of all that is said, what a program knows by its state alone.
pub(super) fn only_standing(all: &str) -> String {
    let is_state = |line: &&str| {
        ["patient ", "device ", "bed ", "stands "].iter().any(|word| line.starts_with(word))
    };
    all.lines().filter(is_state).map(|line| format!("{line}\n")).collect()
}

/// Only what stands, as a program says it that has just started.
pub(super) async fn standing_on(folder: &Path) -> String {
    let node = Node::open(folder, &clock_of(folder)).await;
    let said = standing(&node.engine).await;
    drop(node.stop().await);
    said
}

/// How many records of each kind there are, and a fingerprint of their bytes and places.
fn journal(dir: &DataDir) -> String {
    let report = store::verify(dir).unwrap();
    assert!(report.is_sound(), "{:?}", report.damage);
    let mut kinds = BTreeMap::<_, (u64, u64)>::new();
    for record in replayed(dir) {
        let frame = &record.frame;
        let (kind, version) = (frame.kind, frame.body_version);
        if kind < record::DECISIONS_FROM {
            let read = record::Body::decode(kind, version, &frame.body);
            assert!(read.is_ok(), "a record of kind {kind} and version {version} is not read");
        }
        let (place, seq) = (record.offset.bytes(), frame.position.seq);
        let (count, sum) = kinds.entry((kind, version)).or_default();
        *count += 1;
        let body = i64::from(crc32c::crc32c(&frame.body));
        let parts = [place.cast_signed(), seq.cast_signed(), frame.received_at.unix_nanos(), body];
        *sum = mix(*sum, &parts);
    }
    let line = |((kind, version), (count, sum))| {
        format!("records of kind {kind} version {version}: {count} {sum:016x}\n")
    };
    kinds.into_iter().map(line).collect()
}

/// Patients, devices with whom they are on, beds with who lies in them, and what stands.
async fn standing(engine: &EngineHandle) -> String {
    let directory = engine.directory();
    let mut said = String::new();
    for (id, patient) in &directory.patients {
        said += &format!("patient {id} {:?} {:?}\n", patient.family_name.0, patient.spo2_scale);
    }
    for (id, device) in &directory.devices {
        let lines = directory.associations.get(id).map_or(&[][..], Vec::as_slice);
        let lines: Vec<_> =
            lines.iter().map(|it| format!("{} from {}", subject(it.value), ms(it.from))).collect();
        said += &format!("device {id} {} {} {lines:?}\n", device.serial, device.profile);
    }
    for (id, lines) in &directory.encounters {
        let lines: Vec<_> =
            lines.iter().map(|it| format!("{} from {}", name(it.value), ms(it.from))).collect();
        said += &format!("bed {id} {lines:?}\n");
    }
    let mut alarms = engine.alarms(AlarmScope::Org(id(ORG))).await.unwrap();
    alarms.sort_by_key(|it| (it.raised_at, it.id));
    for it in alarms {
        let (patient, device) = (name(it.patient), name(it.device));
        said += &format!(
            "stands {} {} {} {:?} patient {patient} device {device} raised {} step {} told {} by {} quiet {:?}\n",
            it.id,
            it.code,
            it.key,
            it.priority,
            ms(it.raised_at),
            it.step,
            it.told.len(),
            name(it.acknowledged_by),
            it.quiet_until.map(ms)
        );
    }
    said
}

fn rows(records: &Records, series: &Series) -> String {
    let mut said = String::new();
    for (table, count) in records.row_counts().unwrap() {
        said += &format!("rows {table} {count}\n");
    }
    let mut alarms = records.alarms(id(ORG), &AlarmFilter::default(), 10_000).unwrap();
    alarms.sort_by_key(|it| (it.raised_at, it.id));
    for it in alarms {
        let (patient, device) = (name(it.patient), name(it.device));
        said += &format!(
            "alarm {} {} {} {:?} {:?} {:?} {} patient {patient} device {device} raised {} ended {:?} {:?}\n",
            it.id,
            it.code,
            it.kind,
            it.class,
            it.priority,
            it.title,
            it.state,
            ms(it.raised_at),
            it.ended_at.map(ms),
            it.ending
        );
        for step in records.alarm_life(id(ORG), it.id).unwrap() {
            said += &format!(
                "alarm {} at {} {} {:?} by {}\n",
                it.id,
                ms(step.at),
                step.what,
                step.detail,
                name(step.by)
            );
        }
    }
    let (_, bytes) = series.load_checkpoint().unwrap().unwrap();
    let core = Core::restore(setup(), &bytes).unwrap();
    let directory = core.directory();
    for device in directory.devices.keys() {
        for line in records.patients_of_device(id(ORG), *device).unwrap() {
            let (patient, from) = (name(line.patient), ms(line.from));
            said += &format!("on {device} {patient} from {from} known {}\n", ms(line.known_at));
        }
    }
    for bed in directory.beds.keys() {
        for line in records.bed_history(id(ORG), *bed).unwrap() {
            let (patient, from) = (name(line.patient), ms(line.from));
            said += &format!("in {bed} {patient} from {from} known {}\n", ms(line.known_at));
        }
    }
    for patient in directory.patients.keys() {
        let span = (START, second(86_400));
        for score in records.scores(id(ORG), *patient, span, 10_000).unwrap() {
            let (at, total) = (ms(score.at), score.total);
            said += &format!("score {patient} {at} {total:?} {:?}\n", score.missing);
        }
    }
    said
}

/// Numerics, waveforms and roll-ups of every channel of every device.
fn values(series: &Series) -> String {
    let (_, bytes) = series.load_checkpoint().unwrap().unwrap();
    let core = Core::restore(setup(), &bytes).unwrap();
    let rule = |_: &_| RollRule {
        reach_ns: 60_000_000_000,
        range_micros: Some((50_000_000, 120_000_000)),
    };
    let mut said = String::new();
    for device in core.directory().devices.keys() {
        let mut channels = series.channels_of(id(ORG), *device);
        channels.sort();
        for channel in channels {
            let (from, to) = (START.before(std::time::Duration::from_secs(3_600)), second(7_200));
            let question =
                Question { org: id(ORG), device: *device, channel: channel.clone(), from, to };
            let points = series.query(&question).unwrap();
            let points: Vec<_> = points.stretches.into_iter().flat_map(|it| it.items).collect();
            let sum = points.iter().fold(0, |sum, it| {
                let value = it.value.map_or(-1, |(mantissa, exp)| mantissa * 100 + i64::from(exp));
                mix(sum, &[it.at.unix_nanos(), it.received_at.unix_nanos(), value])
            });
            said += &format!("points {device} {channel} {} {sum:016x}\n", points.len());
            let waves = series.query_wave(&question).unwrap();
            let waves: Vec<_> = waves.stretches.into_iter().flat_map(|it| it.items).collect();
            let samples: usize = waves.iter().map(|it| it.samples.len()).sum();
            let sum = waves.iter().fold(0, |sum, it| {
                let sum = mix(sum, &[it.at.unix_nanos(), it.received_at.unix_nanos()]);
                it.samples.iter().fold(sum, |sum, sample| mix(sum, &[i64::from(*sample)]))
            });
            said += &format!("waves {device} {channel} {samples} {sum:016x}\n");
            let rolled = series.rolled(&question, None, 1, &rule).unwrap();
            for column in rolled.stretches.into_iter().flat_map(|it| it.items) {
                let roll = column.roll;
                let extremes = roll.extremes.map(|it| (it.least.micros, it.greatest.micros));
                said += &format!(
                    "minute {device} {channel} {} count {} mean {:?} {extremes:?} covered {} in range {}\n",
                    ms(column.from),
                    roll.count,
                    roll.mean_micros(),
                    roll.covered_ns,
                    roll.in_range_ns
                );
            }
        }
    }
    said
}
