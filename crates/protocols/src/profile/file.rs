//! The file of a profile: its TOML, and the checks that serde cannot make.

use std::{collections::BTreeMap, time::Duration};

use model::{Channel, Code, Ucum};
use serde::Deserialize;

use super::{
    ChannelSpec, ClockKind, Example, Form, Grade, NumericSpec, Profile, ProfileError, WaveSpec,
};
use crate::{
    limits::{CHANNELS_MAX, GRANTS_MAX, TOPIC_LEN_MAX},
    topic::{is_filter, is_word},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    maker: String,
    model: String,
    words: String,
    grade: Grade,
    buffers: bool,
    clock: ClockKind,
    silence_after_s: u32,
    battery_channel: Option<String>,
    channel: Vec<FileChannel>,
    #[serde(default)]
    line_tags: Vec<String>,
    #[serde(default)]
    grants: Vec<super::Grant>,
    #[serde(default)]
    command: Vec<super::command::FileCommand>,
    #[serde(default)]
    setting: Vec<super::setting::FileSetting>,
    #[serde(default)]
    sample: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileChannel {
    name: String,
    words: String,
    kind: FileKind,
    code: u32,
    ucum: String,
    #[serde(default)]
    units: BTreeMap<String, String>,
    /// What line protocol calls it: `field` or `measurement.field`.
    #[serde(default)]
    line: Vec<String>,
    min: Option<i64>,
    max: Option<i64>,
    cadence_s: Option<u32>,
    rate_hz: Option<Rate>,
    lead: Option<String>,
    gain: Option<(i64, i8)>,
    offset: Option<i32>,
    bits: Option<u8>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileKind {
    Numeric,
    Wave,
}

/// A sampling rate: `250`, or `[125, 2]` for 62.5 Hz.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Rate {
    Whole(u32),
    Ratio(u32, u32),
}

pub(super) fn parse(text: &str) -> Result<Profile, ProfileError> {
    let file: File = toml::from_str(text).map_err(|error| ProfileError::Toml(error.to_string()))?;
    let whole = |what| Err(ProfileError::Whole { what });
    if !is_word(&file.name) {
        return whole("`name` is a word of `A-Z a-z 0-9 . _ -`");
    }
    if file.silence_after_s == 0 {
        return whole("`silence_after_s` is at least 1");
    }
    if file.grants.len() > GRANTS_MAX || !file.grants.iter().all(is_sound) {
        return whole(
            "`grants` are at most 32, each a filter whose first level is a word, and not `wl`",
        );
    }
    if file.channel.is_empty() || file.channel.len() > CHANNELS_MAX {
        return whole("a profile has 1 to 256 channels");
    }
    let (mut by_name, mut by_line) = (BTreeMap::new(), BTreeMap::new());
    let mut channels = Vec::with_capacity(file.channel.len());
    for (at, mut channel) in file.channel.into_iter().enumerate() {
        let lines = std::mem::take(&mut channel.line);
        let spec = spec(channel)?;
        for line in lines {
            if by_line.insert(line, at).is_some() {
                let channel = spec.channel.to_string();
                let what = "line protocol gives one name to two channels";
                return Err(ProfileError::Channel { channel, what });
            }
        }
        if by_name.insert(spec.channel.0.clone(), at).is_some() {
            let channel = spec.channel.to_string();
            return Err(ProfileError::Channel { channel, what: "it stands twice" });
        }
        channels.push(spec);
    }
    let battery = file.battery_channel.as_deref().map(Channel::from);
    if battery.as_ref().is_some_and(|battery| !by_name.contains_key(&battery.0)) {
        return whole("`battery_channel` names no channel of this profile");
    }
    Ok(Profile {
        name: file.name,
        maker: file.maker,
        model: file.model,
        words: file.words,
        grade: file.grade,
        buffers: file.buffers,
        clock: file.clock,
        silence_after: Duration::from_secs(file.silence_after_s.into()),
        battery,
        channels,
        commands: super::command::read(file.command)?,
        settings: super::setting::read(file.setting)?,
        examples: file.sample,
        grants: file.grants,
        line_tags: file.line_tags,
        by_name,
        by_line,
    })
}

/// Whether a granted filter is a filter, and none of ours.
fn is_sound(grant: &super::Grant) -> bool {
    let first = grant.filter.split('/').next().unwrap_or_default();
    let foreign = !first.is_empty() && first != "wl" && !first.starts_with(['$', '+', '#']);
    foreign && grant.filter.len() <= TOPIC_LEN_MAX && is_filter(&grant.filter)
}

fn spec(file: FileChannel) -> Result<ChannelSpec, ProfileError> {
    let refuse = |what| ProfileError::Channel { channel: file.name.clone(), what };
    if !is_word(&file.name) {
        return Err(refuse("its name is a word of `A-Z a-z 0-9 . _ -`"));
    }
    let form = match file.kind {
        FileKind::Numeric => Form::Numeric(numeric(&file).map_err(refuse)?),
        FileKind::Wave => Form::Wave(wave(&file).map_err(refuse)?),
    };
    let units = file.units.iter();
    Ok(ChannelSpec {
        channel: Channel::from(file.name.as_str()),
        words: file.words,
        code: Code::Mdc(file.code),
        ucum: Ucum::new(&file.ucum),
        units: units.map(|(spelling, ucum)| (spelling.clone(), Ucum::new(ucum))).collect(),
        form,
    })
}

fn numeric(file: &FileChannel) -> Result<NumericSpec, &'static str> {
    let wave_keys = file.rate_hz.is_some()
        || file.lead.is_some()
        || file.gain.is_some()
        || file.offset.is_some()
        || file.bits.is_some();
    if wave_keys {
        return Err("rate_hz, lead, gain, offset and bits are for kind = \"wave\"");
    }
    let (Some(min), Some(max), Some(cadence_s)) = (file.min, file.max, file.cadence_s) else {
        return Err("a numeric channel has min, max and cadence_s");
    };
    if min >= max {
        return Err("min is less than max");
    }
    Ok(NumericSpec { min, max, cadence: Duration::from_secs(cadence_s.into()) })
}

fn wave(file: &FileChannel) -> Result<WaveSpec, &'static str> {
    if file.min.is_some() || file.max.is_some() || file.cadence_s.is_some() {
        return Err("min, max and cadence_s are for kind = \"numeric\"");
    }
    let (Some(rate), Some(gain), Some(bits)) = (file.rate_hz, file.gain, file.bits) else {
        return Err("a waveform has rate_hz, gain and bits");
    };
    let rate_hz = match rate {
        Rate::Whole(rate) => (rate, 1),
        Rate::Ratio(numerator, denominator) => (numerator, denominator),
    };
    if rate_hz.0 == 0 || rate_hz.1 == 0 || gain.0 == 0 || !(1..=32).contains(&bits) {
        return Err("rate_hz and gain are not zero, and bits is 1 to 32");
    }
    Ok(WaveSpec { rate_hz, lead: file.lead.clone(), gain, offset: file.offset.unwrap_or(0), bits })
}
