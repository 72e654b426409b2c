//! Every reason for which a block stays, one at a time, and none of them.

use std::sync::Arc;

use ::record::{Actor, Counted, WaveBlock};
use model::{ClockUsed, Hold, Id, Kind, Redacted, Ucum};
use proptest::prelude::*;
use protocols::wave::{Block, Encoding, Epoch, encode, pack};
use store::{Invalid, Marks};

use super::*;
use crate::{core::left_of, directory::HoldState};

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_millis(second * 1_000)
}

const fn place(bytes: u64) -> LogOffset {
    LogOffset::from_bytes(bytes)
}

fn form(second: i64) -> SealedForm {
    let span = WaveSpan {
        at: at(second),
        received_at: at(second + 1),
        rate_hz: (250, 1),
        gain: (1, -3),
        offset: 0,
        samples: Arc::new([1, -2, 3]),
        invalid: Arc::new([]),
        marks: Marks { clock: ClockUsed::Device, age_known: true, late: false },
    };
    SealedForm { span, ucum: Ucum::new("mV"), is_finer: false, sample_bytes: 6 }
}

fn sealed(forms: &[SealedForm]) -> Sealed {
    let stretch = |form: &SealedForm| Stretch {
        kind: None,
        ucum: form.ucum.clone(),
        items: vec![form.span.clone()],
    };
    Sealed::Stretches(forms.iter().map(stretch).collect())
}

fn line(device: u128, patient: u128, from: i64, known_at: i64) -> Association {
    let value = Subject::Patient(id(patient));
    Association { key: id(device), value, from: at(from), known_at: at(known_at) }
}

/// A monitor that was said to be on patient 7, and a minute later that it never was.
fn directory(holds: Vec<HoldOf>) -> Directory {
    let lines = vec![line(1, 7, 0, 0), line(1, 8, 0, 60)];
    let state = |(number, of)| {
        let hold = Hold { id: id(number), org: id(99), of, why: Redacted("case 1".to_owned()) };
        let (by, since) = (Actor::System, at(0));
        (hold.id, HoldState { hold, by, since, ended: None })
    };
    let holds = (1..).zip(holds).map(state).collect();
    Directory { associations: [(id(1), lines)].into(), holds, ..Directory::default() }
}

fn judge(holds: Vec<HoldOf>) -> Judge {
    Judge::new(at(100), &directory(holds), place(900), place(800))
}

fn placed(offset: u64, device: u128, form: Option<&SealedForm>) -> Placed<'_> {
    let received_at = form.map_or(at(0), |form| form.span.received_at);
    Placed { offset: place(offset), device: id(device), received_at, form }
}

#[test]
fn a_block_goes_only_if_nothing_at_all_keeps_it() {
    let old = form(10);
    let found = sealed(&[form(9), old.clone()]);
    let says = |offset, form: &SealedForm, found: &Sealed| {
        judge(vec![]).judge(&placed(offset, 1, Some(form)), found)
    };
    for (offset, expected) in [
        (200, None),
        (800, None),
        (801, Some(Stays::Newest)),
        (900, Some(Stays::Newest)),
        (901, Some(Stays::Unsealed)),
    ] {
        assert_eq!(says(offset, &old, &found), expected, "{offset}");
    }
    for (second, expected) in [(98, None), (99, Some(Stays::Recent)), (500, Some(Stays::Recent))] {
        let young = form(second);
        assert_eq!(says(200, &young, &sealed(std::slice::from_ref(&young))), expected, "{second}");
    }
    let finer = SealedForm { is_finer: true, ..old.clone() };
    assert_eq!(says(200, &finer, &found), Some(Stays::Finer));
    assert_eq!(says(200, &old, &Sealed::Damaged), Some(Stays::Damaged));
    assert_eq!(says(200, &old, &sealed(&[form(9), form(11)])), Some(Stays::Missing));
    assert_eq!(judge(vec![]).judge(&placed(200, 1, None), &found), Some(Stays::Unreadable));
}

