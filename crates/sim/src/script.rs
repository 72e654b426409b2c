//! Scripts: who lies where with which devices, and what happens to whom when.
//!
//! A script is a TOML file; docs/reference/scenarios.md describes it. What is wrong in one
//! is said with its line and with what would be right.

use serde::{Deserialize, Serialize};

use crate::{
    device::Kind, fault::Fault, illness::Illness, physiology::AtRest, treatment::Treatment,
};

mod file;
mod order;
#[cfg(test)]
mod tests;

pub use order::{Order, OrderError};

/// A hospital and what happens in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// What it is called.
    pub title: String,
    /// The site's name.
    pub site: String,
    /// For how long it makes sense, in seconds.
    pub lasts_s: f64,
    /// Care units.
    pub units: Vec<Unit>,
    /// Who works there.
    pub staff: Vec<Member>,
    /// Patients, in the order of their beds.
    pub patients: Vec<Bedded>,
    /// Who takes over a care unit, and when.
    pub hand_overs: Vec<HandOver>,
    pub(crate) plans: Vec<Plan>,
}

/// A care unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: UnitKind,
}

/// The kinds of care unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum UnitKind {
    Icu,
    Ward,
    /// People at home, each with a bed of their own.
    Home,
}

/// Somebody who works in the hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// For signing in.
    pub login: String,
    /// As screens show it.
    pub name: String,
    /// `nurse`, `charge_nurse`, `physician` or `it`.
    pub role: String,
    /// The places of the care units that they are in charge of, counted from 0.
    pub charge_of: Vec<usize>,
}

/// A patient in a bed, with what is on them.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Bedded {
    /// The place of the care unit, counted from 0.
    pub unit_index: usize,
    pub room: String,
    pub bed: String,
    pub given_name: String,
    pub family_name: String,
    /// Like `1955-03-31`.
    pub born: String,
    pub sex: String,
    pub here_for: String,
    pub at_rest: AtRest,
    /// A saturation of 88 to 92 % is what is wanted (scale 2 of NEWS2).
    pub wants_88_to_92: bool,
    /// The login of the nurse.
    pub nurse: Option<String>,
    pub devices: Vec<Kind>,
    pub limits: Vec<OwnLimit>,
}

/// A limit that a doctor set for one patient.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnLimit {
    /// Its key, such as `glucose`.
    pub vital: String,
    /// Below this in the vital's unit somebody is called.
    pub low: Option<f64>,
    /// Above this in the vital's unit somebody is called.
    pub high: Option<f64>,
    /// `high` or `medium`.
    pub priority: String,
}

/// A change of who cares.
#[derive(Clone, Debug, PartialEq)]
pub struct HandOver {
    /// Second of the script.
    pub at_s: f64,
    /// The place of the care unit, counted from 0.
    pub unit_index: usize,
    /// Whose beds are handed over, by login.
    pub from: String,
    /// Who takes them, by login.
    pub to: String,
}

/// Something that will happen, with whom and which devices it befalls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) at_s: f64,
    /// It comes again after so long.
    pub(crate) every_s: Option<f64>,
    pub(crate) what: Happening,
    pub(crate) patients: Vec<usize>,
    pub(crate) devices: Vec<usize>,
    /// The alarms of which one must come.
    pub(crate) expect: Vec<String>,
    pub(crate) within_s: Option<f64>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Happening {
    Illness { illness: Illness, rises_in_s: Option<f64>, lasts_s: Option<f64>, severity: f64 },
    Fault { fault: Fault, lasts_s: Option<f64> },
    Treatment(Treatment),
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What was found, and what would be right.
    pub what: String,
}

impl Script {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        file::parse(text)
    }

    /// Every device: the place of its patient, counted from 0, and its kind.
    pub fn devices(&self) -> Vec<(usize, Kind)> {
        let of = |(index, bedded): (usize, &Bedded)| {
            bedded.devices.iter().map(move |kind| (index, *kind)).collect::<Vec<_>>()
        };
        self.patients.iter().enumerate().flat_map(of).collect()
    }

    /// The name of a patient's care unit.
    pub fn unit_of(&self, patient_index: usize) -> &str {
        self.unit(patient_index).map_or("", |unit| unit.name.as_str())
    }

    fn unit(&self, patient_index: usize) -> Option<&Unit> {
        self.units.get(self.patients.get(patient_index)?.unit_index)
    }

    pub(crate) fn is_at_home(&self, patient_index: usize) -> bool {
        self.unit(patient_index).is_some_and(|unit| unit.kind == UnitKind::Home)
    }
}

/// A span as scripts write it, such as `90s`, `25min` or `1h 30min`, in seconds.
pub fn span_s(text: &str) -> Option<f64> {
    let mut total_s = 0.0;
    let mut found = false;
    for word in text.split_whitespace() {
        let at = word.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, unit) = word.split_at_checked(at)?;
        let number: f64 = number.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0)?;
        let unit_s = match unit {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total_s += number * unit_s;
        found = true;
    }
    found.then_some(total_s)
}
