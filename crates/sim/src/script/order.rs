//! One thing that shall happen, as a script or a person at a screen words it.

use serde::Deserialize;

use super::{Happening, Plan, Script, span_s};
use crate::{device::Kind, fault::Fault, illness::Illness, treatment::Treatment};

/// `[[event]]` of a script, or the same asked for while it runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "docs/reference/scenarios.md describes each")]
pub struct Order {
    pub at: Option<String>,
    pub every: Option<String>,
    pub unit: Option<String>,
    pub room: Option<String>,
    pub bed: Option<String>,
    pub device: Option<String>,
    pub illness: Option<String>,
    pub fault: Option<String>,
    pub treatment: Option<String>,
    pub rises_in: Option<String>,
    pub lasts: Option<String>,
    /// How bad, as a factor: 1 is as usual.
    pub severity: Option<f64>,
    pub ahead: Option<String>,
    /// Charge of a battery, in percent.
    pub percent: Option<f64>,
    /// What is gained or lost in an hour: seconds, percent, or units of the sensor.
    pub per_hour: Option<f64>,
    pub expect: Vec<String>,
    pub within: Option<String>,
}

/// What is wrong with an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OrderError(pub String);

fn refuse<T>(what: impl Into<String>) -> Result<T, OrderError> {
    Err(OrderError(what.into()))
}

fn span(key: &str, text: Option<&String>) -> Result<Option<f64>, OrderError> {
    let Some(text) = text else { return Ok(None) };
    match span_s(text) {
        Some(seconds) => Ok(Some(seconds)),
        None => refuse(format!(
            "`{key}` is `{text}`; write a span such as `90s`, `25min` or `1h 30min`"
        )),
    }
}

fn one_of<T: Copy>(
    key: &str,
    word: &str,
    all: &[T],
    say: fn(T) -> &'static str,
) -> Result<T, OrderError> {
    if let Some(found) = all.iter().find(|it| say(**it) == word) {
        return Ok(*found);
    }
    let words: Vec<&str> = all.iter().map(|it| say(*it)).collect();
    refuse(format!("`{key}` is `{word}`; use one of: {}", words.join(", ")))
}

impl Script {
    /// Finds out whom an order befalls, and what it does.
    pub(crate) fn plan(&self, order: &Order) -> Result<Plan, OrderError> {
        let what = order.happening()?;
        let patients = self.aim(order)?;
        let devices = match &what {
            Happening::Fault { fault, .. } => self.aim_at_devices(order, fault, &patients)?,
            Happening::Illness { .. } | Happening::Treatment(_) if order.device.is_some() => {
                return refuse("`device` is for a fault; take it out, or say `fault`");
            }
            Happening::Illness { .. } | Happening::Treatment(_) => Vec::new(),
        };
        let every_s = span("every", order.every.as_ref())?;
        if every_s.is_some_and(|every_s| every_s < 1.0) {
            return refuse("`every` is at least `1s`");
        }
        let within_s = span("within", order.within.as_ref())?;
        if order.expect.is_empty() != within_s.is_none() {
            return refuse("`expect` and `within` belong together; say both, or none");
        }
        let at_s = span("at", order.at.as_ref())?.unwrap_or(0.0);
        let expect = order.expect.clone();
        Ok(Plan { at_s, every_s, what, patients, devices, expect, within_s })
    }

    fn aim(&self, order: &Order) -> Result<Vec<usize>, OrderError> {
        if let Some(unit) = &order.unit
            && !self.units.iter().any(|it| it.name == *unit)
        {
            let names: Vec<&str> = self.units.iter().map(|it| it.name.as_str()).collect();
            return refuse(format!("`unit` is `{unit}`; this script has: {}", names.join(", ")));
        }
        let fits = |index: &usize| {
            let Some(bedded) = self.patients.get(*index) else { return false };
            order.unit.as_ref().is_none_or(|unit| self.unit_of(*index) == unit)
                && order.room.as_ref().is_none_or(|room| bedded.room == *room)
                && order.bed.as_ref().is_none_or(|bed| bedded.bed == *bed)
        };
        if order.unit.is_none() && order.room.is_none() && order.bed.is_none() {
            return refuse("nobody is named; say `bed`, `room` or `unit`");
        }
        let found: Vec<usize> = (0..self.patients.len()).filter(fits).collect();
        match (found.as_slice(), &order.bed, &order.room) {
            ([], Some(bed), _) => {
                let beds: Vec<&str> = self.patients.iter().map(|it| it.bed.as_str()).collect();
                refuse(format!(
                    "there is no bed `{bed}` there; this script has: {}",
                    beds.join(", ")
                ))
            }
            ([], None, Some(room)) => refuse(format!(
                "there is no room `{room}` there; rooms are named as in `room` of a patient"
            )),
            ([], None, None) => refuse("nobody lies there; name another `unit`"),
            ([first, second, ..], Some(bed), _) => {
                let (one, other) = (self.unit_of(*first), self.unit_of(*second));
                refuse(format!("there is a bed `{bed}` in {one} and in {other}; say `unit` too"))
            }
            _ => Ok(found),
        }
    }

