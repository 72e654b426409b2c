//! What devices say about themselves: shown, told once, bounded, and equal after a restart.

use ::record::{DeviceConfig, DeviceEvent, DeviceState, Severity, Spoke};
use model::Redacted;

use super::*;
use crate::limits::EVENTS_SHOWN_MAX;

fn state(online: Option<bool>, firmware: Option<&str>, battery_percent: Option<u8>) -> Body {
    Body::State(DeviceState {
        device: id(MONITOR),
        counted: None,
        device_at: None,
        online,
        firmware: firmware.map(str::to_owned),
        battery_percent,
        config: None,
        payload: b"{}".to_vec(),
        gateway_at: None,
    })
}

fn event(number: usize) -> Body {
    Body::Event(DeviceEvent {
        device: id(MONITOR),
        counted: None,
        device_at: Some(at(1.0)),
        name: format!("event-{number}"),
        severity: Severity::Info,
        text: Redacted("in its own words".to_owned()),
        payload: b"{}".to_vec(),
        gateway_at: None,
    })
}

impl Ward {
    fn report(&self) -> crate::view::DeviceReport {
        self.core.report_of(id(MONITOR)).unwrap()
    }
}

#[test]
fn what_a_state_leaves_out_is_as_it_was_and_screens_are_told_of_the_change() {
    let mut ward = Ward::new();
    assert_eq!(ward.core.report_of(id(MONITOR)), None);
    ward.happens(&state(Some(true), Some("2.4.1"), Some(81)));
    ward.wait_until(at(5.0));
    ward.deltas.clear();
    ward.happens(&state(None, None, Some(80)));
    let report = ward.report();
    assert_eq!((report.online, report.firmware.as_deref()), (Some(true), Some("2.4.1")));
    assert_eq!((report.battery_percent, report.state_at), (Some(80), Some(ward.now)));
    let told: Vec<_> = ward.deltas.iter().flat_map(|delta| &delta.reports).collect();
    assert_eq!(told, [&report]);
    let config = DeviceConfig {
        device: id(MONITOR),
        counted: None,
        device_at: None,
        version: "12".to_owned(),
        payload: b"{}".to_vec(),
        gateway_at: None,
    };
    ward.happens(&Body::Config(config));
    assert_eq!(ward.report().config.as_deref(), Some("12"));
}

#[test]
fn the_door_that_a_device_used_last_is_known_and_no_screen_is_told() {
    let mut ward = Ward::new();
    ward.deltas.clear();
    let (device, far) = (id(MONITOR), "10.0.0.7:50000");
    let presence = |change| Body::Presence(Presence { device, change, remote: far.to_owned() });
    let door = |ward: &Ward| {
        let report = ward.report();
        assert!(!report.is_said(), "it is no word of the device");
        let used = report.door.unwrap();
        (used.door, used.remote, used.at)
    };
    ward.happens(&presence(PresenceChange::Connected));
    assert_eq!(door(&ward), ("mqtt".to_owned(), far.to_owned(), ward.now));
    ward.wait_until(at(5.0));
    let near = "[::1]:6000".to_owned();
    ward.happens(&Body::Spoke(Spoke { device, door: "https".to_owned(), remote: near.clone() }));
    let spoke = ("https".to_owned(), near, ward.now);
    assert_eq!(door(&ward), spoke);
    ward.wait_until(at(7.0));
    // The old connection ends: that is no word of the device, and no newer door.
    for change in [
        PresenceChange::Lost,
        PresenceChange::Disconnected,
        PresenceChange::TakenOver,
        PresenceChange::Refused,
    ] {
        ward.happens(&presence(change));
        assert_eq!(door(&ward), spoke, "{change:?}");
    }
    ward.happens(&presence(PresenceChange::Connected));
    assert_eq!(door(&ward), ("mqtt".to_owned(), far.to_owned(), ward.now));
    assert!(ward.deltas.iter().all(|delta| delta.reports.is_empty()));
}

