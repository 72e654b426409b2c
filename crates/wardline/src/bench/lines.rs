//! How many readings a second a ward's day comes in by line protocol, each durable before its
//! answer, and found again as it was sent; or the same day at another store.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use model::Timestamp;
use serde_json::{Value, json};
use store::Clock;

use super::{
    Lines,
    figure::Sheet,
    fresh_server::FreshServer,
    hospital::{Device, Hospital},
    ingest::own_usage,
    parallel::in_parallel,
    progress,
    ward_day::{BEDS, Bed, Day, LINES_AT_ONCE, START_MS, Second, VITALS, Walk},
};
use crate::{
    percentile::percentile,
    rest::Rest,
    server_process::{Usage, usage_of},
};

/// What is promised: readings a second, and how soon all of them are found.
const READINGS_LEAST: f64 = 1_200_000.0;
const FOUND_WITHIN: Duration = Duration::from_secs(2);
/// What is not found by then is lost, and not merely late.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// Questions under way at once.
const AT_ONCE: usize = 8;
/// A line of the six vitals of a bed.
const LINE_MOST: usize = 160;
const MINUTE_MS: i64 = 60_000;
/// Columns so narrow that each is a minute, even of an hour.
const COLUMNS: i64 = 60;

/// Bodies as they go out.
type Bodies = Arc<Vec<Bytes>>;

/// Loads the day, and says which promise was not kept.
pub(super) async fn measure(
    asked: &Lines,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    sheet.condition("beds", BEDS);
    sheet.condition("hours", asked.hours);
    sheet.condition("connections", asked.connections);
    sheet.condition("lines_per_request", LINES_AT_ONCE);
    if let Some(url) = asked.against.as_deref() {
        sheet.condition("transport", "HTTP without TLS, loopback");
        let names = (0..BEDS).map(|bed| model::DeviceId::v7(start(), bed.into()).to_string());
        let target = Target { door: None, url: url.to_owned(), pid: asked.server_pid };
        let posted = post_all(asked, &target, names.collect(), &clock).await?;
        return add(asked, "lines_against", posted, sheet);
    }
    sheet.condition("transport", "HTTPS, TLS 1.3 with a client certificate, loopback");
    let server = FreshServer::start(scratch).await?;
    let (hospital, devices, gateway) = stage(&server, &clock).await?;
    // Without its own time at sending nobody could know how far the sender's clock is off.
    let now = clock.now().unix_millis();
    let url = format!("https://{}/write?precision=ms&now={now}", server.https());
    let target = Target { door: Some(gateway), url, pid: Some(server.pid()) };
    let names: Vec<String> = devices.iter().map(|device| device.id.clone()).collect();
    let posted = post_all(asked, &target, names.clone(), &clock).await?;
    let found_after = find(asked, &hospital.charge, names, &clock).await?;
    if found_after > FOUND_WITHIN {
        let (took, within) = (found_after.as_secs_f64(), FOUND_WITHIN.as_secs());
        sheet.breaks(format!(
            "not all was found before {took:.1} s after the last answer; {within} s are promised"
        ));
    }
    let rate = posted.per_second(asked);
    if rate < READINGS_LEAST {
        sheet.breaks(format!("{rate:.0} readings a second came in; {READINGS_LEAST} are promised"));
    }
    sheet.add("lines.found_after", found_after.as_secs_f64(), "s");
    sheet.add("lines.server_rss", server.usage()?.rss_kib as f64 / 1_024.0, "MiB");
    add(asked, "lines", posted, sheet)?;
    server.stop().await
}

fn start() -> Timestamp {
    Timestamp::from_unix_millis(START_MS)
}

/// A ward of monitors that were on their patients all of the day, and the gateway that speaks for them.
async fn stage(
    server: &FreshServer,
    clock: &Clock,
) -> anyhow::Result<(Hospital, Vec<Device>, Device)> {
    ensure!(clock.now().unix_millis() > START_MS, "this machine's clock is before the ward's day");
    let count = usize::try_from(BEDS)?;
    progress(&format!("admitting {count} patients and enrolling as many devices"));
    let hospital = Hospital::build(server.admin().await?).await?;
    let (patients, devices) = (hospital.admit(count).await?, hospital.enrol(count, &[]).await?);
    for (patient, device) in patients.iter().zip(&devices) {
        let from = start().before(Duration::from_secs(60)).unix_millis().to_string();
        let path = format!("/api/v1/devices/{}/association", device.id);
        hospital.charge.post(&path, &json!({ "patient": patient, "from": from })).await?;
    }
    let gateway = hospital.enrol_gateway(&devices).await?;
    Ok((hospital, devices, gateway))
}

