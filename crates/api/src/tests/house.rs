//! A hospital with one ward, built through the interface as an administrator would.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{body::Body, http::Method};
use engine::{Engine, EngineHandle, EngineParts, Setup};
use ingest::{DeviceRef, Door, Message, Registry};
use model::{OrgId, SiteId};
use protocols::profile::Profile;
use security::{Authority, Keys};
use serde_json::{Value, json};
use store::{
    Clock, DataDir, FaultyDisk, FileStorage, Journal, JournalLimits, Records, Series, Storage,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use transport::{ClientAuth, Revocations, client_config, server_config};

use super::browser::{Answer, Browser};
use crate::{Api, ApiParts, Config, first_start, serve};

/// What all parts of a running server share; the directory goes with it.
pub(super) struct House {
    pub(super) clock: Clock,
    pub(super) api: Arc<Api>,
    pub(super) engine: EngineHandle,
    pub(super) org: OrgId,
    pub(super) invitation: String,
    pub(super) address: SocketAddr,
    ca_pem: String,
    door: Arc<Door>,
    _dir: TempDir,
}

/// The ward of the tests: one room, two beds, a patient in the first.
pub(super) struct Ward {
    pub(super) site: String,
    pub(super) unit: String,
    pub(super) room: String,
    pub(super) beds: [String; 2],
    pub(super) patient: String,
    /// Staff: nurse, charge nurse, physician.
    pub(super) staff: [String; 3],
    pub(super) admin: Browser,
    pub(super) nurse: Browser,
    pub(super) charge: Browser,
    pub(super) physician: Browser,
}

const PROFILE: &str = r#"
name = "monitor"
maker = "Test"
model = "One"
words = "Monitor"
grade = "medical"
buffers = false
clock = "synchronised"
silence_after_s = 600
[[channel]]
name = "MDC_ECG_HEART_RATE"
words = "HR"
kind = "numeric"
code = 147842
ucum = "/min"
min = 0
max = 350
cadence_s = 1
[[channel]]
name = "MDC_ECG_ELEC_POTL_II"
words = "ECG II"
kind = "wave"
code = 131330
ucum = "mV"
rate_hz = 250
lead = "II"
gain = [5, -3]
bits = 16
[[command]]
name = "set-interval"
words = "Measure"
on_patient = "second_look"
reports = ["interval_min"]
lasts_s = 60
[[command.arg]]
name = "interval_min"
words = "Every"
unit = "min"
min = 5
max = 240
"#;

/// For whom a house is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Demo,
    DemoOverTls,
    Hospital,
}

impl House {
    /// A demo, whose people sign in with one click.
    pub(super) async fn open() -> Self {
        Self::open_for(For::Demo).await
    }

