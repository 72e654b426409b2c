//! Whatever was played: the journal rebuilds it, and no restart changes it.

use super::*;
use proptest::prelude::*;
use protocols::wave::{Doubt, Span};

/// A thing that happens in a random script, and how long after the one before.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reads(u8, i16, i16),
    Late(i16),
    Off,
    Full(u8),
    Chart(bool),
    Acknowledge(u8),
    End,
    Limits(i64),
    UnitLimits(i64, bool),
    Unlimited(bool),
    HandOver(bool),
    TakeOff,
    PutOn,
    Leave,
    Back,
    Scale(bool),
    Nurse(bool),
    Lost,
    Wait(u16),
    Record(bool),
    /// Two seconds of lead II: beating, still, or with the electrodes off; some blocks are lost.
    Heart(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<(u16, Step)>> {
    let step = prop_oneof![
        12 => (0..2_u8, 70..100_i16, 30..150_i16).prop_map(|(d, s, h)| Step::Reads(d, s, h)),
        2 => (60..100_i16).prop_map(Step::Late),
        2 => Just(Step::Off),
        4 => (0..30_u8).prop_map(Step::Full),
        1 => any::<bool>().prop_map(Step::Chart),
        3 => (1..90_u8).prop_map(Step::Acknowledge),
        1 => Just(Step::End),
        1 => (75..95_i64).prop_map(Step::Limits),
        1 => (75..95_i64, any::<bool>()).prop_map(|(low, old)| Step::UnitLimits(low, old)),
        1 => any::<bool>().prop_map(Step::Unlimited),
        1 => any::<bool>().prop_map(Step::HandOver),
        1 => Just(Step::TakeOff),
        1 => Just(Step::PutOn),
        1 => Just(Step::Leave),
        1 => Just(Step::Back),
        1 => any::<bool>().prop_map(Step::Scale),
        1 => any::<bool>().prop_map(Step::Nurse),
        1 => Just(Step::Lost),
        2 => (1..900_u16).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Record),
        8 => (0..3_u8, 0..8_u8).prop_map(|(heart, lost)| Step::Heart(heart, lost)),
    ];
    prop::collection::vec((0..4_000_u16, step), 1..60)
}

impl Ward {
    fn plays(&mut self, millis: u16, step: Step) {
        self.wait_until(self.now.after(std::time::Duration::from_millis(millis.into())));
        // Answers of people may be refused here; that is part of the play.
        let first = self.standing().first().map(|alarm| alarm.id);
        match step {
            Step::Reads(device, saturation, rate) => {
                let samples = [
                    (Vital::Saturation, Some(f64::from(saturation))),
                    (Vital::HeartRate, Some(f64::from(rate))),
                ];
                self.reads_late(MONITOR + u128::from(device), 0.0, &samples);
            }
            Step::Late(saturation) => {
                let samples = [(Vital::Saturation, Some(f64::from(saturation)))];
                self.reads_late(MONITOR, 30.0, &samples);
            }
            Step::Off => self.reads_late(MONITOR, 0.0, &[(Vital::Saturation, None)]),
            Step::Full(breaths) => {
                let samples = [
                    (Vital::RespiratoryRate, Some(f64::from(breaths) + 5.0)),
                    (Vital::SystolicPressure, Some(f64::from(breaths) * 5.0 + 60.0)),
                    (Vital::Temperature, Some(37.0)),
                    (Vital::BatteryLevel, Some(f64::from(breaths))),
                ];
                self.reads_late(MONITOR, 0.0, &samples);
            }
            Step::Chart(alert) => self.charts(alert),
            Step::Acknowledge(seconds) => {
                if let Some(alarm) = first {
                    let _ = self.answers(PRIYA, alarm, seconds.into());
                }
            }
            Step::End => {
                if let Some(alarm) = first {
                    let words = Redacted("artefact".to_owned());
                    let wish = Wish::EndAlarm { alarm, reason: EndReason::Artefact, words };
                    let _ = self.asks(Actor::User(id(JONAS)), wish);
                }
            }
            Step::Heart(heart, lost) => self.beats(heart, lost),
            Step::Lost => {
                let (device, remote) = (id(MONITOR), String::new());
                let change = PresenceChange::Lost;
                self.happens(&Body::Presence(Presence { device, change, remote }));
            }
            Step::Wait(seconds) => {
                let span = std::time::Duration::from_secs(seconds.into());
                self.wait_until(self.now.after(span));
            }
            Step::TakeOff
            | Step::PutOn
            | Step::Leave
            | Step::Back
            | Step::Scale(_)
            | Step::Nurse(_)
            | Step::Limits(_)
            | Step::UnitLimits(..)
            | Step::Unlimited(_)
            | Step::HandOver(_) => self.arranges(step),
            Step::Record(on) => {
                let recording = if on { view::Recording::Yes } else { view::Recording::DiskFull };
                self.core.notice(Notice::Recording { recording, at: self.now }, &mut self.out);
                self.tell();
            }
        }
    }

