//! The checkpoint: everything that the core knows as bytes, and back.
//!
//! It only saves reading the whole journal again, which takes hours where years are kept. So
//! whatever an earlier release wrote is taken up (decision 0043): a field that came later is
//! absent in it, and of a form that cannot be read so a reader stays. What other rules of
//! `care` observed is refused, and the journal is read instead; what another detector of
//! heartbeats had learned is left, and learned anew, as after a gap in the signal.

use std::collections::BTreeMap;

use ::record::{BodyError, Coded, Decoder, Encoder, Session};
use care::news2;
use model::{DeviceId, PatientId, Timestamp, UserId};
use signal::{HeartRateFilter, QrsDetector, SnapshotError};
use store::LogOffset;

use super::{
    AlarmKey, Cause, Core, Setup,
    alarms::{Alarms, Slot},
    deadlines::Timer,
    technical::SiteRun,
};
use crate::{
    directory::{Directory, DiskAlarm, Invitation},
    view::{DeviceReport, Recording},
};

mod flat;

use flat::{FlatCause, FlatDevice, FlatPatient, FlatSite, FlatSlot};

/// Changes with each change of this form that is more than a new field or list at an end: those
/// are absent in what was written before, and mean what they mean then.
const VERSION: u16 = 6;
/// The oldest form that is read. One that a release has written stays among them.
const OLDEST: u16 = 6;

/// Who reads a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Six,
}

impl Reader {
    /// Each form by its own number: a later one is read by nobody until its reader is written,
    /// and an earlier one by no later reader.
    const fn of(form: u16) -> Option<Self> {
        match form {
            6 => Some(Self::Six),
            _ => None,
        }
    }
}

const _: () = {
    let mut form = OLDEST;
    while form <= VERSION {
        assert!(Reader::of(form).is_some(), "a form of a checkpoint has no reader");
        form += 1;
    }
};

/// Why a checkpoint is not taken up; the journal is read from its beginning instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum RestoreError {
    #[error(
        "the checkpoint has the form {form}, and what it says was observed by rules of version {rules}; this program takes up forms {} to {} with rules of version {}",
        OLDEST,
        VERSION,
        care::OBSERVE_VERSION
    )]
    OtherVersion { form: u16, rules: u16 },
    #[error("the checkpoint cannot be read")]
    Malformed(#[from] BodyError),
    #[error("a detector in the checkpoint cannot be taken up")]
    Detector(#[from] SnapshotError),
}

/// The versions of what finds heartbeats and of what makes a rate of them.
const DETECTORS: [u16; 2] = [QrsDetector::VERSION, HeartRateFilter::VERSION];

/// Whether what detectors had learned is taken up with a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learned {
    Kept,
    /// They were of another version: each begins anew, as after a gap.
    Anew,
}

/// The versions of a checkpoint, which stand first in it.
fn read_versions(d: &mut Decoder<'_>) -> Result<(Reader, Learned), RestoreError> {
    let [form, rules] = [u16::read(d)?, u16::read(d)?];
    let detectors = [u16::read(d)?, u16::read(d)?];
    let reader = Reader::of(form).filter(|_| rules == care::OBSERVE_VERSION);
    let reader = reader.ok_or(RestoreError::OtherVersion { form, rules })?;
    Ok((reader, if detectors == DETECTORS { Learned::Kept } else { Learned::Anew }))
}

