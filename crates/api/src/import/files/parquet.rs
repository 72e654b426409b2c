//! Tables of Parquet, of ours and of others: plain or dictionary pages, packed by Snappy or gzip
//! or not at all. A row is read at a time.

use std::{borrow::Cow, fs::File, path::Path};

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical},
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

/// What a column says of its fields as times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// They are none.
    No,
    /// They count so many nanoseconds.
    Utc(i64),
    /// They are by the clock on some wall, nobody says where.
    Local,
}

fn times_of(column: &Type) -> Times {
    let info = column.get_basic_info();
    match info.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) if !timestamp.is_adjusted_to_u_t_c => Times::Local,
        Some(LogicalType::Timestamp(timestamp)) => Times::Utc(match timestamp.unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        }),
        _ if column.is_primitive() && column.get_physical_type() == Physical::INT96 => Times::Local,
        // Before there were zones in it the format knew UTC only.
        _ => match info.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Times::Utc(1_000_000),
            ConvertedType::TIMESTAMP_MICROS => Times::Utc(1_000),
            _ => Times::No,
        },
    }
}

/// A number of fixed digits as text, if it fits.
fn fixed(bytes: &[u8], scale: i32) -> Option<String> {
    let first = bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let sign = if first & 0x80 == 0 { 0_i128 } else { -1 };
    let digits = bytes.iter().fold(sign, |sum, byte| (sum << 8) | i128::from(*byte));
    let it = Decimal {
        mantissa: i64::try_from(digits).ok()?,
        exp10: i8::try_from(scale.checked_neg()?).ok()?,
    };
    Some(it.to_string())
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
fn cell_of(field: &Field, times: Times) -> Result<Cell<'_>, String> {
    if times == Times::Local && !matches!(field, Field::Null) {
        return Ok(Cell::Local);
    }
    let unit_ns = match times {
        Times::Utc(unit_ns) => Some(unit_ns),
        Times::No | Times::Local => None,
    };
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
        Field::Decimal(it) => match fixed(it.data(), it.scale()) {
            Some(it) => text(it),
            None => Err("a number has more digits than fit".to_owned()),
        },
        Field::Date(_)
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
    let times: Vec<Times> = schema.iter().map(|it| times_of(it)).collect();
    let mut layout = Layout::of(&names, reading).map_err(|what| at(0, what))?;
    for (number, row) in (1_u64..).zip(reader.get_row_iter(None).map_err(whole)?) {
        let row = row.map_err(|error| at(number, error.to_string()))?;
        let columns = row.get_column_iter().zip(&times);
        let cells: Result<Vec<Cell<'_>>, String> =
            columns.map(|((_, field), times)| cell_of(field, *times)).collect();
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

#[test]
fn a_column_of_times_is_of_utc_or_it_is_none() {
    use parquet::basic::TimeUnit::MICROS;
    let column = |kind, logical: Option<LogicalType>, converted| {
        let column = Type::primitive_type_builder("t", kind).with_logical_type(logical);
        times_of(&column.with_converted_type(converted).build().unwrap())
    };
    let (int64, none) = (Physical::INT64, ConvertedType::NONE);
    let logical = |is_utc| Some(LogicalType::timestamp(is_utc, MICROS));
    assert_eq!(column(int64, logical(true), none), Times::Utc(1_000));
    assert_eq!(column(int64, logical(false), none), Times::Local);
    assert_eq!(column(int64, None, ConvertedType::TIMESTAMP_MILLIS), Times::Utc(1_000_000));
    assert_eq!(column(int64, None, none), Times::No);
    assert_eq!(column(Physical::INT96, None, none), Times::Local);
    let field = Field::TimestampMicros(5);
    assert_eq!(cell_of(&field, Times::Utc(1_000)), Ok(Cell::Instant(5_000)));
    assert_eq!(cell_of(&field, Times::Local), Ok(Cell::Local));
    let layout = |cells: &[Cell<'_>]| {
        let (channels, time) = (["hr".to_owned()].into(), None);
        let reading = Reading { channels, time, ..Reading::default() };
        let mut layout = Layout::of(&["time".to_owned(), "hr".to_owned()], &reading).unwrap();
        layout.row(cells, &reading, &mut |_| true)
    };
    let error = layout(&[Cell::Local, Cell::Nothing]).unwrap_err();
    assert!(error.contains("of no zone; write them in UTC"), "{error}");
    // A mapped column that is none of numbers says so, instead of vanishing.
    for odd in [Cell::Other, Cell::Instant(1), Cell::Local, Cell::Counts(vec![1])] {
        let error = layout(&[Cell::Instant(1), odd]).unwrap_err();
        assert!(error.contains("what stands for hr is no number"), "{error}");
    }
    assert_eq!(layout(&[Cell::Instant(1), Cell::Nothing]), Ok(true));
}

#[test]
fn numbers_of_fixed_digits_are_read_with_all_of_them() {
    use parquet::data_type::{ByteArray, Decimal as Fixed};
    let read = |it| {
        let field = Field::Decimal(it);
        let cell = cell_of(&field, Times::No);
        cell.map(|it| if let Cell::Text(text) = it { text.into_owned() } else { String::new() })
    };
    let text = |it: &str| Ok(it.to_owned());
    assert_eq!(read(Fixed::from_i32(7_250, 9, 2)), text("72.50"));
    assert_eq!(read(Fixed::from_i64(-5, 18, 3)), text("-0.005"));
    let bytes = |it: i128| Fixed::from_bytes(ByteArray::from(it.to_be_bytes().to_vec()), 38, 1);
    assert_eq!(read(bytes(-365)), text("-36.5"));
    assert!(read(bytes(i128::from(i64::MAX) + 1)).is_err());
}