    fn charts(&mut self, alert: bool) {
        let level = if alert { Consciousness::Alert } else { Consciousness::NewConfusion };
        let charting = Charting {
            patient: id(ILSE),
            observed_at: self.now,
            consciousness: Some(level),
            oxygen: Some(Oxygen::Air),
            breaths_per_min: None,
            note: Redacted(String::new()),
            feeling: None,
        };
        let _ = self.asks(Actor::User(id(PRIYA)), Wish::Chart(charting));
    }

    fn beats(&mut self, heart: u8, lost: u8) {
        for _ in 0..2 {
            self.wait_until(self.now.after(std::time::Duration::from_secs(1)));
            let begins = self.now.nanos_after(at(1.0)) as f64 / 1e9;
            let samples = match heart {
                0 => waves::ecg(begins, &waves::steady(96.0)),
                1 => waves::ecg(begins, &|_| 9.0),
                _ => vec![0; waves::RATE as usize],
            };
            let off = Span { start: 0, len: waves::RATE, reason: Doubt::LeadOff };
            let doubts = if heart == 2 { vec![off] } else { vec![] };
            self.wave_seq += if lost == 0 { 2 } else { 1 };
            self.block(self.wave_seq, &samples, doubts);
        }
    }

    /// What people arrange: who lies where, what is on whom, which limits hold.
    fn arranges(&mut self, step: Step) {
        match step {
            Step::Limits(low) => {
                let mut limits =
                    care::limit::defaults().find(|it| it.vital == Vital::Saturation).unwrap();
                if low > 90 {
                    limits.low = None;
                } else if let Some(side) = &mut limits.low {
                    side.limit_thousandths = low * 1_000;
                    side.clears_at_thousandths = low * 1_000 + 1_000;
                }
                let _ = self.asks(Actor::System, Wish::SetLimits { patient: id(ILSE), limits });
            }
            Step::UnitLimits(low, old) => {
                let limits = house::low_saturation(low);
                let band = old.then_some(AgeBand::Older);
                self.grant(Wish::SetUnitLimits { care_unit: id(UNIT), band, limits });
            }
            Step::Unlimited(own) => {
                let vital = Vital::Saturation;
                self.grant(if own {
                    Wish::ClearLimits { patient: id(ILSE), vital }
                } else {
                    Wish::ClearUnitLimits { care_unit: id(UNIT), band: None, vital }
                });
            }
            Step::HandOver(back) => {
                let (from, to) = if back { (JONAS, PRIYA) } else { (PRIYA, JONAS) };
                let hand_over = house::hand_over(0x900 + u128::from(self.seq), from, to);
                let number = hand_over.id;
                let _ = self.asks(Actor::User(id(from)), Wish::OfferHandOver(hand_over));
                let _ = self.asks(Actor::User(id(to)), Wish::AcceptHandOver(number));
            }
            Step::TakeOff => self.put_on(MONITOR, None),
            Step::PutOn => self.put_on(MONITOR, Some(ILSE)),
            Step::Leave => self.occupy(BED, None),
            Step::Back => self.occupy(BED, Some(ILSE)),
            Step::Scale(two) => {
                let scale = if two { SpO2Scale::Two } else { SpO2Scale::One };
                let _ = self.asks(Actor::System, Wish::SetSpO2Scale { patient: id(ILSE), scale });
            }
            Step::Nurse(there) => self.assign(Post::Bed(id(BED)), there.then_some(PRIYA)),
            _ => {}
        }
    }

