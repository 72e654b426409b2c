//! The ward in virtual time: a scripted harness, and what must hold whatever is played on it.

use std::collections::VecDeque;

use ::record::{
    Actor, Body, Command, Counted, Frame, Presence, PresenceChange, Readings, SampleAt, Upward,
};
use model::{
    AgeBand, Assignment, Association, Bed, CareUnit, Channel, Charting, Clock, Code, Consciousness,
    Device, Encounter, EndReason, Lifecycle, Measure, MissingReason, Org, Oxygen, Patient, Post,
    Priority, Redacted, Role, Room, Sample, Sex, Site, SpO2Scale, Staff, Subject, Ucum, User,
    Vital,
};

use super::*;
use crate::{
    beat,
    record::{Notice, Reason},
    replay::Ahead,
    shell::entry,
    view::{Alarm, AlarmPhase, AlarmScope, Cursor, Delta},
};

mod alarms;
mod corrections;
mod directory;
mod emergency;
mod fleet;
mod house;
mod imports;
mod limits;
mod news;
mod reports;
mod restarts;
mod share;
mod sources;
mod speed;
mod technical;
mod waves;

const V7: u128 = 0x7000_8000_0000_0000_0000;

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(V7 | tail).unwrap()
}

/// Seconds of the script, which begins at noon of some day.
fn at(second: f64) -> Timestamp {
    let noon = 1_795_262_400_000_i64;
    Timestamp::from_unix_millis(noon + (second * 1_000.0).round() as i64)
}

const UNIT: u128 = 3;
const PRIYA: u128 = 31;
const JONAS: u128 = 32;
const TOM: u128 = 33;
const MONITOR: u128 = 0x100;
const ILSE: u128 = 0x200;
const BED: u128 = 0x300;

fn setup() -> Setup {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles");
    let mut setup = Setup::default();
    for name in ["bedside-monitor", "ecg-patch", "oximeter", "blood-pressure-cuff", "watchdog"] {
        let text = std::fs::read_to_string(format!("{folder}/{name}/profile.toml")).unwrap();
        setup.profiles.insert(name.to_owned(), Profile::parse(&text).unwrap());
    }
    setup
}

/// A ward, its journal, and the way in which decisions come back from it late.
struct Ward {
    core: Core,
    log: Vec<Record>,
    end: u64,
    seq: u64,
    decision_seq: u64,
    /// Decisions that are not in the journal yet.
    in_flight: VecDeque<out::DecidedOf>,
    /// How many records a decision's frame comes late.
    lag: usize,
    out: Out,
    now: Timestamp,
    decided: Vec<Decision>,
    deltas: Vec<Delta>,
    answers: Vec<OutcomeOf>,
    points: usize,
    wave_seq: u64,
}

impl Ward {
    /// An empty organization.
    fn empty() -> Self {
        Self {
            core: Core::new(setup()),
            log: Vec::new(),
            end: 0,
            seq: 0,
            decision_seq: 0,
            in_flight: VecDeque::new(),
            lag: 0,
            out: Out::default(),
            now: at(0.0),
            decided: Vec::new(),
            deltas: Vec::new(),
            answers: Vec::new(),
            points: 0,
            wave_seq: 0,
        }
    }

    /// One bed with Ilse in it and a monitor on her; Priya is her nurse, Tom in charge, Jonas beside.
    fn new() -> Self {
        let mut ward = Self::empty();
        ward.furnish();
        ward.move_in(0);
        ward
    }

    fn furnish(&mut self) {
        let (org, site) = (id(1), id(2));
        self.grant(Wish::PutOrg(Org { id: org, name: "St. Brigid's".into() }));
        self.grant(Wish::PutSite(Site { id: site, org, name: "Main".into() }));
        self.grant(Wish::PutCareUnit(CareUnit { id: id(UNIT), site, name: "4B".into() }));
        self.grant(Wish::PutRoom(Room { id: id(4), care_unit: id(UNIT), name: "2".into() }));
        for (staff, name) in [(PRIYA, "priya"), (JONAS, "jonas"), (TOM, "tom")] {
            let (person, name) = (id(staff), name.to_owned());
            let named = Redacted(name.clone());
            self.grant(Wish::PutStaff(Staff { id: person, org, site, name: named }));
            self.grant(Wish::PutUser(User {
                id: id(staff),
                org,
                login: name,
                role: Role::Nurse,
                staff: Some(person),
                password_hash: None,
                patient: None,
                disabled: false,
            }));
        }
        self.assign(Post::Charge(id(UNIT)), Some(TOM));
    }

    /// A patient in a bed with a monitor; each has its number.
    fn move_in(&mut self, number: u128) {
        self.grant(Wish::PutBed(Bed {
            id: id(BED + number),
            room: id(4),
            name: format!("{number:02}"),
        }));
        self.grant(Wish::PutPatient(patient(number)));
        self.grant(Wish::PutDevice(device(number, "bedside-monitor")));
        self.occupy(BED + number, Some(ILSE + number));
        self.put_on(MONITOR + number, Some(ILSE + number));
        let nurse = if number == 0 { PRIYA } else { JONAS };
        self.assign(Post::Bed(id(BED + number)), Some(nurse));
    }

