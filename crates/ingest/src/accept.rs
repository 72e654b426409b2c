//! From a decoded payload to the body of a record: all clocks kept, nothing guessed.

use std::time::Duration;

use model::{Clock, DeviceId, Timestamp};
use protocols::{
    senml::{self, Pack, RawSample},
    topic::{Leaf, Speaker, Topic},
    wave,
};
use record::{Body, Counted, Readings, SampleAt, Upward, WaveBlock};
use security::covers;

use crate::{
    clock_offset::ClockOffset,
    identify::DeviceRef,
    reports::{self, Kind},
};

/// A message as it came through some door.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Parcel<'a> {
    pub topic: &'a str,
    pub content_type: Option<&'a str>,
    pub payload: &'a [u8],
    pub received_at: Timestamp,
}

/// Why a message is kept as a dead letter: a stable word for machines, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable {
    pub(crate) reason: String,
    pub(crate) explanation: String,
    pub(crate) not_yours: bool,
}

impl Undecodable {
    pub(crate) fn new(reason: impl Into<String>, explanation: impl ToString) -> Self {
        let (reason, explanation) = (reason.into(), explanation.to_string());
        Self { reason, explanation, not_yours: false }
    }
}

/// Reads a message of a known device into the body of its record.
pub(crate) fn accept(
    device: &DeviceRef,
    parcel: &Parcel<'_>,
    clock: &mut ClockOffset,
) -> Result<Body, Undecodable> {
    if let Some(body) = foreign(device, parcel) {
        return Ok(body);
    }
    let topic = parcel.topic.parse::<Topic>().map_err(|error| Undecodable::new("topic", error))?;
    if (topic.site, topic.device) != (device.site, device.id) {
        let mine = format!("a message on `{}` came from device {}", parcel.topic, device.id);
        return Err(Undecodable { not_yours: true, ..Undecodable::new("topic:not_yours", mine) });
    }
    if topic.speaker == Speaker::Gateway {
        let nobody = "a gateway's topic is for the devices behind it";
        return Err(Undecodable::new("topic:gateway", nobody));
    }
    match &topic.leaf {
        Leaf::Num => numerics(device, parcel, clock),
        Leaf::Wave(channel) => wave_block(device, channel, parcel, clock),
        // Other texts are kept as they came, such as the beats of the watchdog.
        Leaf::Event if is_map(parcel) => reports::read(device.id, Kind::Event, parcel),
        Leaf::Log if is_map(parcel) => reports::read(device.id, Kind::Log, parcel),
        Leaf::State => reports::read(device.id, Kind::State, parcel),
        Leaf::Cfg => reports::read(device.id, Kind::Config, parcel),
        Leaf::CmdResult(command) => reports::read(device.id, Kind::Result(*command), parcel),
        Leaf::Alarm | Leaf::Event | Leaf::Log | Leaf::Raw(_) => {
            let leaf = parcel.topic.split_once("/up/").map_or("", |(_, leaf)| leaf).to_owned();
            let content_type = parcel.content_type.map(str::to_owned);
            Ok(Body::Upward(Upward {
                device: device.id,
                leaf,
                content_type,
                payload: parcel.payload.to_vec(),
                gateway_at: None,
            }))
        }
        Leaf::DownCmd(_) | Leaf::DownCfg | Leaf::DownTime => {
            let explanation = "a device may publish below `up/` only";
            Err(Undecodable { not_yours: true, ..Undecodable::new("topic:down", explanation) })
        }
    }
}

/// A message on a foreign topic that the device's profile grants is kept as it came.
fn foreign(device: &DeviceRef, parcel: &Parcel<'_>) -> Option<Body> {
    let grants = &device.profile.grants;
    if grants.is_empty() || parcel.topic.starts_with("wl/") {
        return None;
    }
    let granted = grants.iter().any(|grant| grant.publish && covers(&grant.filter, parcel.topic));
    granted.then(|| {
        Body::Upward(Upward {
            device: device.id,
            leaf: format!("raw/{}", parcel.topic),
            content_type: parcel.content_type.map(str::to_owned),
            payload: parcel.payload.to_vec(),
            gateway_at: None,
        })
    })
}

