//! Ground truth: what was really the case, for whom, from when to when, and what should
//! have been said about it by when.
//!
//! Conditions are read off the true bodies, not off messages, with two levels each: from
//! the loose one on an alarm is no false alarm, and once the strict one has held for long
//! enough, while some device could see it, an alarm is expected. The levels are written
//! down here a second time on purpose, beside and around those of the product.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    device::{Kind, Sense},
    fault::{Fault, Planned},
    illness::Illness,
    instrument::Instrument,
    physiology::{Body, Rhythm},
    script::{Plan, Script},
    treatment::Treatment,
};

mod levels;

use levels::{CONDITIONS, Condition};

/// One fact about the hospital, as one line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// `illness`, `condition`, `fault` or `treatment`.
    pub kind: String,
    /// Which one, such as `sepsis` or `saturation.low`.
    pub what: String,
    /// The care unit's name.
    pub unit: String,
    /// The bed's name.
    pub bed: String,
    /// The patient's id.
    pub patient: String,
    /// The device's id, if it is about one.
    pub device: Option<String>,
    /// Any of these alarms is expected; nothing if the list is empty.
    pub expect: Vec<String>,
    /// It was put right before the alarm was due: none is asked for, one that came counts.
    pub mended: bool,
    /// How urgent the expected alarm is: `high` or `medium`.
    pub priority: Option<String>,
    /// These alarms are right while it lasts, though nobody asks for them.
    pub allow: Vec<String>,
    /// When it began, in milliseconds since 1970.
    pub from_ms: i64,
    /// By when the expected alarm must have been raised, in milliseconds since 1970.
    pub by_ms: Option<i64>,
    /// When it was over, in milliseconds since 1970; without it, it goes on.
    pub until_ms: Option<i64>,
    /// Until when an alarm about it is still right, in milliseconds since 1970.
    pub allow_until_ms: Option<i64>,
}

/// A condition must have gone for so long before it counts as over, in seconds.
const GONE_FOR_S: f64 = 60.0;
/// What a good system may take from evidence to alarm, in milliseconds.
const GRACE_MS: i64 = 30_000;

/// Who lies where.
#[derive(Clone, Debug)]
struct Place {
    unit: String,
    bed: String,
    patient: String,
    is_at_home: bool,
    watches_glucose: bool,
    /// Below this a doctor wants to be called, in percent.
    own_saturation: Option<f64>,
    /// The devices at the bed: their place in the hospital's list, and their kind.
    devices: Vec<(usize, Kind, bool)>,
    watched: Vec<Watched>,
}

/// One condition of one patient.
#[derive(Clone, Debug, Default)]
struct Watched {
    /// The open row.
    row: Option<Row>,
    strict_for_s: f64,
    gone_for_s: f64,
}

/// Writes down what is true.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    places: Vec<Place>,
    /// Faults that hold, with the device's place.
    faults: Vec<(usize, Row)>,
    done: Vec<Row>,
    /// The messages of each second are thinned so much.
    every_nth: f64,
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn ms(seconds: f64) -> i64 {
    // Whole milliseconds; scripts are years short of the limits of the type.
    (seconds * 1_000.0).round() as i64
}

impl Recorder {
    pub(crate) fn new(script: &Script, instruments: &[Instrument], every_nth: u64) -> Self {
        let place = |(index, bedded): (usize, &crate::script::Bedded)| {
            let at_bed = instruments
                .iter()
                .enumerate()
                .filter(|(_, it)| it.enrolled.bed_index == index)
                .map(|(device, it)| (device, it.enrolled.kind, it.sends_waves))
                .collect();
            Place {
                unit: script.unit_of(index).to_owned(),
                bed: bedded.bed.clone(),
                patient: String::new(),
                is_at_home: script.is_at_home(index),
                own_saturation: bedded
                    .limits
                    .iter()
                    .find(|limit| limit.vital == "saturation")
                    .and_then(|limit| limit.low),
                watches_glucose: bedded.limits.iter().any(|limit| limit.vital == "glucose"),
                devices: at_bed,
                watched: vec![Watched::default(); CONDITIONS.len()],
            }
        };
        let places = script.patients.iter().enumerate().map(place).collect();
        Self { places, faults: Vec::new(), done: Vec::new(), every_nth: every_nth.max(1) as f64 }
    }

