//! A hospital of any size, built in parallel through the public interface.

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::parallel::in_parallel;
use crate::rest::{Rest, text};

/// Requests under way at once: enough to share each sync of the disk.
const AT_ONCE: usize = 32;

/// What every device of the benchmark is.
pub(super) const PROFILE: &str = "bedside-monitor";

/// A site with one ward and somebody in charge of it.
#[derive(Clone, Debug)]
pub(super) struct Hospital {
    admin: Rest,
    /// Tells its people and devices from those of another hospital on the same server.
    tag: Arc<str>,
    /// The nurse in charge, who admits, looks and sets limits.
    pub(super) charge: Rest,
    /// The id of that nurse's login.
    charge_user: String,
    /// The site's id.
    pub(super) site: String,
    /// The ward's id.
    pub(super) care_unit: String,
}

/// A device with what it needs to connect.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) id: String,
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
    pub(super) ca_pem: Arc<str>,
}

impl Hospital {
    /// Builds the house, without beds, on a server that has no other.
    pub(super) async fn build(admin: Rest) -> anyhow::Result<Self> {
        Self::build_beside(admin, "").await
    }

    /// The same beside others: what must differ has `tag` behind it.
    pub(super) async fn build_beside(admin: Rest, tag: &str) -> anyhow::Result<Self> {
        let name = format!("Bench Hospital{tag}");
        let site = add(&admin, "/api/v1/sites", &json!({ "name": name })).await?;
        let unit = json!({ "site_id": site, "name": "Bench Ward" });
        let care_unit = add(&admin, "/api/v1/care-units", &unit).await?;
        let staff = json!({ "site_id": site, "name": "Charge Nurse" });
        let staff = add(&admin, "/api/v1/staff", &staff).await?;
        let user = json!({
            "login": format!("charge{tag}"), "name": "Charge Nurse", "role": "charge_nurse", "staff_id": staff,
        });
        let charge_user = add(&admin, "/api/v1/users", &user).await?;
        let charge = admin.sign_in_by_click(&format!("charge{tag}")).await?;
        let post = format!("/api/v1/posts/charge/{care_unit}");
        charge.post(&post, &json!({ "staff": staff })).await?;
        Ok(Self { admin, tag: tag.into(), charge, charge_user, site, care_unit })
    }

    /// Adds beds with a patient in each; answers the patients' ids.
    pub(super) async fn admit(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let room = json!({ "care_unit_id": self.care_unit, "name": "Hall" });
        let room: Arc<str> = add(&self.admin, "/api/v1/rooms", &room).await?.into();
        let this = Arc::new(self.clone());
        in_parallel(count, AT_ONCE, move |number| {
            let (this, room) = (Arc::clone(&this), Arc::clone(&room));
            async move { this.admit_one(&room, number).await }
        })
        .await
    }

    async fn admit_one(&self, room: &str, number: usize) -> anyhow::Result<String> {
        let bed = json!({ "room_id": room, "name": format!("{number:04}") });
        let bed = add(&self.admin, "/api/v1/beds", &bed).await?;
        let patient = json!({
            "record_number": format!("BN{} {number:06}", self.tag),
            "given_name": "Test",
            "family_name": format!("Patient {number:04}"),
            "birth_date": "1960-01-01",
            "sex": "unknown",
            "here_for": "measuring",
        });
        let patient = add(&self.charge, "/api/v1/patients", &patient).await?;
        let occupied = format!("/api/v1/beds/{bed}/patient");
        self.charge.post(&occupied, &json!({ "patient": patient })).await?;
        Ok(patient)
    }

    /// Adds monitors in service with a certificate each, one on each of these patients; more
    /// devices than patients lie in a drawer.
    pub(super) async fn enrol(
        &self,
        count: usize,
        patients: &[String],
    ) -> anyhow::Result<Vec<Device>> {
        let (this, patients) = (Arc::new(self.clone()), Arc::new(patients.to_vec()));
        in_parallel(count, AT_ONCE, move |number| {
            let (this, patients) = (Arc::clone(&this), Arc::clone(&patients));
            async move { this.enrol_one(number, patients.get(number)).await }
        })
        .await
    }

    /// Adds a gateway in service with its certificate, and lets it speak for these devices.
    pub(super) async fn enrol_gateway(&self, speaks_for: &[Device]) -> anyhow::Result<Device> {
        let gateway = self.enrol_as("gateway", speaks_for.len()).await?;
        for device in speaks_for {
            let path = format!("/api/v1/devices/{}/gateway", device.id);
            self.admin.put(&path, &json!({ "gateway": gateway.id })).await?;
        }
        Ok(gateway)
    }

