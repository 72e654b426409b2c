//! Corrections: what people say of readings that are stored, and everything that was received.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::Directory;
use model::{
    Amendment, Channel, Correction, CorrectionId, CorrectionReason, DeviceId, OrgId, PatientId,
    Redacted, Timestamp, Vital,
};
use protocols::{Decimal, senml::word_of};
use record::{Actor, Wish};
use security::Action;
use serde::{Deserialize, Serialize};
use store::{DatabaseError, GivenCorrection, Point, Question, Series};
use utoipa::ToSchema;

use super::{
    history::{About, Range},
    past::not_read,
    session::name_of,
};
use crate::{
    Api,
    command::new_id,
    dto::{
        history::Withheld,
        words::{Spelt as _, read_time, time},
    },
    extract::{Asked, Given, Named},
    guard::{Caller, parse, patient_resource},
    history::{Part, parts_of_device},
    limits::{PAGE_LEN_MAX, RECEIPTS_MAX},
    paging::PageQuery,
    past::Span,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// What somebody said of stored readings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CorrectionShown {
    id: String,
    device: String,
    channel: String,
    /// The span that it is about; the end is not in it.
    from: String,
    to: String,
    /// The same in unix milliseconds.
    from_ms: f64,
    to_ms: f64,
    /// `withdrawn`, `replaced`, or `taken_back`: then an earlier one holds no more.
    kind: &'static str,
    /// What counts, if it is `replaced`, in the unit in which the reading came.
    value: Option<f64>,
    unit: Option<String>,
    /// Which correction it takes back.
    undoes: Option<String>,
    /// Which correction took this one back.
    undone_by: Option<String>,
    /// `wrong_patient`, `sensor_off`, `artefact`, `mistyped` or `other`.
    why: &'static str,
    words: String,
    by: Option<String>,
    /// When it was recorded; as known before that, it does not hold.
    known_at: String,
    /// The first of the readings in its span, as they were received.
    originals: Vec<Received>,
}

/// A reading as it was received.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Received {
    channel: String,
    at: String,
    /// The same in unix milliseconds.
    at_ms: f64,
    received_at: String,
    /// In `unit`, as it was sent; null if there was none.
    value: Option<f64>,
    unit: String,
    /// Why there was no value, as the device said.
    missing: Option<&'static str>,
    /// Whether this is what counts: nothing was sent for the same instant later, and nobody
    /// corrected it.
    counts: bool,
}

/// Corrections in the order in which they were recorded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Corrections {
    items: Vec<CorrectionShown>,
    /// Given as `cursor`, it asks for what follows; null at the end.
    next: Option<String>,
    /// What the caller may not see.
    withheld: Vec<Withheld>,
}

/// Everything that was received of a channel, also what does not count.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Receipts {
    items: Vec<Received>,
    /// What the caller may not see.
    withheld: Vec<Withheld>,
}

/// What is wrong with which readings, and what they were if that is known.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCorrection {
    channel: String,
    /// One reading: RFC 3339 or unix milliseconds.
    at: Option<String>,
    /// Or all in a span, with `to`.
    from: Option<String>,
    to: Option<String>,
    /// What the reading at `at` was; without it, what was measured does not count.
    #[schema(value_type = Option<f64>)]
    value: Option<serde_json::Number>,
    /// The unit of the value, which is that in which the reading came.
    unit: Option<String>,
    /// `wrong_patient`, `sensor_off`, `artefact`, `mistyped` or `other`.
    why: String,
    /// Has to be said with `other`.
    words: Option<String>,
}

