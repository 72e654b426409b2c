//! The equipment and ourselves: who fell silent, whose connection broke, whether the
//! way to the screen is quick, whether the journal records.

use std::time::Duration;

use ::record::{Presence, PresenceChange, Spoke, Upward};
use care::{
    alarm::Verdict,
    kind::{AlarmKind, Facts},
    technical::{self, DISPLAY_DELAY_MAX},
};
use model::{CareUnitId, DeviceId, SiteId, Subject, Timestamp};

use super::{About, AlarmKey, Core, Turn, alarms::Evidence, deadlines::Timer, links::link_of};
use crate::{
    beat,
    record::{Decision, Notice},
    view::{Beat, Recording},
};

/// What is remembered of a site's watchdog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SiteRun {
    /// When its last beat reached us.
    pub(super) beat_at: Option<Timestamp>,
    /// None came for too long.
    pub(super) is_absent: bool,
    /// What the last beats' time on the way means.
    pub(super) is_slow: bool,
}

/// The door whose connections are records of presence.
const MQTT: &str = "mqtt";

/// A watchdog that beats each second and is not heard for this long has lost its way.
const BEAT_AFTER: Duration = Duration::from_secs(3);

impl Core {
    /// A message of a device came: it is not silent, unless the message lay here since
    /// `gateway_at` and says nothing of now.
    pub(super) fn heard_unless_kept(
        &mut self,
        device: DeviceId,
        gateway_at: Option<Timestamp>,
        turn: &mut Turn<'_>,
    ) {
        if gateway_at.is_none() {
            self.heard(device, turn);
        }
    }

    /// A message of a device came: it is not silent.
    pub(super) fn heard(&mut self, device: DeviceId, turn: &mut Turn<'_>) {
        let now = turn.now;
        let run = self.devices.entry(device).or_default();
        run.heard_at = Some(now);
        if run.is_silent {
            self.silent(turn, device, false, Duration::ZERO);
        }
        self.watch(device);
    }

    /// Watches a device that is on somebody for silence.
    pub(super) fn watch(&mut self, device: DeviceId) {
        if self.directory.subject_of(device) == Subject::Nobody {
            return;
        }
        if let Some(due) = self.silent_from(device) {
            self.timers.by(Timer::Silence(device), due);
        }
    }

    /// When a device counts as silent, if nothing more comes; `None` if nobody expects anything.
    pub(super) fn silent_from(&self, device: DeviceId) -> Option<Timestamp> {
        if self.directory.subject_of(device) == Subject::Nobody {
            return None;
        }
        let run = self.devices.get(&device)?;
        // A device that was put on and never said a word is silent since then.
        let heard_at = run.heard_at.max(run.expected_since)?.max(self.listening_since);
        Some(technical::silence_deadline(heard_at, self.facts_of(device).silence_after))
    }

    pub(super) fn silence_due(&mut self, turn: &mut Turn<'_>, device: DeviceId, at: Timestamp) {
        let is_silent = self.devices.get(&device).is_some_and(|run| run.is_silent);
        match self.silent_from(device) {
            Some(due) if due <= at && !is_silent => {
                turn.acted = true;
                let after = self.facts_of(device).silence_after;
                self.silent(turn, device, true, after);
            }
            Some(due) if due > at => self.timers.by(Timer::Silence(device), due),
            Some(_) | None => {}
        }
    }

    fn silent(
        &mut self,
        turn: &mut Turn<'_>,
        device: DeviceId,
        is_silent: bool,
        lasting: Duration,
    ) {
        self.devices.entry(device).or_default().is_silent = is_silent;
        if let Subject::Patient(patient) = self.directory.subject_of(device)
            && let Some(bed) = self.directory.bed_of(patient)
        {
            self.changes.beds.insert(bed);
        }
        let verdict = if is_silent { Verdict::Holds } else { Verdict::Over };
        let key = AlarmKey::new(About::Device(device), AlarmKind::DeviceSilent);
        let known = Evidence::known(verdict, turn.now, Some(device));
        self.weigh(turn, key, Evidence { facts: Facts::Lasting(lasting), ..known });
    }

    /// A device came or went.
    pub(super) fn take_presence(&mut self, presence: &Presence, turn: &mut Turn<'_>) {
        let device = presence.device;
        let now = turn.now;
        if let Some(link) = link_of(presence.change) {
            self.note_link(device, link, turn);
        }
        // The end of a connection is no word of the device, and may come long after it spoke elsewhere.
        if presence.change == PresenceChange::Connected {
            self.note_door(device, MQTT, &presence.remote, now);
        }
        let run = self.devices.entry(device).or_default();
        match presence.change {
            PresenceChange::Connected => {
                (run.is_connected, run.connected_at) = (true, Some(now));
            }
            PresenceChange::TakenOver => {}
            PresenceChange::Disconnected | PresenceChange::Refused => run.is_connected = false,
            PresenceChange::Lost => {
                run.is_connected = false;
                let (heard_at, was_silent) = (run.heard_at, run.is_silent);
                let expected = self.directory.subject_of(device) != Subject::Nobody;
                if expected
                    && !was_silent
                    && let Some(heard_at) = heard_at
                {
                    self.silent(turn, device, true, now.since(heard_at));
                }
            }
        }
    }

    /// A device spoke at a door that keeps no connections; the message itself is another record.
    pub(super) fn take_spoke(&mut self, spoke: &Spoke, turn: &Turn<'_>) {
        self.note_door(spoke.device, &spoke.door, &spoke.remote, turn.now);
    }

