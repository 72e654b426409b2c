//! Staff as they are seen from outside: they look at the alarms of their care unit, come
//! late or not at all, answer, treat, chart, and hand over.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use model::{Consciousness, Timestamp};
use serde_json::{Value, json};
use sim::{HandOver, Remedy, Script, Shift};
use store::Clock;
use tokio::sync::{mpsc, watch};

use super::{
    alarms, later,
    life::{Asked, Deed, Look},
};
use crate::{demo::stage::Stage, rest::Rest};

/// Between two looks at the alarms.
const LOOKS_EVERY: Duration = Duration::from_secs(4);
/// Between two rounds of charting.
const CHARTS_EVERY: Duration = Duration::from_secs(3_600);
/// For how long an answered alarm is quiet, in seconds.
const QUIET_FOR_S: u32 = 300;
/// Share of alarms that nobody answers the first time.
const MISSES_FRACTION: f64 = 0.15;
/// Who missed one hears it again after this.
const HEARS_AGAIN: Duration = Duration::from_secs(180);

/// Somebody on their way to a bed.
struct OnTheWay {
    at: Timestamp,
    unit_index: usize,
    alarm: String,
    patient: Option<String>,
    device: Option<String>,
    remedies: Vec<Remedy>,
}

/// Everybody who works in the hospital.
pub(super) struct Staff {
    clock: Clock,
    script: Script,
    staged: Stage,
    started_at: Timestamp,
    shift: Shift,
    /// Who is in charge of each care unit, signed in.
    charges: Vec<Rest>,
    on_the_way: Vec<OnTheWay>,
    /// When each alarm may be heard, or heard again.
    heard: BTreeMap<String, Timestamp>,
    hand_overs: Vec<HandOver>,
    charts_at: Timestamp,
}

impl Staff {
    /// Signs in whoever is in charge of each care unit.
    pub(super) async fn hire(
        admin: &Rest,
        staged: &Stage,
        asked: &Asked,
        started_at: Timestamp,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let mut charges = Vec::new();
        for index in 0..staged.care_units.len() {
            let in_charge = |member: &&sim::Member| member.charge_of.contains(&index);
            let member = asked.script.staff.iter().find(in_charge);
            let login = &member.context("nobody is in charge of a care unit")?.login;
            charges.push(admin.sign_in_by_click(login).await?);
        }
        Ok(Self {
            clock: clock.clone(),
            script: asked.script.clone(),
            staged: staged.clone(),
            started_at,
            shift: Shift::new(asked.seed, MISSES_FRACTION),
            charges,
            on_the_way: Vec::new(),
            heard: BTreeMap::new(),
            hand_overs: asked.script.hand_overs.clone(),
            charts_at: started_at,
        })
    }

    /// Works until the hospital closes.
    pub(super) async fn work(
        mut self,
        looks: watch::Receiver<Vec<Look>>,
        bedside: mpsc::Sender<Deed>,
    ) {
        loop {
            let now = self.clock.now();
            // A server that refuses or is away for a while is asked again at the next look.
            if let Err(error) = self.round(now, &looks, &bedside).await {
                tracing::debug!(%error, "staff_round");
            }
            if bedside.is_closed() {
                return;
            }
            self.clock.sleep_until(now.after(LOOKS_EVERY)).await;
        }
    }

    async fn round(
        &mut self,
        now: Timestamp,
        looks: &watch::Receiver<Vec<Look>>,
        bedside: &mpsc::Sender<Deed>,
    ) -> anyhow::Result<()> {
        if now >= self.charts_at {
            self.charts_at = now.after(CHARTS_EVERY);
            let looks = looks.borrow().clone();
            self.chart(&looks).await?;
        }
        self.hand_over(now).await?;
        for unit_index in 0..self.staged.care_units.len() {
            self.listen(unit_index, now).await?;
        }
        let (due, later): (Vec<OnTheWay>, Vec<OnTheWay>) =
            std::mem::take(&mut self.on_the_way).into_iter().partition(|it| it.at <= now);
        self.on_the_way = later;
        for coming in due {
            self.come(coming, bedside).await?;
        }
        Ok(())
    }