    fn with_two_beds(lag: usize) -> Self {
        let mut ward = Self::new();
        ward.move_in(1);
        ward.lag = lag;
        ward
    }

    /// Both know the same; what differs is named.
    #[track_caller]
    fn agrees_with(&self, other: &Core) {
        let (a, b) = (&self.core, other);
        assert_eq!(a.directory, b.directory);
        assert_eq!(a.devices, b.devices);
        assert_eq!(a.patients, b.patients);
        assert_eq!(a.sites, b.sites);
        agree(&a.alarms, &b.alarms);
        assert_eq!((a.now, a.cause), (b.now, b.cause));
        assert!(a == b);
    }
}

#[track_caller]
fn agree(a: &Alarms, b: &Alarms) {
    for (key, slot) in &a.slots {
        assert_eq!(Some(slot), b.slots.get(key), "{key:?}");
    }
    assert_eq!(a.slots.len(), b.slots.len(), "{:?}", b.slots.keys());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_alone_rebuilds_the_live_state(script in steps(), lag in 0..6_usize) {
        let mut ward = Ward::with_two_beds(lag);
        for (millis, step) in script {
            ward.plays(millis, step);
        }
        ward.settle();
        let (rebuilt, out) = ward.restarted(None, &ward.log);
        // Nothing was decided again.
        prop_assert_eq!(out.decisions().count(), 0);
        ward.agrees_with(&rebuilt);
    }

    #[test]
    fn a_checkpoint_at_any_point_goes_on_as_if_nothing_had_happened(
        script in steps(), cut in any::<prop::sample::Index>(), lag in 0..6_usize,
    ) {
        let mut ward = Ward::with_two_beds(lag);
        let cut = cut.index(script.len());
        let mut checkpoint = Vec::new();
        for (place, (millis, step)) in script.into_iter().enumerate() {
            if place == cut {
                // The core as it is, with decisions still on their way to the journal.
                checkpoint = ward.core.checkpoint();
            }
            ward.plays(millis, step);
        }
        ward.settle();
        let (went_on, out) = ward.restarted(Some(&checkpoint), &ward.log);
        prop_assert_eq!(out.decisions().count(), 0);
        ward.agrees_with(&went_on);
    }

    #[test]
    fn a_crash_loses_no_decision_and_makes_none_twice(
        script in steps(), crash in any::<prop::sample::Index>(), lag in 0..6_usize,
    ) {
        let crash = crash.index(script.len());
        let (mut spared, mut crashed) = (Ward::with_two_beds(0), Ward::with_two_beds(lag));
        // Whether the journal records is asked anew at each start.
        let script = script.into_iter().filter(|(_, step)| !matches!(step, Step::Record(_)));
        for (place, (millis, step)) in script.enumerate() {
            if place == crash {
                // The last decisions never reached the journal; the records did.
                crashed.killed_and_started(None);
            }
            spared.plays(millis, step);
            crashed.plays(millis, step);
        }
        spared.settle();
        crashed.settle();
        // Offsets differ, as frames of decisions stand elsewhere; what is known does not.
        agree(&spared.core.alarms, &crashed.core.alarms);
        prop_assert_eq!(&spared.core.patients, &crashed.core.patients);
        prop_assert_eq!(&spared.core.devices, &crashed.core.devices);
        prop_assert_eq!(&spared.core.directory, &crashed.core.directory);
    }
}