/// Where the day goes.
struct Target {
    /// Who knocks with a certificate, if the door asks for one.
    door: Option<Device>,
    url: String,
    /// The server's process, for its processor time.
    pid: Option<u32>,
}

/// How the load went.
struct Posted {
    request_ms: Vec<f64>,
    took: Duration,
    server: Option<(Usage, Usage)>,
    own: (Usage, Usage),
}

impl Posted {
    fn per_second(&self, asked: &Lines) -> f64 {
        readings(asked) as f64 / self.took.as_secs_f64()
    }
}

fn readings(asked: &Lines) -> u64 {
    BEDS * VITALS.len() as u64 * asked.hours * 3_600
}

/// The seconds of a bed that are sent.
fn sent(asked: &Lines, bed: u64) -> impl Iterator<Item = Second> + use<> {
    Bed::new(Day::Regular, bed).take(usize::try_from(asked.hours * 3_600).unwrap_or(usize::MAX))
}

/// Every bed's second, then the next second, in bodies of so many lines.
fn bodies(asked: &Lines, names: &[String]) -> anyhow::Result<Vec<Bytes>> {
    let mut beds: Vec<_> = (0..BEDS).map(|bed| sent(asked, bed)).collect();
    let lines = usize::try_from(LINES_AT_ONCE)?;
    let (mut all, mut body, mut count) = (Vec::new(), String::new(), 0);
    for _ in 0..asked.hours * 3_600 {
        for (bed, name) in beds.iter_mut().zip(names) {
            let second = bed.next().context("the day was over before its end")?;
            put_line(&mut body, name, &second)?;
            count += 1;
            if count == lines {
                all.push(Bytes::from(std::mem::take(&mut body)));
                (body, count) = (String::with_capacity(lines * LINE_MOST), 0);
            }
        }
    }
    all.push(Bytes::from(body));
    Ok(all)
}

fn put_line(to: &mut String, device: &str, second: &Second) -> anyhow::Result<()> {
    write!(to, "vitals,device={device} ")?;
    for (number, (walk, value)) in VITALS.iter().zip(second.values).enumerate() {
        let comma = if number == 0 { "" } else { "," };
        match walk.exp10 {
            0 => write!(to, "{comma}{}={value}i", walk.field)?,
            _ => write!(to, "{comma}{}={}.{}", walk.field, value / 10, value % 10)?,
        }
    }
    writeln!(to, " {}", second.at.unix_millis())?;
    Ok(())
}

/// Posts everything over so many connections, and returns when the last answer has come.
async fn post_all(
    asked: &Lines,
    target: &Target,
    names: Vec<String>,
    clock: &Clock,
) -> anyhow::Result<Posted> {
    progress("writing the lines of the day");
    let bodies: Bodies = Arc::new(bodies(asked, &names)?);
    let connections = usize::try_from(asked.connections)?;
    let usage = || target.pid.map(usage_of).transpose();
    progress(&format!("posting {} readings", readings(asked)));
    let (before, own_before, begun) = (usage()?, own_usage()?, clock.elapsed());
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..connections {
        let client = target.client_of_its_own()?;
        let (bodies, url, clock) = (Arc::clone(&bodies), target.url.clone(), clock.clone());
        under_way.spawn(async move {
            let mut took = Vec::new();
            for body in bodies.iter().skip(number).step_by(connections) {
                let begun = clock.elapsed();
                let answer = client.post(&url).body(body.clone()).send().await?;
                let status = answer.status();
                let text = answer.text().await?;
                ensure!(status.is_success(), "the store answered {status}: {text}");
                took.push((clock.elapsed().saturating_sub(begun)).as_secs_f64() * 1_000.0);
            }
            Ok(took)
        });
    }
    let mut request_ms = Vec::new();
    while let Some(ended) = under_way.join_next().await {
        request_ms.extend(ended??);
    }
    let took = clock.elapsed().saturating_sub(begun);
    let server = before.zip(usage()?);
    Ok(Posted { request_ms, took, server, own: (own_before, own_usage()?) })
}

fn add(asked: &Lines, name: &str, mut posted: Posted, sheet: &mut Sheet) -> anyhow::Result<()> {
    let spent = |(from, to): (Usage, Usage)| to.cpu_us.saturating_sub(from.cpu_us) as f64 / 1e6;
    sheet.add(&format!("{name}.readings_per_s"), posted.per_second(asked), "1/s");
    sheet.add(&format!("{name}.readings"), readings(asked) as f64, "1");
    for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
        let value = percentile(&mut posted.request_ms, share).context("nothing was posted")?;
        sheet.add(&format!("{name}.request_{word}"), value, "ms");
    }
    if let Some(server) = posted.server {
        sheet.add(&format!("{name}.server_cpu"), spent(server), "s");
    }
    sheet.add(&format!("{name}.generator_cpu"), spent(posted.own), "s");
    Ok(())
}

