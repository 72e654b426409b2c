//! What a device says about itself, in JSON: events, its state, the configuration in
//! force, what became of a command (docs/reference/device-protocol.md).
//!
//! Each is one map. Keys that are not known are no error: the message is kept whole
//! beside what was read. A known key with a wrong value refuses the message by name.

use model::{Redacted, Timestamp};
use serde_json::value::RawValue;

use crate::{
    decimal::Decimal,
    limits::{PAYLOAD_LEN_MAX, REPORT_TEXT_LEN_MAX, VERSION_LEN_MAX},
    senml::Fields,
    topic::is_word,
};

#[cfg(test)]
mod tests;

/// The media type of a report.
pub const JSON: &str = "application/json";

/// What all reports may say: when, and their place in the device's count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When, by the device's clock (`at`, seconds since 1970).
    pub at: Option<Timestamp>,
    /// Boot id and sequence (`boot`, 16 hex digits, and `seq`); both or none.
    pub counted: Option<(u64, u64)>,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub stamp: Stamp,
    /// The device's word for it.
    pub name: String,
    /// How much it matters to those who look after devices.
    pub severity: Severity,
    /// The device's own words.
    pub text: Redacted<String>,
}

/// How much an event matters to those who look after devices; it is no alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Severity {
    Debug,
    Info,
    Warning,
    Error,
}

/// How a device says it is; what is left out is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// When.
    pub stamp: Stamp,
    /// Whether it is there; a last will says `false`.
    pub online: Option<bool>,
    /// The version of its firmware.
    pub firmware: Option<String>,
    /// What its battery holds, in percent.
    pub battery_percent: Option<u8>,
    /// The version of the configuration in force.
    pub config: Option<String>,
}

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// When.
    pub stamp: Stamp,
    /// The version that the desired configuration was given.
    pub version: String,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandResult {
    /// When.
    pub stamp: Stamp,
    /// How far it has come.
    pub status: CommandStatus,
    /// The device's own words.
    pub text: Redacted<String>,
}

/// How far a command has come on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum CommandStatus {
    Received,
    Running,
    Done,
    Failed,
    Refused,
}

/// Why a message is no report; the words hold nothing of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ReportError {
    #[error("a report of {len} bytes is longer than {PAYLOAD_LEN_MAX} bytes")]
    TooLong { len: usize },
    #[error("content type `{found}` is not application/json")]
    ContentType { found: String },
    #[error("the report is not a map in JSON at line {line}, column {column}")]
    Json { line: usize, column: usize },
    #[error("`{field}` stands twice")]
    Twice { field: &'static str },
    #[error("`{field}` is missing; {wanted} is expected")]
    Missing { field: &'static str, wanted: &'static str },
    #[error("`{field}` is not {wanted}")]
    Wrong { field: &'static str, wanted: &'static str },
}

impl ReportError {
    /// A short stable word for the reason, for dead letters and counters.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "len",
            Self::ContentType { .. } => "content_type",
            Self::Json { .. } => "json",
            Self::Twice { field } | Self::Missing { field, .. } | Self::Wrong { field, .. } => {
                field
            }
        }
    }
}

/// Reads an event (`up/event`).
pub fn event(content_type: Option<&str>, payload: &[u8]) -> Result<Event, ReportError> {
    let map = Map::read(content_type, payload)?;
    let name = map.need("event", A_WORD, word)?;
    let severity = map.find("severity", A_SEVERITY, severity)?.unwrap_or(Severity::Info);
    Ok(Event { stamp: map.stamp()?, name, severity, text: map.text("text")? })
}

/// Reads a line of a device's log (`up/log`) that is a map; others are kept as they came.
pub fn log(content_type: Option<&str>, payload: &[u8]) -> Result<Event, ReportError> {
    let map = Map::read(content_type, payload)?;
    let severity = map.find("level", A_SEVERITY, severity)?.unwrap_or(Severity::Info);
    Ok(Event { stamp: map.stamp()?, name: "log".to_owned(), severity, text: map.text("text")? })
}

/// Reads a device's state (`up/state`).
pub fn state(content_type: Option<&str>, payload: &[u8]) -> Result<State, ReportError> {
    let map = Map::read(content_type, payload)?;
    Ok(State {
        stamp: map.stamp()?,
        online: map.find("online", "true or false", truth)?,
        firmware: map.find("firmware", A_VERSION, version)?,
        battery_percent: map.find("battery_percent", "a number from 0 to 100", percent)?,
        config: map.find("config", A_VERSION, version)?,
    })
}

/// Reads the configuration in force (`up/cfg`).
pub fn config(content_type: Option<&str>, payload: &[u8]) -> Result<Config, ReportError> {
    let map = Map::read(content_type, payload)?;
    Ok(Config { stamp: map.stamp()?, version: map.need("version", A_VERSION, version)? })
}