    fn append(&mut self, kind: u16, version: u8, body: Vec<u8>, received_at: Timestamp) -> Record {
        // Decisions are counted apart, so that records have the same names whatever was lost.
        let is_decision = kind >= ::record::DECISIONS_FROM;
        let counter = if is_decision { &mut self.decision_seq } else { &mut self.seq };
        *counter += 1;
        let seq = *counter + if is_decision { 1 << 40 } else { 0 };
        self.end += 64 + u64::try_from(body.len()).unwrap();
        let frame = Frame {
            kind,
            body_version: version,
            org: id(1),
            position: Position { partition: id(UNIT), seq },
            received_at,
            key_id: 0,
            body,
        };
        let record = Record { offset: LogOffset::from_bytes(self.end), frame };
        self.log.push(record.clone());
        record
    }

    /// What comes in is durable, taken, and what follows is appended a little later.
    fn happens(&mut self, body: &Body) -> Position {
        let (kind, version, bytes) = body.encode();
        let record = self.append(kind, version, bytes, self.now);
        let position = record.frame.position;
        self.core.step(&record, &mut self.out);
        self.tell();
        position
    }

    fn tell(&mut self) {
        self.core.flush(self.now, &mut self.out);
        self.decided.extend(self.out.decisions().map(|it| it.decision.clone()));
        self.in_flight.extend(self.out.decided.drain(..));
        self.deltas.append(&mut self.out.deltas);
        self.answers.append(&mut self.out.outcomes);
        self.points += self.out.points.len();
        self.out.clear();
        while self.in_flight.len() > self.lag {
            self.settle_one();
        }
    }

    fn settle_one(&mut self) {
        let Some(decided) = self.in_flight.pop_front() else { return };
        let entry = entry(decided);
        let record = self.append(entry.kind, entry.body_version, entry.body, entry.received_at);
        self.core.step(&record, &mut self.out);
    }

    fn settle(&mut self) {
        while !self.in_flight.is_empty() {
            self.settle_one();
        }
    }

    /// Lets time pass and looks at every deadline on the way, as the loop does.
    fn wait_until(&mut self, to: Timestamp) {
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= to) {
            // After a crash what was due before it is looked at first.
            self.now = self.now.max(due);
            self.core.tick(due.max(self.core.now()), &mut self.out);
            self.tell();
        }
        self.now = self.now.max(to);
    }

    fn asks(&mut self, actor: Actor, wish: Wish) -> Result<Option<AlarmId>, (Reason, String)> {
        let position = self.happens(&Body::Command(Command { actor, wish }));
        let answer = self.answers.iter().find(|it| it.command == position).unwrap();
        answer.answer.clone().map_err(|refusal| (refusal.reason, refusal.words))
    }

    #[track_caller]
    fn grant(&mut self, wish: Wish) {
        let shown = format!("{wish:?}");
        let refused = self.asks(Actor::System, wish).err();
        assert_eq!(refused, None, "{shown}");
    }

    fn assign(&mut self, post: Post, staff: Option<u128>) {
        let (from, known_at) = (self.now, self.now);
        let value = staff.map(id);
        self.grant(Wish::Assign(Assignment { key: post, value, from, known_at }));
    }

    fn occupy(&mut self, bed: u128, patient: Option<u128>) {
        let (from, known_at) = (self.now, self.now);
        let value = patient.map(id);
        self.grant(Wish::Occupy(Encounter { key: id(bed), value, from, known_at }));
    }

    fn put_on(&mut self, device: u128, patient: Option<u128>) {
        let (from, known_at) = (self.now, self.now);
        let value = patient.map_or(Subject::Nobody, |it| Subject::Patient(id(it)));
        self.grant(Wish::Associate(Association { key: id(device), value, from, known_at }));
    }

    /// A message of one device with its samples, taken `age` seconds before it comes.
    fn reads_late(&mut self, device: u128, age: f64, samples: &[(Vital, Option<f64>)]) {
        let device_at = self.now.before(std::time::Duration::from_secs_f64(age));
        let samples = samples.iter().map(|(vital, value)| SampleAt {
            channel: channel_of(*vital),
            device_at_delta_ns: 0,
            sample: value.map_or(Sample::Missing(MissingReason::SensorDetached), |value| {
                Sample::Measured(Measure {
                    kind: code_of(*vital),
                    mantissa: (value * 10.0).round() as i64,
                    exp10: -1,
                    ucum: Ucum::new(vital.unit()),
                })
            }),
            refused: None,
        });
        self.happens(&Body::Readings(Readings {
            device: id(device),
            counted: None,
            device_at,
            device_now: None,
            gateway_at: None,
            clock: Clock::Synchronised { offset_ns: 0 },
            may_be_buffered: false,
            samples: samples.collect(),
        }));
    }

    fn reads(&mut self, second: f64, device: u128, samples: &[(Vital, Option<f64>)]) {
        self.wait_until(at(second));
        self.reads_late(device, 0.0, samples);
    }

    /// Ilse's saturation and heart rate each second from `from` up to `to`.
    fn monitor(&mut self, from: u32, to: u32, saturation: f64, rate: f64) {
        for second in from..=to {
            let samples = [(Vital::Saturation, Some(saturation)), (Vital::HeartRate, Some(rate))];
            self.reads(f64::from(second), MONITOR, &samples);
        }
    }

    fn answers(&mut self, user: u128, alarm: AlarmId, seconds: u64) -> Result<(), Reason> {
        let quiet_for = std::time::Duration::from_secs(seconds);
        let wish = Wish::Acknowledge { alarm, quiet_for };
        self.asks(Actor::User(id(user)), wish).map(drop).map_err(|refusal| refusal.0)
    }

    /// The standing alarms of the care unit.
    fn standing(&self) -> Vec<Alarm> {
        self.core.alarms_of(AlarmScope::CareUnit(id(UNIT)))
    }

    fn titles(&self) -> Vec<String> {
        self.standing().into_iter().map(|alarm| alarm.title).collect()
    }

    fn titled(&self, title: &str) -> Option<Alarm> {
        self.standing().into_iter().find(|alarm| alarm.title == title)
    }

    /// The one alarm that stands, silent devices and scores aside.
    #[track_caller]
    fn alarm(&self) -> Alarm {
        let mut standing = self.standing();
        standing.retain(|it| !it.title.starts_with("NEWS2") && !it.title.ends_with("silent"));
        let [alarm] = <[Alarm; 1]>::try_from(standing).unwrap();
        alarm
    }

    /// What a start would make of the journal as it is, from a checkpoint or from nothing.
    fn restarted(&self, checkpoint: Option<&[u8]>, log: &[Record]) -> (Core, Out) {
        let mut core = match checkpoint {
            Some(bytes) => Core::restore(setup(), bytes).unwrap(),
            None => Core::new(setup()),
        };
        let from = core.came_to();
        let rest: Vec<&Record> = log.iter().filter(|record| record.offset > from).collect();
        let mut ahead = Ahead::of(&core, rest.iter().copied());
        assert_eq!(ahead.unreadable(), 0);
        let mut out = Out::default();
        for record in rest {
            ahead.take(&mut core, record, &mut out);
        }
        ahead.finish(&mut core, &mut out);
        (core, out)
    }

    /// The program is killed, and starts again with what is in the journal.
    fn killed_and_started(&mut self, checkpoint: Option<&[u8]>) {
        self.in_flight.clear();
        let (core, out) = self.restarted(checkpoint, &self.log);
        self.core = core;
        self.out = Out { decided: out.decided, ..Out::default() };
        self.tell();
    }
}

