//! A scripted day of the whole hospital in virtual time: what was true of its people and
//! devices is compared with what was alarmed, and each case is listed.
//!
//! Messages that come each second are thinned to one in eight seconds, and traces come from
//! the hearts that will stop or race only; everything else is as the script has it. Staff
//! answer alarms, late or not at all, and what they try works on the bodies.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use engine::{AlarmScope, view};
use model::{
    AlarmId, Charting, Consciousness, DeviceId, Oxygen, OxygenDevice, PatientId, Priority,
};
use record::{Actor, Wish};
use sim::{Fidelity, Hospital, Raised, Remedy, Row, Score, Shift, Treatment, score};
use store::{AlarmFilter, Clock, Records};

use crate::{
    node::Node,
    stage::{self, NURSE, ORG, START, device, id, patient, second},
};

/// How long the day is.
const DAY_S: u64 = 24 * 3_600;
/// The server is given so many seconds at a time.
const STRIDE_S: u64 = 20;
/// Between two rounds of charting.
const CHARTS_EVERY_S: u64 = 7_200;
/// Who missed an alarm hears it again after this.
const HEARS_AGAIN_S: u64 = 180;
/// The beds whose electrocardiogram is sent.
const TRACED: [&str; 4] = ["I3", "I4", "I7", "I8"];

/// Somebody on their way.
struct Coming {
    at: u64,
    alarm: AlarmId,
    patient: Option<PatientId>,
    device: Option<DeviceId>,
    remedies: Vec<Remedy>,
}

/// Staff of the day.
struct Staff {
    shift: Shift,
    heard_until: BTreeMap<AlarmId, u64>,
    coming: Vec<Coming>,
    on_oxygen: BTreeSet<usize>,
}

fn raised(code: &str, title: &str) -> Raised {
    Raised { code: code.to_owned(), title: title.to_owned(), ..Raised::default() }
}

const fn word(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Medium => "medium",
        Priority::Low => "low",
    }
}

impl Staff {
    fn listen(&mut self, alarms: &[view::Alarm], now: u64) {
        for alarm in alarms.iter().filter(|it| it.phase == view::AlarmPhase::Active) {
            if self.heard_until.get(&alarm.id).is_some_and(|until| now < *until) {
                continue;
            }
            self.heard_until.insert(alarm.id, now + HEARS_AGAIN_S);
            let key = raised(alarm.code, &alarm.title).key();
            if let Some(coming) = self.shift.hear(&key, word(alarm.priority)) {
                self.coming.push(Coming {
                    at: now + coming.after.as_secs(),
                    alarm: alarm.id,
                    patient: alarm.patient,
                    device: alarm.device,
                    remedies: coming.remedies,
                });
            }
        }
    }

    async fn act(&mut self, node: &Node, hospital: &mut Hospital, now: u64) {
        let (due, later) =
            std::mem::take(&mut self.coming).into_iter().partition(|it| it.at <= now);
        self.coming = later;
        let due: Vec<Coming> = due;
        for it in due {
            let bed = it.patient.and_then(|it| (0..48).find(|bed| patient(*bed) == it));
            for remedy in it.remedies {
                match (remedy, bed) {
                    (Remedy::Treat(treatment), Some(bed)) => {
                        hospital.treat(bed, treatment);
                        if treatment == Treatment::Oxygen {
                            self.on_oxygen.insert(bed);
                        }
                    }
                    (Remedy::Mend, _) => {
                        let worn = it.device.and_then(|it| hospital.find_device(it));
                        let at_bed = hospital.script().devices().into_iter().enumerate();
                        let at_bed: Vec<usize> = at_bed
                            .filter(|(_, (patient, _))| Some(*patient) == bed)
                            .map(|(index, _)| index)
                            .collect();
                        for index in worn.map_or(at_bed, |index| vec![index]) {
                            hospital.mend(index);
                        }
                    }
                    (Remedy::Treat(_), None) => {}
                }
            }
            let quiet_for = Duration::from_secs(300);
            // It may have ended while somebody was on the way.
            let stands = node.engine.alarm(it.alarm).await;
            if stands.is_some_and(|it| it.phase != view::AlarmPhase::Ended) {
                let wish = Wish::Acknowledge { alarm: it.alarm, quiet_for };
                node.ask(Actor::User(id(NURSE)), wish).await;
            }
        }
    }

    async fn chart(&self, node: &Node, hospital: &Hospital, now: u64) {
        for bed in 0..24 {
            let awake = hospital.body(bed).map_or(Consciousness::Alert, |it| it.consciousness);
            let added = Oxygen::Added { flow_ml_per_min: None, by: OxygenDevice::NasalCannula };
            let oxygen = if self.on_oxygen.contains(&bed) { added } else { Oxygen::Air };
            let charting = Charting {
                patient: patient(bed),
                observed_at: second(now),
                consciousness: Some(awake),
                oxygen: Some(oxygen),
                breaths_per_min: None,
                feeling: None,
                note: stage::text(""),
            };
            node.ask(Actor::User(id(NURSE)), Wish::Chart(charting)).await;
        }
    }
}

fn alarms_of(records: &Records) -> Vec<Raised> {
    let rows = records.alarms(id(ORG), &AlarmFilter::default(), 1_000_000).unwrap();
    let alarm = |row: store::AlarmRow| Raised {
        priority: word(row.priority).to_owned(),
        patient: row.patient.map(|it| it.to_string()),
        device: row.device.map(|it| it.to_string()),
        raised_ms: row.raised_at.unix_millis(),
        ended_ms: row.ended_at.map(model::Timestamp::unix_millis),
        ..raised(&row.code, &row.title)
    };
    rows.into_iter().map(alarm).collect()
}

