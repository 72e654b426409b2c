//! Tables of Parquet: values one a row, waveforms a piece of a few seconds a row, its samples
//! a list.

mod file;

use std::{fs::File, io::BufWriter};

use protocols::senml::word_of;

use self::file::{Column, Data, Kind, Parquet, Shape};
use super::{
    ExportError, Folder, Writing, csv,
    tracks::{Track, doubts_in},
    values::{Table, Value, clock_word},
};

/// Rows of values that are written together.
const ROWS_AT_ONCE: usize = 65_536;
/// Samples of waveforms that are written together.
const SAMPLES_AT_ONCE: usize = 1 << 20;

const fn one(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, shape: Shape::One }
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, shape: Shape::Maybe }
}

const VALUES: [Column; 13] = [
    one("at", Kind::Instant),
    maybe("patient", Kind::Text),
    one("device", Kind::Text),
    one("channel", Kind::Text),
    maybe("code", Kind::Text),
    maybe("value", Kind::Double),
    // The same with all of its digits: a double has not every decimal.
    maybe("value_text", Kind::Text),
    one("unit", Kind::Text),
    maybe("missing", Kind::Text),
    one("received_at", Kind::Instant),
    one("clock", Kind::Text),
    one("age_known", Kind::Truth),
    one("late", Kind::Truth),
];

const WAVES: [Column; 12] = [
    one("at", Kind::Instant),
    maybe("patient", Kind::Text),
    one("device", Kind::Text),
    one("channel", Kind::Text),
    maybe("code", Kind::Text),
    one("unit", Kind::Text),
    one("rate_hz_numerator", Kind::Whole),
    one("rate_hz_denominator", Kind::Whole),
    one("gain", Kind::Text),
    one("offset", Kind::Whole),
    Column { name: "samples", kind: Kind::Whole, shape: Shape::Many },
    one("doubts", Kind::Text),
];

/// A number from below 2^32 in the 32 bits of a column.
fn whole(number: u32) -> Data {
    Data::Whole(i32::try_from(number).unwrap_or(i32::MAX))
}

fn text(text: impl ToString) -> Data {
    Data::Text(text.to_string())
}

/// The table of values.
pub(super) struct Values {
    file: Parquet<BufWriter<File>>,
    fault: Box<dyn Fn(std::io::Error) -> ExportError>,
}

impl Values {
    pub(super) fn create(out: &Folder) -> Result<Self, ExportError> {
        const NAME: &str = "values.parquet";
        let fault = out.fault(NAME);
        let file = Parquet::begin(out.create(NAME)?, &VALUES).map_err(&fault)?;
        Ok(Self { file, fault: Box::new(fault) })
    }
}

impl Table for Values {
    fn put(&mut self, it: &Value<'_>) -> Result<(), ExportError> {
        let (point, marks) = (it.point, it.point.marks);
        let value = point.value.ok();
        let double = value.and_then(|value| csv::number(value).parse().ok());
        self.file.push([
            Data::Instant(point.at),
            it.patient.map_or(Data::Nothing, text),
            text(it.device),
            text(it.channel),
            it.code.map_or(Data::Nothing, text),
            double.map_or(Data::Nothing, Data::Double),
            value.map_or(Data::Nothing, |value| Data::Text(csv::number(value))),
            text(it.ucum),
            point.value.err().map_or(Data::Nothing, |why| text(word_of(why))),
            Data::Instant(point.received_at),
            text(clock_word(marks.clock)),
            Data::Truth(marks.age_known),
            Data::Truth(marks.late),
        ]);
        if self.file.rows() >= ROWS_AT_ONCE {
            self.file.write_group().map_err(&self.fault)?;
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<(), ExportError> {
        let Self { file, fault } = *self;
        file.end().map_err(fault)
    }
}

/// Writes waveforms as a table.
pub(super) fn waves(
    tracks: &[Track],
    out: &mut Folder,
    writing: &mut Writing<'_>,
) -> Result<(), ExportError> {
    const NAME: &str = "waves.parquet";
    if tracks.is_empty() {
        return Ok(());
    }
    let fault = out.fault(NAME);
    let mut file = Parquet::begin(out.create(NAME)?, &WAVES).map_err(&fault)?;
    let (mut rows, mut held) = (0_u64, 0_usize);
    for track in tracks {
        for (run, at, from, len) in track.pieces(csv::PIECE_S, csv::PIECE_SAMPLES_MAX) {
            let source = &track.source;
            let samples = track.samples(run.start.saturating_add(from), len)?;
            held = held.saturating_add(samples.len());
            file.push([
                Data::Instant(at),
                source.patient.map_or(Data::Nothing, text),
                text(source.device),
                text(&source.channel),
                source.code.map_or(Data::Nothing, text),
                text(&source.ucum),
                whole(source.rate_hz.0),
                whole(source.rate_hz.1),
                Data::Text(csv::number(source.gain)),
                Data::Whole(source.offset),
                Data::Many(samples),
                Data::Text(csv::doubts_text(&doubts_in(run, from, len))),
            ]);
            rows = rows.saturating_add(1);
            if held >= SAMPLES_AT_ONCE {
                held = 0;
                file.write_group().map_err(&fault)?;
            }
            writing.has_written(len);
        }
    }
    file.end().map_err(&fault)?;
    out.wrote(NAME, "waveforms, a piece of a few seconds a row", rows);
    Ok(())
}
