//! A small ward, built through the public interface as its people would: a site,
//! two beds with patients, a nurse, a charge nurse, a physician, and devices.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

use crate::{
    rest::Rest,
    server::{Home, Server},
    tools::file,
    waiting::eventually,
};

/// What is not on the screens by then does not come; how soon it does, `wardline bench` measures.
pub(crate) const READABLE_WITHIN: Duration = Duration::from_secs(10);

/// The ward with everybody who works there signed in.
#[derive(Clone, Debug)]
pub(crate) struct Ward {
    pub(crate) admin: Rest,
    pub(crate) charge: Rest,
    pub(crate) nurse: Rest,
    pub(crate) physician: Rest,
    pub(crate) site: String,
    pub(crate) unit: String,
    pub(crate) beds: Vec<String>,
    pub(crate) patients: Vec<String>,
}

/// A registered device with its papers.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) site: String,
    /// Id of its first certificate.
    pub(crate) certificate: String,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) ca_pem: String,
}

/// Where a device's papers lie, for programs that read files.
pub(crate) struct Papers {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
}

impl Device {
    /// A topic below its own `up/`.
    pub(crate) fn up(&self, leaf: &str) -> String {
        format!("wl/1/{}/{}/up/{leaf}", self.site, self.id)
    }

    /// A filter below its own `down/`.
    pub(crate) fn down(&self, leaf: &str) -> String {
        format!("wl/1/{}/{}/down/{leaf}", self.site, self.id)
    }

    /// Writes its papers into a folder.
    pub(crate) fn papers(&self, home: &Home) -> Papers {
        let write = |kind: &str, pem: &str| file(home.path(), &format!("{}.{kind}", self.id), pem);
        Papers {
            certificate: write("crt", &self.certificate_pem),
            key: write("key", &self.key_pem),
            ca: write("ca", &self.ca_pem),
        }
    }
}

impl Ward {
    /// Builds the ward on an empty server.
    pub(crate) fn build(server: &Server) -> Self {
        let nobody = server.rest();
        let admin = nobody.click("admin");
        let site = admin.add("/api/v1/sites", &json!({ "name": "South Hospital" }));
        let unit = json!({ "site_id": site, "name": "2A Surgery" });
        let unit = admin.add("/api/v1/care-units", &unit);
        let hire = |login: &str, name: &str, role: &str| {
            let staff = json!({ "site_id": site, "name": name });
            let staff = admin.add("/api/v1/staff", &staff);
            let user = json!({ "login": login, "name": name, "role": role, "staff_id": staff });
            admin.post("/api/v1/users", &user);
            (staff, nobody.click(login))
        };
        let (nurse_staff, nurse) = hire("nora", "Nora Lund", "nurse");
        let (charge_staff, charge) = hire("carl", "Carl Beck", "charge_nurse");
        let (_, physician) = hire("petra", "Dr Petra Wolf", "physician");
        charge.post(&format!("/api/v1/posts/charge/{unit}"), &json!({ "staff": charge_staff }));
        let room = json!({ "care_unit_id": unit, "name": "Room 1" });
        let room = admin.add("/api/v1/rooms", &room);
        let (mut beds, mut patients) = (Vec::new(), Vec::new());
        for (bed, number, family) in [("01", "E2E 4711", "Ames"), ("02", "E2E 4712", "Boros")] {
            let bed = admin.add("/api/v1/beds", &json!({ "room_id": room, "name": bed }));
            let patient = json!({
                "record_number": number,
                "given_name": "Test",
                "family_name": family,
                "birth_date": "1960-02-11",
                "sex": "female",
                "here_for": "a test",
            });
            let patient = charge.add("/api/v1/patients", &patient);
            charge.post(&format!("/api/v1/beds/{bed}/patient"), &json!({ "patient": patient }));
            charge.post(&format!("/api/v1/posts/bed/{bed}"), &json!({ "staff": nurse_staff }));
            beds.push(bed);
            patients.push(patient);
        }
        Self { admin, charge, nurse, physician, site, unit, beds, patients }
    }

    /// The same people at another address, such as after a restart.
    pub(crate) fn at(&self, server: &Server) -> Self {
        let base = &server.ready.people;
        Self {
            admin: self.admin.at(base),
            charge: self.charge.at(base),
            nurse: self.nurse.at(base),
            physician: self.physician.at(base),
            ..self.clone()
        }
    }

    /// Adds a device of this profile, in service, with a certificate.
    pub(crate) fn enrol(&self, profile: &str, serial: &str) -> Device {
        let device = json!({
            "profile": profile,
            "serial": serial,
            "label": format!("{profile} {serial}"),
            "care_unit": self.unit,
            "site": self.site,
        });
        let id = self.admin.add("/api/v1/devices", &device);
        let state = json!({ "state": "in_service" });
        self.admin.put(&format!("/api/v1/devices/{id}/lifecycle"), &state);
        let path = format!("/api/v1/devices/{id}/certificate");
        let paper = self.admin.post(&path, &json!({}));
        let text = |key: &str| paper[key].as_str().unwrap_or_default().to_owned();
        Device {
            id,
            site: self.site.clone(),
            certificate: text("id"),
            certificate_pem: text("certificate_pem"),
            key_pem: text("key_pem"),
            ca_pem: text("ca_pem"),
        }
    }

