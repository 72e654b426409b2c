//! Bodies to test with: one of each shape with fixed contents, and any by chance.

use std::time::Duration;

use model::{
    AgeBand, Amendment, Assignment, Association, Bed, CareUnit, Certificate, Charting, Clock, Code,
    Consciousness, Correction, CorrectionReason, Date, Device, EmergencyAccess, EmergencyReason,
    Encounter, EndReason, Feeling, HandOver, Hold, HoldOf, Id, Kind, Lifecycle, LimitSet,
    LimitSide, Measure, MissingReason, NextDose, Org, Oxygen, OxygenDevice, Patient, Post,
    PostNote, Priority, Redacted, Role, Room, Sample, Sex, Share, Site, SpO2Scale, Staff, Subject,
    Timestamp, User, Vital,
};
use proptest::{collection::vec, option, prelude::*};

use super::{mqtt_samples, report_samples};
use crate::{
    Actor, AuditEntry, Body, ClockStep, Command, Counted, DeadLetter, DiskLevel, DiskNote,
    Duplicate, Imported, ImportedDoubt, ImportedPoint, ImportedValues, ImportedWave, MqttSession,
    Part, Presence, PresenceChange, Pulse, Readings, Replayed, SampleAt, SealedWave, SegmentHead,
    Session, Spoke, ThinnedSegment, TurnedAway, Upward, WaveBlock, Wish,
};

/// The id whose last digits are `number`.
pub(crate) fn id<K: Kind>(number: u128) -> Id<K> {
    Id::from_uuid(0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0000 | number).unwrap()
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_nanos((1_700_000_000 + second) * 1_000_000_000)
}

fn red(text: &str) -> Redacted<String> {
    Redacted(text.to_owned())
}

/// `times` rounds of `channels` channels, each a heart rate of 72.
pub(crate) fn readings(times: i64, channels: u8) -> Readings {
    let sample = |round: i64, channel: u8| {
        let measure =
            Measure { kind: Code::Mdc(147_842), mantissa: 72, exp10: 0, ucum: "/min".into() };
        SampleAt {
            channel: format!("MDC_ECG_HEART_RATE_{channel}").as_str().into(),
            device_at_delta_ns: round * 1_000_000_000,
            sample: Sample::Measured(measure),
            refused: None,
        }
    };
    Readings {
        device: id(7),
        counted: Some(Counted { boot: 3, seq: 9 }),
        device_at: at(0),
        device_now: Some(at(2)),
        gateway_at: None,
        clock: Clock::Synchronised { offset_ns: -5 },
        may_be_buffered: false,
        samples: (0..times)
            .flat_map(|round| (0..channels).map(move |c| (round, c)))
            .map(|(round, channel)| sample(round, channel))
            .collect(),
    }
}

fn all_readings() -> Readings {
    let mut readings = readings(2, 2);
    let refused = |refused: &[u8], reason| SampleAt {
        channel: "MDC_PULS_OXIM_SAT_O2".into(),
        device_at_delta_ns: -1,
        sample: Sample::Missing(reason),
        refused: (!refused.is_empty()).then(|| refused.to_vec()),
    };
    readings.samples.push(refused(b"", MissingReason::SensorDetached));
    readings.samples.push(refused(b"990", MissingReason::Implausible));
    let kind = Code::Loinc(2_339, 0);
    let measure = Measure { kind, mantissa: i64::MIN, exp10: -128, ucum: "mmol/L".into() };
    readings.samples.push(SampleAt {
        channel: "glucose".into(),
        device_at_delta_ns: i64::MAX,
        sample: Sample::Measured(measure),
        refused: Some(vec![0xff]),
    });
    readings.gateway_at = Some(at(3));
    readings
}

fn wave() -> WaveBlock {
    WaveBlock {
        device: id(7),
        channel: "MDC_ECG_ELEC_POTL_II".into(),
        counted: Counted { boot: u64::MAX, seq: 1 },
        device_at: at(0),
        device_now: None,
        gateway_at: Some(at(1)),
        clock: Clock::Unsynchronised,
        may_be_buffered: true,
        payload: vec![0xa0],
    }
}

