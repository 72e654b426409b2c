//! A file of Parquet, written front to back: groups of rows with a plain, packed page for each
//! column, and a footer in Thrift's compact protocol that says where everything is.
//!
//! **Absent on purpose:** dictionaries, statistics and reading. A flat table with at most one
//! list needs none of them, and any reader understands what is here.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use model::Timestamp;

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Truth,
    Whole,
    /// Nanoseconds since 1970, in UTC.
    Instant,
    Double,
    Text,
}

/// How many of it a row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Maybe,
    /// A list that is never empty.
    Many,
}

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Nothing,
    Truth(bool),
    Whole(i32),
    Instant(Timestamp),
    Double(f64),
    Text(String),
    Many(Vec<i32>),
}

impl Kind {
    /// The physical type's number.
    const fn number(self) -> i32 {
        match self {
            Self::Truth => 0,
            Self::Whole => 1,
            Self::Instant => 2,
            Self::Double => 5,
            Self::Text => 6,
        }
    }
}

/// What the footer says of one column of one group.
#[derive(Debug)]
struct Chunk {
    offset: u64,
    values: usize,
    len: usize,
    packed_len: usize,
}

/// A file under work.
#[derive(Debug)]
pub(super) struct Parquet<W: Write> {
    out: W,
    offset: u64,
    columns: &'static [Column],
    held: Vec<Vec<Data>>,
    groups: Vec<(usize, Vec<Chunk>)>,
}

impl<W: Write> Parquet<W> {
    pub(super) fn begin(mut out: W, columns: &'static [Column]) -> io::Result<Self> {
        out.write_all(b"PAR1")?;
        let held = columns.iter().map(|_| Vec::new()).collect();
        Ok(Self { out, offset: 4, columns, held, groups: Vec::new() })
    }

    /// Rows that are not written yet.
    pub(super) fn rows(&self) -> usize {
        self.held.first().map_or(0, Vec::len)
    }

    pub(super) fn push<const N: usize>(&mut self, row: [Data; N]) {
        self.held.iter_mut().zip(row).for_each(|(column, data)| column.push(data));
    }

    /// Writes the rows that were pushed since the last time as a group.
    pub(super) fn write_group(&mut self) -> io::Result<()> {
        let rows = self.rows();
        if rows == 0 {
            return Ok(());
        }
        let mut chunks = Vec::new();
        for (column, held) in self.columns.iter().zip(&mut self.held) {
            let (values, page) = page(column, held);
            held.clear();
            let mut packer = GzEncoder::new(Vec::new(), Compression::default());
            packer.write_all(&page)?;
            let packed = packer.finish()?;
            let header = page_header(values, page.len(), packed.len());
            self.out.write_all(&header)?;
            self.out.write_all(&packed)?;
            let packed_len = header.len().saturating_add(packed.len());
            let len = header.len().saturating_add(page.len());
            chunks.push(Chunk { offset: self.offset, values, len, packed_len });
            let written = u64::try_from(packed_len).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(written);
        }
        self.groups.push((rows, chunks));
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.write_group()?;
        let footer = self.footer();
        self.out.write_all(&footer)?;
        let len = u32::try_from(footer.len()).map_err(io::Error::other)?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(b"PAR1")?;
        self.out.flush()
    }

    fn footer(&self) -> Vec<u8> {
        let mut thrift = Thrift::default();
        thrift.whole(1, 1);
        let leaves = self.columns.iter().map(|it| if it.shape == Shape::Many { 3 } else { 1 });
        thrift.list(2, STRUCT, leaves.sum::<usize>().saturating_add(1));
        thrift.text(4, "rows");
        thrift.whole(5, self.columns.len());
        thrift.end();
        self.columns.iter().for_each(|column| describe(&mut thrift, column));
        thrift.long(3, self.groups.iter().map(|group| group.0).sum());
        thrift.list(4, STRUCT, self.groups.len());
        for (rows, chunks) in &self.groups {
            thrift.list(1, STRUCT, chunks.len());
            for (column, chunk) in self.columns.iter().zip(chunks) {
                place(&mut thrift, column, chunk);
            }
            thrift.long(2, chunks.iter().map(|chunk| chunk.len).sum());
            thrift.long(3, *rows);
            thrift.end();
        }
        thrift.text(6, "wardline");
        thrift.0.push(0);
        thrift.0
    }
}

/// The elements of the schema that a column takes.
fn describe(thrift: &mut Thrift, column: &Column) {
    const LIST: usize = 3;
    if column.shape == Shape::Many {
        thrift.whole(3, 0);
        thrift.text(4, column.name);
        thrift.whole(5, 1);
        thrift.whole(6, LIST);
        thrift.nested(10);
        thrift.nested(3);
        thrift.end();
        thrift.end();
        thrift.end();
        thrift.whole(3, 2);
        thrift.text(4, "list");
        thrift.whole(5, 1);
        thrift.end();
    }
    thrift.number(1, column.kind.number());
    thrift.whole(3, usize::from(column.shape == Shape::Maybe));
    thrift.text(4, if column.shape == Shape::Many { "element" } else { column.name });
    match column.kind {
        Kind::Text => {
            thrift.whole(6, 0);
            thrift.nested(10);
            thrift.nested(1);
            thrift.end();
            thrift.end();
        }
        Kind::Instant => {
            thrift.nested(10);
            thrift.nested(8);
            thrift.truth(1);
            thrift.nested(2);
            thrift.nested(3);
            thrift.end();
            thrift.end();
            thrift.end();
            thrift.end();
        }
        Kind::Truth | Kind::Whole | Kind::Double => {}
    }
    thrift.end();
}