/// Asks for every minute of every vital of every bed until all is there; each is compared with
/// what was sent.
async fn find(
    asked: &Lines,
    who: &Rest,
    names: Vec<String>,
    clock: &Clock,
) -> anyhow::Result<Duration> {
    progress("finding them again");
    let begun = clock.elapsed();
    let (who, hours, clock) = (who.clone(), asked.clone(), clock.clone());
    let names = Arc::new(names);
    let found = in_parallel(names.len(), AT_ONCE, move |number| {
        let (who, asked, clock, names) =
            (who.clone(), hours.clone(), clock.clone(), Arc::clone(&names));
        async move {
            let name = names.get(number).context("a bed without a device")?;
            find_bed(&asked, &who, (number as u64, name), &clock, begun).await
        }
    })
    .await?;
    Ok(found.into_iter().max().unwrap_or_default())
}

/// How long after `begun` everything of a bed was there.
async fn find_bed(
    asked: &Lines,
    who: &Rest,
    (bed, device): (u64, &str),
    clock: &Clock,
    begun: Duration,
) -> anyhow::Result<Duration> {
    let span_ms = i64::try_from(asked.hours)? * 60 * MINUTE_MS;
    let columns = COLUMNS * i64::try_from(asked.hours)?;
    let path = format!(
        "/api/v1/devices/{device}/measured?from={START_MS}&to={}&columns={columns}",
        START_MS + span_ms
    );
    let per_vital = asked.hours * 3_600;
    loop {
        let (answered_at, answer) = (clock.elapsed(), who.get(&path).await?);
        let lines = answer.get("lines").and_then(Value::as_array).context("no lines")?;
        let count = |line: &Value| line.get("count").and_then(Value::as_u64);
        if lines.len() == VITALS.len() && lines.iter().all(|line| count(line) == Some(per_vital)) {
            for (place, walk) in VITALS.iter().enumerate() {
                compare(asked, (bed, place), walk, lines)?;
            }
            return Ok(answered_at.saturating_sub(begun));
        }
        let since = clock.elapsed().saturating_sub(begun);
        ensure!(since < LOST_AFTER, "of bed {bed} only this was found: {answer}");
    }
}

/// First, least, greatest and last value of a minute.
type Minute = [i64; 4];

fn compare(
    asked: &Lines,
    (bed, place): (u64, usize),
    walk: &Walk,
    lines: &[Value],
) -> anyhow::Result<()> {
    let is_it = |line: &&Value| line.get("channel").and_then(Value::as_str) == Some(walk.channel);
    let line = lines.iter().find(is_it).with_context(|| format!("no {} came", walk.channel))?;
    let mut want: BTreeMap<i64, Minute> = BTreeMap::new();
    for second in sent(asked, bed) {
        let value = second.values.get(place).copied().context("a bed has six vitals")?;
        let minute = second.at.unix_millis().div_euclid(MINUTE_MS);
        let [_, least, greatest, last] = want.entry(minute).or_insert([value; 4]);
        (*least, *greatest, *last) = (value.min(*least), value.max(*greatest), value);
    }
    let numbers = |key: &str| -> anyhow::Result<Vec<f64>> {
        let array = line.get(key).and_then(Value::as_array).context("a line without columns")?;
        Ok(array.iter().filter_map(Value::as_f64).collect())
    };
    let scale = 10_f64.powi(-i32::from(walk.exp10));
    let scaled = |key: &str| -> anyhow::Result<Vec<i64>> {
        Ok(numbers(key)?.iter().map(|value| (value * scale).round() as i64).collect())
    };
    let (first, least) = (scaled("first")?, scaled("least")?);
    let (greatest, last) = (scaled("greatest")?, scaled("last")?);
    let rows = first.into_iter().zip(least).zip(greatest).zip(last);
    let minutes = numbers("n")?.into_iter().map(|minute| minute as i64);
    let found: BTreeMap<i64, Minute> =
        minutes.zip(rows.map(|(((a, b), c), d)| [a, b, c, d])).collect();
    ensure!(found == want, "{} of bed {bed} came back otherwise than it was sent", walk.channel);
    Ok(())
}

impl Target {
    /// A client with one connection.
    fn client_of_its_own(&self) -> anyhow::Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder().no_proxy();
        if let Some(device) = &self.door {
            let identity = format!("{}{}", device.certificate_pem, device.key_pem);
            let authorities = reqwest::Certificate::from_pem_bundle(device.ca_pem.as_bytes())?;
            builder = builder
                .tls_certs_only(authorities)
                .identity(reqwest::Identity::from_pem(identity.as_bytes())?);
        }
        Ok(builder.build()?)
    }
}
