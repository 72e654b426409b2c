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

/// A part that is ready, with the places of what is in it.
#[derive(Debug)]
pub struct Batch {
    /// What is sent.
    pub part: Part,
    values: Vec<Vec<Place>>,
    waves: Vec<Place>,
    len: (usize, usize),
}

impl Batch {
    /// One of a file, with nothing in it.
    pub fn new(source: &Source) -> Self {
        let (values, waves) = (Vec::new(), Vec::new());
        let part = Part { import: None, source: source.clone(), values, waves };
        Self { part, values: Vec::new(), waves: Vec::new(), len: (0, 0) }
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.len.0 == 0 && self.len.1 == 0
    }

    /// Takes a piece; says whether the part is full.
    pub fn put(&mut self, piece: Piece, place: Place) -> bool {
        match piece {
            Piece::Value(value) => self.put_value(value, place),
            Piece::Wave(wave) => {
                // A stretch without samples is refused there, and has to be told of.
                self.len.1 = self.len.1.saturating_add(wave.samples.len().max(1));
                self.part.waves.push(wave);
                self.waves.push(place);
            }
        }
        self.len.0 >= POINTS || self.len.1 >= SAMPLES
    }

    fn put_value(&mut self, it: Value, place: Place) {
        let Value { channel, code, unit, at_ns, value, missing } = it;
        let point = Point { at_ns, value, missing };
        let is_it = |of: &Values| of.channel == channel && of.code == code && of.unit == unit;
        let at = self.part.values.iter().position(is_it);
        let at = at.unwrap_or_else(|| {
            self.part.values.push(Values { channel, code, unit, points: Vec::new() });
            self.values.push(Vec::new());
            self.values.len().saturating_sub(1)
        });
        if let (Some(of), Some(places)) = (self.part.values.get_mut(at), self.values.get_mut(at)) {
            of.points.push(point);
            places.push(place);
        }
        self.len.0 = self.len.0.saturating_add(1);
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
