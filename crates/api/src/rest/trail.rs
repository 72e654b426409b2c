//! Who looked at what: the whole trail, what of it is about one patient, and a file to take away.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{Method, header},
    response::{IntoResponse, Response},
};
use engine::Directory;
use model::{OrgId, PatientId, Role};
use record::Actor;
use security::Action;
use serde::{Deserialize, Serialize};
use store::{AuditFilter, LogOffset};
use utoipa::ToSchema;

use super::{audit::paged, session::name_of};
use crate::{
    Api,
    dto::{
        audit::AuditRecord,
        words::{Spelt as _, read_time, time},
    },
    extract::Asked,
    guard::Caller,
    limits::{AUDIT_EXPORT_MAX, LOOKS_MAX},
    paging::{Page, PageQuery},
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// Somebody who looked at a patient.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Look {
    user: String,
    name: String,
    role: Option<&'static str>,
    count: u64,
    first_at: String,
    last_at: String,
    /// When they last made a one-time link for the patient's own login, by which a new
    /// password is set; null if never.
    link_made_at: Option<String>,
    /// When they last opened the page in an emergency, and why; null if never.
    emergency: Option<LookInEmergency>,
}

/// A page that was opened in an emergency, as the patient is told it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LookInEmergency {
    at: String,
    /// `life_at_risk`, `called_to_help`, `transfer` or `other`.
    reason: &'static str,
}

/// Everybody who looked at a patient, the latest look first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Looks {
    /// The patient's number; names are not repeated here.
    record_number: String,
    items: Vec<Look>,
}

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadAudit, Scope::Org);
    let of_patient = Access::Permitted(Action::ReadPatientAudit, Scope::Patient);
    let filtered = |route: Route| {
        route
            .query("patient", "Only about this patient, by id or record number")
            .query("actor", "Only by this user, by id or login")
            .query("action", "Only this word of the policy, such as `patient.read`")
            .query("outcome", "`allowed` or `refused`")
            .query("from", "RFC 3339 or unix milliseconds")
            .query("to", "RFC 3339 or unix milliseconds")
    };
    vec![
        filtered(Route::new(
            Method::GET,
            "/audit",
            read,
            "Who looked at what, the latest first",
            audit,
        ))
        .lists::<AuditRecord>(),
        filtered(Route::new(
            Method::GET,
            "/audit/export",
            read,
            "The same as a file of comma-separated values",
            export,
        )),
        Route::new(
            Method::GET,
            "/patients/{id}/looks",
            of_patient,
            "Who looked at a patient",
            looks,
        )
        .answers::<Looks>(),
    ]
}

#[derive(Debug, Deserialize)]
struct Which {
    patient: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl Which {
    fn filter(&self, directory: &Directory, org: OrgId) -> Result<AuditFilter, Problem> {
        let at = |what, text: &Option<String>| {
            text.as_deref().map(|text| read_time(what, text)).transpose()
        };
        let allowed = match self.outcome.as_deref() {
            None | Some("") => None,
            Some("allowed") => Some(true),
            Some("refused") => Some(false),
            Some(other) => {
                let words = format!("outcome is `{other}`; use one of: allowed, refused");
                return Err(Problem::bad_request(words));
            }
        };
        Ok(AuditFilter {
            patient: self
                .patient
                .as_deref()
                .map(|text| patient(directory, org, text))
                .transpose()?,
            user: self.actor.as_deref().map(|text| user(directory, org, text)).transpose()?,
            action: self.action.clone().filter(|word| !word.is_empty()),
            allowed,
            from: at("from", &self.from)?,
            to: at("to", &self.to)?,
            before: None,
        })
    }
}

/// A privacy officer has a wristband's number or a login in front of them, not an id.
fn patient(directory: &Directory, org: OrgId, text: &str) -> Result<PatientId, Problem> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let mut own = directory.patients.values().filter(|it| it.org == org);
    let found = own.find(|it| it.record_number.0.eq_ignore_ascii_case(text.trim()));
    found.map(|it| it.id).ok_or_else(|| Problem::not_found("no patient has this record number"))
}

fn user(directory: &Directory, org: OrgId, text: &str) -> Result<model::UserId, Problem> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let found = directory.user_by_login(org, &text.trim().to_lowercase());
    found.map(|it| it.id).ok_or_else(|| Problem::not_found("nobody has this login"))
}