#[test]
fn a_report_of_before_the_door_was_kept_is_still_read() {
    let report = crate::view::DeviceReport::new(id(MONITOR));
    let written = |report: &crate::view::DeviceReport| {
        let mut bytes = Vec::new();
        ::record::Coded::write(report, &mut ::record::Encoder::new(&mut bytes));
        bytes
    };
    let read = |bytes: &[u8]| {
        <crate::view::DeviceReport as ::record::Coded>::read(&mut ::record::Decoder::new(bytes))
    };
    assert_eq!(read(&written(&report)), Ok(report.clone()));
    assert_eq!(written(&report)[0], 0xa2, "a map of two keys, as it always was");
    let used = crate::view::DoorUsed {
        door: "https".to_owned(),
        remote: "[::1]:6000".to_owned(),
        at: at(5.0),
    };
    let report = crate::view::DeviceReport { door: Some(used), ..report };
    assert_eq!(read(&written(&report)), Ok(report));
}

#[test]
fn a_last_will_is_no_word_of_the_device() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    ward.wait_until(at(14.0));
    ward.happens(&state(Some(false), None, None));
    ward.wait_until(at(16.0));
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
    ward.happens(&state(Some(true), None, None));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn the_latest_events_are_shown_and_raise_nothing() {
    let mut ward = Ward::new();
    for count in [EVENTS_SHOWN_MAX - 1, EVENTS_SHOWN_MAX, EVENTS_SHOWN_MAX + 1] {
        let mut ward = Ward::new();
        for number in 1..=count {
            ward.happens(&event(number));
        }
        let events = ward.report().events;
        assert_eq!(events.len(), count.min(EVENTS_SHOWN_MAX));
        assert_eq!(events.last().unwrap().name, format!("event-{count}"));
    }
    ward.happens(&event(1));
    assert_eq!(ward.titles(), Vec::<String>::new());
    assert!(Core::restore(setup(), &ward.core.checkpoint()).is_ok_and(|core| core == ward.core));
}

#[test]
fn a_report_that_lay_as_a_dead_letter_replaces_nothing_newer_and_wakes_nobody() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 80.0);
    ward.wait_until(at(6.0));
    ward.happens(&state(None, Some("2.4.1"), Some(81)));
    ward.happens(&event(2));
    ward.wait_until(at(60.0));
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
    let kept = |body: Body, second: f64| match body {
        Body::State(it) => Body::State(DeviceState { gateway_at: Some(at(second)), ..it }),
        Body::Event(it) => Body::Event(DeviceEvent { gateway_at: Some(at(second)), ..it }),
        other => other,
    };
    let config = |version: &str, second: f64| {
        Body::Config(DeviceConfig {
            device: id(MONITOR),
            counted: None,
            device_at: None,
            version: version.to_owned(),
            payload: b"{}".to_vec(),
            gateway_at: Some(at(second)),
        })
    };
    ward.happens(&kept(state(Some(true), Some("1.0.0"), Some(3)), 5.5));
    ward.happens(&config("11", 5.6));
    ward.happens(&config("10", 5.5));
    ward.happens(&kept(event(1), 5.5));
    let report = ward.report();
    // What nobody has said since is filled in.
    assert_eq!((report.online, report.battery_percent), (Some(true), Some(81)));
    assert_eq!((report.firmware.as_deref(), report.config.as_deref()), (Some("2.4.1"), Some("11")));
    assert_eq!(report.state_at, Some(at(6.0)));
    let events: Vec<_> = report.events.iter().map(|it| (&*it.name, it.received_at)).collect();
    assert_eq!(events, [("event-1", at(5.5)), ("event-2", at(6.0))]);
    // One that came after the newest is the newest, as of when it came.
    ward.happens(&kept(state(Some(false), Some("2.5.0"), None), 7.0));
    let report = ward.report();
    assert_eq!((report.online, report.state_at), (Some(false), Some(at(7.0))));
    assert_eq!(report.firmware.as_deref(), Some("2.5.0"));
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
}