/// Why a correction is taken back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoCorrection {
    /// `wrong_patient`, `sensor_off`, `artefact`, `mistyped` or `other`; `mistyped` if left out.
    why: Option<String>,
    words: Option<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    let patient = Access::Permitted(Action::ReadPatient, Scope::Patient);
    // Who may correct is asked of everybody whom the device measured then.
    let device = || Access::Permitted(Action::ReadDevices, Scope::Device);
    let ranged = |route: Route| {
        route
            .query("from", "RFC 3339 or unix milliseconds; a day before `to` if it is left out")
            .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
    };
    let listed = |path, access, summary| {
        ranged(Route::new(Method::GET, path, access, summary, list))
            .query("known_at", "Only what was recorded by then; all if it is left out")
            .query("cursor", "`next` of the page before")
            .answers::<Corrections>()
    };
    vec![
        listed("/patients/{id}/corrections", patient, "What people said of a patient's readings"),
        listed("/devices/{id}/corrections", device(), "What people said of a device's readings"),
        Route::new(
            Method::POST,
            "/devices/{id}/corrections",
            device(),
            "Withdraws readings of a channel, or says what one was; what was received stays",
            correct,
        )
        .takes::<NewCorrection>()
        .answers::<CorrectionShown>()
        .status(201),
        Route::new(
            Method::POST,
            "/devices/{id}/corrections/{correction}/undo",
            device(),
            "A correction holds no more: what counted before it counts again",
            undo,
        )
        .takes::<UndoCorrection>()
        .answers::<CorrectionShown>()
        .status(201),
        ranged(Route::new(
            Method::GET,
            "/devices/{id}/receipts",
            device(),
            "Every reading of a channel as it was received, also those that do not count",
            receipts,
        ))
        .query("channel", "The channel; all of single values if it is left out")
        .answers::<Receipts>(),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds with their fraction, below 2^53")]
fn ms(at: Timestamp) -> f64 {
    at.unix_nanos() as f64 / 1e6
}

fn number((mantissa, exp10): (i64, i8)) -> Option<f64> {
    Decimal { mantissa, exp10 }.to_string().parse().ok()
}

/// A span in steps that become longer: who wants the first few does not read a month for them,
/// and where there is little, few questions are asked.
fn steps(span: Span) -> impl Iterator<Item = Span> {
    let (mut from, mut step) = (span.from, STEP_FIRST);
    std::iter::from_fn(move || {
        let to = from.after(step).min(span.to);
        let next = (from < to).then_some(Span { from, to });
        (from, step) = (to, step.saturating_mul(2));
        next
    })
}

/// Whether a reading is one of those that count, which are in the order of their times.
fn is_among(counted: &[Point], point: &Point) -> bool {
    let first = counted.partition_point(|it| it.at < point.at);
    let rest = counted.get(first..).unwrap_or_default();
    rest.iter().take_while(|it| it.at == point.at).any(|it| it == point)
}

/// Whose readings are asked for, and where they are.
struct Source {
    series: Series,
    org: OrgId,
    parts: Vec<Part>,
}

impl Source {
    fn question(&self, device: DeviceId, channel: &Channel, span: Span) -> Question {
        let (org, channel) = (self.org, channel.clone());
        Question { org, device, channel, from: span.from, to: span.to }
    }

    /// What was received of a channel in a span, `most` of it at most.
    fn received(
        &self,
        (device, channel): (DeviceId, &Channel),
        span: Span,
        most: usize,
    ) -> Result<Vec<Received>, Problem> {
        let mut all = Vec::new();
        for span in steps(span) {
            let question = self.question(device, channel, span);
            for stretch in self.series.receipts(&question).map_err(not_read)?.stretches {
                let counted = self.series.counted(&question, &stretch);
                for point in stretch.items.iter().take(most.saturating_sub(all.len())) {
                    all.push(Received {
                        channel: channel.to_string(),
                        at: time(point.at),
                        at_ms: ms(point.at),
                        received_at: time(point.received_at),
                        value: point.value.ok().and_then(number),
                        unit: stretch.ucum.as_str().to_owned(),
                        missing: point.value.err().map(word_of),
                        counts: is_among(&counted, point),
                    });
                }
            }
            if all.len() >= most {
                break;
            }
        }
        Ok(all)
    }

    /// Every correction of these parts, each once.
    fn corrections(&self) -> Vec<GivenCorrection> {
        let mut found: Vec<GivenCorrection> = Vec::new();
        for part in &self.parts {
            for span in &part.spans {
                let these = self.series.corrections_of(self.org, part.device, (span.from, span.to));
                found.extend(these);
            }
        }
        found.sort_by_key(|it| (it.known_at, it.correction.id));
        found.dedup_by_key(|it| it.correction.id);
        found
    }

    fn shown(
        &self,
        directory: &Directory,
        it: &GivenCorrection,
        all: &[GivenCorrection],
    ) -> Result<CorrectionShown, Problem> {
        let Correction { id, device, channel, from, to, amendment, why, words, .. } =
            &it.correction;
        let (kind, value, unit, undoes) = match amendment {
            Amendment::Withdraw => ("withdrawn", None, None, None),
            Amendment::Replace { mantissa, exp10, ucum } => {
                let unit = Some(ucum.as_str().to_owned());
                ("replaced", number((*mantissa, *exp10)), unit, None)
            }
            Amendment::Undo(id) => ("taken_back", None, None, Some(id.to_string())),
        };
        let takes_it_back =
            |other: &&GivenCorrection| other.correction.amendment == Amendment::Undo(*id);
        let undone_by = all.iter().find(takes_it_back).map(|it| it.correction.id.to_string());
        let by = match it.by {
            Actor::User(user) => directory.users.get(&user).map(|user| name_of(directory, user)),
            Actor::Device(_) | Actor::System => None,
        };
        let mut originals = Vec::new();
        for part in self.parts.iter().filter(|part| part.device == *device) {
            for span in &part.spans {
                let span = Span { from: span.from.max(*from), to: span.to.min(*to) };
                let room = ORIGINALS_MAX.saturating_sub(originals.len());
                if span.from < span.to && room > 0 {
                    originals.extend(self.received((*device, channel), span, room)?);
                }
            }
        }
        Ok(CorrectionShown {
            id: id.to_string(),
            device: device.to_string(),
            channel: channel.to_string(),
            from: time(*from),
            to: time(*to),
            from_ms: ms(*from),
            to_ms: ms(*to),
            kind,
            value,
            unit,
            undoes,
            undone_by,
            why: why.word(),
            words: words.0.clone(),
            by,
            known_at: time(it.known_at),
            originals,
        })
    }
}

/// While a reading stood for the present that was corrected later, and when that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoodCorrected {
    from: Timestamp,
    to: Timestamp,
    known_at: Timestamp,
}

