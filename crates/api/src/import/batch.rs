//! Pieces of a file gathered into parts that the interface takes, each remembering where its
//! pieces stand.

use super::{
    files::{Piece, Place, Value},
    part::{Part, Point, Refused, Source, Values},
};

/// Values of one part; as JSON they take about half of what a part may have.
const POINTS: usize = 10_000;
/// Samples of one part.
const SAMPLES: usize = 50_000;
/// Stretches of one part.
const STRETCHES: usize = 500;
/// Doubts of one part; those of one more stretch fit beside them.
const DOUBTS: usize = 4_000;
/// Bytes of one part as JSON, to what one more piece fits beside.
const BYTES: usize = 1_024 * 1_024;
/// Bytes that names of fields and numbers of a value, a stretch and a doubt take at most.
const VALUE_BYTES: usize = 80;
const STRETCH_BYTES: usize = 300;
const DOUBT_BYTES: usize = 90;
/// The longest count with what parts it from the next.
const SAMPLE_BYTES: usize = 12;

/// A part that is ready, with the places of what is in it.
#[derive(Debug)]
pub struct Batch {
    /// What is sent.
    pub part: Part,
    values: Vec<Vec<Place>>,
    waves: Vec<Place>,
    len: Len,
}

/// How much is in a part.
#[derive(Debug, Default)]
struct Len {
    points: usize,
    samples: usize,
    doubts: usize,
    bytes: usize,
}

impl Batch {
    /// One of a file, with nothing in it.
    pub fn new(source: &Source) -> Self {
        let (values, waves) = (Vec::new(), Vec::new());
        let part = Part { import: None, source: source.clone(), values, waves };
        Self { part, values: Vec::new(), waves: Vec::new(), len: Len::default() }
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.len.points == 0 && self.len.samples == 0
    }

    /// Takes a piece; says whether the part is full.
    pub fn put(&mut self, piece: Piece, place: Place) -> bool {
        match piece {
            Piece::Value(value) => self.put_value(value, place),
            Piece::Wave(wave) => {
                // A stretch without samples is refused there, and has to be told of.
                let samples = wave.samples.len();
                self.len.samples = self.len.samples.saturating_add(samples.max(1));
                self.len.doubts = self.len.doubts.saturating_add(wave.doubts.len());
                let words = [Some(&wave.channel), Some(&wave.gain), wave.code.as_ref()];
                let words = words.into_iter().chain([wave.unit.as_ref()]).flatten();
                let bytes = words
                    .map(String::len)
                    .chain(wave.doubts.iter().map(|it| it.reason.len().saturating_add(DOUBT_BYTES)))
                    .chain([STRETCH_BYTES, samples.saturating_mul(SAMPLE_BYTES)]);
                self.len.bytes = bytes.fold(self.len.bytes, usize::saturating_add);
                self.part.waves.push(wave);
                self.waves.push(place);
            }
        }
        self.len.points >= POINTS
            || self.len.samples >= SAMPLES
            || self.waves.len() >= STRETCHES
            || self.len.doubts >= DOUBTS
            || self.len.bytes >= BYTES
    }

    fn put_value(&mut self, it: Value, place: Place) {
        let Value { channel, code, unit, at_ns, value, missing } = it;
        let texts = [value.as_deref(), missing.as_deref()].into_iter().flatten().map(str::len);
        let bytes = texts.chain([VALUE_BYTES]).fold(0, usize::saturating_add);
        self.len.bytes = self.len.bytes.saturating_add(bytes);
        let point = Point { at_ns, value, missing };
        let is_it = |of: &Values| of.channel == channel && of.code == code && of.unit == unit;
        let at = self.part.values.iter().position(is_it);
        let at = at.unwrap_or_else(|| {
            let words = [Some(&channel), code.as_ref(), unit.as_ref()].into_iter().flatten();
            let bytes = words.map(String::len).chain([VALUE_BYTES]);
            self.len.bytes = bytes.fold(self.len.bytes, usize::saturating_add);
            self.part.values.push(Values { channel, code, unit, points: Vec::new() });
            self.values.push(Vec::new());
            self.values.len().saturating_sub(1)
        });
        if let (Some(of), Some(places)) = (self.part.values.get_mut(at), self.values.get_mut(at)) {
            of.points.push(point);
            places.push(place);
        }
        self.len.points = self.len.points.saturating_add(1);
    }

