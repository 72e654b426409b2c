//! The demo's hospital with fixed ids, so that two servers are asked for the very same.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use engine::AlarmScope;
use model::{
    AlarmId, Bed, CareUnit, CareUnitId, Channel, Charting, Consciousness, Device, DeviceId, Id,
    Kind, Lifecycle, LimitSet, LimitSide, Line, Org, Oxygen, Patient, PatientId, Post, Priority,
    Redacted, Role, Room, RoomId, Sex, Site, SiteId, SpO2Scale, Staff, Subject, Timestamp, User,
    Vital,
};
use protocols::profile::Profile;
use record::{Actor, Wish};
use signal::wfdb;
use sim::{Act, Deed, Enrolled, OwnLimit, Recording, Script};
use store::{Question, Series};

use crate::node::Node;

/// When the day begins.
pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_795_219_200_000);

/// The instant at this second of the day.
pub(crate) fn second(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

pub(crate) const ORG: u128 = 1;
pub(crate) const SITE: u128 = 2;
pub(crate) const CARE_UNIT: u128 = 3;
const ROOMS: u128 = 40;
const OTHER_UNITS: u128 = 20;
pub(crate) const WATCHDOG: u128 = 5;
pub(crate) const NURSE: u128 = 10;
const CHARGE: u128 = 11;
const BEDS: u128 = 100;
const PATIENTS: u128 = 200;
const DEVICES: u128 = 300;

/// Traces come from these devices only: a heart that stops, and a lead that falls off.
const WITH_TRACE: [usize; 2] = [2, 5];
const TRACE: &str = "MDC_ECG_ELEC_POTL_II";

/// The id of this number, of any kind.
pub(crate) fn id<K: Kind>(number: u128) -> Id<K> {
    Id::v7(START, number)
}

/// The device in this place of the demo's list.
pub(crate) fn device(index: usize) -> DeviceId {
    id(DEVICES + index as u128)
}

/// The patient in this bed.
pub(crate) fn patient(bed: usize) -> PatientId {
    id(PATIENTS + bed as u128)
}

/// Where a device publishes this.
pub(crate) fn topic(device: DeviceId, leaf: &str) -> String {
    let site: SiteId = id(SITE);
    format!("wl/1/{site}/{device}/up/{leaf}")
}

fn shared(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)
}

/// Every shipped device profile.
pub(crate) fn profiles() -> BTreeMap<String, Profile> {
    let mut profiles = BTreeMap::new();
    for entry in std::fs::read_dir(shared("profiles")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path().join("profile.toml")).unwrap();
        let profile = Profile::parse(&text).unwrap();
        profiles.insert(profile.name.clone(), profile);
    }
    profiles
}

/// Every shipped heart.
pub(crate) fn recordings() -> Vec<Recording> {
    let folder = shared("assets/ecg");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".hea").map(str::to_owned))
        .collect();
    names.sort();
    let recording = |name: &String| {
        let file = |suffix: &str| std::fs::read(folder.join(format!("{name}.{suffix}"))).unwrap();
        let header = String::from_utf8(file("hea")).unwrap();
        let header = wfdb::Header::parse(&header).unwrap();
        let leads = wfdb::samples(&header, &file("dat")).unwrap();
        let beats = wfdb::annotations(&file("atr")).unwrap();
        let beats = beats.iter().filter(|beat| beat.is_beat());
        let first = &header.signals[0];
        Recording {
            name: name.clone(),
            rate_hz: header.rate.hz(),
            microvolts: leads[0]
                .iter()
                .map(|adu| first.microvolts(*adu).unwrap_or_default())
                .collect(),
            beats: beats.map(|beat| usize::try_from(beat.sample).unwrap()).collect(),
        }
    };
    names.iter().map(recording).collect()
}

