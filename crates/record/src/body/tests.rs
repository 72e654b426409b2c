//! Bodies keep their bytes: golden ones by kind and version, and any that proptest finds.

use std::{collections::BTreeMap, time::Duration};

use model::AlarmId;
use proptest::prelude::*;

use super::*;
use crate::{
    Actor, Wish,
    body::samples::{any_body, golden_bodies, id},
};

/// Bodies of version 1 as the first release wrote them. A line never changes; new lines follow.
const GOLDEN: &str = include_str!("../../golden/v1.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn every_body_reads_and_writes_as_it_always_did() {
    let mut golden: BTreeMap<&str, &str> =
        GOLDEN.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let mut strays = String::new();
    for (name, body) in golden_bodies() {
        let (kind, version, written) = body.encode();
        let line = format!("{kind} {version} {}", hex(&written));
        if golden.remove(name.as_str()) != Some(line.as_str()) {
            strays += &format!("{name} {line}\n");
        }
        assert_eq!(Body::decode(kind, version, &written), Ok(body), "{name}");
    }
    assert!(strays.is_empty(), "written otherwise than golden/v1.txt says:\n{strays}");
    // What a past version wrote is still read, even if nothing writes it any more.
    for (name, line) in golden {
        let mut words = line.split(' ');
        let mut number = || words.next().unwrap().parse::<u16>().unwrap();
        let (kind, version) = (number(), u8::try_from(number()).unwrap());
        let read = Body::decode(kind, version, &bytes(words.next().unwrap()));
        assert!(read.is_ok(), "{name}: {read:?}");
    }
}

#[test]
fn an_unknown_kind_or_version_is_refused_by_name() {
    let check = |kind, version, want: &str| {
        assert_eq!(Body::decode(kind, version, &[0xa0]).unwrap_err().to_string(), want);
    };
    check(0, 0, "body kind 0 is not known to this program");
    check(99, 1, "body kind 99 is not known to this program");
    check(DECISIONS_FROM, 1, "body kind 4096 is not known to this program");
    check(Kinds::READINGS, 2, "version 2 of body kind 1 is not known to this program");
    check(Kinds::CLOCK_STEP, 0, "version 0 of body kind 9 is not known to this program");
    check(Kinds::CLOCK_STEP, 1, "the body is malformed: `jumped_ns` is not there");
}

#[test]
fn bytes_after_the_body_are_refused() {
    let (kind, version, mut bytes) = Body::ClockStep(ClockStep { jumped_ns: 7 }).encode();
    bytes.push(0);
    let error = Body::decode(kind, version, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "the body is malformed: bytes are left over");
}

#[test]
fn a_reader_of_today_reads_a_field_of_tomorrow() {
    // The clock step of a later release, with a text under key 1.
    let bytes = bytes("a2000701626869");
    let read = Body::decode(Kinds::CLOCK_STEP, 1, &bytes);
    assert_eq!(read, Ok(Body::ClockStep(ClockStep { jumped_ns: 7 })));
}

#[test]
fn a_message_spells_its_channels_once() {
    let one = crate::body::samples::readings(1, 3);
    let many = crate::body::samples::readings(100, 3);
    let len = |readings: Readings| Body::Readings(readings).encode().2.len();
    let per_sample = (len(many) - len(one)) / (99 * 3);
    assert!(per_sample <= 13, "{per_sample} bytes for each further sample");
}

#[test]
fn a_sample_that_names_no_line_is_refused() {
    let (kind, version, whole) = Body::Readings(crate::body::samples::readings(1, 1)).encode();
    let mut bytes = whole.clone();
    // The last sample is [0, 0, 72, 0]; it now names line 1 of a table of one.
    let at = bytes.len() - 5;
    assert_eq!(bytes[at..], [0x00, 0x00, 0x18, 72, 0x00]);
    bytes[at] = 1;
    let error = Body::decode(kind, version, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "the body is malformed: a sample names no line");
}

