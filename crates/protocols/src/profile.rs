//! What a kind of device says, as data: channels, units, ranges, and its clock.
//!
//! A profile is a TOML file with sample messages beside it; a new device that
//! needs Rust is a finding about the decoder.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{Channel, Code, Ucum, Vital};

mod command;
mod file;
mod setting;
#[cfg(test)]
mod tests;

pub use command::{ArgSpec, CommandSpec, OnPatient};
pub use setting::{SettingError, SettingRange, SettingSpec, check as check_settings};

/// The kind of a value whose channel no profile knows; no vital has it (protocols, G4).
pub const UNMAPPED: Code = Code::Mdc(0);

/// One kind of device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The folder's name, such as `bedside-monitor`.
    pub name: String,
    /// Who makes it.
    pub maker: String,
    /// The maker's word for it.
    pub model: String,
    /// What people call it on screens.
    pub words: String,
    /// What its readings may decide.
    pub grade: Grade,
    /// Whether it keeps samples and sends them later.
    pub buffers: bool,
    /// Whether its clock follows the network's.
    pub clock: ClockKind,
    /// Silence for longer than this is a technical alarm.
    pub silence_after: Duration,
    /// The channel that says how full the battery is, if it has one.
    pub battery: Option<Channel>,
    /// Its outputs, in the order in which screens show them.
    pub channels: Vec<ChannelSpec>,
    /// What it can be told to do, in the order in which screens offer it.
    pub commands: Vec<CommandSpec>,
    /// What its configuration may set, in the order in which screens offer it; empty if
    /// anything.
    pub settings: Vec<SettingSpec>,
    /// Real messages with what they should give.
    pub examples: Vec<Example>,
    /// Topics beside its own that it may use, as a gateway of foreign devices does.
    pub grants: Vec<Grant>,
    /// Tags of line protocol that tell no two sources apart, such as `host`.
    pub line_tags: Vec<String>,
    by_name: BTreeMap<Arc<str>, usize>,
    by_line: BTreeMap<String, usize>,
}

/// What the readings of a device may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Everything.
    Medical,
    /// Charts; never an alarm.
    Wellness,
}

/// What is to be expected of a device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ClockKind {
    Synchronised,
    Unsynchronised,
}

/// Topics beside its own that a device may use.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// An MQTT filter, such as `zigbee2mqtt/#`; its first level is a word.
    pub filter: String,
    /// Whether it may publish to what the filter hears.
    #[serde(default)]
    pub publish: bool,
    /// Whether it may subscribe to what the filter hears.
    #[serde(default)]
    pub subscribe: bool,
}

/// One output of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSpec {
    /// Its name in messages, and in readings.
    pub channel: Channel,
    /// What people call it.
    pub words: String,
    /// What it measures.
    pub code: Code,
    /// Its unit.
    pub ucum: Ucum,
    /// Other spellings that the device uses, each with the UCUM code that it means.
    pub units: Vec<(String, Ucum)>,
    /// Numbers or samples.
    pub form: Form,
}

/// How an output comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Single values.
    Numeric(NumericSpec),
    /// Blocks of samples.
    Wave(WaveSpec),
}

/// What is known of a channel of single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumericSpec {
    /// The least that is plausible, in whole units.
    pub min: i64,
    /// The most that is plausible, in whole units.
    pub max: i64,
    /// How often a value is to be expected.
    pub cadence: Duration,
}

/// What is known of a waveform; a block says the same again and is what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveSpec {
    /// Samples in a second, as numerator and denominator.
    pub rate_hz: (u32, u32),
    /// Where the electrodes sit.
    pub lead: Option<String>,
    /// What one count is worth, as mantissa and power of ten of the unit.
    pub gain: (i64, i8),
    /// The count that means zero.
    pub offset: i32,
    /// Bits of one sample.
    pub bits: u8,
}

