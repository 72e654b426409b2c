//! Thousands of virtual monitors as a load on a server that runs already, each with a body
//! that lives by a seed.

mod device;
mod tally;

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use model::{DeviceId, SiteId, Timestamp};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use sim::{Enrolled, Kind, Solo};
use store::Clock;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use transport::{
    client_config,
    mqtt::{ClientOptions, Version},
};

use self::{
    device::{Account, LoadDevice, Rules},
    tally::Tally,
};
use super::{figure::Sheet, flood::Push, hospital::Hospital, machine, publisher::address_of};
use crate::{demo::line::Line, rest::Rest, serve::StopSignals};

/// Between two words about how far it is.
const TELLS_EVERY: Duration = Duration::from_secs(2);
/// Handshakes under way at once.
const HANDSHAKES_AT_ONCE: usize = 32;
/// The ramp, for each device, unless another is asked for: 200 a second.
const RAMP_EACH: Duration = Duration::from_millis(5);

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
    /// Seconds over which the devices connect, one after the other; without it, 200 a second.
    #[arg(long = "ramp", value_name = "SECONDS", value_parser = ramp)]
    ramp_s: Option<f64>,
    /// How many of the devices are put on patients, whose alarms then sound too; for --people.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "cert_dir")]
    on_patients: u32,
    /// Write here what became of each device's messages, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// How long to send, after the last device's turn to connect.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

fn ramp(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| "write seconds, from 0 to 3600".to_owned())
}

/// A device of the load: who it is, and what it connects with.
#[derive(Clone, Debug)]
struct Papers {
    device: DeviceId,
    site: SiteId,
    tls: Arc<ClientConfig>,
}

/// Connects the devices and sends; an error says what was refused or lost.
pub(crate) async fn flood_server(asked: &Load, seed: u64, json: bool) -> anyhow::Result<()> {
    crate::open_files::allow_many()?;
    let clock = Clock::system();
    let devices = asked.devices.context("say --devices")?;
    let server = asked.server.as_deref().context("say --server HOST:PORT")?;
    let (papers, house) = match (&asked.people, &asked.cert_dir) {
        (Some(people), _) => {
            let (papers, house) = enrolled(people, devices, asked.on_patients, &clock).await?;
            (papers, Some(house))
        }
        (None, Some(folder)) => (on_paper(asked, folder, devices, &clock)?, None),
        (None, None) => anyhow::bail!(
            "the devices need certificates: say --people URL of a demo server, or --cert-dir with --ca and --site"
        ),
    };
    let name = server.rsplit_once(':').map_or(server, |(host, _)| host).to_owned();
    let addr = address_of(server).await?;
    let ramp = asked.ramp_s.map_or_else(|| RAMP_EACH * devices, Duration::from_secs_f64);
    eprintln!("connecting {devices} devices to {server} over {:.1} s", ramp.as_secs_f64());
    let began_at = clock.now();
    let every = Push::new(asked.in_flight, asked.rate.or(NonZeroU32::new(devices)), devices).every;
    let rules = Rules {
        every,
        in_flight: usize::try_from(asked.in_flight)?,
        until: began_at.after(ramp).after(Duration::from_secs(asked.seconds)),
        gate: Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE)),
        tally: Arc::default(),
        clock: clock.clone(),
    };
    let telling = tokio::spawn(tell(Arc::clone(&rules.tally), devices, clock.clone()));
    let (stop, stopped) = watch::channel(false);
    let mut running = JoinSet::new();
    for (number, papers) in papers.into_iter().enumerate() {
        let device = papers.device;
        let begins_at = began_at.after(ramp.mul_f64(number as f64 / f64::from(devices)));
        let (line, solo) = seated(papers, (&name, addr), (seed, number), &clock);
        let device = LoadDevice::new((number, device), line, solo, rules.clone());
        running.spawn(device.run(begins_at, stopped.clone()));
    }
    let accounts = all_of(running, stop).await;
    telling.abort();
    let took = clock.now().since(began_at);
    if let Some(house) = house {
        house.leave().await;
    }
    let accounts = accounts?;
    if let Some(path) = &asked.ledger {
        write_ledger(path, &accounts)?;
    }
    let mut sheet = Sheet::new(machine::conditions());
    sheet.condition("devices", devices);
    sheet.condition("server", server);
    sheet.condition("seed", seed);
    report(&rules.tally, &accounts, (began_at, took), &mut sheet);
    print!("{}", if json { sheet.json_lines() } else { sheet.table() });
    sheet.broken().map_or(Ok(()), |why| Err(anyhow::anyhow!(why)))
}

