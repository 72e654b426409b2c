//! Line protocol: any bytes give lines or reasons, no byte of a line is lost, and what a line says survives being written again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model::{Sample, Timestamp};
use protocols::{
    limits,
    line::{self, Precision, Value},
    profile::Profile,
};

static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
    let text = include_str!("../../profiles/bedside-monitor/profile.toml");
    Profile::parse(text).unwrap_or_else(|error| unreachable!("{error}"))
});

fuzz_target!(|data: &[u8]| {
    let now = Timestamp::from_unix_nanos(1_700_000_000_000_000_000);
    let (mut count, mut bytes) = (0_usize, 0_usize);
    for line in line::parse(data) {
        count += 1;
        let line = match line {
            Ok(line) => line,
            Err(bad) => {
                bytes += bad.raw.len();
                continue;
            }
        };
        bytes += line.raw.len();
        assert!((1..=limits::LINE_FIELDS_MAX).contains(&line.fields.len()));
        assert!(line.tags.len() <= limits::LINE_TAGS_MAX);
        if let Ok(found) = line::resolve(&PROFILE, &line, Precision::Milliseconds, now) {
            assert_eq!(found.samples.len(), line.fields.len());
            for raw in &found.samples {
                // What was refused has no value.
                assert!(raw.refused.is_none() || matches!(raw.sample, Sample::Missing(_)));
            }
        }
        rewritten(&line);
    }
    assert!(count <= limits::LINES_MAX + 1 && bytes <= data.len());
});

/// A backslash before the end of a name cannot be written, in this protocol by no one.
fn rewritten(line: &line::Line<'_>) {
    let names = line.tags.iter().flat_map(|(tag, value)| [tag, value]);
    let names = names.chain(line.fields.iter().map(|(field, _)| field));
    if names.chain([&line.measurement]).any(|name| name.contains(['\\', '\n', '\r'])) {
        return;
    }
    let is_comment = line.measurement.starts_with(['#', ' ']);
    let is_long = line.raw.len() > limits::LINE_LEN_MAX / 4;
    if is_comment || is_long || line.measurement.trim_ascii_start().is_empty() {
        return;
    }
    let mut text = String::new();
    line::write(line, &mut text);
    let again = line::parse(text.as_bytes()).next();
    let again = again.and_then(Result::ok).unwrap_or_else(|| unreachable!("{text:?}"));
    assert_eq!((&again.measurement, &again.tags), (&line.measurement, &line.tags));
    assert_eq!((again.fields.len(), again.time), (line.fields.len(), line.time));
    for ((name, value), (field, want)) in again.fields.iter().zip(&line.fields) {
        let is_same = match (value, want) {
            (Value::Number(read), Value::Number(_)) => read.exp10 >= -128,
            (value, want) => value == want,
        };
        assert!(name == field && is_same, "{text:?}");
    }
}
