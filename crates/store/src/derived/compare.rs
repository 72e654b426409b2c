//! Whether two sets of derived state are the same: each table row by row, each series item by item.
//!
//! Tables are read in the order of all their columns, so that only what stands in them counts.
//! How items are divided into chunks depends on when a server happened to seal and is no part
//! of what was measured: series are compared by their items, as questions are answered.

use std::{fmt::Debug, path::Path};

use model::{Channel, DeviceId, OrgId, Timestamp};
use rusqlite::{Connection, OpenFlags, Rows, types::ValueRef};

use crate::{DatabaseError, Series, SeriesLimits, Stretch, series::Question, sqlite::Sql};

/// What a comparison of one table, or of what all series hold, found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The name of the table, or `points` and `waveforms` for what series hold.
    pub table: String,
    /// How many rows or items the live state has.
    pub live: u64,
    /// How many the other has.
    pub rebuilt: u64,
    /// Where they first differ, without what stands there.
    pub difference: Option<String>,
}

impl Compared {
    fn new(table: &str) -> Self {
        Self { table: table.to_owned(), live: 0, rebuilt: 0, difference: None }
    }
}

/// Tables whose rows say nothing of what was measured: series and chunks are compared by their
/// items, and how each place numbers its series is its own; roll-ups are made of items when
/// somebody asks for them; and which chunks were found damaged is said of one file alone.
const BY_ITEMS: [&str; 6] = ["chunk", "damage", "roll", "roll_stale", "series", "tally"];

/// Compares the records and the series of two places, both in this order; nobody writes to either.
pub fn compare(live: [&Path; 2], rebuilt: [&Path; 2]) -> Result<Vec<Compared>, DatabaseError> {
    let mut found = Vec::new();
    for (one, other) in live.into_iter().zip(rebuilt) {
        compare_tables(&Side::open(one)?, &Side::open(other)?, &mut found)?;
    }
    let ([_, live], [_, rebuilt]) = (live, rebuilt);
    found.extend(compare_series(live, rebuilt)?);
    Ok(found)
}

/// One database of a comparison.
struct Side<'a> {
    db: Connection,
    path: &'a Path,
}

impl<'a> Side<'a> {
    fn open(path: &'a Path) -> Result<Self, DatabaseError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags);
        let db =
            opened.map_err(|source| DatabaseError::Sqlite { path: path.to_owned(), source })?;
        Ok(Self { db, path })
    }

    fn fault(&self, source: rusqlite::Error) -> DatabaseError {
        DatabaseError::Sqlite { path: self.path.to_owned(), source }
    }

    fn ask<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        ask(&self.db).map_err(|error| self.fault(error))
    }
}

/// Names of tables with their columns, in order.
fn tables(db: &Connection) -> rusqlite::Result<Vec<(String, Vec<String>)>> {
    let names = "SELECT name FROM sqlite_schema
                 WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut found = Vec::new();
    let mut statement = db.prepare(names)?;
    for name in statement.query_map([], |row| row.get::<_, String>(0))? {
        let name = name?;
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
        let columns = columns.query_map([&name], |row| row.get(0))?;
        let columns = columns.collect::<rusqlite::Result<Vec<String>>>()?;
        found.push((name, columns));
    }
    Ok(found)
}

fn compare_tables(
    live: &Side<'_>,
    rebuilt: &Side<'_>,
    found: &mut Vec<Compared>,
) -> Result<(), DatabaseError> {
    let (ours, theirs) = (live.ask(tables)?, rebuilt.ask(tables)?);
    if ours != theirs {
        let difference = Some("the two have other tables or columns".to_owned());
        let (live, rebuilt) = (count(ours.len()), count(theirs.len()));
        found.push(Compared { table: "tables".to_owned(), live, rebuilt, difference });
        return Ok(());
    }
    for (table, columns) in ours.iter().filter(|(table, _)| !BY_ITEMS.contains(&table.as_str())) {
        found.push(compare_table(live, rebuilt, table, columns)?);
    }
    Ok(())
}

