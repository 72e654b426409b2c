//! The stored form of decisions: which index is which field, which number which variant.
//!
//! A number is never reused, not even for something removed. Types of `care` are
//! mirrored here, so that a change there never changes a file.

use ::record::{BodyError, Coded, Decoder, Encoder, Position, coded};
use care::{
    alarm::{Change, End, EndedBy, Transition, Verdict},
    kind::AlarmKind,
    limit::Side,
    news2::Trigger,
};
use model::{
    AlarmId, DeviceId, EndReason, PartitionId, Redacted, StaffId, Timestamp, UserId, Vital,
};
use store::LogOffset;

use super::{
    AlarmChanged, Called, DECISIONS, Decision, Decisions, Notice, Raised, Reason, Refusal, Scored,
    Weighed,
};
use crate::{
    core::{About, AlarmKey},
    view::{News2Input, Recording, ToldAs},
};

/// The newest version of the body; every older one is still read.
const VERSION: u8 = 1;

pub(super) fn encode(decisions: &Decisions) -> (u16, u8, Vec<u8>) {
    let mut bytes = Vec::with_capacity(64 + 96 * decisions.list.len());
    let mut e = Encoder::new(&mut bytes);
    e.array(5);
    decisions.cause.partition.write(&mut e);
    e.uint(decisions.cause.seq);
    e.uint(decisions.after.bytes());
    e.uint(u64::from(decisions.first_index));
    decisions.list.write(&mut e);
    (DECISIONS, VERSION, bytes)
}

pub(super) fn decode(kind: u16, version: u8, body: &[u8]) -> Result<Decisions, BodyError> {
    match (kind, version) {
        (DECISIONS, VERSION) => {}
        (DECISIONS, found) => return Err(BodyError::UnknownVersion { kind, found }),
        (found, _) => return Err(BodyError::UnknownKind { found }),
    }
    let mut d = Decoder::new(body);
    let d = &mut d;
    if ::record::array_len(d)? != 5 {
        return Err(BodyError::malformed("decisions are a list of five"));
    }
    let cause = Position { partition: PartitionId::read(d)?, seq: u64::read(d)? };
    let after = LogOffset::from_bytes(u64::read(d)?);
    let first_index = u32::read(d)?;
    let list = Vec::<Decision>::read(d)?;
    if d.position() != body.len() {
        return Err(BodyError::malformed("bytes are left over"));
    }
    let room = u32::try_from(list.len()).ok().and_then(|len| first_index.checked_add(len));
    room.ok_or_else(|| BodyError::malformed("an index is out of range"))?;
    Ok(Decisions { cause, after, first_index, list })
}

coded! {
    enum Decision {
        0 Accepted,
        1 Refused(refusal),
        2 Alarm(changed),
        3 Called(called),
        4 Weighed(weighed),
        5 Scored(scored),
        6 TimePassed(to),
        7 Noticed(notice),
    }
    struct Refusal { 0 reason, 1 words }
    enum Reason {
        0 NotFound, 1 OtherOrg, 2 NotUnique, 3 IllegalMove, 4 NotInService, 5 Occupied,
        6 NothingRaised, 7 LimitsNotSane, 8 WrongTime, 9 Unusable, 10 NotAllowed, 11 Stopped
    }
    struct Raised {
        0 title, 1 detail, 2 priority, 3 latching, 4 patient, 5 care_unit, 6 device
    }
    struct Called { 0 alarm, 1 key, 2 at, 3 step, 4 passed, 5 staff }
    struct Scored { 0 patient, 1 at, 2 total, 3 single_red, 4 missing }
    enum Notice {
        0 Listening { 0 at },
        1 Recording { 0 recording, 1 at },
        2 Pace { 0 site, 1 took, 2 at },
        3 Unrecorded { 0 since, 1 until },
    }
    enum About { 0 Patient(id), 1 Device(id), 2 CareUnit(id) }
    enum ToldAs { 0 AssignedNurse, 1 ChargeNurse, 2 CareUnit }
    enum Recording { 0 Yes, 1 DiskFull, 2 DiskFault }
    enum News2Input {
        0 RespiratoryRate, 1 Saturation, 2 Oxygen, 3 SystolicPressure, 4 Pulse, 5 Consciousness,
        6 Temperature
    }
}

/// An alarm's change, laid flat: 0 alarm, 1 key, 2 instant, 3 change, and what belongs to some.
struct FlatAlarm {
    alarm: Option<AlarmId>,
    key: AlarmKey,
    at: Timestamp,
    change: FlatChange,
    raised: Option<Raised>,
    by: Option<UserId>,
    words: Option<Redacted<String>>,
}