fn upward(gateway_at: Option<i64>) -> Body {
    Body::Upward(Upward {
        device: id(7),
        leaf: "state".into(),
        content_type: Some("application/json".into()),
        payload: b"{}".to_vec(),
        gateway_at: gateway_at.map(Timestamp::from_unix_nanos),
    })
}

fn inputs() -> Vec<(&'static str, Body)> {
    let dead_letter = DeadLetter {
        id: id(11),
        device: Some(id(7)),
        door: "mqtt".into(),
        topic: "wl/1/x".into(),
        content_type: None,
        reason: "wave:n".into(),
        explanation: "250 samples are not what 7 bytes hold".into(),
        payload: b"\x00garbage".to_vec(),
    };
    let duplicate = Duplicate {
        device: id(7),
        counted: Some(Counted { boot: 3, seq: 9 }),
        channel: Some("MDC_PULS_OXIM_PLETH".into()),
        samples: 125,
    };
    let presence =
        |change| Body::Presence(Presence { device: id(7), change, remote: "[::1]:50000".into() });
    let session = MqttSession {
        device: id(7),
        client_id: "patch-7".into(),
        expiry_s: 604_800,
        subscriptions: vec![("wl/1/s/d/down/#".into(), 1)],
        ended: false,
        site: None,
        subscription_ids: None,
        ends_at: None,
        will: None,
    };
    let audit = AuditEntry {
        actor: Actor::Device(id(7)),
        action: "patient.read".into(),
        patient: Some(id(8)),
        resource: "/api/v1/patients/8".into(),
        allowed: true,
        rule: "site staff".into(),
        remote: "10.0.0.7:443".into(),
    };
    vec![
        ("readings", Body::Readings(readings(1, 1))),
        ("readings-all", Body::Readings(all_readings())),
        ("wave", Body::Wave(wave())),
        ("dead-letter", Body::DeadLetter(dead_letter)),
        ("duplicate", Body::Duplicate(duplicate)),
        ("presence-connected", presence(PresenceChange::Connected)),
        ("presence-disconnected", presence(PresenceChange::Disconnected)),
        ("presence-lost", presence(PresenceChange::Lost)),
        ("presence-taken-over", presence(PresenceChange::TakenOver)),
        ("presence-refused", presence(PresenceChange::Refused)),
        ("upward", upward(None)),
        ("upward-replayed", upward(Some(1_700_000_002_000_000_000))),
        ("audit", Body::Audit(audit)),
        ("clock-step", Body::ClockStep(ClockStep { jumped_ns: -3_600_000_000_000 })),
        ("mqtt-session", Body::MqttSession(session)),
        (
            "segment-head",
            Body::SegmentHead(SegmentHead { offset: 33_554_432, next: vec![(id(1), 7)] }),
        ),
        (
            "part",
            Body::Part(Part { kind: 2, body_version: 1, number: 1, of: 2, bytes: vec![1, 2] }),
        ),
        ("turned-away", Body::TurnedAway(turned_away())),
        (
            "turned-away-with-subject",
            Body::TurnedAway(TurnedAway { subject: Some("CN=bed 7".into()), ..turned_away() }),
        ),
        ("replayed", Body::Replayed(replayed())),
        ("spoke", Body::Spoke(spoke())),
    ]
}

fn turned_away() -> TurnedAway {
    TurnedAway {
        door: "mqtt".into(),
        remote: "10.0.0.7:50000".into(),
        device: Some(id(7)),
        serial: Some(vec![1, 2, 3]),
        fingerprint: Some([7; 32]),
        reason: "tls:expired".into(),
        words: "the certificate ended three days ago".into(),
        count: 14,
        first_at: at(-60),
        last_at: at(0),
        subject: None,
    }
}

fn spoke() -> Spoke {
    Spoke { device: id(7), door: "https".into(), remote: "10.0.0.7:50000".into() }
}

fn replayed() -> Replayed {
    Replayed {
        letter: id(11),
        by: id(9),
        mended: true,
        outcome: "stored".into(),
        words: "taken in".into(),
    }
}