    pub(super) async fn open_for(whom: For) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path().join("data")).unwrap();
        let storage = FileStorage::open(&data).unwrap();
        Self::build(whom, storage, dir, data).await
    }

    /// A demo whose journal is on a disk that fails when it is told to.
    pub(super) async fn open_on(disk: &FaultyDisk) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path().join("data")).unwrap();
        Self::build(For::Demo, disk.clone(), dir, data).await
    }

    async fn build(
        whom: For,
        storage: impl Storage + 'static,
        dir: TempDir,
        data: DataDir,
    ) -> Self {
        let clock = Clock::system();
        let limits = JournalLimits { segment_len: 4 << 20, ..JournalLimits::default() };
        let (journal, _) = Journal::open(storage, clock.clone(), limits).unwrap();
        let records = Records::open(&data.records()).unwrap();
        let series = Series::open(data.series()).unwrap();
        let profile = Profile::parse(PROFILE).unwrap();
        let profiles: BTreeMap<_, _> = [(profile.name.clone(), profile)].into();
        let parts = EngineParts {
            clock: clock.clone(),
            journal: journal.clone(),
            series: series.clone(),
            records: records.clone(),
            setup: Setup { profiles: profiles.clone(), cut: None },
        };
        let (engine, _task) = Engine::start(parts).await.unwrap();
        let first = first_start(&clock, &journal, &engine, "North").await.unwrap();
        let registry = registry(&engine, &profiles);
        let nowhere = SiteId::v7(clock.now(), 1);
        let door = Arc::new(Door::new(journal.clone(), registry, (first.org, nowhere)));
        let (authority, _) = Authority::create(Keys::system(), first.org, clock.now()).unwrap();
        let ca_pem = authority.certificate_pem().to_owned();
        let tls = (whom == For::DemoOverTls).then(|| server_tls(&authority, &clock));
        let api = Api::new(ApiParts {
            clock: clock.clone(),
            journal,
            engine: engine.clone(),
            records,
            series,
            authority: Arc::new(authority),
            door: Arc::clone(&door),
            mqtt: None,
            revocations: Revocations::default(),
            profiles: Arc::new(profiles),
            data: data.path().to_owned(),
            config: Config {
                demo: whom != For::Hospital,
                secure_cookies: whom == For::DemoOverTls,
                mqtt_host: "ward.test".to_owned(),
                mqtt_port: 8_883,
                https_port: 8_444,
                version: "0.0.0",
            },
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(Arc::clone(&api), listener, tls));
        let (org, invitation) = (first.org, first.invitation.unwrap());
        Self { clock, api, engine, org, invitation, address, ca_pem, door, _dir: dir }
    }

    /// A change asked for by a stranger over TLS.
    pub(super) async fn over_tls(&self, method: Method, path: &str) -> Answer {
        let config = client_config(&self.ca_pem, None, &self.clock).unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
        let request = self.stranger().request(method, path, Body::empty());
        Browser::send_over(stream, request).await
    }

    pub(super) const fn stranger(&self) -> Browser {
        Browser::new(self.address)
    }

    /// Signs in with the demo's one click.
    pub(super) async fn click(&self, login: &str) -> Browser {
        let answer = self.stranger().post(&format!("/demo-sign-in/{login}"), Value::Null).await;
        self.stranger().signed_in_by(&answer)
    }

    pub(super) async fn ward(&self) -> Ward {
        let admin = self.click("admin").await;
        let site = admin.add("/sites", json!({ "name": "North Hospital" })).await;
        let unit = admin.add("/care-units", json!({ "site_id": site, "name": "4B" })).await;
        let room = admin.add("/rooms", json!({ "care_unit_id": unit, "name": "1" })).await;
        let mut beds = Vec::new();
        for name in ["01", "02"] {
            beds.push(admin.add("/beds", json!({ "room_id": room, "name": name })).await);
        }
        let mut staff = Vec::new();
        for (login, role) in [("priya", "nurse"), ("tom", "charge_nurse"), ("mara", "physician")] {
            let id =
                admin.add("/staff", json!({ "site_id": site, "name": login.to_uppercase() })).await;
            admin.add("/users", json!({ "login": login, "role": role, "staff_id": id })).await;
            staff.push(id);
        }
        let [nurse, charge, physician] =
            [self.click("priya").await, self.click("tom").await, self.click("mara").await];
        charge.post(&format!("/posts/charge/{unit}"), json!({ "staff": staff[1] })).await.good();
        let patient = charge.add("/patients", someone("BR 001", "Ilse", "Brandt")).await;
        charge
            .post(&format!("/beds/{}/patient", beds[0]), json!({ "patient": patient }))
            .await
            .good();
        charge.post(&format!("/posts/bed/{}", beds[0]), json!({ "staff": staff[0] })).await.good();
        let (beds, staff) = (beds.try_into().unwrap(), staff.try_into().unwrap());
        Ward { site, unit, room, beds, patient, staff, admin, nurse, charge, physician }
    }

    /// A monitor in service on the ward's patient.
    pub(super) async fn monitor(&self, ward: &Ward) -> String {
        let body = json!({ "profile": "monitor", "serial": "M-1", "label": "Monitor 1", "care_unit": ward.unit });
        let id = ward.admin.add("/devices", body).await;
        ward.admin
            .put(&format!("/devices/{id}/lifecycle"), json!({ "state": "in_service" }))
            .await
            .good();
        // Since a minute ago, so that the past of the tests has an owner.
        let from = self.clock.now().before(Duration::from_secs(60)).unix_millis();
        let on = json!({ "patient": ward.patient, "from": from.to_string() });
        ward.charge.post(&format!("/devices/{id}/association"), on).await.good();
        id
    }

    /// A heart rate from the monitor, durable when this returns.
    pub(super) async fn measure(&self, ward: &Ward, device: &str, per_min: u32) {
        self.say(
            ward,
            device,
            &format!(r#"[{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":{per_min}}}]"#),
        )
        .await
        .unwrap();
    }

    /// Any message of numerics from the monitor.
    pub(super) async fn say(&self, ward: &Ward, device: &str, text: &str) -> Result<(), String> {
        self.publish(ward, device, "num", text.as_bytes()).await
    }

    /// Any message from the monitor, durable when this returns.
    pub(super) async fn publish(
        &self,
        ward: &Ward,
        device: &str,
        leaf: &str,
        payload: &[u8],
    ) -> Result<(), String> {
        let message = Message {
            topic: &format!("wl/1/{}/{device}/up/{leaf}", ward.site),
            content_type: None,
            payload,
            received_at: self.clock.now(),
        };
        let taken = self.door.take(self.org, device.parse().unwrap(), "test", &message).await;
        taken.map(drop).map_err(|refusal| refusal.to_string())
    }

    /// Waits until the records hold what `is_there` looks for; they follow the engine. What does
    /// not come in two minutes never comes, and is a failure and no hang.
    pub(super) async fn until<T>(&self, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                // The engine answers in the order of its records, so this is not a busy wait for nothing.
                self.engine.alarms(engine::AlarmScope::Org(self.org)).await;
                tokio::task::yield_now().await;
            }
        };
        let most = Duration::from_secs(120);
        tokio::time::timeout(most, found).await.unwrap()
    }
}

fn server_tls(authority: &Authority, clock: &Clock) -> Arc<rustls::ServerConfig> {
    let names = ["localhost".to_owned()];
    let issued = authority.issue_server(&names, clock.now(), Duration::from_secs(3_600)).unwrap();
    let (certificate, key) = (&issued.certificate_pem, &issued.key_pem.0);
    server_config(certificate, key, &ClientAuth::None, clock).unwrap()
}

/// The devices that the engine's directory has.
fn registry(engine: &EngineHandle, profiles: &BTreeMap<String, Profile>) -> Registry {
    let profiles: BTreeMap<String, Arc<Profile>> =
        profiles.iter().map(|(name, profile)| (name.clone(), Arc::new(profile.clone()))).collect();
    let engine = engine.clone();
    Registry::new(move |id| {
        let directory = engine.directory();
        let device = directory.devices.get(&id)?;
        Some(DeviceRef {
            id,
            org: device.org,
            site: device.site,
            partition: directory.partition_of(id)?,
            profile: profiles.get(&device.profile)?.clone(),
            lifecycle: device.lifecycle,
            gateway: directory.gateway_of(id),
        })
    })
}

pub(super) fn someone(number: &str, given: &str, family: &str) -> Value {
    json!({
        "record_number": number,
        "given_name": given,
        "family_name": family,
        "birth_date": "1955-03-03",
        "sex": "female",
        "here_for": "Pneumonia",
    })
}
