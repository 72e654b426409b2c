//! Waveforms: every block to the series and the screens, the ECG through the detector
//! to the rhythm's conditions. One ECG channel of a patient decides.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use ::record::{SealedWave, WaveBlock};
use care::{
    alarm::Verdict,
    kind::{AlarmKind, Facts},
    limit::{self, Side},
    rhythm::ASYSTOLE_AFTER,
    technical::{self, Continuity},
};
use model::{
    Channel, DeviceId, LimitSet, MissingReason, PatientId, Subject, Times, Timestamp, Ucum, Vital,
};
use protocols::wave::{self, Block, Counts, Doubt};
use security::sha256;
use store::WaveSpan;

use super::{
    About, AlarmKey, Core, Turn,
    alarms::Evidence,
    ecg::{Ecg, Scale, plus, samples_in},
    out::WaveOf,
};
use crate::{
    limits::CHANNELS_OF_A_DEVICE_MAX,
    view::{self, Sent, WaveSpanMark},
};

/// What is remembered of one waveform channel between its blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WaveRun {
    /// Boot id and number of the newest block.
    pub(super) newest: Option<(u64, u64)>,
    /// Where the newest block ended, by the device's clock.
    pub(super) device_ends_at: Timestamp,
    /// Where it ended by the best estimate, and when it reached us.
    pub(super) ends_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) rate_hz: (u32, u32),
    pub(super) unit: Arc<str>,
    pub(super) lead: Option<Arc<str>>,
    /// The electrodes were off at its end.
    pub(super) is_off: bool,
    pub(super) continuity: Continuity,
    pub(super) ecg: Option<Box<Ecg>>,
}

/// A channel whose newest block is older does not decide while another has a newer one.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// A step of the device's own time between two blocks beyond this is a gap.
const STEP_MAX_NS: u64 = 250_000_000;
/// One block with everything that its record says of time.
struct Taken<'a> {
    record: &'a WaveBlock,
    block: Block<'a>,
    counts: Counts,
    start: Timestamp,
    end: Timestamp,
    received_at: Timestamp,
    /// It is too old to stand for the present.
    is_late: bool,
    clock: model::ClockUsed,
    age_known: bool,
}

impl<'a> Taken<'a> {
    /// Reads a block; none if it cannot be read.
    fn of(record: &'a WaveBlock, received_at: Timestamp) -> Option<Self> {
        let block = wave::decode(&record.payload).ok()?;
        let taken = times_of(record, received_at).taken();
        let duration = i64::try_from(block.duration_ns()).unwrap_or(i64::MAX);
        let end = plus(taken.at, duration);
        let counts = block.counts();
        Some(Self {
            record,
            block,
            counts,
            start: taken.at,
            end,
            received_at,
            is_late: !taken.age_known || received_at.since(end) >= FRESH_FOR,
            clock: taken.by,
            age_known: taken.age_known,
        })
    }

    fn samples(&self) -> Arc<[i32]> {
        self.counts.samples.as_slice().into()
    }

    fn marks(&self) -> Vec<WaveSpanMark> {
        self.counts.doubts.iter().map(mark).collect()
    }

    /// What is to be sealed, as far as the block alone knows.
    fn wave(&self, unit: Arc<str>, samples: Arc<[i32]>, marks: Vec<WaveSpanMark>) -> WaveOf {
        WaveOf {
            org: None,
            device: self.record.device,
            channel: self.record.channel.clone(),
            kind: None,
            at: self.start,
            received_at: self.received_at,
            is_late: self.is_late,
            clock: self.clock,
            age_known: self.age_known,
            rate_hz: self.block.rate_hz,
            gain: self.counts.gain,
            offset_counts: self.counts.offset,
            unit,
            samples_counts: samples,
            marks,
        }
    }
}

/// What of a block is sealed, and whether it says more than that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SealedForm {
    pub(crate) span: WaveSpan,
    pub(crate) ucum: Ucum,
    /// The same payload cannot be made again, byte by byte, of these samples and what the
    /// payload says beside them: floats are sealed as counts, and some write their CBOR otherwise.
    pub(crate) is_finer: bool,
    /// Bytes of its packed samples.
    pub(crate) sample_bytes: u64,
}

impl SealedForm {
    /// That of a block; none if the block cannot be read.
    pub(crate) fn of(record: &WaveBlock, received_at: Timestamp) -> Option<Self> {
        let taken = Taken::of(record, received_at)?;
        let unit = taken.block.unit.into();
        let span = taken.wave(unit, taken.samples(), taken.marks()).into_span();
        let is_finer = left_of(record, &span.samples).is_none();
        let sample_bytes = u64::try_from(taken.block.samples.len()).unwrap_or(u64::MAX);
        Some(Self { span, ucum: Ucum::new(taken.block.unit), is_finer, sample_bytes })
    }
}

