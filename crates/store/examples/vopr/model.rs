//! What the storage must look like, in plain lists: slow, and obviously right.
//!
//! An entry is known by its number. What was acknowledged is in the log, in the order of
//! the appends, once and unchanged; what was refused or cut short may turn up in a restart
//! as a whole group, behind everything that was acknowledged, or never.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Channel, ClockUsed, DeviceId, Line, MissingReason, OrgId, PartitionId, Timestamp, UserId,
};
use record::{Actor, AuditEntry, Position};
use store::{
    Draw, Durable, Entry, Invalid, LogOffset, Marks, Noun, Point, Record, Row, SeriesKey, Stub,
    WaveSpan,
};

/// What was found to be wrong.
#[derive(Debug)]
pub struct Broken(pub String);

/// Ends the run if something does not hold.
macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err($crate::model::Broken(format!($($what)+)));
        }
    };
}
pub(crate) use ensure;

const BEGIN: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
pub const DEVICES: u64 = 3;
const PARTITIONS: u64 = 5;
const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;

pub const fn begin() -> Timestamp {
    BEGIN
}

pub fn org() -> OrgId {
    OrgId::v7(BEGIN, 1)
}

fn nanos(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The entry of this number: its body begins with the number and what a device measured.
pub fn entry(number: u64, now: Timestamp, draw: &mut Draw) -> Entry {
    let mut body = number.to_be_bytes().to_vec();
    // Mostly in order, sometimes late, sometimes from a device a year ahead; never twice.
    let second = nanos(number).saturating_mul(1_000_000_000);
    let shift = match draw.below(40) {
        0 => YEAR_NS,
        1..4 => -600_000_000_000,
        _ => 0,
    };
    let at = BEGIN.unix_nanos().saturating_add(second).saturating_add(shift);
    body.extend(at.saturating_add(nanos(number)).to_be_bytes());
    body.extend(i32::try_from(draw.below(300)).unwrap_or(0).to_be_bytes());
    let filler = if draw.once_in(50) { 4_000 } else { 600 };
    for _ in 0..draw.below(filler) {
        body.push(u8::try_from(draw.below(256)).unwrap_or(0));
    }
    Entry {
        kind: 0x1234,
        body_version: 1,
        org: org(),
        partition: PartitionId::v7(BEGIN, u128::from(number % PARTITIONS)),
        received_at: now,
        key_id: 7,
        body,
    }
}

fn first<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (*head, rest))
}

pub fn number_of(body: &[u8]) -> u64 {
    first(body).map_or(u64::MAX, |(head, _)| u64::from_be_bytes(head))
}

/// What the engine takes out of a body: mostly a point, sometimes a stretch of a waveform.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    Point(Point),
    Wave(WaveSpan),
}

pub fn measured(entry: &Entry) -> Option<(u64, Measured)> {
    let (number, rest) = first(&entry.body)?;
    let (at, rest) = first(rest)?;
    let (value, _) = first(rest)?;
    let (number, at) = (u64::from_be_bytes(number), i64::from_be_bytes(at));
    let (at, value) = (Timestamp::from_unix_nanos(at), i32::from_be_bytes(value));
    let received_at = entry.received_at;
    let marks = Marks { clock: ClockUsed::Device, age_known: true, late: value % 7 == 0 };
    let measured = if number % 16 == 5 {
        let samples: Arc<[i32]> = (0..40).map(|step| value.saturating_add(step * 3)).collect();
        let invalid = Invalid { start: 3, len: 2, reason: MissingReason::PoorSignal };
        let (rate_hz, gain, offset) = ((250, 1), (5, -3), 0);
        let invalid = Arc::new([invalid]);
        Measured::Wave(WaveSpan { at, received_at, rate_hz, gain, offset, samples, invalid, marks })
    } else {
        let value =
            if value == 13 { Err(MissingReason::SensorDetached) } else { Ok((value.into(), -1)) };
        Measured::Point(Point { at, received_at, value, marks })
    };
    Some((number % DEVICES, measured))
}

pub fn device(number: u64) -> DeviceId {
    DeviceId::v7(BEGIN, u128::from(number))
}

pub fn channel(measured: &Measured) -> Channel {
    match measured {
        Measured::Point(_) => Channel::from("HR"),
        Measured::Wave(_) => Channel::from("ECG_II"),
    }
}

pub fn key(number: u64, measured: &Measured) -> SeriesKey {
    let channel = channel(measured);
    SeriesKey { org: org(), device: device(number), channel, kind: None, ucum: "/min".into() }
}

