//! The equipment and ourselves: silence, clocks, batteries, the way to the screen.

use super::*;
use std::time::Duration;

impl Ward {
    fn presence(&mut self, second: f64, change: PresenceChange) {
        self.wait_until(at(second));
        let (device, remote) = (id(MONITOR), String::new());
        self.happens(&Body::Presence(Presence { device, change, remote }));
    }

    fn beat(&mut self, seq: u64) {
        self.happens(&Body::Upward(Upward {
            device: id(MONITOR + 0xf),
            leaf: beat::LEAF.to_owned(),
            content_type: None,
            payload: beat::payload(seq, self.now),
            gateway_at: None,
        }));
    }

    fn notice(&mut self, notice: Notice) {
        self.core.notice(notice, &mut self.out);
        self.tell();
    }
}

#[test]
fn a_silent_device_says_so_once_and_one_word_ends_it() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    ward.wait_until(at(14.9));
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.wait_until(at(60.0));
    // Its channels without signal are explained by its silence.
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
    let silent = ward.titled("Bedside monitor silent").unwrap();
    assert_eq!((silent.raised_at, silent.patient), (at(15.0), Some(id(ILSE))));
    let board = ward.core.board(id(UNIT), Cursor(0), ward.now).unwrap();
    assert_eq!(board.beds[0].silent_since, Some(at(5.0)));
    ward.monitor(60, 70, 97.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_lost_connection_is_silence_at_once_and_a_goodbye_is_not() {
    let mut ward = Ward::new();
    ward.presence(1.0, PresenceChange::Connected);
    ward.monitor(2, 5, 97.0, 80.0);
    ward.presence(5.5, PresenceChange::Disconnected);
    assert_eq!(ward.titles(), Vec::<String>::new());
    ward.monitor(6, 6, 97.0, 80.0);
    ward.presence(6.5, PresenceChange::Lost);
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
}

#[test]
fn how_a_device_stands_to_us_is_kept_as_a_series_of_its_own() {
    let mut ward = Ward::new();
    let mut kept = Vec::new();
    for (second, change) in [
        (1.0, PresenceChange::Connected),
        (2.0, PresenceChange::TakenOver),
        (3.0, PresenceChange::Lost),
        (4.0, PresenceChange::Disconnected),
        (5.0, PresenceChange::Refused),
    ] {
        ward.wait_until(at(second));
        let (device, remote) = (id(MONITOR), String::new());
        let body = Body::Presence(Presence { device, change, remote });
        let (kind, version, bytes) = body.encode();
        let record = ward.append(kind, version, bytes, ward.now);
        ward.core.step(&record, &mut ward.out);
        let points = ward.out.points.iter();
        let of_link = points.filter(|it| &*it.channel.0 == crate::LINK_CHANNEL);
        kept.extend(of_link.map(|it| (it.at, it.value)));
        ward.tell();
    }
    // Connected, lost, goodbye, refused; a connection that another took over goes on.
    let want = [(1.0, 1), (3.0, 2), (4.0, 0), (5.0, 3)];
    assert_eq!(kept, want.map(|(second, code)| (at(second), Ok((code, 0)))));
}

#[test]
fn a_wrong_clock_is_told_and_its_readings_are_marked() {
    let mut ward = Ward::new();
    for second in 1..=40_u32 {
        ward.wait_until(at(f64::from(second)));
        let samples = vec![SampleAt {
            channel: channel_of(Vital::HeartRate),
            device_at_delta_ns: 0,
            sample: Sample::Measured(Measure {
                kind: code_of(Vital::HeartRate),
                mantissa: 80,
                exp10: 0,
                ucum: "/min".into(),
            }),
            refused: None,
        }];
        ward.happens(&Body::Readings(Readings {
            device: id(MONITOR),
            counted: Some(Counted { boot: 1, seq: u64::from(second) }),
            device_at: at(f64::from(second) + 90.0),
            device_now: None,
            gateway_at: None,
            clock: Clock::Synchronised { offset_ns: 90_000_000_000 },
            may_be_buffered: false,
            samples,
        }));
    }
    assert_eq!(ward.alarm().title, "Bedside monitor clock wrong");
    assert_eq!(ward.alarm().detail, "90 s ahead");
    let page = ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap();
    let rate = &page.numerics[0];
    assert_eq!((rate.text.as_str(), rate.taken_at), ("80", at(40.0)));
    assert_eq!(rate.clock, model::ClockUsed::Receiver);
}

#[test]
fn a_battery_that_runs_down_is_told_twice_and_the_second_takes_the_place_of_the_first() {
    let mut ward = Ward::new();
    let mut second = 0;
    let mut drain = |ward: &mut Ward, charge: f64| {
        for _ in 0..60 {
            second += 1;
            ward.reads(f64::from(second), MONITOR, &[(Vital::BatteryLevel, Some(charge))]);
        }
    };
    drain(&mut ward, 50.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
    drain(&mut ward, 19.0);
    assert_eq!(ward.titles(), ["Bedside monitor battery low 19 %"]);
    drain(&mut ward, 9.0);
    assert_eq!(ward.titles(), ["Bedside monitor battery nearly empty 9 %"]);
    drain(&mut ward, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_watchdog_that_stops_beating_is_an_alarm_on_every_care_unit_of_its_site() {
    let mut ward = Ward::new();
    ward.grant(Wish::PutDevice(Device {
        care_unit: None,
        profile: beat::PROFILE.to_owned(),
        ..device(0xf, beat::PROFILE)
    }));
    for second in 1..=20 {
        ward.reads(f64::from(second), MONITOR, &[(Vital::HeartRate, Some(80.0))]);
        ward.beat(u64::from(second as u8));
    }
    assert_eq!(ward.titles(), Vec::<String>::new());
    for second in 21..=40 {
        ward.reads(f64::from(second), MONITOR, &[(Vital::HeartRate, Some(80.0))]);
    }
    let behind = ward.titled("Screens behind").unwrap();
    assert_eq!((behind.since, behind.care_unit), (at(23.0), Some(id(UNIT))));
    assert_eq!(behind.patient, None);
    let board = ward.core.board(id(UNIT), Cursor(0), ward.now).unwrap();
    assert_eq!(board.alarms.len(), 1);
    ward.beat(41);
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_slow_way_to_the_screen_is_an_alarm_until_it_is_quick_again() {
    let mut ward = Ward::new();
    let site = id(2);
    let pace = |ward: &mut Ward, second: f64, took_ms| {
        ward.wait_until(at(second));
        ward.notice(Notice::Pace { site, took: Duration::from_millis(took_ms), at: ward.now });
    };
    pace(&mut ward, 1.0, 2_100);
    pace(&mut ward, 2.0, 2_200);
    ward.wait_until(at(6.0));
    assert!(ward.titled("Screens behind").is_some());
    pace(&mut ward, 7.0, 1_800); // Between: neither slow nor quick again.
    assert!(ward.titled("Screens behind").is_some());
    pace(&mut ward, 8.0, 300);
    assert!(ward.titled("Screens behind").is_none());
}

#[test]
fn alarms_go_on_while_nothing_is_recorded_and_the_ward_is_told() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    ward.notice(Notice::Recording { recording: view::Recording::DiskFull, at: ward.now });
    assert_eq!(ward.titles(), ["Not recording"]);
    ward.monitor(6, 20, 86.0, 80.0);
    assert!(ward.titled("SpO₂ low 86 %").is_some());
    assert!(ward.deltas.last().is_some_and(|delta| !delta.recording.is_on()));
    ward.notice(Notice::Recording { recording: view::Recording::Yes, at: ward.now });
    assert_eq!(ward.titled("Not recording"), None);
}

#[test]
fn after_a_pause_of_ours_nobody_was_silent() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    // The server was away for an hour: no look at the time in between.
    ward.now = at(3_600.0);
    ward.notice(Notice::Listening { at: ward.now });
    ward.wait_until(at(3_609.0));
    assert!(ward.titled("Bedside monitor silent").is_none(), "{:?}", ward.titles());
    ward.wait_until(at(3_610.0));
    assert!(ward.titled("Bedside monitor silent").is_some());
}

#[test]
fn data_that_is_late_after_a_silence_is_told_once_the_silence_is_over() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    ward.wait_until(at(60.0));
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
    for second in 60..=120 {
        ward.wait_until(at(f64::from(second)));
        ward.reads_late(MONITOR, 300.0, &[(Vital::HeartRate, Some(80.0))]);
    }
    assert!(ward.titled("Bedside monitor data late").is_some(), "{:?}", ward.titles());
    ward.monitor(121, 180, 97.0, 80.0);
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_dead_letter_that_is_taken_in_says_nothing_of_how_its_device_is_now() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    ward.beat(1);
    ward.wait_until(at(60.0));
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
    let kept = Some(at(3.0));
    let reading = |vital: Vital, mantissa| SampleAt {
        channel: channel_of(vital),
        device_at_delta_ns: 0,
        sample: Sample::Measured(Measure {
            kind: code_of(vital),
            mantissa,
            exp10: 0,
            ucum: model::Ucum::new(vital.unit()),
        }),
        refused: None,
    };
    // Minutes of a clock that was wrong and a battery that was empty, all of it of then.
    for second in 61..=120_u32 {
        ward.wait_until(at(f64::from(second)));
        ward.happens(&Body::Readings(Readings {
            device: id(MONITOR),
            counted: Some(Counted { boot: 9, seq: u64::from(second) }),
            device_at: at(93.0),
            device_now: None,
            gateway_at: kept,
            clock: Clock::Synchronised { offset_ns: 90_000_000_000 },
            may_be_buffered: false,
            samples: vec![reading(Vital::BatteryLevel, 5), reading(Vital::HeartRate, 80)],
        }));
        ward.happens(&Body::Upward(Upward {
            device: id(MONITOR),
            leaf: beat::LEAF.to_owned(),
            content_type: None,
            payload: beat::payload(1, at(3.0)),
            gateway_at: kept,
        }));
        assert_eq!(ward.titles(), ["Bedside monitor silent"], "{second}");
    }
    assert!(ward.core.devices[&id(MONITOR)].is_silent);
    // A word of now ends it.
    ward.reads(121.0, MONITOR, &[(Vital::HeartRate, Some(80.0))]);
    assert_eq!(ward.titles(), Vec::<String>::new());
}
