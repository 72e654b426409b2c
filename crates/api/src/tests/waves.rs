//! Traces: on the feed as they come, and out of the past as they were.

use std::time::Duration;

use model::Timestamp;
use protocols::wave::{Block, Encoding, Epoch, encode};
use serde_json::json;

use super::house::House;

pub(super) const CHANNEL: &str = "MDC_ECG_ELEC_POTL_II";

/// A block of a rising ramp, 250 Hz, whose first sample is `from`.
pub(super) fn block(device: &str, seq: u64, t0: Timestamp, now: Timestamp, from: i16) -> Vec<u8> {
    let samples: Vec<u8> = (from..from + 50).flat_map(i16::to_le_bytes).collect();
    encode(&Block {
        device: device.parse().unwrap(),
        channel: CHANNEL,
        lead: Some("II"),
        seq,
        boot: 7,
        t0,
        epoch: Epoch::Utc,
        rate_hz: (250, 1),
        count: 50,
        gain: (5, -3),
        offset: 0,
        unit: "mV",
        bits: 16,
        encoding: Encoding::Int16Le,
        samples: &samples,
        validity: Vec::new(),
        filters: None,
        time_quality: None,
        now: Some(now),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_drawn_live_and_found_again_with_its_gap() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let query = format!("care_unit={}&waves=patient&patient={}", ward.unit, ward.patient);
    let mut feed = ward.nurse.feed(&query, None).await.unwrap();
    assert_eq!(feed.next().await["t"], "hello");
    let start = house.clock.now().before(Duration::from_secs(1));
    let leaf = format!("wave/{CHANNEL}");
    // Blocks of 200 ms; the third never came.
    for (seq, from) in [(0, 0_i16), (1, 50), (3, 150)] {
        let t0 = start.after(Duration::from_millis(200 * seq));
        house
            .publish(&ward, &device, &leaf, &block(&device, seq, t0, house.clock.now(), from))
            .await
            .unwrap();
    }
    let mut gaps = Vec::new();
    for _ in 0..3 {
        let frame = feed.next_binary().await;
        // The map begins with its size and the device; it ends with the mark of a gap.
        assert_eq!(frame[..3], [0xab, 0x00, 0x50], "{frame:?}");
        assert_eq!(frame[frame.len() - 2], 0x0a);
        gaps.push(frame[frame.len() - 1] == 0xf5);
    }
    assert_eq!(gaps[1..], [false, true]);

    let ask = format!("/patients/{}/waves?channel={CHANNEL}", ward.patient);
    let found = house.until(async || {
        let waves = ward.nurse.get(&ask).await.good();
        let count: usize = waves["spans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["samples"].as_array().unwrap().len())
            .sum();
        (count == 150).then_some(waves)
    });
    let waves = found.await;
    let spans = waves["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2, "{waves}");
    let samples: Vec<i64> =
        spans[0]["samples"].as_array().unwrap().iter().map(|it| it.as_i64().unwrap()).collect();
    assert_eq!(samples, (0..100).collect::<Vec<_>>());
    assert_eq!(
        (&spans[0]["unit"], &spans[0]["gain"], &spans[0]["rate_hz"]),
        (&json!("mV"), &json!(0.005), &json!(250.0))
    );
    let gaps = waves["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 3, "{gaps:?}");
    assert_eq!((&gaps[1]["reason"], &gaps[1]["to"]), (&json!("no_data"), &spans[1]["start"]));

    let page = ward.nurse.get(&format!("/patients/{}", ward.patient)).await.good();
    assert_eq!(
        (&page["waves"][0]["lead"], &page["waves"][0]["param"]),
        (&json!("II"), &json!("ecg"))
    );
    // Traces stop when the page no longer wants them, and nothing else does.
    feed.say(json!({ "t": "want", "waves": "none" })).await;
    feed.say(json!({ "t": "?" })).await;
    assert_eq!(feed.until(|frame| frame["t"] == "problem").await["status"], 400);
    let t0 = start.after(Duration::from_millis(800));
    house
        .publish(&ward, &device, &leaf, &block(&device, 4, t0, house.clock.now(), 200))
        .await
        .unwrap();
    house.measure(&ward, &device, 77).await;
    feed.until_without_binary(|frame| frame["numerics"][0]["numeric"]["value"] == 77.0).await;
}