    /// A message that is neither numerics nor a waveform; the watchdog's is its beat.
    pub(super) fn take_upward(
        &mut self,
        upward: &Upward,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counters.stored += 1;
        self.heard_unless_kept(upward.device, upward.gateway_at, turn);
        if upward.gateway_at.is_some() {
            return;
        }
        let Some(device) = self.directory.devices.get(&upward.device) else { return };
        if device.profile != beat::PROFILE || upward.leaf != beat::LEAF {
            return;
        }
        let Some((seq, device_at)) = beat::parse(&upward.payload) else { return };
        let site = device.site;
        let run = self.sites.entry(site).or_default();
        run.beat_at = Some(turn.now);
        let was_absent = std::mem::take(&mut run.is_absent);
        if was_absent {
            self.weigh_pace(turn, site, Duration::ZERO);
        }
        self.timers.by(Timer::Beat(site), turn.now.after(BEAT_AFTER));
        let (now, recording) = (turn.now, self.recording);
        turn.out.beats.push(Beat { site, now, seq, device_at, received_at, recording });
    }

    pub(super) fn beat_due(&mut self, turn: &mut Turn<'_>, site: SiteId, at: Timestamp) {
        let Some(due) = self.beat_from(site) else { return };
        if due > at {
            self.timers.by(Timer::Beat(site), due);
        } else if let Some(run) = self.sites.get_mut(&site).filter(|run| !run.is_absent) {
            run.is_absent = true;
            turn.acted = true;
            self.weigh_pace(turn, site, BEAT_AFTER);
        }
    }

    /// When a site's watchdog counts as lost.
    pub(super) fn beat_from(&self, site: SiteId) -> Option<Timestamp> {
        let beat_at = self.sites.get(&site)?.beat_at?.max(self.listening_since);
        Some(beat_at.after(BEAT_AFTER))
    }

    /// Weighs the way to the screen in every care unit of a site.
    fn weigh_pace(&mut self, turn: &mut Turn<'_>, site: SiteId, took: Duration) {
        let Some(run) = self.sites.get(&site) else { return };
        let verdict = if run.is_absent || run.is_slow { Verdict::Holds } else { Verdict::Over };
        self.weigh_in_site(turn, Some(site), AlarmKind::PipelineSlow, verdict, took);
    }

    fn weigh_in_site(
        &mut self,
        turn: &mut Turn<'_>,
        site: Option<SiteId>,
        kind: AlarmKind,
        verdict: Verdict,
        lasting: Duration,
    ) {
        let units = self.directory.care_units.values();
        let units = units.filter(|unit| site.is_none_or(|site| unit.site == site));
        let units: Vec<CareUnitId> = units.map(|unit| unit.id).collect();
        for unit in units {
            let key = AlarmKey::new(About::CareUnit(unit), kind);
            // A care unit that never had the trouble has no alarm to end.
            if verdict == Verdict::Holds || self.alarms.slots.contains_key(&key) {
                let facts = if lasting.is_zero() { Facts::Bare } else { Facts::Lasting(lasting) };
                let known = Evidence::known(verdict, turn.now, None);
                self.weigh(turn, key, Evidence { facts, ..known });
            }
        }
    }

    /// Folds in what the program noticed about itself.
    pub(super) fn noticed(&mut self, turn: &mut Turn<'_>, notice: Notice) {
        match notice {
            Notice::Listening { at } => self.listening_since = self.listening_since.max(at),
            Notice::Recording { recording, at } => {
                self.advance(turn, at.max(self.now));
                self.recording = recording;
                let is_on = if recording.is_on() {
                    technical::Recording::On
                } else {
                    technical::Recording::Off
                };
                let verdict = technical::not_recording(is_on);
                self.weigh_in_site(turn, None, AlarmKind::NotRecording, verdict, Duration::ZERO);
            }
            Notice::Pace { site, took, at } => {
                self.advance(turn, at.max(self.now));
                let run = self.sites.entry(site).or_default();
                run.is_slow = took > DISPLAY_DELAY_MAX;
                self.weigh_pace(turn, site, took);
            }
            Notice::Unrecorded { since, until } => {
                self.advance(turn, until.max(self.now));
                // It is over, and stays until a person has seen it (RC-027).
                let gap = AlarmKind::RecordGap;
                self.weigh_in_site(turn, None, gap, Verdict::Holds, until.since(since));
                self.weigh_in_site(turn, None, gap, Verdict::Over, Duration::ZERO);
            }
        }
    }

    /// Tells the core something about the program itself; nothing follows if it was so already.
    pub fn notice(&mut self, notice: Notice, out: &mut super::Out) {
        let is_news = match notice {
            Notice::Listening { at } => at > self.listening_since,
            Notice::Recording { recording, .. } => recording != self.recording,
            Notice::Unrecorded { .. } => true,
            Notice::Pace { site, took, .. } => {
                let verdict = technical::pipeline_slow(took);
                let is_slow = self.sites.get(&site).is_some_and(|run| run.is_slow);
                match verdict {
                    Verdict::Holds => !is_slow,
                    Verdict::Over => is_slow,
                    Verdict::Between | Verdict::NoSignal => false,
                }
            }
        };
        if is_news && self.cause.is_some() {
            let mut turn = Turn::new(super::Mode::Live, self.now, out);
            self.decide(&mut turn, Decision::Noticed(notice));
            self.finish(turn);
        }
    }

    /// Whether the journal records, as far as the core was told.
    pub const fn recording(&self) -> Recording {
        self.recording
    }
}
