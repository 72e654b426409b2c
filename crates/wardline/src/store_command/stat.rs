//! `wardline store stat`: what a data directory holds, how it grows, and when its disk will be full.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use clap::Args;
use model::Timestamp;
use serde_json::{Map, Value, json};
use store::{Chunks, LogOffset, Records, Shortened, Stat};

use super::{dump::name_of, open};
use crate::records_place::noted;

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Reads every frame and counts every row.
pub(super) fn run(asked: &Asked) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    let mut stat = store::stat(&dir)?;
    if let Some(place) = noted(&dir)? {
        match Records::look_at(&place).and_then(|records| records.row_counts()) {
            Ok(rows) => stat.rows = rows,
            Err(error) => {
                eprintln!("the rows at {place} were not counted: {:#}", anyhow::Error::new(error));
            }
        }
    }
    if asked.json {
        println!("{}", json_of(&stat));
    } else {
        print!("{}", text_of(&stat));
    }
    Ok(())
}

/// An instant as RFC 3339.
pub(crate) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.unix_nanos().into())
        .map_or_else(|_| at.unix_nanos().to_string(), |at| at.to_string())
}

/// What was thinned; null if nothing was.
pub(super) fn shortened_json(it: &Shortened) -> Value {
    it.received.map_or(Value::Null, |(oldest, newest)| {
        json!({
            "blocks": it.frames,
            "bytes_before": it.bytes_before,
            "bytes": it.bytes,
            "oldest": time(oldest),
            "newest": time(newest),
        })
    })
}

fn day(number: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    let text = time(Timestamp::from_unix_millis(number.saturating_mul(DAY_MS)));
    text.split('T').next().unwrap_or_default().to_owned()
}

const fn codec(number: u8) -> &'static str {
    match number {
        1 => "points",
        2 => "waveforms",
        _ => "of a newer program",
    }
}

fn json_of(stat: &Stat) -> Value {
    let frames: Map<String, Value> = stat
        .frames
        .iter()
        .map(|(kind, it)| (name_of(*kind), json!({ "count": it.count, "bytes": it.bytes })))
        .collect();
    let chunk = |(kind, it): (&u8, &Chunks)| {
        let known = json!({
            "count": it.count,
            "items": it.items,
            "bytes": it.bytes,
            "oldest": it.oldest.map(time),
            "newest": it.newest.map(time),
        });
        (codec(*kind).to_owned(), known)
    };
    let chunks: Map<String, Value> = stat.chunks.iter().map(chunk).collect();
    let days: Map<String, Value> =
        stat.days().into_iter().map(|(number, bytes)| (day(number), bytes.into())).collect();
    let growth = stat.growth();
    let full_in = growth.and_then(|it| it.full_in(&stat.disk));
    json!({
        "journal": {
            "segments": stat.segments,
            "begins_at": stat.begins_at.bytes(),
            "thinned_segments": stat.thinned_segments,
            "thinned": shortened_json(&stat.shortened),
            "ends_at": stat.ends_at.bytes(),
            "commits": stat.commits,
            "frames": frames,
            "oldest": stat.received.map(|(oldest, _)| time(oldest)),
            "newest": stat.received.map(|(_, newest)| time(newest)),
            "bytes_by_day": days,
        },
        "checkpoint": stat.checkpoint.map(|(at, bytes)| json!({ "at": at.bytes(), "bytes": bytes })),
        "series": { "count": stat.series, "chunks": chunks },
        "rows": stat.rows,
        "disk": {
            "journal_bytes": stat.disk.journal_bytes,
            "series_bytes": stat.disk.series_bytes,
            "records_bytes": stat.disk.records_bytes,
            "free_bytes": stat.disk.free_bytes,
            "total_bytes": stat.disk.total_bytes,
            "used_percent": stat.disk.used_percent(),
            "nearly_full": stat.disk.is_nearly_full(),
        },
        "growth_bytes_per_day": growth.map(|it| it.bytes_per_day),
        "full_in_days": full_in.map(days_of),
    })
}

/// Whole days and a tenth.
fn days_of(span: Duration) -> f64 {
    (span.as_secs_f64() / 8_640.0).floor() / 10.0
}

/// As people read sizes: three digits and a unit of a thousand.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    let mut unit = UNITS.iter();
    let mut name = unit.next();
    while tenths >= 10_000 {
        let Some(next) = unit.next() else { break };
        (tenths, name) = (tenths / 1_000, Some(next));
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, name.unwrap_or(&"B"))
}

fn text_of(stat: &Stat) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = journal_text(stat, &mut text);
    let _ = rest_text(stat, &mut text);
    text
}

