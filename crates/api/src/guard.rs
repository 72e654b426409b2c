//! What stands before every route: who asks, about what, by which rule, and the trace of it.
//!
//! A handler gets a [`Caller`] that only the guard can make, so a route without a
//! decision does not compile into something that reads data.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State},
    http::{HeaderMap, Method, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use engine::Directory;
use model::{BedId, CareUnitId, Id, Kind, OrgId, PartitionId, PatientId, Post, SessionId, Timestamp};
use record::{Actor, AuditEntry, Body};
use security::{Action, Decision, Resource, Who, permit, sha256};
use store::{Entry, Ticket};

use crate::{
    Api,
    problem::Problem,
    routes::{Access, Scope},
};

/// The name of the session's cookie.
pub(crate) const COOKIE: &str = "wardline";
/// A header that no other site can make a browser send.
const OWN_PAGE: &str = "x-wardline";

/// One row of the table, at the door.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) api: Arc<Api>,
    pub(crate) access: Access,
    pub(crate) method: Method,
}

/// Whoever passed the guard, with what it was allowed to reach.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) who: Who,
    pub(crate) session: SessionId,
    pub(crate) at: Timestamp,
    pub(crate) remote: String,
    pub(crate) resource: Resource,
    _only_here: (),
}

impl Caller {
    /// Who stands behind the caller's commands.
    pub(crate) const fn actor(&self) -> Actor {
        Actor::User(self.who.user)
    }

    /// The patient whom the route is about.
    pub(crate) fn patient(&self) -> Result<PatientId, Problem> {
        self.resource.patient.ok_or_else(|| Problem::not_found("there is no such patient"))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::fault("a handler asked for a caller on a public route"))
    }
}

