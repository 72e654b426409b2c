//! A gateway speaks for the devices that are bound to it, and for no other.

use super::*;

fn pack(child: &str, seq: u32) -> String {
    format!(
        r#"[{{"bn":"urn:dev:wardline:{child}/","bt":1767258000,"n":"wl:boot","vs":"00000000000000a3"}},{{"n":"wl:seq","v":{seq}}},{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":72}}]"#
    )
}

#[tokio::test]
async fn what_a_gateway_sends_for_a_bound_device_is_that_devices() {
    let ward = Ward::new();
    let up = |leaf: &str| format!("wl/1/{SITE}/$gw/{DEVICE}/up/{leaf}");
    assert_eq!(ward.topic(&up("num"), pack(CHILD, 1).as_bytes()).await, "stored");
    assert_eq!(ward.topic(&up("num"), pack(CHILD, 1).as_bytes()).await, "repeated");
    let records = ward.journal.replay(LogOffset::default());
    let of = records.filter_map(|record| {
        let frame = record.unwrap().frame;
        match Body::decode(frame.kind, frame.body_version, &frame.body).unwrap() {
            Body::Readings(readings) => Some(readings.device.to_string()),
            _ => None,
        }
    });
    assert_eq!(of.collect::<Vec<_>>(), [CHILD], "whose it is");
    let state = format!(r#"{{"device":"{CHILD}","online":true}}"#);
    assert_eq!(ward.topic(&up("state"), state.as_bytes()).await, "stored");
}

#[tokio::test]
async fn a_gateway_that_names_itself_speaks_for_itself() {
    let ward = Ward::new();
    let num = format!("wl/1/{SITE}/$gw/{DEVICE}/up/num");
    assert_eq!(ward.topic(&num, pack(DEVICE, 1).as_bytes()).await, "stored");
    // By its own topic it is the same message.
    let own = format!("wl/1/{SITE}/{DEVICE}/up/num");
    assert_eq!(ward.topic(&own, pack(DEVICE, 1).as_bytes()).await, "repeated");
    assert_eq!(ward.topic(&num, pack(DEVICE, 2).as_bytes()).await, "stored");
}

#[tokio::test]
async fn for_others_a_gateway_speaks_in_vain_and_what_it_said_is_kept() {
    let ward = Ward::new();
    let num = format!("wl/1/{SITE}/$gw/{DEVICE}/up/num");
    let unknown = pack(OTHER, 1);
    assert_eq!(ward.topic(&num, unknown.as_bytes()).await, "dead, not yours: gateway:child");
    let nameless = counted(1, "72");
    assert_eq!(ward.topic(&num, nameless.as_bytes()).await, "dead: gateway:no_child");
    let others = format!("wl/1/{SITE}/$gw/{OTHER}/up/num");
    let stolen = pack(CHILD, 1);
    assert_eq!(ward.topic(&others, stolen.as_bytes()).await, "dead, not yours: topic:not_yours");
    assert_eq!(ward.journalled(), ["letter"; 3]);
}

#[tokio::test]
async fn what_cannot_be_read_is_seen_at_the_device_that_it_names_as_well_as_at_the_gateway() {
    let ward = Ward::new();
    let (child, gateway): (DeviceId, DeviceId) = (CHILD.parse().unwrap(), DEVICE.parse().unwrap());
    let at = Timestamp::from_unix_millis(1_767_258_000_000);
    let look = |device, number: u128| {
        let session = model::SessionId::v7(at, number);
        let viewer = crate::Viewer { session, patient: None };
        ward.door.tap().look(viewer, device, 0, at).unwrap().messages
    };
    assert!(look(child, 1).is_empty() && look(gateway, 2).is_empty());
    let state = format!("wl/1/{SITE}/$gw/{DEVICE}/up/state");
    let bad = format!(r#"{{"device":"{CHILD}","online":"perhaps"}}"#);
    let became = ward.topic(&state, bad.as_bytes()).await;
    assert!(became.starts_with("dead: "), "{became}");
    let seen: Vec<_> = look(child, 1)
        .into_iter()
        .map(|it| (it.gateway, format!("dead: {}", it.outcome)))
        .collect();
    assert_eq!(seen, [(Some(gateway), became)]);
    assert_eq!(look(gateway, 2).len(), 1);
    // What names a device that is not the gateway's is nothing to see there.
    let stranger = bad.replace(CHILD, OTHER);
    ward.topic(&state, stranger.as_bytes()).await;
    assert_eq!((look(child, 1).len(), look(gateway, 2).len()), (1, 2));
}
