//! The state laid flat for a checkpoint: types of others are mirrored here, with their numbers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ::record::{Position, coded};
use care::{
    alarm::{Phase, Snapshot, State},
    kind::Facts,
    news2, rhythm,
    technical::{Continuity, ContinuitySnapshot},
};
use model::{
    AlarmId, Channel, Charting, ClockUsed, Consciousness, CorrectionId, DeviceId, MissingReason,
    OrgId, Oxygen, PartitionId, StaffId, Timestamp, UserId, Vital,
};
use signal::{HeartRateFilter, QrsDetector};
use store::LogOffset;

use super::{
    super::{
        Cause,
        alarms::{Open, Slot},
        corrections::Original,
        ecg::Ecg,
        news::{self, PatientRun},
        readings::{DeviceRun, Latest},
        waves::WaveRun,
    },
    Learned, RestoreError,
};
use crate::{
    directory::{
        Corrected, DiskAlarm, Dose, EmergencyState, HandOverState, HoldState, Setting, ShareState,
    },
    record::{Raised, Scored},
    view::{ChartingEntry, Grade, News2Input, Told, Trend},
};

pub(super) struct FlatCause {
    pub(super) partition: PartitionId,
    pub(super) seq: u64,
    pub(super) after: u64,
    pub(super) org: OrgId,
    pub(super) received_at: Timestamp,
    pub(super) next_index: u32,
}

pub(super) struct FlatSite {
    pub(super) beat_at: Option<Timestamp>,
    pub(super) is_absent: bool,
    pub(super) is_slow: bool,
}

pub(super) struct FlatDevice {
    pub(super) heard_at: Option<Timestamp>,
    pub(super) expected_since: Option<Timestamp>,
    pub(super) is_silent: bool,
    pub(super) is_connected: bool,
    pub(super) connected_at: Option<Timestamp>,
    pub(super) waves: Vec<(Channel, FlatWave)>,
}

pub(super) struct FlatWave {
    pub(super) newest: Option<(u64, u64)>,
    pub(super) device_ends_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) rate_hz: (u32, u32),
    pub(super) unit: Arc<str>,
    pub(super) lead: Option<Arc<str>>,
    pub(super) is_off: bool,
    pub(super) seen_until: Option<Timestamp>,
    pub(super) broken_at: Option<Timestamp>,
    pub(super) ecg: Option<FlatEcg>,
}

pub(super) struct FlatEcg {
    pub(super) detector: Vec<u8>,
    pub(super) filter: Vec<u8>,
    pub(super) anchor: Timestamp,
    pub(super) told_until: Option<Timestamp>,
    pub(super) present: Option<(Timestamp, Timestamp)>,
    pub(super) last_beat: Option<Timestamp>,
    pub(super) run: Vec<Timestamp>,
}

pub(super) struct FlatPatient {
    pub(super) latest: Vec<(Vital, FlatLatest)>,
    pub(super) consciousness: Option<(Consciousness, Timestamp)>,
    pub(super) oxygen: Option<(Oxygen, Timestamp)>,
    pub(super) breaths: Option<(i64, Timestamp)>,
    pub(super) charting: Vec<FlatCharting>,
    pub(super) scored: Option<Scored>,
    pub(super) last_total: Option<(u8, Timestamp)>,
    pub(super) trend: Option<Trend>,
    /// Absent where nobody corrected what stands for the present.
    pub(super) originals: Option<Vec<FlatOriginal>>,
}

pub(super) struct FlatOriginal {
    pub(super) vital: Vital,
    pub(super) latest: FlatLatest,
    pub(super) said: Vec<FlatSaid>,
}

pub(super) struct FlatSaid {
    pub(super) by: CorrectionId,
    pub(super) value: Option<i64>,
    pub(super) missing: Option<MissingReason>,
}

pub(super) struct FlatCharting {
    pub(super) charting: Charting,
    pub(super) by: Option<StaffId>,
    pub(super) written_at: Timestamp,
}

pub(super) struct FlatLatest {
    pub(super) device: DeviceId,
    pub(super) grade: Grade,
    pub(super) value: Option<i64>,
    pub(super) missing: Option<MissingReason>,
    pub(super) taken_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) by: u8,
    pub(super) decides: bool,
}

pub(super) struct FlatSlot {
    pub(super) phase: FlatPhase,
    pub(super) began_at: Option<Timestamp>,
    pub(super) raised_at: Option<Timestamp>,
    pub(super) signal_since: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
    pub(super) over: bool,
    pub(super) facts: FlatFacts,
    pub(super) device: Option<DeviceId>,
    pub(super) retired: bool,
    pub(super) open: Option<FlatOpen>,
}

pub(super) enum FlatPhase {
    Quiet,
    Pending { since: Timestamp },
    Active { step: u8, since: Timestamp },
    Acknowledged { by: StaffId, since: Timestamp, until: Timestamp },
}

pub(super) enum FlatFacts {
    Bare,
    Level { vital: Vital, value: i64, limit: i64 },
    Lasting { span: Duration },
    ClockOff { offset_ns: i64 },
    Total { points: u8 },
    Red { input: News2Input },
}