fn compare_table(
    live: &Side<'_>,
    rebuilt: &Side<'_>,
    table: &str,
    columns: &[String],
) -> Result<Compared, DatabaseError> {
    let order: Vec<String> = (1..=columns.len()).map(|column| column.to_string()).collect();
    let ask = format!("SELECT * FROM {table} ORDER BY {}", order.join(","));
    let mut ours = live.db.prepare(&ask).map_err(|error| live.fault(error))?;
    let mut theirs = rebuilt.db.prepare(&ask).map_err(|error| rebuilt.fault(error))?;
    let mut our_rows = ours.query([]).map_err(|error| live.fault(error))?;
    let mut their_rows = theirs.query([]).map_err(|error| rebuilt.fault(error))?;
    let mut compared = Compared::new(table);
    loop {
        let one = next(&mut our_rows, columns.len()).map_err(|error| live.fault(error))?;
        let other = next(&mut their_rows, columns.len()).map_err(|error| rebuilt.fault(error))?;
        if compared.difference.is_none() && one != other {
            let described = describe(columns, compared.live, one.as_deref(), other.as_deref());
            compared.difference = Some(described);
        }
        compared.live = compared.live.saturating_add(u64::from(one.is_some()));
        compared.rebuilt = compared.rebuilt.saturating_add(u64::from(other.is_some()));
        if one.is_none() && other.is_none() {
            return Ok(compared);
        }
    }
}

/// A row, each column as bytes that begin with its type.
type Columns = Vec<Vec<u8>>;

fn next(rows: &mut Rows<'_>, width: usize) -> rusqlite::Result<Option<Columns>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    let column = |at| -> rusqlite::Result<Vec<u8>> {
        Ok(match row.get_ref(at)? {
            ValueRef::Null => vec![0],
            ValueRef::Integer(it) => [&[1][..], &it.to_be_bytes()].concat(),
            ValueRef::Real(it) => [&[2][..], &it.to_bits().to_be_bytes()].concat(),
            ValueRef::Text(it) => [&[3][..], it].concat(),
            ValueRef::Blob(it) => [&[4][..], it].concat(),
        })
    };
    (0..width).map(column).collect::<rusqlite::Result<Columns>>().map(Some)
}

/// Which columns of which row differ, and its place in the log; never what stands there.
fn describe(
    names: &[String],
    row: u64,
    live: Option<&[Vec<u8>]>,
    rebuilt: Option<&[Vec<u8>]>,
) -> String {
    let (Some(one), Some(other)) = (live, rebuilt) else {
        let who = if live.is_some() { "the live state" } else { "the rebuild" };
        return format!("only {who} has row {row}");
    };
    let pairs = names.iter().zip(one.iter().zip(other));
    let columns: Vec<&str> =
        pairs.filter(|(_, (one, other))| one != other).map(|(name, _)| name.as_str()).collect();
    let offset = names.iter().zip(one).find(|(name, _)| *name == "log_offset");
    let offset = offset.and_then(|(_, bytes)| <[u8; 8]>::try_from(bytes.get(1..)?).ok());
    let offset =
        offset.map_or_else(String::new, |it| format!(", at log offset {}", i64::from_be_bytes(it)));
    format!("row {row} differs in {}{offset}", columns.join(", "))
}

/// A channel of a device, and the first and the last instant of what it has sealed.
type Source = ((OrgId, DeviceId, Channel), Option<(i64, i64)>);

fn sources(db: &Connection) -> rusqlite::Result<Vec<Source>> {
    let ask = "SELECT s.org, s.device, s.channel, min(c.min_at), max(c.max_at)
               FROM series AS s LEFT JOIN chunk AS c ON c.org = s.org AND c.series = s.id
               GROUP BY s.org, s.device, s.channel ORDER BY s.org, s.device, s.channel";
    let mut statement = db.prepare(ask)?;
    let row = |row: &rusqlite::Row<'_>| {
        let (org, device) = (row.get::<_, Sql<OrgId>>(0)?.0, row.get::<_, Sql<DeviceId>>(1)?.0);
        let times = row.get::<_, Option<i64>>(3)?.zip(row.get::<_, Option<i64>>(4)?);
        Ok(((org, device, Channel(row.get(2)?)), times))
    };
    statement.query_map([], row)?.collect()
}

