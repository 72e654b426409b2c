//! `wardline demo`: a ward of virtual patients whose devices are real clients of the
//! real server; and `--check`, which watches it from outside and adds everything up.

mod check;
mod https_player;
pub(crate) mod line;
pub(crate) mod players;
mod screen;
pub(crate) mod stage;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::Context as _;
use api::DemoDesk;
use store::Clock;

use crate::{
    config::{Config, Devices, People},
    program::{Mode, Program},
    records_place::Address,
    scenarios,
    serve::{StopSignals, log_to_stderr},
    server_process::Ready,
    sim_command::life,
};

/// A whole ward to play with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardline demo
  wardline demo --seed 7 --port 9000
  wardline demo --hospital
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
    /// Keep the records in this PostgreSQL instead of a file beside the data.
    #[arg(long, value_name = "URL", requires = "data", conflicts_with = "check")]
    records: Option<String>,
    /// A whole hospital: an ICU of 8, the ward with 16 beds, 24 people at home, and staff who answer.
    #[arg(long, conflicts_with_all = ["empty", "check"])]
    hospital: bool,
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
    if arguments.check {
        let figures = check::check(arguments.seed).await?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let (data, is_ours) = match &arguments.data {
        Some(data) => (data.clone(), false),
        None => (temporary("demo")?, true),
    };
    let outcome = play(&arguments, data.clone()).await;
    if is_ours {
        // A demo that leaves nothing behind is tried again.
        std::fs::remove_dir_all(&data).ok();
    }
    outcome
}

async fn play(arguments: &Arguments, data: PathBuf) -> anyhow::Result<()> {
    let clock = clock_at(arguments.speed)?;
    let mut config = loopback_config(arguments.port, data.clone());
    // The environment may be that of a hospital's server, whose records are no place to play.
    let records = arguments.records.as_deref();
    config.records = records.map(|it| Address::asked(Some(it))).transpose()?.flatten();
    let mut stop = StopSignals::listen()?;
    let start = Program::start(config, clock.clone(), Mode::Demo);
    let Some(mut program) = stop.unless_told(start).await? else { return Ok(()) };
    let ready = ready(&program);
    if arguments.json && arguments.empty {
        println!("ready {}", serde_json::to_string(&ready)?);
    }
    if arguments.empty {
        // A program that started this one reads the line of JSON, and its own output is another.
        if !arguments.json {
            say(&ready);
        }
        tokio::select! {
            () = stop.told() => {}
            why = program.broke() => return Err(why),
        }
    } else {
        let desk = program.demo_desk();
        tokio::select! {
            lived = live(arguments, &clock, &ready, desk, data) => lived?,
            () = stop.told() => {}
            why = program.broke() => return Err(why),
        }
    }
    program.stop().await;
    Ok(())
}

/// Where a started program is.
pub(crate) fn ready(program: &Program) -> Ready {
    Ready {
        people: program.people_address(),
        mqtt: program.mqtt_address(),
        https: program.https_address(),
        metrics: program.metrics_address(),
        pid: std::process::id(),
    }
}

/// Builds the hospital through the public interface and lets its devices speak.
async fn live(
    arguments: &Arguments,
    clock: &Clock,
    ready: &Ready,
    desk: DemoDesk,
    data: PathBuf,
) -> anyhow::Result<()> {
    let name = if arguments.hospital { "hospital" } else { "ward" };
    let asked = life::Asked {
        script: scenarios::shipped(name)?,
        seed: arguments.seed,
        // On the ward of eight it is the visitor who answers.
        staffed: arguments.hospital,
        lasts_s: None,
        data: Some(data),
        tells_progress: false,
    };
    let (_running, stopped) = tokio::sync::watch::channel(false);
    let say_ready = || {
        if arguments.json
            && let Ok(line) = serde_json::to_string(ready)
        {
            println!("ready {line}");
        }
        say(ready);
    };
    life::live(asked, clock, ready, desk, stopped, say_ready).await.map(drop)
}

fn say(ready: &Ready) {
    eprintln!();
    eprintln!("  Wardline demo: open {} and click a name to sign in.", ready.people);
    eprintln!(
        "  Devices speak MQTT over mutual TLS to {}, or HTTPS to {}.",
        ready.mqtt, ready.https
    );
    eprintln!("  Not a medical device. Ctrl-C ends it.");
    eprintln!();
}

/// The clock of a program that runs so many times faster than life.
pub(crate) fn clock_at(speed: f64) -> anyhow::Result<Clock> {
    anyhow::ensure!(
        (0.1..=1_000.0).contains(&speed),
        "--speed is {speed}; 0.1 to 1000 times life is possible"
    );
    if (speed - 1.0).abs() < f64::EPSILON {
        return Ok(Clock::system());
    }
    Ok(Clock::scaled(Clock::system().now(), speed))
}

/// A server for this machine alone, with its screens on this port; 0 takes a free one.
pub(crate) fn loopback_config(port: u16, data: PathBuf) -> Config {
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // A chosen port of screens leaves the devices' port free, so that two demos can run.
    let (mqtt, https) = if port == 8_080 { (8_883, 8_444) } else { (0, 0) };
    Config {
        records: None,
        retention: crate::config::Retention::default(),
        backup: crate::config::Backup::default(),
        data,
        organization: "Demo hospital".to_owned(),
        people: People { listen: at(port), tls: false, ..People::default() },
        devices: Devices { mqtt: at(mqtt), https: at(https), host: "localhost".to_owned() },
        metrics: at(0),
    }
}

/// A new folder below the system's own, named after `what` and this process.
pub(crate) fn temporary(what: &str) -> anyhow::Result<PathBuf> {
    let name = format!("wardline-{what}-{}", std::process::id());
    let data = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    Ok(data)
}
