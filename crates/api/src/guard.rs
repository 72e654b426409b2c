//! What stands before every route: who asks, about what, by which rule, and the trace of it.
//!
//! A handler gets a [`Caller`] that only the guard can make, so a route without a
//! decision does not compile into something that reads data.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State},
    http::{Extensions, HeaderMap, Method, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use engine::Directory;
use model::{
    BedId, CareUnitId, EmergencyId, HandOverId, Id, Kind, OrgId, PatientId, Post, Role, RoomId,
    SessionId, SiteId, StaffId, Timestamp,
};
use record::{Actor, AuditEntry, Body};
use security::{
    Action, Decision, EMERGENCY, EMERGENCY_UNRECORDED, Resource, SHARED, Who, permit, sha256,
};
use store::Ticket;
use tokio::time::timeout;

use crate::{
    Api,
    command::{entry, in_an_emergency, not_appended},
    limits::EMERGENCY_WITHIN,
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
    let Remote(remote) = Remote::of(request.extensions());
    let is_own_page = request.headers().contains_key(OWN_PAGE);
    let is_unsafe = !matches!(gate.method, Method::GET | Method::HEAD);
    if is_unsafe && !is_own_page {
        let problem = Problem::forbidden(
            "a change needs the header `x-wardline: 1`, which other sites cannot send",
        );
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

/// Where a request comes from: address and port of the other end of its connection.
#[derive(Clone, Debug)]
pub(crate) struct Remote(pub(crate) String);

impl Remote {
    fn of(extensions: &Extensions) -> Self {
        let remote = extensions.get::<ConnectInfo<SocketAddr>>();
        Self(
            remote.map_or_else(|| "unknown".to_owned(), |ConnectInfo(address)| address.to_string()),
        )
    }

    /// The address without the port, which changes with each connection.
    pub(crate) fn address(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(address, _)| address)
    }
}

impl<S: Sync> FromRequestParts<S> for Remote {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
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
        let (mut who, session) = signed_in(&directory, headers, at)?;
        who.is_recorded = self.api.records();
        let own = Resource::org(who.org);
        let Access::Permitted(action, scope) = self.access else {
            return Ok(Caller { who, session, at, remote, resource: own, _only_here: () });
        };
        let resource = self.find(&directory, &who, scope, uri, params).await?;
        if scope == Scope::ChargePost {
            at_home_where_nobody_is_in_charge(&directory, &mut who, &resource);
        }
        let decision = permit(&who, action, &resource);
        let mut caller = Caller { who, session, at, remote, resource, _only_here: () };
        let path = format!("{} {}", self.method, uri.path());
        let is_look = self.method == Method::GET;
        // A look is on its way to the disk; a change is traced durably before it is made.
        if is_look && decision.is_allowed() {
            if is_traced(action, caller.who.role) {
                self.api.trace_look(&caller, action, &caller.resource, path, &decision);
            }
            return Ok(caller);
        }
        let trace = self.api.trace(&caller, action, &caller.resource, path.clone(), &decision);
        match decision {
            Decision::Allowed { .. } if action == Action::OpenInEmergency => {
                let traced = async { trace.await.map_err(not_appended) };
                in_an_emergency(traced).await.map(|_| caller)
            }
            Decision::Allowed { .. } => trace.await.map(|_| caller).map_err(not_appended),
            Decision::Denied { rule: EMERGENCY, explanation } if is_look => {
                if let Ok(Ok(_)) = timeout(EMERGENCY_WITHIN, trace).await {
                    return Err(denied(EMERGENCY, explanation));
                }
                // No more could the reason be recorded that would open it.
                caller.who.is_recorded = false;
                let asked = self.api.permit_look(&caller, action, caller.resource, path);
                asked.map(|()| caller)
            }
            Decision::Denied { rule, explanation } => {
                // A refusal stands even while nothing can be recorded.
                let _ = trace.await;
                Err(denied(rule, explanation))
            }
        }
    }

    async fn find(
        &self,
        directory: &Directory,
        who: &Who,
        scope: Scope,
        uri: &Uri,
        params: &RawPathParams,
    ) -> Result<Resource, Problem> {
        let (org, own) = (who.org, who.patient);
        let of_org = Resource::org(org);
        let unit = |id: CareUnitId| {
            let org = directory.org_of_care_unit(id).ok_or_else(|| nothing("care unit"))?;
            Ok(Resource { care_unit: Some(id), ..Resource::org(org) })
        };
        match scope {
            Scope::Org => Ok(of_org),
            Scope::CareUnitOfQuery => match query_value(uri, "care_unit") {
                Some(text) => unit(parse(&text)?),
                None => Ok(of_org),
            },
            Scope::CareUnit | Scope::ChargePost => unit(path_id(params)?),
            Scope::Patient => patient_resource(directory, path_id(params)?),
            // A login that is nobody's own is refused by the policy, not by a missing page.
            Scope::Own => own.map_or(Ok(of_org), |patient| patient_resource(directory, patient)),
            Scope::HandOver => {
                let id: HandOverId = path_id(params)?;
                let found = directory.hand_overs.get(&id).ok_or_else(|| nothing("hand-over"))?;
                unit(found.hand_over.care_unit)
            }
            Scope::Emergency => {
                let id: EmergencyId = path_id(params)?;
                let found = directory.emergencies.get(&id).ok_or_else(|| nothing("access"))?;
                let of = patient_resource(directory, found.access.patient)?;
                // Whoever runs the care unit where it was opened answers, and so does whoever
                // runs the one where the patient is now.
                let mut told = who.care_units.iter().copied();
                let own = told.find(|unit| found.concerns(*unit, directory));
                Ok(Resource { care_unit: own.or(found.care_unit), ..of })
            }
            Scope::Bed => {
                let bed: BedId = path_id(params)?;
                let of = directory.care_unit_of_bed(bed).ok_or_else(|| nothing("bed"))?;
                Ok(Resource { patient: directory.patient_in(bed), ..unit(of)? })
            }
            Scope::Room => {
                let id: RoomId = path_id(params)?;
                unit(directory.rooms.get(&id).ok_or_else(|| nothing("room"))?.care_unit)
            }
            Scope::Site => {
                let id: SiteId = path_id(params)?;
                let org = directory.org_of_site(id).ok_or_else(|| nothing("site"))?;
                Ok(Resource::org(org))
            }
            Scope::Alarm => {
                let found = self.api.find_alarm(org, path_id(params)?).await?;
                found.map(|alarm| alarm.resource()).ok_or_else(|| nothing("alarm"))
            }
            Scope::Device => {
                let id = path_id(params)?;
                let device = directory.devices.get(&id).ok_or_else(|| nothing("device"))?;
                let care_unit = directory.care_unit_of_device(id);
                Ok(Resource { care_unit, ..Resource::org(device.org) })
            }
        }
    }
}

/// A unit without anybody in charge is every charge nurse's own, as far as its charge
/// post goes: somebody has to be the first, and nobody could give it to them.
fn at_home_where_nobody_is_in_charge(directory: &Directory, who: &mut Who, post: &Resource) {
    if let Some(unit) = post.care_unit.filter(|unit| directory.charge_of(*unit).is_none())
        && who.role == Role::ChargeNurse
        && who.org == post.org
    {
        who.care_units.push(unit);
    }
}

/// What another organization has does not exist for this one.
fn denied(rule: &str, explanation: String) -> Problem {
    match rule {
        "organization" => nothing("thing"),
        EMERGENCY => Problem::closed(explanation)
            .with_hint("give the reason, and the page opens for an hour; the ward is told"),
        SHARED => Problem::share_over(explanation),
        _ => Problem::forbidden(explanation),
    }
}

impl Api {
    /// Asks the policy about something more than the route says, and leaves the same trace.
    pub(crate) async fn permit_also(
        &self,
        caller: &Caller,
        action: Action,
        resource: Resource,
        path: String,
    ) -> Result<(), Problem> {
        let decision = permit(&caller.who, action, &resource);
        let trace = self.trace(caller, action, &resource, path, &decision).await;
        match decision {
            Decision::Allowed { .. } => trace.map(drop).map_err(not_appended),
            Decision::Denied { rule, explanation } => Err(denied(rule, explanation)),
        }
    }

    /// Asks the policy about a look that the route does not name; its trace is on its way
    /// to the disk when this returns.
    pub(crate) fn permit_look(
        &self,
        caller: &Caller,
        action: Action,
        resource: Resource,
        path: String,
    ) -> Result<(), Problem> {
        let decision = permit(&caller.who, action, &resource);
        self.trace_look(caller, action, &resource, path, &decision);
        match decision {
            Decision::Allowed { .. } => Ok(()),
            Decision::Denied { rule, explanation } => Err(denied(rule, explanation)),
        }
    }

    /// The audit record of a look, a change or a refusal.
    pub(crate) fn trace(
        &self,
        caller: &Caller,
        action: Action,
        found: &Resource,
        path: String,
        decision: &Decision,
    ) -> Ticket {
        let entry = AuditEntry {
            actor: caller.actor(),
            action: action.word().to_owned(),
            patient: found.patient,
            resource: path,
            allowed: decision.is_allowed(),
            rule: decision.rule().to_owned(),
            remote: caller.remote.clone(),
        };
        self.audit(caller.who.org, caller.at, entry)
    }

    /// The audit record of a look, on its way to the disk. One that is allowed because
    /// nothing is recorded may never get there; the log then has it, without the patient.
    pub(crate) fn trace_look(
        &self,
        caller: &Caller,
        action: Action,
        found: &Resource,
        path: String,
        decision: &Decision,
    ) {
        let trace = self.trace(caller, action, found, path, decision);
        if decision.rule() == EMERGENCY_UNRECORDED {
            let user = caller.who.user;
            tokio::spawn(async move {
                if let Err(error) = trace.await {
                    tracing::warn!(%user, action = action.word(), %error, "look_not_recorded");
                }
            });
        }
    }

    /// Whether what somebody does now is recorded, as far as anybody can know.
    pub(crate) fn records(&self) -> bool {
        self.journal.records_within(EMERGENCY_WITHIN)
    }

    /// Hands an audit record to the journal.
    pub(crate) fn audit(&self, org: OrgId, at: Timestamp, record: AuditEntry) -> Ticket {
        self.journal.append(vec![entry(org, org.into(), at, &Body::Audit(record))])
    }
}

/// Whether looking at this leaves a trace: it shows patients' data, or who looked at them.
fn is_traced(action: Action, role: Role) -> bool {
    matches!(
        action,
        Action::ReadPatient
            | Action::ReadBoard
            | Action::ReadAlarms
            | Action::ReadDeadLetters
            | Action::ReadAudit
            | Action::ReadPatientAudit
            | Action::ReadHandOvers
            | Action::ReviewEmergency
    )
        // Those who look after machines see no name there.
        || (action == Action::ReadDevices && role != Role::It)
        // A patient's look at themselves is nobody's business; that of somebody else is theirs.
        || (action == Action::ReadOwn && role != Role::Patient)
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
    Ok((who(directory, user, at), session.id))
}

/// A user as the policy sees one at this moment, while the journal records.
pub(crate) fn who(directory: &Directory, user: &model::User, at: Timestamp) -> Who {
    let waits = directory.hand_overs.values().filter(|it| it.ended.is_none());
    let for_me = waits.filter(|it| user.staff == Some(it.hand_over.to));
    let coming_to = for_me.map(|it| it.hand_over.care_unit).collect();
    let care_units = user.staff.map(|staff| units_of(directory, staff)).unwrap_or_default();
    let left_lately = care_units.iter().flat_map(|unit| directory.left_lately(*unit, at)).collect();
    let patient = match user.role {
        Role::Family => directory.shares_with(user.id, at),
        _ => user.patient,
    };
    Who {
        user: user.id,
        org: user.org,
        role: user.role,
        staff: user.staff,
        patient,
        care_units,
        coming_to,
        opened: directory.open_to(user.id, at).collect(),
        left_lately,
        is_recorded: true,
    }
}

/// The care units in which a member of staff holds a post now.
pub(crate) fn units_of(directory: &Directory, staff: StaffId) -> Vec<CareUnitId> {
    let posts =
        directory.assignments.keys().filter(|post| directory.holder_of(**post) == Some(staff));
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
pub(crate) fn patient_resource(
    directory: &Directory,
    patient: PatientId,
) -> Result<Resource, Problem> {
    let org = directory.patients.get(&patient).ok_or_else(|| nothing("patient"))?.org;
    // Whoever is told of a patient's alarms reads the page.
    let care_unit = directory.care_unit_caring_for(patient);
    let has_left = directory.has_left(patient);
    Ok(Resource { org, care_unit, patient: Some(patient), has_left })
}

/// The session token of the request's cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs =
        all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
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