enum FlatChange {
    Began,
    Subsided,
    Raised,
    Escalated { step: u8, passed: u8 },
    Acknowledged { by: StaffId, until: Timestamp },
    AcknowledgementExpired,
    SignalLost,
    SignalFound,
    EndedOver,
    EndedSuperseded { by: AlarmId },
    EndedByStaff { by: StaffId, reason: EndReason },
    EndedByEntry { reason: EndReason },
}

struct FlatKey {
    about: About,
    kind: u16,
    vital: Option<Vital>,
    sensor: Option<Vital>,
}

struct FlatWeighed {
    key: AlarmKey,
    verdict: CodedVerdict,
    at: Timestamp,
    device: Option<DeviceId>,
}

/// A verdict in its stored form.
enum FlatVerdict {
    Holds,
    Between,
    Over,
    NoSignal,
}

coded! {
    struct FlatAlarm { 0 alarm, 1 key, 2 at, 3 change, 4 raised, 5 by, 6 words }
    enum FlatChange {
        0 Began,
        1 Subsided,
        2 Raised,
        3 Escalated { 0 step, 1 passed },
        4 Acknowledged { 0 by, 1 until },
        5 AcknowledgementExpired,
        6 SignalLost,
        7 SignalFound,
        8 EndedOver,
        9 EndedSuperseded { 0 by },
        10 EndedByStaff { 0 by, 1 reason },
        11 EndedByEntry { 0 reason },
    }
    struct FlatKey { 0 about, 1 kind, 2 vital, 3 sensor }
    struct FlatWeighed { 0 key, 1 verdict, 2 at, 3 device }
    enum FlatVerdict { 0 Holds, 1 Between, 2 Over, 3 NoSignal }
}

impl From<Change> for FlatChange {
    fn from(change: Change) -> Self {
        match change {
            Change::Began => Self::Began,
            Change::Subsided => Self::Subsided,
            Change::Raised => Self::Raised,
            Change::Escalated { step, passed } => Self::Escalated { step, passed },
            Change::Acknowledged { by, until } => Self::Acknowledged { by, until },
            Change::AcknowledgementExpired => Self::AcknowledgementExpired,
            Change::SignalLost => Self::SignalLost,
            Change::SignalFound => Self::SignalFound,
            Change::Ended(End::ConditionOver) => Self::EndedOver,
            Change::Ended(End::Superseded(by)) => Self::EndedSuperseded { by },
            Change::Ended(End::ByPerson(EndedBy::Staff(by), reason)) => {
                Self::EndedByStaff { by, reason }
            }
            Change::Ended(End::ByPerson(EndedBy::Entry, reason)) => Self::EndedByEntry { reason },
        }
    }
}

impl From<FlatChange> for Change {
    fn from(change: FlatChange) -> Self {
        match change {
            FlatChange::Began => Self::Began,
            FlatChange::Subsided => Self::Subsided,
            FlatChange::Raised => Self::Raised,
            FlatChange::Escalated { step, passed } => Self::Escalated { step, passed },
            FlatChange::Acknowledged { by, until } => Self::Acknowledged { by, until },
            FlatChange::AcknowledgementExpired => Self::AcknowledgementExpired,
            FlatChange::SignalLost => Self::SignalLost,
            FlatChange::SignalFound => Self::SignalFound,
            FlatChange::EndedOver => Self::Ended(End::ConditionOver),
            FlatChange::EndedSuperseded { by } => Self::Ended(End::Superseded(by)),
            FlatChange::EndedByStaff { by, reason } => {
                Self::Ended(End::ByPerson(EndedBy::Staff(by), reason))
            }
            FlatChange::EndedByEntry { reason } => {
                Self::Ended(End::ByPerson(EndedBy::Entry, reason))
            }
        }
    }
}

impl Coded for AlarmChanged {
    fn write(&self, e: &mut Encoder<'_>) {
        let flat = FlatAlarm {
            alarm: self.alarm,
            key: self.key,
            at: self.step.at,
            change: self.step.change.into(),
            raised: self.raised.clone(),
            by: self.by,
            words: self.words.clone(),
        };
        flat.write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let FlatAlarm { alarm, key, at, change, raised, by, words } = FlatAlarm::read(d)?;
        Ok(Self { alarm, key, step: Transition { at, change: change.into() }, raised, by, words })
    }
}

/// Which number is which verdict, for decisions and checkpoints.
pub(crate) struct CodedVerdict(pub(crate) Verdict);