pub(super) struct FlatOpen {
    pub(super) id: AlarmId,
    pub(super) raised: Option<Raised>,
    pub(super) told: Vec<Told>,
    pub(super) nobody: bool,
    pub(super) changed_by: Option<UserId>,
}

coded! {
    struct FlatCause { 0 partition, 1 seq, 2 after, 3 org, 4 received_at, 5 next_index }
    struct FlatSite { 0 beat_at, 1 is_absent, 2 is_slow }
    struct FlatDevice {
        0 heard_at, 1 expected_since, 2 is_silent, 3 is_connected, 4 connected_at, 5 waves
    }
    struct FlatWave {
        0 newest, 1 device_ends_at, 2 ends_at, 3 received_at, 4 rate_hz, 5 unit, 6 lead, 7 is_off,
        8 seen_until, 9 broken_at, 10 ecg
    }
    struct FlatEcg { 0 detector, 1 filter, 2 anchor, 3 told_until, 4 present, 5 last_beat, 6 run }
    struct FlatPatient {
        0 latest, 1 consciousness, 2 oxygen, 3 breaths, 4 charting, 5 scored, 6 last_total, 7 trend,
        8 originals
    }
    struct FlatOriginal { 0 vital, 1 latest, 2 said }
    struct FlatSaid { 0 by, 1 value, 2 missing }
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
    struct Setting { 0 limits, 1 by, 2 at }
    struct HandOverState { 0 hand_over, 1 offered_at, 2 ended }
    struct EmergencyState {
        0 access, 1 by, 2 care_unit, 3 opened_at, 4 until, 5 reviewed
    }
    struct Dose { 0 next, 1 by, 2 at }
    struct ShareState { 0 share, 1 since, 2 ended_at }
    struct HoldState { 0 hold, 1 by, 2 since, 3 ended }
    struct DiskAlarm { 0 note, 1 noted_at, 2 raised_at }
    struct Corrected { 0 device, 1 channel, 2 from, 3 to, 4 is_undo, 5 is_undone }
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
        Self {
            heard_at: run.heard_at,
            expected_since: run.expected_since,
            is_silent: run.is_silent,
            is_connected: run.is_connected,
            connected_at: run.connected_at,
            waves: waves.collect(),
        }
    }
}

impl FlatDevice {
    pub(super) fn thaw(self, learned: Learned) -> Result<DeviceRun, RestoreError> {
        let mut waves = BTreeMap::new();
        for (channel, wave) in self.waves {
            waves.insert(channel, wave.thaw(learned)?);
        }
        Ok(DeviceRun {
            heard_at: self.heard_at,
            expected_since: self.expected_since,
            is_silent: self.is_silent,
            is_connected: self.is_connected,
            connected_at: self.connected_at,
            waves,
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
            unit: Arc::clone(&run.unit),
            lead: run.lead.clone(),
            is_off: run.is_off,
            seen_until,
            broken_at,
            ecg: run.ecg.as_ref().map(|ecg| FlatEcg::from(&**ecg)),
        }
    }
}

impl FlatWave {
    fn thaw(self, learned: Learned) -> Result<WaveRun, RestoreError> {
        let Self { seen_until, broken_at, .. } = self;
        let ecg = match (self.ecg, learned) {
            (None, _) => None,
            (Some(ecg), Learned::Kept) => Some(ecg.thaw()?),
            // Its first sample is the one behind the last that was seen.
            (Some(_), Learned::Anew) => {
                Ecg::new(self.rate_hz).map(|ecg| Ecg { anchor: self.ends_at, ..ecg })
            }
        };
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
            ecg: ecg.map(Box::new),
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
        let said = |(by, value): &(CorrectionId, Result<i64, MissingReason>)| FlatSaid {
            by: *by,
            value: value.ok(),
            missing: value.err(),
        };
        let originals = run.originals.iter().map(|(vital, it)| FlatOriginal {
            vital: *vital,
            latest: (&it.latest).into(),
            said: it.said.iter().map(said).collect(),
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
            originals: (!run.originals.is_empty()).then(|| originals.collect()),
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
        let said =
            |it: FlatSaid| (it.by, it.value.ok_or(it.missing.unwrap_or(MissingReason::Unknown)));
        let original = |it: FlatOriginal| {
            let said = it.said.into_iter().map(said).collect();
            (it.vital, Original { latest: it.latest.into(), said })
        };
        let originals = flat.originals.unwrap_or_default().into_iter().map(original);
        Self {
            latest: flat.latest.into_iter().map(|(vital, it)| (vital, it.into())).collect(),
            consciousness: flat.consciousness,
            oxygen: flat.oxygen,
            breaths: flat.breaths,
            charting: charting.collect(),
            scored: flat.scored,
            last_total: flat.last_total,
            trend: flat.trend,
            originals: originals.collect(),
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
    pub(super) fn thaw(self, mut slot: Slot) -> Slot {
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
