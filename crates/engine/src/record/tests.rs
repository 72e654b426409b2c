//! The bytes of decisions: as they were first written, and as they come back.

use care::{
    alarm::{Change, End, EndedBy, Transition, Verdict},
    kind::AlarmKind,
    limit::Side,
};
use model::{EndReason, Id, Kind, Vital};
use proptest::prelude::*;

use super::*;
use crate::core::About;

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0000 | tail).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000 + second * 1_000)
}

fn key(kind: AlarmKind) -> AlarmKey {
    AlarmKey::new(About::Patient(id(7)), kind)
}

fn changed(change: Change) -> Decision {
    let raised = Raised {
        title: "SpO₂ low 84 %".into(),
        detail: "below 88".into(),
        priority: Priority::High,
        latching: false,
        patient: Some(id(7)),
        care_unit: Some(id(8)),
        device: None,
    };
    let is_end = matches!(change, Change::Ended(_));
    Decision::Alarm(Box::new(AlarmChanged {
        alarm: Some(id(9)),
        key: key(AlarmKind::Limit(Vital::Saturation, Side::Low)),
        step: Transition { at: at(1), change },
        raised: (change == Change::Raised).then_some(raised),
        by: is_end.then(|| id(10)),
        words: is_end.then(|| Redacted("cold finger".into())),
    }))
}

/// One of every decision and of every change.
fn every() -> Vec<Decision> {
    let (by, until) = (id(11), at(60));
    let mut all = vec![
        Decision::Accepted,
        Decision::Refused(Refusal { reason: Reason::NotUnique, words: "taken".into() }),
        Decision::Called(Called {
            alarm: id(9),
            key: key(AlarmKind::Asystole),
            at: at(2),
            step: 1,
            passed: 1,
            staff: vec![(id(11), ToldAs::AssignedNurse), (id(12), ToldAs::ChargeNurse)],
        }),
        Decision::Weighed(Weighed {
            key: AlarmKey { sensor: Some(Vital::Saturation), ..key(AlarmKind::NoSignal) },
            verdict: Verdict::Holds,
            at: at(3),
            device: Some(id(13)),
        }),
        Decision::Scored(Scored {
            patient: id(7),
            at: at(4),
            total: None,
            single_red: true,
            missing: vec![News2Input::Oxygen, News2Input::Consciousness],
        }),
        Decision::TimePassed(at(5)),
        Decision::Noticed(Notice::Listening { at: at(6) }),
        Decision::Noticed(Notice::Recording { recording: Recording::DiskFull, at: at(7) }),
        Decision::Noticed(Notice::Pace { site: id(14), took: Duration::from_secs(3), at: at(8) }),
    ];
    all.extend(
        [
            Change::Began,
            Change::Subsided,
            Change::Raised,
            Change::Escalated { step: 2, passed: 1 },
            Change::Acknowledged { by, until },
            Change::AcknowledgementExpired,
            Change::SignalLost,
            Change::SignalFound,
            Change::Ended(End::ConditionOver),
            Change::Ended(End::Superseded(id(15))),
            Change::Ended(End::ByPerson(EndedBy::Staff(by), EndReason::Artefact)),
            Change::Ended(End::ByPerson(EndedBy::Entry, EndReason::PatientLeft)),
        ]
        .map(changed),
    );
    all.push(Decision::Noticed(Notice::Unrecorded { since: at(9), until: at(10) }));
    all
}

fn decisions(list: Vec<Decision>) -> Decisions {
    let cause = Position { partition: id(1), seq: 300 };
    Decisions { cause, after: LogOffset::from_bytes(70_000), first_index: 2, list }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Version 1, one line for each decision as the first release wrote it. This text never changes.
const GOLDEN: &str = include_str!("golden-1.txt");

#[test]
fn version_1_reads_and_writes_as_it_always_did() {
    let written: Vec<String> = every()
        .into_iter()
        .map(|one| {
            let (kind, version, bytes) = decisions(vec![one]).encode();
            assert_eq!((kind, version), (0x1000, 1));
            hex(&bytes)
        })
        .collect();
    if std::env::var_os("UPDATE").is_some() && GOLDEN.is_empty() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/record/golden-1.txt");
        std::fs::write(path, written.join("\n") + "\n").unwrap();
        return;
    }
    assert_eq!(written, GOLDEN.lines().collect::<Vec<_>>());
    for (line, want) in GOLDEN.lines().zip(every()) {
        let bytes: Vec<u8> = (0..line.len() / 2)
            .map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert_eq!(Decisions::decode(0x1000, 1, &bytes), Ok(decisions(vec![want])));
    }
}

#[test]
fn all_of_a_turn_stand_in_one_body_and_keep_their_names() {
    let all = decisions(every());
    let (kind, version, bytes) = all.encode();
    let read = Decisions::decode(kind, version, &bytes).unwrap();
    assert_eq!(read, all);
    let named: Vec<_> = read.into_decided().map(|one| one.effect.index).collect();
    assert_eq!(named, (2..2 + 22).collect::<Vec<_>>());
}

#[test]
fn every_kind_of_alarm_has_a_number_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for kind in AlarmKind::all() {
        let (number, vital) = stored::number_of(kind);
        assert!(seen.insert((number, vital)), "{kind:?}");
        assert_eq!(stored::kind_of(number, vital), Ok(kind));
    }
    assert!(stored::kind_of(99, None).is_err());
    assert!(stored::kind_of(100, None).is_err(), "a limit without its vital");
}

#[test]
fn a_body_of_the_future_is_refused_by_name() {
    let (_, _, bytes) = decisions(every()).encode();
    let error = Decisions::decode(0x1000, 2, &bytes).unwrap_err().to_string();
    assert_eq!(error, "version 2 of body kind 4096 is not known to this program");
    let error = Decisions::decode(0x1001, 1, &bytes).unwrap_err().to_string();
    assert_eq!(error, "body kind 4097 is not known to this program");
    let longer = [&bytes[..], &[0]].concat();
    assert!(Decisions::decode(0x1000, 1, &longer).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
        let _ = Decisions::decode(0x1000, 1, &bytes);
        let (_, _, mut good) = decisions(every()).encode();
        let at = at.index(good.len());
        good[at] = byte;
        let _ = Decisions::decode(0x1000, 1, &good);
    }
}
