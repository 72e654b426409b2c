//! The stored form of what came in: the envelope, the bodies of inputs, and the
//! versions of their past. Old frames stay readable for ever; their golden bytes
//! are kept beside the code.
//!
//! **Absent on purpose:** files, and the meaning of a body.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))] // Lengths come from disks.

mod body;
mod coded;
mod command;
mod encoder;
mod frame;
mod imported;
mod input;
mod mqtt;
mod nouns;
mod parts;
mod readings;
mod reports;
mod stored;

pub use body::{Body, BodyError, DECISIONS_FROM, Kinds};
pub use coded::{Coded, Variant, array_len, key, map_len, need, put, skip};
pub use command::{Actor, AuditEntry, Command, DiskLevel, DiskNote, Pulse, Session, Wish};
pub use encoder::Encoder;
pub use frame::{BODY_LEN_MAX, Envelope, FRAME_LEN_MIN, Frame, FrameError, FrameRef, Position};
pub use imported::{Imported, ImportedDoubt, ImportedPoint, ImportedValues, ImportedWave};
pub use input::{
    ClockStep, Counted, DeadLetter, Duplicate, Part, Presence, PresenceChange, Readings, Replayed,
    SampleAt, SealedWave, SegmentHead, Spoke, ThinnedSegment, TurnedAway, Upward, WaveBlock,
};
pub use minicbor::Decoder;
pub use mqtt::{
    MqttMessage, MqttNote, MqttProgress, MqttQueued, MqttRetained, MqttSession, MqttTarget,
    MqttWill,
};
pub use parts::{PartsError, join_parts, split_parts};
pub use reports::{CommandResult, CommandStatus, DeviceConfig, DeviceEvent, DeviceState, Severity};
