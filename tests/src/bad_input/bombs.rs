//! Subscriptions, topics and retained messages by the thousand: each kind has a bound of
//! one client's own, and says so when it is reached.

use super::*;
use crate::{
    conformance::packets::{Publish, Subscribe},
    tools::is_long,
};

/// Filters that one session may have.
const FILTERS_MAX: usize = 200;
/// Messages that one device may have kept for later subscriptions, and their bytes.
const RETAINED_MAX: usize = 1_024;
const RETAINED_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Levels that a topic or filter may have.
const LEVELS_MAX: usize = 16;

/// A gateway, which may speak on topics that are not ours.
fn gateway(scene: &Scene) -> Device {
    scene.ward.enrol("gateway", "GATEWAY-1")
}

fn client(scene: &Scene, device: &Device, suffix: &str) -> Wire {
    let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
    let mut wire = Wire::dial(&scene.server, tls(&device.ca_pem, Some(own)), Version::V5);
    assert_eq!(wire.greet(&format!("{}:{suffix}", device.id)), Ok(0));
    wire
}

/// The codes of the answer to one SUBSCRIBE.
fn subscribe(wire: &mut Wire, filters: &[String]) -> Result<Vec<u8>, End> {
    let filters: Vec<(&str, u8)> = filters.iter().map(|filter| (filter.as_str(), 1)).collect();
    wire.send(&Subscribe::new(1, &filters).bytes(Version::V5));
    loop {
        let answer = wire.receive()?;
        // Behind the packet id and the length of no properties.
        if answer.head == 0x90 {
            return Ok(answer.body[3..].to_vec());
        }
    }
}

/// A topic with so many levels, of which the first two are the gateway's own.
fn deep(device: &Device, levels: usize, leaf: &str) -> String {
    let middle = "x/".repeat(levels - 3);
    format!("gateway/{}/{middle}{leaf}", device.id)
}

#[test]
fn subscription_bombs_are_answered_filter_by_filter_and_cost_nobody_else_anything() {
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let device = gateway(&scene);
    let root = format!("gateway/{}", device.id);
    scene.grows_at_most(64, || {
        let kinds: [(&str, &dyn Fn(usize) -> String); 3] = [
            ("many", &|number| format!("{root}/{number}/+/#")),
            ("shared", &|number| format!("$share/group{number}/{root}/{number}/#")),
            ("long", &|number| format!("{root}/{}/{number:04}", "x".repeat(400))),
        ];
        for (kind, filter) in kinds {
            let mut wire = client(&scene, &device, kind);
            let filters: Vec<String> = (0..2 * FILTERS_MAX).map(filter).collect();
            for _ in 0..20 {
                let codes = subscribe(&mut wire, &filters).unwrap();
                let (taken, refused) = codes.split_at(FILTERS_MAX);
                assert!(taken.iter().all(|code| *code == 1), "{kind}: {taken:02x?}");
                assert!(refused.iter().all(|code| *code == 0x97), "{kind}: {refused:02x?}");
            }
        }
        let mut wire = client(&scene, &device, "deep");
        let filters = [LEVELS_MAX, LEVELS_MAX + 1, 100].map(|levels| deep(&device, levels, "#"));
        assert_eq!(subscribe(&mut wire, &filters), Ok(vec![1, 0x8f, 0x8f]));
        // More than a packet may hold.
        let mut wire = client(&scene, &device, "huge");
        let huge: Vec<String> = (0..30_000).map(|number| format!("{root}/{number}")).collect();
        // Who is still sending may find the line closed before the reason is there.
        let end = subscribe(&mut wire, &huge).unwrap_err();
        assert!(matches!(end, End::PutOut(0x95) | End::Closed), "{end:?}");
        every_filter_matches(&scene);
    });
    racing.is_alarmed(&scene.ward);
    scene.ends_well();
}

