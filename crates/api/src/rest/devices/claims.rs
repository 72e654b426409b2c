//! A new device is put in service by whoever has it in hand: a short code on its box, or
//! the same as a picture for a phone's camera.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
};
use model::{CareUnitId, DeviceId, PatientId, Role, Subject};
use record::Wish;
use security::{Action, Resource, random_bytes, sha256};

use crate::{
    Api,
    dto::{
        device,
        fleet::{ClaimCode, Claimable, GivenCode, TakeClaim},
        words::time,
    },
    extract::{Given, Named},
    guard::{Caller, parse, patient_resource},
    limits::CLAIM_LASTS,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Letters that nobody mistakes for others: no I, L, O, U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many of them a code has: 40 bits, which nobody guesses within its time.
const CODE_LEN: usize = 8;

pub(super) fn routes() -> Vec<Route> {
    let claim = Access::Permitted(Action::ClaimDevice, Scope::Org);
    vec![
        Route::new(
            Method::POST,
            "/devices/{id}/claim",
            Access::Permitted(Action::OfferClaim, Scope::Device),
            "Makes a one-time code by which whoever has the device puts it in service",
            offer,
        )
        .answers::<ClaimCode>()
        .status(201),
        Route::new(
            Method::POST,
            "/claims/look",
            claim,
            "Which device a code is for; nothing happens",
            look,
        )
        .takes::<GivenCode>()
        .answers::<Claimable>(),
        Route::new(
            Method::POST,
            "/claims",
            claim,
            "Uses a code: the device is in service, in a place or on a patient",
            take,
        )
        .takes::<TakeClaim>()
        .answers::<device::Device>(),
    ]
}

/// A code as people type it: spaces, hyphens and small letters do not matter.
fn plain(code: &str) -> String {
    let letters = code.chars().filter(|letter| letter.is_ascii_alphanumeric());
    letters
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

fn fresh_code() -> Result<String, Problem> {
    let random: [u8; CODE_LEN] = random_bytes().map_err(Problem::fault)?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte & 31)).map_or('0', |it| char::from(*it));
    Ok(random.iter().map(letter).collect())
}

async fn offer(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Named(id): Named<String>,
) -> Result<(StatusCode, Json<ClaimCode>), Problem> {
    let device: DeviceId = parse(&id)?;
    let directory = api.engine.directory();
    let known = directory.devices.get(&device);
    let known = known.ok_or_else(|| Problem::not_found("there is no such device"))?;
    let code = fresh_code()?;
    let expires_at = caller.at.after(CLAIM_LASTS);
    let code_hash = sha256(code.as_bytes());
    api.ask(&caller, Wish::OfferClaim { device, code_hash, expires_at }).await?;
    let (front, back) = code.split_at(CODE_LEN / 2);
    let path = format!("/claim?code={code}");
    // The address under which the asker reached us is the one that a phone reaches too.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if api.config.secure_cookies { "https" } else { "http" };
    let (qr_size, qr_path) = picture(&format!("{scheme}://{host}{path}"))?;
    let code = format!("{front}-{back}");
    let offered = ClaimCode {
        code,
        path,
        qr_size,
        qr_path,
        expires_at: time(expires_at),
        mqtt: api.mqtt_address(known),
        https: api.https_address(),
    };
    Ok((StatusCode::CREATED, Json(offered)))
}

/// The text as a QR code: how many modules wide, and its dark ones as the path of an SVG.
fn picture(text: &str) -> Result<(usize, String), Problem> {
    let code = qrcode::QrCode::new(text).map_err(Problem::fault)?;
    let width = code.width();
    let modules = code.to_colors();
    let dark = modules.iter().enumerate().filter(|(_, color)| **color == qrcode::Color::Dark);
    let squares = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width, at / width));
    Ok((width, squares.collect()))
}

impl Api {
    fn device_of_code(&self, caller: &Caller, code: &str) -> Result<DeviceId, Problem> {
        let directory = self.engine.directory();
        let hash = sha256(plain(code).as_bytes());
        let device = directory.claim_of(&hash, caller.at);
        let own = device.filter(|id| {
            directory.devices.get(id).is_some_and(|device| device.org == caller.who.org)
        });
        own.ok_or_else(|| Problem::not_found("this code is not known, used, or too old"))
    }