/// How much time is compared at once, so that years fit into memory.
const AT_ONCE_NANOS: i64 = 86_400_000_000_000;

fn compare_series(live: &Path, rebuilt: &Path) -> Result<[Compared; 3], DatabaseError> {
    let limits = SeriesLimits {
        query_points_max: usize::MAX,
        query_samples_max: usize::MAX,
        ..SeriesLimits::default()
    };
    let ours = Side::open(live)?.ask(sources)?;
    let theirs = Side::open(rebuilt)?.ask(sources)?;
    let (live, rebuilt) = (Series::open_with(live, limits)?, Series::open_with(rebuilt, limits)?);
    let (mut points, mut waves) = (Compared::new("points"), Compared::new("waveforms"));
    if ours != theirs {
        points.difference = Some("the two have other series, or of other times".to_owned());
    }
    for ((org, device, channel), times) in &ours {
        let Some((first, last)) = *times else { continue };
        let mut from = first;
        while from <= last {
            let to = from.saturating_add(AT_ONCE_NANOS).min(last.saturating_add(1));
            let question = Question {
                org: *org,
                device: *device,
                channel: channel.clone(),
                from: Timestamp::from_unix_nanos(from),
                to: Timestamp::from_unix_nanos(to),
            };
            let points_of = |it: &Series| it.whole(&question, it.receipts(&question)?);
            points.note(&points_of(&live)?, &points_of(&rebuilt)?, &question);
            let waves_of = |it: &Series| it.whole(&question, it.query_wave(&question)?);
            waves.note(&waves_of(&live)?, &waves_of(&rebuilt)?, &question);
            from = to;
        }
    }
    Ok([points, waves, compare_corrections(&live, &rebuilt)])
}

/// What people said of stored readings; with the same receipts the same values count.
fn compare_corrections(live: &Series, rebuilt: &Series) -> Compared {
    let (ours, theirs) = (live.all_corrections(), rebuilt.all_corrections());
    let mut compared = Compared::new("corrections");
    (compared.live, compared.rebuilt) = (count(ours.len()), count(theirs.len()));
    let pairs = ours.iter().map(Some).chain([None]).zip(theirs.iter().map(Some).chain([None]));
    if let Some((one, other)) = pairs.into_iter().find(|(one, other)| one != other) {
        let id = one.or(other).map(|it| it.correction.id.to_string()).unwrap_or_default();
        compared.difference = Some(format!("the correction {id} is not the same"));
    }
    compared
}

impl Compared {
    fn note<T: PartialEq + Debug>(
        &mut self,
        live: &[Stretch<T>],
        rebuilt: &[Stretch<T>],
        question: &Question,
    ) {
        let items = |all: &[Stretch<T>]| {
            all.iter().map(|it| count(it.items.len())).fold(0, u64::saturating_add)
        };
        self.live = self.live.saturating_add(items(live));
        self.rebuilt = self.rebuilt.saturating_add(items(rebuilt));
        if self.difference.is_none() && live != rebuilt && sorted(live) != sorted(rebuilt) {
            let (channel, device, at) =
                (&question.channel, question.device, question.from.unix_millis());
            let what = format!("channel {channel} of {device} differs in the day after {at} ms");
            self.difference = Some(what);
        }
    }
}

