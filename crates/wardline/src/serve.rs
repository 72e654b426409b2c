//! `wardline serve`: the server, until it is told to stop.

use std::{net::SocketAddr, path::PathBuf};

use store::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    config::Config,
    program::{Mode, Program},
    records_place::Address,
};

/// Starts the server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  wardline serve --data ./wardline-data
  wardline serve --config /etc/wardline.toml
  wardline serve --records postgres://ward@localhost/ward")]
pub(crate) struct Arguments {
    /// The configuration file; without one the defaults hold.
    #[arg(long, env = "WARDLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Where everything is kept; overrides the configuration.
    #[arg(long, env = "WARDLINE_DATA")]
    data: Option<PathBuf>,
    /// Where HTTPS for devices listens; overrides the configuration, which says 0.0.0.0:8444.
    #[arg(long, value_name = "ADDR", env = "WARDLINE_DEVICE_HTTPS")]
    device_https: Option<SocketAddr>,
    /// The PostgreSQL that holds the records, without its password; overrides WARDLINE_RECORDS,
    /// which may have one, and the configuration.
    #[arg(long, value_name = "URL")]
    records: Option<String>,
}

/// Runs the server until SIGINT or SIGTERM.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    log_to_stderr();
    let mut config = Config::read(arguments.config.as_deref())?;
    if let Some(data) = arguments.data {
        config.data = data;
    }
    if let Some(https) = arguments.device_https {
        config.devices.https = https;
    }
    config.records = Address::asked(arguments.records.as_deref())?.or(config.records);
    let mut stop = StopSignals::listen()?;
    let start = Program::start(config, Clock::system(), Mode::Hospital);
    let Some(mut program) = stop.unless_told(start).await? else { return Ok(()) };
    eprintln!("Wardline serves {}", program.people_address());
    eprintln!("Devices connect to {} (MQTT over TLS, client certificate)", program.mqtt_address());
    eprintln!("  or to https://{} (HTTPS and MQTT over WebSocket)", program.https_address());
    if let Some(invitation) = program.invitation() {
        eprintln!("Administrator, choose a password here (the link works once):");
        eprintln!("  {}{invitation}", program.people_address());
    }
    tokio::select! {
        () = stop.told() => {}
        why = program.broke() => return Err(why),
    }
    eprintln!("stopping: what was taken in is finished, nothing new is taken");
    program.stop().await;
    Ok(())
}

/// Structured events on stderr; `WARDLINE_LOG` chooses which.
pub(crate) fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("WARDLINE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second subscriber is refused, and then the first one logs.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// SIGINT, which is Ctrl-C, and SIGTERM, kept from the moment this listens. Unheard they end the
/// program where it stands, so it listens before the program begins to serve.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupted: Signal,
    terminated: Signal,
}

impl StopSignals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        let interrupted = signal(SignalKind::interrupt())?;
        Ok(Self { interrupted, terminated: signal(SignalKind::terminate())? })
    }

    /// What this start gives, or nothing if one of them comes first: what is on the disk is whole
    /// at any time.
    pub(crate) async fn unless_told<T>(
        &mut self,
        start: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Option<T>> {
        tokio::select! {
            started = start => started.map(Some),
            () = self.told() => {
                eprintln!("stopped before it was ready");
                Ok(None)
            }
        }
    }

    /// Returns on the first of them.
    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}