fn nouns() -> Vec<(&'static str, Wish)> {
    let name = || "Süd 3".to_owned();
    let patient = Patient {
        id: id(8),
        org: id(1),
        record_number: red("P-42"),
        given_name: red("Ilse"),
        family_name: red("Brandt"),
        birth_date: Some(Redacted(Date { year: 1947, month: 2, day: 28 })),
        sex: Sex::Female,
        here_for: red("COPD"),
        spo2_scale: SpO2Scale::Two,
    };
    let user = User {
        id: id(9),
        org: id(1),
        login: "m.okafor".into(),
        role: Role::ChargeNurse,
        staff: Some(id(10)),
        password_hash: Some(red("$argon2id$x")),
        disabled: false,
        patient: None,
    };
    let device = Device {
        id: id(7),
        org: id(1),
        site: id(2),
        care_unit: Some(id(3)),
        profile: "ecg-patch".into(),
        serial: "SN1".into(),
        label: "Patch 1".into(),
        lifecycle: Lifecycle::InService,
    };
    let certificate = Certificate {
        id: id(12),
        device: id(7),
        serial: vec![1, 2, 3],
        not_before: at(0),
        not_after: at(1),
        revoked_at: None,
        fingerprint: None,
    };
    let with_fingerprint = Certificate { fingerprint: Some([7; 32]), ..certificate.clone() };
    vec![
        ("org", Wish::PutOrg(Org { id: id(1), name: name() })),
        ("site", Wish::PutSite(Site { id: id(2), org: id(1), name: name() })),
        ("care-unit", Wish::PutCareUnit(CareUnit { id: id(3), site: id(2), name: name() })),
        ("room", Wish::PutRoom(Room { id: id(4), care_unit: id(3), name: name() })),
        ("bed", Wish::PutBed(Bed { id: id(5), room: id(4), name: "04".into() })),
        ("patient", Wish::PutPatient(patient)),
        ("staff", Wish::PutStaff(Staff { id: id(10), org: id(1), site: id(2), name: red("M") })),
        ("user", Wish::PutUser(user)),
        ("device", Wish::PutDevice(device)),
        (
            "lifecycle",
            Wish::SetLifecycle { device: id(7), lifecycle: Lifecycle::Quarantined, why: None },
        ),
        (
            "lifecycle-2",
            Wish::SetLifecycle {
                device: id(7),
                lifecycle: Lifecycle::Retired,
                why: Some("worn out".into()),
            },
        ),
        ("certificate", Wish::PutCertificate(certificate)),
        ("certificate-2", Wish::PutCertificate(with_fingerprint)),
        ("revoke", Wish::RevokeCertificate(id(12))),
    ]
}

fn acts() -> Vec<(&'static str, Wish)> {
    let line = |value| Association { key: id(7), value, from: at(0), known_at: at(1) };
    let empty = Encounter { key: id(5), value: None, from: at(0), known_at: at(1) };
    let (from, known_at) = (at(0), at(1));
    let charge = Assignment { key: Post::Charge(id(3)), value: Some(id(10)), from, known_at };
    let bed = Assignment { key: Post::Bed(id(5)), value: None, from, known_at };
    let side = LimitSide {
        limit_thousandths: 40_000,
        clears_at_thousandths: 45_000,
        delay: Duration::from_millis(10_500),
        priority: Priority::High,
    };
    let limits = LimitSet { vital: Vital::HeartRate, low: Some(side), high: None };
    let oxygen = Oxygen::Added { flow_ml_per_min: Some(2_000), by: OxygenDevice::NasalCannula };
    let chart = |oxygen| Charting {
        patient: id(8),
        observed_at: at(0),
        consciousness: Some(Consciousness::NewConfusion),
        oxygen: Some(oxygen),
        breaths_per_min: Some(18),
        note: red("restless"),
        feeling: None,
    };
    let quiet_for = Duration::from_secs(120);
    let words = red("probe on the wrong finger");
    let session = Session {
        id: id(13),
        user: id(9),
        token_hash: [9; 32],
        opened_at: from,
        expires_at: known_at,
    };
    vec![
        ("associate", Wish::Associate(line(Subject::Patient(id(8))))),
        ("associate-place-2", Wish::Associate(line(Subject::Place(id(4))))),
        ("associate-nobody-2", Wish::Associate(line(Subject::Nobody))),
        ("occupy", Wish::Occupy(empty)),
        ("occupy-patient-2", Wish::Occupy(Encounter { value: Some(id(8)), ..empty })),
        ("assign", Wish::Assign(charge)),
        ("assign-bed-2", Wish::Assign(bed)),
        ("limits", Wish::SetLimits { patient: id(8), limits }),
        ("spo2-scale", Wish::SetSpO2Scale { patient: id(8), scale: SpO2Scale::One }),
        ("chart", Wish::Chart(chart(oxygen))),
        ("chart-air-2", Wish::Chart(chart(Oxygen::Air))),
        ("acknowledge", Wish::Acknowledge { alarm: id(14), quiet_for }),
        ("end-alarm", Wish::EndAlarm { alarm: id(14), reason: EndReason::Artefact, words }),
        ("invite", Wish::Invite { user: id(9), token_hash: [7; 32], expires_at: at(9) }),
        ("password", Wish::SetPassword { user: id(9), password_hash: red("$argon2id$x") }),
        ("open-session", Wish::OpenSession(session)),
        ("close-session", Wish::CloseSession(id(13))),
    ]
}