fn patient(number: u128) -> Patient {
    Patient {
        id: id(ILSE + number),
        org: id(1),
        record_number: Redacted(format!("BR {number}")),
        given_name: Redacted("Ilse".into()),
        family_name: Redacted("Brandt".into()),
        birth_date: Some(Redacted(model::Date { year: 1951, month: 11, day: 22 })),
        sex: Sex::Female,
        here_for: Redacted("pneumonia".into()),
        spo2_scale: SpO2Scale::One,
    }
}

fn device(number: u128, profile: &str) -> Device {
    Device {
        id: id(MONITOR + number),
        org: id(1),
        site: id(2),
        care_unit: Some(id(UNIT)),
        profile: profile.to_owned(),
        serial: format!("S{number}"),
        label: format!("Monitor {number}"),
        lifecycle: Lifecycle::InService,
    }
}

fn channel_of(vital: Vital) -> Channel {
    Channel::from(match vital {
        Vital::HeartRate => "MDC_ECG_HEART_RATE",
        Vital::Saturation => "MDC_PULS_OXIM_SAT_O2",
        Vital::PulseRate => "MDC_PULS_OXIM_PULS_RATE",
        Vital::RespiratoryRate => "MDC_RESP_RATE",
        Vital::SystolicPressure => "MDC_PRESS_BLD_NONINV_SYS",
        Vital::DiastolicPressure => "MDC_PRESS_BLD_NONINV_DIA",
        Vital::MeanPressure => "MDC_PRESS_BLD_NONINV_MEAN",
        Vital::Temperature => "MDC_TEMP",
        Vital::BatteryLevel => "MDC_ATTR_VAL_BATT_CHARGE",
        Vital::Glucose => "MDC_CONC_GLU_ISF",
    })
}

fn code_of(vital: Vital) -> Code {
    Code::Mdc(match vital {
        Vital::HeartRate => 147_842,
        Vital::Saturation => 150_456,
        Vital::PulseRate => 149_530,
        Vital::RespiratoryRate => 151_562,
        Vital::SystolicPressure => 150_021,
        Vital::DiastolicPressure => 150_022,
        Vital::MeanPressure => 150_023,
        Vital::Temperature => 150_344,
        Vital::BatteryLevel => 67_996,
        Vital::Glucose => 160_212,
    })
}