/// Lets a request through to its handler, or answers why not.
pub(crate) async fn admit(
    State(gate): State<Gate>,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let remote = remote_of(&request);
    let is_own_page = request.headers().contains_key(OWN_PAGE);
    let is_unsafe = !matches!(gate.method, Method::GET | Method::HEAD);
    if is_unsafe && !is_own_page {
        let problem = Problem::forbidden("a change needs the header `x-wardline: 1`, which other sites cannot send");
        return problem.into_response();
    }
    if let Access::Public(_) = gate.access {
        return next.run(request).await;
    }
    match gate.identify(request.headers(), request.uri(), &params, remote).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn remote_of(request: &Request) -> String {
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>();
    remote.map_or_else(|| "unknown".to_owned(), |ConnectInfo(address)| address.to_string())
}

impl Gate {
    async fn identify(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        params: &RawPathParams,
        remote: String,
    ) -> Result<Caller, Problem> {
        let at = self.api.clock.now();
        let directory = self.api.engine.directory();
        let (who, session) = signed_in(&directory, headers, at)?;
        let own = Resource { org: who.org, care_unit: None, patient: None };
        let Access::Permitted(action, scope) = self.access else {
            return Ok(Caller { who, session, at, remote, resource: own, _only_here: () });
        };
        let found = self.find(&directory, who.org, scope, uri, params).await?;
        let decision = permit(&who, action, &found);
        let trace = self.trace(&who, action, &found, uri, &decision, &remote, at);
        match decision {
            Decision::Allowed { .. } => {
                // A change is traced durably before it is made; a look is on its way to the disk.
                if self.method != Method::GET && let Some(trace) = trace {
                    trace.await.map_err(|error| Problem::not_recording(error.to_string()))?;
                }
                Ok(Caller { who, session, at, remote, resource: found, _only_here: () })
            }
            Decision::Denied { explanation, .. } => {
                if let Some(trace) = trace {
                    // A refusal stands even while nothing can be recorded.
                    let _ = trace.await;
                }
                Err(Problem::forbidden(explanation))
            }
        }
    }

    async fn find(
        &self,
        directory: &Directory,
        org: OrgId,
        scope: Scope,
        uri: &Uri,
        params: &RawPathParams,
    ) -> Result<Resource, Problem> {
        let of_org = Resource { org, care_unit: None, patient: None };
        let unit = |id: CareUnitId| {
            let org = directory.org_of_care_unit(id).ok_or_else(|| nothing("care unit"))?;
            Ok(Resource { org, care_unit: Some(id), patient: None })
        };
        match scope {
            Scope::Org => Ok(of_org),
            Scope::CareUnitOfQuery => match query_value(uri, "care_unit") {
                Some(text) => unit(parse(&text)?),
                None => Ok(of_org),
            },
            Scope::CareUnit => unit(path_id(params)?),
            Scope::Patient => patient_resource(directory, path_id(params)?),
            Scope::Bed => {
                let bed: BedId = path_id(params)?;
                let of = directory.care_unit_of_bed(bed).ok_or_else(|| nothing("bed"))?;
                Ok(Resource { patient: directory.patient_in(bed), ..unit(of)? })
            }
            Scope::Alarm => {
                let alarm = self.api.engine.alarm(path_id(params)?).await;
                let alarm = alarm.ok_or_else(|| nothing("alarm"))?;
                Ok(Resource { patient: alarm.patient, ..unit(alarm.care_unit)? })
            }
            Scope::Device => {
                let id = path_id(params)?;
                let device = directory.devices.get(&id).ok_or_else(|| nothing("device"))?;
                let care_unit = directory.care_unit_of_device(id);
                Ok(Resource { org: device.org, care_unit, patient: None })
            }
        }
    }

    /// The audit record of this request, if it is one that leaves a trace: a look at a
    /// patient, a change, or a refusal.
    #[expect(clippy::too_many_arguments, reason = "an audit record has these seven facts")]
    fn trace(
        &self,
        who: &Who,
        action: Action,
        found: &Resource,
        uri: &Uri,
        decision: &Decision,
        remote: &str,
        at: Timestamp,
    ) -> Option<Ticket> {
        let is_look = self.method == Method::GET;
        if is_look && decision.is_allowed() && !shows_patients(action) {
            return None;
        }
        let entry = AuditEntry {
            actor: Actor::User(who.user),
            action: action.word().to_owned(),
            patient: found.patient,
            resource: format!("{} {}", self.method, uri.path()),
            allowed: decision.is_allowed(),
            rule: decision.rule().to_owned(),
            remote: remote.to_owned(),
        };
        Some(self.api.audit(who.org, at, entry))
    }
}

/// Whether looking at this shows patients' data, so that each look leaves a trace.
const fn shows_patients(action: Action) -> bool {
    matches!(action, Action::ReadPatient | Action::ReadBoard | Action::ReadAlarms)
}

/// The person of the request's session cookie.
pub(crate) fn signed_in(
    directory: &Directory,
    headers: &HeaderMap,
    at: Timestamp,
) -> Result<(Who, SessionId), Problem> {
    let out = || Problem::signed_out("sign in first");
    let token = cookie(headers).ok_or_else(out)?;
    let (session, user) = directory.session(&sha256(token.as_bytes()), at).ok_or_else(out)?;
    let care_units = user.staff.map(|staff| units_of(directory, staff)).unwrap_or_default();
    let who = Who { user: user.id, org: user.org, role: user.role, staff: user.staff, care_units };
    Ok((who, session.id))
}

/// The care units in which a member of staff holds a post now.
pub(crate) fn units_of(directory: &Directory, staff: model::StaffId) -> Vec<CareUnitId> {
    let posts = directory.assignments.keys().filter(|post| directory.holder_of(**post) == Some(staff));
    let mut units: Vec<CareUnitId> = posts
        .filter_map(|post| match post {
            Post::Bed(bed) => directory.care_unit_of_bed(*bed),
            Post::Charge(unit) => Some(*unit),
        })
        .collect();
    units.sort_unstable();
    units.dedup();
    units
}

/// A patient as the policy sees one.
pub(crate) fn patient_resource(directory: &Directory, patient: PatientId) -> Result<Resource, Problem> {
    let org = directory.patients.get(&patient).ok_or_else(|| nothing("patient"))?.org;
    Ok(Resource { org, care_unit: directory.care_unit_of(patient), patient: Some(patient) })
}

/// The session token of the request's cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, token)| token.to_owned()).next()
}

fn nothing(what: &str) -> Problem {
    Problem::not_found(format!("there is no such {what}"))
}

fn path_id<K: Kind>(params: &RawPathParams) -> Result<Id<K>, Problem> {
    let text = params.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| value);
    parse(text)
}

/// An id from a caller's text.
pub(crate) fn parse<K: Kind>(text: &str) -> Result<Id<K>, Problem> {
    text.parse().map_err(Problem::bad_request)
}

fn query_value(uri: &Uri, key: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).next()
}

impl Api {
    /// Hands an audit record to the journal.
    pub(crate) fn audit(&self, org: OrgId, at: Timestamp, entry: AuditEntry) -> Ticket {
        let (kind, body_version, body) = Body::Audit(entry).encode();
        let partition = PartitionId::from(org);
        self.journal.append(vec![Entry { kind, body_version, org, partition, received_at: at, key_id: 0, body }])
    }
}