#[test]
fn whatever_a_chunk_says_otherwise_is_told_however_young_the_block_is() {
    let wanted = form(200);
    let span = &wanted.span;
    let mut later = span.marks;
    later.late = true;
    let off = Invalid { start: 0, len: 1, reason: model::MissingReason::SensorDetached };
    for other in [
        WaveSpan { rate_hz: (500, 2), ..span.clone() },
        WaveSpan { gain: (10, -4), ..span.clone() },
        WaveSpan { offset: 1, ..span.clone() },
        WaveSpan { samples: Arc::new([1, -2, 4]), ..span.clone() },
        WaveSpan { samples: Arc::new([1, -2]), ..span.clone() },
        WaveSpan { invalid: Arc::new([off]), ..span.clone() },
        WaveSpan { marks: later, ..span.clone() },
    ] {
        let other = SealedForm { span: other, ..wanted.clone() };
        let said = judge(vec![])
            .judge(&placed(850, 1, Some(&wanted)), &sealed(std::slice::from_ref(&other)));
        assert_eq!(said, Some(Stays::Differs), "{other:?}");
        // Beside the right one it is another block of the same instant.
        let both = sealed(&[other, wanted.clone()]);
        let said = judge(vec![]).judge(&placed(850, 1, Some(&wanted)), &both);
        assert_eq!(said, Some(Stays::Newest));
    }
    let unit = SealedForm { ucum: Ucum::new("uV"), ..wanted.clone() };
    let said = judge(vec![]).judge(&placed(200, 1, Some(&wanted)), &sealed(&[unit]));
    assert_eq!(said, Some(Stays::Differs));
}

#[test]
fn a_hold_keeps_every_device_that_was_ever_said_to_be_on_the_patient() {
    let old = form(10);
    let found = sealed(std::slice::from_ref(&old));
    let says = |holds, device| judge(holds).judge(&placed(200, device, Some(&old)), &found);
    // The line that was corrected holds as the one that corrects it does.
    for patient in [7, 8] {
        assert_eq!(says(vec![HoldOf::Patient(id(patient))], 1), Some(Stays::Held), "{patient}");
        assert_eq!(says(vec![HoldOf::Patient(id(patient))], 2), None, "{patient}");
    }
    assert_eq!(says(vec![HoldOf::Patient(id(9))], 1), None);
    let span = |from, to| vec![HoldOf::Received { from: at(from), to: at(to) }];
    for (from, to, expected) in [
        (11, 12, Some(Stays::Held)),
        (0, 11, None),
        (12, 99, None),
        (0, 12, Some(Stays::Held)),
        (11, 11, None),
    ] {
        assert_eq!(says(span(from, to), 2), expected, "{from} to {to}");
    }
    assert_eq!(says([span(0, 1), vec![HoldOf::Patient(id(7))]].concat(), 1), Some(Stays::Held));
}

#[test]
fn a_hold_that_was_ended_keeps_nothing_any_more() {
    let old = form(10);
    let mut directory = directory(vec![HoldOf::Patient(id(7))]);
    for state in directory.holds.values_mut() {
        state.ended = Some((Actor::System, at(90)));
    }
    let judge = Judge::new(at(100), &directory, place(900), place(800));
    assert_eq!(judge.judge(&placed(200, 1, Some(&old)), &sealed(std::slice::from_ref(&old))), None);
}

/// A block of 25 samples and what is sealed of it.
fn block(encoding: Encoding) -> (WaveBlock, SealedForm) {
    let samples: Vec<i32> = (0..25).map(|it| it * 3 - 40).collect();
    let payload = encode(&Block {
        device: id(1),
        channel: "ECG",
        lead: Some("II"),
        seq: 4,
        boot: 1,
        t0: at(10),
        epoch: Epoch::Utc,
        rate_hz: (250, 1),
        count: 25,
        gain: (1, -3),
        offset: 0,
        unit: "mV",
        bits: 16,
        encoding,
        samples: &pack(&samples, encoding),
        validity: vec![],
        filters: None,
        time_quality: None,
        now: None,
    });
    let block = WaveBlock {
        device: id(1),
        channel: "ECG".into(),
        counted: Counted { boot: 1, seq: 4 },
        device_at: at(10),
        device_now: None,
        gateway_at: None,
        clock: model::Clock::Synchronised { offset_ns: 0 },
        may_be_buffered: false,
        payload,
    };
    let form = SealedForm::of(&block, at(11)).unwrap();
    (block, form)
}