impl Coded for CodedVerdict {
    fn write(&self, e: &mut Encoder<'_>) {
        let flat = match self.0 {
            Verdict::Holds => FlatVerdict::Holds,
            Verdict::Between => FlatVerdict::Between,
            Verdict::Over => FlatVerdict::Over,
            Verdict::NoSignal => FlatVerdict::NoSignal,
        };
        flat.write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        Ok(Self(match FlatVerdict::read(d)? {
            FlatVerdict::Holds => Verdict::Holds,
            FlatVerdict::Between => Verdict::Between,
            FlatVerdict::Over => Verdict::Over,
            FlatVerdict::NoSignal => Verdict::NoSignal,
        }))
    }
}

impl Coded for Weighed {
    fn write(&self, e: &mut Encoder<'_>) {
        let verdict = CodedVerdict(self.verdict);
        FlatWeighed { key: self.key, verdict, at: self.at, device: self.device }.write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let FlatWeighed { key, verdict, at, device } = FlatWeighed::read(d)?;
        Ok(Self { key, verdict: verdict.0, at, device })
    }
}

const LIMIT_LOW: u16 = 100;
const LIMIT_HIGH: u16 = 101;

/// The number of a kind, and the vital that belongs to it.
pub(crate) const fn number_of(kind: AlarmKind) -> (u16, Option<Vital>) {
    let number = match kind {
        AlarmKind::Limit(vital, Side::Low) => return (LIMIT_LOW, Some(vital)),
        AlarmKind::Limit(vital, Side::High) => return (LIMIT_HIGH, Some(vital)),
        AlarmKind::Desaturation => 1,
        AlarmKind::Asystole => 2,
        AlarmKind::ExtremeBradycardia => 3,
        AlarmKind::ExtremeTachycardia => 4,
        AlarmKind::Score(Trigger::SingleRed) => 5,
        AlarmKind::Score(Trigger::Medium) => 6,
        AlarmKind::Score(Trigger::High) => 7,
        AlarmKind::DeviceSilent => 8,
        AlarmKind::NoSignal => 9,
        AlarmKind::LeadsOff => 10,
        AlarmKind::ClockWrong => 11,
        AlarmKind::DataLate => 12,
        AlarmKind::BatteryLow => 13,
        AlarmKind::BatteryNearlyEmpty => 14,
        AlarmKind::NotRecording => 15,
        AlarmKind::PipelineSlow => 16,
        AlarmKind::WaveGap => 17,
        AlarmKind::RecordGap => 18,
    };
    (number, None)
}

/// The kind of a number; a number of the future is refused.
pub(crate) fn kind_of(number: u16, vital: Option<Vital>) -> Result<AlarmKind, BodyError> {
    Ok(match (number, vital) {
        (LIMIT_LOW, Some(vital)) => AlarmKind::Limit(vital, Side::Low),
        (LIMIT_HIGH, Some(vital)) => AlarmKind::Limit(vital, Side::High),
        (1, None) => AlarmKind::Desaturation,
        (2, None) => AlarmKind::Asystole,
        (3, None) => AlarmKind::ExtremeBradycardia,
        (4, None) => AlarmKind::ExtremeTachycardia,
        (5, None) => AlarmKind::Score(Trigger::SingleRed),
        (6, None) => AlarmKind::Score(Trigger::Medium),
        (7, None) => AlarmKind::Score(Trigger::High),
        (8, None) => AlarmKind::DeviceSilent,
        (9, None) => AlarmKind::NoSignal,
        (10, None) => AlarmKind::LeadsOff,
        (11, None) => AlarmKind::ClockWrong,
        (12, None) => AlarmKind::DataLate,
        (13, None) => AlarmKind::BatteryLow,
        (14, None) => AlarmKind::BatteryNearlyEmpty,
        (15, None) => AlarmKind::NotRecording,
        (16, None) => AlarmKind::PipelineSlow,
        (17, None) => AlarmKind::WaveGap,
        (18, None) => AlarmKind::RecordGap,
        (found, _) => return Err(BodyError::unknown_variant("AlarmKind", found.into())),
    })
}

impl Coded for AlarmKey {
    fn write(&self, e: &mut Encoder<'_>) {
        let (kind, vital) = number_of(self.kind);
        FlatKey { about: self.about, kind, vital, sensor: self.sensor }.write(e);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let FlatKey { about, kind, vital, sensor } = FlatKey::read(d)?;
        Ok(Self { about, kind: kind_of(kind, vital)?, sensor })
    }
}
