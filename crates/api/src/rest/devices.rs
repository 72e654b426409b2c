//! Devices: what they are, on whom they are, and the certificates they speak with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use model::{Association, CertificateId, Device, DeviceId, Lifecycle, Role, Subject, Timestamp};
use record::Wish;
use security::{Action, Resource};
use transport::mqtt::Reason;

use crate::{
    Api,
    command::new_id,
    dto::{
        device::{self, IssuedCertificate, MqttAddress, NewDevice, Profile, SetLifecycle},
        patient::PutPatient,
        words::{Spelt as _, time},
    },
    extract::{Asked, Given, Named},
    guard::{Caller, parse, patient_resource},
    heard::{Heard, heard},
    limits::CERTIFICATE_LASTS,
    paging::{Page, PageQuery},
    problem::Problem,
    rest::posts::since,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let of_unit = Access::Permitted(Action::ReadDevices, Scope::CareUnitOfQuery);
    let read = |scope| Access::Permitted(Action::ReadDevices, scope);
    let at = |action| Access::Permitted(action, Scope::Device);
    vec![
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
            "Puts a device on a patient, or takes it off",
            associate,
        )
        .takes::<PutPatient>()
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
    ]
}

impl Api {
    /// The devices that are connected now, and since when.
    fn connected(&self) -> BTreeMap<DeviceId, Timestamp> {
        let connections = self.mqtt.iter().flat_map(|mqtt| mqtt.connections());
        connections.map(|connection| (connection.device, connection.since)).collect()
    }

    /// Devices as this caller may see them, with what they said last.
    async fn devices(
        &self,
        caller: &Caller,
        found: Vec<Device>,
    ) -> Result<Vec<device::Device>, Problem> {
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
        let (directory, connected) = (self.engine.directory(), self.connected());
        let show = |(it, heard): (Device, Heard)| {
            let since = connected.get(&it.id).copied();
            let shown = device::Device::of(
                &it,
                &directory,
                self.profiles.get(&it.profile),
                since.is_some(),
            );
            let shown = shown.with_last_words(heard.at.max(since), heard.battery_percent);
            if caller.who.role == Role::It { shown.without_patient() } else { shown }
        };
        Ok(found.into_iter().map(show).collect())
    }

    /// The device of the path, as it is now.
    async fn show_device(&self, caller: &Caller, id: DeviceId) -> Result<device::Device, Problem> {
        let nothing = || Problem::not_found("there is no such device");
        let found = self.engine.directory().devices.get(&id).cloned().ok_or_else(nothing)?;
        self.devices(caller, vec![found]).await?.pop().ok_or_else(nothing)
    }

    fn put_out(&self, device: DeviceId) {
        if let Some(mqtt) = &self.mqtt {
            mqtt.disconnect(device, Reason::NotAuthorized);
        }
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
        lifecycle: Lifecycle::Provisioned,
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
    };
    let answer = IssuedCertificate {
        id: certificate.id.to_string(),
        certificate_pem: issued.certificate_pem,
        key_pem: issued.key_pem.0,
        ca_pem: api.authority.certificate_pem().to_owned(),
        not_after: time(issued.not_after),
        mqtt: MqttAddress {
            host: api.config.mqtt_host.clone(),
            port: api.config.mqtt_port,
            client_id: id.to_string(),
            topic_prefix: format!("wl/1/{}/{id}/up", device.site),
        },
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
    let found = directory.certificates.get(&certificate).filter(|it| it.device == id);
    let found = found.ok_or_else(|| Problem::not_found("the device has no such certificate"))?;
    api.ask(&caller, Wish::RevokeCertificate(certificate)).await?;
    api.revocations.revoke(&found.serial);
    api.put_out(id);
    api.show_device(&caller, id).await.map(Json)
}

async fn associate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<PutPatient>,
) -> Result<Json<device::Device>, Problem> {
    let id: DeviceId = parse(&id)?;
    let path = format!("POST /api/v1/devices/{id}/association");
    let directory = api.engine.directory();
    let named = given.patient.as_deref().map(parse).transpose()?;
    let worn_by = match directory.subject_of(id) {
        Subject::Patient(patient) => Some(patient),
        Subject::Place(_) | Subject::Nobody => None,
    };
    // Both the one who gets the device and the one who loses it are cared for by somebody.
    for patient in BTreeSet::from_iter(named.into_iter().chain(worn_by)) {
        let found = patient_resource(&directory, patient)?;
        // Somebody without a bed belongs to whoever has the device.
        let resource =
            Resource { care_unit: found.care_unit.or(caller.resource.care_unit), ..found };
        api.permit_also(&caller, Action::AssociateDevice, resource, path.clone()).await?;
    }
    let value = named.map_or(Subject::Nobody, Subject::Patient);
    let from = since(given.from.as_ref(), caller.at)?;
    api.ask(&caller, Wish::Associate(Association { key: id, value, from, known_at: caller.at }))
        .await?;
    api.show_device(&caller, id).await.map(Json)
}

async fn set_lifecycle(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<SetLifecycle>,
) -> Result<Json<device::Device>, Problem> {
    let device: DeviceId = parse(&id)?;
    let lifecycle = Lifecycle::read(&given.state)?;
    api.ask(&caller, Wish::SetLifecycle { device, lifecycle }).await?;
    match lifecycle {
        Lifecycle::Quarantined | Lifecycle::Retired => api.put_out(device),
        Lifecycle::Ordered | Lifecycle::Provisioned | Lifecycle::InService => {}
    }
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