/// Lives the day and compares.
pub(crate) async fn day() {
    let script = stage::script("hospital");
    let devices = stage::enrolled(&script);
    let traced = devices.iter().enumerate().filter(|(_, it)| {
        let bed = &script.patients[it.bed_index].bed;
        TRACED.contains(&bed.as_str())
    });
    let traced = Some(traced.map(|(index, _)| index).collect());
    let fidelity = Fidelity { traced, block_steps: 10, every_nth: 8 };
    let clock = Clock::manual(START);
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::open(folder.path(), &clock).await;
    stage::build(&mut node, &script).await;
    let names: Vec<String> =
        (0..script.patients.len()).map(|bed| patient(bed).to_string()).collect();
    assert_eq!(devices[0].id, device(0));
    let mut hospital = Hospital::new(1, START, script, devices, &stage::recordings(), &fidelity);
    hospital.name_patients(&names);
    let mut staff = Staff {
        shift: Shift::new(1, 0.15),
        heard_until: BTreeMap::new(),
        coming: Vec::new(),
        on_oxygen: BTreeSet::new(),
    };
    let mut truth = Vec::new();
    let mut lived = 0;
    while lived < DAY_S {
        let (from, until) = (lived, lived + STRIDE_S);
        lived = until;
        let mut deeds = Vec::new();
        while hospital.next_at() <= second(until) {
            deeds.extend(hospital.step().into_iter().filter(is_ecg_or_number));
        }
        node.live(&deeds, from, until).await;
        clock.advance_to(second(until));
        let alarms = node.engine.alarms(AlarmScope::Org(id(ORG))).await.unwrap();
        staff.listen(&alarms, until);
        staff.act(&node, &mut hospital, until).await;
        if until % CHARTS_EVERY_S == STRIDE_S {
            staff.chart(&node, &hospital, until).await;
        }
        truth.extend(hospital.take_truth());
    }
    truth.extend(hospital.close_truth());
    let kept = node.stop().await;
    judge(&score(&truth, &alarms_of(&kept.records)));
}

fn is_ecg_or_number(deed: &sim::Deed) -> bool {
    match &deed.act {
        sim::Act::Send(sent) => sent.wave_samples == 0 || sent.leaf.ends_with("POTL_II"),
        sim::Act::Cut | sim::Act::Expire | sim::Act::Restore => true,
    }
}

fn listed(score: &Score) -> String {
    let name = |row: &Row| format!("{} {} of {}", row.kind, row.what, row.bed);
    let mut lines: Vec<String> = Vec::new();
    for (word, told) in [("detected", &score.detected), ("late", &score.late)] {
        let line = |it: &sim::Told| {
            format!("{word}: {}: {} after {} s", name(&it.truth), it.alarm.key, it.after_ms / 1_000)
        };
        lines.extend(told.iter().map(line));
    }
    lines.extend(score.missed.iter().map(|row| {
        let at_s = (row.from_ms - START.unix_millis()) / 1_000;
        format!("missed: {} from {at_s} s: {}", name(row), row.expect.join(" or "))
    }));
    lines.extend(score.false_alarms.iter().map(|it| {
        let at_s = (it.raised_ms - START.unix_millis()) / 1_000;
        format!("false: {} at {at_s} s, {:?}: {}", it.key, it.patient, it.title)
    }));
    lines.join("\n")
}

/// Nothing is missed, nothing urgent is late, and false alarms come only from somebody who
/// moves: that is what a sensor on a finger does to those who listen to it.
fn judge(score: &Score) {
    let list = listed(score);
    assert!(score.missed.is_empty(), "something was missed\n{list}");
    let urgent = |told: &&sim::Told| {
        told.truth.kind == "illness" || told.truth.priority.as_deref() == Some("high")
    };
    assert_eq!(score.late.iter().find(urgent), None, "something urgent came late\n{list}");
    assert!(score.late.len() <= 2, "{} were late\n{list}", score.late.len());
    let moves = patient(8).to_string();
    let of_motion = |it: &&Raised| it.patient.as_ref() == Some(&moves);
    assert_eq!(score.false_alarms.iter().find(|it| !of_motion(it)), None, "\n{list}");
    assert!(score.false_alarms.len() <= 10, "{} were false\n{list}", score.false_alarms.len());
    let found: BTreeSet<&str> = score.detected.iter().map(|it| it.truth.what.as_str()).collect();
    for class in EXPECTED {
        assert!(found.contains(class), "{class} was not among what was detected\n{list}");
    }
}

/// Every kind of trouble that the day holds and that an alarm must tell of.
const EXPECTED: [&str; 24] = [
    "arrest",
    "asystole",
    "atrial-fibrillation",
    "battery-drain",
    "bleeding",
    "clock-wrong",
    "copd-exacerbation",
    "expired",
    "extreme-bradycardia",
    "extreme-tachycardia",
    "heart-block",
    "heart_rate.high",
    "hypoglycaemia",
    "leads-off",
    "network-cut",
    "no-beat",
    "opioid-overdose",
    "pneumonia",
    "pressure.low",
    "respiratory_rate.low",
    "saturation.low",
    "sepsis",
    "stall",
    "ventricular-tachycardia",
];
