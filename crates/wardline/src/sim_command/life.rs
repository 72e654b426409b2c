//! A script that is lived against a running server: devices as real clients, people over
//! the public interface, and what somebody at a screen asks for in between.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use api::DemoDesk;
use model::{Consciousness, Timestamp};
use security::Authority;
use sim::{Fidelity, Hospital, Order, Raised, Remedy, Row, Script};
use store::Clock;
use tokio::sync::{mpsc, watch};

use super::{actors, alarms, later};
use crate::{
    demo::{
        players::{Paper, Players, enrolled, expired_paper},
        stage::{self, Stage},
    },
    recordings::recordings,
    rest::Rest,
    server_process::Ready,
};

/// Remedies that wait for the hospital.
const REMEDIES_MAX: usize = 1_024;
/// Between two words about how far it is, by the hospital's time.
const TELLS_EVERY: Duration = Duration::from_secs(600);
/// After the end, so much is waited for what was pending to be raised, by the hospital's time.
const SETTLES: Duration = Duration::from_secs(5);

/// What shall be lived, and how.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) script: Script,
    pub(crate) seed: u64,
    /// Whether people answer alarms and treat.
    pub(crate) staffed: bool,
    /// For how long; `None` is until it is told to stop.
    pub(crate) lasts_s: Option<f64>,
    /// The data directory of the server if it is at hand, for certificates that have expired.
    pub(crate) data: Option<PathBuf>,
    pub(crate) tells_progress: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Lived {
    pub(crate) truth: Vec<Row>,
    pub(crate) alarms: Vec<Raised>,
}

/// What somebody does at a bedside, in the words of the server.
#[derive(Debug)]
pub(crate) struct Deed {
    pub(crate) patient: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) remedy: Remedy,
}

/// What staff see when they look at a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) consciousness: Consciousness,
    pub(crate) on_oxygen: bool,
}

/// A hospital that stands, with its devices connected.
struct Open {
    admin: Rest,
    staged: Stage,
    players: Players,
    hospital: Hospital,
    started_at: Timestamp,
}

/// Builds the hospital through the public interface and connects its devices.
async fn open(asked: &Asked, clock: &Clock, ready: &Ready) -> anyhow::Result<Open> {
    let admin = Rest::new(&ready.people)?.sign_in_by_click("admin").await?;
    let script = asked.script.clone();
    let staged = stage::build(&admin, &script).await.context("the hospital could not be built")?;
    let papers = match &asked.data {
        Some(data) => expired(data, &staged, clock)?,
        None => Vec::new(),
    };
    let players = {
        let doors = (ready.mqtt.as_str(), ready.https.as_str());
        Players::connect(&staged, doors, clock, None, &papers).await?
    };
    let started_at = clock.now();
    let (devices, hearts) = (enrolled(&staged)?, recordings()?);
    let mut hospital =
        Hospital::new(asked.seed, started_at, script, devices, &hearts, &Fidelity::default());
    hospital.name_patients(&staged.patients);
    Ok(Open { admin, staged, players, hospital, started_at })
}

/// Builds the hospital, says that it is ready, and lives until its end or until told to stop.
pub(crate) async fn live(
    asked: Asked,
    clock: &Clock,
    ready: &Ready,
    desk: DemoDesk,
    mut stopped: watch::Receiver<bool>,
    say_ready: impl FnOnce(),
) -> anyhow::Result<Lived> {
    let Open { admin, staged, players, mut hospital, started_at } =
        open(&asked, clock, ready).await?;
    let (remedies, mut bedside) = mpsc::channel(REMEDIES_MAX);
    let mut oxygen = BTreeMap::new();
    let (looks, seen) = watch::channel(looks(&hospital, &oxygen));
    let staff = if asked.staffed {
        let staff = actors::Staff::hire(&admin, &staged, &asked, started_at, clock).await?;
        Some(tokio::spawn(staff.work(seen, remedies)))
    } else {
        None
    };
    say_ready();
    let mut orders = desk.orders();
    desk.describe(&catalogue(hospital.script()));
    let mut lived = Lived::default();
    let until = asked.lasts_s.map(|lasts_s| later(started_at, lasts_s));
    let mut tell_at = started_at.after(TELLS_EVERY);
    while until.is_none_or(|until| hospital.next_at() <= until) {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            Some((order, answer)) = orders.recv() => {
                // Whoever asked may have gone.
                let _ = answer.send(obey(&mut hospital, order));
            }
            Some(deed) = bedside.recv() => tend(&mut hospital, &staged, &deed, &mut oxygen),
            () = clock.sleep_until(hospital.next_at()) => {
                for deed in hospital.step() {
                    players.act(deed).await?;
                }
                lived.truth.extend(hospital.take_truth());
                looks.send_replace(self::looks(&hospital, &oxygen));
                if asked.tells_progress && hospital.next_at() >= tell_at {
                    tell_at = tell_at.after(TELLS_EVERY);
                    eprintln!("{} min lived", (hospital.lived_s() / 60.0).round());
                }
            }
        }
    }
    let ended_at = clock.now();
    players.finish().await?;
    clock.sleep_until(ended_at.after(SETTLES)).await;
    if let Some(staff) = staff {
        staff.abort();
    }
    lived.truth.extend(hospital.close_truth());
    lived.alarms = alarms::all(&admin, &staged, hospital.script()).await?;
    // That devices say goodbye at the end is nobody's alarm.
    lived.alarms.retain(|alarm| alarm.raised_ms < ended_at.unix_millis());
    Ok(lived)
}

