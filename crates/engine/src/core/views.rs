//! What screens are told, made from the state when it is asked for or has changed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use care::{
    alarm::{End, EndedBy, Phase},
    kind::AlarmKind,
    limit,
    news2::AgeLimits,
};
use model::{
    AlarmId, BedId, CareUnitId, ClockUsed, DeviceId, LimitSet, PatientId, Priority, Timestamp,
    Vital,
};

use super::{
    About, AlarmKey, Core, Out,
    alarms::{Open, Slot},
    readings::Latest,
};
use crate::{
    record::AlarmChanged,
    view::{
        Alarm, AlarmEnd, AlarmPhase, AlarmScope, BedNews2, BedNumeric, Board, BoardBed, Counts,
        Cursor, Delta, Direction, Freshness, LimitInForce, Numeric, PatientPage, WaveChannel,
        text_of,
    },
};

mod score;

/// The vitals of a bed's sector, in its order.
const BOARD_VITALS: [Vital; 6] = [
    Vital::HeartRate,
    Vital::PulseRate,
    Vital::Saturation,
    Vital::RespiratoryRate,
    Vital::SystolicPressure,
    Vital::DiastolicPressure,
];
/// The vitals of a patient's page, in its order.
const PAGE_VITALS: [Vital; 9] = [
    Vital::HeartRate,
    Vital::PulseRate,
    Vital::Saturation,
    Vital::RespiratoryRate,
    Vital::SystolicPressure,
    Vital::DiastolicPressure,
    Vital::MeanPressure,
    Vital::Temperature,
    Vital::Glucose,
];
/// Values that come faster than this are not called ageing between two of them.
const LIVE_FOR_MIN: Duration = Duration::from_secs(10);
/// A value whose device gives no cadence is ageing after this.
const LIVE_FOR_UNKNOWN: Duration = Duration::from_secs(60);

/// How an ended alarm ended, for screens.
pub(super) fn end_of(end: End, changed: &AlarmChanged) -> AlarmEnd {
    match end {
        End::ConditionOver => AlarmEnd::ConditionOver,
        End::Superseded(by) => AlarmEnd::Superseded(by),
        End::ByPerson(by, reason) => {
            let by = match by {
                EndedBy::Staff(staff) => Some(staff),
                EndedBy::Entry => None,
            };
            let words = changed.words.clone().unwrap_or_default();
            AlarmEnd::ByPerson { by, reason, words }
        }
    }
}

/// What is told, by care unit.
type Deltas = BTreeMap<CareUnitId, Delta>;

impl Core {
    /// All beds of a care unit.
    pub fn board(&self, care_unit: CareUnitId, cursor: Cursor, now: Timestamp) -> Option<Board> {
        let unit = self.directory.care_units.get(&care_unit)?;
        let org = self.directory.org_of_site(unit.site)?;
        let beds = self.directory.beds_of(care_unit);
        let beds: Vec<BoardBed> =
            beds.iter().filter_map(|bed| self.board_bed(bed.id, now)).collect();
        let standing = self.alarms_of(AlarmScope::CareUnit(care_unit));
        let mut counts = Counts::default();
        for alarm in &standing {
            match alarm.priority {
                Priority::High => counts.high += 1,
                Priority::Medium => counts.medium += 1,
                Priority::Low => counts.low += 1,
            }
        }
        Some(Board {
            org,
            site: unit.site,
            care_unit,
            name: unit.name.clone(),
            beds,
            charge: self.directory.charge_of(care_unit),
            alarms: standing.into_iter().filter(|alarm| alarm.bed.is_none()).collect(),
            counts,
            recording: self.recording,
            cursor,
            now,
        })
    }

