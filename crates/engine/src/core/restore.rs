//! The checkpoint: everything that the core knows as bytes, and back.
//!
//! It only saves reading the whole journal again. Bytes of another version, or state
//! that other code had observed, are refused, and the journal is read instead.

use std::collections::BTreeMap;

use ::record::{BodyError, Coded, Decoder, Encoder, Position, Session, coded};
use care::{
    alarm::{Phase, Snapshot, State},
    kind::Facts,
    news2, rhythm,
    technical::{Continuity, ContinuitySnapshot},
};
use model::{
    AlarmId, Channel, Charting, ClockUsed, Consciousness, DeviceId, MissingReason, OrgId, Oxygen,
    PartitionId, PatientId, StaffId, Timestamp, UserId, Vital,
};
use signal::{HeartRateFilter, QrsDetector, SnapshotError};
use store::LogOffset;

use super::{
    AlarmKey, Cause, Core, Setup,
    alarms::{Alarms, Open, Slot},
    deadlines::Timer,
    news::{self, PatientRun},
    readings::{DeviceRun, Latest},
    technical::SiteRun,
    waves::{Ecg, WaveRun},
};
use crate::{
    directory::{Directory, Invitation},
    record::{
        Raised, Scored,
        stored::{CodedVerdict, kind_of, number_of},
    },
    view::{ChartingEntry, Grade, News2Input, Recording, Told, Trend},
};

/// Changes with every change of this form.
const VERSION: u16 = 1;