fn share() -> Share {
    Share {
        user: id(17),
        patient: id(8),
        login: "anna-77120".into(),
        name: red("Anna"),
        token_hash: [7; 32],
        link_until: at(60),
        until: at(3_600),
    }
}

fn correction(amendment: Amendment) -> Correction {
    Correction {
        id: id(19),
        org: id(1),
        device: id(12),
        channel: "sys".into(),
        from: at(60),
        to: at(61),
        amendment,
        why: CorrectionReason::WrongPatient,
        words: red("the cuff was on bed 3"),
    }
}

fn hold(of: HoldOf) -> Hold {
    Hold { id: id(18), org: id(1), of, why: red("case 4711") }
}

/// What is left where a journal was thinned, and the note of it.
fn thinned() -> [(&'static str, Body); 2] {
    let block = WaveBlock {
        device: id(7),
        channel: "MDC_ECG_ELEC_POTL_II".into(),
        counted: Counted { boot: 3, seq: 41 },
        device_at: at(0),
        device_now: Some(at(1)),
        gateway_at: None,
        clock: Clock::Synchronised { offset_ns: -5 },
        may_be_buffered: true,
        payload: vec![0xa1, 0x01, 0x02],
    };
    let sealed = SealedWave { block, payload_len_bytes: 561, payload_sha256: [7; 32] };
    let segment = ThinnedSegment {
        from: 33_554_000,
        to: 67_108_000,
        blocks: 61_000,
        bytes_before: 33_554_000,
        bytes: 11_000_000,
        oldest: at(0),
        newest: at(600),
        keep_days: Some(30),
        keep_bytes: None,
    };
    [("sealed-wave", Body::SealedWave(sealed)), ("thinned", Body::Thinned(segment))]
}

/// A part of an import with values of both kinds and a doubtful waveform.
fn imported() -> Body {
    let point = |second, value| ImportedPoint { at: at(second), value };
    let values = ImportedValues {
        channel: "MDC_ECG_HEART_RATE".into(),
        code: Some(Code::Mdc(147_842)),
        ucum: "/min".into(),
        points: vec![
            point(-60, Ok((720, -1))),
            point(-59, Err(MissingReason::SensorDetached)),
            point(-58, Ok((i64::MIN, i8::MIN))),
        ],
    };
    let wave = ImportedWave {
        channel: "MDC_ECG_ELEC_POTL_II".into(),
        code: None,
        ucum: "mV".into(),
        at: at(-60),
        rate_hz: (360, 1),
        gain: (5, -3),
        offset: -7,
        samples: vec![0, -1, i32::MAX, i32::MIN],
        doubts: vec![ImportedDoubt { start: 1, len: 2, reason: MissingReason::NotMeasured }],
    };
    Body::Imported(Imported {
        import: id(19),
        by: id(9),
        device: id(7),
        file: "100.hea".into(),
        sha256: [7; 32],
        form: "wfdb".into(),
        values: vec![values],
        waves: vec![wave],
    })
}

/// What the program notes about itself.
fn noted() -> Vec<(&'static str, Wish)> {
    let pulse = Pulse {
        messages_per_ks: 180_000,
        readings_per_ks: 420_000,
        durable_p99_us: 14_100,
        decided_p99_us: 16_000,
        journal_bytes: 76_400_000,
        connections: 14,
        started_at: at(0),
    };
    let disk = DiskNote {
        level: DiskLevel::NearlyFull,
        used_percent: 81,
        free_bytes: 190_000_000,
        total_bytes: 1_000_000_000,
    };
    vec![("pulse", Wish::NotePulse(pulse)), ("note-disk", Wish::NoteDisk(disk))]
}

/// What the screens of the house ask for.
fn house() -> Vec<(&'static str, Wish)> {
    let own = User {
        role: Role::Patient,
        staff: None,
        patient: Some(id(8)),
        password_hash: None,
        id: id(9),
        org: id(1),
        login: "m.okafor".into(),
        disabled: false,
    };
    let side = LimitSide {
        limit_thousandths: 40_000,
        clears_at_thousandths: 45_000,
        delay: Duration::from_millis(10_500),
        priority: Priority::High,
    };
    let limits = LimitSet { vital: Vital::HeartRate, low: Some(side), high: None };
    let felt = Charting {
        patient: id(8),
        observed_at: at(0),
        consciousness: None,
        oxygen: None,
        breaths_per_min: None,
        note: red("restless"),
        feeling: Some(Feeling::BitWorse),
    };
    let (care_unit, vital) = (id(3), Vital::HeartRate);
    let band = Some(AgeBand::Older);
    let note = PostNote { post: Post::Bed(id(5)), note: red("wants the window open") };
    let hand_over = HandOver { id: id(15), care_unit, from: id(10), to: id(11), posts: vec![note] };
    let emergency = EmergencyAccess {
        id: id(16),
        patient: id(8),
        reason: EmergencyReason::CalledToHelp,
        words: red("Tom asked me to look"),
    };
    let dose = NextDose { patient: id(8), due_at: at(3_600), words: red("1 g paracetamol") };
    vec![
        ("share", Wish::Share(share())),
        ("end-share", Wish::EndShare(id(17))),
        ("put-hold", Wish::PutHold(hold(HoldOf::Patient(id(8))))),
        ("put-hold-span-2", Wish::PutHold(hold(HoldOf::Received { from: at(0), to: at(60) }))),
        ("correct", Wish::Correct(correction(Amendment::Withdraw))),
        (
            "correct-replace-2",
            Wish::Correct(correction(Amendment::Replace {
                mantissa: 1_225,
                exp10: -1,
                ucum: "mm[Hg]".into(),
            })),
        ),
        ("correct-undo-2", Wish::Correct(correction(Amendment::Undo(id(20))))),
        ("end-hold", Wish::EndHold { hold: id(18), why: red("the case was closed") }),
        ("user-patient-2", Wish::PutUser(own)),
        ("chart-feeling-2", Wish::Chart(felt)),
        ("unit-limits", Wish::SetUnitLimits { care_unit, band, limits }),
        ("unit-limits-any-age-2", Wish::SetUnitLimits { care_unit, band: None, limits }),
        ("clear-unit-limits", Wish::ClearUnitLimits { care_unit, band, vital }),
        ("clear-limits", Wish::ClearLimits { patient: id(8), vital }),
        ("offer-hand-over", Wish::OfferHandOver(hand_over)),
        ("accept-hand-over", Wish::AcceptHandOver(id(15))),
        ("end-hand-over", Wish::EndHandOver(id(15))),
        ("open-in-emergency", Wish::OpenInEmergency(emergency)),
        ("review-emergency", Wish::ReviewEmergency(id(16))),
        ("plan-dose", Wish::PlanDose(dose)),
        ("clear-dose", Wish::ClearDose(id(8))),
    ]
}

/// One body of each shape, by the name of its golden line.
pub(crate) fn golden_bodies() -> Vec<(String, Body)> {
    let wishes = nouns()
        .into_iter()
        .chain(acts())
        .chain(house())
        .chain(noted())
        .chain(super::device_samples::wishes())
        .map(|(name, wish)| {
            (format!("wish-{name}"), Body::Command(Command { actor: Actor::User(id(1)), wish }))
        });
    let by_system = Command { actor: Actor::System, wish: Wish::RevokeCertificate(id(12)) };
    let inputs = inputs().into_iter().map(|(name, body)| (name.to_owned(), body));
    inputs
        .chain(thinned().map(|(name, body)| (name.to_owned(), body)))
        .chain([("imported".to_owned(), imported())])
        .chain(report_samples::reports().into_iter().map(|(name, body)| (name.to_owned(), body)))
        .chain(mqtt_samples::golden().into_iter().map(|(name, body)| (name.to_owned(), body)))
        .chain(wishes)
        .chain([("wish-revoke-system-2".into(), Body::Command(by_system))])
        .collect()
}

pub(super) fn any_id<K: Kind + std::fmt::Debug>() -> impl Strategy<Value = Id<K>> {
    any::<(i64, u128)>()
        .prop_map(|(nanos, random)| Id::v7(Timestamp::from_unix_nanos(nanos), random))
}

pub(super) fn any_at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_nanos)
}

