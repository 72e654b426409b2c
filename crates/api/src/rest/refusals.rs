//! Why a device was turned away, findable by its certificate, its numbers or its address.

use std::sync::Arc;

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use ingest::{Refused, remedy};
use model::{Certificate, DeviceId, Role, Subject};
use security::{Action, hex};
use serde::Deserialize;

use crate::{
    Api,
    dto::{
        bed::Named,
        refusal::{Refusal, RefusedDevice, searched},
        words::time,
    },
    extract::Asked,
    guard::Caller,
    limits::SEARCH_LEN_MAX,
    paging::{Page, PageQuery},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/refusals",
            Access::Permitted(Action::ReadDevices, Scope::Org),
            "Devices that were turned away, why, and what to do; the latest first",
            list,
        )
        .query(
            "search",
            "Part of a device's name, number or serial number, of a certificate's serial number, fingerprint or subject, of an address, or of a bed",
        )
        .query("device", "Only those of this device")
        .lists::<Refusal>(),
    ]
}

#[derive(Debug, Deserialize)]
struct Which {
    search: Option<String>,
    device: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Refusal>>, Problem> {
    let search = searched(&which.search.unwrap_or_default());
    if search.len() > SEARCH_LEN_MAX {
        return Err(Problem::bad_request(format!("a search has at most {SEARCH_LEN_MAX} bytes")));
    }
    let directory = api.engine.directory();
    let connections = api.mqtt.as_ref().map(|mqtt| mqtt.connections()).unwrap_or_default();
    let show = |refused: Refused| {
        let device = refused.device.and_then(|id| directory.devices.get(&id));
        let is_foreign = device.is_some_and(|device| device.org != caller.who.org);
        // Strangers are for those who look after the network.
        let is_stranger = device.is_none() && caller.who.role != Role::It;
        if is_foreign || is_stranger {
            return None;
        }
        let from = connections.iter().find(|it| Some(it.device) == refused.device);
        let from = from.map(|it| it.remote.to_string());
        Some(shown(refused, device, &directory, caller.who.role, from))
    };
    let all = api.door.refusals().all().into_iter().filter_map(show);
    let wanted = all
        .filter(|it| which.device.as_ref().is_none_or(|device| it.is_of(device)))
        .filter(|it| search.is_empty() || it.text().contains(&search));
    let page = PageQuery { cursor: which.cursor, limit: which.limit };
    page.cut(wanted).map(Json)
}

fn shown(
    refused: Refused,
    device: Option<&model::Device>,
    directory: &Directory,
    role: Role,
    connected_from: Option<String>,
) -> Refusal {
    let bed = device.filter(|_| role != Role::It).and_then(|device| {
        let Subject::Patient(patient) = directory.subject_of(device.id) else { return None };
        directory.beds.get(&directory.bed_of(patient)?)
    });
    Refusal {
        is_proved: refused.device.is_some() && refused.fingerprint.is_none(),
        is_kept: refused.reason == "clock:off",
        device: device.map(|device| RefusedDevice {
            id: device.id.to_string(),
            name: device.label.clone(),
            serial: device.serial.clone(),
        }),
        named: refused.device.map(|id| id.to_string()),
        bed: bed.map(|bed| Named { id: bed.id.to_string(), name: bed.name.clone() }),
        certificate_serial: refused.serial.as_deref().map(hex),
        fingerprint: refused.fingerprint.as_ref().map(|bytes| hex(bytes)),
        subject: refused.subject,
        papers: device.map(|device| papers_of(directory, device.id)).unwrap_or_default(),
        remote: Some(refused.remote).filter(|remote| !remote.is_empty()).or(connected_from),
        remedy: remedy(&refused.reason).to_owned(),
        reason: refused.reason,
        words: refused.words,
        count: refused.count,
        first_at: time(refused.first_at),
        last_at: time(refused.last_at),
    }
}

/// Serial numbers and fingerprints of what a device was issued, revoked ones too.
fn papers_of(directory: &Directory, device: DeviceId) -> Vec<String> {
    let of = |it: &Certificate| [Some(hex(&it.serial)), it.fingerprint.as_ref().map(|it| hex(it))];
    directory.certificates_of(device).flat_map(of).flatten().collect()
}
