//! Exports of devices whose clocks are off: one record, no gap that is none, every sample.

use std::{collections::BTreeMap, fs, sync::Arc};

use engine::Directory;
use model::{ClockUsed, Device, Lifecycle, OrgId, SiteId};
use protocols::profile::Profile;
use serde_json::Value;
use store::{Marks, Point, Records, Series, SeriesKey, SeriesLimits};

use super::{
    super::{Exported, Form, Whom, Wish, rfc3339},
    *,
};

const PROFILE: &str = r#"
name = "monitor"
maker = "Test"
model = "One"
words = "Monitor"
grade = "medical"
buffers = false
clock = "synchronised"
silence_after_s = 600
[[channel]]
name = "ECG"
words = "ECG II"
kind = "wave"
code = 131330
ucum = "mV"
rate_hz = 250
gain = [5, -3]
bits = 16
"#;

const MARKS: Marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };

fn begin() -> Timestamp {
    Timestamp::from_unix_millis(1_795_000_000_000)
}

/// Nanoseconds after the beginning.
fn at(nanos: i64) -> Timestamp {
    Timestamp::from_unix_nanos(begin().unix_nanos() + nanos)
}

fn block(begin_ns: i64, rate_hz: (u32, u32), first: usize, len: usize) -> WaveSpan {
    let counts = (first..first + len).map(|it| i32::try_from(it % 4_001).unwrap() - 2_000);
    WaveSpan {
        at: at(begin_ns),
        received_at: at(begin_ns),
        rate_hz,
        gain: (5, -3),
        offset: 0,
        samples: counts.collect(),
        invalid: [].into(),
        marks: MARKS,
    }
}

/// A device and what it measured.
struct Past {
    folder: tempfile::TempDir,
    stored: Stored,
    device: Device,
}

impl Past {
    fn new(limits: SeriesLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = Device {
            id: DeviceId::v7(begin(), 1),
            org: OrgId::v7(begin(), 2),
            site: SiteId::v7(begin(), 3),
            care_unit: None,
            profile: "monitor".to_owned(),
            serial: "1".to_owned(),
            label: "One".to_owned(),
            lifecycle: Lifecycle::InService,
        };
        let mut directory = Directory::default();
        directory.devices.insert(device.id, device.clone());
        let profiles: BTreeMap<_, _> =
            [("monitor".to_owned(), Profile::parse(PROFILE).unwrap())].into();
        let path = |name: &str| folder.path().join(name);
        let stored = Stored {
            series: Series::open_with(path("series.sqlite"), limits).unwrap(),
            records: Records::open(&path("records.sqlite")).unwrap(),
            directory: Arc::new(directory),
            profiles: Arc::new(profiles),
            now: at(1_000_000_000_000_000),
        };
        Self { folder, stored, device }
    }

    fn series(&self, channel: &str, ucum: &str) -> store::SeriesId {
        self.stored.series.series(&SeriesKey {
            org: self.device.org,
            device: self.device.id,
            channel: Channel(channel.into()),
            kind: None,
            ucum: Ucum::new(ucum),
        })
    }

    fn of_blocks(blocks: impl IntoIterator<Item = WaveSpan>) -> Self {
        let past = Self::new(SeriesLimits::default());
        let id = past.series("ECG", "mV");
        blocks.into_iter().for_each(|it| _ = past.stored.series.push_wave(id, it));
        past
    }

    fn export(&self, name: &str, form: Form, seconds: u64) -> Exported {
        let wish = Wish {
            whom: Whom::Device(self.device.id),
            from: begin().before(Duration::from_secs(1)),
            to: begin().after(Duration::from_secs(seconds)),
            known_at: self.stored.now,
            form,
            with_names: false,
        };
        self.stored.export(&wish, &self.folder.path().join(name), &mut |_| ()).unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    fn coverage(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(&format!("{name}/coverage.json"))).unwrap()
    }
}

