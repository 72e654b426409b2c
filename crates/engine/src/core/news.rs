//! The early warning score of each patient: scored again whenever an input changes or ages.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use care::{
    kind::{AlarmKind, Facts},
    news2::{self, AgeLimits, Inputs, Known, Origin, PartState, Score, Trigger},
};
use model::{
    Charting, Consciousness, MissingReason, Oxygen, PatientId, SpO2Scale, Timestamp, Vital,
};

use super::{
    About, AlarmKey, Core, Cut, Turn, alarms::Evidence, corrections::Original, deadlines::Timer,
    readings::Latest,
};
use crate::{
    record::{Decided, Decision, Scored},
    view::{ChartingEntry, News2Input, Trend},
};

/// What is remembered of a patient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PatientRun {
    /// The latest of each vital.
    pub(super) latest: BTreeMap<Vital, Latest>,
    /// Those of them that a person corrected, as they came.
    pub(super) originals: BTreeMap<Vital, Original>,
    /// What people charted last, with the instant of the observation.
    pub(super) consciousness: Option<(Consciousness, Timestamp)>,
    pub(super) oxygen: Option<(Oxygen, Timestamp)>,
    /// Thousandths per minute.
    pub(super) breaths: Option<(i64, Timestamp)>,
    /// The newest last.
    pub(super) charting: VecDeque<ChartingEntry>,
    /// The score as it was decided last.
    pub(super) scored: Option<Scored>,
    /// The newest complete total, and how it compared with the one before.
    pub(super) last_total: Option<(u8, Timestamp)>,
    pub(super) trend: Option<Trend>,
}

/// Whether the score asks for this vital.
pub(super) const fn is_input(vital: Vital) -> bool {
    match vital {
        Vital::HeartRate
        | Vital::PulseRate
        | Vital::RespiratoryRate
        | Vital::Saturation
        | Vital::SystolicPressure
        | Vital::Temperature => true,
        Vital::BatteryLevel | Vital::DiastolicPressure | Vital::Glucose | Vital::MeanPressure => {
            false
        }
    }
}

impl PatientRun {
    fn known(&self, vital: Vital) -> Known<i64> {
        match self.latest.get(&vital).filter(|latest| latest.decides) {
            Some(Latest { value: Ok(value), taken_at, .. }) => {
                Known::Value { value: *value, taken_at: *taken_at, origin: Origin::Device }
            }
            Some(Latest { value: Err(reason), .. }) => Known::Missing(*reason),
            None => Known::NOT_MEASURED,
        }
    }

    fn inputs(&self, scale: SpO2Scale) -> Inputs {
        let charted = |(value, taken_at)| Known::Value { value, taken_at, origin: Origin::Charted };
        let breaths = self.breaths.map_or(Known::NOT_MEASURED, charted);
        Inputs {
            scale,
            respiratory_rate: newer(self.known(Vital::RespiratoryRate), breaths),
            saturation: self.known(Vital::Saturation),
            oxygen: self.oxygen.map_or(Known::NOT_MEASURED, |(value, taken_at)| Known::Value {
                value,
                taken_at,
                origin: Origin::Charted,
            }),
            systolic_pressure: self.known(Vital::SystolicPressure),
            pulse: newer(self.known(Vital::HeartRate), self.known(Vital::PulseRate)),
            consciousness: self.consciousness.map_or(Known::NOT_MEASURED, |(value, taken_at)| {
                Known::Value { value, taken_at, origin: Origin::Charted }
            }),
            temperature: self.known(Vital::Temperature),
        }
    }

    /// Keeps what was charted, each observation only if it is not older than what is known.
    pub(super) fn chart(&mut self, charting: &Charting) {
        fn keep<T>(slot: &mut Option<(T, Timestamp)>, value: Option<T>, at: Timestamp) {
            if let Some(value) = value
                && slot.as_ref().is_none_or(|(_, before)| at >= *before)
            {
                *slot = Some((value, at));
            }
        }
        let at = charting.observed_at;
        keep(&mut self.consciousness, charting.consciousness, at);
        keep(&mut self.oxygen, charting.oxygen, at);
        keep(&mut self.breaths, charting.breaths_per_min.map(|it| i64::from(it) * 1_000), at);
    }
}

/// Of two sources of one input the newer value; the first if there is none or both are as new.
fn newer(first: Known<i64>, second: Known<i64>) -> Known<i64> {
    match (&first, &second) {
        (Known::Value { taken_at: a, .. }, Known::Value { taken_at: b, .. }) if b > a => second,
        (Known::Missing(_), Known::Value { .. }) => second,
        (Known::Missing(MissingReason::NotMeasured), Known::Missing(_)) => second,
        (_, _) => first,
    }
}

impl Core {
    /// The present score of a patient, with its inputs.
    pub(super) fn score_of(&self, patient: PatientId, now: Timestamp) -> (Inputs, Score) {
        let scale = self
            .directory
            .patients
            .get(&patient)
            .map_or_else(SpO2Scale::default, |it| it.spo2_scale);
        let run = self.patients.get(&patient);
        let inputs = run.map_or_else(|| Inputs::nothing(scale), |run| run.inputs(scale));
        let score = news2::score(&inputs, &AgeLimits::default(), now);
        (inputs, score)
    }