    pub(crate) fn name_patients(&mut self, names: &[String]) {
        for (place, name) in self.places.iter_mut().zip(names) {
            place.patient.clone_from(name);
        }
    }

    fn row(&self, patient_index: usize, kind: &str, what: &str, at: Timestamp) -> Row {
        let place = self.places.get(patient_index);
        Row {
            kind: kind.to_owned(),
            what: what.to_owned(),
            unit: place.map(|it| it.unit.clone()).unwrap_or_default(),
            bed: place.map(|it| it.bed.clone()).unwrap_or_default(),
            patient: place.map(|it| it.patient.clone()).unwrap_or_default(),
            from_ms: at.unix_millis(),
            ..Row::default()
        }
    }

    /// An illness began.
    pub(crate) fn onset(&mut self, index: usize, illness: Illness, plan: &Plan, at: Timestamp) {
        let mut row = self.row(index, "illness", illness.word(), at);
        row.expect.clone_from(&plan.expect);
        row.by_ms = plan.within_s.map(|within_s| at.unix_millis() + ms(within_s));
        self.done.push(row);
    }

    /// Somebody did something.
    pub(crate) fn treated(&mut self, index: usize, treatment: Treatment, at: Timestamp) {
        let row = self.row(index, "treatment", treatment.word(), at);
        self.done.push(row);
    }

    /// Something is wrong with a device from now on.
    pub(crate) fn fault(&mut self, instrument: &Instrument, planned: &Planned, at: Timestamp) {
        let index = instrument.enrolled.bed_index;
        let mut row = self.row(index, "fault", planned.fault.word(), at);
        row.device = Some(instrument.enrolled.id.to_string());
        row.allow = words(levels::allowed(&planned.fault));
        let lasts_s = planned.until_s - planned.from_s;
        if let Some((expect, within_s)) = levels::expected(instrument, &planned.fault, lasts_s) {
            row.expect = words(expect);
            row.priority = Some("medium".to_owned());
            row.by_ms = Some(row.from_ms + ms(within_s));
        }
        if lasts_s.is_finite() {
            row.until_ms = Some(row.from_ms + ms(lasts_s));
            row.allow_until_ms = row.until_ms.map(|until| until + levels::LINGERS_MS);
        }
        self.faults.push((planned.device_index, row));
    }

    /// Somebody saw to a device.
    pub(crate) fn mended(&mut self, instrument: &Instrument, at: Timestamp) {
        let device = instrument.enrolled.id.to_string();
        let now = at.unix_millis();
        for (_, row) in &mut self.faults {
            let is_open = row.until_ms.is_none_or(|until| until > now);
            if row.device.as_deref() == Some(&device) && is_open {
                row.mended = row.by_ms.is_some_and(|by| by > now);
                (row.until_ms, row.allow_until_ms) = (Some(now), Some(now + levels::LINGERS_MS));
            }
        }
    }