    /// Hears what sounds in a care unit.
    async fn listen(&mut self, unit_index: usize, now: Timestamp) -> anyhow::Result<()> {
        let place = self.charges.get(unit_index).zip(self.staged.care_units.get(unit_index));
        let Some((charge, care_unit)) = place else { return Ok(()) };
        for item in alarms::standing(charge, care_unit).await? {
            let Some(raised) = alarms::raised(&item) else { continue };
            let word = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
            let alarm = word("id").to_owned();
            let is_waiting = self.heard.get(&alarm).is_some_and(|until| now < *until);
            if word("state") != "active" || is_waiting {
                continue;
            }
            self.heard.insert(alarm.clone(), now.after(HEARS_AGAIN));
            if let Some(coming) = self.shift.hear(&raised.key, &raised.priority) {
                self.on_the_way.push(OnTheWay {
                    at: now.after(coming.after),
                    unit_index,
                    alarm,
                    patient: raised.patient,
                    device: raised.device,
                    remedies: coming.remedies,
                });
            }
        }
        Ok(())
    }

    /// Somebody arrives: answers, and does what they can.
    async fn come(&self, it: OnTheWay, bedside: &mpsc::Sender<Deed>) -> anyhow::Result<()> {
        for remedy in it.remedies {
            let (patient, device) = (it.patient.clone(), it.device.clone());
            // The hospital closes when it closes.
            let _ = bedside.send(Deed { patient, device, remedy }).await;
        }
        let Some(charge) = self.charges.get(it.unit_index) else { return Ok(()) };
        let path = format!("/api/v1/alarms/{}/acknowledge", it.alarm);
        charge.post(&path, &json!({ "quiet_for_s": QUIET_FOR_S })).await?;
        Ok(())
    }

    /// Writes down how awake everybody on a ward is, and what they breathe.
    async fn chart(&self, looks: &[Look]) -> anyhow::Result<()> {
        let patients = self.script.patients.iter().zip(&self.staged.patients).zip(looks);
        for ((bedded, patient), look) in patients {
            let is_home = self
                .script
                .units
                .get(bedded.unit_index)
                .is_some_and(|unit| unit.kind == sim::UnitKind::Home);
            let Some(charge) = self.charges.get(bedded.unit_index).filter(|_| !is_home) else {
                continue;
            };
            let oxygen = if look.on_oxygen {
                json!({ "kind": "added", "flow_l_per_min": 4, "by": "nasal_cannula" })
            } else {
                json!({ "kind": "air" })
            };
            let chart = json!({ "consciousness": word_of(look.consciousness), "oxygen": oxygen });
            charge.post(&format!("/api/v1/patients/{patient}/chart"), &chart).await?;
        }
        Ok(())
    }

    /// Gives the beds of whoever goes to whoever comes.
    async fn hand_over(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let started_at = self.started_at;
        let (due, later): (Vec<HandOver>, Vec<HandOver>) = std::mem::take(&mut self.hand_overs)
            .into_iter()
            .partition(|it| self::later(started_at, it.at_s) <= now);
        self.hand_overs = later;
        for it in due {
            let Some(charge) = self.charges.get(it.unit_index) else { continue };
            let to = self.staged.staff.get(&it.to);
            for (bedded, bed) in self.script.patients.iter_mut().zip(&self.staged.beds) {
                if bedded.unit_index == it.unit_index && bedded.nurse.as_ref() == Some(&it.from) {
                    let post = format!("/api/v1/posts/bed/{bed}");
                    charge.post(&post, &json!({ "staff": to })).await?;
                    bedded.nurse = Some(it.to.clone());
                }
            }
        }
        Ok(())
    }
}

const fn word_of(consciousness: Consciousness) -> &'static str {
    match consciousness {
        Consciousness::Alert => "alert",
        Consciousness::NewConfusion => "new_confusion",
        Consciousness::Voice => "voice",
        Consciousness::Pain => "pain",
        Consciousness::Unresponsive => "unresponsive",
    }
}
