//! The series against a model that is a plain list.

use std::time::Duration;

use proptest::prelude::*;

mod corrected;
mod damaged;
mod rolls;
mod wave_there;

use super::{query::Question, *};
use crate::{hold::hold, limits};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000 + millis)
}

fn org() -> OrgId {
    OrgId::v7(at(0), 1)
}

fn device() -> DeviceId {
    DeviceId::v7(at(0), 2)
}

fn key(channel: &str, ucum: &str) -> SeriesKey {
    let (channel, kind) = (channel.into(), Some(Code::Mdc(147_842)));
    SeriesKey { org: org(), device: device(), channel, kind, ucum: ucum.into() }
}

fn question(from: i64, to: i64) -> Question {
    let channel = "HR".into();
    Question { org: org(), device: device(), channel, from: at(from), to: at(to) }
}

const GOOD: Marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };

fn point(millis: i64, value: i64) -> Point {
    let value = Ok((value, -1));
    Point { at: at(millis), received_at: at(millis + 40), value, marks: GOOD }
}

fn span(millis: i64, count: i32) -> WaveSpan {
    let samples: Vec<i32> = (0..count).map(|n| (n * 37 % 800) - 400).collect();
    let invalid = [Invalid { start: 3, len: 2, reason: MissingReason::SensorDetached }];
    WaveSpan {
        at: at(millis),
        received_at: at(millis + 1_000),
        rate_hz: (250, 1),
        gain: (25, -1),
        offset: 7,
        samples: samples.into(),
        invalid: if millis % 2 == 0 { invalid.into() } else { [].into() },
        marks: GOOD,
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Series {
        Series::open(self.0.path().join("series.sqlite")).unwrap()
    }
}

fn points(series: &Series, from: i64, to: i64) -> Vec<Point> {
    let mut stretches = series.receipts(&question(from, to)).unwrap().stretches;
    assert!(stretches.len() <= 1);
    stretches.pop().map(|stretch| stretch.items).unwrap_or_default()
}

fn chunks(series: &Series) -> i64 {
    let ask = "SELECT count(*) FROM chunk";
    series.0.database.read(|db| db.query_row(ask, [], |row| row.get(0))).unwrap()
}

fn offset(bytes: u64) -> LogOffset {
    LogOffset::from_bytes(bytes)
}

#[test]
fn a_point_is_there_at_once_and_stays_through_sealing_and_restart() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let want: Vec<_> = (0..10).map(|n| point(n * 1_000, 700 + n)).collect();
    for point in &want {
        assert_eq!(series.push(id, *point), Pushed::Kept);
    }
    let check = |series: &Series| {
        assert_eq!(points(series, 0, 10_000), want);
        // The first instant belongs to it, the last does not.
        assert_eq!(points(series, 2_000, 4_000), want[2..4]);
        assert_eq!(points(series, 9_001, 10_000), []);
    };
    check(&series);
    let sealing = series.begin_seal(offset(7), b"state".to_vec()).unwrap();
    check(&series);
    let sealed = sealing.finish().unwrap();
    assert_eq!((sealed.points, sealed.chunks), (10, 1));
    assert_eq!(series.unsealed(), (0, 0));
    check(&series);
    drop(series);
    let series = place.open();
    check(&series);
    assert_eq!(series.load_checkpoint().unwrap(), Some((offset(7), b"state".to_vec())));
    assert_eq!(series.series(&key("HR", "/min")), id);
}

#[test]
fn a_unit_that_changed_is_a_stretch_of_its_own() {
    let place = Place::new();
    let series = place.open();
    for (n, unit) in [(0, "/min"), (1, "{beats}/min"), (2, "/min")] {
        let id = series.series(&key("HR", unit));
        let _ = series.push(id, point(n, n));
    }
    let stretches = series.query(&question(0, 10)).unwrap().stretches;
    let units: Vec<_> = stretches.iter().map(|s| (s.ucum.as_str(), s.items.len())).collect();
    assert_eq!(units, [("/min", 2), ("{beats}/min", 1)]);
    assert_eq!(
        series.query(&Question { org: OrgId::v7(at(0), 9), ..question(0, 10) }).unwrap().stretches,
        []
    );
}

