//! Which number is which body: kinds are numbered once and never reused.

use minicbor::Decoder;

use crate::{
    AuditEntry, ClockStep, Coded, Command, CommandResult, DeadLetter, DeviceConfig, DeviceEvent,
    DeviceState, Duplicate, Encoder, Imported, MqttNote, MqttQueued, MqttRetained, MqttSession,
    Part, Presence, Readings, Replayed, SealedWave, SegmentHead, Spoke, ThinnedSegment, TurnedAway,
    Upward, WaveBlock,
};

#[cfg(test)]
mod device_samples;
#[cfg(test)]
mod mqtt_samples;
#[cfg(test)]
mod report_samples;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// From this number on a kind is a decision, and `engine::record` owns it.
pub const DECISIONS_FROM: u16 = 0x1000;

/// The body of an input, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described by its type")]
pub enum Body {
    Readings(Readings),
    Wave(WaveBlock),
    DeadLetter(DeadLetter),
    Duplicate(Duplicate),
    Presence(Presence),
    Upward(Upward),
    Command(Command),
    Audit(AuditEntry),
    ClockStep(ClockStep),
    MqttSession(MqttSession),
    MqttRetained(MqttRetained),
    MqttQueued(MqttQueued),
    MqttNote(MqttNote),
    SegmentHead(SegmentHead),
    Part(Part),
    TurnedAway(TurnedAway),
    Replayed(Replayed),
    Event(DeviceEvent),
    State(DeviceState),
    Config(DeviceConfig),
    CommandResult(CommandResult),
    Spoke(Spoke),
    SealedWave(SealedWave),
    Thinned(ThinnedSegment),
    Imported(Imported),
}

/// Why the body of a frame cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum BodyError {
    #[error("body kind {found} is not known to this program")]
    UnknownKind { found: u16 },
    #[error("version {found} of body kind {kind} is not known to this program")]
    UnknownVersion { kind: u16, found: u8 },
    #[error("the body is malformed: {what}")]
    Malformed { what: String },
}

impl BodyError {
    /// A finding in words; never with a value in it, as values may be a patient's.
    pub fn malformed(what: &str) -> Self {
        Self::Malformed { what: what.to_owned() }
    }

    /// A finding of the CBOR reader, which names types and places.
    pub fn cbor(error: minicbor::decode::Error) -> Self {
        Self::Malformed { what: error.to_string() }
    }

    /// A number that is no variant of the enum `name`.
    pub fn unknown_variant(name: &str, found: u64) -> Self {
        Self::Malformed { what: format!("{name} {found} is not known") }
    }
}

macro_rules! kinds {
    ($($number:literal $kind:ident version $version:literal $name:ident,)*) => {
        impl Body {
            /// The number of this body's kind; 0 is none, so that zeros are never a body.
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$kind(_) => $number,)* }
            }

            /// The kind, the version, and the bytes that a frame holds.
            pub fn encode(&self) -> (u16, u8, Vec<u8>) {
                let mut bytes = Vec::with_capacity(self.likely_len());
                match self { $(
                    Self::$kind(body) => {
                        body.write(&mut Encoder::new(&mut bytes));
                        ($number, $version, bytes)
                    }
                )* }
            }

            /// Reads a body of any version that was ever written.
            pub fn decode(kind: u16, version: u8, bytes: &[u8]) -> Result<Self, BodyError> {
                match (kind, version) {
                    $(($number, $version) => whole(bytes).map(Self::$kind),)*
                    $(($number, found) => Err(BodyError::UnknownVersion { kind, found }),)*
                    (found, _) => Err(BodyError::UnknownKind { found }),
                }
            }
        }

        /// The numbers of all kinds of inputs, by name.
        #[derive(Clone, Copy, Debug)]
        pub struct Kinds;

        impl Kinds {
            $(#[doc = concat!("The kind of [`Body::", stringify!($kind), "`].")]
            pub const $name: u16 = $number;)*

            /// Every kind with its name, in capitals, for whoever lists what a journal holds.
            pub const ALL: &'static [(u16, &'static str)] = &[$(($number, stringify!($name)),)*];
        }
    };
}

kinds! {
    1 Readings version 1 READINGS,
    2 Wave version 1 WAVE,
    3 DeadLetter version 1 DEAD_LETTER,
    4 Duplicate version 1 DUPLICATE,
    5 Presence version 1 PRESENCE,
    6 Upward version 1 UPWARD,
    7 Command version 1 COMMAND,
    8 Audit version 1 AUDIT,
    9 ClockStep version 1 CLOCK_STEP,
    10 MqttSession version 1 MQTT_SESSION,
    11 SegmentHead version 1 SEGMENT_HEAD,
    12 Part version 1 PART,
    13 MqttRetained version 1 MQTT_RETAINED,
    14 MqttQueued version 1 MQTT_QUEUED,
    15 MqttNote version 1 MQTT_NOTE,
    16 Event version 1 EVENT,
    17 State version 1 STATE,
    18 Config version 1 CONFIG,
    19 CommandResult version 1 COMMAND_RESULT,
    20 TurnedAway version 1 TURNED_AWAY,
    21 Replayed version 1 REPLAYED,
    22 Spoke version 1 SPOKE,
    23 SealedWave version 1 SEALED_WAVE,
    24 Thinned version 1 THINNED,
    25 Imported version 1 IMPORTED,
}

impl Body {
    /// Bytes to set aside; a guess that saves growing in the two frequent kinds.
    fn likely_len(&self) -> usize {
        match self {
            Self::Readings(body) => body.samples.len().saturating_mul(64).saturating_add(64),
            Self::Wave(body) => body.payload.len().saturating_add(128),
            Self::DeadLetter(body) => body.payload.len().saturating_add(256),
            Self::Part(body) => body.bytes.len().saturating_add(64),
            Self::Event(body) => body.payload.len().saturating_mul(2).saturating_add(128),
            Self::Config(body) => body.payload.len().saturating_add(128),
            Self::Imported(body) => {
                let points = body.values.iter().map(|it| it.points.len()).sum::<usize>();
                let samples = body.waves.iter().map(|it| it.samples.len()).sum::<usize>();
                points
                    .saturating_mul(14)
                    .saturating_add(samples.saturating_mul(3))
                    .saturating_add(512)
            }
            Self::Duplicate(_)
            | Self::Presence(_)
            | Self::Spoke(_)
            | Self::SealedWave(_)
            | Self::Thinned(_)
            | Self::Upward(_)
            | Self::Command(_)
            | Self::Audit(_)
            | Self::ClockStep(_)
            | Self::MqttSession(_)
            | Self::MqttRetained(_)
            | Self::MqttQueued(_)
            | Self::MqttNote(_)
            | Self::State(_)
            | Self::CommandResult(_)
            | Self::TurnedAway(_)
            | Self::Replayed(_)
            | Self::SegmentHead(_) => 128,
        }
    }
}

/// Reads one value that must fill the bytes.
fn whole<T: Coded>(bytes: &[u8]) -> Result<T, BodyError> {
    let mut d = Decoder::new(bytes);
    let value = T::read(&mut d)?;
    if d.position() == bytes.len() {
        Ok(value)
    } else {
        Err(BodyError::malformed("bytes are left over"))
    }
}
