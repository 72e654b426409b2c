//! How fast bodies and frames are written and read on one core: `cargo run -p record --release --example body_rates`.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use model::{Clock, Code, Id, Kind, Measure, Sample, Timestamp};
use record::{Body, Counted, Envelope, Frame, FrameRef, Position, Readings, SampleAt};

fn main() {
    for samples in [10, 600] {
        let body = Body::Readings(readings(samples));
        let (kind, version, bytes) = body.encode();
        let len = bytes.len();
        let written = per_second(|| black_box(&body).encode());
        let read = per_second(|| Body::decode(kind, version, black_box(&bytes)));
        let millions = |messages: f64| messages * samples as f64 / 1e6;
        println!(
            "readings, {samples} in {len} bytes: {:.1} M/s written, {:.1} M/s read",
            millions(written),
            millions(read)
        );
    }
    let body = Body::Readings(readings(10)).encode().2;
    let frame = envelope();
    let mut out = Vec::with_capacity(1 << 20);
    let written = per_second(|| {
        out.clear();
        frame.encode(black_box(&body), &mut out)
    });
    let borrowed = per_second(|| FrameRef::decode(&mut black_box(&out[..])).is_ok());
    let owned = per_second(|| Frame::decode(&mut black_box(&out[..])).is_ok());
    println!(
        "frames of {} bytes: {:.1} M/s written, {:.1} M/s read in place, {:.1} M/s read with a body of their own",
        out.len(),
        written / 1e6,
        borrowed / 1e6,
        owned / 1e6
    );
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

fn id<K: Kind>(random: u128) -> Id<K> {
    Id::v7(Timestamp::from_unix_millis(1_700_000_000_000), random)
}

fn envelope() -> Envelope {
    let position = Position { partition: id(2), seq: 7 };
    let received_at = Timestamp::from_unix_millis(1_700_000_000_000);
    Envelope { kind: 1, body_version: 1, org: id(1), position, received_at, key_id: 0 }
}

/// A message of ten channels, each with as many samples as make the sum.
fn readings(samples: i64) -> Readings {
    let sample = |number: i64| {
        let kind = Code::Mdc(147_842 + u32::try_from(number % 10).unwrap_or(0));
        let measure = Measure { kind, mantissa: 720 + number, exp10: -1, ucum: "/min".into() };
        SampleAt {
            channel: format!("MDC_ECG_HEART_RATE_{}", number % 10).as_str().into(),
            device_at_delta_ns: number / 10 * 1_000_000_000,
            sample: Sample::Measured(measure),
            refused: None,
        }
    };
    Readings {
        device: id(7),
        counted: Some(Counted { boot: 3, seq: 9 }),
        device_at: Timestamp::from_unix_millis(1_700_000_000_000),
        device_now: None,
        gateway_at: None,
        clock: Clock::Unsynchronised,
        may_be_buffered: false,
        samples: (0..samples).map(sample).collect(),
    }
}