fn times_of(record: &WaveBlock, received_at: Timestamp) -> Times {
    Times {
        device_at: record.device_at,
        device_now: record.device_now,
        gateway_at: record.gateway_at,
        received_at,
        clock: record.clock,
        may_be_buffered: record.may_be_buffered,
    }
}

/// Where a block begins by the best estimate; also one whose samples went.
pub(crate) fn start_of(record: &WaveBlock, received_at: Timestamp) -> Timestamp {
    times_of(record, received_at).taken().at
}

/// What stays of a block beside its sealed samples; none if that and these would not make the
/// very same payload again.
pub(crate) fn left_of(block: &WaveBlock, samples: &[i32]) -> Option<SealedWave> {
    let head = wave::decode(&block.payload).ok()?;
    let payload = wave::encode(&Block { samples: &[], ..head });
    let left = SealedWave {
        block: WaveBlock { payload, ..block.clone() },
        payload_len_bytes: u64::try_from(block.payload.len()).ok()?,
        payload_sha256: sha256(&block.payload),
    };
    made_again(&left, samples).is_some().then_some(left)
}

/// The block as it was received, of what stayed of it and its sealed samples; none if these are
/// not the samples that it had.
pub(crate) fn made_again(left: &SealedWave, samples: &[i32]) -> Option<WaveBlock> {
    let head = wave::decode_head(&left.block.payload).ok()?;
    let packed = wave::pack(samples, head.encoding);
    let payload = wave::encode(&Block { samples: &packed, ..head });
    let is_it = u64::try_from(payload.len()).is_ok_and(|len| len == left.payload_len_bytes)
        && sha256(&payload) == left.payload_sha256;
    is_it.then(|| WaveBlock { payload, ..left.block.clone() })
}

impl Core {
    /// Takes in one waveform block.
    pub(super) fn take_wave(
        &mut self,
        record: &WaveBlock,
        received_at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counters.stored += 1;
        self.heard_unless_kept(record.device, record.gateway_at, turn);
        // The door has read it before; what cannot be read any more is counted.
        let Some(taken) = Taken::of(record, received_at) else {
            self.counters.unreadable += 1;
            return;
        };
        self.counters.waveform_samples += u64::from(taken.block.count);
        let whose = self.directory.who(record.device, taken.start, received_at);
        // What a device had kept of whom it left behind fills that chart, and teaches its
        // detectors nothing about whom it is on now.
        let is_theirs = whose == self.directory.subject_of(record.device);
        // One that lay here as a dead letter fills the chart, and its channel has run on since.
        let is_current = record.gateway_at.is_none();
        let gap_before = is_current.then(|| self.run_wave(&taken, is_theirs)).flatten();
        let (samples, marks) = (taken.samples(), taken.marks());
        turn.out.waves.push(self.wave_of(&taken, &samples, &marks));
        let Subject::Patient(patient) = whose else { return };
        if gap_before.is_some() && !taken.is_late {
            self.weigh_wave(turn, patient, &taken);
            self.trace(turn, patient, &taken, (samples, marks), gap_before == Some(true));
        }
    }

