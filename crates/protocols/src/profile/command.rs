//! What a kind of device can be told to do, as its profile says.

use std::time::Duration;

use serde::Deserialize;

use super::ProfileError;
use crate::topic::is_word;

/// One thing that a device can be told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSpec {
    /// Its name in messages.
    pub name: String,
    /// What people call it.
    pub words: String,
    /// What has to be known before it touches a device that is on a patient.
    pub on_patient: OnPatient,
    /// What it takes, in the order in which screens ask.
    pub args: Vec<ArgSpec>,
    /// What the device reports once it is done; one of the name of an argument has its value.
    pub reports: Vec<String>,
    /// How long the device has to do it.
    pub lasts: Duration,
}

/// Whether a command may touch a device that is on a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPatient {
    /// It changes nothing for the patient.
    Free,
    /// A second person who looks after the patient has to agree.
    SecondLook,
    /// Not while the device is on somebody.
    Never,
}

/// One number that a command takes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgSpec {
    /// Its name in messages.
    pub name: String,
    /// What people call it.
    pub words: String,
    /// Its unit as people read it.
    #[serde(default)]
    pub unit: String,
    /// The least that is accepted, in that unit.
    pub min: i64,
    /// The most that is accepted, in that unit.
    pub max: i64,
}

/// The longest that a command may wait for its device.
const LASTS_MAX_S: u32 = 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileCommand {
    name: String,
    words: String,
    on_patient: OnPatient,
    #[serde(default)]
    arg: Vec<ArgSpec>,
    reports: Vec<String>,
    lasts_s: u32,
}

pub(super) fn read(file: Vec<FileCommand>) -> Result<Vec<CommandSpec>, ProfileError> {
    let mut commands: Vec<CommandSpec> = Vec::new();
    for command in file {
        let whole = |what| Err(ProfileError::Whole { what });
        if !is_word(&command.name) || commands.iter().any(|known| known.name == command.name) {
            return whole("a command's name is a word of its own");
        }
        if command.arg.iter().any(|arg| !is_word(&arg.name) || arg.min > arg.max) {
            return whole("an argument has a word as name, and `min` is not above `max`");
        }
        if command.reports.is_empty() || !command.reports.iter().all(|name| is_word(name)) {
            return whole("a command says what the device reports once it is done");
        }
        if !(1..=LASTS_MAX_S).contains(&command.lasts_s) {
            return whole("`lasts_s` is between 1 and 86400");
        }
        commands.push(CommandSpec {
            name: command.name,
            words: command.words,
            on_patient: command.on_patient,
            args: command.arg,
            reports: command.reports,
            lasts: Duration::from_secs(command.lasts_s.into()),
        });
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<usize, String> {
        #[derive(Deserialize)]
        struct File {
            command: Vec<FileCommand>,
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        read(file.command).map(|list| list.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_says_what_it_takes_and_what_proves_it() {
        let sound = "[[command]]\nname='blink'\nwords='Blink'\non_patient='free'\nreports=['blinking']\nlasts_s=30\n";
        assert_eq!(check(sound), Ok(1));
        let with = |from: &str, to: &str| check(&sound.replace(from, to)).unwrap_err();
        assert!(check(&sound.repeat(2)).unwrap_err().contains("a word of its own"));
        assert!(with("['blinking']", "[]").contains("reports"));
        assert!(with("lasts_s=30", "lasts_s=0").contains("lasts_s"));
        assert!(with("lasts_s=30", "lasts_s=86401").contains("lasts_s"));
        assert!(with("'free'", "'perhaps'").contains("perhaps"));
        let arg = "[[command.arg]]\nname='n'\nwords='N'\nmin=2\nmax=1\n";
        assert!(check(&format!("{sound}{arg}")).unwrap_err().contains("min"));
        assert_eq!(check(&format!("{sound}{}", arg.replace("max=1", "max=2"))), Ok(1));
    }
}