#[test]
fn small_batches_grow_one_chunk_until_it_is_full() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let max = i64::try_from(limits::CHUNK_POINTS_MAX).unwrap();
    for n in 0..max {
        let _ = series.push(id, point(n, n));
        if n % 500 == 0 {
            series.seal(offset(0), b"").unwrap();
        }
    }
    series.seal(offset(0), b"").unwrap();
    assert_eq!(chunks(&series), 1);
    let _ = series.push(id, point(max, max));
    series.seal(offset(0), b"").unwrap();
    assert_eq!(chunks(&series), 2);
    assert_eq!(points(&series, 0, max + 1).len(), limits::CHUNK_POINTS_MAX + 1);
    // An hour is the longest, whatever the count.
    let hour = i64::try_from(limits::CHUNK_SPAN_MAX.as_millis()).unwrap();
    let _ = series.push(id, point(max + hour, 0));
    series.seal(offset(0), b"").unwrap();
    assert_eq!(chunks(&series), 2);
    let _ = series.push(id, point(max + hour + 1, 0));
    series.seal(offset(0), b"").unwrap();
    assert_eq!(chunks(&series), 3);
}

#[test]
fn a_waveform_comes_back_with_its_gaps_and_its_silences() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "uV"));
    // One second each; the fourth is missing, and the last has another gain.
    let mut want: Vec<_> = [0, 1_000, 2_001, 4_000].map(|millis| span(millis, 250)).to_vec();
    want.push(WaveSpan { gain: (5, 0), ..span(5_000, 250) });
    want.push(WaveSpan { samples: vec![40_000, -40_000, 0].into(), ..span(6_000, 3) });
    let spans = |from, to| {
        let mut stretches = series.query_wave(&question(from, to)).unwrap().stretches;
        stretches.pop().map(|stretch| stretch.items).unwrap_or_default()
    };
    for (n, each) in want.iter().enumerate() {
        assert_eq!(series.push_wave(id, each.clone()), Pushed::Kept);
        if n == 1 {
            series.seal(offset(1), b"").unwrap();
        }
    }
    assert_eq!(spans(0, 10_000), want);
    let sealed = series.seal(offset(2), b"").unwrap();
    assert_eq!((sealed.samples, sealed.chunks), (3 * 250 + 3, 3));
    assert_eq!(spans(0, 10_000), want);
    // A span that ends where the question begins is not part of the answer.
    assert_eq!(want[0].end(), at(1_000));
    assert_eq!(spans(1_000, 1_001), want[1..2]);
    assert_eq!(spans(3_002, 4_000), []);
    assert_eq!(spans(3_000, 4_001), want[2..4]);
}

#[test]
fn a_failed_sealing_loses_nothing_and_leaves_no_checkpoint() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let _ = series.push(id, point(1, 1));
    let sealing = series.begin_seal(offset(1), b"one".to_vec()).unwrap();
    assert!(matches!(series.seal(offset(1), b"two"), Err(SealError::UnderWay)));
    let _ = series.push(id, point(2, 2));
    drop(sealing);
    assert_eq!(points(&series, 0, 10), [point(1, 1), point(2, 2)]);

    // The database refuses the checkpoint, after the chunks were written.
    let break_it =
        "CREATE TRIGGER no BEFORE INSERT ON checkpoint BEGIN SELECT RAISE(ABORT, 'no'); END";
    series.0.database.write(|tx| Ok(tx.execute_batch(break_it)?)).unwrap();
    assert!(matches!(series.seal(offset(1), b"one"), Err(SealError::Database(_))));
    assert_eq!((chunks(&series), series.load_checkpoint().unwrap()), (0, None));
    assert_eq!(series.unsealed(), (2, 0));
    series.0.database.write(|tx| Ok(tx.execute_batch("DROP TRIGGER no")?)).unwrap();
    series.seal(offset(3), b"three").unwrap();
    assert_eq!(points(&series, 0, 10), [point(1, 1), point(2, 2)]);
}