#[test]
fn a_day_with_ten_restarts_ends_in_the_same_state_as_one_without() {
    let day = 24 * 60 * 60_u32;
    let play = |restarts: u32| {
        let mut ward = Ward::with_two_beds(3);
        let mut checkpoint = None;
        for second in (10..day).step_by(10) {
            let hour = f64::from(second) / 3_600.0;
            // Worse in the morning, a probe that falls off at noon, a fever in the evening.
            let low = if (6.0..7.0).contains(&hour) { 84.0 } else { 96.0 };
            let saturation = (!(12.0..12.1).contains(&hour)).then_some(low);
            let rate = if (18.0..20.0).contains(&hour) { 125.0 } else { 75.0 };
            let samples = [
                (Vital::Saturation, saturation),
                (Vital::HeartRate, Some(rate)),
                (Vital::RespiratoryRate, Some(16.0)),
            ];
            ward.reads(f64::from(second), MONITOR, &samples);
            if second % 3_600 == 0 {
                let samples =
                    [(Vital::SystolicPressure, Some(120.0)), (Vital::Temperature, Some(37.0))];
                ward.reads_late(MONITOR, 0.0, &samples);
            }
            if restarts > 0 && second % (day / (restarts + 1) / 10 * 10) == 0 {
                ward.killed_and_started(checkpoint.as_deref());
            }
            if second % 5_000 == 0 {
                ward.settle();
                checkpoint = Some(ward.core.checkpoint());
            }
        }
        ward.settle();
        ward
    };
    let (without, with) = (play(0), play(10));
    assert!(without.decided.len() > 50, "the day was too quiet: {}", without.decided.len());
    agree(&without.core.alarms, &with.core.alarms);
    assert_eq!(without.core.patients, with.core.patients);
    assert_eq!(without.core.devices, with.core.devices);
    assert_eq!(without.core.directory, with.core.directory);
}

/// A directory as it was written before pages were shared: a list fewer, all empty.
const NO_SHARES: [u8; 27] = {
    let mut bytes = [0x80; 27];
    (bytes[0], bytes[1]) = (0x98, 0x19);
    bytes
};

#[test]
fn a_checkpoint_of_before_pages_were_shared_or_data_held_is_taken_up() {
    let read =
        |bytes: &[u8]| <Directory as ::record::Coded>::read(&mut ::record::Decoder::new(bytes));
    assert_eq!(read(&NO_SHARES), Ok(Directory::default()));
    for lists in [0x18, 0x1e] {
        let bytes: Vec<u8> = [0x98, lists].into_iter().chain([0x80; 29]).collect();
        assert!(read(&bytes).is_err(), "{lists} lists");
    }
    let ward = Ward::new();
    let checkpoint = ward.core.checkpoint();
    let mut now = Vec::new();
    let mut encoder = ::record::Encoder::new(&mut now);
    ::record::Coded::write(&*ward.core.directory(), &mut encoder);
    let begins = checkpoint.windows(now.len()).position(|it| it == now).unwrap();
    // Two lists without an entry, what is known of the disk, and no correction.
    let mut disk = Vec::new();
    let known = &ward.core.directory().disk;
    ::record::Coded::write(known, &mut ::record::Encoder::new(&mut disk));
    let end = [&[0x80, 0x80], &disk[..], &[0x80]].concat();
    assert!(now.starts_with(&[0x98, 0x1d]) && now.ends_with(&end), "{now:x?}");
    let rest = &checkpoint[begins + now.len()..];
    let disk = disk.len();
    for (count, fewer) in [(0x1c, 1), (0x1b, 1 + disk), (0x1a, 2 + disk), (0x19, 3 + disk)] {
        let lists = &now[2..now.len() - fewer];
        let earlier = [&checkpoint[..begins], &[0x98, count], lists, rest].concat();
        assert!(Core::restore(setup(), &earlier).is_ok_and(|core| core == ward.core), "{fewer}");
    }
}

#[test]
fn a_checkpoint_of_another_version_or_damaged_is_refused() {
    let ward = Ward::new();
    let good = ward.core.checkpoint();
    assert!(Core::restore(setup(), &good).is_ok_and(|core| core == ward.core));
    // The form, and the rules of `care` by which it was observed.
    for (place, form, rules) in [(0, good[0] ^ 2, good[1]), (1, good[0], good[1] ^ 2)] {
        let mut other = good.clone();
        other[place] ^= 2;
        let error = Core::restore(setup(), &other).unwrap_err();
        let (form, rules) = (u16::from(form), u16::from(rules));
        assert_eq!(error, RestoreError::OtherVersion { form, rules });
        assert!(error.to_string().contains("this program takes up forms 6 to 6 with rules of"));
    }
    // No reader is meant for a form that comes later, or came before.
    for form in [5, 7] {
        let other = [&[form], &good[1..]].concat();
        let error = Core::restore(setup(), &other).unwrap_err();
        assert!(matches!(error, RestoreError::OtherVersion { .. }), "{form}");
    }
    for len in 0..good.len() {
        assert!(Core::restore(setup(), &good[..len]).is_err());
    }
}