impl StoodCorrected {
    /// Whether what was decided then may have been decided from it.
    pub(super) fn touches(&self, decided_at: Timestamp) -> bool {
        (self.from..self.to).contains(&decided_at) && decided_at < self.known_at
    }
}

/// How long a reading may stand for the present, at most.
const STANDS_MAX: Duration = Duration::from_secs(86_400);
/// Mostly the next reading comes within this.
const NEXT_SOON: Duration = Duration::from_secs(3_600);

impl Api {
    /// Corrections of a patient's readings of these vitals, each for as long as what it is about
    /// was the newest: until the next reading that came.
    pub(super) fn stood_corrected(
        &self,
        parts: &[Part],
        org: OrgId,
        vitals: &[Vital],
    ) -> Result<Vec<StoodCorrected>, DatabaseError> {
        let directory = self.engine.directory();
        let mut found = Vec::new();
        for part in parts {
            let profile = directory.devices.get(&part.device);
            let profile = profile.and_then(|it| self.profiles.get(&it.profile));
            let is_asked = |channel: &Channel| {
                let vital = profile.and_then(|it| it.channel(&channel.0)?.vital());
                vital.is_some_and(|vital| vitals.contains(&vital))
            };
            for span in &part.spans {
                let these = self.series.corrections_of(org, part.device, (span.from, span.to));
                for it in these.iter().filter(|it| is_asked(&it.correction.channel)) {
                    let Correction { device, channel, from, to, .. } = &it.correction;
                    let next = |within: Duration| {
                        let (device, channel, to) = (*device, channel.clone(), *to);
                        let question =
                            Question { org, device, channel, from: to, to: to.after(within) };
                        let found = self.series.uncorrected().query(&question)?.stretches;
                        let all = found.iter().flat_map(|it| &it.items).map(|point| point.at);
                        Ok::<_, DatabaseError>(all.min())
                    };
                    let soon = match next(NEXT_SOON)? {
                        Some(at) => Some(at),
                        None => next(STANDS_MAX)?,
                    };
                    let to = soon.unwrap_or(to.after(STANDS_MAX)).min(span.to);
                    found.push(StoodCorrected { from: *from, to, known_at: it.known_at });
                }
            }
        }
        Ok(found)
    }
}