fn write_map<K: Coded, V>(
    e: &mut Encoder<'_>,
    map: &BTreeMap<K, V>,
    mut write: impl FnMut(&V, &mut Encoder<'_>),
) {
    e.array(map.len());
    for (key, value) in map {
        e.array(2);
        key.write(e);
        write(value, e);
    }
}

fn read_map<K: Coded + Ord, V>(
    d: &mut Decoder<'_>,
    mut read: impl FnMut(&K, &mut Decoder<'_>) -> Result<V, RestoreError>,
) -> Result<BTreeMap<K, V>, RestoreError> {
    let mut map = BTreeMap::new();
    for _ in 0..::record::array_len(d)? {
        pair(d)?;
        let key = K::read(d)?;
        let value = read(&key, d)?;
        map.insert(key, value);
    }
    Ok(map)
}

fn pair(d: &mut Decoder<'_>) -> Result<(), BodyError> {
    if ::record::array_len(d)? == 2 { Ok(()) } else { Err(BodyError::malformed("not a pair")) }
}

impl Core {
    /// Everything that is known, for the series store to keep beside its chunks.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 << 10);
        let mut e = Encoder::new(&mut bytes);
        let e = &mut e;
        let [detector, filter] = DETECTORS;
        let versions = [VERSION, care::OBSERVE_VERSION, detector, filter];
        versions.iter().for_each(|version| version.write(e));
        self.now.write(e);
        e.uint(self.came_to.bytes());
        self.cause.map(FlatCause::from).write(e);
        self.listening_since.write(e);
        self.recording.write(e);
        self.directory.write(e);
        write_map(e, &self.devices, |run, e| FlatDevice::from(run).write(e));
        write_map(e, &self.patients, |run, e| FlatPatient::from(run).write(e));
        write_map(e, &self.sites, |run, e| {
            FlatSite { beat_at: run.beat_at, is_absent: run.is_absent, is_slow: run.is_slow }
                .write(e);
        });
        write_map(e, &self.reports, Coded::write);
        write_map(e, &self.alarms.slots, |slot, e| FlatSlot::from(slot).write(e));
        bytes
    }

    /// Goes on from a checkpoint as if it had never stopped.
    pub fn restore(setup: Setup, checkpoint: &[u8]) -> Result<Self, RestoreError> {
        let mut d = Decoder::new(checkpoint);
        let (reader, learned) = read_versions(&mut d)?;
        if learned == Learned::Anew {
            tracing::warn!("heartbeats_are_learned_anew");
        }
        let mut core = match reader {
            Reader::Six => Self::read_six(setup, &mut d, learned)?,
        };
        if d.position() != checkpoint.len() {
            return Err(BodyError::malformed("bytes are left over").into());
        }
        core.set_timers();
        Ok(core)
    }

    /// What stands behind the versions in the sixth form.
    fn read_six(setup: Setup, d: &mut Decoder<'_>, learned: Learned) -> Result<Self, RestoreError> {
        let mut core = Self::new(setup);
        core.now = Timestamp::read(d)?;
        core.came_to = LogOffset::from_bytes(u64::read(d)?);
        core.cause = Option::<FlatCause>::read(d)?.map(Cause::from);
        core.listening_since = Timestamp::read(d)?;
        core.recording = Recording::read(d)?;
        let mut directory = Directory::read(d)?;
        directory.index(core.now);
        core.directory = directory.into();
        core.devices = read_map(d, |_, d| FlatDevice::read(d)?.thaw(learned))?;
        core.patients = read_map(d, |_, d| Ok(FlatPatient::read(d)?.into()))?;
        core.sites = read_map(d, |_, d| {
            let FlatSite { beat_at, is_absent, is_slow } = FlatSite::read(d)?;
            Ok(SiteRun { beat_at, is_absent, is_slow })
        })?;
        core.reports = read_map(d, |_, d| Ok(DeviceReport::read(d)?))?;
        let slots = read_map(d, |key: &AlarmKey, d| {
            let flat = FlatSlot::read(d)?;
            let rule = core.rule_of(*key, flat.device);
            Ok(flat.thaw(Slot::new(rule)))
        })?;
        core.alarms = Alarms::of(slots);
        Ok(core)
    }

    /// Sets every timer from the state alone.
    fn set_timers(&mut self) {
        self.timers.clear();
        let devices: Vec<DeviceId> = self.devices.keys().copied().collect();
        devices.into_iter().for_each(|device| self.watch(device));
        let ages = news2::AgeLimits::default();
        let patients: Vec<PatientId> = self.patients.keys().copied().collect();
        for patient in patients {
            let (inputs, _) = self.score_of(patient, self.now);
            if let Some(at) = inputs.next_deadline(&ages, self.now) {
                self.timers.by(Timer::Aging(patient), at);
            }
        }
        let sites: Vec<_> = self.sites.keys().copied().collect();
        for site in sites {
            if let Some(at) = self.beat_from(site) {
                self.timers.by(Timer::Beat(site), at);
            }
        }
    }
}

/// The directory's lists in the order of its fields; indexes are made anew.
impl Coded for Directory {
    fn write(&self, e: &mut Encoder<'_>) {
        e.array(29);
        write_map(e, &self.orgs, Coded::write);
        write_map(e, &self.sites, Coded::write);
        write_map(e, &self.care_units, Coded::write);
        write_map(e, &self.rooms, Coded::write);
        write_map(e, &self.beds, Coded::write);
        write_map(e, &self.patients, Coded::write);
        write_map(e, &self.staff, Coded::write);
        write_map(e, &self.users, Coded::write);
        write_map(e, &self.devices, Coded::write);
        write_map(e, &self.certificates, Coded::write);
        write_map(e, &self.sessions, |session: &Session, e| session.write(e));
        write_map(e, &self.invitations, |it, e| (it.user, it.expires_at).write(e));
        write_map(e, &self.associations, Coded::write);
        write_map(e, &self.encounters, Coded::write);
        write_map(e, &self.assignments, Coded::write);
        write_map(e, &self.limits, Coded::write);
        write_map(e, &self.unit_limits, Coded::write);
        write_map(e, &self.age_bands, Coded::write);
        write_map(e, &self.hand_overs, Coded::write);
        write_map(e, &self.commands, Coded::write);
        write_map(e, &self.configs, Coded::write);
        write_map(e, &self.bindings, Coded::write);
        write_map(e, &self.claims, Coded::write);
        write_map(e, &self.emergencies, Coded::write);
        write_map(e, &self.doses, Coded::write);
        write_map(e, &self.shares, Coded::write);
        write_map(e, &self.holds, Coded::write);
        self.disk.write(e);
        write_map(e, &self.corrections, Coded::write);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        fn plain<K: Coded + Ord, V: Coded>(
            d: &mut Decoder<'_>,
        ) -> Result<BTreeMap<K, V>, BodyError> {
            Ok(Vec::<(K, V)>::read(d)?.into_iter().collect())
        }
        let lists = ::record::array_len(d)?;
        // Before pages were shared there were twenty-five, before holds twenty-six, and before
        // the alarm about the disk twenty-seven, and before corrections twenty-eight.
        if !(25..=29).contains(&lists) {
            return Err(BodyError::malformed("a directory has twenty-five to twenty-nine parts"));
        }
        Ok(Self {
            orgs: plain(d)?,
            sites: plain(d)?,
            care_units: plain(d)?,
            rooms: plain(d)?,
            beds: plain(d)?,
            patients: plain(d)?,
            staff: plain(d)?,
            users: plain(d)?,
            devices: plain(d)?,
            certificates: plain(d)?,
            sessions: plain(d)?,
            invitations: plain::<[u8; 32], (UserId, Timestamp)>(d)?
                .into_iter()
                .map(|(hash, (user, expires_at))| (hash, Invitation { user, expires_at }))
                .collect(),
            associations: plain(d)?,
            encounters: plain(d)?,
            assignments: plain(d)?,
            limits: plain(d)?,
            unit_limits: plain(d)?,
            age_bands: plain(d)?,
            hand_overs: plain(d)?,
            commands: plain(d)?,
            configs: plain(d)?,
            bindings: plain(d)?,
            claims: plain(d)?,
            emergencies: plain(d)?,
            doses: plain(d)?,
            shares: if lists >= 26 { plain(d)? } else { BTreeMap::new() },
            holds: if lists >= 27 { plain(d)? } else { BTreeMap::new() },
            disk: if lists >= 28 { Coded::read(d)? } else { DiskAlarm::default() },
            corrections: if lists >= 29 { plain(d)? } else { BTreeMap::new() },
            ..Self::default()
        })
    }
}