/// Whether a payload sets out to be a report.
fn is_map(parcel: &Parcel<'_>) -> bool {
    parcel.payload.trim_ascii_start().starts_with(b"{")
}

fn numerics(
    device: &DeviceRef,
    parcel: &Parcel<'_>,
    clock: &mut ClockOffset,
) -> Result<Body, Undecodable> {
    let pack =
        senml::decode(&device.profile, parcel.content_type, parcel.payload, parcel.received_at)
            .map_err(|error| Undecodable::new(format!("senml:{}", error.field()), error))?;
    if pack.samples.is_empty() {
        return Err(Undecodable::new("senml:empty", "the pack holds no measured record"));
    }
    let Pack { boot, seq, device_now, base_at, samples, .. } = pack;
    let newest = samples.iter().map(|sample| sample.device_at).max();
    let judged = judge(device, device_now, newest, parcel.received_at, clock);
    let samples = samples.into_iter().map(|sample| relative(base_at, sample)).collect();
    Ok(Body::Readings(Readings {
        device: device.id,
        counted: boot.zip(seq).map(|(boot, seq)| Counted { boot, seq }),
        device_at: base_at,
        device_now,
        gateway_at: None,
        clock: judged,
        may_be_buffered: device.profile.buffers,
        samples,
    }))
}

pub(crate) fn relative(base_at: Timestamp, raw: RawSample) -> SampleAt {
    let device_at_delta_ns = raw.device_at.nanos_after(base_at);
    SampleAt { channel: raw.channel, device_at_delta_ns, sample: raw.sample, refused: raw.refused }
}

fn wave_block(
    device: &DeviceRef,
    channel: &str,
    parcel: &Parcel<'_>,
    clock: &mut ClockOffset,
) -> Result<Body, Undecodable> {
    let block = wave::decode(parcel.payload)
        .map_err(|error| Undecodable::new(format!("wave:{}", error.field()), error))?;
    let claimed: DeviceId = block.device;
    if claimed != device.id {
        let mine = format!("the block names device {claimed}, the certificate {}", device.id);
        return Err(Undecodable { not_yours: true, ..Undecodable::new("wave:device", mine) });
    }
    if block.channel != channel {
        let both = format!("the block names channel `{}`, the topic `{channel}`", block.channel);
        return Err(Undecodable::new("wave:channel", both));
    }
    let Some(known) = device.profile.channel(channel).filter(|known| known.is_wave()) else {
        let unknown = format!("profile `{}` has no waveform `{channel}`", device.profile.name);
        return Err(Undecodable::new("wave:channel", unknown));
    };
    // The newest sample is the block's last, not the one that `t0` stamps.
    let ends_at = block.t0.after(Duration::from_nanos(block.duration_ns()));
    let judged = judge(device, block.now, Some(ends_at), parcel.received_at, clock);
    Ok(Body::Wave(WaveBlock {
        device: device.id,
        channel: known.channel(),
        counted: Counted { boot: block.boot, seq: block.seq },
        device_at: block.t0,
        device_now: block.now,
        gateway_at: None,
        clock: judged,
        may_be_buffered: device.profile.buffers,
        payload: parcel.payload.to_vec(),
    }))
}

/// How far the device's clock can be trusted, after one more message.
///
/// Without its own time at sending, a device that keeps samples says nothing about
/// its clock; one that does not keep them sent its newest sample just now.
pub(crate) fn judge(
    device: &DeviceRef,
    device_now: Option<Timestamp>,
    newest: Option<Timestamp>,
    received_at: Timestamp,
    clock: &mut ClockOffset,
) -> Clock {
    let by_samples = newest.filter(|_| !device.profile.buffers);
    match device_now.or(by_samples) {
        Some(now) if device.profile.is_synchronised() => clock.observe(now, received_at),
        Some(_) | None => Clock::Unsynchronised,
    }
}
