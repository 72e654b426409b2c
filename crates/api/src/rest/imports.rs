//! Imports: history of a device comes in from files, part by part; who brought what stays known.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use model::{Device, ImportId, Timestamp};
use record::{AuditEntry, Body};
use security::{Action, unhex};
use serde::{Deserialize, Serialize};
use store::AuditFilter;
use utoipa::ToSchema;

use crate::{
    Api,
    command::{entry, new_id, not_appended, refused},
    dto::audit::AuditRecord,
    extract::{Given, Named},
    guard::{Caller, parse},
    import::{
        Compared, TakeError, Taken,
        part::{Counts, Part, PartTaken, Source},
        take,
    },
    limits::{
        IMPORT_FILE_LEN_MAX, IMPORT_PART_LEN_MAX, IMPORT_TURN_WITHIN, IMPORT_UNSEALED_POINTS_MAX,
        IMPORT_UNSEALED_SAMPLES_MAX, IMPORTS_SHOWN_MAX,
    },
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// By this word the audit trail tells of an import as a whole.
const WORD: &str = "import";
/// The forms that files come in.
const FORMS: [&str; 4] = ["csv", "parquet", "wfdb", "edf"];

/// An import that was begun.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportBegun)]
pub struct Begun {
    /// What each of its parts names.
    pub import: String,
}

/// How an import ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportEnded)]
pub struct Ended {
    /// Which.
    pub import: String,
    /// Of which file.
    pub source: Source,
    /// How much of it.
    pub counts: Counts,
}

/// What was brought in, by whom, the latest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Imports {
    items: Vec<AuditRecord>,
}

pub(crate) fn routes() -> Vec<Route> {
    let import = || Access::Permitted(Action::ImportData, Scope::Device);
    vec![
        Route::new(
            Method::POST,
            "/devices/{id}/imports",
            import(),
            "Begins an import of a file as history of the device",
            begin,
        )
        .takes::<Source>()
        .answers::<Begun>()
        .status(201),
        Route::new(
            Method::POST,
            "/devices/{id}/imports/part",
            import(),
            "Takes a part of the file, or says what would become of it",
            part,
        )
        .takes::<Part>()
        .answers::<PartTaken>()
        .body_len_max(IMPORT_PART_LEN_MAX),
        Route::new(
            Method::POST,
            "/devices/{id}/imports/end",
            import(),
            "Ends an import, with how much of it was taken",
            end,
        )
        .takes::<Ended>()
        .answers::<Ended>(),
        Route::new(
            Method::GET,
            "/imports",
            Access::Permitted(Action::ReadAudit, Scope::Org),
            "What was brought in from files, the latest first",
            list,
        )
        .answers::<Imports>(),
    ]
}

fn check(source: &Source) -> Result<[u8; 32], Problem> {
    let is_name = !source.file.trim().is_empty()
        && source.file.len() <= IMPORT_FILE_LEN_MAX
        && !source.file.chars().any(|it| it.is_control() || it == '/');
    if !is_name {
        return Err(Problem::bad_request("`file` is no name of a file"));
    }
    if !FORMS.contains(&source.form.as_str()) {
        return Err(Problem::bad_request(format!("`form` is none of {}", FORMS.join(", "))));
    }
    unhex(&source.sha256)
        .ok_or_else(|| Problem::bad_request("`sha256` is not 64 hexadecimal digits"))
}

fn device_of(api: &Api, caller: &Caller, id: &str) -> Result<Device, Problem> {
    let found = api.engine.directory().devices.get(&parse(id)?).cloned();
    found
        .filter(|device| device.org == caller.who.org)
        .ok_or_else(|| Problem::not_found("there is no such device"))
}

impl Api {
    /// A line of the audit trail about an import as a whole; on the disk when it returns.
    async fn note_import(
        &self,
        caller: &Caller,
        device: &Device,
        what: String,
    ) -> Result<(), Problem> {
        let entry = AuditEntry {
            actor: caller.actor(),
            action: WORD.to_owned(),
            patient: None,
            resource: format!("{what} into device {} ({})", device.serial, device.id),
            allowed: true,
            rule: WORD.to_owned(),
            remote: caller.remote.clone(),
        };
        self.audit(caller.who.org, caller.at, entry).await.map(drop).map_err(not_appended)
    }
}

impl Api {
    /// Refuses what belongs to no import that this person began for this device and file.
    fn begun(
        &self,
        caller: &Caller,
        import: ImportId,
        (device, source): (&Device, &Source),
    ) -> Result<(), Problem> {
        let of = (caller.who.user, device.id, source.clone());
        self.begun_imports.has(import, &of).then_some(()).ok_or_else(|| {
            Problem::conflict(
                "you began no such import for this device and file since the server started; \
                 begin it again",
            )
        })
    }
}

