//! The past of a patient, a device or a bed over any range, and how much of it is there.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use fleet::coverage::Stretch;
use model::{BedId, DeviceId, PatientId, Timestamp, Vital};
use security::{Action, Decision, Resource, permit};
use serde::Deserialize;
use store::{Pace, Resolution};

use super::past::not_read;
use crate::{
    Api,
    dto::{
        history::{Coverage, History, Withheld},
        words::{Spelt as _, read_time, time},
    },
    extract::{Asked, Named},
    guard::{Caller, parse, patient_resource},
    history::{
        Part, Source, Wanted, by_all_known, parts_of_bed, parts_of_device, parts_of_patient,
        put_together,
    },
    limits::{
        HISTORY_COLUMNS, HISTORY_COLUMNS_MAX, HISTORY_COLUMNS_MIN, HISTORY_LINES_MAX,
        HISTORY_SPAN_MAX, HISTORY_USUAL, OUTAGES_MAX, PULSE_EVERY,
    },
    past::Span,
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let patient = Access::Permitted(Action::ReadPatient, Scope::Patient);
    let device = Access::Permitted(Action::ReadDevices, Scope::Device);
    let bed = Access::Permitted(Action::ReadPatient, Scope::Bed);
    let asked = |route: Route| {
        route
            .query("from", "RFC 3339 or unix milliseconds; a day before `to` if it is left out")
            .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
            .query(
                "known_at",
                "Whose the values are is told as known at this time; now if it is left out. It changes \
                 nothing else: the values are all that there are now, and who may see them is \
                 asked by what is known now too",
            )
            .query("vital", "Names of vitals, separated by commas; every channel if left out")
    };
    let drawn = |path, access, summary| {
        let route = Route::new(Method::GET, path, access, summary, history);
        asked(route)
            .query("columns", "About how many columns, 10 to 5,000; up to twice as many come")
            .answers::<History>()
    };
    let covered = |path, access, summary| {
        asked(Route::new(Method::GET, path, access, summary, coverage)).answers::<Coverage>()
    };
    vec![
        drawn("/patients/{id}/measured", patient, "What was measured of a patient, to draw"),
        drawn(
            "/devices/{id}/measured",
            device,
            "What a device measured, on whom the caller may see",
        ),
        drawn("/beds/{id}/measured", bed, "What was measured of those who lay in a bed"),
        covered("/patients/{id}/coverage", patient, "What was promised of a patient, and came"),
        covered("/devices/{id}/coverage", device, "What a device promised, and what came"),
        covered("/beds/{id}/coverage", bed, "What was promised of those in a bed, and came"),
    ]
}

#[derive(Debug, Deserialize)]
struct Range {
    from: Option<String>,
    to: Option<String>,
    known_at: Option<String>,
    vital: Option<String>,
    columns: Option<u32>,
}

impl Range {
    fn span(&self, now: Timestamp) -> Result<Span, Problem> {
        let to = self.to.as_deref().map_or(Ok(now), |text| read_time("to", text))?;
        let before = to.before(HISTORY_USUAL);
        let from = self.from.as_deref().map_or(Ok(before), |text| read_time("from", text))?;
        if from >= to {
            return Err(Problem::bad_request("from is not before to"));
        }
        if to.since(from) > HISTORY_SPAN_MAX {
            let days = HISTORY_SPAN_MAX.as_secs() / 86_400;
            return Err(Problem::bad_request(format!("the range is longer than {days} days")));
        }
        Ok(Span { from, to })
    }

    fn known_at(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        self.known_at.as_deref().map_or(Ok(now), |text| read_time("known_at", text))
    }

    fn wanted(&self) -> Result<Wanted, Problem> {
        let Some(names) = self.vital.as_deref() else { return Ok(Wanted::All) };
        let vitals: Result<Vec<Vital>, Problem> =
            names.split(',').map(|name| Vital::read(name.trim())).collect();
        vitals.map(Wanted::Vitals)
    }