    fn board_bed(&self, id: BedId, now: Timestamp) -> Option<BoardBed> {
        let bed = self.directory.beds.get(&id)?;
        let room = self.directory.rooms.get(&bed.room)?;
        let patient = self.directory.patient_in(id);
        let devices: Vec<DeviceId> =
            patient.map(|it| self.directory.devices_on(it).collect()).unwrap_or_default();
        let trace = patient.and_then(|it| self.board_trace(it));
        Some(BoardBed {
            bed: id,
            name: bed.name.clone(),
            room: room.name.clone(),
            patient: patient
                .and_then(|it| self.directory.patients.get(&it))
                .map(|it| Arc::new(it.clone())),
            nurse: self.directory.nurse_of(id),
            news2: patient.map(|it| self.news2(it, now)),
            numerics: patient.map(|it| self.numerics(it, &BOARD_VITALS, now)).unwrap_or_default(),
            wave: trace.and_then(|(device, channel)| self.wave_channel(device, &channel)),
            alarms: patient.map(|it| self.alarms_of(AlarmScope::Patient(it))).unwrap_or_default(),
            silent_since: self.silent_since(&devices),
            devices,
        })
    }

    /// Since when no device says anything; `None` while one does, or where none is.
    fn silent_since(&self, devices: &[DeviceId]) -> Option<Timestamp> {
        let runs = devices.iter().map(|device| self.devices.get(device));
        let silent = runs.map(|run| run.filter(|run| run.is_silent)?.heard_at);
        silent.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// One patient's page.
    pub fn patient_page(
        &self,
        id: PatientId,
        cursor: Cursor,
        now: Timestamp,
    ) -> Option<PatientPage> {
        let patient = Arc::new(self.directory.patients.get(&id)?.clone());
        let (bed, care_unit) = (self.directory.bed_of(id), self.directory.care_unit_of(id));
        let devices: Vec<DeviceId> = self.directory.devices_on(id).collect();
        let waves = devices.iter().flat_map(|device| {
            let run = self.devices.get(device);
            let channels = run.into_iter().flat_map(|run| run.waves.keys());
            channels.filter_map(|channel| self.wave_channel(*device, channel))
        });
        let charting = self.patients.get(&id).map(|run| run.charting.iter().rev().cloned());
        Some(PatientPage {
            patient,
            bed,
            care_unit,
            nurse: bed.and_then(|bed| self.directory.nurse_of(bed)),
            charge: care_unit.and_then(|unit| self.directory.charge_of(unit)),
            waves: waves.collect(),
            devices,
            numerics: self.numerics(id, &PAGE_VITALS, now),
            news2: self.news2(id, now),
            alarms: self.alarms_of(AlarmScope::Patient(id)),
            limits: self.limits_shown(id),
            charting: charting.into_iter().flatten().collect(),
            recording: self.recording,
            cursor,
            now,
        })
    }

    fn limits_shown(&self, patient: PatientId) -> Vec<LimitInForce> {
        let unit = self.directory.care_unit_of(patient);
        let band = self.directory.age_bands.get(&patient).copied();
        let shown = |vital: &Vital| {
            let (limits, layer, set) = self.directory.limits_in_force(patient, *vital)?;
            let set = set.map(|set| (set.by, set.at));
            Some(LimitInForce { limits, layer, care_unit: unit, band, set })
        };
        PAGE_VITALS.iter().filter_map(shown).collect()
    }

    fn wave_channel(&self, device: DeviceId, channel: &model::Channel) -> Option<WaveChannel> {
        let run = self.run_of(device, channel)?;
        let facts = self.facts_of(device);
        let wave = facts.channels.get(&channel.0).and_then(|it| it.wave.as_ref());
        let lead = run.lead.as_deref().map(str::to_owned).or_else(|| wave?.lead.clone());
        let label = wave.map_or_else(|| channel.to_string(), |wave| wave.label.clone());
        Some(WaveChannel {
            device,
            channel: channel.clone(),
            lead,
            label,
            unit: run.unit.to_string(),
            rate_hz: run.rate_hz,
            param: wave.map_or("bp", |wave| wave.param),
        })
    }

    fn numerics(&self, patient: PatientId, vitals: &[Vital], now: Timestamp) -> Vec<Numeric> {
        vitals.iter().filter_map(|vital| self.numeric(patient, *vital, now)).collect()
    }

    /// Whether a device gives this patient's heart rate at present.
    pub(super) fn has_device_rate(&self, patient: PatientId) -> bool {
        let run = self.patients.get(&patient);
        let latest = run.and_then(|run| run.latest.get(&Vital::HeartRate));
        latest.is_some_and(|it| self.freshness(Vital::HeartRate, it, self.now) == Freshness::Live)
    }

    fn freshness(&self, vital: Vital, latest: &Latest, now: Timestamp) -> Freshness {
        if latest.value.is_err() {
            return Freshness::Missing;
        }
        let cadence = self.facts_of(latest.device).cadence_of(vital);
        let live_for =
            cadence.map_or(LIVE_FOR_UNKNOWN, |it| it.saturating_mul(3).max(LIVE_FOR_MIN));
        let age = now.since(latest.taken_at);
        let out_after = age_max(vital);
        if age > out_after {
            Freshness::Out
        } else if age > live_for {
            Freshness::Ageing
        } else {
            Freshness::Live
        }
    }

    /// The latest of one vital; for the heart rate that of the beats, if no device gives one.
    pub(super) fn numeric(
        &self,
        patient: PatientId,
        vital: Vital,
        now: Timestamp,
    ) -> Option<Numeric> {
        let latest = self.patients.get(&patient).and_then(|run| run.latest.get(&vital)).copied();
        let state = latest.map(|it| self.freshness(vital, &it, now));
        let is_live = state == Some(Freshness::Live);
        let beats = (vital == Vital::HeartRate && !is_live)
            .then(|| self.rate_from_beats(patient))
            .flatten()
            .map(|(device, value, run)| Latest {
                device,
                grade: self.facts_of(device).grade,
                value: Ok(value),
                taken_at: run.ends_at,
                received_at: run.received_at,
                by: ClockUsed::Receiver,
                decides: false,
            })
            .filter(|it| self.freshness(vital, it, now) == Freshness::Live);
        let from_beats = beats.is_some();
        let state = if from_beats { Freshness::Live } else { state? };
        let latest = beats.or(latest)?;
        let limits = self.limits_in_force(patient, vital);
        let alarm = self.alarm_about(patient, vital);
        Some(numeric_of(vital, &latest, limits, alarm, from_beats, state))
    }

    /// The most urgent standing alarm about a vital.
    fn alarm_about(&self, patient: PatientId, vital: Vital) -> Option<(AlarmId, Priority)> {
        let concerns = |kind: AlarmKind| match kind {
            AlarmKind::Limit(it, _) => it == vital,
            AlarmKind::Desaturation => vital == Vital::Saturation,
            AlarmKind::Asystole | AlarmKind::ExtremeBradycardia | AlarmKind::ExtremeTachycardia => {
                vital == Vital::HeartRate
            }
            _ => false,
        };
        self.alarms
            .standing_about(About::Patient(patient))
            .filter(|(key, _)| concerns(key.kind))
            .filter_map(|(_, slot)| Some((slot.open.as_ref()?.id, slot.rule.priority)))
            .max_by_key(|(id, priority)| (*priority, *id))
    }

    /// Standing alarms, most urgent and then newest first.
    pub fn alarms_of(&self, scope: AlarmScope) -> Vec<Alarm> {
        let mut alarms: Vec<Alarm> = match scope {
            AlarmScope::Patient(patient) => {
                let own = self.alarms.about(About::Patient(patient)).map(|(key, _)| *key);
                let devices = self.directory.devices_on(patient);
                let of_devices = devices
                    .flat_map(|device| self.alarms.about(About::Device(device)))
                    .map(|(key, _)| *key);
                own.chain(of_devices).filter_map(|key| self.alarm_view(key)).collect()
            }
            AlarmScope::CareUnit(_) | AlarmScope::Org(_) | AlarmScope::Of(_) => {
                let keys = self.alarms.standing().map(|(key, _)| *key);
                keys.filter_map(|key| self.alarm_view(key))
                    .filter(|alarm| self.is_in(alarm, scope))
                    .collect()
            }
        };
        alarms.sort_by_key(|alarm| {
            let is_held = alarm.phase == AlarmPhase::Acknowledged;
            (std::cmp::Reverse(alarm.priority), is_held, std::cmp::Reverse(alarm.raised_at))
        });
        alarms
    }

    fn is_in(&self, alarm: &Alarm, scope: AlarmScope) -> bool {
        match scope {
            AlarmScope::CareUnit(care_unit) => alarm.care_unit == Some(care_unit),
            AlarmScope::Org(org) => alarm.org == org,
            AlarmScope::Patient(patient) => alarm.patient == Some(patient),
            AlarmScope::Of(staff) => {
                let nurse = alarm.bed.and_then(|bed| self.directory.nurse_of(bed));
                alarm.is_for(staff) || nurse == Some(staff)
            }
        }
    }

    /// One alarm, standing or lately ended.
    pub fn alarm(&self, id: AlarmId) -> Option<Alarm> {
        let standing = self.key_of(id).and_then(|key| self.alarm_view(key));
        standing.or_else(|| self.ended.iter().rev().find(|alarm| alarm.id == id).cloned())
    }

    /// The raised alarm of a slot.
    pub(crate) fn alarm_standing(&self, key: AlarmKey) -> Option<AlarmId> {
        let open = self.alarms.slots.get(&key)?.open.as_ref()?;
        open.raised.is_some().then_some(open.id)
    }

    pub(super) fn alarm_view(&self, key: AlarmKey) -> Option<Alarm> {
        let slot = self.alarms.slots.get(&key)?;
        let open = slot.open.as_ref()?;
        let raised = open.raised.as_ref()?;
        let patient = self.patient_of(key.about).or(raised.patient);
        let bed = patient.and_then(|patient| self.directory.bed_of(patient));
        let (phase, step, acknowledged_by, quiet_until) = match slot.state.phase() {
            Phase::Acknowledged { by, until, .. } => {
                (AlarmPhase::Acknowledged, 0, Some(by), Some(until))
            }
            Phase::Active { step, .. } => (AlarmPhase::Active, step, None, None),
            Phase::Quiet | Phase::Pending { .. } => (AlarmPhase::Active, 0, None, None),
        };
        let raised_at = slot.state.raised_at().unwrap_or_default();
        Some(Alarm {
            id: open.id,
            org: self.org_about(key.about)?,
            priority: raised.priority,
            class: key.kind.class(),
            code: key.kind.code().reference,
            key: key.kind.key(),
            title: raised.title.clone(),
            detail: raised.detail.clone(),
            phase,
            since: slot.state.began_at().unwrap_or(raised_at),
            raised_at,
            step: u32::from(step),
            told: open.told.clone(),
            unanswered: slot.state.is_unanswered(&slot.rule) || is_unheard(slot, open),
            no_signal: !slot.state.has_signal(),
            latching: raised.latching,
            latched: slot.state.is_latched(),
            acknowledged_by,
            quiet_until,
            next_step_at: slot.state.next_step_at(&slot.rule),
            ended_at: None,
            end: None,
            patient,
            bed,
            care_unit: self.care_unit_about(key.about).or(raised.care_unit),
            device: slot.device.or(raised.device),
            vital: vital_of(key),
            changed_by: open.changed_by,
        })
    }

    /// Hands out everything that changed since the last time, one delta for each care unit.
    pub fn flush(&mut self, now: Timestamp, out: &mut Out) {
        if self.changes.is_empty() {
            self.changes.sent.clear();
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        let mut deltas = Deltas::new();
        let recording = self.recording;
        let delta_of = |deltas: &mut Deltas, unit, change: &mut dyn FnMut(&mut Delta)| {
            change(deltas.entry(unit).or_insert_with(|| Delta::empty(unit, now, recording)));
        };
        // The vitals of one patient stand together, so each is looked up once.
        let mut lies = None;
        for (patient, vital) in changes.numerics {
            let (_, unit, bed) = match lies {
                Some(here) if matches!(here, (it, _, _) if it == patient) => here,
                _ => {
                    let unit = self.care_unit_about(About::Patient(patient));
                    *lies.insert((patient, unit, self.directory.bed_of(patient)))
                }
            };
            let Some(care_unit) = unit else { continue };
            let Some(numeric) = self.numeric(patient, vital, now) else { continue };
            let mut one = Some(BedNumeric { patient, bed, numeric });
            delta_of(&mut deltas, care_unit, &mut |delta| delta.numerics.extend(one.take()));
        }
        for patient in changes.scores {
            let Some(care_unit) = self.care_unit_about(About::Patient(patient)) else { continue };
            let (bed, news2) = (self.directory.bed_of(patient), self.news2(patient, now));
            delta_of(&mut deltas, care_unit, &mut |delta| {
                delta.news2.push(BedNews2 { patient, bed, news2: news2.clone() });
            });
        }
        for id in changes.alarms {
            let Some(alarm) = self.alarm(id) else { continue };
            let ended_in = changes.ended_in.get(&id).copied();
            let units = [alarm.care_unit, ended_in.filter(|it| Some(*it) != alarm.care_unit)];
            for care_unit in units.into_iter().flatten() {
                delta_of(&mut deltas, care_unit, &mut |delta| delta.alarms.push(alarm.clone()));
            }
        }
        for bed in changes.beds {
            let Some(care_unit) = self.directory.care_unit_of_bed(bed) else { continue };
            let Some(bed) = self.board_bed(bed, now) else { continue };
            delta_of(&mut deltas, care_unit, &mut |delta| delta.beds.push(bed.clone()));
        }
        for device in changes.reports {
            let Some(care_unit) = self.directory.care_unit_of_device(device) else { continue };
            let Some(report) = self.report_of(device) else { continue };
            delta_of(&mut deltas, care_unit, &mut |delta| delta.reports.push(report.clone()));
        }
        for care_unit in changes.posts {
            let charge = Some(self.directory.charge_of(care_unit));
            delta_of(&mut deltas, care_unit, &mut |delta| delta.charge = charge);
        }
        for (patient, sent) in changes.sent {
            let care_unit = self.care_unit_about(About::Patient(patient));
            if let Some(delta) = care_unit.and_then(|unit| deltas.get_mut(&unit))
                && delta.sent.is_none_or(|before| before.received_at <= sent.received_at)
            {
                delta.sent = Some(sent);
            }
        }
        out.deltas.extend(deltas.into_values());
    }
}

/// What screens are told of one value.
fn numeric_of(
    vital: Vital,
    latest: &Latest,
    limits: Option<LimitSet>,
    alarm: Option<(AlarmId, Priority)>,
    from_beats: bool,
    state: Freshness,
) -> Numeric {
    let value = latest.value.ok();
    let side = |side| {
        let set = limits.as_ref()?;
        limit::side_of(set, side).map(|it| it.limit_thousandths)
    };
    let (low, high) = (side(limit::Side::Low), side(limit::Side::High));
    let is_low = value.zip(low).is_some_and(|(value, low)| value < low);
    let is_high = value.zip(high).is_some_and(|(value, high)| value > high);
    Numeric {
        vital,
        thousandths: value,
        text: value.map(|value| text_of(vital, value)).unwrap_or_default(),
        missing: latest.value.err(),
        taken_at: latest.taken_at,
        received_at: latest.received_at,
        device: latest.device,
        grade: latest.grade,
        state,
        low_thousandths: low,
        high_thousandths: high,
        direction: match (is_low, is_high) {
            (true, _) => Some(Direction::Down),
            (_, true) => Some(Direction::Up),
            (false, false) => None,
        },
        alarm: alarm.map(|it| it.0),
        alarm_priority: alarm.map(|it| it.1),
        clock: latest.by,
        from_beats,
    }
}

/// Whether an active alarm was called out to nobody, because no post was held.
fn is_unheard(slot: &Slot, open: &Open) -> bool {
    open.nobody && matches!(slot.state.phase(), Phase::Active { .. })
}

const fn vital_of(key: AlarmKey) -> Option<Vital> {
    match key.kind {
        AlarmKind::Limit(vital, _) => Some(vital),
        AlarmKind::Desaturation => Some(Vital::Saturation),
        AlarmKind::Asystole | AlarmKind::ExtremeBradycardia | AlarmKind::ExtremeTachycardia => {
            Some(Vital::HeartRate)
        }
        AlarmKind::NoSignal | AlarmKind::LeadsOff => key.sensor,
        _ => None,
    }
}

/// The age from which a value no longer stands for the patient's state; the score's own ages.
fn age_max(vital: Vital) -> Duration {
    let ages = AgeLimits::default();
    match vital {
        Vital::HeartRate | Vital::PulseRate | Vital::RespiratoryRate | Vital::Saturation => {
            ages.monitored
        }
        Vital::SystolicPressure | Vital::DiastolicPressure | Vital::MeanPressure => ages.pressure,
        Vital::Temperature => ages.temperature,
        Vital::BatteryLevel | Vital::Glucose => ages.monitored,
    }
}
