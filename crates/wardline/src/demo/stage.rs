//! The demo's hospital, built from a script through the public interface, as an
//! administrator and a nurse in charge would.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};
use sim::{Bedded, Kind, OwnLimit, Script};

use crate::rest::{Rest, text};

/// What was built.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The care units' ids, in the order of the script.
    pub(crate) care_units: Vec<String>,
    /// Staff ids by login.
    pub(crate) staff: BTreeMap<String, String>,
    /// Beds' ids, in the order of the patients.
    pub(crate) beds: Vec<String>,
    /// Patients' ids, in the order of the script.
    pub(crate) patients: Vec<String>,
    /// Devices in the order of [`Script::devices`].
    pub(crate) devices: Vec<StagedDevice>,
}

/// A registered device with what it needs to connect.
#[derive(Clone, Debug)]
pub(crate) struct StagedDevice {
    pub(crate) id: String,
    pub(crate) site: String,
    pub(crate) kind: Kind,
    pub(crate) bed: usize,
    pub(crate) serial: String,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) ca_pem: String,
}

/// Somebody who may do what is asked for in a care unit: whoever is in charge of it.
fn charge_of(script: &Script, unit_index: usize) -> anyhow::Result<&str> {
    let in_charge = |it: &&sim::Member| it.charge_of.contains(&unit_index);
    let unit = script.units.get(unit_index).map_or("", |unit| unit.name.as_str());
    let member = script.staff.iter().find(in_charge);
    member.map(|it| it.login.as_str()).with_context(|| {
        format!("nobody is in charge of {unit}; say `charge_of = [\"{unit}\"]` of a charge nurse")
    })
}

/// The patient, by their place in the script, who can be signed in as with one click.
const WITH_A_LOGIN: usize = 0;

/// Builds a site with its care units, beds, patients, staff and devices.
pub(crate) async fn build(admin: &Rest, script: &Script) -> anyhow::Result<Stage> {
    let site = add(admin, "/api/v1/sites", json!({ "name": script.site })).await?;
    let mut care_units = Vec::new();
    for unit in &script.units {
        let body = json!({ "site_id": site, "name": unit.name });
        care_units.push(add(admin, "/api/v1/care-units", body).await?);
    }
    let staff = hire(admin, &site, script).await?;
    // The administrator runs the machines; patients are admitted by whoever is in charge.
    let mut charges = Vec::new();
    for (index, care_unit) in care_units.iter().enumerate() {
        let login = charge_of(script, index)?;
        let charge = admin.sign_in_by_click(login).await?;
        let post = format!("/api/v1/posts/charge/{care_unit}");
        charge.post(&post, &json!({ "staff": staff.get(login) })).await?;
        charges.push(charge);
    }
    let mut rooms = BTreeMap::new();
    let (mut beds, mut patients) = (Vec::new(), Vec::new());
    for (index, bedded) in script.patients.iter().enumerate() {
        let charge = charges.get(bedded.unit_index).context("a patient without a care unit")?;
        let care_unit = care_units.get(bedded.unit_index).context("no care unit")?;
        let room = match rooms.get(&(bedded.unit_index, bedded.room.as_str())) {
            Some(room) => String::clone(room),
            None => {
                let body = json!({ "care_unit_id": care_unit, "name": bedded.room });
                let room = add(admin, "/api/v1/rooms", body).await?;
                rooms.insert((bedded.unit_index, bedded.room.as_str()), room.clone());
                room
            }
        };
        let bed = json!({ "room_id": room, "name": bedded.bed });
        let bed = add(admin, "/api/v1/beds", bed).await?;
        let patient = admit(charge, &bed, index, bedded, &staff).await?;
        if index == WITH_A_LOGIN {
            let login = json!({ "login": bedded.given_name.to_lowercase() });
            charge.post(&format!("/api/v1/patients/{patient}/login"), &login).await?;
        }
        patients.push(patient);
        beds.push(bed);
    }
    let mut devices = Vec::new();
    for (index, (bed, kind)) in script.devices().into_iter().enumerate() {
        let bedded = script.patients.get(bed).context("a device without a patient")?;
        let care_unit = care_units.get(bedded.unit_index).context("no care unit")?;
        devices.push(enrol(admin, (&site, care_unit), index, (bed, &bedded.bed, kind)).await?);
    }
    // Put on last, and quickly: a device that is on somebody and says nothing is an alarm.
    for device in &devices {
        let bedded = script.patients.get(device.bed);
        let charge = bedded.and_then(|bedded| charges.get(bedded.unit_index));
        let charge = charge.context("a device without a care unit")?;
        let on = json!({ "patient": patients.get(device.bed) });
        charge.post(&format!("/api/v1/devices/{}/association", device.id), &on).await?;
    }
    Ok(Stage { care_units, staff, beds, patients, devices })
}