/// Reads what became of a command (`up/cmd/{id}`).
pub fn command_result(
    content_type: Option<&str>,
    payload: &[u8],
) -> Result<CommandResult, ReportError> {
    let map = Map::read(content_type, payload)?;
    let status = map.need("status", A_STATUS, status)?;
    Ok(CommandResult { stamp: map.stamp()?, status, text: map.text("text")? })
}

const A_WORD: &str = "a text of 1 to 64 of `A-Z a-z 0-9 . _ -`";
const A_VERSION: &str = "a text of 1 to 64 characters";
const A_SEVERITY: &str = "one of `debug`, `info`, `warning`, `error`";
const A_STATUS: &str = "one of `received`, `running`, `done`, `failed`, `refused`";
const A_TEXT: &str = "a text of at most 4096 bytes";
const SEQ_BELOW: i64 = 1 << 53;

/// A map in JSON whose values are not yet read.
struct Map<'a>(Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>);

impl<'a> Map<'a> {
    fn read(content_type: Option<&str>, payload: &'a [u8]) -> Result<Self, ReportError> {
        if payload.len() > PAYLOAD_LEN_MAX {
            return Err(ReportError::TooLong { len: payload.len() });
        }
        if let Some(found) = content_type {
            let essence = found.split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case(JSON) {
                return Err(ReportError::ContentType { found: found.chars().take(80).collect() });
            }
        }
        let read: Result<Fields<'a>, _> = serde_json::from_slice(payload);
        read.map(|fields| Self(fields.0))
            .map_err(|error| ReportError::Json { line: error.line(), column: error.column() })
    }

    fn find<T>(
        &self,
        field: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ReportError> {
        let mut found = self.0.iter().filter(|(name, _)| name == field);
        let Some((_, raw)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(ReportError::Twice { field });
        }
        read(raw.get()).map(Some).ok_or(ReportError::Wrong { field, wanted })
    }

    fn need<T>(
        &self,
        field: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ReportError> {
        self.find(field, wanted, read)?.ok_or(ReportError::Missing { field, wanted })
    }

    fn text(&self, field: &'static str) -> Result<Redacted<String>, ReportError> {
        let short = |raw: &str| text(raw).filter(|text| text.len() <= REPORT_TEXT_LEN_MAX);
        Ok(Redacted(self.find(field, A_TEXT, short)?.unwrap_or_default()))
    }

    fn stamp(&self) -> Result<Stamp, ReportError> {
        let at = self.find("at", "seconds since 1970", instant)?;
        let boot = self.find("boot", "a text of 16 hex digits", boot)?;
        let seq = self.find("seq", "a whole number from 0 and below 2^53", sequence)?;
        let wanted = "`boot` and `seq`, or neither,";
        match (boot, seq) {
            (Some(_), None) => Err(ReportError::Missing { field: "seq", wanted }),
            (None, Some(_)) => Err(ReportError::Missing { field: "boot", wanted }),
            (boot, seq) => Ok(Stamp { at, counted: boot.zip(seq) }),
        }
    }
}

fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn word(raw: &str) -> Option<String> {
    text(raw).filter(|text| is_word(text))
}

fn version(raw: &str) -> Option<String> {
    text(raw).filter(|text| (1..=VERSION_LEN_MAX).contains(&text.chars().count()))
}

fn truth(raw: &str) -> Option<bool> {
    serde_json::from_str(raw).ok()
}

/// Whole percents, rounded down: a battery is not shown as fuller than it is.
fn percent(raw: &str) -> Option<u8> {
    let number = Decimal::parse(raw).filter(|number| number.is_within(0, 100))?;
    // As seconds, its whole part is the number of full ones.
    u8::try_from(number.nanos()?.checked_div(1_000_000_000)?).ok()
}

fn instant(raw: &str) -> Option<Timestamp> {
    let nanos = Decimal::parse(raw)?.nanos()?;
    i64::try_from(nanos).ok().map(Timestamp::from_unix_nanos)
}

fn boot(raw: &str) -> Option<u64> {
    let digits = text(raw).filter(|text| text.len() == 16)?;
    let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if all_hex { u64::from_str_radix(&digits, 16).ok() } else { None }
}

fn sequence(raw: &str) -> Option<u64> {
    let number = Decimal::parse(raw)?.integer().filter(|number| *number < SEQ_BELOW)?;
    u64::try_from(number).ok()
}

fn severity(raw: &str) -> Option<Severity> {
    Some(match text(raw)?.as_str() {
        "debug" => Severity::Debug,
        "info" => Severity::Info,
        "warning" => Severity::Warning,
        "error" => Severity::Error,
        _ => return None,
    })
}

fn status(raw: &str) -> Option<CommandStatus> {
    Some(match text(raw)?.as_str() {
        "received" => CommandStatus::Received,
        "running" => CommandStatus::Running,
        "done" => CommandStatus::Done,
        "failed" => CommandStatus::Failed,
        "refused" => CommandStatus::Refused,
        _ => return None,
    })
}