async fn begin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(source): Given<Source>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    check(&source)?;
    let device = device_of(&api, &caller, &id)?;
    let import: ImportId = new_id(caller.at)?;
    let Source { file, form, sha256 } = &source;
    let what = format!("import {import} began: {file} ({form}, sha256 {sha256})");
    api.note_import(&caller, &device, what).await?;
    api.begun_imports.put(import, (caller.who.user, device.id, source));
    Ok((StatusCode::CREATED, Json(Begun { import: import.to_string() })))
}

async fn part(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(part): Given<Part>,
) -> Result<Json<PartTaken>, Problem> {
    let sha256 = check(&part.source)?;
    let device = device_of(&api, &caller, &id)?;
    let import: Option<ImportId> = part.import.as_deref().map(parse).transpose()?;
    if let Some(import) = import {
        api.begun(&caller, import, (&device, &part.source))?;
    }
    // To its end even if the caller goes away: what is on its way into the series has to be
    // there before the same part is looked at again.
    let work = tokio::spawn(async move {
        let turn = tokio::time::timeout(IMPORT_TURN_WITHIN, api.imports.lock()).await;
        let _turn = turn.map_err(|_| {
            Problem::import_waits("parts of other imports are before it; send it again")
        })?;
        if api.journal.status().condition != store::Condition::Recording {
            return Err(Problem::not_recording("nothing is recorded now"));
        }
        let (points, samples) = api.series.unsealed();
        if points > IMPORT_UNSEALED_POINTS_MAX || samples > IMPORT_UNSEALED_SAMPLES_MAX {
            let words = "what came before is still being sealed; send it again";
            return Err(Problem::import_waits(words));
        }
        let (found, part) = compared(&api, device.clone(), part).await?;
        let told = found.told.clone();
        if let Some(import) = import.filter(|_| !found.is_empty()) {
            let record = found.record((import, caller.who.user), &device, &part, sha256);
            journal(&api, &device, record).await?;
        }
        Ok(told)
    });
    work.await.map_err(Problem::fault)?.map(Json)
}

async fn compared(api: &Arc<Api>, device: Device, part: Part) -> Result<(Taken, Part), Problem> {
    let (series, profiles) = (api.series.clone(), Arc::clone(&api.profiles));
    let now: Timestamp = api.clock.now();
    let look = move || {
        let profile = profiles.get(&device.profile);
        let with = Compared { series: &series, device: &device, profile, now };
        take(&with, &part).map(|taken| (taken, part))
    };
    let found = tokio::task::spawn_blocking(look).await.map_err(Problem::fault)?;
    found.map_err(|error| match error {
        TakeError::TooMuch | TakeError::TooClose => Problem::bad_request(error),
        TakeError::Series(_) => Problem::caused_by(&error),
    })
}

/// Journals a part, and waits until it is in the series.
async fn journal(api: &Api, device: &Device, record: record::Imported) -> Result<(), Problem> {
    let partition = api.engine.directory().partition_of(device.id);
    let partition = partition.unwrap_or_else(|| device.org.into());
    let record = Body::Imported(record);
    let entry = entry(device.org, partition, api.clock.now(), &record);
    let durable = api.journal.append(vec![entry]).await.map_err(not_appended)?;
    api.engine.outcome(&durable).await.map(drop).map_err(refused)
}

async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(ended): Given<Ended>,
) -> Result<Json<Ended>, Problem> {
    check(&ended.source)?;
    let device = device_of(&api, &caller, &id)?;
    let import: ImportId = parse(&ended.import)?;
    api.begun(&caller, import, (&device, &ended.source))?;
    let Counts {
        values_taken,
        values_there,
        values_refused,
        samples_taken,
        samples_there,
        samples_refused,
        ..
    } = ended.counts;
    let what = format!(
        "import {import} ended: {}, {values_taken} values and {samples_taken} samples taken, \
         {values_there} and {samples_there} there already, {values_refused} and \
         {samples_refused} refused,",
        ended.source.file
    );
    api.note_import(&caller, &device, what).await?;
    api.begun_imports.end(import);
    Ok(Json(ended))
}

async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Imports>, Problem> {
    let org = caller.who.org;
    let filter = AuditFilter { action: Some(WORD.to_owned()), ..AuditFilter::default() };
    let rows = api.look_up(move |records| records.audit(org, &filter, IMPORTS_SHOWN_MAX)).await?;
    let directory = api.engine.directory();
    let items = rows.into_iter().map(|row| AuditRecord::of(&row, &directory)).collect();
    Ok(Json(Imports { items }))
}