/// Readings that are shown with one correction; the receipts have all.
const ORIGINALS_MAX: usize = 50;
/// The first step in which the first readings of a span are looked for.
const STEP_FIRST: Duration = Duration::from_secs(60);

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Asked(range): Asked<Range>,
) -> Result<Json<Corrections>, Problem> {
    let span = range.span(caller.at)?;
    let directory = api.engine.directory();
    let about = About::of(&directory, uri.path(), &id)?;
    let parts = about.parts(&directory, span, caller.at);
    let (parts, withheld) = api.open_parts(&caller, &directory, (&about, uri.path()), parts);
    let series = api.series.as_known(range.known_at(caller.at)?);
    let source = Source { series, org: caller.who.org, parts };
    let query = PageQuery { cursor: range.cursor.clone(), limit: Some(PAGE_LEN_MAX) };
    let read = move || {
        let all = source.corrections();
        let page = query.cut(&all)?;
        let shown = page.items.into_iter().map(|it| source.shown(&directory, it, &all));
        Ok::<_, Problem>((shown.collect::<Result<Vec<_>, _>>()?, page.next))
    };
    let (items, next) = tokio::task::spawn_blocking(read).await.map_err(Problem::fault)??;
    Ok(Json(Corrections { items, next, withheld }))
}

async fn receipts(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Asked(range): Asked<Range>,
) -> Result<Json<Receipts>, Problem> {
    let span = range.span(caller.at)?;
    let directory = api.engine.directory();
    let device: DeviceId = parse(&id)?;
    let about = About::of(&directory, uri.path(), &id)?;
    let parts = about.parts(&directory, span, caller.at);
    let (parts, withheld) = api.open_parts(&caller, &directory, (&about, uri.path()), parts);
    let source = Source { series: api.series.clone(), org: caller.who.org, parts };
    let channels = match range.channel {
        Some(channel) => vec![Channel::from(channel.as_str())],
        None => source.series.channels_of(caller.who.org, device),
    };
    let read = move || {
        let mut items = Vec::new();
        let spans = source.parts.iter().flat_map(|part| &part.spans);
        for (span, channel) in spans.flat_map(|it| channels.iter().map(move |of| (it, of))) {
            items.extend(source.received((device, channel), *span, RECEIPTS_MAX + 1)?);
            if items.len() > RECEIPTS_MAX {
                return Err(Problem::bad_request(format!(
                    "there are more than {RECEIPTS_MAX} readings; ask for a shorter range"
                )));
            }
        }
        Ok(items)
    };
    let items = tokio::task::spawn_blocking(read).await.map_err(Problem::fault)??;
    Ok(Json(Receipts { items, withheld }))
}

impl NewCorrection {
    /// The span that is named: of one instant the millisecond, as that is how people write it.
    fn span(&self) -> Result<Span, Problem> {
        match (&self.at, &self.from, &self.to) {
            (Some(at), None, None) => {
                let from = read_time("at", at)?;
                Ok(Span { from, to: from.after(Duration::from_millis(1)) })
            }
            (None, Some(from), Some(to)) => {
                Ok(Span { from: read_time("from", from)?, to: read_time("to", to)? })
            }
            _ => Err(Problem::bad_request("say `at`, or `from` and `to`")),
        }
    }
}