/// Waits for every device; told to stop, they end early and say what they did so far.
async fn all_of(
    mut running: JoinSet<Account>,
    stop: watch::Sender<bool>,
) -> anyhow::Result<Vec<Account>> {
    let mut accounts = Vec::with_capacity(running.len());
    let mut signals = StopSignals::listen()?;
    let mut listens = true;
    loop {
        tokio::select! {
            () = signals.told(), if listens => {
                listens = false;
                stop.send_replace(true);
            }
            done = running.join_next() => match done {
                Some(done) => accounts.push(done.context("a device broke off")?),
                None => return Ok(accounts),
            },
        }
    }
}

/// A device at its seat, with its line still down.
fn seated(
    Papers { device, site, tls }: Papers,
    (name, addr): (&str, SocketAddr),
    (seed, number): (u64, usize),
    clock: &Clock,
) -> (Line, Solo) {
    let options = ClientOptions {
        addr,
        server_name: name.to_owned(),
        tls,
        version: Version::V5,
        client_id: device.to_string(),
        clean: true,
        expiry_s: 0,
        keep_alive_s: 60,
        will: None,
        clock: clock.clone(),
    };
    let kind = Kind::BedsideMonitor;
    let enrolled = Enrolled { id: device, site, kind, bed_index: 0, serial: String::new() };
    // A boot of its own, so that a second run of the same device is not a repeat.
    let boot = clock.now().unix_nanos().unsigned_abs();
    let topic_prefix = format!("wl/1/{site}/{device}/up");
    (Line::new(options, topic_prefix), Solo::new(seed, number, enrolled, boot))
}

/// Says on stderr how far it is.
async fn tell(tally: Arc<Tally>, devices: u32, clock: Clock) {
    let (began_at, mut before) = (clock.now(), 0);
    loop {
        clock.sleep_until(clock.now().after(TELLS_EVERY)).await;
        let [up, acknowledged, refused, reconnects] =
            [&tally.connected, &tally.acknowledged, &tally.refused, &tally.reconnects]
                .map(|count| count.load(Relaxed));
        let rate = (acknowledged - before) as f64 / TELLS_EVERY.as_secs_f64();
        let lived_s = clock.now().since(began_at).as_secs();
        eprintln!(
            "{lived_s} s: {up} of {devices} connected, {acknowledged} messages acknowledged, {rate:.0} a second, {refused} refused, {reconnects} reconnects"
        );
        before = acknowledged;
    }
}

/// The figures, and what should not have been.
fn report(
    tally: &Tally,
    accounts: &[Account],
    (began_at, took): (Timestamp, Duration),
    sheet: &mut Sheet,
) {
    let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum::<u64>();
    let (sent, acknowledged) = (sum(|it| it.sent), sum(|it| it.acknowledged));
    let refused = sum(|it| it.refused);
    let unanswered = sent - acknowledged - refused;
    let outside = accounts.iter().filter(|it| it.in_at.is_none()).count();
    let last_in = accounts.iter().filter_map(|it| it.in_at).max();
    sheet.add("sim.connect_all", last_in.map_or(0.0, |at| at.since(began_at).as_secs_f64()), "s");
    sheet.add("sim.sent", sent as f64, "1");
    sheet.add("sim.acknowledged", acknowledged as f64, "1");
    sheet.add("sim.refused", refused as f64, "1");
    sheet.add("sim.unanswered", unanswered as f64, "1");
    sheet.add("sim.reconnects", sum(|it| it.reconnects) as f64, "1");
    sheet.add("sim.turned_away", tally.turned_away.load(Relaxed) as f64, "1");
    sheet.add("sim.messages_per_s", acknowledged as f64 / took.as_secs_f64(), "1/s");
    for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
        if let Some(value) = tally.ack.within_ms(share) {
            sheet.add(&format!("sim.publish_to_ack_{word}"), value, "ms");
        }
    }
    for (why, count) in tally.reasons_by_count() {
        eprintln!("{count} times: {why}");
    }
    if outside > 0 {
        sheet.breaks(format!("{outside} devices were never let in"));
    }
    if refused > 0 {
        sheet.breaks(format!("{refused} messages were refused"));
    }
    if unanswered > 0 {
        sheet.breaks(format!("{unanswered} messages were never answered"));
    }
}