    /// Whether the caller may put a device into this care unit: those who work there may, and
    /// IT, which says of every device where it belongs.
    async fn permit_unit(&self, caller: &Caller, unit: CareUnitId) -> Result<(), Problem> {
        let org = self.engine.directory().org_of_care_unit(unit);
        let org = org.ok_or_else(|| Problem::not_found("there is no such care unit"))?;
        let resource = Resource { care_unit: Some(unit), ..Resource::org(org) };
        let action = match caller.who.role {
            Role::It => Action::ClaimDevice,
            Role::Nurse | Role::ChargeNurse | Role::Physician | Role::Patient | Role::Family => {
                Action::AssociateDevice
            }
        };
        self.permit_also(caller, action, resource, "POST /api/v1/claims".to_owned()).await
    }
}

async fn look(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<GivenCode>,
) -> Result<Json<Claimable>, Problem> {
    let id = api.device_of_code(&caller, &given.code)?;
    let directory = api.engine.directory();
    let device = directory.devices.get(&id);
    let device = device.ok_or_else(|| Problem::not_found("there is no such device"))?;
    let profile = api.profiles.get(&device.profile);
    Ok(Json(Claimable {
        device: id.to_string(),
        label: device.label.clone(),
        serial: device.serial.clone(),
        profile: profile.map_or_else(|| device.profile.clone(), |known| known.words.clone()),
        mqtt: api.mqtt_address(device),
        https: api.https_address(),
    }))
}

async fn take(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<TakeClaim>,
) -> Result<Json<device::Device>, Problem> {
    let id = api.device_of_code(&caller, &given.code)?;
    let directory = api.engine.directory();
    let mut care_unit: Option<CareUnitId> = given.care_unit.as_deref().map(parse).transpose()?;
    if let Some(unit) = care_unit {
        api.permit_unit(&caller, unit).await?;
    }
    let subject = match (given.patient.as_deref(), given.room.as_deref()) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("a device is on a patient or in a room, not both"));
        }
        (Some(patient), None) => {
            let patient: PatientId = parse(patient)?;
            let resource = patient_resource(&directory, patient)?;
            let path = "POST /api/v1/claims".to_owned();
            api.permit_also(&caller, Action::AssociateDevice, resource, path).await?;
            care_unit = care_unit.or(resource.care_unit);
            Subject::Patient(patient)
        }
        (None, Some(room)) => {
            let room = api.room_for(&caller, room)?;
            let of = directory.rooms.get(&room).map(|room| room.care_unit);
            if let Some(unit) = of {
                api.permit_unit(&caller, unit).await?;
            }
            care_unit = care_unit.or(of);
            Subject::Place(room.into())
        }
        (None, None) => Subject::Nobody,
    };
    let code_hash = sha256(plain(&given.code).as_bytes());
    api.ask(&caller, Wish::Claim { code_hash, care_unit, subject }).await?;
    api.show_device(&caller, id).await.map(Json)
}

#[test]
fn a_code_is_read_however_it_is_typed() {
    assert_eq!(plain(" ab1o-9ilZ "), "AB10911Z");
    assert_eq!(plain("AB10-911Z"), "AB10911Z");
    let code = fresh_code().unwrap();
    assert_eq!((code.len(), plain(&code)), (CODE_LEN, code.clone()));
    assert_ne!(fresh_code().unwrap(), code);
}

#[test]
fn a_picture_has_its_three_corners() {
    let (size, path) = picture("https://ward.test/claim?code=AB10911Z").unwrap();
    assert!((21..=45).contains(&size), "{size}");
    // A finder pattern begins with a row of seven dark modules and a light one.
    let is_dark = |x: usize, y: usize| path.contains(&format!("M{x} {y}h1v1h-1z"));
    for (x, y) in [(0, 0), (size - 7, 0), (0, size - 7)] {
        assert!((0..7).all(|step| is_dark(x + step, y)), "at {x} {y}");
        assert!(!is_dark(x + 1, y + 1), "at {x} {y}");
    }
}