/// The rows that the engine makes of a record: a line of the audit, and who lies in the bed.
pub fn rows(known: &Known) -> Vec<Row> {
    let number = number_of(&known.entry.body);
    let noun = |index, noun| Row {
        org: org(),
        offset: known.offset,
        index,
        known_at: known.entry.received_at,
        noun,
    };
    let audit = AuditEntry {
        actor: Actor::User(UserId::v7(BEGIN, u128::from(number % 4))),
        action: "patient.read".to_owned(),
        patient: None,
        resource: format!("/api/v1/things/{number}"),
        allowed: !number.is_multiple_of(9),
        rule: "assigned".to_owned(),
        remote: "192.0.2.7".to_owned(),
    };
    let mut rows = vec![noun(0, Noun::Audit(audit))];
    if number.is_multiple_of(5) {
        let value =
            (!number.is_multiple_of(10)).then(|| model::PatientId::v7(BEGIN, number.into()));
        let at = known.entry.received_at;
        let key = model::BedId::v7(BEGIN, 1);
        rows.push(noun(1, Noun::Encounter(Line { key, value, from: at, known_at: at })));
    }
    rows
}

/// An entry in the log.
#[derive(Clone, Debug)]
pub struct Known {
    pub entry: Entry,
    pub position: Position,
    /// Where it ends; the beginning of everything until it has been read once.
    pub offset: LogOffset,
    /// Whether a shorter one stands in its place.
    pub thinned: Thinned,
}

/// Whether a shorter entry stands in the place of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinned {
    #[default]
    No,
    /// A thinning was cut short: either form is sound.
    Perhaps,
    Yes,
}

/// The kind of what stands in the place of a thinned entry.
const STUB: u16 = 0x0777;

/// What stands in the place of an entry: no more than its number.
pub fn stub(entry: &Entry) -> Stub {
    let body = entry.body.get(..8).unwrap_or_default().to_vec();
    Stub { kind: STUB, body_version: 1, body }
}

/// What was said to the storage and what it answered.
#[derive(Debug, Default)]
pub struct Model {
    /// Acknowledged, or shown by a restart: there for ever, in this order.
    pub log: Vec<Known>,
    /// Refused since the last acknowledgement; a restart may show them, whole and in order.
    pub doubtful: Vec<Vec<Entry>>,
    /// How many numbers were given.
    pub numbers: u64,
}

impl Model {
    pub fn group(&mut self, count: usize, now: Timestamp, draw: &mut Draw) -> Vec<Entry> {
        let mut group = Vec::new();
        for _ in 0..count {
            group.push(entry(self.numbers, now, draw));
            self.numbers = self.numbers.saturating_add(1);
        }
        group
    }

    /// The journal has promised to keep a group.
    pub fn acknowledged(&mut self, group: Vec<Entry>, durable: &Durable) -> Result<(), Broken> {
        let positions = durable.positions();
        ensure!(
            positions.len() == group.len(),
            "{} entries were acknowledged with {} positions",
            group.len(),
            positions.len()
        );
        self.doubtful.clear();
        for (entry, position) in group.into_iter().zip(positions) {
            ensure!(
                entry.partition == position.partition,
                "entry {} was acknowledged in another partition",
                number_of(&entry.body)
            );
            let (position, offset) = (*position, LogOffset::default());
            self.log.push(Known { entry, position, offset, thinned: Thinned::No });
        }
        Ok(())
    }

    /// Compares what can be read while the journal runs, from the `skip`th entry on.
    pub fn check_live(&mut self, found: &[Record], skip: usize) -> Result<(), Broken> {
        let want = self.log.len().saturating_sub(skip);
        ensure!(found.len() == want, "{} records are read, {want} were acknowledged", found.len());
        self.check_same(found, skip)
    }

    /// Compares records one by one with the log, and learns where they end.
    pub fn check_same(&mut self, found: &[Record], skip: usize) -> Result<(), Broken> {
        for (known, record) in self.log.iter_mut().skip(skip).zip(found) {
            same_or_thinned(known, record)?;
            let number = number_of(&known.entry.body);
            ensure!(
                known.position == record.frame.position,
                "entry {number} was acknowledged as {:?} and is {:?}",
                known.position,
                record.frame.position
            );
            let is_known = known.offset != LogOffset::default();
            ensure!(
                !is_known || known.offset == record.offset,
                "entry {number} moved from {} to {}",
                known.offset,
                record.offset
            );
            known.offset = record.offset;
        }
        Ok(())
    }