    /// The same, put on a patient.
    pub(crate) fn enrol_on(&self, profile: &str, serial: &str, bed: usize) -> Device {
        let device = self.enrol(profile, serial);
        let on = json!({ "patient": self.patients[bed] });
        self.charge.post(&format!("/api/v1/devices/{}/association", device.id), &on);
        device
    }

    /// One vital of a patient's page.
    pub(crate) fn vital(&self, bed: usize, vital: &str) -> Option<Value> {
        let page = self.nurse.get(&format!("/api/v1/patients/{}", self.patients[bed]));
        let numerics = page["numerics"].as_array().cloned().unwrap_or_default();
        numerics.into_iter().find(|numeric| numeric["vital"] == vital)
    }

    /// Waits until a vital reads this text.
    pub(crate) fn sees(&self, bed: usize, vital: &str, value: f64) -> Value {
        let what = format!("{vital} of {value} is readable");
        eventually(&what, READABLE_WITHIN, || {
            let found = self.vital(bed, vital);
            match found {
                Some(numeric) if numeric["value"].as_f64() == Some(value) => Ok(numeric),
                found => Err(format!("{found:?}")),
            }
        })
    }

    /// The points of a patient's trend in a span, as milliseconds and value.
    pub(crate) fn trend(&self, bed: usize, vital: &str, span: &Span) -> Vec<(i64, Option<f64>)> {
        let Span { from, to } = span;
        let patient = &self.patients[bed];
        let path = format!(
            "/api/v1/patients/{patient}/trends?vital={vital}&from={from}&to={to}&points=20000"
        );
        let trend = self.nurse.get(&path);
        let series = trend["series"].as_array().cloned().unwrap_or_default();
        let series = series.into_iter().filter(|series| series["vital"] == vital);
        let points =
            series.flat_map(|series| series["points"].as_array().cloned().unwrap_or_default());
        points.map(|point| (point[0].as_f64().unwrap() as i64, point[1].as_f64())).collect()
    }

    /// The stretches of a waveform of a patient, of an hour at most.
    pub(crate) fn waves(&self, bed: usize, channel: &str, span: &Span) -> Vec<Value> {
        let (Span { from, to }, patient) = (span, &self.patients[bed]);
        let path =
            format!("/api/v1/patients/{patient}/waves?channel={channel}&from={from}&to={to}");
        self.nurse.get(&path)["spans"].as_array().cloned().unwrap_or_default()
    }

    /// A count of the system page, such as `dead_letters`.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let system = self.admin.get("/api/v1/system");
        let count = &system["counters"][name];
        count.as_u64().unwrap_or_else(|| panic!("no counter {name} in {system}"))
    }

    /// Waits until a count is at least this.
    pub(crate) fn counts(&self, name: &str, at_least: u64) {
        let what = format!("{name} reaches {at_least}");
        eventually(&what, READABLE_WITHIN, || {
            let count = self.count(name);
            if count >= at_least { Ok(()) } else { Err(format!("it is {count}")) }
        });
    }

    /// Waits for the dead letter of this payload.
    pub(crate) fn letter(&self, payload: &[u8]) -> Value {
        eventually("the message is kept as a dead letter", READABLE_WITHIN, || {
            let letters = self.admin.all("/api/v1/dead-letters");
            for letter in letters.iter().filter(|it| it["size"] == payload.len()) {
                let id = letter["id"].as_str().unwrap();
                let whole = self.admin.get(&format!("/api/v1/dead-letters/{id}"));
                if whole["payload"].as_str() == Some(&base64(payload)) {
                    return Ok(whole);
                }
            }
            Err(format!("there are {}: {letters:?}", letters.len()))
        })
    }
}

/// A span of time as the interface spells it.
pub(crate) struct Span {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Span {
    /// From before now until after now.
    pub(crate) fn around_now() -> Self {
        let now = jiff::Timestamp::now();
        Self::between(now - Duration::from_secs(600), now + Duration::from_secs(60))
    }

    /// From a day before now until a day after it.
    pub(crate) fn days_around_now() -> Self {
        let (now, day) = (jiff::Timestamp::now(), Duration::from_secs(86_400));
        Self::between(now - day, now + day)
    }

    fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> Self {
        let spell = |at: jiff::Timestamp| format!("{at:.3}");
        Self { from: spell(from), to: spell(to) }
    }

    /// The same in pieces of an hour at most.
    pub(crate) fn hours_since_millis(from: i64) -> Vec<Self> {
        let (hour, end) = (3_600_000, jiff::Timestamp::now().as_millisecond() + 60_000);
        let at = |millis: i64| jiff::Timestamp::from_millisecond(millis.min(end)).unwrap();
        let begins = (0..).map(|n| from + n * hour).take_while(|begin| *begin < end);
        begins.map(|begin| Self::between(at(begin), at(begin + hour))).collect()
    }

    /// From milliseconds since 1970 until after now.
    pub(crate) fn since_millis(from: i64) -> Self {
        let from = jiff::Timestamp::from_millisecond(from).unwrap();
        Self::between(from, jiff::Timestamp::now() + Duration::from_secs(60))
    }
}

/// RFC 4648, section 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[test]
fn base64_is_that_of_the_standard() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