#[test]
fn after_a_crash_the_tail_is_pushed_again_without_doubles() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let _ = series.push(id, point(1, 1));
    series.seal(offset(10), b"ten").unwrap();
    let _ = series.push(id, point(2, 2));
    drop(series);
    // The restart reads the journal from offset 10 on; a careless one reads more of it.
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    for n in [1, 2] {
        let _ = series.push(id, point(n, n));
    }
    assert_eq!(points(&series, 0, 10), [point(1, 1), point(2, 2)]);
    series.seal(offset(20), b"").unwrap();
    assert_eq!(points(&series, 0, 10), [point(1, 1), point(2, 2)]);
}

#[test]
fn a_damaged_chunk_is_named_and_costs_the_next_ones_nothing() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let _ = series.push(id, point(1, 1));
    series.seal(offset(1), b"").unwrap();
    let rot = "UPDATE chunk SET bytes = zeroblob(40)";
    series.0.database.write(|tx| Ok(tx.execute(rot, [])?)).unwrap();
    let found = series.query(&question(0, 10)).unwrap();
    assert_eq!((found.stretches.len(), found.damaged.len()), (0, 1));
    let _ = series.push(id, point(100, 2));
    series.seal(offset(2), b"").unwrap();
    assert_eq!(chunks(&series), 2);
    assert_eq!(points(&series, 50, 200), [point(100, 2)]);
}

#[test]
fn memory_is_bounded_and_says_so_before() {
    let place = Place::new();
    let series = place.open();
    let id = series.series(&key("HR", "/min"));
    let long = |count: usize| WaveSpan { samples: vec![0; count].into(), ..span(1, 0) };
    let push = |count| series.push_wave(id, long(count));
    assert_eq!(push(limits::HOT_SAMPLES_SOON - 1), Pushed::Kept);
    assert_eq!(push(1), Pushed::SealSoon);
    assert_eq!(push(limits::HOT_SAMPLES_MAX - limits::HOT_SAMPLES_SOON), Pushed::SealSoon);
    assert_eq!(push(1), Pushed::Refused);
    // For points the counter is moved instead of four million points.
    let mut hot = hold(&series.0.hot);
    for (count, want) in [
        (limits::HOT_POINTS_SOON - 2, Pushed::Kept),
        (limits::HOT_POINTS_SOON - 1, Pushed::SealSoon),
        (limits::HOT_POINTS_MAX - 1, Pushed::SealSoon),
        (limits::HOT_POINTS_MAX, Pushed::Refused),
    ] {
        hot.count_points(count);
        assert_eq!(hot.push(id, point(1, 1)), want, "{count}");
    }
    // What a sealing has already asks for no other, and still takes room.
    hot.count_points(limits::HOT_POINTS_SOON);
    assert_eq!(hot.push(id, point(1, 1)), Pushed::SealSoon);
    let leaving = hot.leave();
    assert_eq!(hot.push(id, point(1, 1)), Pushed::Kept);
    hot.count_points(limits::HOT_POINTS_MAX);
    assert_eq!(hot.push(id, point(1, 1)), Pushed::Refused);
    hot.count_points(limits::HOT_POINTS_SOON);
    hot.stay(&leaving);
    assert_eq!(
        hot.push(id, point(1, 1)),
        Pushed::SealSoon,
        "a sealing that failed is wanted again"
    );
}