/// Why a checkpoint is not taken up; the journal is read from its beginning instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum RestoreError {
    #[error("the checkpoint is of another version of the program")]
    OtherVersion,
    #[error("the checkpoint cannot be read")]
    Malformed(#[from] BodyError),
    #[error("a detector in the checkpoint cannot be taken up")]
    Detector(#[from] SnapshotError),
}

/// The versions that state was observed with; all must be those of this program.
fn versions() -> [u16; 4] {
    [VERSION, care::OBSERVE_VERSION, QrsDetector::VERSION, HeartRateFilter::VERSION]
}

fn write_map<K: Coded, V>(
    e: &mut Encoder<'_>,
    map: &BTreeMap<K, V>,
    mut write: impl FnMut(&V, &mut Encoder<'_>),
) {
    e.array(map.len());
    for (key, value) in map {
        e.array(2);
        key.write(e);
        write(value, e);
    }
}

fn read_map<K: Coded + Ord, V>(
    d: &mut Decoder<'_>,
    mut read: impl FnMut(&K, &mut Decoder<'_>) -> Result<V, RestoreError>,
) -> Result<BTreeMap<K, V>, RestoreError> {
    let mut map = BTreeMap::new();
    for _ in 0..::record::array_len(d)? {
        pair(d)?;
        let key = K::read(d)?;
        let value = read(&key, d)?;
        map.insert(key, value);
    }
    Ok(map)
}

fn pair(d: &mut Decoder<'_>) -> Result<(), BodyError> {
    if ::record::array_len(d)? == 2 { Ok(()) } else { Err(BodyError::malformed("not a pair")) }
}

impl Core {
    /// Everything that is known, for the series store to keep beside its chunks.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 << 10);
        let mut e = Encoder::new(&mut bytes);
        let e = &mut e;
        versions().iter().for_each(|version| version.write(e));
        self.now.write(e);
        e.uint(self.came_to.bytes());
        self.cause.map(FlatCause::from).write(e);
        self.listening_since.write(e);
        self.recording.write(e);
        self.directory.write(e);
        write_map(e, &self.devices, |run, e| FlatDevice::from(run).write(e));
        write_map(e, &self.patients, |run, e| FlatPatient::from(run).write(e));
        write_map(e, &self.sites, |run, e| {
            FlatSite { beat_at: run.beat_at, is_absent: run.is_absent, is_slow: run.is_slow }
                .write(e);
        });
        write_map(e, &self.alarms.slots, |slot, e| FlatSlot::from(slot).write(e));
        bytes
    }

    /// Goes on from a checkpoint as if it had never stopped.
    pub fn restore(setup: Setup, checkpoint: &[u8]) -> Result<Self, RestoreError> {
        let mut core = Self::new(setup);
        let mut d = Decoder::new(checkpoint);
        let d = &mut d;
        for expected in versions() {
            if u16::read(d)? != expected {
                return Err(RestoreError::OtherVersion);
            }
        }
        core.now = Timestamp::read(d)?;
        core.came_to = LogOffset::from_bytes(u64::read(d)?);
        core.cause = Option::<FlatCause>::read(d)?.map(Cause::from);
        core.listening_since = Timestamp::read(d)?;
        core.recording = Recording::read(d)?;
        let mut directory = Directory::read(d)?;
        directory.index(core.now);
        core.directory = directory.into();
        core.devices = read_map(d, |_, d| FlatDevice::read(d)?.thaw())?;
        core.patients = read_map(d, |_, d| Ok(FlatPatient::read(d)?.into()))?;
        core.sites = read_map(d, |_, d| {
            let FlatSite { beat_at, is_absent, is_slow } = FlatSite::read(d)?;
            Ok(SiteRun { beat_at, is_absent, is_slow })
        })?;
        let slots = read_map(d, |key: &AlarmKey, d| {
            let flat = FlatSlot::read(d)?;
            let rule = core.rule_of(*key, flat.device);
            Ok(flat.thaw(Slot::new(rule)))
        })?;
        if d.position() != checkpoint.len() {
            return Err(BodyError::malformed("bytes are left over").into());
        }
        core.alarms = Alarms::of(slots);
        core.set_timers();
        Ok(core)
    }

    /// Sets every timer from the state alone.
    fn set_timers(&mut self) {
        self.timers.clear();
        let devices: Vec<DeviceId> = self.devices.keys().copied().collect();
        devices.into_iter().for_each(|device| self.watch(device));
        let ages = news2::AgeLimits::default();
        let patients: Vec<PatientId> = self.patients.keys().copied().collect();
        for patient in patients {
            let (inputs, _) = self.score_of(patient, self.now);
            if let Some(at) = inputs.next_deadline(&ages, self.now) {
                self.timers.by(Timer::Aging(patient), at);
            }
        }
        let sites: Vec<_> = self.sites.keys().copied().collect();
        for site in sites {
            if let Some(at) = self.beat_from(site) {
                self.timers.by(Timer::Beat(site), at);
            }
        }
    }
}

/// The directory's lists in the order of its fields; indexes are made anew.
impl Coded for Directory {
    fn write(&self, e: &mut Encoder<'_>) {
        e.array(16);
        write_map(e, &self.orgs, Coded::write);
        write_map(e, &self.sites, Coded::write);
        write_map(e, &self.care_units, Coded::write);
        write_map(e, &self.rooms, Coded::write);
        write_map(e, &self.beds, Coded::write);
        write_map(e, &self.patients, Coded::write);
        write_map(e, &self.staff, Coded::write);
        write_map(e, &self.users, Coded::write);
        write_map(e, &self.devices, Coded::write);
        write_map(e, &self.certificates, Coded::write);
        write_map(e, &self.sessions, |session: &Session, e| session.write(e));
        write_map(e, &self.invitations, |it, e| (it.user, it.expires_at).write(e));
        write_map(e, &self.associations, Coded::write);
        write_map(e, &self.encounters, Coded::write);
        write_map(e, &self.assignments, Coded::write);
        write_map(e, &self.limits, Coded::write);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        fn plain<K: Coded + Ord, V: Coded>(
            d: &mut Decoder<'_>,
        ) -> Result<BTreeMap<K, V>, BodyError> {
            Ok(Vec::<(K, V)>::read(d)?.into_iter().collect())
        }
        if ::record::array_len(d)? != 16 {
            return Err(BodyError::malformed("a directory has sixteen lists"));
        }
        Ok(Self {
            orgs: plain(d)?,
            sites: plain(d)?,
            care_units: plain(d)?,
            rooms: plain(d)?,
            beds: plain(d)?,
            patients: plain(d)?,
            staff: plain(d)?,
            users: plain(d)?,
            devices: plain(d)?,
            certificates: plain(d)?,
            sessions: plain(d)?,
            invitations: plain::<[u8; 32], (UserId, Timestamp)>(d)?
                .into_iter()
                .map(|(hash, (user, expires_at))| (hash, Invitation { user, expires_at }))
                .collect(),
            associations: plain(d)?,
            encounters: plain(d)?,
            assignments: plain(d)?,
            limits: plain(d)?,
            ..Self::default()
        })
    }
}

struct FlatCause {
    partition: PartitionId,
    seq: u64,
    after: u64,
    org: OrgId,
    received_at: Timestamp,
    next_index: u32,
}

struct FlatSite {
    beat_at: Option<Timestamp>,
    is_absent: bool,
    is_slow: bool,
}

struct FlatDevice {
    heard_at: Option<Timestamp>,
    expected_since: Option<Timestamp>,
    is_silent: bool,
    is_connected: bool,
    connected_at: Option<Timestamp>,
    waves: Vec<(Channel, FlatWave)>,
    said: Vec<(u16, (Option<Vital>, CodedVerdict))>,
}

struct FlatWave {
    newest: Option<(u64, u64)>,
    device_ends_at: Timestamp,
    ends_at: Timestamp,
    received_at: Timestamp,
    rate_hz: (u32, u32),
    unit: std::sync::Arc<str>,
    lead: Option<std::sync::Arc<str>>,
    is_off: bool,
    seen_until: Option<Timestamp>,
    broken_at: Option<Timestamp>,
    ecg: Option<FlatEcg>,
}

struct FlatEcg {
    detector: Vec<u8>,
    filter: Vec<u8>,
    anchor: Timestamp,
    told_until: Option<Timestamp>,
    present: Option<(Timestamp, Timestamp)>,
    last_beat: Option<Timestamp>,
    run: Vec<Timestamp>,
}

struct FlatPatient {
    latest: Vec<(Vital, FlatLatest)>,
    consciousness: Option<(Consciousness, Timestamp)>,
    oxygen: Option<(Oxygen, Timestamp)>,
    breaths: Option<(i64, Timestamp)>,
    charting: Vec<FlatCharting>,
    scored: Option<Scored>,
    last_total: Option<(u8, Timestamp)>,
    trend: Option<Trend>,
}

struct FlatCharting {
    charting: Charting,
    by: Option<StaffId>,
    written_at: Timestamp,
}

struct FlatLatest {
    device: DeviceId,
    grade: Grade,
    value: Option<i64>,
    missing: Option<MissingReason>,
    taken_at: Timestamp,
    received_at: Timestamp,
    by: u8,
    decides: bool,
}

struct FlatSlot {
    phase: FlatPhase,
    began_at: Option<Timestamp>,
    raised_at: Option<Timestamp>,
    signal_since: Option<Timestamp>,
    newest: Option<Timestamp>,
    over: bool,
    facts: FlatFacts,
    device: Option<DeviceId>,
    retired: bool,
    open: Option<FlatOpen>,
}

enum FlatPhase {
    Quiet,
    Pending { since: Timestamp },
    Active { step: u8, since: Timestamp },
    Acknowledged { by: StaffId, since: Timestamp, until: Timestamp },
}

enum FlatFacts {
    Bare,
    Level { vital: Vital, value: i64, limit: i64 },
    Lasting { span: std::time::Duration },
    ClockOff { offset_ns: i64 },
    Total { points: u8 },
    Red { input: News2Input },
}

struct FlatOpen {
    id: AlarmId,
    raised: Option<Raised>,
    told: Vec<Told>,
    nobody: bool,
    changed_by: Option<UserId>,
}

coded! {
    struct FlatCause { 0 partition, 1 seq, 2 after, 3 org, 4 received_at, 5 next_index }
    struct FlatSite { 0 beat_at, 1 is_absent, 2 is_slow }
    struct FlatDevice {
        0 heard_at, 1 expected_since, 2 is_silent, 3 is_connected, 4 connected_at, 5 waves, 6 said
    }
    struct FlatWave {
        0 newest, 1 device_ends_at, 2 ends_at, 3 received_at, 4 rate_hz, 5 unit, 6 lead, 7 is_off,
        8 seen_until, 9 broken_at, 10 ecg
    }
    struct FlatEcg { 0 detector, 1 filter, 2 anchor, 3 told_until, 4 present, 5 last_beat, 6 run }
    struct FlatPatient {
        0 latest, 1 consciousness, 2 oxygen, 3 breaths, 4 charting, 5 scored, 6 last_total, 7 trend
    }
    struct FlatCharting { 0 charting, 1 by, 2 written_at }
    struct FlatLatest {
        0 device, 1 grade, 2 value, 3 missing, 4 taken_at, 5 received_at, 6 by, 7 decides
    }
    struct FlatSlot {
        0 phase, 1 began_at, 2 raised_at, 3 signal_since, 4 newest, 5 over, 6 facts, 7 device,
        8 retired, 9 open
    }
    enum FlatPhase {
        0 Quiet,
        1 Pending { 0 since },
        2 Active { 0 step, 1 since },
        3 Acknowledged { 0 by, 1 since, 2 until },
    }
    enum FlatFacts {
        0 Bare,
        1 Level { 0 vital, 1 value, 2 limit },
        2 Lasting { 0 span },
        3 ClockOff { 0 offset_ns },
        4 Total { 0 points },
        5 Red { 0 input },
    }
    struct FlatOpen { 0 id, 1 raised, 2 told, 3 nobody, 4 changed_by }
    struct Told { 0 staff, 1 told_as, 2 at, 3 step }
    enum Grade { 0 Wellness, 1 Medical }
    enum Trend { 0 Up, 1 Down, 2 Same }
}

impl From<Cause> for FlatCause {
    fn from(cause: Cause) -> Self {
        let Cause { position, after, org, received_at, next_index } = cause;
        let (partition, seq, after) = (position.partition, position.seq, after.bytes());
        Self { partition, seq, after, org, received_at, next_index }
    }
}

impl From<FlatCause> for Cause {
    fn from(flat: FlatCause) -> Self {
        let FlatCause { partition, seq, after, org, received_at, next_index } = flat;
        let (position, after) = (Position { partition, seq }, LogOffset::from_bytes(after));
        Self { position, after, org, received_at, next_index }
    }
}

impl From<&DeviceRun> for FlatDevice {
    fn from(run: &DeviceRun) -> Self {
        let waves = run.waves.iter().map(|(channel, wave)| (channel.clone(), wave.into()));
        let said = run.said.iter().map(|(kind, verdict)| {
            let (number, vital) = number_of(*kind);
            (number, (vital, CodedVerdict(*verdict)))
        });
        Self {
            heard_at: run.heard_at,
            expected_since: run.expected_since,
            is_silent: run.is_silent,
            is_connected: run.is_connected,
            connected_at: run.connected_at,
            waves: waves.collect(),
            said: said.collect(),
        }
    }
}

impl FlatDevice {
    fn thaw(self) -> Result<DeviceRun, RestoreError> {
        let mut waves = BTreeMap::new();
        for (channel, wave) in self.waves {
            waves.insert(channel, wave.thaw()?);
        }
        let mut said = BTreeMap::new();
        for (number, (vital, verdict)) in self.said {
            said.insert(kind_of(number, vital)?, verdict.0);
        }
        Ok(DeviceRun {
            heard_at: self.heard_at,
            expected_since: self.expected_since,
            is_silent: self.is_silent,
            is_connected: self.is_connected,
            connected_at: self.connected_at,
            waves,
            said,
        })
    }
}

impl From<&WaveRun> for FlatWave {
    fn from(run: &WaveRun) -> Self {
        let ContinuitySnapshot { seen_until, broken_at } = run.continuity.snapshot();
        Self {
            newest: run.newest,
            device_ends_at: run.device_ends_at,
            ends_at: run.ends_at,
            received_at: run.received_at,
            rate_hz: run.rate_hz,
            unit: std::sync::Arc::clone(&run.unit),
            lead: run.lead.clone(),
            is_off: run.is_off,
            seen_until,
            broken_at,
            ecg: run.ecg.as_ref().map(|ecg| FlatEcg::from(&**ecg)),
        }
    }
}

impl FlatWave {
    fn thaw(self) -> Result<WaveRun, RestoreError> {
        let Self { seen_until, broken_at, .. } = self;
        Ok(WaveRun {
            newest: self.newest,
            device_ends_at: self.device_ends_at,
            ends_at: self.ends_at,
            received_at: self.received_at,
            rate_hz: self.rate_hz,
            unit: self.unit,
            lead: self.lead,
            is_off: self.is_off,
            continuity: Continuity::restore(ContinuitySnapshot { seen_until, broken_at }),
            ecg: self.ecg.map(FlatEcg::thaw).transpose()?.map(Box::new),
        })
    }
}

impl From<&Ecg> for FlatEcg {
    fn from(ecg: &Ecg) -> Self {
        let rhythm::Snapshot { present, last_beat, run } = ecg.rhythm.snapshot();
        Self {
            detector: ecg.detector.encode(),
            filter: ecg.filter.encode(),
            anchor: ecg.anchor,
            told_until: ecg.told_until,
            present: present.map(|present| (present.since, present.until)),
            last_beat,
            run,
        }
    }
}

impl FlatEcg {
    fn thaw(self) -> Result<Ecg, RestoreError> {
        let present = self.present.map(|(since, until)| rhythm::Present { since, until });
        let (last_beat, run) = (self.last_beat, self.run);
        Ok(Ecg {
            detector: QrsDetector::decode(&self.detector)?,
            filter: HeartRateFilter::decode(&self.filter)?,
            rhythm: rhythm::Rhythm::restore(rhythm::Snapshot { present, last_beat, run }),
            anchor: self.anchor,
            told_until: self.told_until,
        })
    }
}

impl From<&PatientRun> for FlatPatient {
    fn from(run: &PatientRun) -> Self {
        let charting = run.charting.iter().map(|entry| FlatCharting {
            charting: (*entry.charting).clone(),
            by: entry.by,
            written_at: entry.written_at,
        });
        Self {
            latest: run.latest.iter().map(|(vital, latest)| (*vital, latest.into())).collect(),
            consciousness: run.consciousness,
            oxygen: run.oxygen,
            breaths: run.breaths,
            charting: charting.collect(),
            scored: run.scored.clone(),
            last_total: run.last_total,
            trend: run.trend,
        }
    }
}

impl From<FlatPatient> for PatientRun {
    fn from(flat: FlatPatient) -> Self {
        let charting = flat.charting.into_iter().map(|entry| ChartingEntry {
            charting: entry.charting.into(),
            by: entry.by,
            written_at: entry.written_at,
        });
        Self {
            latest: flat.latest.into_iter().map(|(vital, it)| (vital, it.into())).collect(),
            consciousness: flat.consciousness,
            oxygen: flat.oxygen,
            breaths: flat.breaths,
            charting: charting.collect(),
            scored: flat.scored,
            last_total: flat.last_total,
            trend: flat.trend,
        }
    }
}

impl From<&Latest> for FlatLatest {
    fn from(latest: &Latest) -> Self {
        Self {
            device: latest.device,
            grade: latest.grade,
            value: latest.value.ok(),
            missing: latest.value.err(),
            taken_at: latest.taken_at,
            received_at: latest.received_at,
            by: match latest.by {
                ClockUsed::Device => 0,
                ClockUsed::Gateway => 1,
                ClockUsed::Receiver => 2,
            },
            decides: latest.decides,
        }
    }
}

impl From<FlatLatest> for Latest {
    fn from(flat: FlatLatest) -> Self {
        Self {
            device: flat.device,
            grade: flat.grade,
            value: flat.value.ok_or(flat.missing.unwrap_or(MissingReason::Unknown)),
            taken_at: flat.taken_at,
            received_at: flat.received_at,
            by: match flat.by {
                0 => ClockUsed::Device,
                1 => ClockUsed::Gateway,
                _ => ClockUsed::Receiver,
            },
            decides: flat.decides,
        }
    }
}

impl From<&Slot> for FlatSlot {
    fn from(slot: &Slot) -> Self {
        let Snapshot { phase, began_at, raised_at, signal_since, newest, over } =
            slot.state.snapshot();
        Self {
            phase: match phase {
                Phase::Quiet => FlatPhase::Quiet,
                Phase::Pending { since } => FlatPhase::Pending { since },
                Phase::Active { step, since } => FlatPhase::Active { step, since },
                Phase::Acknowledged { by, since, until } => {
                    FlatPhase::Acknowledged { by, since, until }
                }
            },
            began_at,
            raised_at,
            signal_since,
            newest,
            over,
            facts: slot.facts.into(),
            device: slot.device,
            retired: slot.retired,
            open: slot.open.clone().map(|open| {
                let Open { id, raised, told, nobody, changed_by } = open;
                FlatOpen { id, raised, told, nobody, changed_by }
            }),
        }
    }
}

impl FlatSlot {
    fn thaw(self, mut slot: Slot) -> Slot {
        let Self { began_at, raised_at, signal_since, newest, over, .. } = self;
        let phase = match self.phase {
            FlatPhase::Quiet => Phase::Quiet,
            FlatPhase::Pending { since } => Phase::Pending { since },
            FlatPhase::Active { step, since } => Phase::Active { step, since },
            FlatPhase::Acknowledged { by, since, until } => {
                Phase::Acknowledged { by, since, until }
            }
        };
        let snapshot = Snapshot { phase, began_at, raised_at, signal_since, newest, over };
        slot.state = State::restore(&snapshot);
        slot.facts = self.facts.into();
        slot.device = self.device;
        slot.retired = self.retired;
        slot.open = self.open.map(|open| {
            let FlatOpen { id, raised, told, nobody, changed_by } = open;
            Open { id, raised, told, nobody, changed_by }
        });
        slot
    }
}

impl From<Facts> for FlatFacts {
    fn from(facts: Facts) -> Self {
        match facts {
            Facts::Bare => Self::Bare,
            Facts::Level { vital, value_thousandths, limit_thousandths } => {
                Self::Level { vital, value: value_thousandths, limit: limit_thousandths }
            }
            Facts::Lasting(span) => Self::Lasting { span },
            Facts::ClockOff { offset_ns } => Self::ClockOff { offset_ns },
            Facts::Total { points } => Self::Total { points },
            Facts::Red(input) => Self::Red { input: news::input_of(input) },
        }
    }
}

impl From<FlatFacts> for Facts {
    fn from(flat: FlatFacts) -> Self {
        match flat {
            FlatFacts::Bare => Self::Bare,
            FlatFacts::Level { vital, value, limit } => {
                Self::Level { vital, value_thousandths: value, limit_thousandths: limit }
            }
            FlatFacts::Lasting { span } => Self::Lasting(span),
            FlatFacts::ClockOff { offset_ns } => Self::ClockOff { offset_ns },
            FlatFacts::Total { points } => Self::Total { points },
            FlatFacts::Red { input } => Self::Red(match input {
                News2Input::RespiratoryRate => news2::Input::RespiratoryRate,
                News2Input::Saturation => news2::Input::Saturation,
                News2Input::Oxygen => news2::Input::Oxygen,
                News2Input::SystolicPressure => news2::Input::SystolicPressure,
                News2Input::Pulse => news2::Input::Pulse,
                News2Input::Consciousness => news2::Input::Consciousness,
                News2Input::Temperature => news2::Input::Temperature,
            }),
        }
    }
}