/// A shipped script.
pub(crate) fn script(name: &str) -> Script {
    let path = shared("assets/scenarios").join(format!("{name}.toml"));
    Script::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The demo's ward.
pub(crate) fn ward() -> Script {
    script("ward")
}

/// A script's devices as the hospital knows them.
pub(crate) fn enrolled(script: &Script) -> Vec<Enrolled> {
    let devices = script.devices().into_iter().enumerate();
    let enrol = |(index, (bed_index, kind)): (usize, (usize, sim::Kind))| Enrolled {
        id: device(index),
        site: id(SITE),
        kind,
        bed_index,
        serial: format!("D-{index}"),
    };
    devices.map(enrol).collect()
}

/// Whether this reaches the server: all but most of the traces.
pub(crate) fn is_delivered(deed: &Deed) -> bool {
    match &deed.act {
        Act::Send(sent) if sent.wave_samples > 0 => {
            WITH_TRACE.contains(&deed.device_index) && sent.leaf.ends_with(TRACE)
        }
        Act::Send(_) | Act::Cut | Act::Expire | Act::Restore => true,
    }
}

/// The care unit in this place of the script; the first one is [`CARE_UNIT`].
pub(crate) fn care_unit(index: usize) -> CareUnitId {
    id(if index == 0 { CARE_UNIT } else { OTHER_UNITS + index as u128 })
}

fn room(index: usize) -> RoomId {
    id(ROOMS + index as u128)
}

/// A limit of one patient, as a doctor sets it.
fn own_limit(bed: usize, limit: &OwnLimit) -> Wish {
    let find = |vital: &&Vital| vital.name().replace(' ', "_").ends_with(&limit.vital);
    let vital = *Vital::ALL.iter().find(find).unwrap();
    let priority = if limit.priority == "high" { Priority::High } else { Priority::Medium };
    let side = |level: Option<f64>, back: f64| {
        level.map(|level| LimitSide {
            limit_thousandths: (level * 1_000.0) as i64,
            clears_at_thousandths: (level * back).round() as i64 * 1_000,
            delay: Duration::ZERO,
            priority,
        })
    };
    let limits = LimitSet { vital, low: side(limit.low, 1.05), high: side(limit.high, 0.95) };
    Wish::SetLimits { patient: patient(bed), limits }
}

pub(crate) fn text(text: impl Into<String>) -> Redacted<String> {
    Redacted(text.into())
}

/// Since the day began; who knew it when is written by the server.
fn line<K, V>(key: K, value: V) -> Line<K, V> {
    Line { key, value, from: START, known_at: START }
}

/// Builds the hospital, and opens the screen.
pub(crate) async fn build(node: &mut Node, script: &Script) {
    let people = people(script);
    for wish in places(script).into_iter().chain(people).chain(equipment(script)) {
        node.ask(Actor::System, wish).await;
    }
    for bed in 0..script.patients.len() {
        node.ask(Actor::User(id(NURSE)), charting(bed, START)).await;
    }
    node.watch().await;
}

fn places(script: &Script) -> Vec<Wish> {
    let mut wishes = vec![
        Wish::PutOrg(Org { id: id(ORG), name: "Day".to_owned() }),
        Wish::PutSite(Site { id: id(SITE), org: id(ORG), name: "North".to_owned() }),
    ];
    for (index, unit) in script.units.iter().enumerate() {
        let care_unit = care_unit(index);
        let name = unit.name.clone();
        wishes.push(Wish::PutCareUnit(CareUnit { id: care_unit, site: id(SITE), name }));
        let room = Room { id: room(index), care_unit, name: "1".to_owned() };
        wishes.push(Wish::PutRoom(room));
    }
    wishes
}

fn people(script: &Script) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (number, login, role) in [(NURSE, "priya", Role::Nurse), (CHARGE, "tom", Role::ChargeNurse)]
    {
        let (org, name) = (id(ORG), text(login));
        wishes.push(Wish::PutStaff(Staff { id: id(number), org, site: id(SITE), name }));
        wishes.push(Wish::PutUser(User {
            id: id(number),
            org,
            login: login.to_owned(),
            role,
            staff: Some(id(number)),
            patient: None,
            password_hash: None,
            disabled: false,
        }));
    }
    for index in 0..script.units.len() {
        wishes.push(Wish::Assign(line(Post::Charge(care_unit(index)), Some(id(CHARGE)))));
    }
    for (bed, bedded) in script.patients.iter().enumerate() {
        let place = id(BEDS + bed as u128);
        let name = format!("{:02}", bed + 1);
        wishes.push(Wish::PutBed(Bed { id: place, room: room(bedded.unit_index), name }));
        wishes.push(Wish::PutPatient(Patient {
            id: patient(bed),
            org: id(ORG),
            record_number: text(format!("BR {bed}")),
            given_name: text("G"),
            family_name: text(format!("Family {bed}")),
            birth_date: None,
            sex: Sex::Unknown,
            here_for: text(&bedded.here_for),
            spo2_scale: if bedded.wants_88_to_92 { SpO2Scale::Two } else { SpO2Scale::One },
        }));
        wishes.push(Wish::Occupy(line(place, Some(patient(bed)))));
        wishes.push(Wish::Assign(line(Post::Bed(place), Some(id(NURSE)))));
        wishes.extend(bedded.limits.iter().map(|limit| own_limit(bed, limit)));
    }
    wishes
}

