//! `wardline store retention`: every waveform block of the journal compared with what is sealed
//! of it, and what a server would thin if it kept blocks whole for so many days.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use clap::Args;
use engine::{BlockCount, Blocks, ComparedBlocks, retention::Stays};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use store::{Clock, DataDir, LogOffset};

use super::{
    export::{Kept, open_stored},
    open,
    stat::{size, time},
};

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The data directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// For how many days after their receipt blocks would stay whole.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    keep_days: u32,
    /// Say it as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Compares and says; nothing is thinned. An error is a block that is sealed otherwise than it
/// was received, and one whose samples went and cannot be made again of what is sealed.
pub(super) fn run(asked: &Asked) -> anyhow::Result<()> {
    let dir = open(&asked.dir)?;
    let Kept { storage, series, records, setup } = open_stored(&dir)?;
    let kept_for = Duration::from_secs(u64::from(asked.keep_days).saturating_mul(86_400));
    let received_before = Clock::system().now().before(kept_for);
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg} {spinner} {binary_bytes}")?);
    let blocks = Blocks { storage, series, records, setup, received_before };
    let found = blocks.compare(&mut |pass, at| {
        bar.set_message(if pass == 3 { "comparing" } else { "reading what is not sealed yet" });
        bar.set_position(at.bytes());
    });
    bar.finish_and_clear();
    let found = found.context("the journal cannot be compared; try `store verify`")?;
    if asked.json {
        println!("{}", json_of(&found));
    } else {
        print!("{}", text_of(&found));
    }
    let lost = found.lost_count();
    ensure!(
        lost == 0,
        "{lost} waveform blocks gave up their samples, and the series have these otherwise or not at all; a backup from before may have them"
    );
    let faults = found.fault_count();
    ensure!(
        faults == 0,
        "{faults} waveform blocks are sealed otherwise than they were received; {}",
        if found.thinned == 0 {
            "the journal has them, and `store rebuild` seals them anew"
        } else {
            "the journal was thinned, so no rebuild seals them anew: restore a backup, the journal has these blocks until then"
        }
    );
    Ok(())
}

/// Every block that is sealed otherwise than it was received, and every one whose samples went
/// and that its chunk does not make whole: where it is, and what of it does not hold.
pub(super) fn look_deep(dir: &DataDir) -> anyhow::Result<Vec<(String, String)>> {
    let Kept { storage, series, records, setup } = open_stored(dir)?;
    let received_before = Clock::system().now();
    let blocks = Blocks { storage, series, records, setup, received_before };
    let found = blocks.compare(&mut |_, _| {}).context("the journal cannot be compared")?;
    let named = |of: &[(LogOffset, Stays)], what: &'static str| -> Vec<(String, String)> {
        let one = |(at, why): &(LogOffset, Stays)| {
            (
                format!("journal, the block that ends at offset {at}"),
                format!("{what}: {}", word(*why)),
            )
        };
        of.iter().map(one).collect()
    };
    let mut all = named(&found.lost, "its samples went, and its chunk does not make it whole");
    all.extend(named(&found.faults, "it is sealed otherwise than it was received"));
    Ok(all)
}

const fn word(why: Stays) -> &'static str {
    match why {
        Stays::Missing => "missing_in_series",
        Stays::Differs => "differs_in_series",
        Stays::Damaged => "chunk_damaged",
        Stays::Unreadable => "unreadable",
        Stays::Crowded => "too_many_at_once",
        Stays::Unsealed => "not_sealed_yet",
        Stays::Finer => "not_made_again",
        Stays::Newest => "newest_segments",
        Stays::Recent => "too_young",
        Stays::Held => "held",
    }
}

fn json_of(found: &ComparedBlocks) -> Value {
    let count = |it: &BlockCount| json!({ "blocks": it.blocks, "bytes": it.bytes, "sample_bytes": it.sample_bytes });
    let staying: Map<String, Value> =
        found.staying.iter().map(|(why, it)| (word(*why).to_owned(), count(it))).collect();
    let not_again: Map<String, Value> =
        found.not_again.iter().map(|(why, count)| (word(*why).to_owned(), json!(count))).collect();
    let places = |of: &[(LogOffset, Stays)]| -> Vec<Value> {
        let place =
            |(at, why): &(LogOffset, Stays)| json!({ "offset": at.bytes(), "what": word(*why) });
        of.iter().map(place).collect()
    };
    json!({
        "may_go": count(&found.spare),
        "may_go_received": found.spare_received.map(|(from, to)| [time(from), time(to)]),
        "staying": staying,
        "gone_before": found.thinned,
        "gone_not_made_again": not_again,
        "lost": places(&found.lost),
        "faults": places(&found.faults),
    })
}

fn text_of(found: &ComparedBlocks) -> String {
    let mut text = String::from("waveform blocks of the journal:\n");
    let mut line = |name: &str, it: &BlockCount| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {name:<20} {:>12} {:>10}", it.blocks, size(it.bytes));
    };
    line("may_go", &found.spare);
    for (why, it) in &found.staying {
        line(word(*why), it);
    }
    if found.thinned > 0 {
        let _ = writeln!(text, "  {:<20} {:>12}", "gone_before", found.thinned);
    }
    for (why, count) in &found.not_again {
        let _ = writeln!(text, "gone_before, and not made again: {count}, {}", word(*why));
    }
    if let Some((oldest, newest)) = found.spare_received {
        let (from, to, samples) = (time(oldest), time(newest), size(found.spare.sample_bytes));
        let _ = writeln!(text, "may_go: received {from} to {to}; {samples} of it are samples");
    }
    for (at, why) in &found.lost {
        let _ = writeln!(
            text,
            "LOST: the samples of the block that ends at offset {at}: {}",
            word(*why)
        );
    }
    for (at, why) in &found.faults {
        let _ = writeln!(text, "DIFFERS: the block that ends at offset {at}: {}", word(*why));
    }
    text
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn it_says_what_may_go_why_the_rest_stays_and_which_blocks_differ() {
        let count = |blocks| BlockCount { blocks, bytes: blocks * 700, sample_bytes: blocks * 500 };
        let at = Timestamp::from_unix_millis(0);
        let found = ComparedBlocks {
            spare: count(10),
            spare_received: Some((at, at)),
            staying: [(Stays::Held, count(3)), (Stays::Differs, count(1))].into(),
            thinned: 4,
            not_again: [(Stays::Missing, 2), (Stays::Crowded, 1)].into(),
            lost: vec![(LogOffset::from_bytes(50), Stays::Missing)],
            faults: vec![(LogOffset::from_bytes(70), Stays::Differs)],
        };
        let text = text_of(&found);
        for part in [
            "may_go",
            "7.0 kB",
            "held",
            "5.0 kB of it are samples",
            "ends at offset 70",
            "not made again: 2, missing_in_series",
            "LOST: the samples of the block that ends at offset 50: missing_in_series",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let json = json_of(&found);
        let (held, gone) = (&json["staying"]["held"]["blocks"], &json["gone_before"]);
        assert_eq!((held, gone), (&json!(3), &json!(4)));
        assert_eq!(json["faults"][0]["what"], json!("differs_in_series"));
        assert_eq!(json["lost"], json!([{ "offset": 50, "what": "missing_in_series" }]));
        assert_eq!((found.lost_count(), found.fault_count()), (2, 1));
    }
}