fn any_clock() -> impl Strategy<Value = Clock> {
    option::of(any::<i64>()).prop_map(|offset| match offset {
        Some(offset_ns) => Clock::Synchronised { offset_ns },
        None => Clock::Unsynchronised,
    })
}

fn any_counted() -> impl Strategy<Value = Counted> {
    any::<(u64, u64)>().prop_map(|(boot, seq)| Counted { boot, seq })
}

fn any_code() -> impl Strategy<Value = Code> {
    prop_oneof![
        any::<u32>().prop_map(Code::Mdc),
        any::<(u32, u8)>().prop_map(|(number, check)| Code::Loinc(number, check)),
    ]
}

fn any_reason() -> impl Strategy<Value = MissingReason> {
    use MissingReason::{
        DeviceFault, Implausible, NotMeasured, OutOfRange, PoorSignal, SensorDetached, Unknown,
        WarmingUp,
    };
    prop::sample::select(vec![
        SensorDetached,
        DeviceFault,
        Implausible,
        OutOfRange,
        PoorSignal,
        WarmingUp,
        NotMeasured,
        Unknown,
    ])
}

fn any_sample() -> impl Strategy<Value = SampleAt> {
    let measured = (any_code(), any::<i64>(), any::<i8>(), "(%|/min|mm\\[Hg\\]|.{0,4})").prop_map(
        |(kind, mantissa, exp10, ucum)| {
            Sample::Measured(Measure { kind, mantissa, exp10, ucum: ucum.as_str().into() })
        },
    );
    let missing = any_reason().prop_map(Sample::Missing);
    // Few names, so that lines of the table are shared.
    ("[ab]{0,2}", any::<i64>(), prop_oneof![measured, missing], any::<Option<Vec<u8>>>()).prop_map(
        |(channel, device_at_delta_ns, sample, refused)| {
            let channel = channel.as_str().into();
            SampleAt { channel, device_at_delta_ns, sample, refused }
        },
    )
}