    /// Scores a patient again, and weighs the score.
    pub(super) fn rescore(&mut self, turn: &mut Turn<'_>, patient: PatientId) {
        if self.is_cut(Cut::Deciders) {
            return;
        }
        let now = turn.now;
        let (inputs, score) = self.score_of(patient, now);
        if let Some(at) = inputs.next_deadline(&AgeLimits::default(), now) {
            self.timers.by(Timer::Aging(patient), at);
        }
        let total = score.total.map(|total| total.points);
        let missing: Vec<News2Input> = score
            .parts
            .iter()
            .filter(|part| part.points().is_none())
            .map(|part| input_of(part.input))
            .collect();
        let single_red = score.single_red();
        let scored = Scored { patient, at: now, total, single_red, missing };
        let before = self.patients.get(&patient).and_then(|run| run.scored.as_ref());
        let is_news = before.is_none_or(|before| {
            (before.total, before.single_red, &before.missing)
                != (scored.total, scored.single_red, &scored.missing)
        });
        if is_news {
            self.changes.scores.insert(patient);
            if turn.is_live() {
                self.decide(turn, Decision::Scored(scored));
            }
        }
        // The lesser alarms first, so that the greatest finds them and takes their place.
        for trigger in [Trigger::SingleRed, Trigger::Medium, Trigger::High] {
            let key = AlarmKey::new(About::Patient(patient), AlarmKind::Score(trigger));
            let facts = facts_of(&score, trigger);
            let known = Evidence::known(score.weigh(trigger), now, None);
            self.weigh(turn, key, Evidence { facts, ..known });
        }
    }

    /// An input may have become too old.
    pub(super) fn aging_due(&mut self, turn: &mut Turn<'_>, patient: PatientId, at: Timestamp) {
        let before = at.before(std::time::Duration::from_nanos(1));
        let (inputs, _) = self.score_of(patient, before);
        // The timer may be early, if the input was renewed since.
        match inputs.next_deadline(&AgeLimits::default(), before) {
            Some(due) if due <= at => {
                turn.acted = true;
                self.rescore(turn, patient);
            }
            Some(due) => self.timers.by(Timer::Aging(patient), due),
            None => {}
        }
    }

    /// Folds a decided score into the patient.
    pub(super) fn scored(&mut self, turn: &mut Turn<'_>, decided: &Decided, scored: &Scored) {
        self.score_row(turn, decided, scored);
        let run = self.patients.entry(scored.patient).or_default();
        if let Some(total) = scored.total {
            run.trend = run.last_total.map(|(before, _)| match total.cmp(&before) {
                std::cmp::Ordering::Greater => Trend::Up,
                std::cmp::Ordering::Less => Trend::Down,
                std::cmp::Ordering::Equal => run.trend.unwrap_or(Trend::Same),
            });
            run.last_total = Some((total, scored.at));
        }
        run.scored = Some(scored.clone());
        self.changes.scores.insert(scored.patient);
    }

    /// Keeps an act of charting, and scores again.
    pub(super) fn charted(&mut self, turn: &mut Turn<'_>, entry: ChartingEntry) {
        let charting = Arc::clone(&entry.charting);
        let run = self.patients.entry(charting.patient).or_default();
        run.charting.push_back(entry);
        if run.charting.len() > crate::limits::CHARTINGS_KEPT_MAX {
            run.charting.pop_front();
        }
        run.chart(&charting);
        self.changes.scores.insert(charting.patient);
        self.rescore(turn, charting.patient);
    }
}

fn facts_of(score: &Score, trigger: Trigger) -> Facts {
    match (trigger, score.total) {
        (Trigger::SingleRed, _) => {
            let red = score.parts.iter().max_by_key(|part| part.points());
            red.map_or(Facts::Bare, |part| Facts::Red(part.input))
        }
        (Trigger::Medium | Trigger::High, Some(total)) => Facts::Total { points: total.points },
        (Trigger::Medium | Trigger::High, None) => Facts::Bare,
    }
}

/// The view's word for an input.
pub(super) const fn input_of(input: news2::Input) -> News2Input {
    match input {
        news2::Input::RespiratoryRate => News2Input::RespiratoryRate,
        news2::Input::Saturation => News2Input::Saturation,
        news2::Input::Oxygen => News2Input::Oxygen,
        news2::Input::SystolicPressure => News2Input::SystolicPressure,
        news2::Input::Pulse => News2Input::Pulse,
        news2::Input::Consciousness => News2Input::Consciousness,
        news2::Input::Temperature => News2Input::Temperature,
    }
}

/// Whether a row of the chart was charted by a person, if it counts.
pub(super) const fn is_charted(state: &PartState) -> bool {
    matches!(
        state,
        PartState::Scored { origin: Origin::Charted, .. }
            | PartState::Aged { origin: Origin::Charted, .. }
    )
}
