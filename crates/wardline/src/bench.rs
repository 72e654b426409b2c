//! `wardline bench`: what the whole path costs, measured from outside on this machine.
//!
//! The server is a process of its own, driven through the door that devices use and the
//! interface that screens use; nothing on its way is switched off. A figure that could
//! only be had by losing data is a failure, not a figure.
//!
//! **Absent on purpose:** figures of a part by itself; a ward never meets a part by itself.

use std::{num::NonZeroU32, path::PathBuf};

use clap::{Args, Subcommand};

mod connections;
mod feed;
mod figure;
mod flood;
mod fresh_server;
mod hospital;
mod idle;
mod ingest;
mod latency;
mod lines;
pub(crate) mod load;
mod machine;
mod mosquitto;
mod paced;
mod parallel;
mod publisher;
mod query;
mod read_back;
mod restart;
mod retry;
mod same;
mod sizes;
mod storm;
mod template;
mod ward_day;
mod writes;

use figure::Sheet;

const EXAMPLES: &str = "\
Examples:
  wardline bench ingest --json
  wardline bench ingest --devices 400 --in-flight 16 --seconds 30
  wardline bench ingest --rate 10000
  wardline bench latency --rate 2000
  wardline bench lines
  wardline bench lines --against http://127.0.0.1:8428/write?precision=ms
  wardline bench connections --count 2000
  wardline bench query
  wardline bench restart --megabytes 1000
  wardline bench sizes --ecg mitdb
  wardline bench storm --devices 5000
  wardline bench writes --scratch /srv/wardline
  wardline bench ingest --against-mosquitto 127.0.0.1:28883 --ca ca.pem --cert-dir certs";

/// What `wardline bench` is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    /// One JSON object a line on stdout, instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Below which folder the data of the measurement lie, in a new one that is removed at the end;
    /// the system's for temporary files if left out.
    #[arg(long, global = true, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Messages a second, each durable before its acknowledgement and read back at the end.
    Ingest(Ingest),
    /// From the last byte of a message to the frame on a nurse's screen.
    Latency(Latency),
    /// Readings a second of a ward's day by line protocol, durable before their answers and found again.
    Lines(Lines),
    /// Memory of an idle connection, and the time to connect many.
    Connections(Connections),
    /// Memory and processor time of a server to which nobody speaks.
    Idle(Idle),
    /// Time for a day of vitals and an hour of ECG, the first time and again.
    Query(Query),
    /// Time from a crash to readiness with a long journal.
    Restart(Restart),
    /// Bytes of a sealed reading and of a sealed ECG sample, read back and compared.
    Sizes(Sizes),
    /// Time until every device is served when all connect at once.
    Storm(Storm),
    /// Bytes that reach the disk for each byte that a calm ward's devices send.
    Writes(Writes),
}

/// How hard to push.
#[derive(Clone, Debug, Args)]
struct Ingest {
    /// Devices, each with its certificate, its patient and its bed.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    devices: u32,
    /// Messages of each device that may wait for their acknowledgement.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=64))]
    in_flight: u32,
    /// Messages a second in all, at the most; without it as fast as it goes.
    #[arg(long)]
    rate: Option<NonZeroU32>,
    /// How long to push.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Push the same messages at a running Mosquitto with one subscriber instead.
    #[arg(long, value_name = "HOST:PORT", requires_all = ["ca", "cert_dir"])]
    against_mosquitto: Option<String>,
    /// The authority that signed the broker's certificate.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Client certificates and keys, as `NAME.crt` and `NAME.key`.
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// The broker's process, for its processor time.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
}

/// How steadily to send.
#[derive(Clone, Debug, Args)]
struct Latency {
    /// Devices, each with its certificate, its patient and its bed.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=2_000))]
    devices: u32,
    /// Messages a second in all.
    #[arg(long, default_value_t = NonZeroU32::MIN.saturating_add(1_999))]
    rate: NonZeroU32,
    /// How long to send.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
}

/// How much of the day to send.
#[derive(Clone, Debug, Args)]
struct Lines {
    /// Hours of the ward's day.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=24))]
    hours: u64,
    /// Connections that post at once.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    connections: u32,
    /// Post the same lines to another store that is running, at its address for line protocol in milliseconds.
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// That store's process, for its processor time.
    #[arg(long, value_name = "PID", requires = "against")]
    server_pid: Option<u32>,
}

/// How many to connect.
#[derive(Clone, Debug, Args)]
struct Connections {
    /// Connections, each of a device with its certificate.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=8_000))]
    count: u32,
    /// How long they are left alone before memory is read.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

/// How long to wait.
#[derive(Clone, Debug, Args)]
struct Idle {
    /// How long the server is left alone before memory is read.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

/// How often to ask.
#[derive(Clone, Debug, Args)]
struct Query {
    /// Questions of each kind, one after the other.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    questions: u32,
}

/// How much to write before the crash.
#[derive(Clone, Debug, Args)]
struct Restart {
    /// Length of the journal, in megabytes.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    megabytes: u64,
    /// Messages a second while it is filled, at the most.
    #[arg(long, default_value_t = NonZeroU32::MIN.saturating_add(11_999))]
    rate: NonZeroU32,
    /// Devices that fill it.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    devices: u32,
}

/// What is sealed beside the ward's day.
#[derive(Clone, Debug, Args)]
struct Sizes {
    /// A folder of WFDB records whose signals are sealed too.
    #[arg(long, value_name = "DIR")]
    ecg: Option<PathBuf>,
}

/// How many come at once.
#[derive(Clone, Debug, Args)]
struct Storm {
    /// Devices, each with its certificate.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=8_000))]
    devices: u32,
}

/// How long a calm ward is watched.
#[derive(Clone, Debug, Args)]
struct Writes {
    /// Devices, each of which sends once a second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    devices: u32,
    /// How long they send.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=3_600))]
    seconds: u64,
}

/// Measures, and prints the figures on stdout; an error says which promise was not kept.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    transport::install_provider();
    crate::open_files::allow_many()?;
    let mut sheet = Sheet::new(machine::conditions());
    let scratch = arguments.scratch.as_deref();
    match arguments.what {
        What::Ingest(asked) if asked.against_mosquitto.is_some() => {
            mosquitto::measure(&asked, &mut sheet).await?;
        }
        What::Ingest(asked) => ingest::measure(&asked, scratch, &mut sheet).await?,
        What::Latency(asked) => latency::measure(&asked, scratch, &mut sheet).await?,
        What::Lines(asked) => lines::measure(&asked, scratch, &mut sheet).await?,
        What::Connections(asked) => connections::measure(&asked, scratch, &mut sheet).await?,
        What::Idle(asked) => idle::measure(&asked, scratch, &mut sheet).await?,
        What::Query(asked) => query::measure(&asked, scratch, &mut sheet).await?,
        What::Restart(asked) => restart::measure(&asked, scratch, &mut sheet).await?,
        What::Sizes(asked) => sizes::measure(&asked, scratch, &mut sheet)?,
        What::Storm(asked) => storm::measure(&asked, scratch, &mut sheet).await?,
        What::Writes(asked) => writes::measure(&asked, scratch, &mut sheet).await?,
    }
    let text = if arguments.json { sheet.json_lines() } else { sheet.table() };
    print!("{text}");
    match sheet.broken() {
        None => Ok(()),
        Some(promise) => anyhow::bail!("{promise}"),
    }
}

/// Says on stderr how far a benchmark is.
fn progress(words: &str) {
    eprintln!("{words}");
}