/// The one reading of an instant, as it was received last: when exactly, and in which unit.
fn reading_at(
    series: &Series,
    question: &Question,
    unit: Option<&str>,
) -> Result<(Timestamp, model::Ucum), Problem> {
    let found = series.uncorrected().query(question).map_err(not_read)?.stretches;
    let of_unit = found.iter().filter(|it| unit.is_none_or(|unit| it.ucum.as_str() == unit));
    let mut readings = of_unit.flat_map(|it| it.items.iter().map(|point| (point.at, &it.ucum)));
    match (readings.next(), readings.next()) {
        (Some((at, ucum)), None) => Ok((at, ucum.clone())),
        (Some(_), Some(_)) => Err(Problem::conflict(
            "there are several readings at this instant; name the unit, or withdraw them",
        )),
        (None, _) if found.is_empty() => {
            Err(Problem::not_found("this channel has no reading at this instant"))
        }
        (None, _) => {
            let units: Vec<&str> = found.iter().map(|it| it.ucum.as_str()).collect();
            let units = units.join(", ");
            Err(Problem::bad_request(format!("the reading came in {units}; say it in that unit")))
        }
    }
}

impl Api {
    /// Whether the caller may correct what a device measured in a span: of everybody whom it
    /// was on then, by all that is known. Each answer leaves a trace.
    async fn may_correct(
        &self,
        caller: &Caller,
        device: DeviceId,
        span: Span,
        path: &str,
    ) -> Result<(), Problem> {
        let directory = self.engine.directory();
        let known_now = Timestamp::from_unix_nanos(i64::MAX);
        let parts = parts_of_device(&directory, device, span, known_now);
        let whom: BTreeSet<PatientId> = parts.iter().filter_map(|part| part.patient).collect();
        let path = format!("POST {path}");
        if whom.is_empty() {
            let resource = caller.resource;
            return self.permit_also(caller, Action::CorrectReadings, resource, path).await;
        }
        for patient in whom {
            let resource = patient_resource(&directory, patient)?;
            self.permit_also(caller, Action::CorrectReadings, resource, path.clone()).await?;
        }
        Ok(())
    }

    /// Asks for a correction, and shows it as it was recorded.
    async fn correct(
        &self,
        caller: &Caller,
        correction: Correction,
    ) -> Result<(StatusCode, Json<CorrectionShown>), Problem> {
        let (id, device, org) = (correction.id, correction.device, correction.org);
        let span = Span { from: correction.from, to: correction.to };
        self.ask(caller, Wish::Correct(correction)).await?;
        let directory = self.engine.directory();
        let parts = parts_of_device(&directory, device, span, caller.at);
        let source = Source { series: self.series.clone(), org, parts };
        let read = move || {
            let all = source.series.corrections_of(org, device, (span.from, span.to));
            let own = all.iter().find(|it| it.correction.id == id);
            let own = own.ok_or_else(|| {
                Problem::not_recording("it is recorded, and not there to be shown yet")
            })?;
            source.shown(&directory, own, &all)
        };
        let shown = tokio::task::spawn_blocking(read).await.map_err(Problem::fault)??;
        Ok((StatusCode::CREATED, Json(shown)))
    }
}

async fn correct(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: axum::http::Uri,
    Given(given): Given<NewCorrection>,
) -> Result<(StatusCode, Json<CorrectionShown>), Problem> {
    let device: DeviceId = parse(&id)?;
    let mut span = given.span()?;
    if span.from >= span.to {
        return Err(Problem::bad_request("from is not before to"));
    }
    let why = CorrectionReason::read(&given.why)?;
    api.may_correct(&caller, device, span, uri.path()).await?;
    let (org, channel) = (caller.who.org, Channel::from(given.channel.as_str()));
    if !api.series.channels_of(org, device).contains(&channel) {
        return Err(Problem::not_found("this device has no reading of this channel"));
    }
    let question = Question { org, device, channel: channel.clone(), from: span.from, to: span.to };
    let amendment = match &given.value {
        None => Amendment::Withdraw,
        Some(_) if given.at.is_none() => {
            return Err(Problem::bad_request("a value is given to one reading; say `at`"));
        }
        Some(value) => {
            let written = value.to_string();
            let decimal = Decimal::parse(&written).ok_or_else(|| {
                Problem::bad_request(format!("value is `{written}`; use a number of few digits"))
            })?;
            let (series, unit) = (api.series.clone(), given.unit.clone());
            let read = move || reading_at(&series, &question, unit.as_deref());
            let found = tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?;
            let (at, ucum) = found?;
            span = Span { from: at, to: Timestamp::from_unix_nanos(at.unix_nanos() + 1) };
            Amendment::Replace { mantissa: decimal.mantissa, exp10: decimal.exp10, ucum }
        }
    };
    let words = Redacted(given.words.unwrap_or_default().trim().to_owned());
    let (id, from, to) = (new_id(caller.at)?, span.from, span.to);
    let correction = Correction { id, org, device, channel, from, to, amendment, why, words };
    api.correct(&caller, correction).await
}

