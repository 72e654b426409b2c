//! Thousands of virtual monitors as a load on a server that runs already.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use store::Clock;
use transport::client_config;

use super::{
    figure::Sheet,
    flood::{Push, Until, flood_counted},
    hospital::Hospital,
    machine,
    publisher::{Seat, address_of, connect_all},
};
use crate::{percentile::percentile, rest::Rest};

/// Between two words about how far it is.
const TELLS_EVERY: Duration = Duration::from_secs(2);

/// How many devices, and at which server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Load {
    /// So many monitors as a load on a running server, instead of a script.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000), requires = "server")]
    pub(crate) devices: Option<u32>,
    /// Where the server's MQTT over TLS listens.
    #[arg(long, value_name = "HOST:PORT", requires = "devices")]
    server: Option<String>,
    /// Address of the screens of a demo server, at which the devices are enrolled first.
    #[arg(long, value_name = "URL", conflicts_with = "cert_dir")]
    people: Option<String>,
    /// The authority that signed the server's certificate; belongs to --cert-dir.
    #[arg(long, value_name = "FILE", requires = "cert_dir")]
    ca: Option<PathBuf>,
    /// Certificates and keys of devices in service, as `NAME.crt` and `NAME.key`.
    #[arg(long, value_name = "DIR", requires_all = ["ca", "site"])]
    cert_dir: Option<PathBuf>,
    /// The site of the devices in --cert-dir.
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    /// Messages a second in all, at the most; without it each device sends one a second.
    #[arg(long)]
    rate: Option<NonZeroU32>,
    /// Messages of each device that may wait for their acknowledgement.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=64))]
    in_flight: u32,
    /// How long to send.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

/// Connects the devices and sends; an error says what was refused or lost.
pub(crate) async fn flood_server(asked: &Load, json: bool) -> anyhow::Result<()> {
    crate::open_files::allow_many()?;
    let clock = Clock::system();
    let devices = asked.devices.context("say --devices")?;
    let server = asked.server.as_deref().context("say --server HOST:PORT")?;
    let name = server.rsplit_once(':').map_or(server, |(host, _)| host).to_owned();
    let seats = match (&asked.people, &asked.cert_dir) {
        (Some(people), _) => enrolled(people, devices, &name, &clock).await?,
        (None, Some(folder)) => on_paper(asked, folder, devices, &name, &clock)?,
        (None, None) => anyhow::bail!(
            "the devices need certificates: say --people URL of a demo server, or --cert-dir with --ca and --site"
        ),
    };
    eprintln!("connecting {} devices to {server}", seats.len());
    let began_at = clock.now();
    let publishers = connect_all(seats, address_of(server).await?, &clock).await?;
    let connect_s = clock.now().since(began_at).as_secs_f64();
    let count = u32::try_from(publishers.len()).unwrap_or(u32::MAX);
    let push = Push::new(asked.in_flight, asked.rate.or(NonZeroU32::new(count)), count);
    let acked = Arc::new(AtomicU64::new(0));
    let telling = tokio::spawn(tell(Arc::clone(&acked), clock.clone()));
    let until = Until::after(asked.seconds, &clock);
    let flooded = flood_counted(publishers, push, &until, &clock, &acked).await;
    telling.abort();
    let mut flooded = flooded?;
    let mut sheet = Sheet::new(machine::conditions());
    sheet.condition("devices", count);
    sheet.condition("server", server);
    sheet.add("sim.connect_all", connect_s, "s");
    sheet.add("sim.messages", flooded.acked() as f64, "1");
    sheet.add("sim.messages_per_s", flooded.per_second(), "1/s");
    for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
        let value = percentile(&mut flooded.ack_ms, share).context("no acknowledgement")?;
        sheet.add(&format!("sim.publish_to_ack_{word}"), value, "ms");
    }
    print!("{}", if json { sheet.json_lines() } else { sheet.table() });
    Ok(())
}

/// Says on stderr how many were acknowledged so far.
async fn tell(acked: Arc<AtomicU64>, clock: Clock) {
    let (began_at, mut before) = (clock.now(), 0);
    loop {
        clock.sleep_until(clock.now().after(TELLS_EVERY)).await;
        let (now, lived_s) = (acked.load(Relaxed), clock.now().since(began_at).as_secs());
        let rate = (now - before) as f64 / TELLS_EVERY.as_secs_f64();
        eprintln!("{lived_s} s: {now} messages acknowledged, {rate:.0} a second");
        before = now;
    }
}

/// Devices that a demo server has just registered.
async fn enrolled(
    people: &str,
    devices: u32,
    name: &str,
    clock: &Clock,
) -> anyhow::Result<Vec<Seat>> {
    eprintln!("enrolling {devices} devices at {people}");
    let admin = Rest::new(people)?.sign_in_by_click("admin").await?;
    let hospital = Hospital::build(admin).await?;
    let devices = hospital.enrol(devices as usize, &[]).await?;
    let seat = |device| Seat::of(device, &hospital.site, clock).map(|seat| seat.at(name));
    devices.iter().map(seat).collect()
}

/// Devices whose certificates lie in a folder; each says who it is.
fn on_paper(
    asked: &Load,
    folder: &Path,
    devices: u32,
    name: &str,
    clock: &Clock,
) -> anyhow::Result<Vec<Seat>> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let ca = read(asked.ca.as_deref().context("say --ca")?)?;
    let site = asked.site.as_deref().context("say --site")?;
    let listing =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in listing {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            paths.push(path);
        }
    }
    paths.sort();
    ensure!(
        paths.len() >= devices as usize,
        "{} holds {} certificates, and {devices} devices are asked for",
        folder.display(),
        paths.len()
    );
    let seat = |path: &PathBuf| {
        let (certificate, key) = (read(path)?, read(&path.with_extension("key"))?);
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .with_context(|| format!("{} is no PEM certificate", path.display()))?;
        let device = security::from_certificate(&der)
            .with_context(|| format!("{} is of no device", path.display()))?
            .device;
        let tls = client_config(&ca, Some((&certificate, &key)), clock)?;
        let (client_id, topic) = (device.to_string(), format!("wl/1/{site}/{device}/up/num"));
        Ok(Seat { tls, server_name: name.to_owned(), client_id, topic })
    };
    paths.iter().take(devices as usize).map(seat).collect()
}