    fn columns(&self) -> Result<u32, Problem> {
        match self.columns.unwrap_or(HISTORY_COLUMNS) {
            columns @ HISTORY_COLUMNS_MIN..=HISTORY_COLUMNS_MAX => Ok(columns),
            other => Err(Problem::bad_request(format!(
                "columns is {other}; use {HISTORY_COLUMNS_MIN} to {HISTORY_COLUMNS_MAX}"
            ))),
        }
    }
}

/// What closes a part of somebody whom nobody knows, in the place of a rule of the policy.
const UNKNOWN_PATIENT: &str = "unknown patient";

/// What a question is about, read off its path.
enum About {
    Patient(PatientId),
    Device(DeviceId),
    Bed(BedId),
}

impl About {
    /// The route has let the caller pass for exactly this thing.
    fn of(path: &str, id: &str) -> Result<Self, Problem> {
        if path.contains("/patients/") {
            parse(id).map(Self::Patient)
        } else if path.contains("/devices/") {
            parse(id).map(Self::Device)
        } else {
            parse(id).map(Self::Bed)
        }
    }

    fn parts(&self, directory: &Directory, span: Span, known_at: Timestamp) -> Vec<Part> {
        match *self {
            Self::Patient(patient) => parts_of_patient(directory, patient, span, known_at),
            Self::Device(device) => parts_of_device(directory, device, span, known_at),
            Self::Bed(bed) => parts_of_bed(directory, bed, span, known_at),
        }
    }

    /// Whether the route's own decision and trace are about this patient.
    fn is_of(&self, patient: PatientId) -> bool {
        matches!(self, Self::Patient(own) if *own == patient)
    }
}

impl Api {
    /// The parts that the caller may see, each look at a patient with its trace, and what is
    /// withheld: whoever is met by what was known then, or by what is known now, is asked for.
    fn open_parts(
        &self,
        caller: &Caller,
        directory: &Directory,
        (about, path): (&About, &str),
        parts: Vec<Part>,
    ) -> (Vec<Part>, Vec<Withheld>) {
        let mut looked = BTreeSet::new();
        sort_out(directory, about, parts, |resource| {
            let decision = permit(&caller.who, Action::ReadPatient, resource);
            if looked.insert(resource.patient) {
                let path = format!("GET {path}");
                self.trace_look(caller, Action::ReadPatient, resource, path, &decision);
            }
            match decision {
                Decision::Denied { rule, .. } => Some(rule),
                Decision::Allowed { .. } => None,
            }
        })
    }

    fn source(&self, caller: &Caller, wanted: Wanted, known_at: Timestamp) -> Source {
        Source {
            series: self.series.clone(),
            directory: self.engine.directory(),
            profiles: Arc::clone(&self.profiles),
            org: caller.resource.org,
            wanted,
            known_at,
        }
    }
}

/// The parts that are open, and those that are withheld, each with the rule that closes it.
/// Everybody of a part is asked for, also when the first one closes it.
fn sort_out(
    directory: &Directory,
    about: &About,
    parts: Vec<Part>,
    mut closed_by: impl FnMut(&Resource) -> Option<&'static str>,
) -> (Vec<Part>, Vec<Withheld>) {
    let (mut open, mut withheld) = (Vec::new(), Vec::new());
    for (part, now) in by_all_known(directory, parts) {
        let whom: BTreeSet<PatientId> = part.patient.into_iter().chain(now).collect();
        let others = whom.into_iter().filter(|patient| !about.is_of(*patient));
        let mut closed = None;
        for patient in others {
            let rule = match patient_resource(directory, patient) {
                Ok(resource) => closed_by(&resource),
                Err(_) => Some(UNKNOWN_PATIENT),
            };
            closed = closed.or(rule);
        }
        match closed {
            None => put_together(&mut open, part),
            Some(rule) => withheld.extend(part.spans.iter().map(|it| {
                let (from_ms, to_ms) = (it.from.unix_millis(), it.to.unix_millis());
                Withheld { from_ms, to_ms, rule: rule.to_owned() }
            })),
        }
    }
    withheld.sort_unstable();
    withheld.dedup();
    (open, withheld)
}

