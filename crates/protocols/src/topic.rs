//! The tree of topics (protocols §1.2): one place that reads and writes them.
//!
//! `wl/1/{site}/{device}/up/…` and `…/down/…`, with `$gw/{gateway}` in place of
//! the device where a gateway speaks for many.

use std::{fmt, str::FromStr};

use model::{CommandId, DeviceId, Id, Kind, SiteId};

use crate::limits::{CHANNEL_LEN_MAX, TOPIC_LEN_MAX, TOPIC_LEVELS_MAX};

/// A topic of ours, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Where the device belongs.
    pub site: SiteId,
    /// Who speaks or is spoken to: the device, or the gateway.
    pub device: DeviceId,
    /// Which of the two it is.
    pub speaker: Speaker,
    /// What it is about.
    pub leaf: Leaf,
}

/// Whether a topic is a device's own or a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// `…/{device}/…`
    Device,
    /// `…/$gw/{gateway}/…`; the payload names the child.
    Gateway,
}

/// The part of a topic after the device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the topic")]
pub enum Leaf {
    Num,
    Wave(String),
    Alarm,
    Event,
    State,
    Log,
    Cfg,
    Raw(String),
    CmdResult(CommandId),
    DownCmd(CommandId),
    DownCfg,
    DownTime,
}

/// Why a text is not a topic of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum TopicError {
    #[error("a topic of {len} bytes is longer than {TOPIC_LEN_MAX} bytes")]
    TooLong { len: usize },
    #[error("a topic has at most {TOPIC_LEVELS_MAX} levels")]
    TooDeep,
    #[error("a topic begins with `wl/1/`")]
    NotOurs,
    #[error("the {word} in the topic is not a lower-case UUIDv7")]
    Id { word: &'static str },
    #[error("`{found}` is none of `A-Z a-z 0-9 . _ -`, 1 to {CHANNEL_LEN_MAX} of them")]
    Word { found: String },
    #[error(
        "`{found}` is not a topic below a device; see up/num, up/wave/…, up/alarm, up/event, up/state, up/log, up/cfg, up/raw/…, up/cmd/…, down/cmd/…, down/cfg, down/time"
    )]
    Leaf { found: String },
}

/// Takes a topic apart; wildcards are not topics.
pub fn parse(text: &str) -> Result<Topic, TopicError> {
    if text.len() > TOPIC_LEN_MAX {
        return Err(TopicError::TooLong { len: text.len() });
    }
    if text.split('/').count() > TOPIC_LEVELS_MAX {
        return Err(TopicError::TooDeep);
    }
    let rest = text.strip_prefix("wl/1/").ok_or(TopicError::NotOurs)?;
    let (site, rest) = rest.split_once('/').ok_or(TopicError::Id { word: "device" })?;
    let site = id(site, "site")?;
    let (speaker, rest) = match rest.strip_prefix("$gw/") {
        Some(rest) => (Speaker::Gateway, rest),
        None => (Speaker::Device, rest),
    };
    let (device, leaf) = rest.split_once('/').unwrap_or((rest, ""));
    let device = match speaker {
        Speaker::Device => id(device, "device")?,
        Speaker::Gateway => id(device, "gateway")?,
    };
    Ok(Topic { site, device, speaker, leaf: parse_leaf(leaf)? })
}

fn parse_leaf(text: &str) -> Result<Leaf, TopicError> {
    let unknown = || TopicError::Leaf { found: text.to_owned() };
    let (way, rest) = text.split_once('/').ok_or_else(unknown)?;
    match (way, rest.split_once('/').map_or((rest, None), |(word, rest)| (word, Some(rest)))) {
        ("up", ("num", None)) => Ok(Leaf::Num),
        ("up", ("wave", Some(channel))) => word(channel).map(Leaf::Wave),
        ("up", ("alarm", None)) => Ok(Leaf::Alarm),
        ("up", ("event", None)) => Ok(Leaf::Event),
        ("up", ("state", None)) => Ok(Leaf::State),
        ("up", ("log", None)) => Ok(Leaf::Log),
        ("up", ("cfg", None)) => Ok(Leaf::Cfg),
        ("up", ("raw", Some(kind))) => word(kind).map(Leaf::Raw),
        ("up", ("cmd", Some(command))) => id(command, "command").map(Leaf::CmdResult),
        ("down", ("cmd", Some(command))) => id(command, "command").map(Leaf::DownCmd),
        ("down", ("cfg", None)) => Ok(Leaf::DownCfg),
        ("down", ("time", None)) => Ok(Leaf::DownTime),
        _ => Err(unknown()),
    }
}