    /// Compares what a restart shows with what was said before; from then on it is the log.
    pub fn check_restart(&mut self, found: &[Record]) -> Result<(), Broken> {
        let acknowledged = self.log.len();
        let (before, after) = found.split_at_checked(acknowledged).ok_or_else(|| {
            let (found, lost) = (found.len(), self.log.get(found.len()));
            let lost = lost.map_or(0, |known| number_of(&known.entry.body));
            Broken(format!(
                "{acknowledged} entries were acknowledged and {found} are there; the first that is lost is {lost}"
            ))
        })?;
        self.check_same(before, 0)?;
        let mut rest = after;
        for group in std::mem::take(&mut self.doubtful) {
            let first = group.first().map_or(u64::MAX, |entry| number_of(&entry.body));
            let next = rest.first().map_or(u64::MAX, |record| number_of(&record.frame.body));
            if first != next {
                continue;
            }
            let (whole, later) = rest.split_at_checked(group.len()).ok_or_else(|| {
                Broken(format!("of the group that begins with {first} only a part is there"))
            })?;
            for (entry, record) in group.into_iter().zip(whole) {
                same(&entry, record)?;
                let (position, offset) = (record.frame.position, record.offset);
                self.log.push(Known { entry, position, offset, thinned: Thinned::No });
            }
            rest = later;
        }
        let phantom = rest.first().map(|record| number_of(&record.frame.body));
        ensure!(phantom.is_none(), "{phantom:?} is there twice, out of order, or never appended");
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), Broken> {
        let (mut last, mut end) = (BTreeMap::new(), LogOffset::default());
        for known in &self.log {
            let Position { partition, seq } = known.position;
            let before = last.insert(partition, seq).unwrap_or(0);
            ensure!(seq > before, "number {seq} of a partition comes after {before}");
            ensure!(known.offset > end, "offset {} comes after {end}", known.offset);
            end = known.offset;
        }
        Ok(())
    }

    /// The entries up to a place of the log, once all of it was read.
    pub fn up_to(&self, offset: LogOffset) -> impl Iterator<Item = &Known> {
        self.log
            .iter()
            .take_while(move |known| known.offset != LogOffset::default() && known.offset <= offset)
    }

    /// What the engine knows after those: how many there were, and all of them in one number.
    pub fn state(&self, offset: LogOffset) -> State {
        self.up_to(offset).fold(State::default(), |state, known| {
            state.after(number_of(&known.entry.body), known.offset)
        })
    }

    /// All points of a device up to a place, in the order of their times.
    pub fn points(&self, offset: LogOffset, device: u64) -> Vec<Point> {
        let mut points: Vec<_> = self
            .measured(offset, device)
            .filter_map(|it| if let Measured::Point(point) = it { Some(point) } else { None })
            .collect();
        points.sort_by_key(|point| (point.at, point.received_at));
        points
    }

    /// All stretches of a device's waveform up to a place, in the order of their times.
    pub fn waves(&self, offset: LogOffset, device: u64) -> Vec<WaveSpan> {
        let mut waves: Vec<_> = self
            .measured(offset, device)
            .filter_map(|it| if let Measured::Wave(wave) = it { Some(wave) } else { None })
            .collect();
        waves.sort_by_key(|wave| (wave.at, wave.received_at));
        waves
    }

    fn measured(&self, offset: LogOffset, device: u64) -> impl Iterator<Item = Measured> {
        let all = self.up_to(offset).filter_map(|known| measured(&known.entry));
        all.filter(move |(of, _)| *of == device).map(|(_, measured)| measured)
    }
}

/// The entry as it was, or what stands in its place if somebody thinned it.
fn same_or_thinned(known: &Known, record: &Record) -> Result<(), Broken> {
    let is_stub = record.frame.kind == STUB;
    match known.thinned {
        Thinned::No => return same(&known.entry, record),
        Thinned::Perhaps if !is_stub => return same(&known.entry, record),
        Thinned::Perhaps | Thinned::Yes => {}
    }
    let Stub { kind, body_version, body } = stub(&known.entry);
    same(&Entry { kind, body_version, body, ..known.entry.clone() }, record)
}

fn same(entry: &Entry, record: &Record) -> Result<(), Broken> {
    let frame = &record.frame;
    let number = number_of(&entry.body);
    let found = number_of(&frame.body);
    ensure!(number == found, "entry {found} stands where {number} belongs");
    let is_same = (entry.kind, entry.body_version, entry.org, entry.key_id)
        == (frame.kind, frame.body_version, frame.org, frame.key_id)
        && entry.partition == frame.position.partition
        && entry.received_at == frame.received_at
        && entry.body == frame.body;
    ensure!(is_same, "entry {number} was served garbled");
    Ok(())
}

/// The engine's state in little: a count, and a number that depends on all it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub count: u64,
    pub sum: u64,
}

impl State {
    pub const fn after(self, number: u64, offset: LogOffset) -> Self {
        let sum = self.sum.rotate_left(7) ^ Draw::from_seed(number ^ offset.bytes()).number();
        Self { count: self.count.wrapping_add(1), sum }
    }

    pub fn bytes(self) -> Vec<u8> {
        [self.count.to_be_bytes(), self.sum.to_be_bytes()].concat()
    }
}