    /// Runs the channel on by one block. Says whether samples are missing before it; `None` if it is
    /// older than what was seen, and only fills the chart.
    fn run_wave(&mut self, taken: &Taken<'_>, is_theirs: bool) -> Option<bool> {
        let Taken { record, block, .. } = taken;
        let is_ecg = self
            .facts_of(record.device)
            .channels
            .get(&record.channel.0)
            .is_some_and(|it| it.wave.as_ref().is_some_and(|wave| wave.is_ecg));
        if is_ecg && !is_theirs {
            return None;
        }
        let run = self.devices.entry(record.device).or_default();
        let is_new = !run.waves.contains_key(&record.channel);
        if is_new && run.waves.len() >= CHANNELS_OF_A_DEVICE_MAX {
            return None;
        }
        let run = run.waves.entry(record.channel.clone()).or_default();
        let (boot, seq) = (record.counted.boot, record.counted.seq);
        let step_ns = record.device_at.nanos_after(run.device_ends_at);
        let follows = run.newest == Some((boot, seq.wrapping_sub(1)))
            && run.rate_hz == block.rate_hz
            && step_ns.unsigned_abs() <= STEP_MAX_NS;
        if run.newest.is_some_and(|(old, newest)| old == boot && seq <= newest) {
            return None;
        }
        if is_ecg {
            if run.rate_hz != block.rate_hz {
                run.ecg = Ecg::new(block.rate_hz).map(Box::new);
            }
            // RC-047
            if let Some(ecg) = &mut run.ecg {
                if !follows {
                    let same_boot = run.newest.is_some_and(|(old, _)| old == boot);
                    let missing_ns =
                        if same_boot { u64::try_from(step_ns).unwrap_or(0) } else { 0 };
                    ecg.lost(samples_in(missing_ns, block.rate_hz));
                    ecg.anchor_next(taken.start);
                }
                match Scale::of(&taken.counts, block.unit) {
                    Some(scale) => ecg.take(&taken.counts, scale),
                    None => ecg.lost(u64::from(block.count)),
                }
            }
        }
        let had = run.newest.is_some();
        let device_end = plus(record.device_at, taken.end.nanos_after(taken.start));
        run.newest = Some((boot, seq));
        run.device_ends_at = device_end;
        (run.ends_at, run.received_at) = (taken.end, taken.received_at);
        run.rate_hz = block.rate_hz;
        if &*run.unit != block.unit {
            run.unit = block.unit.into();
        }
        if run.lead.as_deref() != block.lead {
            run.lead = block.lead.map(Arc::from);
        }
        let last = block.count.saturating_sub(1);
        run.is_off = taken.counts.doubts.iter().any(|span| {
            span.reason == Doubt::LeadOff && span.start.saturating_add(span.len) > last
        });
        run.continuity.observe(record.device_at, device_end);
        Some(had && !follows)
    }

    /// Weighs what the newest block of a patient says.
    fn weigh_wave(&mut self, turn: &mut Turn<'_>, patient: PatientId, taken: &Taken<'_>) {
        let device = taken.record.device;
        let Some(run) = self.run_of(device, &taken.record.channel) else { return };
        let (is_off, broken) = (run.is_off, run.continuity.broken());
        let is_ecg = run.ecg.is_some();
        let gap = AlarmKey::new(About::Device(device), AlarmKind::WaveGap);
        if broken != Verdict::NoSignal {
            self.weigh_technical(turn, gap, broken, Facts::Bare);
        }
        let sent = Sent { device_at: taken.record.device_at, received_at: taken.received_at };
        self.changes.sent.insert(patient, sent);
        let decides = self.deciding_ecg(patient);
        let is_it =
            decides.is_some_and(|(it, channel)| (it, &channel) == (device, &taken.record.channel));
        if !is_ecg || !is_it {
            return;
        }
        let verdict = if is_off {
            technical::leads_off_by(MissingReason::SensorDetached)
        } else {
            Verdict::Over
        };
        let leads = AlarmKey::new(About::Patient(patient), AlarmKind::LeadsOff);
        if is_off || self.alarms.slots.contains_key(&leads) {
            self.weigh(turn, leads, self.of_block(verdict, Facts::Bare, taken));
        }
        self.weigh_rhythm(turn, patient, taken);
    }

    fn of_block(&self, verdict: Verdict, facts: Facts, taken: &Taken<'_>) -> Evidence {
        Evidence {
            verdict,
            taken_at: taken.end.min(taken.received_at),
            received_at: taken.received_at,
            facts,
            device: Some(taken.record.device),
        }
    }

    fn weigh_rhythm(&mut self, turn: &mut Turn<'_>, patient: PatientId, taken: &Taken<'_>) {
        let vital = Vital::HeartRate;
        let set = self.limits_in_force(patient, vital);
        let set = set.unwrap_or(LimitSet { vital, low: None, high: None });
        let run = self.run_of(taken.record.device, &taken.record.channel);
        let Some(ecg) = run.and_then(|run| run.ecg.as_ref()) else { return };
        let rhythm = &ecg.rhythm;
        let mut weighed = Vec::with_capacity(3);
        let rate = rhythm.rate_per_min_thousandths();
        // The lesser alarms first, so that the greatest finds them and takes their place.
        for (kind, side) in [
            (AlarmKind::ExtremeTachycardia, Side::High),
            (AlarmKind::ExtremeBradycardia, Side::Low),
        ] {
            let Some(limit) = limit::extreme_rate(&set, side) else { continue };
            let verdict = match side {
                Side::High => rhythm.extreme_tachycardia(&limit),
                Side::Low => rhythm.extreme_bradycardia(&limit),
            };
            let limit_thousandths = limit.limit_thousandths;
            let facts = rate.map_or(Facts::Bare, |value_thousandths| Facts::Level {
                vital,
                value_thousandths,
                limit_thousandths,
            });
            weighed.push((kind, verdict, facts));
        }
        weighed.push((AlarmKind::Asystole, rhythm.asystole(), Facts::Lasting(ASYSTOLE_AFTER)));
        for (kind, verdict, facts) in weighed {
            let key = AlarmKey::new(About::Patient(patient), kind);
            self.weigh(turn, key, self.of_block(verdict, facts, taken));
        }
        if !self.has_device_rate(patient) {
            self.changes.numerics.insert((patient, vital));
        }
    }