    async fn enrol_one(&self, number: usize, patient: Option<&String>) -> anyhow::Result<Device> {
        let device = self.enrol_as(PROFILE, number).await?;
        if let Some(patient) = patient {
            let on = format!("/api/v1/devices/{}/association", device.id);
            self.charge.post(&on, &json!({ "patient": patient })).await?;
        }
        Ok(device)
    }

    async fn enrol_as(&self, profile: &str, number: usize) -> anyhow::Result<Device> {
        let body = json!({
            "profile": profile,
            "serial": format!("BENCH{}-{number:05}", self.tag),
            "label": format!("Monitor {number:04}"),
            "care_unit": self.care_unit,
            "site": self.site,
        });
        let id = add(&self.admin, "/api/v1/devices", &body).await?;
        let in_service = json!({ "state": "in_service" });
        self.admin.put(&format!("/api/v1/devices/{id}/lifecycle"), &in_service).await?;
        let paper = format!("/api/v1/devices/{id}/certificate");
        let paper = self.admin.post(&paper, &json!({})).await?;
        let get = |key: &str| text(&paper, &[key]).map(str::to_owned);
        let (certificate_pem, key_pem) = (get("certificate_pem")?, get("key_pem")?);
        Ok(Device { id, certificate_pem, key_pem, ca_pem: get("ca_pem")?.into() })
    }

    /// What the house is called on the server.
    pub(super) fn name(&self) -> String {
        format!("Bench Hospital{}", self.tag)
    }

    /// Takes the devices off and retires them, empties the beds and shuts the login. What was
    /// measured stays, and so do the names of the places: a history is not removed.
    pub(super) async fn clear_away(
        &self,
        devices: &[String],
        patients: &[String],
    ) -> anyhow::Result<()> {
        let this = Arc::new(self.clone());
        let (devices, patients): (Arc<[String]>, Arc<[String]>) = (devices.into(), patients.into());
        let count = devices.len();
        in_parallel(count, AT_ONCE, move |number| {
            let (this, device) = (Arc::clone(&this), devices.get(number).cloned());
            let patient = patients.get(number).cloned();
            async move { this.clear_one(&device.context("no device")?, patient.as_deref()).await }
        })
        .await?;
        let shut = json!({ "disabled": true });
        self.admin.put(&format!("/api/v1/users/{}", self.charge_user), &shut).await.map(drop)
    }

    async fn clear_one(&self, device: &str, patient: Option<&str>) -> anyhow::Result<()> {
        if let Some(patient) = patient {
            let page = self.charge.get(&format!("/api/v1/patients/{patient}")).await?;
            let leaves = json!({ "patient": null, "leaves": patient, "take_off": [device] });
            let bed = format!("/api/v1/beds/{}/patient", text(&page, &["bed", "id"])?);
            self.charge.post(&bed, &leaves).await?;
        }
        let retired = json!({ "state": "retired", "why": "the load has ended" });
        self.admin.put(&format!("/api/v1/devices/{device}/lifecycle"), &retired).await.map(drop)
    }

    /// Sets a heart rate limit of 110 /min without delay on each of these patients.
    pub(super) async fn set_quick_limits(&self, patients: &[String]) -> anyhow::Result<()> {
        let side = |limit: u32, clears_at: u32| json!({ "limit": limit, "clears_at": clears_at, "delay_s": 0, "priority": "medium" });
        let limits = Arc::new(json!({ "low": side(50, 50), "high": side(110, 108) }));
        let (charge, count) = (self.charge.clone(), patients.len());
        let patients = Arc::new(patients.to_vec());
        let set = move |number: usize| {
            let (charge, limits) = (charge.clone(), Arc::clone(&limits));
            let patient = patients.get(number).cloned();
            async move {
                let patient = patient.context("a limit for nobody")?;
                let path = format!("/api/v1/patients/{patient}/limits/heart_rate");
                charge.put(&path, &limits).await
            }
        };
        in_parallel(count, AT_ONCE, set).await.map(drop)
    }
}

async fn add(who: &Rest, path: &str, body: &Value) -> anyhow::Result<String> {
    let answer = who.post(path, body).await?;
    Ok(text(&answer, &["id"])?.to_owned())
}