    /// The times of what is in it, in nanoseconds since 1970; of a stretch the first sample's.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        let points = self.part.values.iter().flat_map(|it| &it.points).map(|it| it.at_ns);
        points.chain(self.part.waves.iter().map(|it| it.at_ns))
    }

    /// Where in the file something stands that was refused: its first place.
    pub fn place_of(&self, refused: &Refused) -> Option<Place> {
        if refused.is_wave {
            return self.waves.get(refused.place).copied();
        }
        self.values.get(refused.place)?.get(refused.point.unwrap_or(0)).copied()
    }
}

#[test]
fn a_batch_groups_what_is_of_one_channel_and_remembers_every_place() {
    let source =
        Source { file: "a.csv".to_owned(), form: "csv".to_owned(), sha256: "0".repeat(64) };
    let mut batch = Batch::new(&source);
    assert!(batch.is_empty());
    let value = |channel: &str, at_ns| {
        Piece::Value(Value {
            channel: channel.to_owned(),
            code: None,
            unit: None,
            at_ns,
            value: Some("1".to_owned()),
            missing: None,
        })
    };
    for (line, channel) in (2..).zip(["a", "b", "a"]) {
        assert!(!batch.put(value(channel, 7), Place("line", line)));
    }
    let lens: Vec<usize> = batch.part.values.iter().map(|it| it.points.len()).collect();
    assert_eq!(lens, [2, 1]);
    let refused = |place, point| Refused { is_wave: false, place, point, why: String::new() };
    for (it, want) in [
        (refused(0, Some(1)), Some(Place("line", 4))),
        (refused(1, None), Some(Place("line", 3))),
        (refused(2, None), None),
    ] {
        assert_eq!(batch.place_of(&it), want);
    }
    let full = (0..).take_while(|at| !batch.put(value("a", *at), Place("line", 9))).count();
    assert_eq!(full, POINTS - 4);
}

#[test]
fn a_batch_of_short_stretches_or_many_doubts_fits_into_a_part() {
    use super::part::{Doubt, Wave};
    use crate::limits::{IMPORT_DOUBTS_MAX, IMPORT_PART_LEN_MAX, IMPORT_STRETCHES_MAX};
    let source =
        Source { file: "a.csv".to_owned(), form: "csv".to_owned(), sha256: "0".repeat(64) };
    let doubt =
        Doubt { start: 1_999_999_999, len: 1_999_999_999, reason: "sensor-detached".to_owned() };
    let wave = |samples, doubts| {
        Piece::Wave(Wave {
            channel: "MDC_ECG_ELEC_POTL_II".to_owned(),
            code: Some("MDC 131330".to_owned()),
            unit: Some("mV".to_owned()),
            at_ns: i64::MAX,
            rate_hz: (100_000, 1_000_000_000),
            gain: "0.005".to_owned(),
            offset: i32::MIN,
            samples: vec![i32::MIN; samples],
            doubts: vec![doubt.clone(); doubts],
        })
    };
    for (samples, doubts) in [(2, 0), (10_000, 5_000), (5_000, 3_999), (1, 1), (100, 20)] {
        let mut batch = Batch::new(&source);
        while !batch.put(wave(samples, doubts), Place("line", 1)) {}
        let len = serde_json::to_vec(&batch.part).unwrap().len();
        assert!(len <= IMPORT_PART_LEN_MAX, "{samples} {doubts}: {len}");
        assert!(batch.part.waves.len() <= IMPORT_STRETCHES_MAX);
        let all: usize = batch.part.waves.iter().map(|it| it.doubts.len()).sum();
        assert!(all <= IMPORT_DOUBTS_MAX, "{samples} {doubts}: {all}");
    }
}