/// An hour of blocks of a second, each so long after the one before.
fn hour(starts_ns: impl Fn(i64) -> i64) -> Vec<WaveSpan> {
    let block = |number: usize| {
        let begins = starts_ns(i64::try_from(number).unwrap());
        block(begins, (250, 1), number * 250, 250)
    };
    (0..3_600).map(block).collect()
}

/// One record without a gap in every form, with each block's time within the wobble.
fn is_one_record(blocks: Vec<WaveSpan>, segments: usize) {
    let past = Past::of_blocks(blocks.clone());
    let done = past.export("wfdb", Form::Wfdb, 3_700);
    assert_eq!(done.samples, 900_000);
    let records: Vec<_> = done.files.iter().filter(|it| it.name.ends_with(".hea")).collect();
    assert_eq!(records.len(), 1, "{:?}", done.files);
    let master = String::from_utf8(past.read("wfdb/waves001.hea")).unwrap();
    assert!(master.lines().all(|line| !line.starts_with('~')), "{master}");
    assert_eq!(master.lines().filter(|it| it.starts_with("waves001_0")).count(), segments);

    let segment = String::from_utf8(past.read("wfdb/waves001_0001.hea")).unwrap();
    let times = segment.lines().filter_map(|it| it.split_once("time ")?.1.split_once(' '));
    let times: Vec<_> = times.collect();
    assert!(times.len() > 30, "{segment}");
    for (place, time) in times {
        let place: usize = place.parse().unwrap();
        assert_eq!((place % 250, time), (0, rfc3339(blocks[place / 250].at).as_str()));
    }

    let done = past.export("edf", Form::Edf, 3_700);
    assert_eq!(done.samples, 900_000);
    let file = signal::edf::read(&past.read("edf/waves001.edf")).unwrap();
    assert!(file.header.has_gaps, "onsets that step otherwise are not EDF+C");
    let (mut counts, mut furthest) = (Vec::new(), 0);
    let second = file.records[0].onset_ns;
    let notes: Vec<_> = file.records.iter().flat_map(|it| &it.notes).collect();
    assert!(notes.iter().all(|it| !it.text.contains("filling")), "{notes:?}");
    for record in &file.records {
        let block = &blocks[counts.len() / 250];
        let place = i64::try_from(counts.len() % 250).unwrap() * 4_000_000;
        let should_be = block.at.nanos_after(blocks[0].at) + place;
        furthest = furthest.max((record.onset_ns - second - should_be).abs());
        counts.extend(record.samples[0].iter().map(|it| i32::from(*it)));
    }
    assert!(furthest <= 10_000_000, "{furthest}");
    let sent: Vec<i32> = blocks.iter().flat_map(|it| it.samples.to_vec()).collect();
    assert!(counts == sent, "every sample is there, in its order");

    let waves = &past.coverage("edf")["waveforms"][0];
    let silent = waves["gaps"].as_array().unwrap();
    let hour_ms = 3_500_000;
    let inner = silent.iter().filter(|it| {
        let from = it["from_ms"].as_i64().unwrap() - begin().unix_millis();
        from > 1_000 && from < hour_ms
    });
    assert_eq!(inner.count(), 0, "{silent:?}");
}

#[test]
fn a_converter_that_is_a_little_fast_or_slow_makes_one_record_without_a_gap() {
    is_one_record(hour(|it| it * 999_900_000), 1);
    is_one_record(hour(|it| it * 1_000_100_000), 1);
}

#[test]
fn blocks_that_are_stamped_on_arrival_make_one_record_without_a_gap() {
    is_one_record(hour(|it| it * 1_000_000_000 + 50_000_000 * (1 - 2 * (it * it / 3 % 2))), 1);
    is_one_record(hour(|it| it * 1_000_000_000 + it * 48_271_003 % 100_000_000), 1);
}