fn obey(hospital: &mut Hospital, order: serde_json::Value) -> Result<(), String> {
    let order: Order = serde_json::from_value(order).map_err(|error| error.to_string())?;
    hospital.order(&order).map_err(|error| error.to_string())
}

fn tend(hospital: &mut Hospital, staged: &Stage, deed: &Deed, oxygen: &mut BTreeMap<usize, bool>) {
    let find = |all: Vec<&String>, id: &Option<String>| {
        id.as_ref().and_then(|id| all.iter().position(|one| *one == id))
    };
    match deed.remedy {
        Remedy::Treat(treatment) => {
            if let Some(index) = find(staged.patients.iter().collect(), &deed.patient) {
                hospital.treat(index, treatment);
                if treatment == sim::Treatment::Oxygen {
                    oxygen.insert(index, true);
                }
            }
        }
        Remedy::Mend => {
            let ids = staged.devices.iter().map(|device| &device.id).collect();
            match find(ids, &deed.device) {
                Some(index) => hospital.mend(index),
                // An alarm about a sensor of a patient names no device: whoever comes looks at all.
                None => {
                    let Some(bed) = find(staged.patients.iter().collect(), &deed.patient) else {
                        return;
                    };
                    let at_bed = staged.devices.iter().enumerate();
                    for (index, _) in at_bed.filter(|(_, device)| device.bed == bed) {
                        hospital.mend(index);
                    }
                }
            }
        }
    }
}

fn looks(hospital: &Hospital, oxygen: &BTreeMap<usize, bool>) -> Vec<Look> {
    let look = |index: usize| {
        let consciousness =
            hospital.body(index).map_or(Consciousness::Alert, |body| body.consciousness);
        Look { consciousness, on_oxygen: oxygen.contains_key(&index) }
    };
    (0..hospital.script().patients.len()).map(look).collect()
}

/// What may be asked for at a screen.
fn catalogue(script: &Script) -> serde_json::Value {
    let bed = |index: usize| {
        let bedded = script.patients.get(index)?;
        let devices: Vec<&str> = bedded.devices.iter().map(|kind| kind.profile()).collect();
        Some(serde_json::json!({
            "unit": script.unit_of(index),
            "room": bedded.room,
            "bed": bedded.bed,
            "devices": devices,
        }))
    };
    let beds: Vec<_> = (0..script.patients.len()).filter_map(bed).collect();
    serde_json::json!({
        "title": script.title,
        "beds": beds,
        "illnesses": sim::Illness::ALL.map(sim::Illness::word),
        "treatments": sim::Treatment::ALL.map(sim::Treatment::word),
        "faults": sim::Fault::WORDS,
    })
}

/// For each device a certificate of the server's own authority that ran out last year.
fn expired(data: &Path, staged: &Stage, clock: &Clock) -> anyhow::Result<Vec<Paper>> {
    let read = |name: &str| {
        let path = data.join("keys").join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let authority = Authority::load(&read("ca.pem")?, &read("ca.key")?)?;
    let long_ago: Timestamp = clock.now().before(Duration::from_secs(400 * 86_400));
    staged.devices.iter().map(|device| expired_paper(&authority, device, long_ago)).collect()
}