async fn add(who: &Rest, path: &str, body: Value) -> anyhow::Result<String> {
    let answer = who.post(path, &body).await?;
    Ok(text(&answer, &["id"])?.to_owned())
}

async fn hire(
    admin: &Rest,
    site: &str,
    script: &Script,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut staff = BTreeMap::new();
    for sim::Member { login, name, role, .. } in &script.staff {
        let id = add(admin, "/api/v1/staff", json!({ "site_id": site, "name": name })).await?;
        let user = json!({ "login": login, "name": name, "role": role, "staff_id": id });
        admin.post("/api/v1/users", &user).await?;
        staff.insert(login.clone(), id);
    }
    Ok(staff)
}

async fn admit(
    charge: &Rest,
    bed: &str,
    index: usize,
    bedded: &Bedded,
    staff: &BTreeMap<String, String>,
) -> anyhow::Result<String> {
    let patient = json!({
        "record_number": format!("BR {:03} {:03}", 204 + index, (118 + 37 * index) % 1_000),
        "given_name": bedded.given_name,
        "family_name": bedded.family_name,
        "birth_date": bedded.born,
        "sex": bedded.sex,
        "here_for": bedded.here_for,
    });
    let patient = add(charge, "/api/v1/patients", patient).await?;
    charge.post(&format!("/api/v1/beds/{bed}/patient"), &json!({ "patient": patient })).await?;
    if let Some(nurse) = bedded.nurse.as_ref().and_then(|login| staff.get(login)) {
        charge.post(&format!("/api/v1/posts/bed/{bed}"), &json!({ "staff": nurse })).await?;
    }
    for limit in &bedded.limits {
        let path = format!("/api/v1/patients/{patient}/limits/{}", limit.vital);
        charge.put(&path, &limits(limit)).await?;
    }
    Ok(patient)
}

/// A limit with a way back of a twentieth, raised at once.
fn limits(limit: &OwnLimit) -> Value {
    let side = |level: Option<f64>, back: f64| {
        level.map(|level| {
            let clears_at = (level * back).round();
            json!({ "limit": level, "clears_at": clears_at, "delay_s": 0, "priority": limit.priority })
        })
    };
    json!({ "low": side(limit.low, 1.05), "high": side(limit.high, 0.95) })
}

async fn enrol(
    admin: &Rest,
    (site, care_unit): (&str, &str),
    index: usize,
    (bed, bed_name, kind): (usize, &str, Kind),
) -> anyhow::Result<StagedDevice> {
    let serial = format!("{}-{:05}", kind.profile().to_uppercase(), 20_400 + index);
    let body = json!({
        "profile": kind.profile(),
        "serial": serial,
        "label": format!("{} {bed_name}", kind.title()),
        "care_unit": care_unit,
        "site": site,
    });
    let id = add(admin, "/api/v1/devices", body).await?;
    admin
        .put(&format!("/api/v1/devices/{id}/lifecycle"), &json!({ "state": "in_service" }))
        .await?;
    let paper = admin.post(&format!("/api/v1/devices/{id}/certificate"), &json!({})).await?;
    let get = |key: &str| text(&paper, &[key]).map(str::to_owned);
    let (certificate_pem, key_pem, ca_pem) =
        (get("certificate_pem")?, get("key_pem")?, get("ca_pem")?);
    let site = site.to_owned();
    Ok(StagedDevice { id, site, kind, bed, serial, certificate_pem, key_pem, ca_pem })
}