fn any_readings() -> impl Strategy<Value = Readings> {
    let times = (any_at(), option::of(any_at()), option::of(any_at()));
    let head = (any_id(), option::of(any_counted()), times, any_clock(), any::<bool>());
    (head, vec(any_sample(), 0..20)).prop_map(
        |((device, counted, times, clock, buffers), samples)| {
            let (device_at, device_now, gateway_at) = times;
            let may_be_buffered = buffers;
            Readings {
                device,
                counted,
                device_at,
                device_now,
                gateway_at,
                clock,
                may_be_buffered,
                samples,
            }
        },
    )
}

fn any_wave() -> impl Strategy<Value = WaveBlock> {
    let times = (any_at(), option::of(any_at()), option::of(any_at()));
    (any_id(), any::<String>(), any_counted(), times, any_clock(), any::<(bool, Vec<u8>)>())
        .prop_map(|(device, channel, counted, times, clock, (may_be_buffered, payload))| {
            let channel = channel.as_str().into();
            let (device_at, device_now, gateway_at) = times;
            WaveBlock {
                device,
                channel,
                counted,
                device_at,
                device_now,
                gateway_at,
                clock,
                may_be_buffered,
                payload,
            }
        })
}

fn any_dead_letter() -> impl Strategy<Value = DeadLetter> {
    (
        any_id(),
        option::of(any_id()),
        any::<[String; 4]>(),
        any::<Option<String>>(),
        any::<Vec<u8>>(),
    )
        .prop_map(|(id, device, [door, topic, reason, explanation], content_type, payload)| {
            DeadLetter { id, device, door, topic, content_type, reason, explanation, payload }
        })
}