/// Where a column of a group lies.
fn place(thrift: &mut Thrift, column: &Column, chunk: &Chunk) {
    thrift.long(2, usize::try_from(chunk.offset).unwrap_or(usize::MAX));
    thrift.nested(3);
    thrift.number(1, column.kind.number());
    thrift.list(2, WHOLE, 2);
    thrift.bare(0);
    thrift.bare(i64::from(RLE));
    let path: &[&str] = match column.shape {
        Shape::Many => &[column.name, "list", "element"],
        Shape::One | Shape::Maybe => &[column.name],
    };
    thrift.list(3, TEXT, path.len());
    path.iter().for_each(|name| thrift.bare_text(name));
    thrift.number(4, GZIP);
    thrift.long(5, chunk.values);
    thrift.long(6, chunk.len);
    thrift.long(7, chunk.packed_len);
    thrift.long(9, usize::try_from(chunk.offset).unwrap_or(usize::MAX));
    thrift.end();
    thrift.end();
}

const RLE: i32 = 3;
const GZIP: i32 = 2;

fn page_header(values: usize, len: usize, packed_len: usize) -> Vec<u8> {
    let mut thrift = Thrift::default();
    thrift.whole(1, 0);
    thrift.whole(2, len);
    thrift.whole(3, packed_len);
    thrift.nested(5);
    thrift.whole(1, values);
    thrift.whole(2, 0);
    thrift.number(3, RLE);
    thrift.number(4, RLE);
    thrift.end();
    thrift.0.push(0);
    thrift.0
}

/// How many values a page has, nothing included, and its bytes: levels, then plain values.
fn page(column: &Column, held: &[Data]) -> (usize, Vec<u8>) {
    let (mut out, mut values) = (Vec::new(), held.len());
    match column.shape {
        Shape::One => {}
        Shape::Maybe => {
            levels(&mut out, held.iter().map(|it| (u8::from(*it != Data::Nothing), 1)));
        }
        Shape::Many => {
            let lens = held.iter().map(|it| if let Data::Many(list) = it { list.len() } else { 0 });
            values = lens.clone().sum();
            levels(&mut out, lens.flat_map(|len| [(0, 1), (1, len.saturating_sub(1))]));
            levels(&mut out, std::iter::once((1, values)));
        }
    }
    let mut bits = Vec::new();
    for data in held {
        match data {
            Data::Nothing => {}
            Data::Truth(truth) => bits.push(*truth),
            Data::Whole(number) => out.extend(number.to_le_bytes()),
            Data::Instant(at) => out.extend(at.unix_nanos().to_le_bytes()),
            Data::Double(number) => out.extend(number.to_le_bytes()),
            Data::Text(text) => {
                out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend(text.as_bytes());
            }
            Data::Many(list) => list.iter().for_each(|it| out.extend(it.to_le_bytes())),
        }
    }
    let byte = |bits: &[bool]| bits.iter().rev().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
    out.extend(bits.chunks(8).map(byte));
    (values, out)
}

/// Levels of one bit as runs, with their length before them.
fn levels(out: &mut Vec<u8>, runs: impl Iterator<Item = (u8, usize)>) {
    let mut coded = Vec::new();
    let mut last: Option<(u8, usize)> = None;
    let mut put = |run: Option<(u8, usize)>| {
        let Some((level, count)) = run.filter(|run| run.1 > 0) else { return };
        varint(&mut coded, u64::try_from(count).unwrap_or(u64::MAX) << 1);
        coded.push(level);
    };
    for (level, count) in runs.filter(|run| run.1 > 0) {
        match &mut last {
            Some((before, sum)) if *before == level => *sum = sum.saturating_add(count),
            _ => put(last.replace((level, count))),
        }
    }
    put(last);
    out.extend(u32::try_from(coded.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(coded);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        let [low, ..] = value.to_le_bytes();
        out.push(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    out.push(low);
}

const WHOLE: u8 = 5;
const LONG: u8 = 6;
const TEXT: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Thrift's compact protocol, as much of it as a footer needs. Fields always say their number
/// in full, which the protocol allows, so nothing has to be remembered between them.
#[derive(Debug, Default)]
struct Thrift(Vec<u8>);

impl Thrift {
    fn field(&mut self, number: u8, kind: u8) {
        self.0.push(kind);
        self.bare(number.into());
    }

    /// A number without its field.
    fn bare(&mut self, number: i64) {
        let folded = number << 1 ^ number >> 63;
        varint(&mut self.0, u64::from_le_bytes(folded.to_le_bytes()));
    }

    fn bare_text(&mut self, text: &str) {
        varint(&mut self.0, u64::try_from(text.len()).unwrap_or(0));
        self.0.extend(text.as_bytes());
    }

    fn number(&mut self, field: u8, number: i32) {
        self.field(field, WHOLE);
        self.bare(number.into());
    }

    fn whole(&mut self, field: u8, number: usize) {
        self.number(field, i32::try_from(number).unwrap_or(i32::MAX));
    }

    fn long(&mut self, field: u8, number: usize) {
        self.field(field, LONG);
        self.bare(i64::try_from(number).unwrap_or(i64::MAX));
    }

    fn truth(&mut self, field: u8) {
        self.field(field, 1);
    }

    fn text(&mut self, field: u8, text: &str) {
        self.field(field, TEXT);
        self.bare_text(text);
    }

    fn list(&mut self, field: u8, kind: u8, len: usize) {
        self.field(field, LIST);
        match u8::try_from(len) {
            Ok(len) if len < 15 => self.0.push(len << 4 | kind),
            _ => {
                self.0.push(0xf0 | kind);
                varint(&mut self.0, u64::try_from(len).unwrap_or(u64::MAX));
            }
        }
    }

    fn nested(&mut self, field: u8) {
        self.field(field, STRUCT);
    }

    fn end(&mut self) {
        self.0.push(0);
    }
}