/// Whether a subscription asks for nothing but what goes down to this device.
///
/// The levels up to `down` must be spelled out; below, wildcards are free.
/// Shared subscriptions are not offered to devices.
pub fn may_subscribe(filter: &str, site: SiteId, device: DeviceId) -> bool {
    if filter.len() > TOPIC_LEN_MAX || filter.split('/').count() > TOPIC_LEVELS_MAX {
        return false;
    }
    let own = |rest: &str| {
        let rest = rest.strip_prefix(&device.to_string())?;
        let rest = rest.strip_prefix("/down")?;
        (rest.is_empty() || rest.starts_with('/') && is_filter(rest)).then_some(())
    };
    let rest = filter.strip_prefix("wl/1/").and_then(|rest| {
        let rest = rest.strip_prefix(&site.to_string())?;
        rest.strip_prefix('/')
    });
    rest.is_some_and(|rest| own(rest.strip_prefix("$gw/").unwrap_or(rest)).is_some())
}

/// Whether wildcards fill their level and `#` stands last [MQTT-4.7.1].
pub(crate) fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        let sound = match level {
            "+" => true,
            "#" => last,
            _ => !level.contains(['+', '#', '\0']),
        };
        if !sound {
            return false;
        }
    }
    true
}

/// Whether a text can be a channel or a kind in a topic.
pub fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=CHANNEL_LEN_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn word(text: &str) -> Result<String, TopicError> {
    if is_word(text) {
        Ok(text.to_owned())
    } else {
        Err(TopicError::Word { found: text.to_owned() })
    }
}

fn id<K: Kind>(text: &str, word: &'static str) -> Result<Id<K>, TopicError> {
    text.parse().map_err(|_| TopicError::Id { word })
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        parse(text)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gateway = match self.speaker {
            Speaker::Device => "",
            Speaker::Gateway => "$gw/",
        };
        write!(f, "wl/1/{}/{gateway}{}/{}", self.site, self.device, self.leaf)
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Num => f.write_str("up/num"),
            Self::Wave(channel) => write!(f, "up/wave/{channel}"),
            Self::Alarm => f.write_str("up/alarm"),
            Self::Event => f.write_str("up/event"),
            Self::State => f.write_str("up/state"),
            Self::Log => f.write_str("up/log"),
            Self::Cfg => f.write_str("up/cfg"),
            Self::Raw(kind) => write!(f, "up/raw/{kind}"),
            Self::CmdResult(command) => write!(f, "up/cmd/{command}"),
            Self::DownCmd(command) => write!(f, "down/cmd/{command}"),
            Self::DownCfg => f.write_str("down/cfg"),
            Self::DownTime => f.write_str("down/time"),
        }
    }
}