    /// Looks at a body, once a second.
    pub(crate) fn observe(
        &mut self,
        index: usize,
        body: &Body,
        at: Timestamp,
        faults: &[Planned],
        second: f64,
    ) {
        let blank = self.row(index, "condition", "", at);
        let now = at.unix_millis();
        let every_nth = self.every_nth;
        let Some(place) = self.places.get_mut(index) else { return };
        let watched = std::mem::take(&mut place.watched);
        let mut kept = Vec::with_capacity(watched.len());
        for (mut one, condition) in watched.into_iter().zip(CONDITIONS) {
            let is_loose = (condition.loose)(body);
            if is_loose {
                one.gone_for_s = 0.0;
                let row = one.row.get_or_insert_with(|| Row {
                    what: condition.what.to_owned(),
                    allow: words(condition.keys),
                    ..blank.clone()
                });
                let looks = place.looks_every_s(condition, faults, second, every_nth);
                let is_strict = condition.strict.is_some_and(|strict| strict(body))
                    && place.is_beyond_own(condition, body);
                one.strict_for_s =
                    if is_strict && looks.is_some() { one.strict_for_s + 1.0 } else { 0.0 };
                if let Some(looks) = looks
                    && row.by_ms.is_none()
                    && one.strict_for_s >= condition.holds_s + looks
                {
                    row.expect = words(condition.keys);
                    row.priority = Some(condition.priority.to_owned());
                    row.by_ms = Some(now + GRACE_MS + ms(looks));
                }
            } else if let Some(mut row) = one.row.take() {
                one.strict_for_s = 0.0;
                one.gone_for_s += 1.0;
                if one.gone_for_s < GONE_FOR_S {
                    one.row = Some(row);
                } else {
                    let over = now - ms(GONE_FOR_S);
                    row.until_ms = Some(over);
                    row.allow_until_ms = Some(over + levels::LINGERS_MS);
                    self.done.push(row);
                }
            }
            kept.push(one);
        }
        place.watched = kept;
    }

    /// What is complete.
    pub(crate) fn take(&mut self, at: Timestamp) -> Vec<Row> {
        let is_due = |row: &Row| row.by_ms.is_none_or(|by| by <= at.unix_millis());
        let (complete, open) = std::mem::take(&mut self.done).into_iter().partition(is_due);
        self.done = open;
        complete
    }

    /// Everything that is left.
    pub(crate) fn close(&mut self, at: Timestamp) -> Vec<Row> {
        let mut rows = std::mem::take(&mut self.done);
        let now = at.unix_millis();
        for (_, mut row) in std::mem::take(&mut self.faults) {
            row.until_ms = row.until_ms.filter(|until| *until <= now);
            row.allow_until_ms = row.until_ms.and(row.allow_until_ms);
            rows.push(row);
        }
        for place in &mut self.places {
            rows.extend(place.watched.iter_mut().filter_map(|one| one.row.take()));
        }
        // What was not yet due when everything ended is not asked for.
        for row in &mut rows {
            if !row.mended && row.by_ms.is_some_and(|by| by > now) {
                row.by_ms = None;
                row.allow.append(&mut row.expect);
            }
        }
        rows
    }
}

impl Place {
    /// Whether a body is also beyond the limit that a doctor set for it, without a doubt.
    fn is_beyond_own(&self, condition: &Condition, body: &Body) -> bool {
        let own = self.own_saturation.filter(|_| condition.what == "saturation.low");
        own.is_none_or(|low| body.saturation_percent < low - 2.5)
    }

    /// Seconds between two looks of the best device that can see this now.
    fn looks_every_s(
        &self,
        condition: &Condition,
        faults: &[Planned],
        second: f64,
        every_nth: f64,
    ) -> Option<f64> {
        if condition.sense == Sense::Glucose && !self.watches_glucose {
            return None;
        }
        let sees = |&(device, kind, traces): &(usize, Kind, bool)| {
            let blinded = faults.iter().any(|planned| {
                planned.device_index == device
                    && planned.holds(second)
                    && levels::blinds(&planned.fault, condition.sense)
            });
            if blinded || (condition.sense == Sense::Beats && !traces) {
                return None;
            }
            let looks = kind.looks_every_s(condition.sense, self.is_at_home)?;
            Some(if looks == 1 { every_nth } else { f64::from(looks) })
        };
        self.devices.iter().filter_map(sees).min_by(f64::total_cmp)
    }
}

/// Whether the heart gives no beat at all.
fn stands_still(body: &Body) -> bool {
    matches!(body.rhythm, Rhythm::Asystole | Rhythm::VentricularFibrillation)
}

/// Whether a fault keeps a device from being heard.
pub(crate) fn deafens(fault: &Fault) -> bool {
    fault.is_deaf()
}
