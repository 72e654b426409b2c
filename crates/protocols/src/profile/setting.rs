//! What can be set on a kind of device, as its profile says; and whether a configuration is
//! made of that.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ProfileError;
use crate::{limits::SETTINGS_MAX, topic::is_word};

/// One thing that can be set on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingSpec {
    /// Its name in messages.
    pub name: String,
    /// What people call it.
    pub words: String,
    /// Its unit as people read it.
    pub unit: String,
    /// What it may be.
    pub range: SettingRange,
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingRange {
    /// A whole number.
    Number {
        /// The least that is accepted, in the setting's unit.
        min: i64,
        /// The most that is accepted, in the setting's unit.
        max: i64,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// On or off.
    Switch,
}

/// Why a configuration is none for this kind of device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum SettingError {
    #[error("the configuration is no map in JSON")]
    NoMap,
    #[error("`{name}` cannot be set on devices of this kind; use one of: {known}")]
    Unknown { name: String, known: String },
    #[error("`{name}` is {found}; {words} is a whole number from {min} to {max}")]
    NoNumber { name: String, words: String, found: String, min: i64, max: i64 },
    #[error("`{name}` is {found}; {words} is one of: {choices}")]
    NoChoice { name: String, words: String, found: String, choices: String },
    #[error("`{name}` is {found}; {words} is true or false")]
    NoSwitch { name: String, words: String, found: String },
}

impl SettingSpec {
    fn check(&self, value: &Value) -> Result<(), SettingError> {
        let (name, words, found) = (self.name.clone(), self.words.clone(), value.to_string());
        match &self.range {
            SettingRange::Number { min, max } => {
                let (min, max) = (*min, *max);
                let fits = value.as_i64().is_some_and(|it| (min..=max).contains(&it));
                fits.then_some(()).ok_or(SettingError::NoNumber { name, words, found, min, max })
            }
            SettingRange::Choice(all) => {
                let fits = value.as_str().is_some_and(|it| all.iter().any(|known| known == it));
                let choices = all.join(", ");
                fits.then_some(()).ok_or(SettingError::NoChoice { name, words, found, choices })
            }
            SettingRange::Switch => {
                let fits = value.is_boolean();
                fits.then_some(()).ok_or(SettingError::NoSwitch { name, words, found })
            }
        }
    }
}

/// Whether a configuration sets only what can be set, each to what it may be. What it leaves
/// out stays as the device has it. Without settings in the profile any map will do.
pub fn check(settings: &[SettingSpec], json: &str) -> Result<(), SettingError> {
    let map: Map<String, Value> = serde_json::from_str(json).map_err(|_| SettingError::NoMap)?;
    if settings.is_empty() {
        return Ok(());
    }
    for (name, value) in &map {
        let Some(spec) = settings.iter().find(|spec| spec.name == *name) else {
            let known: Vec<&str> = settings.iter().map(|spec| spec.name.as_str()).collect();
            return Err(SettingError::Unknown { name: name.clone(), known: known.join(", ") });
        };
        spec.check(value)?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSetting {
    name: String,
    words: String,
    #[serde(default)]
    unit: String,
    min: Option<i64>,
    max: Option<i64>,
    choices: Option<Vec<String>>,
}

pub(super) fn read(file: Vec<FileSetting>) -> Result<Vec<SettingSpec>, ProfileError> {
    let whole = |what| Err(ProfileError::Whole { what });
    if file.len() > SETTINGS_MAX {
        return whole("a profile has at most 64 settings");
    }
    let mut settings: Vec<SettingSpec> = Vec::new();
    for FileSetting { name, words, unit, min, max, choices } in file {
        if !is_word(&name) || settings.iter().any(|known| known.name == name) {
            return whole("a setting's name is a word of its own");
        }
        let range = match (min, max, choices) {
            (Some(min), Some(max), None) if min < max => SettingRange::Number { min, max },
            (None, None, Some(choices)) if !choices.is_empty() => SettingRange::Choice(choices),
            (None, None, None) => SettingRange::Switch,
            _ => return whole("a setting has `min` below `max`, or `choices`, or none of them"),
        };
        settings.push(SettingSpec { name, words, unit, range });
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        setting: Vec<FileSetting>,
    }

    fn parsed(text: &str) -> Result<Vec<SettingSpec>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        read(file.setting).map_err(|error| error.to_string())
    }

    const SOUND: &str = "
        [[setting]]\nname='volume'\nwords='Volume'\nmin=1\nmax=10
        [[setting]]\nname='tone'\nwords='Tone'\nchoices=['soft', 'bright']
        [[setting]]\nname='night'\nwords='Night'
    ";

    #[test]
    fn a_setting_is_a_number_a_choice_or_a_switch() {
        assert_eq!(parsed(SOUND).unwrap().len(), 3);
        let refused = |from: &str, to: &str| parsed(&SOUND.replace(from, to)).unwrap_err();
        assert!(refused("name='tone'", "name='volume'").contains("of its own"));
        assert!(refused("name='tone'", "name='the tone'").contains("a word"));
        assert!(refused("max=10", "max=1").contains("below"));
        assert!(refused("max=10", "").contains("below"));
        assert!(refused("min=1\nmax=10", "min=1\nmax=10\nchoices=['a']").contains("none of them"));
        assert!(refused("['soft', 'bright']", "[]").contains("choices"));
        let many = (0..=SETTINGS_MAX).map(|n| format!("[[setting]]\nname='s{n}'\nwords='S'\n"));
        assert_eq!(parsed(&many.clone().take(SETTINGS_MAX).collect::<String>()).unwrap().len(), 64);
        assert!(parsed(&many.collect::<String>()).unwrap_err().contains("64"));
    }

    #[test]
    fn a_configuration_sets_what_can_be_set_to_what_it_may_be() {
        let settings = parsed(SOUND).unwrap();
        let fits = |json: &str| assert_eq!(check(&settings, json), Ok(()), "{json}");
        fits("{}");
        fits(r#"{"volume": 1}"#);
        fits(r#"{"volume": 10, "tone": "soft", "night": false}"#);
        let no = |json: &str, want: &str| {
            assert_eq!(check(&settings, json).unwrap_err().to_string(), want, "{json}");
        };
        let volume =
            |found: &str| format!("`volume` is {found}; Volume is a whole number from 1 to 10");
        no(r#"{"volume": 0}"#, &volume("0"));
        no(r#"{"volume": 11}"#, &volume("11"));
        no(r#"{"volume": 2.5}"#, &volume("2.5"));
        no(r#"{"volume": "2"}"#, &volume("\"2\""));
        no(r#"{"tone": "loud"}"#, "`tone` is \"loud\"; Tone is one of: soft, bright");
        no(r#"{"night": 1}"#, "`night` is 1; Night is true or false");
        let unknown =
            "`speed` cannot be set on devices of this kind; use one of: volume, tone, night";
        no(r#"{"speed": 1}"#, unknown);
        no("[]", "the configuration is no map in JSON");
        no("x", "the configuration is no map in JSON");
    }

    #[test]
    fn without_settings_in_the_profile_any_map_will_do() {
        assert_eq!(check(&[], r#"{"anything": [1, 2]}"#), Ok(()));
        assert_eq!(check(&[], "7"), Err(SettingError::NoMap));
    }
}
