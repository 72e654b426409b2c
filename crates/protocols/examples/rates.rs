//! How fast messages are read and written on one core: `cargo run -p protocols --release --example rates`.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use model::Timestamp;
use protocols::{
    Decimal,
    profile::Profile,
    senml::{self, Outgoing, OutgoingSample},
    topic, wave,
};

const PROFILE: &str = include_str!("../../../profiles/bedside-monitor/profile.toml");
const BLOCK: &[u8] = include_bytes!("../../../profiles/bedside-monitor/ecg.cbor");
const VARINTS: &[u8] = include_bytes!("../../../profiles/ecg-patch/ecg.cbor");
const TOPIC: &str =
    "wl/1/0192f0c1-2b3a-7c4d-8e5f-000000000001/0192f0c1-2b3a-7c4d-8e5f-000000000002/up/num";

fn main() {
    let Ok(profile) = Profile::parse(PROFILE) else { return println!("the profile is broken") };
    let now = Timestamp::from_unix_millis(1_700_000_000_000);
    let samples: Vec<_> = profile
        .channels
        .iter()
        .filter(|spec| !spec.is_wave())
        .cycle()
        .take(10)
        .map(|spec| OutgoingSample {
            channel: &spec.channel.0,
            unit: spec.ucum.as_str(),
            at: now,
            value: Ok(Decimal { mantissa: 365, exp10: -1 }),
        })
        .collect();
    let pack = Outgoing {
        base_name: "",
        base_at: now,
        boot: Some(7),
        seq: Some(9),
        now: Some(now),
        samples: &samples,
    };
    let (json, cbor) = (senml::encode_json(&pack), senml::encode_cbor(&pack));
    for (name, bytes) in [("JSON", &json), ("CBOR", &cbor)] {
        let read = per_second(|| senml::decode(&profile, None, black_box(bytes), now));
        let len = bytes.len();
        println!("SenML {name}, 10 in {len} bytes: {:.2} M readings/s read", read * 10.0 / 1e6);
    }
    let written = per_second(|| senml::encode_json(black_box(&pack)));
    println!("SenML JSON: {:.2} M readings/s written", written * 10.0 / 1e6);
    for (name, bytes) in [("int16", BLOCK), ("varint", VARINTS)] {
        let Ok(block) = wave::decode(bytes) else { return println!("the block is broken") };
        let checked = per_second(|| wave::decode(black_box(bytes)).is_ok());
        let read = per_second(|| black_box(&block).counts());
        let millions = f64::from(block.count) / 1e6;
        println!(
            "wave {name}: {:.0} k blocks/s checked, {:.0} M samples/s read",
            checked / 1e3,
            read * millions
        );
    }
    println!("topics: {:.2} M/s parsed", per_second(|| topic::parse(black_box(TOPIC))) / 1e6);
}

/// How often `work` is done in a second.
#[expect(clippy::disallowed_methods, reason = "a measurement of speed reads a clock")]
fn per_second<T>(mut work: impl FnMut() -> T) -> f64 {
    let (started, mut done) = (Instant::now(), 0_u32);
    loop {
        for _ in 0..1_000 {
            black_box(work());
        }
        done += 1_000;
        let elapsed = started.elapsed();
        if elapsed > Duration::from_millis(700) {
            return f64::from(done) / elapsed.as_secs_f64();
        }
    }
}
