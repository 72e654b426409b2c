//! The past of a patient, a device or a place over any range, and how much of it is there.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, extract::State, http::Method};
use engine::Directory;
use fleet::coverage::Stretch;
use model::{
    Bed, BedId, CareUnitId, DeviceId, OrgId, PatientId, PlaceId, Room, RoomId, SiteId, Timestamp,
    Vital,
};
use security::{Action, Decision, Resource, permit};
use serde::Deserialize;
use store::{Pace, Resolution};

use super::past::not_read;
use crate::{
    Api,
    dto::{
        bed::Named as Place,
        history::{Coverage, History, MeasuredBy, Measuring, Withheld},
        words::{Spelt as _, read_time, time},
    },
    extract::{Asked, Named},
    guard::{Caller, parse, patient_resource},
    history::{
        Met, Part, Source, Wanted, by_all_known, lay_in, parts_of_beds, parts_of_device,
        parts_of_patient, parts_of_places, places_of, put_together,
    },
    limits::{
        HISTORY_COLUMNS, HISTORY_COLUMNS_MAX, HISTORY_COLUMNS_MIN, HISTORY_LINES_MAX,
        HISTORY_SPAN_MAX, HISTORY_USUAL, OUTAGES_MAX, PULSE_EVERY, WITHHELD_MAX,
    },
    long_answer::{Written, written},
    paging::{PageQuery, cursor},
    past::Span,
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let patient = Access::Permitted(Action::ReadPatient, Scope::Patient);
    let device = Access::Permitted(Action::ReadDevices, Scope::Device);
    let bed = Access::Permitted(Action::ReadPatient, Scope::Bed);
    // Whose pages are open is asked for each patient of a larger place.
    let many = |scope| Access::Permitted(Action::ListPatients, scope);
    let (room, unit, site) = (many(Scope::Room), many(Scope::CareUnit), many(Scope::Site));
    let asked = |route: Route| {
        route
            .query("from", "RFC 3339 or unix milliseconds")
            .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
            .query(
                "known_at",
                "Whom devices were on, and which corrections held, by what was known then; now if \
                 left out",
            )
            .query("originals", "`true` for what was received, whatever people said of it since")
            .query("vital", "Names of vitals, separated by commas")
            .query("channel", "Names of channels, separated by commas, with those of the vitals")
            .query("device", "Only what this device measured")
            .query("patient", "Only what was measured of this patient")
            .query("cursor", "`next` of the page before")
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
    let listed = |path, access, summary| {
        asked(Route::new(Method::GET, path, access, summary, measured_by)).answers::<MeasuredBy>()
    };
    vec![
        drawn("/patients/{id}/measured", patient, "What was measured of a patient, to draw"),
        drawn(
            "/devices/{id}/measured",
            device,
            "What a device measured, on whom the caller may see",
        ),
        drawn("/beds/{id}/measured", bed, "What was measured of those who lay in a bed"),
        drawn("/rooms/{id}/measured", room, "What was measured in a room, of whom one may read"),
        drawn("/care-units/{id}/measured", unit, "What was measured in a care unit"),
        drawn("/sites/{id}/measured", site, "What was measured in a site, of whom one may read"),
        covered("/patients/{id}/coverage", patient, "What was promised of a patient, and came"),
        covered("/devices/{id}/coverage", device, "What a device promised, and what came"),
        covered("/beds/{id}/coverage", bed, "What was promised of those in a bed, and came"),
        covered("/rooms/{id}/coverage", room, "What was promised of those in a room, and came"),
        covered("/care-units/{id}/coverage", unit, "What was promised in a care unit, and came"),
        covered("/sites/{id}/coverage", site, "What was promised in a site, and came"),
        listed("/beds/{id}/measured-by", bed, "Who lay in a bed, and what measured them there"),
        listed("/rooms/{id}/measured-by", room, "Who lay in a room, and what measured them"),
        listed("/care-units/{id}/measured-by", unit, "Who lay in a care unit, and what measured"),
        listed("/sites/{id}/measured-by", site, "Who lay in a site, and what measured them"),
    ]
}

#[derive(Debug, Deserialize)]
pub(super) struct Range {
    from: Option<String>,
    to: Option<String>,
    known_at: Option<String>,
    vital: Option<String>,
    pub(super) channel: Option<String>,
    originals: Option<bool>,
    device: Option<String>,
    patient: Option<String>,
    columns: Option<u32>,
    pub(super) cursor: Option<String>,
}

impl Range {
    pub(super) fn span(&self, now: Timestamp) -> Result<Span, Problem> {
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

    pub(super) fn known_at(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        self.known_at.as_deref().map_or(Ok(now), |text| read_time("known_at", text))
    }

    /// Which page is asked for, and by which instants: those of the first page hold for all, as
    /// the places in a list stay what they were only while it does.
    fn page(&self, now: Timestamp) -> Result<Page, Problem> {
        let Some(text) = &self.cursor else {
            return Ok(Page { after: 0, now, known_at: self.known_at(now)? });
        };
        let mark = |mark: Option<&str>| {
            let query = PageQuery { cursor: Some(mark.unwrap_or("-").to_owned()), limit: None };
            query.after().map(Option::unwrap_or_default)
        };
        let mut marks = text.split('.');
        let [after, asked, known] = [mark(marks.next())?, mark(marks.next())?, mark(marks.next())?];
        Ok(Page {
            after: usize::try_from(after).unwrap_or(usize::MAX),
            now: Timestamp::from_unix_nanos(asked.cast_signed()).min(now),
            known_at: Timestamp::from_unix_nanos(known.cast_signed()),
        })
    }

    fn wanted(&self) -> Result<Wanted, Problem> {
        if self.vital.is_none() && self.channel.is_none() {
            return Ok(Wanted::All);
        }
        let named = |names: Option<&str>| -> Vec<String> {
            let names = names.into_iter().flat_map(|names| names.split(','));
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        let vitals = named(self.vital.as_deref());
        let vitals: Result<Vec<Vital>, Problem> =
            vitals.iter().map(|name| Vital::read(name)).collect();
        Ok(Wanted::Only { vitals: vitals?, channels: named(self.channel.as_deref()) })
    }

    /// Only parts of the device and the patient that were named, if any were.
    fn narrowed(&self, mut parts: Vec<Part>) -> Result<Vec<Part>, Problem> {
        let device: Option<DeviceId> = self.device.as_deref().map(parse).transpose()?;
        let patient: Option<PatientId> = self.patient.as_deref().map(parse).transpose()?;
        parts.retain(|part| {
            device.is_none_or(|it| it == part.device)
                && patient.is_none_or(|it| Some(it) == part.patient)
        });
        Ok(parts)
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

/// A page of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    /// Where among the parts it begins.
    after: usize,
    /// When the first page was asked for.
    now: Timestamp,
    known_at: Timestamp,
}

impl Page {
    /// The cursor of the page that begins at `place`.
    fn next(self, place: usize) -> String {
        let marks = [self.now, self.known_at].map(|at| cursor(at.unix_nanos().cast_unsigned()));
        let [now, known_at] = marks;
        format!("{}.{now}.{known_at}", cursor(place as u64))
    }
}

/// What closes a part of somebody whom nobody knows, in the place of a rule of the policy.
const UNKNOWN_PATIENT: &str = "unknown patient";
/// The same of a place.
const UNKNOWN_PLACE: &str = "unknown place";

/// What a question is about, read off its path.
pub(super) enum About {
    Patient(PatientId),
    Device(DeviceId),
    /// Who lies in a bed, or in all of a larger place, and what stands there.
    Place {
        beds: Vec<BedId>,
        places: BTreeSet<PlaceId>,
    },
}

impl About {
    /// The route has let the caller pass for exactly this thing.
    pub(super) fn of(directory: &Directory, path: &str, id: &str) -> Result<Self, Problem> {
        if path.contains("/patients/") {
            parse(id).map(Self::Patient)
        } else if path.contains("/devices/") {
            parse(id).map(Self::Device)
        } else if path.contains("/rooms/") {
            let room: RoomId = parse(id)?;
            Ok(Self::of_rooms(directory, |it| it.id == room, BTreeSet::new()))
        } else if path.contains("/care-units/") {
            let unit: CareUnitId = parse(id)?;
            Ok(Self::of_rooms(directory, |it| it.care_unit == unit, [unit.into()].into()))
        } else if path.contains("/sites/") {
            let site: SiteId = parse(id)?;
            let units: BTreeSet<CareUnitId> = directory
                .care_units
                .values()
                .filter(|unit| unit.site == site)
                .map(|unit| unit.id)
                .collect();
            let places = units.iter().map(|unit| (*unit).into()).collect();
            Ok(Self::of_rooms(directory, |it| units.contains(&it.care_unit), places))
        } else {
            let bed: BedId = parse(id)?;
            Ok(Self::Place { beds: vec![bed], places: [bed.into()].into() })
        }
    }

    /// These rooms with their beds by name, besides places that are larger.
    fn of_rooms(
        directory: &Directory,
        is_meant: impl Fn(&Room) -> bool,
        mut places: BTreeSet<PlaceId>,
    ) -> Self {
        let rooms: BTreeSet<RoomId> =
            directory.rooms.values().filter(|room| is_meant(room)).map(|room| room.id).collect();
        let mut beds: Vec<&Bed> =
            directory.beds.values().filter(|bed| rooms.contains(&bed.room)).collect();
        beds.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        places.extend(rooms.iter().map(|room| PlaceId::from(*room)));
        places.extend(beds.iter().map(|bed| PlaceId::from(bed.id)));
        Self::Place { beds: beds.into_iter().map(|bed| bed.id).collect(), places }
    }

    pub(super) fn parts(
        &self,
        directory: &Directory,
        span: Span,
        known_at: Timestamp,
    ) -> Vec<Part> {
        match self {
            Self::Patient(patient) => parts_of_patient(directory, *patient, span, known_at),
            Self::Device(device) => parts_of_device(directory, *device, span, known_at),
            Self::Place { beds, places } => {
                let mut parts = parts_of_beds(directory, beds, span, known_at);
                parts.extend(parts_of_places(directory, places, span, known_at));
                parts
            }
        }
    }

    /// Whether the route's own decision and trace are about this patient.
    fn is_of(&self, patient: PatientId) -> bool {
        matches!(self, Self::Patient(own) if *own == patient)
    }
}

/// What of a question is answered on one page.
struct Asking {
    about: About,
    parts: Vec<Part>,
    withheld: Vec<Withheld>,
    source: Source,
    next: Option<String>,
}

impl Api {
    /// The parts that the caller may see, each look at a patient with its trace, and what is
    /// withheld: whoever is met by what was known then, or by what is known now, is asked for.
    pub(super) fn open_parts(
        &self,
        caller: &Caller,
        directory: &Directory,
        (about, path): (&About, &str),
        parts: Vec<Part>,
    ) -> (Vec<Part>, Vec<Withheld>) {
        let mut looked = BTreeSet::new();
        sort_out(directory, about, parts, |resource| {
            let decision = permit(&caller.who, Action::ReadPatient, resource);
            if looked.insert((resource.patient, resource.care_unit)) {
                let path = format!("GET {path}");
                self.trace_look(caller, Action::ReadPatient, resource, path, &decision);
            }
            match decision {
                Decision::Denied { rule, .. } => Some(rule),
                Decision::Allowed { .. } => None,
            }
        })
    }

    /// Where answers to this caller come from.
    pub(crate) fn source(&self, caller: &Caller, wanted: Wanted, known_at: Timestamp) -> Source {
        Source {
            series: self.series.as_known(known_at),
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
        let mut closed = None;
        for resource in asked_for(directory, about, &part, now) {
            let rule = match resource {
                Ok(resource) => closed_by(&resource),
                Err(unknown) => Some(unknown),
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
    if withheld.len() > WITHHELD_MAX {
        withheld.sort_by_key(|it| it.from_ms.saturating_sub(it.to_ms));
        withheld.truncate(WITHHELD_MAX);
        withheld.sort_unstable();
    }
    (open, withheld)
}

/// Whom and what somebody has to be let see before a part is shown to them. What stood at a
/// bed is shown to whom the one who lay there is, and what else stood in a place to whom
/// everybody in its care unit is.
fn asked_for(
    directory: &Directory,
    about: &About,
    part: &Part,
    now: Met,
) -> Vec<Result<Resource, &'static str>> {
    let mut whom: BTreeSet<PatientId> = part.patient.into_iter().collect();
    let mut stood = BTreeSet::new();
    match now {
        Met::Patient(patient) | Met::Place(_, Some(patient)) => {
            whom.insert(patient);
        }
        Met::Place(place, None) => {
            stood.insert(place);
        }
        Met::Nobody => {}
    }
    match about {
        // By what was known then it stood in one of these, and by what is known now in none.
        About::Place { places, .. } if part.patient.is_none() && !matches!(now, Met::Place(..)) => {
            stood.extend(places_of(directory, part.device).intersection(places));
        }
        About::Place { .. } => {}
        // A device is asked for as such.
        About::Patient(_) | About::Device(_) => stood.clear(),
    }
    let whom = whom.into_iter().filter(|patient| !about.is_of(*patient));
    let whom = whom.map(|it| patient_resource(directory, it).map_err(|_| UNKNOWN_PATIENT));
    whom.chain(stood.into_iter().map(|it| place_resource(directory, it))).collect()
}

/// A place as the policy sees one: nobody in particular in its care unit.
fn place_resource(directory: &Directory, place: PlaceId) -> Result<Resource, &'static str> {
    let uuid = place.uuid();
    let of_bed = BedId::from_uuid(uuid).ok().and_then(|it| directory.care_unit_of_bed(it));
    let of_room = || {
        let room = directory.rooms.get(&RoomId::from_uuid(uuid).ok()?)?;
        Some(room.care_unit)
    };
    let unit = of_bed.or_else(of_room).or_else(|| CareUnitId::from_uuid(uuid).ok());
    let unit = unit.ok_or(UNKNOWN_PLACE)?;
    let org = directory.org_of_care_unit(unit).ok_or(UNKNOWN_PLACE)?;
    Ok(Resource { care_unit: Some(unit), ..Resource::org(org) })
}

/// The parts from `after` on of which an answer has room for all lines, one part at least, and
/// where those begin that follow. A part without a line takes room as well: it is looked at.
fn page_of(source: &Source, parts: Vec<Part>, after: usize) -> (Vec<Part>, Option<usize>) {
    let (mut page, mut lines) = (Vec::new(), 0_usize);
    for (place, part) in parts.into_iter().enumerate().skip(after) {
        lines = lines.saturating_add(source.lines_of(&part).max(1));
        if lines > HISTORY_LINES_MAX && !page.is_empty() {
            return (page, Some(place));
        }
        page.push(part);
    }
    (page, None)
}

/// Which parts an answer is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Only those with a line: nobody else is shown, so nobody else is looked at.
    Lines,
    All,
}

impl Api {
    /// The open parts of a page of what is asked for; only those who are on it are looked at.
    fn asking(
        &self,
        caller: &Caller,
        (path, id): (&str, &str),
        range: &Range,
        (page, span, of): (Page, Span, Of),
    ) -> Result<Asking, Problem> {
        let known_at = page.known_at;
        let mut source = self.source(caller, range.wanted()?, known_at);
        if range.originals == Some(true) {
            source.series = source.series.uncorrected();
        }
        let about = About::of(&source.directory, path, id)?;
        let mut parts = range.narrowed(about.parts(&source.directory, span, known_at))?;
        if of == Of::Lines {
            parts.retain(|part| source.lines_of(part) > 0);
        }
        let (parts, next) = page_of(&source, parts, page.after);
        let next = next.map(|place| page.next(place));
        let (parts, withheld) = self.open_parts(caller, &source.directory, (&about, path), parts);
        Ok(Asking { about, parts, withheld, source, next })
    }

    /// The same on a thread that may take its time: a site has many parts.
    async fn asking_apart(
        self: &Arc<Self>,
        caller: &Caller,
        (path, id): (&str, String),
        range: Range,
        what: (Page, Span, Of),
    ) -> Result<Asking, Problem> {
        let (api, caller, path) = (Arc::clone(self), caller.clone(), path.to_owned());
        let asking = move || api.asking(&caller, (&path, &id), &range, what);
        tokio::task::spawn_blocking(asking).await.map_err(Problem::fault)?
    }

    /// When the program itself was out, of a range.
    pub(crate) async fn outages_in(&self, org: OrgId, span: Span) -> Result<Vec<Stretch>, Problem> {
        let longest = PULSE_EVERY.saturating_mul(2);
        let outages = self
            .look_up(move |records| {
                records.outages(org, (span.from, span.to), longest, OUTAGES_MAX)
            })
            .await?;
        Ok(outages.into_iter().map(|(from, to)| Stretch { from, to }).collect())
    }
}

async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Asked(range): Asked<Range>,
) -> Result<Written, Problem> {
    let page = range.page(caller.at)?;
    let (asked, columns) = (range.span(page.now)?, range.columns()?);
    let pace = Pace::of(asked.from, asked.to, columns);
    let (from, to) = pace.widened(asked.from, asked.to);
    let span = Span { from, to };
    let asking =
        api.asking_apart(&caller, (uri.path(), id), range, (page, span, Of::Lines)).await?;
    let Asking { parts, withheld, source, next, .. } = asking;
    let answer = move || {
        Ok(History {
            from: time(span.from),
            to: time(span.to),
            known_at: time(source.known_at),
            origin_ms: ms(pace.origin_ns),
            step_ms: ms(pace.step_ns),
            made_of: match pace.resolution {
                Resolution::Points => "points",
                Resolution::Minutes(60) => "1h",
                Resolution::Minutes(15) => "15m",
                Resolution::Minutes(_) => "1m",
            },
            lines: source.lines(&parts, &pace).map_err(not_read)?,
            withheld,
            next,
        })
    };
    written(answer).await
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
    let page = range.page(caller.at)?;
    let span = until_now(range.span(page.now)?, page.now);
    let asking =
        api.asking_apart(&caller, (uri.path(), id), range, (page, span, Of::Lines)).await?;
    let Asking { parts, withheld, source, next, .. } = asking;
    let known_at = source.known_at;
    let outages = api.outages_in(caller.who.org, span).await?;
    let read = move || {
        let mut channels = source.coverage(&parts, span, &outages)?;
        channels.extend(source.wave_coverage(&parts, span, &outages)?);
        Ok(channels)
    };
    let channels =
        tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)?;
    Ok(Json(Coverage {
        from: time(span.from),
        to: time(span.to),
        known_at: time(known_at),
        channels,
        withheld,
        next,
    }))
}

/// Nothing is missing from the future.
pub(super) fn until_now(span: Span, now: Timestamp) -> Span {
    Span { from: span.from, to: span.to.min(now).max(span.from) }
}

async fn measured_by(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Asked(range): Asked<Range>,
) -> Result<Json<MeasuredBy>, Problem> {
    let page = range.page(caller.at)?;
    let span = range.span(page.now)?;
    let asking = api.asking_apart(&caller, (uri.path(), id), range, (page, span, Of::All)).await?;
    let Asking { about, parts, withheld, source, next } = asking;
    let known_at = source.known_at;
    let list = move || listed(&source, &about, &parts);
    let items = tokio::task::spawn_blocking(list).await.map_err(Problem::fault)?;
    Ok(Json(MeasuredBy {
        from: time(span.from),
        to: time(span.to),
        known_at: time(known_at),
        items,
        withheld,
        next,
    }))
}

/// Who was measured, by what, and in which of the beds that are asked about.
fn listed(source: &Source, about: &About, parts: &[Part]) -> Vec<Measuring> {
    let beds = match about {
        About::Place { beds, .. } => beds.as_slice(),
        About::Patient(_) | About::Device(_) => &[],
    };
    let lain = |part: &Part| -> Vec<Place> {
        let lay = |bed: &&BedId| {
            part.patient.is_some_and(|patient| {
                lay_in(&source.directory, (**bed, patient), &part.spans, source.known_at)
            })
        };
        let named = |bed: &BedId| {
            let bed = source.directory.beds.get(bed)?;
            Some(Place { id: bed.id.to_string(), name: bed.name.clone() })
        };
        beds.iter().filter(lay).filter_map(named).collect()
    };
    parts.iter().map(|part| source.measuring(part, lain(part))).collect()
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
    // What stands where nobody knows is in no place that anybody may see.
    let nowhere = PlaceId::from(BedId::v7(at(1), 3));
    assert_eq!(place_resource(&Directory::default(), nowhere), Err(UNKNOWN_PLACE));
    // About one patient the route has decided already.
    check(About::Patient(own), Some(own), &[]);
}

#[test]
fn what_stands_somewhere_is_asked_for_there_and_at_a_bed_as_who_lies_in_it() {
    let at = Timestamp::from_unix_millis;
    let (device, bed) = (DeviceId::v7(at(1), 1), BedId::v7(at(1), 2));
    let (unit, patient) = (CareUnitId::v7(at(1), 3), PatientId::v7(at(1), 4));
    let (site, org) = (SiteId::v7(at(1), 5), OrgId::v7(at(1), 6));
    let name = String::new();
    let mut directory = Directory::default();
    directory.sites.insert(site, model::Site { id: site, org, name: name.clone() });
    directory.care_units.insert(unit, model::CareUnit { id: unit, site, name });
    let place = PlaceId::from(unit);
    let known_at = at(1);
    let stood = model::Association {
        key: device,
        value: model::Subject::Place(place),
        from: at(1),
        known_at,
    };
    directory.associations.insert(device, vec![stood]);
    let part = Part { device, patient: None, spans: Vec::new() };
    let of_unit = Ok(Resource { care_unit: Some(unit), ..Resource::org(org) });
    let about = About::Place { beds: vec![bed], places: [place].into() };
    let check = |about: &About, now: Met, want: &[Result<Resource, &'static str>]| {
        assert_eq!(asked_for(&directory, about, &part, now), want, "{now:?}");
    };
    check(&about, Met::Place(place, None), &[of_unit]);
    // Known then to have stood there, and now to have stood nowhere.
    check(&about, Met::Nobody, &[of_unit]);
    check(&about, Met::Place(bed.into(), Some(patient)), &[Err(UNKNOWN_PATIENT)]);
    check(&About::Device(device), Met::Place(place, None), &[]);
    check(&About::Device(device), Met::Place(bed.into(), Some(patient)), &[Err(UNKNOWN_PATIENT)]);
    check(&About::Patient(patient), Met::Place(bed.into(), Some(patient)), &[]);
}

#[test]
fn the_second_page_is_asked_by_the_instants_of_the_first() {
    let at = Timestamp::from_unix_nanos;
    let range = |cursor: Option<String>| Range {
        from: None,
        to: None,
        known_at: Some("7".to_owned()),
        vital: None,
        channel: None,
        originals: None,
        device: None,
        patient: None,
        columns: None,
        cursor,
    };
    let first = range(None).page(at(1_000_000_000_000_000_001)).unwrap();
    assert_eq!((first.after, first.known_at), (0, at(7_000_000)));
    let second = range(Some(first.next(36))).page(at(2_000_000_000_000_000_000)).unwrap();
    assert_eq!(second, Page { after: 36, ..first });
    // Nobody asks from the future, nor with half a cursor.
    assert_eq!(range(Some(first.next(1))).page(at(5)).unwrap().now, at(5));
    for wrong in ["soon", "p1", "p1.p2", "p1.p2.soon"] {
        assert!(range(Some(wrong.to_owned())).page(at(5)).is_err(), "{wrong}");
    }
}
