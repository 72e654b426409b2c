//! `wardline eval`: runs an algorithm of the product on labelled data in public formats, and scores it.

use clap::{Args, Subcommand};

pub(crate) mod alarms;
mod qrs;

const EXAMPLES: &str = "\
Examples:
  wardline eval qrs mitdb
  wardline eval qrs mitdb --json
  wardline eval qrs mitdb --all --out beats
  wardline eval alarms truth.jsonl alarms.jsonl";

/// What `wardline eval` is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The heartbeat detector on WFDB records (`.hea` with format 16 or 212, `.atr`), by ANSI/AAMI EC57.
    Qrs(qrs::Arguments),
    /// Alarms that were raised against ground truth: detected, late, missed and false, each listed.
    Alarms(alarms::Arguments),
}

/// Scores it; an error names the file that cannot be read, and why.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.what {
        What::Qrs(asked) => qrs::run(&asked),
        What::Alarms(asked) => alarms::run(&asked),
    }
}
