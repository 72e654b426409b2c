//! What devices and gateways bring in: the bodies of inputs, as types.
//!
//! Their stored forms are written by [`crate::Coded`]; index keys are never reused.

use model::{Channel, Clock, DeadLetterId, DeviceId, PartitionId, Sample, Timestamp, UserId};

/// The numerics of one message, decoded once; the frame holds `received_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Which device measured.
    pub device: DeviceId,
    /// The device's boot id and the message's sequence, if it counts.
    pub counted: Option<Counted>,
    /// The base of all sample times, by the device's clock.
    pub device_at: Timestamp,
    /// The device's own time at sending.
    pub device_now: Option<Timestamp>,
    /// When the gateway passed it on.
    pub gateway_at: Option<Timestamp>,
    /// How far the device's clock was trusted at receipt.
    pub clock: Clock,
    /// Whether the profile says that the device keeps samples and sends them later.
    pub may_be_buffered: bool,
    /// One entry for each channel and instant, in the order of the message.
    pub samples: Vec<SampleAt>,
}

/// One sample of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleAt {
    /// The output of the device.
    pub channel: Channel,
    /// Its time by the device's clock, as nanoseconds after the base.
    pub device_at_delta_ns: i64,
    /// The value as sent, or why there is none.
    pub sample: Sample,
    /// The bytes of a value that was refused, kept for whoever mends the mapping.
    pub refused: Option<Vec<u8>>,
}

/// A message's place in a device's own count; with the channel it is the de-duplication key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Counted {
    pub boot: u64,
    pub seq: u64,
}

/// A waveform block exactly as it was received (protocols §1.4), with what we know beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveBlock {
    /// Which device measured.
    pub device: DeviceId,
    /// The channel that the topic and the block agree on.
    pub channel: Channel,
    /// Boot id and block number.
    pub counted: Counted,
    /// The first sample's time by the device's clock.
    pub device_at: Timestamp,
    /// The device's own time at sending (key 20).
    pub device_now: Option<Timestamp>,
    /// When the gateway passed it on.
    pub gateway_at: Option<Timestamp>,
    /// How far the device's clock was trusted at receipt.
    pub clock: Clock,
    /// Whether the profile says that the device keeps blocks and sends them later.
    pub may_be_buffered: bool,
    /// The CBOR map as it came.
    pub payload: Vec<u8>,
}

/// What is left of a waveform block in a segment that was thinned: all but its samples, which
/// are sealed and were compared before they went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedWave {
    /// The block; of its payload everything is there but the samples and the checksum over them.
    pub block: WaveBlock,
    /// How many bytes the payload had.
    pub payload_len_bytes: u64,
    /// SHA-256 of the payload, so that anybody can tell whether it was made again.
    pub payload_sha256: [u8; 32],
}

/// A segment of the journal was thinned: samples of waveforms that are sealed went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThinnedSegment {
    /// Where it begins, in bytes since the log began.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// How many blocks lost their samples.
    pub blocks: u64,
    /// Bytes of the segment before.
    pub bytes_before: u64,
    /// Bytes of the segment afterwards.
    pub bytes: u64,
    /// When the oldest of these blocks was received.
    pub oldest: Timestamp,
    /// When the newest of them was.
    pub newest: Timestamp,
    /// The setting: for so many days blocks stay whole.
    pub keep_days: Option<u64>,
    /// The setting: up to so many bytes of journal blocks stay whole.
    pub keep_bytes: Option<u64>,
}

/// A message that could not be identified or decoded, kept whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names it in answers and on screens.
    pub id: DeadLetterId,
    /// Whose certificate brought it, if one did.
    pub device: Option<DeviceId>,
    /// The door it came to, such as `mqtt`.
    pub door: String,
    /// The topic or path.
    pub topic: String,
    /// What the sender said that it is.
    pub content_type: Option<String>,
    /// A short stable word for the reason, such as `wave:n`.
    pub reason: String,
    /// What was found and what would have been accepted.
    pub explanation: String,
    /// The message.
    pub payload: Vec<u8>,
}

/// A message that came again: it is acknowledged by this frame and counted, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Who sent it again.
    pub device: DeviceId,
    /// Its key where the device counts.
    pub counted: Option<Counted>,
    /// Its channel if it is a waveform.
    pub channel: Option<Channel>,
    /// How many samples it repeated.
    pub samples: u32,
}

/// A device came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Which.
    pub device: DeviceId,
    /// What happened.
    pub change: PresenceChange,
    /// Address and port that it spoke from.
    pub remote: String,
}

/// A device spoke at a door that keeps no connections: for the first time, from another
/// address, or again after long; most of its messages have none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoke {
    /// Which.
    pub device: DeviceId,
    /// The door, such as `https`.
    pub door: String,
    /// Address and port that it spoke from.
    pub remote: String,
}

/// What happened to a device's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum PresenceChange {
    Connected,
    /// It said goodbye.
    Disconnected,
    /// The connection ended without a goodbye.
    Lost,
    /// Another connection of the same client took over.
    TakenOver,
    /// We closed it, for the reason that the dead letter or the log names.
    Refused,
}

/// A message on `up/event`, `up/state`, `up/alarm`, `up/log`, `up/cfg`, `up/cmd` or `up/raw`, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upward {
    /// Who sent it.
    pub device: DeviceId,
    /// The part of the topic after `up/`.
    pub leaf: String,
    /// What the sender said that it is.
    pub content_type: Option<String>,
    /// The message.
    pub payload: Vec<u8>,
    /// When it reached us first, if it lay as a dead letter since; it says nothing of now.
    pub gateway_at: Option<Timestamp>,
}

/// The machine's clock was moved: ours followed if that was forward and not by more than a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// How far the machine's clock jumped, in nanoseconds.
    pub jumped_ns: i64,
}

/// The first frame of each segment: the next sequence of every partition, so that
/// opening a log reads one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// The segment's place in the log, in bytes since the log began.
    pub offset: u64,
    /// The next sequence number of each partition.
    pub next: Vec<(PartitionId, u64)>,
}

/// One numbered part of a body longer than a frame takes; all parts stand in one group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Part {
    pub kind: u16,
    pub body_version: u8,
    pub number: u32,
    pub of: u32,
    pub bytes: Vec<u8>,
}

/// A device, or somebody who claims to be one, was turned away; one record stands for many
/// of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// The door that it came to, such as `mqtt`.
    pub door: String,
    /// Address and port that it spoke from last.
    pub remote: String,
    /// The device that its certificate named, if it showed one.
    pub device: Option<DeviceId>,
    /// The serial number of the certificate, big-endian, without leading zeros.
    pub serial: Option<Vec<u8>>,
    /// SHA-256 of the certificate.
    pub fingerprint: Option<[u8; 32]>,
    /// A short stable word, such as `tls:expired`.
    pub reason: String,
    /// What was found, for people.
    pub words: String,
    /// How often since the record before of the same kind, this time included.
    pub count: u32,
    /// The first of them since that record.
    pub first_at: Timestamp,
    /// The last of them.
    pub last_at: Timestamp,
    /// Whom a certificate that was not taken says that it was issued to, in its own words.
    pub subject: Option<String>,
}

/// A dead letter went through the door again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Which.
    pub letter: DeadLetterId,
    /// Who asked for it.
    pub by: UserId,
    /// Whether it was taken this time; it stands in the same group as what it became.
    pub mended: bool,
    /// `stored`, `duplicate`, or the reason for which it stays a dead letter.
    pub outcome: String,
    /// The same for people.
    pub words: String,
}