/// All 128 ways to put `+` into a topic of seven levels, in as many sessions as a device may
/// have: what is said there goes to each of them, and nobody else notices.
fn every_filter_matches(scene: &Scene) {
    let device = &scene.ward.enrol("gateway", "GATEWAY-2");
    let filter = |mask: usize| {
        let levels = (0..7).map(|level| if mask >> level & 1 == 1 { "+" } else { "a" });
        format!("gateway/{}/{}", device.id, levels.collect::<Vec<_>>().join("/"))
    };
    let filters: Vec<String> = (0..128).map(filter).collect();
    let mut listeners: Vec<Wire> =
        (0..7).map(|number| client(scene, device, &format!("hears{number}"))).collect();
    for wire in &mut listeners {
        assert!(subscribe(wire, &filters).unwrap().iter().all(|code| *code == 1));
    }
    let mut speaker = client(scene, device, "speaks");
    let codes = scene.publish_all(&mut speaker, (0..100).map(|_| (filters[0].clone(), "x", false)));
    assert!(codes.iter().all(|code| *code == 0), "{codes:02x?}");
    for wire in &mut listeners {
        let delivery = wire.receive().unwrap();
        assert_eq!(delivery.head, 0x32, "{delivery:?} is no message of QoS 1");
    }
}

#[test]
fn a_flood_of_topics_leaves_nothing_behind_in_memory() {
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let device = gateway(&scene);
    let count = if is_long() { 100_000 } else { 3_000 };
    scene.grows_at_most(64, || {
        let mut wire = client(&scene, &device, "topics");
        let topics = (0..count).map(|number| deep(&device, LEVELS_MAX, &number.to_string()));
        let codes = scene.publish_all(&mut wire, topics.map(|topic| (topic, "x", false)));
        assert!(codes.iter().all(|code| matches!(code, 0 | 0x10)), "{codes:02x?}");
        // Of its own topics, those that mean nothing are kept as dead letters, and said to be.
        let mut wire = scene.wire(Version::V5);
        let topics = (0..count / 10).map(|number| scene.device.up(&format!("nothing{number}")));
        let codes = scene.publish_all(&mut wire, topics.map(|topic| (topic, "x", false)));
        assert!(codes.iter().all(|code| *code == 0x90), "{codes:02x?}");
        let mut wire = client(&scene, &device, "deeper");
        let deeper = Publish::new(1, 1, &deep(&device, LEVELS_MAX + 1, "y"), "x");
        wire.send(&deeper.bytes(Version::V5));
        assert!(matches!(wire.end(), End::PutOut(0x81 | 0x90)), "a topic of 17 levels");
    });
    racing.is_alarmed(&scene.ward);
    scene.ends_well();
}

#[test]
fn a_flood_of_retained_messages_is_kept_up_to_its_devices_quota() {
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    scene.grows_at_most(64, || {
        for (serial, payload_len) in [("MANY", 1), ("LONG", 50_000)] {
            let device = scene.ward.enrol("gateway", serial);
            let mut wire = client(&scene, &device, "retains");
            let payload = "x".repeat(payload_len);
            let fit = RETAINED_MAX.min(RETAINED_BYTES_MAX / payload_len);
            let count = fit + 200;
            let topics = (0..count).map(|number| format!("gateway/{}/{number}", device.id));
            let codes = scene.publish_all(&mut wire, topics.map(|topic| (topic, &*payload, true)));
            let kept = codes.iter().position(|code| *code == 0x97).unwrap_or(count);
            // Topics count as well as payloads.
            assert!((fit * 9 / 10..=fit).contains(&kept), "{serial}: {kept} of {fit} are kept");
            let refused = &codes[kept..];
            assert!(refused.iter().all(|code| *code == 0x97), "{serial}: {refused:02x?}");
            // What is kept may still be replaced, and be taken away.
            let first = format!("gateway/{}/0", device.id);
            let again = [(first.clone(), "new", true), (first, "", true)];
            let codes = scene.publish_all(&mut wire, again);
            assert!(codes.iter().all(|code| *code != 0x97), "{serial}: {codes:02x?}");
        }
    });
    assert!(scene.server.metric("wardline_mqtt_retained_refused_total") >= 200.0);
    racing.is_alarmed(&scene.ward);
    scene.ends_well();
}