/// A real message with what it should give.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The message's file beside the profile.
    pub file: String,
    /// What its sender says that it is.
    pub content_type: Option<String>,
    /// The readings, in the order of the message.
    #[serde(default)]
    pub expect: Vec<Expected>,
    /// The block, if it is a waveform.
    pub wave: Option<ExpectedWave>,
}

/// A reading that an example should give.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The output.
    pub channel: String,
    /// The value with its unit, such as `36.6 Cel`, or the reason, such as `sensor detached`.
    pub reads: String,
}

/// A block that an example should give.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedWave {
    /// The output.
    pub channel: String,
    /// How many samples.
    pub count: u32,
    /// The first samples as counts.
    pub begins: Vec<i32>,
}

/// Why a text is not a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ProfileError {
    #[error("the profile is not the TOML that was expected: {0}")]
    Toml(String),
    #[error("channel `{channel}`: {what}")]
    Channel { channel: String, what: &'static str },
    #[error("{what}")]
    Whole { what: &'static str },
}

impl Profile {
    /// Reads a profile from the text of its file and checks it.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        file::parse(text)
    }

    /// The output of this name.
    pub fn channel(&self, name: &str) -> Option<&ChannelSpec> {
        self.by_name.get(name).and_then(|at| self.channels.get(*at))
    }

    /// The channel of single values that line protocol calls `field` of `measurement`.
    ///
    /// A profile names it as `measurement.field` or as `field`; the channel's own name is
    /// understood in both places, and so is a measurement with the one field `value`.
    pub fn line_channel(
        &self,
        measurement: &str,
        field: &str,
    ) -> Option<(&ChannelSpec, &NumericSpec)> {
        let whole = format!("{measurement}.{field}");
        let named = self.by_line.get(&whole).or_else(|| self.by_line.get(field));
        let own = || match field {
            "value" => self.by_name.get(measurement),
            _ => self.by_name.get(field),
        };
        let spec = named.or_else(own).and_then(|at| self.channels.get(*at))?;
        Some((spec, spec.numeric()?))
    }

    /// What it can be told to do by this name.
    pub fn command(&self, name: &str) -> Option<&CommandSpec> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// Whether its clock follows the network's.
    pub fn is_synchronised(&self) -> bool {
        self.clock == ClockKind::Synchronised
    }

    /// The outputs that come as samples.
    pub fn waves(&self) -> impl Iterator<Item = (&ChannelSpec, &WaveSpec)> {
        self.channels.iter().filter_map(|spec| spec.wave().map(|wave| (spec, wave)))
    }

    /// The outputs that come as single values.
    pub fn numerics(&self) -> impl Iterator<Item = (&ChannelSpec, &NumericSpec)> {
        self.channels.iter().filter_map(|spec| spec.numeric().map(|numeric| (spec, numeric)))
    }
}

impl ChannelSpec {
    /// Its name, shared.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Whether it comes as samples.
    pub fn is_wave(&self) -> bool {
        self.wave().is_some()
    }

    /// What is known of it as a waveform.
    pub fn wave(&self) -> Option<&WaveSpec> {
        match &self.form {
            Form::Wave(wave) => Some(wave),
            Form::Numeric(_) => None,
        }
    }

    /// What is known of it as single values.
    pub fn numeric(&self) -> Option<&NumericSpec> {
        match &self.form {
            Form::Numeric(numeric) => Some(numeric),
            Form::Wave(_) => None,
        }
    }

    /// The vital that it measures, if it is one.
    pub fn vital(&self) -> Option<Vital> {
        Vital::of(self.code)
    }

    /// The UCUM code that a spelling means; `None` for a spelling that the profile does not name.
    pub fn unit(&self, spelled: &str) -> Option<&Ucum> {
        if self.ucum.as_str() == spelled {
            return Some(&self.ucum);
        }
        self.units.iter().find(|(spelling, _)| spelling == spelled).map(|(_, ucum)| ucum)
    }
}