#[test]
fn a_lost_block_is_a_gap_and_a_second_copy_a_record_of_its_own() {
    let all = || (0_i64..20).map(|it| block(it * 100_000_000, (250, 1), 25, 25));
    let past = Past::of_blocks(all().filter(|it| it.at != at(500_000_000)));
    assert_eq!(past.export("lost", Form::Wfdb, 10).samples, 475);
    let master = String::from_utf8(past.read("lost/waves001.hea")).unwrap();
    assert!(master.contains("\n~ 25\n"), "{master}");

    let later = all().map(|it| WaveSpan { at: it.at.after(Duration::from_millis(20)), ..it });
    let past = Past::of_blocks(all().chain(later));
    let done = past.export("twice", Form::Wfdb, 10);
    let records = done.files.iter().filter(|it| it.name.ends_with(".hea"));
    assert_eq!(records.map(|it| it.count).collect::<Vec<_>>(), [500, 500]);
    let master = String::from_utf8(past.read("twice/waves001.hea")).unwrap();
    assert!(!master.contains('~'), "{master}");
}

#[test]
fn a_rate_without_an_exact_length_of_a_record_is_what_a_foreign_reader_computes() {
    for (rate_hz, len) in [((2_499, 40), 6_247), ((1_000, 3), 10_000), ((360, 1), 3_601)] {
        let past = Past::of_blocks([block(0, rate_hz, 0, len)]);
        past.export("edf", Form::Edf, 200);
        let file = signal::edf::read(&past.read("edf/waves001.edf")).unwrap();
        let (header, lasts) = (&file.header, file.header.record_s.parse::<f64>().unwrap());
        let samples = f64::from(u32::try_from(header.signals[0].samples_of_record).unwrap());
        let exact = f64::from(rate_hz.0) / f64::from(rate_hz.1);
        assert!((samples / lasts / exact - 1.0).abs() < 2e-5, "{rate_hz:?} {header:?}");
        // Of a rate that eight characters do not say, each record's own time counts.
        assert_eq!(header.has_gaps, rate_hz == (2_499, 40), "{rate_hz:?} {header:?}");
        for (number, record) in file.records.iter().enumerate() {
            let place = number * header.signals[0].samples_of_record;
            let should_be = at_sample(begin(), place, rate_hz).nanos_after(begin());
            assert_eq!(record.onset_ns, should_be, "{rate_hz:?}");
        }
    }
}

#[test]
fn more_than_a_question_answers_is_asked_in_parts() {
    let limits =
        SeriesLimits { query_points_max: 7, query_samples_max: 600, ..SeriesLimits::default() };
    let past = Past::new(limits);
    let (pulse, ecg) = (past.series("HR", "/min"), past.series("ECG", "mV"));
    for number in 0..100 {
        let at = at(number * 700_000_000);
        let point = Point { at, received_at: at, value: Ok((number, 0)), marks: MARKS };
        _ = past.stored.series.push(pulse, point);
        let first = usize::try_from(number).unwrap() * 250;
        _ = past.stored.series.push_wave(ecg, block(number * 1_000_000_000, (250, 1), first, 250));
    }
    let done = past.export("csv", Form::Csv, 3_600);
    assert_eq!((done.values, done.samples), (100, 25_000));
    let text = String::from_utf8(past.read("csv/values.csv")).unwrap();
    let values: Vec<_> = text.lines().skip(1).filter_map(|it| it.split(',').nth(5)).collect();
    assert_eq!(values, (0..100).map(|it| it.to_string()).collect::<Vec<_>>());
    let text = String::from_utf8(past.read("csv/waves.csv")).unwrap();
    let counts = text.lines().skip(1).filter_map(|it| it.split(',').nth(9));
    let counts: Vec<i32> =
        counts.flat_map(|it| it.split(' ')).map(|it| it.parse().unwrap()).collect();
    assert!(counts == block(0, (250, 1), 0, 25_000).samples.to_vec());
}