/// One JSON object a line: what became of each device's messages, which count from 0.
fn write_ledger(path: &Path, accounts: &[Account]) -> anyhow::Result<()> {
    let mut text = String::new();
    for it in accounts {
        let line = serde_json::json!({
            "device": it.device.to_string(),
            "boot": format!("{:016x}", it.boot),
            "sent": it.sent,
            "acknowledged": it.acknowledged,
            "refused": it.refused,
            "reconnects": it.reconnects,
        });
        text.push_str(&format!("{line}\n"));
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A house that was built for the load, with what is cleared away after it.
struct House {
    hospital: Hospital,
    people: String,
    devices: Vec<String>,
    patients: Vec<String>,
}

impl House {
    /// Clears it away and says what stays; a server that cannot be reached any more keeps it,
    /// which is said as well.
    async fn leave(self) {
        let Self { hospital, people, devices, patients } = self;
        let (name, count, lay) = (hospital.name(), devices.len(), patients.len());
        match hospital.clear_away(&devices, &patients).await {
            Ok(()) => eprintln!(
                "cleared away at {people}: {count} devices are retired, {lay} beds are empty, the login is shut; what was measured and the places of «{name}» stay"
            ),
            Err(why) => eprintln!(
                "«{name}» stays at {people} ({why:#}): {count} devices of its care unit, {lay} patients and the login `charge…` of its charge nurse; IT shuts the login under Staff and retires the devices under Devices"
            ),
        }
    }
}

/// Devices that a demo server has just registered, the first of them on patients.
async fn enrolled(
    people: &str,
    devices: u32,
    on_patients: u32,
    clock: &Clock,
) -> anyhow::Result<(Vec<Papers>, House)> {
    eprintln!("enrolling {devices} devices at {people}");
    let admin = Rest::new(people)?.sign_in_by_click("admin").await?;
    // Each run builds a house of its own beside those of earlier runs.
    let tag = format!("-{:x}", clock.now().unix_millis());
    let hospital = Hospital::build_beside(admin, &tag).await?;
    let patients = hospital.admit(on_patients.min(devices) as usize).await?;
    let devices = hospital.enrol(devices as usize, &patients).await?;
    let site: SiteId = hospital.site.parse()?;
    let papers = |it: &super::hospital::Device| {
        let own = (it.certificate_pem.as_str(), it.key_pem.as_str());
        let tls = client_config(&it.ca_pem, Some(own), clock)?;
        anyhow::Ok(Papers { device: it.id.parse()?, site, tls })
    };
    let papers = devices.iter().map(papers).collect::<anyhow::Result<Vec<_>>>()?;
    let devices = devices.into_iter().map(|it| it.id).collect();
    Ok((papers, House { hospital, people: people.to_owned(), devices, patients }))
}

/// Devices whose certificates lie in a folder; each says who it is.
fn on_paper(
    asked: &Load,
    folder: &Path,
    devices: u32,
    clock: &Clock,
) -> anyhow::Result<Vec<Papers>> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let ca = read(asked.ca.as_deref().context("say --ca")?)?;
    let site: SiteId = asked.site.as_deref().context("say --site")?.parse()?;
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
    let papers = |path: &PathBuf| {
        let (certificate, key) = (read(path)?, read(&path.with_extension("key"))?);
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .with_context(|| format!("{} is no PEM certificate", path.display()))?;
        let device = security::from_certificate(&der)
            .with_context(|| format!("{} is of no device", path.display()))?
            .device;
        let tls = client_config(&ca, Some((&certificate, &key)), clock)?;
        Ok(Papers { device, site, tls })
    };
    paths.iter().take(devices as usize).map(papers).collect()
}