/// More lines than an answer has room for.
fn bounded(source: &Source, parts: &[Part]) -> Result<(), Problem> {
    let lines = source.lines_of(parts);
    if lines > HISTORY_LINES_MAX {
        return Err(Problem::bad_request(format!(
            "{lines} lines are more than {HISTORY_LINES_MAX}; name fewer vitals or a shorter range"
        )));
    }
    Ok(())
}

async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Asked(range): Asked<Range>,
) -> Result<Json<History>, Problem> {
    let (asked, known_at) = (range.span(caller.at)?, range.known_at(caller.at)?);
    let (wanted, columns) = (range.wanted()?, range.columns()?);
    let pace = Pace::of(asked.from, asked.to, columns);
    let (from, to) = pace.widened(asked.from, asked.to);
    let span = Span { from, to };
    let about = About::of(uri.path(), &id)?;
    let source = api.source(&caller, wanted, known_at);
    let parts = about.parts(&source.directory, span, known_at);
    let (parts, withheld) = api.open_parts(&caller, &source.directory, (&about, uri.path()), parts);
    bounded(&source, &parts)?;
    let read = move || source.lines(&parts, &pace);
    let lines =
        tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)?;
    Ok(Json(History {
        from: time(span.from),
        to: time(span.to),
        known_at: time(known_at),
        origin_ms: ms(pace.origin_ns),
        step_ms: ms(pace.step_ns),
        made_of: match pace.resolution {
            Resolution::Points => "points",
            Resolution::Minutes(60) => "1h",
            Resolution::Minutes(15) => "15m",
            Resolution::Minutes(_) => "1m",
        },
        lines,
        withheld,
    }))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds with their fraction, below 2^53")]
fn ms(nanos: i64) -> f64 {
    nanos as f64 / 1e6
}

async fn coverage(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Asked(range): Asked<Range>,
) -> Result<Json<Coverage>, Problem> {
    let (span, known_at) = (range.span(caller.at)?, range.known_at(caller.at)?);
    // Nothing is missing from the future.
    let span = Span { from: span.from, to: span.to.min(caller.at).max(span.from) };
    let about = About::of(uri.path(), &id)?;
    let source = api.source(&caller, range.wanted()?, known_at);
    let parts = about.parts(&source.directory, span, known_at);
    let (parts, withheld) = api.open_parts(&caller, &source.directory, (&about, uri.path()), parts);
    bounded(&source, &parts)?;
    let org = caller.who.org;
    let longest = PULSE_EVERY.saturating_mul(2);
    let outages = api
        .look_up(move |records| records.outages(org, (span.from, span.to), longest, OUTAGES_MAX))
        .await?;
    let outages: Vec<Stretch> =
        outages.into_iter().map(|(from, to)| Stretch { from, to }).collect();
    let read = move || source.coverage(&parts, span, &outages);
    let channels =
        tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)?;
    Ok(Json(Coverage {
        from: time(span.from),
        to: time(span.to),
        known_at: time(known_at),
        channels,
        withheld,
    }))
}

#[test]
fn a_part_of_somebody_whom_nobody_knows_is_withheld_and_says_so() {
    let at = Timestamp::from_unix_millis;
    let (device, own) = (DeviceId::v7(at(1), 1), PatientId::v7(at(1), 2));
    let spans = vec![Span { from: at(1_000), to: at(2_000) }];
    let check = |about: About, patient: Option<PatientId>, want: &[&str]| {
        let part = Part { device, patient, spans: spans.clone() };
        let (open, withheld) =
            sort_out(&Directory::default(), &about, vec![part], |_| Some("never asked"));
        let rules: Vec<&str> = withheld.iter().map(|it| it.rule.as_str()).collect();
        assert_eq!((open.len(), rules.as_slice()), (1 - want.len(), want), "{patient:?}");
    };
    check(About::Device(device), Some(own), &[UNKNOWN_PATIENT]);
    check(About::Device(device), None, &[]);
    // About one patient the route has decided already.
    check(About::Patient(own), Some(own), &[]);
}
