//! Devices: what they are, on whom they are, and the certificates they speak with.

mod claims;
mod commands;
mod gateway;
mod life;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::{Directory, view::DoorUsed};
use model::{
    Association, CertificateId, Device, DeviceId, Lifecycle, PlaceId, Role, RoomId, Subject,
    Timestamp,
};
use record::Wish;
use security::{Action, Resource, hex};

use crate::{
    Api,
    command::new_id,
    dto::{
        bed::Named as NamedThing,
        device::{
            self, HttpsAddress, IssuedCertificate, MqttAddress, NewDevice, Profile, SetLifecycle,
            Spoken,
        },
        fleet::PutDevice,
        report::DeviceReport,
        words::{Spelt as _, time},
    },
    extract::{Asked, Given, Named},
    guard::{Caller, parse, patient_resource},
    heard::{Heard, heard},
    limits::{ASSOCIATED_SINCE_MAX, CERTIFICATE_LASTS},
    paging::{Page, PageQuery},
    problem::Problem,
    rest::posts::since,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let of_unit = Access::Permitted(Action::ReadDevices, Scope::CareUnitOfQuery);
    let read = |scope| Access::Permitted(Action::ReadDevices, scope);
    let at = |action| Access::Permitted(action, Scope::Device);
    let own = vec![
        Route::new(Method::GET, "/devices", of_unit, "Devices, by what people call them", list)
            .lists::<device::Device>()
            .query("care_unit", "Only those of this care unit"),
        Route::new(
            Method::POST,
            "/devices",
            Access::Permitted(Action::WriteDevices, Scope::Org),
            "Adds a device",
            add,
        )
        .takes::<NewDevice>()
        .answers::<device::Device>()
        .status(201),
        Route::new(Method::GET, "/devices/{id}", read(Scope::Device), "One device", show)
            .answers::<device::Device>(),
        Route::new(
            Method::POST,
            "/devices/{id}/certificate",
            at(Action::IssueCertificate),
            "Issues a certificate; its key is in this answer and nowhere else",
            issue,
        )
        .answers::<IssuedCertificate>()
        .status(201),
        Route::new(
            Method::DELETE,
            "/devices/{id}/certificates/{certificate}",
            at(Action::RevokeCertificate),
            "Revokes a certificate and closes the device's connections",
            revoke,
        )
        .answers::<device::Device>(),
        Route::new(
            Method::POST,
            "/devices/{id}/association",
            at(Action::AssociateDevice),
            "Puts a device on a patient or in a room, or takes it off",
            associate,
        )
        .takes::<PutDevice>()
        .answers::<device::Device>(),
        Route::new(
            Method::PUT,
            "/devices/{id}/lifecycle",
            at(Action::SetLifecycle),
            "Moves a device along its life",
            set_lifecycle,
        )
        .takes::<SetLifecycle>()
        .answers::<device::Device>(),
        Route::new(
            Method::GET,
            "/profiles",
            read(Scope::Org),
            "The kinds of devices that are understood",
            profiles,
        )
        .lists::<Profile>(),
    ];
    let parts =
        [claims::routes(), commands::routes(), gateway::routes(), life::routes(), watch::routes()];
    own.into_iter().chain(parts.into_iter().flatten()).collect()
}

/// The place that a device stands in, by its name.
pub(crate) fn place_of(directory: &Directory, subject: Subject) -> Option<NamedThing> {
    let Subject::Place(place) = subject else { return None };
    let text = place.to_string();
    let room = directory.rooms.values().find(|room| PlaceId::from(room.id) == place);
    let bed = || directory.beds.values().find(|bed| PlaceId::from(bed.id) == place);
    let unit = || directory.care_units.values().find(|unit| PlaceId::from(unit.id) == place);
    let name = room
        .map(|room| room.name.clone())
        .or_else(|| bed().map(|bed| bed.name.clone()))
        .or_else(|| unit().map(|unit| unit.name.clone()));
    name.map(|name| NamedThing { id: text, name })
}