/// Items that have the same two times may stand in either order.
fn sorted<T: Debug>(all: &[Stretch<T>]) -> Vec<String> {
    let stretch = |it: &Stretch<T>| {
        let name = format!("{:?} {}", it.kind, it.ucum);
        it.items.iter().map(|item| format!("{name} {item:?}")).collect::<Vec<_>>()
    };
    let mut all: Vec<String> = all.iter().flat_map(stretch).collect();
    all.sort_unstable();
    all
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use model::{ClockUsed, Ucum};

    use super::*;
    use crate::{LogOffset, Marks, Point, Records, SeriesKey};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000 + second * 1_000)
    }

    /// Records of nothing, and a series of these values, sealed after every so many.
    fn place(values: &[i64], seal_every: usize) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        Records::open(&place.path().join("records")).unwrap();
        let series = Series::open(place.path().join("series")).unwrap();
        let id = series.series(&SeriesKey {
            org: OrgId::v7(at(0), 1),
            device: DeviceId::v7(at(0), 2),
            channel: Channel::from("HR"),
            kind: None,
            ucum: Ucum::new("/min"),
        });
        for batch in values.chunks(seal_every) {
            for value in batch {
                let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
                let (at, value) = (at(*value), Ok((*value, 0)));
                let _ = series.push(id, Point { at, received_at: at, value, marks });
            }
            series.seal(LogOffset::from_bytes(9), b"state").unwrap();
        }
        place
    }

    fn differences(one: &tempfile::TempDir, other: &tempfile::TempDir) -> Vec<String> {
        let paths =
            |place: &tempfile::TempDir| ["records", "series"].map(|it| place.path().join(it));
        let ([a, b], [c, d]) = (paths(one), paths(other));
        let found = compare([&a, &b], [&c, &d]).unwrap();
        let differing = |it: Compared| it.difference.map(|what| format!("{}: {what}", it.table));
        found.into_iter().filter_map(differing).collect()
    }

    #[test]
    fn what_was_measured_counts_and_when_it_was_sealed_does_not() {
        let one = place(&[1, 2, 3, 4, 5, 6], 6);
        assert_eq!(differences(&one, &place(&[1, 3, 2, 4, 6, 5], 2)), Vec::<String>::new());
        let lacks = differences(&one, &place(&[1, 2, 3, 4, 6], 6));
        assert!(
            matches!(&lacks[..], [one] if one.starts_with("points: channel HR of ")),
            "{lacks:?}"
        );
    }

    #[test]
    fn how_a_place_numbers_its_series_and_what_it_found_damaged_do_not_count() {
        let place = |channels: [(&str, i64); 2]| {
            let place = tempfile::tempdir().unwrap();
            Records::open(&place.path().join("records")).unwrap();
            let series = Series::open(place.path().join("series")).unwrap();
            for (channel, many) in channels {
                let id = series.series(&SeriesKey {
                    org: OrgId::v7(at(0), 1),
                    device: DeviceId::v7(at(0), 2),
                    channel: Channel::from(channel),
                    kind: None,
                    ucum: Ucum::new("/min"),
                });
                let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
                for n in 0..many {
                    let (at, value) = (at(n), Ok((n, 0)));
                    let _ = series.push(id, Point { at, received_at: at, value, marks });
                }
            }
            series.seal(LogOffset::from_bytes(9), b"state").unwrap();
            place
        };
        let (one, other) = (place([("HR", 3), ("RR", 5)]), place([("RR", 5), ("HR", 3)]));
        let note = "INSERT INTO damage (org, series, codec, first, count, min_at, max_at, found_at,
                    state) SELECT org, series, codec, first, count, min_at, max_at, 0, 1 FROM chunk";
        let db = Connection::open(other.path().join("series")).unwrap();
        assert_eq!(db.execute(note, []).unwrap(), 2);
        drop(db);
        assert_eq!(differences(&one, &other), Vec::<String>::new());
    }

    #[test]
    fn one_column_of_one_row_is_named_and_its_content_is_not() {
        let (one, other) = (place(&[1], 1), place(&[1], 1));
        let db = Connection::open(other.path().join("records")).unwrap();
        db.execute("UPDATE applied SET log_offset = 77", []).unwrap();
        drop(db);
        let found = differences(&one, &other);
        assert_eq!(found, ["applied: row 0 differs in log_offset, at log offset 0"]);
        let db = Connection::open(other.path().join("series")).unwrap();
        db.execute("DELETE FROM checkpoint", []).unwrap();
        drop(db);
        assert_eq!(differences(&one, &other)[1], "checkpoint: only the live state has row 0");
    }
}
