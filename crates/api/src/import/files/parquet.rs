//! Tables of Parquet, of ours and of others: plain or dictionary pages, packed by Snappy or gzip
//! or not at all. A row is read at a time.

use std::{borrow::Cow, fs::File, path::Path};

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit},
    errors::ParquetError,
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
    schema::types::Type,
};
use protocols::Decimal;

use super::{
    FileError, Place, Read, Reading, Take,
    table::{Cell, Layout},
};
use crate::limits::IMPORT_COLUMNS_MAX;

/// Nanoseconds of the unit in which a column counts instants; none of a column of numbers.
fn unit_ns(column: &Type) -> Option<i64> {
    let info = column.get_basic_info();
    match info.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => Some(match timestamp.unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        }),
        _ => match info.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Some(1_000_000),
            ConvertedType::TIMESTAMP_MICROS => Some(1_000),
            _ => None,
        },
    }
}

/// A number without a power of ten where its digits alone can say it.
fn plain(mut it: Decimal) -> Decimal {
    while it.exp10 > 0 {
        let Some(mantissa) = it.mantissa.checked_mul(10) else { break };
        it = Decimal { mantissa, exp10: it.exp10.saturating_sub(1) };
    }
    it
}

/// What stands in a field of a column.
fn cell_of(field: &Field, unit_ns: Option<i64>) -> Result<Cell<'_>, String> {
    let text = |text: String| Ok(Cell::Text(Cow::Owned(text)));
    let instant = |count: i64, unit: i64| {
        count.checked_mul(unit).map(Cell::Instant).ok_or_else(|| "a time does not fit".to_owned())
    };
    let number = |it: Option<Decimal>| match it {
        Some(it) => text(plain(it).to_string()),
        // What is no number is no value, as pandas has it.
        None => Ok(Cell::Nothing),
    };
    match field {
        Field::Null => Ok(Cell::Nothing),
        Field::Long(count) | Field::TimestampMillis(count) | Field::TimestampMicros(count)
            if unit_ns.is_some() =>
        {
            instant(*count, unit_ns.unwrap_or(1))
        }
        Field::TimestampMillis(count) => instant(*count, 1_000_000),
        Field::TimestampMicros(count) => instant(*count, 1_000),
        Field::Bool(it) => text(it.to_string()),
        Field::Byte(it) => text(it.to_string()),
        Field::Short(it) => text(it.to_string()),
        Field::Int(it) => text(it.to_string()),
        Field::Long(it) => text(it.to_string()),
        Field::UByte(it) => text(it.to_string()),
        Field::UShort(it) => text(it.to_string()),
        Field::UInt(it) => text(it.to_string()),
        Field::ULong(it) => text(it.to_string()),
        Field::Float16(it) => number(Decimal::from_f32(it.to_f32())),
        Field::Float(it) => number(Decimal::from_f32(*it)),
        Field::Double(it) => number(Decimal::from_f64(*it)),
        Field::Str(it) => Ok(Cell::Text(Cow::Borrowed(it))),
        Field::Bytes(it) => match std::str::from_utf8(it.data()) {
            Ok(it) => Ok(Cell::Text(Cow::Borrowed(it))),
            Err(_) => Err("a field holds bytes that are no text".to_owned()),
        },
        Field::ListInternal(list) => list.elements().iter().map(count_of).collect(),
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::Group(_)
        | Field::MapInternal(_) => Ok(Cell::Other),
    }
}

fn count_of(field: &Field) -> Result<i32, String> {
    let count = match field {
        Field::Byte(it) => Some((*it).into()),
        Field::Short(it) => Some((*it).into()),
        Field::Int(it) => Some(*it),
        Field::Long(it) => i32::try_from(*it).ok(),
        _ => None,
    };
    count.ok_or_else(|| "a sample is no whole number of 32 bits".to_owned())
}

pub(super) fn read(path: &Path, reading: &Reading, take: &mut Take<'_>) -> Result<Read, FileError> {
    let whole =
        |error: ParquetError| FileError::Whole { path: path.to_owned(), what: error.to_string() };
    let at = |row: u64, what: String| FileError::At {
        path: path.to_owned(),
        place: Place("row", row),
        what,
    };
    let file = File::open(path).map_err(|error| FileError::Io(path.to_owned(), error))?;
    let reader = SerializedFileReader::new(file).map_err(whole)?;
    let schema = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
    if schema.len() > IMPORT_COLUMNS_MAX {
        return Err(at(0, format!("it has more than {IMPORT_COLUMNS_MAX} columns")));
    }
    let names: Vec<String> = schema.iter().map(|it| it.name().to_owned()).collect();
    let units: Vec<Option<i64>> = schema.iter().map(|it| unit_ns(it)).collect();
    let mut layout = Layout::of(&names, reading).map_err(|what| at(0, what))?;
    for (number, row) in (1_u64..).zip(reader.get_row_iter(None).map_err(whole)?) {
        let row = row.map_err(|error| at(number, error.to_string()))?;
        let columns = row.get_column_iter().zip(&units);
        let cells: Result<Vec<Cell<'_>>, String> =
            columns.map(|((_, field), unit)| cell_of(field, *unit)).collect();
        let cells = cells.map_err(|what| at(number, what))?;
        let goes_on = layout
            .row(&cells, reading, &mut |piece| take(piece, Place("row", number)))
            .map_err(|what| at(number, what))?;
        if !goes_on {
            return Err(FileError::Stopped);
        }
    }
    Ok(Read { unmapped: layout.unmapped, of_others: layout.of_others })
}