impl Api {
    /// How each device is connected, or spoke last by HTTPS, since the start.
    pub(crate) fn spoken(
        &self,
        directory: &Directory,
        now: Timestamp,
    ) -> BTreeMap<DeviceId, Spoken> {
        let by_https = self.doors.heard().into_iter().map(|(device, heard)| {
            let used = ("https".to_owned(), heard.remote.to_string(), heard.at);
            (device, self.used(directory, device, used, now))
        });
        let mut spoken: BTreeMap<DeviceId, Spoken> = by_https.collect();
        for connection in self.mqtt.iter().flat_map(|mqtt| mqtt.connections()) {
            let (word, remote) = ("mqtt".to_owned(), connection.remote.to_string());
            let here = Spoken { word, remote, is_connected: true, at: connection.since };
            spoken.insert(connection.device, here);
        }
        spoken
    }

    /// A device without a connection, by the door that it used at an instant: by HTTPS it
    /// counts as connected for as long as it may be silent.
    fn used(
        &self,
        directory: &Directory,
        device: DeviceId,
        (word, remote, at): (String, String, Timestamp),
        now: Timestamp,
    ) -> Spoken {
        let profile = directory.devices.get(&device).map(|it| it.profile.as_str());
        let profile = profile.and_then(|profile| self.profiles.get(profile));
        let is_recent = profile.is_some_and(|it| now.since(at) < it.silence_after);
        Spoken { is_connected: word == "https" && is_recent, word, remote, at }
    }

    /// Where a device speaks MQTT.
    pub(crate) fn mqtt_address(&self, device: &Device) -> MqttAddress {
        MqttAddress {
            host: self.config.mqtt_host.clone(),
            port: self.config.mqtt_port,
            client_id: device.id.to_string(),
            topic_prefix: format!("wl/1/{}/{}/up", device.site, device.id),
        }
    }

    /// Where devices speak HTTPS.
    pub(crate) fn https_address(&self) -> HttpsAddress {
        let (host, port) = (self.config.mqtt_host.clone(), self.config.https_port);
        HttpsAddress { url: format!("https://{host}:{port}"), host, port }
    }

    /// Devices as this caller may see them, with what they said last.
    async fn devices(
        &self,
        caller: &Caller,
        found: Vec<Device>,
    ) -> Result<Vec<device::Device>, Problem> {
        let ids = found.iter().map(|it| it.id).collect();
        let reports = self.engine.device_reports(ids).await.unwrap_or_default();
        let (mut said, mut doors) = (BTreeMap::new(), BTreeMap::new());
        for report in reports {
            if report.is_said() {
                said.insert(report.device, DeviceReport::of(&report));
            }
            doors.extend(report.door.map(|used| (report.device, used)));
        }
        let (series, profiles, now) = (self.series.clone(), Arc::clone(&self.profiles), caller.at);
        let look = move || {
            let heard = |it: Device| {
                let profile = profiles.get(&it.profile);
                let known = profile.map(|profile| heard(&series, it.org, it.id, profile, now));
                known.transpose().map(|known| (it, known.unwrap_or_default()))
            };
            found.into_iter().map(heard).collect::<Result<Vec<_>, _>>()
        };
        let found = tokio::task::spawn_blocking(look)
            .await
            .map_err(Problem::fault)?
            .map_err(|error| Problem::caused_by(&error))?;
        let directory = self.engine.directory();
        let spoken = self.spoken(&directory, caller.at);
        let show = |(it, heard): (Device, Heard)| {
            // What was before the start is in the journal.
            let before = || {
                let DoorUsed { door, remote, at } = doors.get(&it.id)?.clone();
                Some(self.used(&directory, it.id, (door, remote, at), caller.at))
            };
            let door = spoken.get(&it.id).cloned().or_else(before);
            let spoke_at = door.as_ref().map(|door| door.at);
            let shown = device::Device::of(&it, &directory, self.profiles.get(&it.profile), door);
            let shown = shown
                .with_last_words(heard.at.max(spoke_at), heard.battery_percent)
                .with_report(said.get(&it.id).cloned());
            if caller.who.role == Role::It { shown.without_patient() } else { shown }
        };
        Ok(found.into_iter().map(show).collect())
    }

    /// A room of the caller's organization.
    pub(crate) fn room_for(&self, caller: &Caller, room: &str) -> Result<RoomId, Problem> {
        let room: RoomId = parse(room)?;
        let directory = self.engine.directory();
        let found = directory.rooms.get(&room);
        let org = found.and_then(|room| directory.org_of_care_unit(room.care_unit));
        let own = org.filter(|org| *org == caller.who.org);
        own.map(|_| room).ok_or_else(|| Problem::not_found("there is no such room"))
    }

