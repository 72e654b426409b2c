//! Power returns: every device of a house connects at the same moment, and each has something to say.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use store::Clock;
use tokio::task::JoinSet;

use super::{
    Storm,
    figure::Sheet,
    fresh_server::FreshServer,
    hospital::Hospital,
    progress,
    publisher::{Publisher, Seat, address_of},
    retry::Retry,
};
use crate::percentile::percentile;

/// A device that is not served by then fails the run.
const SERVED_WITHIN: Duration = Duration::from_secs(120);
/// Calm within every default limit, in thousandths of a beat a minute.
const CALM: u64 = 72_000;

/// When a device was served, in seconds after the power returned, and how often it was turned away.
type Served = (f64, u32);

/// Enrols, crashes, and lets everybody in at once.
pub(super) async fn measure(
    asked: &Storm,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let server = FreshServer::start(scratch).await?;
    let hospital = Hospital::build(server.admin().await?).await?;
    progress(&format!("enrolling {} devices", asked.devices));
    let devices = hospital.enrol(asked.devices as usize, &[]).await?;
    let server = server.crash_and_start_again().await?;
    let seat = |device| Seat::of(device, &hospital.site, &clock);
    let seats = devices.iter().map(seat).collect::<anyhow::Result<Vec<_>>>()?;
    let addr = address_of(server.mqtt()).await?;
    progress("power returns");
    let (began_at, before) = (clock.now(), server.usage()?);
    let mut storm = JoinSet::new();
    for (number, seat) in seats.into_iter().enumerate() {
        let clock = clock.clone();
        storm.spawn(async move {
            let (publisher, refusals) = enter(seat, number, addr, &clock).await?;
            anyhow::Ok(((clock.now().since(began_at).as_secs_f64(), refusals), publisher))
        });
    }
    let (mut served, mut inside) = (Vec::<Served>::new(), Vec::new());
    while let Some(one) = storm.join_next().await {
        let (one, publisher) = one.context("a device broke off")??;
        served.push(one);
        // Nobody leaves before the last one is in.
        inside.push(publisher);
    }
    let after = server.usage()?;
    report(asked, &served, sheet);
    let cpu_s = after.cpu_us.saturating_sub(before.cpu_us) as f64 / 1e6;
    sheet.add("storm.server_cpu_each", cpu_s * 1e3 / f64::from(asked.devices), "ms");
    sheet.add("storm.server_rss", after.rss_kib as f64 / 1_024.0, "MiB");
    drop(inside);
    server.stop().await
}

/// Connects and has one message acknowledged, however often it takes.
async fn enter(
    seat: Seat,
    number: usize,
    addr: std::net::SocketAddr,
    clock: &Clock,
) -> anyhow::Result<(Publisher, u32)> {
    let give_up_at = clock.now().after(SERVED_WITHIN);
    let (mut refusals, mut retry) = (0_u32, Retry::new());
    loop {
        let why = match try_once(seat.clone(), number, addr, clock).await {
            Ok(publisher) => return Ok((publisher, refusals)),
            Err(why) => why,
        };
        ensure!(
            clock.now() < give_up_at,
            "device {number} was not served within {} s: {why:#}",
            SERVED_WITHIN.as_secs()
        );
        refusals += 1;
        tokio::time::sleep(retry.next(number)).await;
    }
}

async fn try_once(
    seat: Seat,
    number: usize,
    addr: std::net::SocketAddr,
    clock: &Clock,
) -> anyhow::Result<Publisher> {
    let mut publisher = Publisher::connect(seat, number, addr, clock).await?;
    publisher.publish(CALM)?;
    publisher.flush().await?;
    let mut acked = Vec::new();
    while publisher.waiting() > 0 {
        publisher.take_answers(&mut acked).await?;
    }
    Ok(publisher)
}

fn report(asked: &Storm, served: &[Served], sheet: &mut Sheet) {
    sheet.condition("devices", asked.devices);
    sheet.condition("transport", "MQTT 5, QoS 1, TLS 1.3 with client certificates, no resumption");
    let mut seconds: Vec<f64> = served.iter().map(|(at, _)| *at).collect();
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("last", 1.0)] {
        if let Some(at) = percentile(&mut seconds, share) {
            sheet.add(&format!("storm.served_{name}"), at, "s");
        }
    }
    let refusals: u64 = served.iter().map(|(_, refusals)| u64::from(*refusals)).sum();
    sheet.add("storm.turned_away", refusals as f64, "1");
}
