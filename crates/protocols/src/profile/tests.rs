//! Every profile of the product reads its own messages, and what is none is told why.

use std::path::Path;

use model::{Measure, Sample, Timestamp};

use super::*;
use crate::{senml, wave};

const NOW: Timestamp = Timestamp::from_unix_nanos(1_700_000_000_000_000_000);

/// Each profile with its folder.
fn all() -> Vec<(std::path::PathBuf, Profile)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let profile = |folder: std::path::PathBuf| {
        let text = std::fs::read_to_string(folder.join("profile.toml")).unwrap();
        let profile =
            Profile::parse(&text).unwrap_or_else(|error| unreachable!("{folder:?}: {error}"));
        (folder, profile)
    };
    folders.filter(|folder| folder.is_dir()).map(profile).collect()
}

fn reads(sample: &Sample) -> String {
    match sample {
        Sample::Measured(measure) => measure.to_string(),
        Sample::Missing(reason) => reason.to_string(),
    }
}

#[test]
fn every_profile_reads_its_own_messages() {
    let profiles = all();
    assert!(profiles.len() >= 4);
    for (folder, profile) in profiles {
        assert!(!profile.examples.is_empty(), "{folder:?} has no sample message");
        for example in &profile.examples {
            let payload = std::fs::read(folder.join(&example.file)).unwrap();
            let place = format!("{}/{}", profile.name, example.file);
            if let Some(want) = &example.wave {
                let block = wave::decode(&payload).unwrap();
                let begins: Vec<_> =
                    block.counts().samples.into_iter().take(want.begins.len()).collect();
                assert_eq!((block.channel, block.count), (&*want.channel, want.count), "{place}");
                assert_eq!(begins, want.begins, "{place}");
                let spec = profile.channel(block.channel).and_then(ChannelSpec::wave).unwrap();
                assert_eq!((block.rate_hz, block.gain), (spec.rate_hz, spec.gain), "{place}");
                continue;
            }
            let content_type = example.content_type.as_deref();
            let pack = senml::decode(&profile, content_type, &payload, NOW).unwrap();
            let got: Vec<_> =
                pack.samples.iter().map(|raw| (&*raw.channel.0, reads(&raw.sample))).collect();
            let want: Vec<_> =
                example.expect.iter().map(|want| (&*want.channel, want.reads.clone())).collect();
            assert_eq!(got, want, "{place}");
            assert!(
                pack.notes.iter().all(|note| !note.finding.is_unmapped()),
                "{place}: {:?}",
                pack.notes
            );
        }
    }
}

#[test]
fn a_folder_has_the_name_of_its_profile_and_every_channel_a_sample() {
    for (folder, profile) in all() {
        assert_eq!(folder.file_name().unwrap().to_str(), Some(&*profile.name));
        for spec in &profile.channels {
            let named = |example: &Example| {
                let block = example.wave.iter().map(|wave| &wave.channel);
                example
                    .expect
                    .iter()
                    .map(|want| &want.channel)
                    .chain(block)
                    .any(|channel| **channel == *spec.channel.0)
            };
            assert!(profile.examples.iter().any(named), "{}: {}", profile.name, spec.channel);
        }
    }
}

/// What is stored and charted but is no vital, and decides nothing: end-tidal carbon
/// dioxide, body weight, and a hard blow's first second, whole and fastest flow.
const CHARTED: [u32; 5] = [151_708, 188_736, 152_586, 188_928, 152_584];

#[test]
fn a_profile_promises_nothing_that_a_vital_refuses() {
    for (_, profile) in all() {
        for (spec, numeric) in profile.numerics() {
            let Some(vital) = spec.vital() else {
                let is_charted = CHARTED.map(model::Code::Mdc).contains(&spec.code);
                assert!(is_charted, "{}: {}", profile.name, spec.channel);
                continue;
            };
            for mantissa in [numeric.min, numeric.max] {
                let measure =
                    Measure { kind: spec.code, mantissa, exp10: 0, ucum: spec.ucum.clone() };
                assert!(vital.thousandths(&measure).is_ok(), "{}: {measure}", profile.name);
            }
            for (_, ucum) in &spec.units {
                let (kind, ucum) = (spec.code, ucum.clone());
                // Half a kilopascal, ten beats, or eighty-six degrees Fahrenheit.
                let some = [86, 10, 5].map(|mantissa| Measure {
                    kind,
                    mantissa,
                    exp10: 0,
                    ucum: ucum.clone(),
                });
                assert!(some.iter().any(|measure| vital.thousandths(measure).is_ok()), "{ucum}");
            }
        }
        if let Some(battery) = &profile.battery {
            assert_eq!(profile.channel(&battery.0).unwrap().vital(), Some(Vital::BatteryLevel));
        }
    }
}