    /// The device of the path, as it is now.
    pub(crate) async fn show_device(
        &self,
        caller: &Caller,
        id: DeviceId,
    ) -> Result<device::Device, Problem> {
        let nothing = || Problem::not_found("there is no such device");
        let found = self.engine.directory().devices.get(&id).cloned().ok_or_else(nothing)?;
        self.devices(caller, vec![found]).await?.pop().ok_or_else(nothing)
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<device::Device>>, Problem> {
    let directory = api.engine.directory();
    let unit = caller.resource.care_unit;
    let is_asked = |it: &&Device| {
        it.org == caller.who.org
            // The program's own watchdog is no device that anybody looks after.
            && it.profile != engine::beat::PROFILE
            && unit.is_none_or(|unit| directory.care_unit_of_device(it.id) == Some(unit))
    };
    let mut found: Vec<&Device> = directory.devices.values().filter(is_asked).collect();
    found.sort_by(|a, b| (&a.label, a.id).cmp(&(&b.label, b.id)));
    let Page { items, next } = page.cut(found.into_iter().cloned())?;
    Ok(Json(Page { items: api.devices(&caller, items).await?, next }))
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<device::Device>, Problem> {
    api.show_device(&caller, parse(&id)?).await.map(Json)
}

async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewDevice>,
) -> Result<(StatusCode, Json<device::Device>), Problem> {
    let directory = api.engine.directory();
    let care_unit = given.care_unit.as_deref().map(parse).transpose()?;
    let of_unit = care_unit.and_then(|unit| directory.site_of(unit));
    let given_site = given.site.as_deref().map(parse).transpose()?;
    let mut own =
        directory.sites.values().filter(|site| site.org == caller.who.org).map(|site| site.id);
    let only = own.next().filter(|_| own.next().is_none());
    let site = of_unit.or(given_site).or(only);
    let site = site.ok_or_else(|| {
        Problem::bad_request("site is missing; a device without a care unit needs one")
    })?;
    if given.profile == engine::beat::PROFILE {
        return Err(Problem::bad_request("the watchdog is the program's own device"));
    }
    let device = Device {
        id: new_id(caller.at)?,
        org: caller.who.org,
        site,
        care_unit,
        profile: given.profile,
        serial: given.serial,
        label: given.label,
        lifecycle: if given.ordered { Lifecycle::Ordered } else { Lifecycle::Provisioned },
    };
    let id = device.id;
    api.ask(&caller, Wish::PutDevice(device)).await?;
    Ok((StatusCode::CREATED, Json(api.show_device(&caller, id).await?)))
}

async fn issue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<(StatusCode, Json<IssuedCertificate>), Problem> {
    let id: DeviceId = parse(&id)?;
    let directory = api.engine.directory();
    let device =
        directory.devices.get(&id).ok_or_else(|| Problem::not_found("there is no such device"))?;
    let issued = api
        .authority
        .issue_device(device.org, id, caller.at, CERTIFICATE_LASTS)
        .map_err(|error| Problem::caused_by(&error))?;
    let certificate = model::Certificate {
        id: new_id(caller.at)?,
        device: id,
        serial: issued.serial,
        not_before: issued.not_before,
        not_after: issued.not_after,
        revoked_at: None,
        fingerprint: Some(issued.fingerprint),
    };
    let answer = IssuedCertificate {
        id: certificate.id.to_string(),
        certificate_pem: issued.certificate_pem,
        key_pem: issued.key_pem.0,
        ca_pem: api.authority.certificate_pem().to_owned(),
        not_after: time(issued.not_after),
        fingerprint: hex(&issued.fingerprint),
        mqtt: api.mqtt_address(device),
        https: api.https_address(),
    };
    api.ask(&caller, Wish::PutCertificate(certificate)).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((id, certificate)): Named<(String, String)>,
) -> Result<Json<device::Device>, Problem> {
    let id: DeviceId = parse(&id)?;
    let certificate: CertificateId = parse(&certificate)?;
    let directory = api.engine.directory();
    if directory.certificates.get(&certificate).is_none_or(|it| it.device != id) {
        return Err(Problem::not_found("the device has no such certificate"));
    }
    api.ask(&caller, Wish::RevokeCertificate(certificate)).await?;
    api.carry_out();
    api.show_device(&caller, id).await.map(Json)
}

async fn associate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<PutDevice>,
) -> Result<Json<device::Device>, Problem> {
    let id: DeviceId = parse(&id)?;
    let path = format!("POST /api/v1/devices/{id}/association");
    if given.patient.is_some() && given.room.is_some() {
        return Err(Problem::bad_request("a device is on a patient or in a room, not both"));
    }
    let directory = api.engine.directory();
    let named = given.patient.as_deref().map(parse).transpose()?;
    let from = since(given.from.as_ref(), caller.at)?;
    not_too_long_ago(from, caller.at)?;
    // The engine refuses what takes readings from anybody whom this snapshot does not show.
    let known_at = directory.associations_known_at(id);
    // Whoever gets the device is cared for by somebody, and so is everybody who loses it or,
    // where it is dated back, their past with it.
    let worn_by = directory.worn_since(id, from);
    for patient in BTreeSet::from_iter(named.into_iter().chain(worn_by)) {
        let found = patient_resource(&directory, patient)?;
        // Somebody without a bed belongs to whoever has the device.
        let resource =
            Resource { care_unit: found.care_unit.or(caller.resource.care_unit), ..found };
        api.permit_also(&caller, Action::AssociateDevice, resource, path.clone()).await?;
    }
    let room = given.room.as_deref().map(|room| api.room_for(&caller, room)).transpose()?;
    if let Some(room) = room {
        let care_unit = directory.rooms.get(&room).map(|room| room.care_unit);
        let resource = Resource { care_unit, ..Resource::org(caller.who.org) };
        api.permit_also(&caller, Action::AssociateDevice, resource, path).await?;
    }
    let in_room = room.map_or(Subject::Nobody, |room| Subject::Place(room.into()));
    let value = named.map_or(in_room, Subject::Patient);
    api.ask(&caller, Wish::Associate(Association { key: id, value, from, known_at })).await?;
    api.show_device(&caller, id).await.map(Json)
}

/// A slip of the hand must not give years of readings to somebody else.
pub(crate) fn not_too_long_ago(from: Timestamp, now: Timestamp) -> Result<(), Problem> {
    if from >= now.before(ASSOCIATED_SINCE_MAX) {
        return Ok(());
    }
    let days = ASSOCIATED_SINCE_MAX.as_secs() / 86_400;
    Err(Problem::bad_request(format!(
        "from lies more than {days} days back; a device is put on somebody since at most {days} days ago"
    )))
}

#[test]
fn a_device_is_put_on_somebody_since_thirty_days_at_most() {
    let now = Timestamp::from_unix_millis(1_767_258_000_000);
    let limit = now.before(ASSOCIATED_SINCE_MAX);
    let nanosecond = std::time::Duration::from_nanos(1);
    assert_eq!(not_too_long_ago(limit.after(nanosecond), now), Ok(()));
    assert_eq!(not_too_long_ago(limit, now), Ok(()));
    let refused = not_too_long_ago(limit.before(nanosecond), now).unwrap_err();
    assert!(refused.for_caller.contains("30 days"), "{refused:?}");
}

async fn set_lifecycle(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<SetLifecycle>,
) -> Result<Json<device::Device>, Problem> {
    let device: DeviceId = parse(&id)?;
    let lifecycle = Lifecycle::read(&given.state)?;
    let why = given.why.map(|why| why.trim().to_owned()).filter(|why| !why.is_empty());
    api.ask(&caller, Wish::SetLifecycle { device, lifecycle, why }).await?;
    api.carry_out();
    api.show_device(&caller, device).await.map(Json)
}

async fn profiles(
    State(api): State<Arc<Api>>,
    _caller: Caller,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Profile>>, Problem> {
    let known: &BTreeMap<_, _> = &api.profiles;
    let own = known.values().filter(|profile| profile.name != engine::beat::PROFILE);
    page.cut(own.map(|profile| Profile {
        name: profile.name.clone(),
        title: profile.words.clone(),
        channels: profile.channels.iter().map(|spec| spec.channel.to_string()).collect(),
    }))
    .map(Json)
}
