//! What people say of stored readings, as far as it changes what is decided from then on.
//!
//! Scores and alarms that were given stay as they were: they happened. What stands for the
//! present follows a correction at once, and the score is made anew from it.

use model::{Amendment, Code, Correction, CorrectionId, Measure, MissingReason, PatientId, Vital};
use store::GivenCorrection;

use super::{Asked, Core, Turn, news, readings::Latest};

/// The latest value as it came, and what people said of it since, the newest last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) latest: Latest,
    pub(super) said: Vec<(CorrectionId, Result<i64, MissingReason>)>,
}

impl Core {
    /// A correction was granted: the series follow it, and whatever it touches of the present.
    pub(super) fn corrected(&mut self, turn: &mut Turn<'_>, it: &Correction, asked: &Asked) {
        let (by, known_at) = (asked.actor, asked.at);
        turn.out.corrections.push(GivenCorrection { correction: it.clone(), by, known_at });
        let facts = self.facts_of(it.device);
        let channel = facts.channels.get(&it.channel.0);
        let Some((code, vital)) = channel.and_then(|it| Some((it.code, it.vital?))) else { return };
        let mut touched: Vec<PatientId> = Vec::new();
        for (patient, run) in &mut self.patients {
            let Some(latest) = run.latest.get(&vital).copied() else { continue };
            let is_same = |it: &Original| {
                (it.latest.device, it.latest.taken_at) == (latest.device, latest.taken_at)
            };
            let original = run.originals.get(&vital).filter(|it| is_same(it)).cloned();
            let mut original = original.unwrap_or(Original { latest, said: Vec::new() });
            match &it.amendment {
                Amendment::Undo(id) => original.said.retain(|(said, _)| said != id),
                Amendment::Withdraw | Amendment::Replace { .. } => {
                    let is_in = (it.from..it.to).contains(&latest.taken_at);
                    if latest.device != it.device || !is_in {
                        continue;
                    }
                    original.said.push((it.id, amended((vital, code), it)));
                }
            }
            let value = original.said.last().map_or(original.latest.value, |(_, value)| *value);
            run.originals.insert(vital, original);
            if value == latest.value {
                continue;
            }
            run.latest.insert(vital, Latest { value, ..latest });
            touched.push(*patient);
        }
        for patient in touched {
            self.changes.numerics.insert((patient, vital));
            if news::is_input(vital) {
                self.rescore(turn, patient);
            }
        }
    }
}

/// What a value is by a correction that covers it.
fn amended((vital, kind): (Vital, Code), it: &Correction) -> Result<i64, MissingReason> {
    let Amendment::Replace { mantissa, exp10, ucum } = &it.amendment else {
        return Err(MissingReason::Withdrawn);
    };
    let measure = Measure { kind, mantissa: *mantissa, exp10: *exp10, ucum: ucum.clone() };
    vital.thousandths(&measure).map_err(|_| MissingReason::Implausible)
}