async fn undo(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((id, undone)): Named<(String, String)>,
    uri: axum::http::Uri,
    Given(given): Given<UndoCorrection>,
) -> Result<(StatusCode, Json<CorrectionShown>), Problem> {
    let device: DeviceId = parse(&id)?;
    let undone: CorrectionId = parse(&undone)?;
    let org = caller.who.org;
    let always = (Timestamp::from_unix_nanos(i64::MIN), Timestamp::from_unix_nanos(i64::MAX));
    let all = api.series.corrections_of(org, device, always);
    let found = all.iter().find(|it| it.correction.id == undone);
    let found = found.ok_or_else(|| Problem::not_found("this device has no such correction"))?;
    let Correction { channel, from, to, amendment, .. } = found.correction.clone();
    api.may_correct(&caller, device, Span { from, to }, uri.path()).await?;
    if matches!(amendment, Amendment::Undo(_)) {
        return Err(Problem::conflict("it took another one back; correct the reading again"));
    }
    if all.iter().any(|it| it.correction.amendment == Amendment::Undo(undone)) {
        return Err(Problem::conflict("it was taken back already"));
    }
    let why = given.why.as_deref().map(CorrectionReason::read).transpose()?;
    let why = why.unwrap_or(CorrectionReason::Mistyped);
    let words = Redacted(given.words.unwrap_or_default().trim().to_owned());
    let (id, amendment) = (new_id(caller.at)?, Amendment::Undo(undone));
    let correction = Correction { id, org, device, channel, from, to, amendment, why, words };
    api.correct(&caller, correction).await
}

#[cfg(test)]
mod tests {
    use model::ClockUsed;
    use store::{Marks, SeriesKey};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000 + second * 1_000)
    }

    #[test]
    fn the_first_readings_of_a_month_are_found_without_reading_the_month() {
        let month = Span { from: at(0), to: at(31 * 86_400) };
        let all: Vec<Span> = steps(month).collect();
        assert!(all.len() < 20, "{}", all.len());
        assert_eq!((all[0].from, all[0].to), (at(0), at(60)));
        assert_eq!(all.last().unwrap().to, month.to);
        assert!(all.windows(2).all(|pair| pair[0].to == pair[1].from));
        // More readings than one question may be answered with.
        let place = tempfile::tempdir().unwrap();
        let limits = store::SeriesLimits { query_points_max: 2_000, ..Default::default() };
        let series = Series::open_with(place.path().join("series"), limits).unwrap();
        let (org, device) = (OrgId::v7(at(0), 1), DeviceId::v7(at(0), 2));
        let (channel, ucum) = (Channel::from("HR"), model::Ucum::new("/min"));
        let key = SeriesKey { org, device, channel: channel.clone(), kind: None, ucum };
        let id = series.series(&key);
        let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
        for second in 0..5_000 {
            let (at, value) = (at(second), Ok((second, 0)));
            let _ = series.push(id, Point { at, received_at: at, value, marks });
        }
        // The first of them was sent otherwise later.
        let _ = series.push(id, Point { at: at(0), received_at: at(9), value: Ok((7, 0)), marks });
        let source = Source { series, org, parts: Vec::new() };
        let found = source.received((device, &channel), month, ORIGINALS_MAX).unwrap();
        assert_eq!(found.len(), ORIGINALS_MAX);
        let first: Vec<_> = found.iter().take(3).map(|it| (it.value, it.counts)).collect();
        assert_eq!(first, [(Some(0.0), false), (Some(7.0), true), (Some(1.0), true)]);
    }
}