/// Chunks as version 1 wrote them. These texts never change.
#[test]
fn chunks_of_the_first_codecs_read_as_they_always_did() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let points = [
        point(0, 720),
        Point { value: Err(MissingReason::SensorDetached), ..point(1_000, 0) },
        Point {
            marks: Marks { clock: ClockUsed::Receiver, age_known: false, late: true },
            ..point(2_000, 731)
        },
    ];
    let bytes = chunk::encode_points(&points).unwrap();
    assert_eq!(chunk::decode_points(&bytes).unwrap(), points);
    let spans = [span(0, 8), span(33, 6)];
    let span_bytes = chunk::encode_spans(&spans).unwrap();
    assert_eq!(chunk::decode_spans(&span_bytes).unwrap(), spans);
    let unhex = |text: &str| -> Vec<u8> {
        let text: String = text.split_whitespace().collect();
        (0..text.len() / 2)
            .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
            .collect()
    };
    let golden = unhex(include_str!("golden/points_1.hex"));
    assert_eq!(
        chunk::decode_points(&golden),
        Ok(points.to_vec()),
        "encoded today: {}",
        hex(&bytes)
    );
    let golden = unhex(include_str!("golden/points_1_form_2.hex"));
    assert_eq!(
        chunk::decode_points(&golden),
        Ok(points.to_vec()),
        "encoded today: {}",
        hex(&bytes)
    );
    let golden = unhex(include_str!("golden/spans_2.hex"));
    assert_eq!(
        chunk::decode_spans(&golden),
        Ok(spans.to_vec()),
        "encoded today: {}",
        hex(&span_bytes)
    );
}