fn equipment(script: &Script) -> Vec<Wish> {
    let put = |id, unit: usize, profile: &str, serial: String| {
        Wish::PutDevice(Device {
            id,
            org: self::id(ORG),
            site: self::id(SITE),
            care_unit: Some(care_unit(unit)),
            profile: profile.to_owned(),
            label: serial.clone(),
            serial,
            lifecycle: Lifecycle::InService,
        })
    };
    let mut wishes = vec![put(id(WATCHDOG), 0, engine::beat::PROFILE, "W".to_owned())];
    for Enrolled { id, kind, bed_index, serial, .. } in enrolled(script) {
        let unit = script.patients[bed_index].unit_index;
        wishes.push(put(id, unit, kind.profile(), serial));
        wishes.push(Wish::Associate(line(id, Subject::Patient(patient(bed_index)))));
    }
    wishes
}

fn charting(bed: usize, observed_at: Timestamp) -> Wish {
    Wish::Chart(Charting {
        patient: patient(bed),
        observed_at,
        consciousness: Some(Consciousness::Alert),
        oxygen: Some(Oxygen::Air),
        breaths_per_min: None,
        feeling: None,
        note: text(""),
    })
}

/// A nurse's round: she answers whatever stands, and charts one bed; answers the titles.
pub(crate) async fn answer_all(node: &Node, until: u64) -> Vec<String> {
    let mut standing: Vec<(String, Option<PatientId>, Option<DeviceId>, AlarmId)> = node
        .engine
        .alarms(AlarmScope::Org(id(ORG)))
        .await
        .unwrap()
        .into_iter()
        .map(|it| (it.title, it.patient, it.device, it.id))
        .collect();
    standing.sort();
    let nurse = Actor::User(id(NURSE));
    for (_, _, _, alarm) in &standing {
        let wish = Wish::Acknowledge { alarm: *alarm, quiet_for: Duration::from_secs(300) };
        node.ask(nurse, wish).await;
    }
    let beds = ward().patients.len();
    let bed = usize::try_from(until / 600).unwrap() % beds;
    node.ask(nurse, charting(bed, second(until))).await;
    standing.into_iter().map(|(title, ..)| title).collect()
}

/// For each channel of each device how many points there are, and a fingerprint of them.
pub(crate) fn points(series: &Series) -> Vec<(String, usize, u64)> {
    let mut found = Vec::new();
    let profiles = profiles();
    for Enrolled { id: device, kind, serial, .. } in enrolled(&ward()) {
        for spec in profiles[kind.profile()].channels.iter().filter(|spec| !spec.is_wave()) {
            let answer = series.query(&question(device, &spec.channel)).unwrap();
            let points: Vec<_> = answer.stretches.into_iter().flat_map(|it| it.items).collect();
            let sum = points.iter().fold(0_u64, |sum, point| {
                let value =
                    point.value.map_or(-1, |(mantissa, exp10)| mantissa * 100 + i64::from(exp10));
                let parts = [point.at.unix_nanos(), point.received_at.unix_nanos(), value];
                parts.iter().fold(sum, |sum, part| {
                    sum.wrapping_mul(0x0100_0000_01b3) ^ part.cast_unsigned()
                })
            });
            found.push((format!("{serial} {}", spec.channel), points.len(), sum));
        }
    }
    found
}

fn question(device: DeviceId, channel: &Channel) -> Question {
    let day = Duration::from_secs(2 * 86_400);
    let (from, to) = (START.before(day), START.after(day));
    Question { org: id(ORG), device, channel: channel.clone(), from, to }
}