async fn audit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<AuditRecord>>, Problem> {
    let (org, directory) = (caller.who.org, api.engine.directory());
    let filter = which.filter(&directory, org)?;
    let page = PageQuery { cursor: which.cursor, limit: which.limit };
    let len = page.len()?;
    let filter = AuditFilter { before: page.after()?.map(LogOffset::from_bytes), ..filter };
    let mut rows =
        api.look_up(move |records| records.audit(org, &filter, len.saturating_add(1))).await?;
    let next = paged(&mut rows, len, |row| row.offset);
    let items = rows.iter().map(|row| AuditRecord::of(row, &directory)).collect();
    Ok(Json(Page { items, next }))
}

async fn export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let (org, directory) = (caller.who.org, api.engine.directory());
    let filter = which.filter(&directory, org)?;
    let rows = api.look_up(move |records| records.audit(org, &filter, AUDIT_EXPORT_MAX)).await?;
    let mut text = String::from(
        "at,actor_kind,actor,role,action,patient_number,patient_id,resource,allowed,rule,remote\r\n",
    );
    for row in &rows {
        AuditRecord::of(row, &directory).write_line(&mut text);
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, text).into_response())
}

impl AuditRecord {
    fn write_line(&self, text: &mut String) {
        let (kind, name, role) = self.who();
        let allowed = if self.allowed { "yes" } else { "no" };
        let cells = [
            self.at.as_str(),
            kind,
            name,
            role.unwrap_or_default(),
            &self.action,
            self.patient_number.as_deref().unwrap_or_default(),
            self.patient.as_deref().unwrap_or_default(),
            &self.resource,
            allowed,
            &self.rule,
            &self.remote,
        ];
        let mut is_first = true;
        for value in cells {
            let comma = if is_first { "" } else { "," };
            is_first = false;
            // A string takes all that is written to it.
            let _ = write!(text, "{comma}{}", cell(value));
        }
        text.push_str("\r\n");
    }
}

/// A cell as RFC 4180 quotes it; what a spreadsheet would take for a formula is made text.
fn cell(value: &str) -> String {
    let is_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let value = if is_formula { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

async fn looks(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Looks>, Problem> {
    let patient = caller.patient()?;
    let items = api.looks(caller.who.org, patient).await?;
    let directory = api.engine.directory();
    let record_number = directory.patients.get(&patient).map(|it| it.record_number.0.clone());
    Ok(Json(Looks { record_number: record_number.unwrap_or_default(), items }))
}

impl Api {
    /// Who looked at a patient; a patient's look at themselves is nobody's business.
    ///
    /// Whoever made a link for the patient's login could look as the patient, so that is said.
    pub(crate) async fn looks(&self, org: OrgId, patient: PatientId) -> Result<Vec<Look>, Problem> {
        let links = AuditFilter {
            patient: Some(patient),
            action: Some(Action::InvitePatient.word().to_owned()),
            allowed: Some(true),
            ..AuditFilter::default()
        };
        let look_up = move |records: &store::Records| {
            let rows = records.looks_at(org, patient, LOOKS_MAX)?;
            Ok((rows, records.audit(org, &links, LOOKS_MAX)?))
        };
        let (rows, links) = self.look_up(look_up).await?;
        let directory = self.engine.directory();
        let look = |row: &store::LookRow| {
            let user = directory.users.get(&row.user)?;
            // The latest comes first.
            let link = links.iter().find(|link| link.entry.actor == Actor::User(row.user));
            let is_own = user.role == Role::Patient && user.patient == Some(patient);
            (!is_own).then(|| Look {
                user: user.id.to_string(),
                name: name_of(&directory, user),
                role: Some(user.role.word()),
                count: row.count,
                first_at: time(row.first_at),
                last_at: time(row.last_at),
                link_made_at: link.map(|link| time(link.at)),
                emergency: last_emergency(&directory, patient, row.user),
            })
        };
        Ok(rows.iter().filter_map(look).collect())
    }
}

fn last_emergency(
    directory: &Directory,
    patient: PatientId,
    user: model::UserId,
) -> Option<LookInEmergency> {
    let all = directory.emergencies.values();
    let own = all.filter(|it| it.access.patient == patient && it.by == user);
    let last = own.max_by_key(|it| it.opened_at)?;
    Some(LookInEmergency { at: time(last.opened_at), reason: last.access.reason.word() })
}

#[test]
fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
    for (value, want) in [
        ("patient.read", "patient.read"),
        ("GET /a,b", "\"GET /a,b\""),
        ("say \"x\"", "\"say \"\"x\"\"\""),
        ("two\nlines", "\"two\nlines\""),
        ("=1+1", "'=1+1"),
        ("@SUM(A1),1", "\"'@SUM(A1),1\""),
        ("", ""),
    ] {
        assert_eq!(cell(value), want);
    }
}