fn any_point() -> impl Strategy<Value = Point> {
    let reason = prop::sample::select(vec![
        MissingReason::SensorDetached,
        MissingReason::Implausible,
        MissingReason::Unknown,
    ]);
    let value = prop_oneof![
        3 => (any::<i64>(), any::<i8>()).prop_map(Ok),
        1 => reason.prop_map(Err)
    ];
    let clock =
        prop::sample::select(vec![ClockUsed::Device, ClockUsed::Gateway, ClockUsed::Receiver]);
    let marks = (clock, any::<bool>(), any::<bool>()).prop_map(|(clock, age_known, late)| Marks {
        clock,
        age_known,
        late,
    });
    (-5_000_000_i64..5_000_000, any::<i64>(), value, marks).prop_map(
        |(millis, late, value, marks)| {
            let received_at =
                Timestamp::from_unix_nanos(at(millis).unix_nanos().wrapping_add(late));
            Point { at: at(millis), received_at, value, marks }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn questions_are_answered_as_by_a_plain_list(
        batches in prop::collection::vec(prop::collection::vec(any_point(), 0..40), 1..5),
        (from, to) in (-6_000_000_i64..6_000_000, -6_000_000_i64..6_000_000),
        restart: bool,
    ) {
        let place = Place::new();
        let mut series = place.open();
        let mut model = Vec::new();
        for (n, batch) in batches.iter().enumerate() {
            let id = series.series(&key("HR", "/min"));
            for point in batch {
                let _ = series.push(id, *point);
                model.push(*point);
            }
            if n + 1 < batches.len() {
                series.seal(offset(0), b"").unwrap();
                if restart {
                    series = place.open();
                }
            }
        }
        model.retain(|point| point.at >= at(from) && point.at < at(to));
        model.sort_by_key(|point| (point.at, point.received_at));
        model.dedup();
        prop_assert_eq!(points(&series, from, to), model);
    }

    #[test]
    fn damaged_chunks_never_panic(mut bytes: Vec<u8>, place: prop::sample::Index, flip in 1_u8..) {
        let _ = chunk::decode_points(&bytes);
        let _ = chunk::decode_spans(&bytes);
        bytes.insert(0, 2);
        let _ = chunk::decode_points(&bytes);
        bytes = chunk::encode_spans(&[span(0, 50), span(200, 20)]).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        let _ = chunk::decode_spans(&bytes);
    }
}

#[test]
fn what_hardly_moves_and_what_can_be_foretold_takes_little_room() {
    let calm: Vec<Point> = (0..3_600).map(|n| point(n * 1_000, 368 + n / 97 % 3)).collect();
    let bytes = chunk::encode_points(&calm).unwrap();
    assert_eq!(chunk::decode_points(&bytes).unwrap(), calm);
    assert!(bytes.len() < 300, "{} bytes", bytes.len());

    // Each sample swings on from the two before it, with a little noise.
    let (mut last, mut before, mut noise) = (400.0_f64, 380.0, 1_u32);
    let swinging = (0..20_000).map(|_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let next = 1.8 * last - 0.9 * before + f64::from(noise >> 24) / 16.0 - 8.0;
        (before, last) = (last, next);
        next.round() as i16
    });
    let swinging: Vec<i16> = swinging.collect();
    let len = |ways: &[pco::DeltaSpec]| {
        let mut out = Vec::new();
        chunk::put_smallest(&mut out, &swinging, ways).unwrap();
        assert_eq!(chunk::take_column::<i16>(&mut &out[..], 20_000).unwrap(), swinging);
        out.len()
    };
    let (found, foretold) = (len(&[pco::DeltaSpec::Auto]), len(&chunk::OF_SAMPLES));
    assert!(foretold * 10 < found * 9, "{foretold} bytes instead of {found}");
}

#[test]
fn a_wave_that_ends_in_the_middle_of_a_nanosecond_still_has_an_end() {
    let third = WaveSpan { rate_hz: (3, 1), ..span(0, 1) };
    assert_eq!(third.end(), at(0).after(Duration::from_nanos(333_333_333)));
    assert_eq!(WaveSpan { rate_hz: (0, 1), ..span(0, 1) }.end().unix_nanos(), i64::MAX);
}

#[test]
fn a_question_for_more_than_the_limit_is_refused_and_for_so_much_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (query_points_max, query_samples_max) = (6, 30);
    let limits = SeriesLimits { query_points_max, query_samples_max, ..SeriesLimits::default() };
    let series = Series::open_with(dir.path().join("series.sqlite"), limits).unwrap();
    let key = key("ecg", "mV");
    let id = series.series(&key);
    let (org, device, channel) = (key.org, key.device, key.channel);
    let point = |second: i64| point(second * 1_000, 720);
    let ask = |to: i64| Question {
        org,
        device,
        channel: channel.clone(),
        from: point(0).at,
        to: point(to).at,
    };
    for second in 0..4 {
        assert_eq!(series.push(id, point(second)), Pushed::Kept);
    }
    // Half of it is on disk, half in memory.
    series.seal(LogOffset::from_bytes(1), &[]).unwrap();
    for second in 4..7 {
        assert_eq!(series.push(id, point(second)), Pushed::Kept);
    }
    assert_eq!(series.query(&ask(6)).unwrap().stretches[0].items.len(), 6, "at the limit");
    let error = series.query(&ask(7)).unwrap_err().to_string();
    assert_eq!(error, "a question for more than 6 points at once; ask for a shorter span");
}

#[test]
fn a_waveform_of_any_number_of_samples_is_sealed() {
    // Each swings on from the two before it, so that it is worth foretelling.
    let (mut last, mut before) = (400.0_f64, 380.0);
    let swinging = (0..1_100).map(|_| {
        let next = 1.8 * last - 0.9 * before;
        (before, last) = (last, if next.abs() < 5.0 { 400.0 } else { next });
        next.round() as i32
    });
    let swinging: Vec<i32> = swinging.collect();
    for len in (1..40).chain(500..540).chain(1_020..1_040) {
        for wide in [0, 1 << 20] {
            let samples: Arc<[i32]> = swinging[..len].iter().map(|it| it + wide).collect();
            let span = WaveSpan { samples, ..span(1, 1) };
            let bytes = chunk::encode_spans(std::slice::from_ref(&span)).unwrap();
            assert_eq!(chunk::decode_spans(&bytes).unwrap(), [span], "{len} samples");
        }
    }
}
