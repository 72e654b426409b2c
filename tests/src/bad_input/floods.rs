//! One device says all it can, or takes nothing of what it is told; the others notice nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use super::*;
use crate::{
    conformance::packets::Subscribe,
    tools::is_long,
    waiting::{let_pass, until},
};

/// The wait that one of a hundred messages exceeds.
fn p99(waits: &[Duration]) -> Duration {
    let mut waits = waits.to_vec();
    waits.sort_unstable();
    waits[(waits.len() - 1) * 99 / 100]
}

#[test]
fn a_device_at_full_speed_keeps_no_reading_and_no_alarm_waiting() {
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let (calm_for, flood_for) = if is_long() { (10, 120) } else { (2, 5) };
    // How long the good device's messages wait, by itself and beside the flood.
    let_pass(now(), Duration::from_secs(calm_for));
    let calm = scene.companion.waits();
    let flooder = scene.ward.enrol("bedside-monitor", "FLOOD-1");
    let is_over = AtomicBool::new(false);
    let (mut sent, mut alarms) = (0, 0);
    scene.grows_at_most(128, || {
        thread::scope(|threads| {
            let flood = threads.spawn(|| {
                let mut wire = Wire::connect(&scene.server, &flooder, Version::V5);
                let payload = "x".repeat(200);
                let message = || (flooder.up("event"), payload.as_str(), false);
                let messages =
                    std::iter::repeat_with(message).take_while(|_| !is_over.load(Relaxed));
                let codes = scene.publish_all(&mut wire, messages);
                assert!(codes.iter().all(|code| *code == 0), "a flood is taken, not dropped");
                codes.len()
            });
            let began = now();
            while began.elapsed() < Duration::from_secs(flood_for) {
                racing.is_alarmed(&scene.ward);
                scene.lets_honest_devices_in(Duration::from_secs(5));
                alarms += 1;
            }
            is_over.store(true, Relaxed);
            sent = flood.join().unwrap_or(0);
        });
    });
    let beside = scene.companion.waits().split_off(calm.len());
    assert!(sent > 500, "{sent} messages are no flood");
    assert!(alarms > 0 && beside.len() > 10, "nobody else said anything");
    let (calm, beside) = (p99(&calm), p99(&beside));
    let most = calm * 10 + Duration::from_millis(250);
    assert!(beside < most, "p99 of {beside:?} beside {sent} messages, {calm:?} without");
    scene.ends_well();
}

#[test]
fn a_subscriber_too_slow_for_its_queue_loses_its_session_and_that_is_counted_and_shown() {
    let scene = Scene::set();
    let mut racing = Racing::start(&scene.server, &scene.ward);
    let device = scene.ward.enrol("gateway", "GATEWAY-1");
    let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
    let papers = tls(&device.ca_pem, Some(own));
    let client = |suffix: &str| {
        let mut wire = Wire::dial(&scene.server, papers.clone(), Version::V5);
        assert_eq!(wire.greet(&format!("{}:{suffix}", device.id)), Ok(0));
        wire
    };
    let topic = format!("gateway/{}/flood", device.id);
    let mut slow = client("slow");
    slow.send(&Subscribe::new(1, &[(&topic, 1)]).bytes(Version::V5));
    assert_eq!(slow.receive().unwrap().body[3..], [1]);
    let lost = || scene.server.metric("wardline_mqtt_sessions_lost_total");
    assert_eq!(lost(), 0.0);
    // 16 MiB may wait for one client; from here on it reads nothing.
    scene.grows_at_most(128, || {
        let (mut fast, payload) = (client("fast"), "x".repeat(60_000));
        for _ in 0..50 {
            let twenty = (0..20).map(|_| (topic.clone(), payload.as_str(), false));
            let codes = scene.publish_all(&mut fast, twenty);
            assert!(codes.iter().all(|code| matches!(code, 0 | 0x10)), "{codes:02x?}");
            if lost() > 0.0 {
                break;
            }
        }
    });
    until("the session is lost", SOON, || lost() == 1.0);
    let shown = eventually("the technician finds out why", SOON, || {
        let refusals = scene.ward.admin.all(&format!("/api/v1/refusals?device={}", device.id));
        refusals.first().cloned().ok_or_else(|| "there is no refusal".to_owned())
    });
    assert!(shown.to_string().contains("queue"), "{shown}");
    assert!(matches!(slow.end(), End::PutOut(0x97) | End::Closed), "it is still connected");
    racing.is_alarmed(&scene.ward);
    scene.ends_well();
}