impl Topic {
    /// The gateway that speaks, if one does.
    pub fn gateway(&self) -> Option<DeviceId> {
        (self.speaker == Speaker::Gateway).then_some(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SITE: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000001";
    const DEVICE: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000002";
    const COMMAND: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000003";

    #[test]
    fn every_topic_prints_as_it_was_read() {
        for leaf in [
            "up/num",
            "up/wave/MDC_ECG_ELEC_POTL_II",
            "up/alarm",
            "up/event",
            "up/state",
            "up/log",
            "up/cfg",
            "up/raw/bthome",
            "up/cmd/C",
            "down/cmd/C",
            "down/cfg",
            "down/time",
        ] {
            let leaf = leaf.replace("/C", &format!("/{COMMAND}"));
            for (middle, gateway) in [("", false), ("$gw/", true)] {
                let text = format!("wl/1/{SITE}/{middle}{DEVICE}/{leaf}");
                let topic = parse(&text).unwrap();
                assert_eq!(topic.to_string(), text);
                assert_eq!(topic.gateway().is_some(), gateway);
                assert_eq!(
                    (topic.site, topic.device),
                    (SITE.parse().unwrap(), DEVICE.parse().unwrap())
                );
            }
        }
    }

    #[test]
    fn what_is_not_a_topic_is_told_why() {
        let check = |text: &str, want: &str| {
            let text = text.replace("{S}", SITE).replace("{D}", DEVICE);
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        };
        check("", "begins with `wl/1/`");
        check("wl/2/{S}/{D}/up/num", "begins with `wl/1/`");
        check("wl/1/{S}", "the device in the topic is not");
        check("wl/1/WARD-3/{D}/up/num", "the site in the topic is not");
        check("wl/1/{S}/monitor-7/up/num", "the device in the topic is not");
        check("wl/1/{S}/$gw/gw-1/up/num", "the gateway in the topic is not");
        check("wl/1/{S}/{D}", "is not a topic below a device");
        check("wl/1/{S}/{D}/up", "is not a topic below a device");
        check("wl/1/{S}/{D}/up/num/x", "is not a topic below a device");
        check("wl/1/{S}/{D}/up/+", "is not a topic below a device");
        check("wl/1/{S}/{D}/up/wave", "is not a topic below a device");
        check("wl/1/{S}/{D}/up/wave/", "`` is none of");
        check("wl/1/{S}/{D}/up/wave/a/b", "`a/b` is none of");
        check("wl/1/{S}/{D}/up/wave/#", "`#` is none of");
        check("wl/1/{S}/{D}/up/cmd/7", "the command in the topic is not");
        check(&format!("wl/1/{{S}}/{{D}}/up/wave/{}", "a".repeat(65)), "1 to 64 of them");
        check(&format!("wl/1/{{S}}/{{D}}/up/{}", "a/".repeat(11)), "at most 16 levels");
        let long = "a".repeat(TOPIC_LEN_MAX + 1);
        check(&long, "a topic of 513 bytes is longer than 512 bytes");
    }

    #[test]
    fn a_channel_of_64_characters_is_one() {
        let text = format!("wl/1/{SITE}/{DEVICE}/up/wave/{}", "a".repeat(64));
        assert!(parse(&text).is_ok());
    }

    #[test]
    fn a_device_may_ask_only_for_what_goes_down_to_it() {
        let check = |filter: &str, want: bool| {
            let filter = filter.replace("{S}", SITE).replace("{D}", DEVICE);
            let got = may_subscribe(&filter, SITE.parse().unwrap(), DEVICE.parse().unwrap());
            assert_eq!(got, want, "{filter}");
        };
        for own in [
            "wl/1/{S}/{D}/down/#",
            "wl/1/{S}/{D}/down/cmd/+",
            "wl/1/{S}/{D}/down/cfg",
            "wl/1/{S}/{D}/down",
            "wl/1/{S}/{D}/down/+/#",
            "wl/1/{S}/$gw/{D}/down/#",
        ] {
            check(own, true);
        }
        let other = "0192f0c1-2b3a-7c4d-8e5f-000000000009";
        for foreign in [
            "#",
            "+/#",
            "wl/#",
            "wl/1/{S}/+/down/#",
            "wl/1/+/{D}/down/#",
            "wl/1/{S}/{D}/#",
            "wl/1/{S}/{D}/+/cmd",
            "wl/1/{S}/{D}/up/num",
            "wl/1/{S}/{D}/downward",
            "wl/1/{S}/{D}/down/#/x",
            "wl/1/{S}/{D}/down/a#",
            "wl/1/{S}/{D}/down/a+",
            "",
            "$share/g/wl/1/{S}/{D}/down/#",
            "wl/1/{S}/$gw/$gw/{D}/down/#",
            &format!("wl/1/{{S}}/{other}/down/#"),
        ] {
            check(foreign, false);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_prints_the_same(text in "(wl/1/)?[a-z0-9/$#+-]{0,80}") {
            if let Ok(topic) = parse(&text) {
                prop_assert_eq!(topic.to_string(), text.clone());
            }
            let _ = may_subscribe(&text, SITE.parse().unwrap(), DEVICE.parse().unwrap());
        }
    }
}