proptest! {
    #[test]
    fn every_body_comes_back_as_it_was(body in any_body()) {
        let (kind, version, written) = body.encode();
        prop_assert_eq!(kind, body.kind());
        prop_assert_eq!(Body::decode(kind, version, &written), Ok(body));
    }

    #[test]
    fn no_bytes_panic(kind in 0_u16..14, version in 0_u8..3, bytes: Vec<u8>) {
        let _ = Body::decode(kind, version, &bytes);
    }

    #[test]
    fn a_damaged_body_gives_an_error_or_another_body(
        body in any_body(), at: prop::sample::Index, to: u8, cut: prop::sample::Index,
    ) {
        let (kind, version, mut written) = body.encode();
        let mut whole = written.clone();
        let at = at.index(written.len());
        written[at] = to;
        if let Ok(other) = Body::decode(kind, version, &written) {
            let (kind, version, again) = other.encode();
            prop_assert_eq!(Body::decode(kind, version, &again), Ok(other));
        }
        whole.truncate(cut.index(whole.len()));
        prop_assert!(Body::decode(kind, version, &whole).is_err());
    }
}

#[test]
fn each_wish_that_can_be_made_is_among_the_golden_ones() {
    let (user, alarm): (_, AlarmId) = (id(1), id(2));
    // A new variant stops the build here, and asks for its line.
    let name = |wish: &Wish| match wish {
        Wish::PutOrg(_) => "org",
        Wish::PutSite(_) => "site",
        Wish::PutCareUnit(_) => "care-unit",
        Wish::PutRoom(_) => "room",
        Wish::PutBed(_) => "bed",
        Wish::PutPatient(_) => "patient",
        Wish::PutStaff(_) => "staff",
        Wish::PutUser(_) => "user",
        Wish::PutDevice(_) => "device",
        Wish::SetLifecycle { .. } => "lifecycle",
        Wish::PutCertificate(_) => "certificate",
        Wish::RevokeCertificate(_) => "revoke",
        Wish::Associate(_) => "associate",
        Wish::Occupy(_) => "occupy",
        Wish::Assign(_) => "assign",
        Wish::SetLimits { .. } => "limits",
        Wish::SetSpO2Scale { .. } => "spo2-scale",
        Wish::Chart(_) => "chart",
        Wish::Acknowledge { .. } => "acknowledge",
        Wish::EndAlarm { .. } => "end-alarm",
        Wish::Invite { .. } => "invite",
        Wish::SetPassword { .. } => "password",
        Wish::OpenSession(_) => "open-session",
        Wish::CloseSession(_) => "close-session",
        Wish::SetUnitLimits { .. } => "unit-limits",
        Wish::ClearUnitLimits { .. } => "clear-unit-limits",
        Wish::ClearLimits { .. } => "clear-limits",
        Wish::OfferHandOver(_) => "offer-hand-over",
        Wish::AcceptHandOver(_) => "accept-hand-over",
        Wish::EndHandOver(_) => "end-hand-over",
        Wish::NotePulse(_) => "pulse",
        Wish::NoteDisk(_) => "note-disk",
        Wish::SendCommand(_) => "send-command",
        Wish::SecondCommand(_) => "second-command",
        Wish::WithdrawCommand(_) => "withdraw-command",
        Wish::Configure(_) => "configure",
        Wish::Bind(_) => "bind",
        Wish::OfferClaim { .. } => "offer-claim",
        Wish::Claim { .. } => "claim",
        Wish::OpenInEmergency(_) => "open-in-emergency",
        Wish::ReviewEmergency(_) => "review-emergency",
        Wish::PlanDose(_) => "plan-dose",
        Wish::ClearDose(_) => "clear-dose",
        Wish::Share(_) => "share",
        Wish::EndShare(_) => "end-share",
        Wish::PutHold(_) => "put-hold",
        Wish::EndHold { .. } => "end-hold",
        Wish::Correct(_) => "correct",
    };
    let wish = Wish::Acknowledge { alarm, quiet_for: Duration::from_secs(120) };
    assert_eq!(name(&wish), "acknowledge");
    let mut wanted = 48;
    for (line, body) in golden_bodies() {
        if let Body::Command(Command { wish, actor }) = body {
            assert!(line.starts_with(&format!("wish-{}", name(&wish))), "{line}");
            wanted -= i32::from(actor == Actor::User(user) && !line.ends_with("-2"));
        }
    }
    assert_eq!(wanted, 0, "wishes without a golden line");
}