    pub(super) fn run_of(&self, device: DeviceId, channel: &Channel) -> Option<&WaveRun> {
        self.devices.get(&device)?.waves.get(channel)
    }

    /// Whether an ECG of this patient comes in.
    pub(super) fn watches_ecg(&self, patient: PatientId) -> bool {
        self.deciding_ecg(patient).is_some()
    }

    /// The one ECG channel that decides: of the device that connected last, the first by name.
    pub(super) fn deciding_ecg(&self, patient: PatientId) -> Option<(DeviceId, Channel)> {
        let mut best = None;
        for device in self.directory.devices_on(patient) {
            let Some(run) = self.devices.get(&device) else { continue };
            for (channel, wave) in run.waves.iter().filter(|(_, wave)| wave.ecg.is_some()) {
                let is_fresh = self.now.since(wave.received_at) < FRESH_FOR;
                let rank = (is_fresh, run.connected_at, Reverse(channel), device);
                if best.as_ref().is_none_or(|best| rank > *best) {
                    best = Some(rank);
                }
            }
        }
        best.map(|(_, _, Reverse(channel), device)| (device, channel.clone()))
    }

    /// The heart rate by the beats of the deciding channel, in thousandths, with its instant.
    pub(super) fn rate_from_beats(&self, patient: PatientId) -> Option<(DeviceId, i64, &WaveRun)> {
        let (device, channel) = self.deciding_ecg(patient)?;
        let run = self.run_of(device, &channel)?;
        let ecg = run.ecg.as_ref()?;
        let rate = ecg.filter.rate_at(ecg.detector.position())?;
        Some((device, i64::from(rate), run))
    }

    fn wave_of(&self, taken: &Taken<'_>, samples: &Arc<[i32]>, marks: &[WaveSpanMark]) -> WaveOf {
        // Not that of the channel's newest block: one that came late may have another.
        let run = self.run_of(taken.record.device, &taken.record.channel);
        let unit = run.map(|run| &run.unit).filter(|unit| ***unit == *taken.block.unit);
        let unit = unit.map_or_else(|| taken.block.unit.into(), Arc::clone);
        let facts = self.facts_of(taken.record.device);
        let kind = facts.channels.get(&taken.record.channel.0).map(|it| it.code);
        let of = taken.wave(unit, Arc::clone(samples), marks.to_vec());
        WaveOf { org: self.org_now(), kind, ..of }
    }

    fn trace(
        &self,
        turn: &mut Turn<'_>,
        patient: PatientId,
        taken: &Taken<'_>,
        (samples_counts, marks): (Arc<[i32]>, Vec<WaveSpanMark>),
        gap_before: bool,
    ) {
        let Some(care_unit) = self.care_unit_about(About::Patient(patient)) else { return };
        let device = taken.record.device;
        let channel = &taken.record.channel;
        let board = self.board_trace(patient);
        let on_board = board.is_some_and(|(it, on)| (it, &on) == (device, channel));
        let unit = self
            .run_of(device, channel)
            .map_or_else(|| taken.block.unit.into(), |run| Arc::clone(&run.unit));
        turn.out.traces.push(view::Wave {
            care_unit,
            patient,
            device,
            channel: channel.clone(),
            start: taken.start,
            rate_hz: taken.block.rate_hz,
            gain: taken.counts.gain,
            offset_counts: taken.counts.offset,
            unit,
            samples_counts,
            marks,
            gap_before,
            on_board,
        });
    }

    /// The trace that the ward board draws: the deciding ECG, else the first waveform by name.
    pub(super) fn board_trace(&self, patient: PatientId) -> Option<(DeviceId, Channel)> {
        self.deciding_ecg(patient).or_else(|| {
            let mut devices = self.directory.devices_on(patient);
            devices.find_map(|device| {
                let channel = self.devices.get(&device)?.waves.keys().next()?;
                Some((device, channel.clone()))
            })
        })
    }
}

const fn mark(span: &wave::Span) -> WaveSpanMark {
    let reason = match span.reason {
        Doubt::LeadOff => 1,
        Doubt::Saturated => 2,
        Doubt::Artefact => 3,
        Doubt::Pacing => 4,
        Doubt::Gap => 5,
    };
    WaveSpanMark { first_sample: span.start, len_samples: span.len, reason }
}
