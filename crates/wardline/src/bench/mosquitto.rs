//! The same messages at a broker that makes nothing durable and decides nothing, to have
//! a measure of what the rest costs.
//!
//! Its one subscriber takes the place of our journal, deciders and screens.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use rustls::ClientConfig;
use store::Clock;
use tokio::{net::TcpStream, sync::watch, task::JoinHandle};
use transport::{
    client_config,
    mqtt::{Client, ClientOptions, Incoming, Qos, Version},
};

use super::{
    Ingest,
    figure::Sheet,
    flood::{Push, Until, flood},
    ingest::{add_rates, describe, own_usage},
    progress,
    publisher::{Publisher, Seat, address_of, connect_all},
};
use crate::server_process::{Usage, usage_of};

/// How long a broker that was just started may take until it listens, and between two looks.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// How long the subscriber may take for what was acknowledged.
const DELIVERED_WITHIN: Duration = Duration::from_secs(20);

/// Floods a broker that is running already.
pub(super) async fn measure(asked: &Ingest, sheet: &mut Sheet) -> anyhow::Result<()> {
    let clock = Clock::system();
    let broker = asked.against_mosquitto.as_deref().context("no broker was named")?;
    let (ca, folder) = (asked.ca.as_deref(), asked.cert_dir.as_deref());
    let (ca, folder) =
        ca.zip(folder).context("--ca and --cert-dir belong to --against-mosquitto")?;
    let ca =
        std::fs::read_to_string(ca).with_context(|| format!("cannot read {}", ca.display()))?;
    let certificates = certificates(folder, &ca, &clock)?;
    let addr = address_of(broker).await?;
    listens(addr, &clock).await?;
    let first = certificates.first().context("there are no certificates")?;
    let subscriber = Subscriber::connect(Arc::clone(first), addr, &clock).await?;
    let seat = |number: usize, tls: &Arc<ClientConfig>| Seat {
        tls: Arc::clone(tls),
        server_name: "localhost".to_owned(),
        client_id: format!("bench-{number}"),
        topic: format!("bench/{number:05}/up/num"),
    };
    let devices = asked.devices as usize;
    let shared = certificates.iter().cycle().take(devices).enumerate();
    let seats = shared.map(|(number, tls)| seat(number, tls)).collect();
    let publishers = connect_all(seats, addr, &clock).await?;
    sheet.condition("payload_bytes", publishers.first().map_or(0, Publisher::payload_len));
    sheet.condition("server", "mosquitto, one subscriber of everything at QoS 1");
    describe(asked, sheet);
    progress(&format!("pushing for {} s", asked.seconds));
    let broker_usage = || asked.server_pid.map_or(Ok(Usage::default()), usage_of);
    let (before, own_before) = (broker_usage()?, own_usage()?);
    let push = Push::new(asked.in_flight, asked.rate, asked.devices);
    let until = Until::after(asked.seconds, &clock);
    let flooded = flood(publishers, push, &until, &clock).await?;
    let delivered = subscriber.wait_for(flooded.acked()).await?;
    let (after, own_after) = (broker_usage()?, own_usage()?);
    let acked = flooded.acked();
    add_rates("mosquitto", flooded, (before, after), (own_before, own_after), sheet)?;
    sheet.add("mosquitto.delivered", delivered as f64 / acked.max(1) as f64, "1");
    Ok(())
}

/// Returns once somebody listens there.
async fn listens(addr: SocketAddr, clock: &Clock) -> anyhow::Result<()> {
    let give_up_at = clock.now().after(LISTENS_WITHIN);
    loop {
        match TcpStream::connect(addr).await {
            Ok(_) => return Ok(()),
            Err(error) if clock.now() >= give_up_at => {
                return Err(error).with_context(|| {
                    format!("nobody listens on {addr} after {} s", LISTENS_WITHIN.as_secs())
                });
            }
            Err(_) => clock.sleep_until(clock.now().after(LOOKS_EVERY)).await,
        }
    }
}

/// A configuration for each certificate in the folder.
fn certificates(folder: &Path, ca: &str, clock: &Clock) -> anyhow::Result<Vec<Arc<ClientConfig>>> {
    let listing =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in listing {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            let certificate = std::fs::read_to_string(&path)?;
            let key = std::fs::read_to_string(path.with_extension("key"))
                .with_context(|| format!("{} has no key beside it", path.display()))?;
            found.push(client_config(ca, Some((&certificate, &key)), clock)?);
        }
    }
    ensure!(!found.is_empty(), "{} holds no certificate", folder.display());
    Ok(found)
}

/// Hears everything, counts it, and keeps nothing.
struct Subscriber {
    count: watch::Receiver<u64>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Subscriber {
    async fn connect(
        tls: Arc<ClientConfig>,
        addr: SocketAddr,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let options = ClientOptions {
            addr,
            server_name: "localhost".to_owned(),
            tls,
            // Version 5 would bound what is on its way to us.
            version: Version::V311,
            client_id: "bench-subscriber".to_owned(),
            clean: true,
            expiry_s: 0,
            keep_alive_s: 60,
            will: None,
            clock: clock.clone(),
        };
        let mut client = Client::connect(options).await?;
        client.subscribe(&[("bench/#", Qos::AtLeastOnce)])?;
        let answer = client.next().await?;
        ensure!(
            matches!(&answer, Incoming::Subscribed { codes, .. } if codes.iter().all(|it| *it < 0x80)),
            "the broker refused the subscription"
        );
        let (counter, count) = watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                if let Incoming::Message { .. } = client.next().await? {
                    counter.send_modify(|count| *count += 1);
                }
            }
        });
        Ok(Self { count, task })
    }

    /// Waits until so many were delivered, or the time is up; answers how many there were.
    async fn wait_for(mut self, wanted: u64) -> anyhow::Result<u64> {
        let all = self.count.wait_for(|count| *count >= wanted);
        let in_time = tokio::time::timeout(DELIVERED_WITHIN, all).await.is_ok();
        let count = *self.count.borrow();
        self.task.abort();
        ensure!(in_time || count > 0, "the subscriber heard nothing");
        Ok(count)
    }
}

#[tokio::test]
async fn a_broker_is_waited_for_until_it_listens() -> anyhow::Result<()> {
    let clock = Clock::system();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let addr = free.local_addr()?;
    drop(free);
    let (waited, listener) = tokio::join!(listens(addr, &clock), async {
        clock.sleep_until(clock.now().after(LOOKS_EVERY * 3)).await;
        tokio::net::TcpListener::bind(addr).await
    });
    listener?;
    waited
}