#[test]
fn what_is_left_of_a_block_and_its_chunk_make_it_again_or_say_that_they_do_not() {
    for encoding in [Encoding::Int16Le, Encoding::Int24Le, Encoding::DeltaVarint] {
        let (block, form) = block(encoding);
        let left = left_of(&block, &form.span.samples).unwrap();
        assert!(left.block.payload.len() < block.payload.len());
        assert_eq!(made_again(&left, &form.span.samples), Some(block.clone()));
        let when = (form.span.at, at(11));
        let says = |forms: &[SealedForm]| sealed(forms).lacks_of(&left, when);
        assert_eq!(says(&[self::form(9), form.clone()]), None);
        assert_eq!(says(&[]), Some(Stays::Missing));
        assert_eq!(Sealed::Damaged.lacks_of(&left, when), Some(Stays::Damaged));
        assert_eq!(Sealed::Crowded.lacks_of(&left, when), Some(Stays::Crowded));
        let mut samples = form.span.samples.to_vec();
        samples[7] += 1;
        let span = &form.span;
        for other in [
            WaveSpan { samples: samples.into(), ..span.clone() },
            WaveSpan { samples: Arc::new([]), ..span.clone() },
            WaveSpan { gain: (1, -2), ..span.clone() },
            WaveSpan { rate_hz: (500, 1), ..span.clone() },
        ] {
            let other = SealedForm { span: other, ..form.clone() };
            assert_eq!(says(std::slice::from_ref(&other)), Some(Stays::Differs), "{other:?}");
            assert_eq!(says(&[other, form.clone()]), None);
        }
        let unit = SealedForm { ucum: Ucum::new("uV"), ..form.clone() };
        assert_eq!(says(&[unit]), Some(Stays::Differs));
    }
    let (floats, form) = block(Encoding::Float32Le);
    assert!(form.is_finer && left_of(&floats, &form.span.samples).is_none());
}

#[test]
fn a_minute_that_is_too_full_to_be_read_keeps_its_block_and_is_no_fault() {
    let why = judge(vec![]).judge(&placed(200, 1, Some(&form(10))), &Sealed::Crowded);
    assert!(why == Some(Stays::Crowded) && !Stays::Crowded.is_fault());
}

proptest! {
    #[test]
    fn more_holds_and_a_later_bound_never_let_a_block_go(
        second in 0_i64..120,
        offset in 0_u64..1_000,
        bound in 0_i64..120,
        holds in prop::collection::vec((any::<bool>(), 0_i64..120, 0_i64..120), 0..4),
    ) {
        let one = form(second);
        let found = sealed(std::slice::from_ref(&one));
        let holds: Vec<HoldOf> = holds
            .into_iter()
            .map(|(patient, from, to)| match patient {
                true => HoldOf::Patient(id(u128::try_from(from % 10).unwrap())),
                false => HoldOf::Received { from: at(from), to: at(to) },
            })
            .collect();
        let stays = |received_before, holds: &[HoldOf]| {
            let directory = directory(holds.to_vec());
            let judge = Judge::new(received_before, &directory, place(900), place(800));
            judge.judge(&placed(offset, 1, Some(&one)), &found).is_some()
        };
        if stays(at(bound), &holds[..holds.len() / 2]) {
            prop_assert!(stays(at(bound), &holds));
            prop_assert!(stays(at(bound / 2), &holds));
        }
    }
}
