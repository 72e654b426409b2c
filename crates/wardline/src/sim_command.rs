//! `wardline sim`: a virtual hospital by a script, with its ground truth and how well it
//! was told; or as many devices as are asked for, as a load on a server that runs already.

mod actors;
mod alarms;
pub(crate) mod life;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use model::Timestamp;
use serde::Serialize;
use sim::{Row, Script};
use store::Clock;

use crate::{
    bench::load::{Load, flood_server},
    demo::{clock_at, loopback_config, ready, temporary},
    eval::alarms::report,
    program::{Mode, Program},
    scenarios,
    serve::{StopSignals, log_to_stderr},
};

const EXAMPLES: &str = "\
Examples:
  wardline sim ward --speed 10 --lasts 1h --score
  wardline sim hospital --speed 60 --truth truth.jsonl --alarms alarms.jsonl
  wardline sim my-script.toml --seed 7 --port 8080
  wardline sim --devices 2000 --people http://localhost:8080 --server localhost:8883
  wardline sim --devices 2000 --people http://localhost:8080 --server localhost:8883 --ramp 20 --on-patients 40 --seed 7
  wardline sim --devices 500 --server ward.example:8883 --ca ca.pem --cert-dir devices --site 0192…";

/// What `wardline sim` is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A script: a file, or `ward` or `hospital`, which come with the program.
    #[arg(default_value = "hospital", conflicts_with = "devices")]
    script: String,
    /// The same seed lives the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than life the hospital and the clock run.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// How much of the script is lived, such as `90s` or `8h`; without it, all.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    lasts: Option<f64>,
    /// Port of the screens on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Keep the server's data here instead of throwing it away at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Nobody answers and nobody treats.
    #[arg(long)]
    no_staff: bool,
    /// Write the ground truth here, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Write every alarm that was raised here, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    alarms: Option<PathBuf>,
    /// Say at the end what was detected, late, missed and false.
    #[arg(long)]
    score: bool,
    /// Say it as one JSON object on stdout.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: Load,
}

fn span(text: &str) -> Result<f64, String> {
    sim::span_s(text)
        .filter(|seconds| *seconds >= 1.0)
        .ok_or_else(|| "write a span such as `90s`, `25min` or `1h 30min`".to_owned())
}

/// Lives the script, or floods a server.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    log_to_stderr();
    if arguments.load.devices.is_some() {
        return flood_server(&arguments.load, arguments.seed, arguments.json).await;
    }
    let script = scenarios::find(&arguments.script)?;
    let clock = clock_at(arguments.speed)?;
    let (data, is_ours) = match &arguments.data {
        Some(data) => (data.clone(), false),
        None => (temporary("sim")?, true),
    };
    let outcome = play(&arguments, script, &clock, data.clone()).await;
    if is_ours {
        // A simulation that leaves nothing behind is tried again.
        std::fs::remove_dir_all(&data).ok();
    }
    outcome
}

async fn play(
    arguments: &Arguments,
    script: Script,
    clock: &Clock,
    data: PathBuf,
) -> anyhow::Result<()> {
    let config = loopback_config(arguments.port, data.clone());
    let mut signals = StopSignals::listen()?;
    let start = Program::start(config, clock.clone(), Mode::Demo);
    let Some(mut program) = signals.unless_told(start).await? else { return Ok(()) };
    let ready = ready(&program);
    let lasts_s = arguments.lasts.unwrap_or(script.lasts_s);
    eprintln!(
        "{}: {} for {} min, at {}",
        script.title,
        script.site,
        (lasts_s / 60.0).round(),
        ready.people
    );
    let asked = life::Asked {
        script,
        seed: arguments.seed,
        staffed: !arguments.no_staff,
        lasts_s: Some(lasts_s),
        data: Some(data),
        tells_progress: true,
    };
    let desk = program.demo_desk();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let living = life::live(asked, clock, &ready, desk, stopped, || {});
    tokio::pin!(living);
    let lived = tokio::select! {
        lived = &mut living => lived?,
        () = signals.told() => {
            stop.send_replace(true);
            living.await?
        }
        why = program.broke() => return Err(why),
    };
    program.stop().await;
    if let Some(path) = &arguments.truth {
        write_lines(path, &lived.truth)?;
    }
    if let Some(path) = &arguments.alarms {
        write_lines(path, &lived.alarms)?;
    }
    if arguments.score || arguments.json {
        let score = sim::score(&lived.truth, &lived.alarms);
        print!("{}", report(&score, arguments.json)?);
    } else {
        let facts = lived.truth.iter().filter(|row: &&Row| row.by_ms.is_some()).count();
        eprintln!("{facts} alarms were due and {} were raised", lived.alarms.len());
    }
    Ok(())
}

/// Writes one JSON object a line.
fn write_lines<T: Serialize>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The instant so many seconds later.
fn later(at: Timestamp, seconds: f64) -> Timestamp {
    at.after(std::time::Duration::from_secs_f64(seconds.max(0.0)))
}
