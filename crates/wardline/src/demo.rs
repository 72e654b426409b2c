//! `wardline demo`: a ward of virtual patients whose devices are real clients of the
//! real server; and `--check`, which watches it from outside and adds everything up.

mod check;
mod players;
mod screen;
mod stage;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::Context as _;
use model::Timestamp;
use sim::{Ward, demo_courses, demo_devices, demo_script};
use store::Clock;

use crate::{
    config::{Config, Devices, People},
    program::{Mode, Program},
    recordings::recordings,
    rest::Rest,
    serve::{log_to_stderr, until_told_to_stop},
    server_process::Ready,
};

/// A whole ward to play with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardline demo
  wardline demo --seed 7 --port 9000
  wardline demo --check --json")]
pub(crate) struct Arguments {
    /// The script of the ward; the same seed plays the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Port of the screens on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 8_080)]
    port: u16,
    /// How many times faster than life the ward and the clock run.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Keep the data here instead of throwing it away at the end.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Start the server without patients and devices.
    #[arg(long)]
    empty: bool,
    /// Watch the ward for a minute through public interfaces and judge it.
    #[arg(long)]
    check: bool,
    /// Say the addresses, or the check's figures, as one line of JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs the demo until Ctrl-C, or the check to its end.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    log_to_stderr();
    anyhow::ensure!(
        (0.1..=1_000.0).contains(&arguments.speed),
        "--speed is {}; 0.1 to 1000 times life is possible",
        arguments.speed
    );
    if arguments.check {
        let figures = check::check(arguments.seed).await?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let (data, is_ours) = match &arguments.data {
        Some(data) => (data.clone(), false),
        None => (temporary()?, true),
    };
    let outcome = play(&arguments, data.clone()).await;
    if is_ours {
        // A demo that leaves nothing behind is tried again.
        std::fs::remove_dir_all(&data).ok();
    }
    outcome
}

async fn play(arguments: &Arguments, data: PathBuf) -> anyhow::Result<()> {
    let clock = clock(arguments.speed)?;
    let mut program = Program::start(config(arguments, data), clock.clone(), Mode::Demo).await?;
    let ready = Ready {
        people: program.people_address(),
        mqtt: program.mqtt_address(),
        metrics: program.metrics_address(),
        pid: std::process::id(),
    };
    if arguments.json && arguments.empty {
        println!("ready {}", serde_json::to_string(&ready)?);
    }
    if arguments.empty {
        say(&ready);
        tokio::select! {
            told = until_told_to_stop() => told?,
            why = program.broke() => return Err(why),
        }
    } else {
        tokio::select! {
            played = ward(arguments, &clock, &ready) => played?,
            told = until_told_to_stop() => told?,
            why = program.broke() => return Err(why),
        }
    }
    program.stop().await;
    Ok(())
}

/// Builds the hospital through the public interface and lets its devices speak.
async fn ward(arguments: &Arguments, clock: &Clock, ready: &Ready) -> anyhow::Result<()> {
    let admin = Rest::new(&ready.people)?.sign_in_by_click("admin").await?;
    let (courses, devices) = (demo_courses(), demo_devices());
    let staged = stage::build(&admin, &courses, &devices)
        .await
        .context("the demo ward could not be built")?;
    let players = players::Players::connect(&staged, &ready.mqtt, clock, None).await?;
    let enrolled = players::enrolled(&staged)?;
    let mut ward =
        Ward::new(arguments.seed, clock.now(), courses, enrolled, &recordings()?, demo_script());
    if arguments.json {
        println!("ready {}", serde_json::to_string(ready)?);
    }
    say(ready);
    players.play(&mut ward, clock, Timestamp::from_unix_nanos(i64::MAX)).await
}

fn say(ready: &Ready) {
    eprintln!();
    eprintln!("  Wardline demo: open {} and click a name to sign in.", ready.people);
    eprintln!("  Devices speak MQTT over mutual TLS to {}.", ready.mqtt);
    eprintln!("  Not a medical device. Ctrl-C ends it.");
    eprintln!();
}

fn clock(speed: f64) -> anyhow::Result<Clock> {
    if (speed - 1.0).abs() < f64::EPSILON {
        return Ok(Clock::system());
    }
    Ok(Clock::scaled(Clock::system().now(), speed))
}

fn config(arguments: &Arguments, data: PathBuf) -> Config {
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // A chosen port of screens leaves the devices' port free, so that two demos can run.
    let mqtt = if arguments.port == 8_080 { 8_883 } else { 0 };
    Config {
        data,
        organization: "Demo hospital".to_owned(),
        people: People { listen: at(arguments.port), tls: false, ..People::default() },
        devices: Devices { mqtt: at(mqtt), host: "localhost".to_owned() },
        metrics: at(0),
    }
}

fn temporary() -> anyhow::Result<PathBuf> {
    let name = format!("wardline-demo-{}", std::process::id());
    let data = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    Ok(data)
}
