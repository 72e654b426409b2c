//! The demo's hospital, built through the public interface as an administrator would.

use anyhow::Context as _;
use serde_json::{Value, json};
use sim::{Course, Kind};

use crate::rest::{Rest, text};

/// A patient of the demo ward.
struct Person {
    given: &'static str,
    family: &'static str,
    born: &'static str,
    sex: &'static str,
    nurse: usize,
}

const fn person(
    given: &'static str,
    family: &'static str,
    born: &'static str,
    sex: &'static str,
    nurse: usize,
) -> Person {
    Person { given, family, born, sex, nurse }
}

/// Made-up people; the nurse is a place in [`STAFF`].
const PEOPLE: [Person; 8] = [
    person("Harold", "Nwosu", "1960-02-11", "male", 0),
    person("Marta", "Lindqvist", "1972-07-30", "female", 0),
    person("Leonard", "Osei", "1953-05-04", "male", 0),
    person("Ilse", "Brandt", "1955-03-03", "female", 0),
    person("Grace", "Adeyemi", "1946-09-21", "female", 1),
    person("Tomasz", "Zielinski", "1967-01-17", "male", 1),
    person("Ana", "Ferreira", "1988-11-08", "female", 1),
    person("Paul", "Everett", "1979-06-25", "male", 1),
];

/// The staff of the demo ward: login, name, role.
const STAFF: [(&str, &str, &str); 5] = [
    ("priya", "Priya Nair", "nurse"),
    ("amara", "Amara Okoye", "nurse"),
    ("tom", "Tom Rourke", "charge_nurse"),
    ("mara", "Dr Mara Vance", "physician"),
    ("ines", "Ines Koch", "it"),
];

/// What was built.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The care unit's id.
    pub(crate) care_unit: String,
    /// Patients by bed.
    pub(crate) patients: Vec<String>,
    /// Devices in the order of [`sim::demo_devices`].
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

/// Builds a site, a ward with eight beds and patients, its staff and its devices.
pub(crate) async fn build(
    admin: &Rest,
    courses: &[Course],
    devices: &[(usize, Kind)],
) -> anyhow::Result<Stage> {
    let site = add(admin, "/api/v1/sites", json!({ "name": "North Hospital" })).await?;
    let unit = json!({ "site_id": site, "name": "4B Respiratory" });
    let care_unit = add(admin, "/api/v1/care-units", unit).await?;
    let staff = hire(admin, &site).await?;
    // The administrator runs the machines; patients are admitted by the charge nurse.
    let charge = admin.sign_in_by_click("tom").await?;
    charge
        .post(&format!("/api/v1/posts/charge/{care_unit}"), &json!({ "staff": staff.get(2) }))
        .await?;
    let mut patients = Vec::new();
    for (bed, course) in courses.iter().enumerate().take(PEOPLE.len()) {
        patients.push(admit(admin, &charge, &care_unit, bed, course, &staff).await?);
    }
    let mut staged = Vec::new();
    for (index, (bed, kind)) in devices.iter().enumerate() {
        let patient = patients.get(*bed).context("a device stands at a bed without a patient")?;
        let device = enrol(admin, (&site, &care_unit), index, (*bed, *kind)).await?;
        let on = json!({ "patient": patient });
        charge.post(&format!("/api/v1/devices/{}/association", device.id), &on).await?;
        staged.push(device);
    }
    Ok(Stage { care_unit, patients, devices: staged })
}

async fn add(who: &Rest, path: &str, body: Value) -> anyhow::Result<String> {
    let answer = who.post(path, &body).await?;
    Ok(text(&answer, &["id"])?.to_owned())
}

async fn hire(admin: &Rest, site: &str) -> anyhow::Result<Vec<String>> {
    let mut staff = Vec::new();
    for (login, name, role) in STAFF {
        let id = add(admin, "/api/v1/staff", json!({ "site_id": site, "name": name })).await?;
        let user = json!({ "login": login, "name": name, "role": role, "staff_id": id });
        admin.post("/api/v1/users", &user).await?;
        staff.push(id);
    }
    Ok(staff)
}

async fn admit(
    admin: &Rest,
    charge: &Rest,
    care_unit: &str,
    bed: usize,
    course: &Course,
    staff: &[String],
) -> anyhow::Result<String> {
    let Some(person) = PEOPLE.get(bed) else {
        anyhow::bail!("the demo has {} people", PEOPLE.len())
    };
    // Two beds share a room.
    let room = json!({ "care_unit_id": care_unit, "name": format!("Room {}", bed / 2 + 1) });
    let room = match bed % 2 {
        0 => add(admin, "/api/v1/rooms", room).await?,
        _ => last_room(admin, care_unit).await?,
    };
    let bed_body = json!({ "room_id": room, "name": format!("{:02}", bed + 1) });
    let bed_id = add(admin, "/api/v1/beds", bed_body).await?;
    let patient = json!({
        "record_number": format!("BR {:03} {:03}", 204 + bed, 118 + 37 * bed),
        "given_name": person.given,
        "family_name": person.family,
        "birth_date": person.born,
        "sex": person.sex,
        "here_for": course.here_for,
    });
    let patient = add(charge, "/api/v1/patients", patient).await?;
    charge.post(&format!("/api/v1/beds/{bed_id}/patient"), &json!({ "patient": patient })).await?;
    let nurse = json!({ "staff": staff.get(person.nurse) });
    charge.post(&format!("/api/v1/posts/bed/{bed_id}"), &nurse).await?;
    Ok(patient)
}

async fn last_room(admin: &Rest, care_unit: &str) -> anyhow::Result<String> {
    let rooms = admin.get(&format!("/api/v1/rooms?care_unit={care_unit}&limit=200")).await?;
    let rooms = rooms.get("items").and_then(Value::as_array).context("no list of rooms")?;
    let newest = rooms.iter().filter_map(|room| room.get("id")?.as_str()).max();
    Ok(newest.context("the ward has no room")?.to_owned())
}

async fn enrol(
    admin: &Rest,
    (site, care_unit): (&str, &str),
    index: usize,
    (bed, kind): (usize, Kind),
) -> anyhow::Result<StagedDevice> {
    let serial = format!("{}-{:05}", kind.profile().to_uppercase(), 20_400 + index);
    let body = json!({
        "profile": kind.profile(),
        "serial": serial,
        "label": format!("{} {:02}", kind.title(), bed + 1),
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