fn any_actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        any_id().prop_map(Actor::User),
        any_id().prop_map(Actor::Device),
        Just(Actor::System),
    ]
}

/// The golden wishes with other ids, times and texts; their shapes are few and fixed.
fn any_wish() -> impl Strategy<Value = Wish> {
    let fixed = nouns().into_iter().chain(acts()).map(|(_, wish)| wish).collect::<Vec<_>>();
    prop_oneof![
        prop::sample::select(fixed),
        (any_id(), any::<String>()).prop_map(|(id, name)| Wish::PutOrg(Org { id, name })),
        (any_id(), any_id(), any_at(), any_at()).prop_map(|(key, patient, from, known_at)| {
            Wish::Associate(Association { key, value: Subject::Patient(patient), from, known_at })
        }),
        (any_id(), any::<(u64, u32)>()).prop_map(|(alarm, (secs, nanos))| {
            let quiet_for = Duration::new(secs, nanos % 1_000_000_000);
            Wish::Acknowledge { alarm, quiet_for }
        }),
        (any_id(), any::<[u8; 32]>(), any_at()).prop_map(|(user, token_hash, expires_at)| {
            Wish::Invite { user, token_hash, expires_at }
        }),
        (any_id(), any::<i16>(), any::<(u8, u8)>(), any::<String>()).prop_map(
            |(id, year, (month, day), name)| {
                let Some(Wish::PutPatient(patient)) = nouns()
                    .into_iter()
                    .map(|noun| noun.1)
                    .find(|wish| matches!(wish, Wish::PutPatient(_)))
                else {
                    unreachable!()
                };
                let birth_date = Some(Redacted(Date { year, month, day }));
                Wish::PutPatient(Patient { id, birth_date, here_for: Redacted(name), ..patient })
            }
        ),
    ]
}

/// Any body of any kind.
pub(crate) fn any_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        any_readings().prop_map(Body::Readings),
        any_wave().prop_map(Body::Wave),
        any_dead_letter().prop_map(Body::DeadLetter),
        (any_id(), option::of(any_counted()), any::<Option<String>>(), any::<u32>()).prop_map(
            |(device, counted, channel, samples)| {
                let channel = channel.map(|channel| channel.as_str().into());
                Body::Duplicate(Duplicate { device, counted, channel, samples })
            }
        ),
        (any_id(), any::<(String, Option<String>, Vec<u8>, Option<i64>)>()).prop_map(
            |(device, (leaf, content_type, payload, at))| {
                let gateway_at = at.map(Timestamp::from_unix_nanos);
                Body::Upward(Upward { device, leaf, content_type, payload, gateway_at })
            }
        ),
        (any_actor(), any_wish()).prop_map(|(actor, wish)| Body::Command(Command { actor, wish })),
        (any_actor(), option::of(any_id()), any::<[String; 4]>(), any::<bool>()).prop_map(
            |(actor, patient, [action, resource, rule, remote], allowed)| {
                Body::Audit(AuditEntry { actor, action, patient, resource, allowed, rule, remote })
            }
        ),
        report_samples::any_report(),
        any::<i64>().prop_map(|jumped_ns| Body::ClockStep(ClockStep { jumped_ns })),
        mqtt_samples::any_mqtt(),
        (any::<u64>(), vec((any_id(), any::<u64>()), 0..9))
            .prop_map(|(offset, next)| Body::SegmentHead(SegmentHead { offset, next })),
        any::<(u16, u8, u32, u32, Vec<u8>)>().prop_map(
            |(kind, body_version, number, of, bytes)| {
                Body::Part(Part { kind, body_version, number, of, bytes })
            }
        ),
        prop::sample::select(golden_bodies()).prop_map(|(_, body)| body),
    ]
}
