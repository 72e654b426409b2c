//! What a device says about itself, from its JSON to the body of a record, and how a
//! repeat of it is recognised.

use std::hash::{DefaultHasher, Hash, Hasher};

use model::{Channel, CommandId, DeviceId};
use protocols::report::{self, ReportError, Stamp};
use record::{
    Body, CommandResult, CommandStatus, Counted, DeviceConfig, DeviceEvent, DeviceState, Duplicate,
    Severity,
};

use crate::{
    accept::{Parcel, Undecodable},
    door::{Fate, Keys},
    duplicate::Seen,
};

/// Which report a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Log,
    State,
    Config,
    Result(CommandId),
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Log => "log",
            Self::State => "state",
            Self::Config => "cfg",
            Self::Result(_) => "cmd",
        }
    }
}

/// Reads a report into the body of its record.
pub(crate) fn read(device: DeviceId, kind: Kind, parcel: &Parcel<'_>) -> Result<Body, Undecodable> {
    body(device, kind, parcel)
        .map_err(|error| Undecodable::new(format!("{}:{}", kind.word(), error.field()), error))
}

fn body(device: DeviceId, kind: Kind, parcel: &Parcel<'_>) -> Result<Body, ReportError> {
    let (said, payload) = (parcel.content_type, parcel.payload.to_vec());
    Ok(match kind {
        Kind::Event | Kind::Log => {
            let is_log = kind == Kind::Log;
            let read = if is_log { report::log } else { report::event };
            let report::Event { stamp, name, severity, text } = read(said, parcel.payload)?;
            let (counted, device_at) = (counted(stamp), stamp.at);
            let severity = severity_of(severity);
            Body::Event(DeviceEvent {
                device,
                counted,
                device_at,
                name,
                severity,
                text,
                payload,
                gateway_at: None,
            })
        }
        Kind::State => {
            let report::State { stamp, online, firmware, battery_percent, config } =
                report::state(said, parcel.payload)?;
            Body::State(DeviceState {
                device,
                counted: counted(stamp),
                device_at: stamp.at,
                online,
                firmware,
                battery_percent,
                config,
                payload,
                gateway_at: None,
            })
        }
        Kind::Config => {
            let report::Config { stamp, version } = report::config(said, parcel.payload)?;
            let (counted, device_at) = (counted(stamp), stamp.at);
            Body::Config(DeviceConfig {
                device,
                counted,
                device_at,
                version,
                payload,
                gateway_at: None,
            })
        }
        Kind::Result(command) => {
            let report::CommandResult { stamp, status, text } =
                report::command_result(said, parcel.payload)?;
            let status = match status {
                report::CommandStatus::Received => CommandStatus::Received,
                report::CommandStatus::Running => CommandStatus::Running,
                report::CommandStatus::Done => CommandStatus::Done,
                report::CommandStatus::Failed => CommandStatus::Failed,
                report::CommandStatus::Refused => CommandStatus::Refused,
            };
            let (counted, device_at) = (counted(stamp), stamp.at);
            Body::CommandResult(CommandResult {
                device,
                command,
                counted,
                device_at,
                status,
                text,
                payload,
                gateway_at: None,
            })
        }
    })
}

const fn severity_of(said: report::Severity) -> Severity {
    match said {
        report::Severity::Debug => Severity::Debug,
        report::Severity::Info => Severity::Info,
        report::Severity::Warning => Severity::Warning,
        report::Severity::Error => Severity::Error,
    }
}

fn counted(stamp: Stamp) -> Option<Counted> {
    stamp.counted.map(|(boot, seq)| Counted { boot, seq })
}

/// What all reports have that a repeat is recognised by.
struct Signs<'a> {
    device: DeviceId,
    stream: Channel,
    counted: Option<Counted>,
    has_time: bool,
    payload: &'a [u8],
}

fn signs(body: &Body) -> Option<Signs<'_>> {
    // No channel of a waveform has a slash, so streams do not meet.
    let of = |stream: &str, device, counted, is_timed, payload| {
        Some(Signs { device, stream: Channel::from(stream), counted, has_time: is_timed, payload })
    };
    match body {
        Body::Event(it) => {
            of("up/event", it.device, it.counted, it.device_at.is_some(), &*it.payload)
        }
        Body::State(it) => {
            of("up/state", it.device, it.counted, it.device_at.is_some(), &*it.payload)
        }
        Body::Config(it) => {
            of("up/cfg", it.device, it.counted, it.device_at.is_some(), &*it.payload)
        }
        Body::CommandResult(it) => {
            of("up/cmd", it.device, it.counted, it.device_at.is_some(), &*it.payload)
        }
        _ => None,
    }
}

impl Signs<'_> {
    /// Without a count or a time nothing tells a repeat from the same thing happening again.
    fn keys(&self) -> Keys {
        match (self.counted, self.has_time) {
            (Some(counted), _) => Keys::Counted(Some(self.stream.clone()), counted),
            (None, true) => {
                let mut hasher = DefaultHasher::new();
                (&self.stream, self.payload).hash(&mut hasher);
                Keys::Samples(vec![hasher.finish()])
            }
            (None, false) => Keys::None,
        }
    }
}

fn repeats(keys: &Keys, seen: &mut Seen) -> bool {
    match keys {
        Keys::Counted(stream, counted) => seen.repeats(stream.as_ref(), *counted),
        Keys::Samples(prints) => prints.iter().any(|print| seen.repeats_sample(*print)),
        Keys::None => false,
    }
}

/// Tells a first copy from a repeat; a repeat becomes a short record of its own.
pub(crate) fn recognise(body: Body, seen: &mut Seen) -> (Body, Fate) {
    let Some(signs) = signs(&body) else {
        return (body, Fate::Stored { keys: Keys::None, samples: 0 });
    };
    let keys = signs.keys();
    if !repeats(&keys, seen) {
        return (body, Fate::Stored { keys, samples: 0 });
    }
    let Signs { device, stream, counted, .. } = signs;
    let repeat = Duplicate { device, counted, channel: Some(stream), samples: 0 };
    (Body::Duplicate(repeat), Fate::Repeated { keys })
}

/// Whose report a record holds, if it holds one.
pub(crate) fn device_of(body: &Body) -> Option<DeviceId> {
    signs(body).map(|signs| signs.device)
}

/// Remembers a report that is in the journal.
pub(crate) fn recall(body: &Body, seen: &mut Seen) {
    if let Some(signs) = signs(body) {
        repeats(&signs.keys(), seen);
    }
}