    fn aim_at_devices(
        &self,
        order: &Order,
        fault: &Fault,
        patients: &[usize],
    ) -> Result<Vec<usize>, OrderError> {
        let kind = match &order.device {
            Some(profile) => Some(one_of("device", profile, &Kind::ALL, Kind::profile)?),
            None => None,
        };
        let fits = |&(_, (patient, of)): &(usize, (usize, Kind))| {
            patients.contains(&patient)
                && kind.is_none_or(|kind| kind == of)
                && (*fault != Fault::LeadsOff || of.has_electrodes())
        };
        let devices = self.devices().into_iter().enumerate();
        let found: Vec<usize> = devices.filter(fits).map(|(index, _)| index).collect();
        if found.is_empty() {
            return refuse(format!(
                "no device there can have `{fault}`; see `devices` of the patient"
            ));
        }
        Ok(found)
    }
}

impl Order {
    fn happening(&self) -> Result<Happening, OrderError> {
        let lasts_s = span("lasts", self.lasts.as_ref())?;
        match (&self.illness, &self.fault, &self.treatment) {
            (Some(illness), None, None) => {
                let severity = self.severity.unwrap_or(1.0);
                if !(0.05..=3.0).contains(&severity) {
                    return refuse(format!(
                        "`severity` is {severity}; 0.05 to 3 is possible, 1 is usual"
                    ));
                }
                Ok(Happening::Illness {
                    illness: one_of("illness", illness, &Illness::ALL, Illness::word)?,
                    rises_in_s: span("rises_in", self.rises_in.as_ref())?,
                    lasts_s,
                    severity,
                })
            }
            (None, Some(fault), None) => {
                Ok(Happening::Fault { fault: self.fault(fault)?, lasts_s })
            }
            (None, None, Some(word)) => Ok(Happening::Treatment(one_of(
                "treatment",
                word,
                &Treatment::ALL,
                Treatment::word,
            )?)),
            _ => refuse("say one of `illness`, `fault` or `treatment`, and only one"),
        }
    }

    fn fault(&self, word: &str) -> Result<Fault, OrderError> {
        let per_hour = || match self.per_hour {
            Some(per_hour) if per_hour != 0.0 => Ok(per_hour),
            _ => {
                refuse(format!("`{word}` needs `per_hour`, how much it gains or loses in an hour"))
            }
        };
        Ok(match word {
            "leads-off" => Fault::LeadsOff,
            "motion" => Fault::Motion,
            "network-cut" => Fault::NetworkCut,
            "stall" => Fault::Stall,
            "expired" => Fault::Expired,
            "repeats" => Fault::Repeats,
            "garbage" => Fault::Garbage,
            "half-written" => Fault::HalfWritten,
            "clock-wrong" => match span("ahead", self.ahead.as_ref())? {
                Some(ahead_s) => Fault::ClockWrong { ahead_s },
                None => return refuse("`clock-wrong` needs `ahead`, such as `10min`"),
            },
            "clock-drift" => Fault::ClockDrift { gains_s_per_hour: per_hour()? },
            "sensor-drift" => Fault::SensorDrift { gains_per_hour_units: per_hour()? },
            "battery" => match self.percent {
                Some(percent) if (0.0..=100.0).contains(&percent) => Fault::Battery { percent },
                _ => return refuse("`battery` needs `percent`, 0 to 100"),
            },
            "battery-drain" => Fault::BatteryDrain { percent_per_hour: per_hour()?.abs() },
            other => {
                return refuse(format!(
                    "`fault` is `{other}`; use one of: {}",
                    Fault::WORDS.join(", ")
                ));
            }
        })
    }
}