const SMALL: &str = r#"
    name = "small"
    maker = "m"
    model = "m"
    words = "Small"
    grade = "wellness"
    buffers = false
    clock = "synchronised"
    silence_after_s = 1
    [[channel]]
    name = "MDC_RESP_RATE"
    words = "Respiratory rate"
    kind = "numeric"
    code = 151562
    ucum = "/min"
    min = 0
    max = 150
    cadence_s = 1
"#;

#[test]
fn a_text_that_is_no_profile_is_told_why() {
    let check = |from: &str, to: &str, want: &str| {
        let text = SMALL.replace(from, to);
        assert_ne!(text, SMALL, "{from}");
        let error = Profile::parse(&text).unwrap_err().to_string();
        assert!(error.contains(want), "{to}: {error}");
    };
    assert_eq!(Profile::parse(SMALL).unwrap().grade, Grade::Wellness);
    check("grade", "grad", "unknown field `grad`");
    check("wellness", "toy", "unknown variant `toy`");
    check("\"small\"", "\"a b\"", "`name` is a word");
    check("silence_after_s = 1", "silence_after_s = 0", "`silence_after_s` is at least 1");
    check("max = 150", "max = 0", "channel `MDC_RESP_RATE`: min is less than max");
    check("max = 150", "", "a numeric channel has min, max and cadence_s");
    check("max = 150", "max = 150\nrate_hz = 250", "are for kind = \"wave\"");
    check("kind = \"numeric\"", "kind = \"wave\"", "are for kind = \"numeric\"");
    check("MDC_RESP_RATE", "MDC RESP", "its name is a word");
    check(
        "silence_after_s = 1",
        "silence_after_s = 1\nbattery_channel = \"B\"",
        "names no channel",
    );
    let grant =
        |filter: &str| format!("{SMALL}\n[[grants]]\nfilter = \"{filter}\"\npublish = true\n");
    let granted = Profile::parse(&grant("zigbee2mqtt/#")).unwrap().grants;
    assert_eq!((granted.len(), granted[0].publish, granted[0].subscribe), (1, true, false));
    for filter in ["#", "+/a", "wl/#", "wl", "$SYS/#", "", "/a", "a/#/b", "a/b+"] {
        let error = Profile::parse(&grant(filter)).unwrap_err().to_string();
        assert!(error.contains("`grants` are at most 32"), "{filter}: {error}");
    }
    let one = "\n[[grants]]\nfilter = \"a/#\"\n";
    assert!(Profile::parse(&format!("{SMALL}{}", one.repeat(32))).is_ok());
    assert!(Profile::parse(&format!("{SMALL}{}", one.repeat(33))).is_err());
    let twice = format!("{SMALL}{}", &SMALL[SMALL.find("[[channel]]").unwrap()..]);
    let error = Profile::parse(&twice).unwrap_err().to_string();
    assert_eq!(error, "channel `MDC_RESP_RATE`: it stands twice");
}

#[test]
fn a_rate_may_be_a_fraction() {
    let wave = r#"
        [[channel]]
        name = "W"
        words = "Wave"
        kind = "wave"
        code = 151780
        ucum = "Ohm"
        rate_hz = [125, 2]
        gain = [1, -3]
        bits = 16
    "#;
    let profile = Profile::parse(&format!("{SMALL}{wave}")).unwrap();
    assert_eq!(profile.waves().map(|(_, wave)| wave.rate_hz).collect::<Vec<_>>(), [(125, 2)]);
    let zero = wave.replace("[125, 2]", "0");
    assert!(Profile::parse(&format!("{SMALL}{zero}")).is_err());
}