fn journal_text(stat: &Stat, text: &mut String) -> std::fmt::Result {
    let Stat { segments, begins_at, ends_at, commits, .. } = stat;
    writeln!(
        text,
        "journal: {segments} segments, offsets {begins_at} to {ends_at}, {commits} commits"
    )?;
    if *begins_at > LogOffset::default() {
        writeln!(text, "  GONE: what stood before offset {begins_at}")?;
    }
    if let Some((oldest, newest)) = stat.shortened.received {
        let Shortened { frames, bytes_before, bytes, .. } = stat.shortened;
        let (count, saved) = (stat.thinned_segments, size(bytes_before.saturating_sub(bytes)));
        writeln!(
            text,
            "  thinned: {count} segments, {frames} waveform blocks received {} to {}, {saved} less",
            time(oldest),
            time(newest)
        )?;
    }
    if let Some((oldest, newest)) = stat.received {
        writeln!(text, "  received {} to {}", time(oldest), time(newest))?;
    }
    for (kind, it) in &stat.frames {
        writeln!(text, "  {:<20} {:>12} {:>10}", name_of(*kind), it.count, size(it.bytes))?;
    }
    for (number, bytes) in stat.days().iter().rev().take(7) {
        writeln!(text, "  {:<20} {:>12} {:>10}", day(*number), "", size(*bytes))?;
    }
    match stat.checkpoint {
        None => writeln!(text, "checkpoint: none"),
        Some((at, bytes)) => {
            let behind = ends_at.bytes().saturating_sub(at.bytes());
            writeln!(
                text,
                "checkpoint: at offset {at}, {}, {} before the end",
                size(bytes),
                size(behind)
            )
        }
    }
}

fn rest_text(stat: &Stat, text: &mut String) -> std::fmt::Result {
    writeln!(text, "series: {}", stat.series)?;
    for (kind, it) in &stat.chunks {
        let (count, items) = (it.count, it.items);
        writeln!(
            text,
            "  {:<20} {items:>12} {:>10} in {count} chunks",
            codec(*kind),
            size(it.bytes)
        )?;
    }
    writeln!(text, "records:")?;
    for (table, rows) in stat.rows.iter().filter(|(_, rows)| **rows > 0) {
        writeln!(text, "  {table:<20} {rows:>12}")?;
    }
    let disk = &stat.disk;
    let (used, total, free) = (disk.used_percent(), size(disk.total_bytes), size(disk.free_bytes));
    writeln!(text, "disk: {used} % used, {free} free of {total}")?;
    for (part, bytes) in [
        ("journal", disk.journal_bytes),
        ("series", disk.series_bytes),
        ("records", disk.records_bytes),
    ] {
        writeln!(text, "  {part:<20} {:>12} {:>10}", "", size(bytes))?;
    }
    if disk.is_nearly_full() {
        writeln!(text, "  NEARLY FULL: make room, or move the data to a larger disk")?;
    }
    let Some(growth) = stat.growth() else {
        return writeln!(text, "growth: too little time to tell");
    };
    write!(text, "growth: {} a day", size(growth.bytes_per_day))?;
    match growth.full_in(disk) {
        Some(span) => writeln!(text, "; at this rate the disk is full in {} days", days_of(span)),
        None => writeln!(text),
    }
}

#[cfg(test)]
mod tests {
    use store::{DiskUse, Frames};

    use super::*;

    #[test]
    fn sizes_have_a_unit_at_each_thousand() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (32 << 20, "33.5 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn a_stat_says_what_there_is_and_when_the_disk_is_full() {
        let at = |hour: i64| Timestamp::from_unix_millis(hour * 3_600_000);
        let disk = DiskUse {
            journal_bytes: 900,
            free_bytes: 36_000,
            used_bytes: 64_000,
            total_bytes: 100_000,
            ..DiskUse::default()
        };
        let stat = Stat {
            segments: 2,
            ends_at: LogOffset::from_bytes(900),
            frames: [(1, Frames { count: 3, bytes: 800 })].into(),
            received: Some((at(0), at(24))),
            hours: [(0, 450), (24, 450)].into(),
            checkpoint: Some((LogOffset::from_bytes(700), 50)),
            rows: [("alarm".to_owned(), 2), ("score".to_owned(), 0)].into(),
            disk,
            ..Stat::default()
        };
        let text = text_of(&stat);
        for part in [
            "2 segments, offsets 0 to 900",
            "readings",
            "1970-01-02",
            "at offset 700, 50 B, 200 B before the end",
            "64 % used, 36.0 kB free of 100.0 kB",
            "900 B a day; at this rate the disk is full in 40 days",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("score") && !text.contains("NEARLY FULL"), "{text}");
        let json = json_of(&stat);
        assert_eq!(json["full_in_days"], json!(40.0));
        assert_eq!(json["journal"]["frames"]["readings"]["count"], json!(3));
        assert_eq!(json["journal"]["bytes_by_day"]["1970-01-01"], json!(450));
    }
}
