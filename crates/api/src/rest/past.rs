//! Trends and traces of a patient.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Method};
use engine::{Directory, view};
use model::{Channel, DeviceId, Measure, OrgId, PatientId, Timestamp, Vital};
use protocols::profile::{ChannelSpec, Grade};
use security::Action;
use serde::Deserialize;
use store::{DatabaseError, Question, Series};

use crate::{
    Api,
    dto::{
        news::{ScoreThen, Scores},
        patient::{Gap, Trend, Trends, WaveSpan, Waves},
        words::{Spelt as _, label, number, read_time, time, unit},
    },
    extract::Asked,
    guard::{Caller, parse},
    limits::{
        SCORES_MAX, TREND_POINTS, TREND_POINTS_MAX, TRENDS_SPAN_MAX, TRENDS_STRETCH, WAVES_SPAN_MAX,
    },
    past::{
        Dot, Hole, Nothing, Span, Trace, cut, holes, joined, merged, thinned, trace_holes, worn,
    },
    problem::Problem,
    rolls::MISSED,
    routes::{Access, Route, Scope},
};

/// The vitals of a trend when nobody names any.
const USUAL: [Vital; 6] = [
    Vital::HeartRate,
    Vital::Saturation,
    Vital::RespiratoryRate,
    Vital::SystolicPressure,
    Vital::DiastolicPressure,
    Vital::Temperature,
];

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadPatient, Scope::Patient);
    let span = |route: Route| {
        route
            .query("from", "RFC 3339 or unix milliseconds")
            .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
    };
    vec![
        span(Route::new(
            Method::GET,
            "/patients/{id}/trends",
            read,
            "Vitals over a range, thinned so that extremes survive",
            trends,
        ))
        .query("vital", "Names of vitals, separated by commas")
        .query("points", "About how many points of each, 2 to 20,000")
        .answers::<Trends>(),
        span(Route::new(
            Method::GET,
            "/patients/{id}/scores",
            read,
            "The early warning score over a range, with what was missing",
            scores,
        ))
        .answers::<Scores>(),
        span(Route::new(
            Method::GET,
            "/patients/{id}/waves",
            read,
            "Waveforms over a range, as counts of their source",
            waves,
        ))
        .query("channel", "Which channel; needed")
        .query("device", "Only from this device")
        .answers::<Waves>(),
    ]
}

#[derive(Debug, Deserialize)]
struct Range {
    from: Option<String>,
    to: Option<String>,
    vital: Option<String>,
    points: Option<usize>,
    channel: Option<String>,
    device: Option<String>,
}

impl Range {
    fn span(&self, now: Timestamp, max: Duration) -> Result<Span, Problem> {
        let to = self.to.as_deref().map_or(Ok(now), |text| read_time("to", text))?;
        let hour_before = to.before(Duration::from_secs(3_600));
        let from = self.from.as_deref().map_or(Ok(hour_before), |text| read_time("from", text))?;
        if from >= to {
            return Err(Problem::bad_request("from is not before to"));
        }
        if to.since(from) > max {
            return Err(Problem::bad_request(format!(
                "the range is longer than {} h",
                max.as_secs() / 3_600
            )));
        }
        Ok(Span { from, to })
    }
}

/// Why the series did not answer: mostly that somebody asked for too much.
pub(super) fn not_read(error: DatabaseError) -> Problem {
    match error {
        DatabaseError::TooMuch { .. } => Problem::bad_request(error),
        DatabaseError::Sqlite { .. }
        | DatabaseError::UnknownSchema { .. }
        | DatabaseError::NoRoomToUpgrade { .. }
        | DatabaseError::Damaged { .. } => Problem::caused_by(&error),
    }
}

/// One channel of one device, for the stretches during which it was the patient's.
struct Source {
    device: DeviceId,
    spec: ChannelSpec,
    grade: Grade,
    cadence: Duration,
    spans: Vec<Span>,
}

/// The sources of a vital, the best first: medical grade, then whatever comes more often.
fn sources(
    api: &Api,
    directory: &Directory,
    worn: &[(DeviceId, Vec<Span>)],
    vital: Vital,
) -> Vec<Source> {
    let mut sources = Vec::new();
    for (device, spans) in worn {
        let profile = directory.devices.get(device).and_then(|it| api.profiles.get(&it.profile));
        let Some(profile) = profile else { continue };
        for (spec, numeric) in profile.numerics().filter(|(spec, _)| spec.vital() == Some(vital)) {
            let (grade, cadence, spans) = (profile.grade, numeric.cadence, spans.clone());
            sources.push(Source { device: *device, spec: spec.clone(), grade, cadence, spans });
        }
    }
    sources.sort_by_key(|source| (source.grade != Grade::Medical, source.cadence, source.device));
    sources
}

fn read_dots(
    series: &Series,
    org: OrgId,
    source: &Source,
    vital: Vital,
    within: Span,
) -> Result<Vec<Dot>, DatabaseError> {
    let reach = source.cadence.saturating_mul(MISSED);
    let mut dots = Vec::new();
    for worn in source.spans.iter().copied() {
        let Span { from, to } =
            Span { from: worn.from.max(within.from), to: worn.to.min(within.to) };
        if from >= to {
            continue;
        }
        let question =
            Question { org, device: source.device, channel: source.spec.channel(), from, to };
        for stretch in series.query(&question)? {
            let kind = stretch.kind.unwrap_or(source.spec.code);
            let value = |(mantissa, exp10)| {
                let measure = Measure { kind, mantissa, exp10, ucum: stretch.ucum.clone() };
                // A unit that this vital does not know is stored and never drawn as if it were known.
                vital.thousandths(&measure).map_err(|_| model::MissingReason::Implausible)
            };
            dots.extend(stretch.items.iter().map(|point| Dot {
                at: point.at,
                value: point.value.and_then(value),
                reach,
            }));
        }
    }
    dots.sort_by_key(|dot| dot.at);
    Ok(dots)
}

fn gap(vital: Option<Vital>, hole: &Hole) -> Gap {
    let reason = match hole.why {
        Nothing::Said(reason) => {
            view::missing_words(vital.unwrap_or(Vital::HeartRate), reason).to_owned()
        }
        Nothing::NoData => "no_data".to_owned(),
        Nothing::NoDevice => "no_device".to_owned(),
    };
    Gap { from: time(hole.span.from), to: time(hole.span.to), reason }
}

async fn scores(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(range): Asked<Range>,
) -> Result<Json<Scores>, Problem> {
    let patient = caller.patient()?;
    let span = range.span(caller.at, TRENDS_SPAN_MAX)?;
    let (records, org) = (api.records.clone(), caller.resource.org);
    let most = SCORES_MAX + 1;
    let read = move || records.scores(org, patient, (span.from, span.to), most);
    let rows = tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?;
    let mut rows = rows.map_err(|error| Problem::caused_by(&error))?;
    let is_cut = rows.len() > SCORES_MAX;
    if is_cut {
        rows.remove(0);
    }
    let scores = rows.into_iter().map(ScoreThen::from).collect();
    Ok(Json(Scores { from: time(span.from), to: time(span.to), scores, is_cut }))
}

async fn trends(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(range): Asked<Range>,
) -> Result<Json<Trends>, Problem> {
    let patient = caller.patient()?;
    let span = range.span(caller.at, TRENDS_SPAN_MAX)?;
    let mut vitals: Vec<Vital> = match range.vital.as_deref() {
        Some(names) => {
            names.split(',').map(|name| Vital::read(name.trim())).collect::<Result<_, _>>()?
        }
        None => USUAL.to_vec(),
    };
    let mut named = BTreeSet::new();
    vitals.retain(|vital| named.insert(*vital));
    let points = match range.points.unwrap_or(TREND_POINTS) {
        points @ 2..=TREND_POINTS_MAX => points,
        other => {
            return Err(Problem::bad_request(format!(
                "points is {other}; use 2 to {TREND_POINTS_MAX}"
            )));
        }
    };
    let series = read_trends(&api, &caller, patient, &vitals, (span, points)).await?;
    Ok(Json(Trends { from: time(span.from), to: time(span.to), series }))
}

/// The trends of a patient's vitals over a range, each of about so many points.
pub(crate) async fn read_trends(
    api: &Api,
    caller: &Caller,
    patient: PatientId,
    vitals: &[Vital],
    (span, points): (Span, usize),
) -> Result<Vec<Trend>, Problem> {
    let directory = api.engine.directory();
    let worn = worn(&directory, patient, span, caller.at);
    let sourced = |vital: &Vital| (*vital, sources(api, &directory, &worn, *vital));
    let asked: Vec<_> = vitals.iter().map(sourced).collect();
    let (series, org, now) = (api.series.clone(), caller.resource.org, caller.at);
    let read = move || {
        let lines = asked.into_iter().map(|(vital, sources)| {
            let mut whole: Option<Trend> = None;
            let stretches = windows(span);
            let share = points.div_ceil(stretches.len().max(1)).max(2);
            for within in stretches {
                let dots =
                    sources.iter().map(|source| read_dots(&series, org, source, vital, within));
                let line = merged(dots.collect::<Result<_, _>>()?);
                let part = trend(vital, &line, within, now, share, !sources.is_empty());
                whole = Some(match whole {
                    Some(before) => before.and_then(part),
                    None => part,
                });
            }
            Ok(whole.unwrap_or_else(|| trend(vital, &[], span, now, points, false)))
        });
        lines.collect::<Result<Vec<Trend>, DatabaseError>>()
    };
    tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)
}

/// A range in stretches of so much that one value a second fits into a question, and into memory.
fn windows(span: Span) -> Vec<Span> {
    let mut windows = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let to = from.after(TRENDS_STRETCH).min(span.to);
        windows.push(Span { from, to });
        from = to;
    }
    windows
}

impl Trend {
    /// This trend with what followed it; a gap that goes on is one gap.
    fn and_then(mut self, next: Self) -> Self {
        let mut gaps = next.gaps.into_iter().peekable();
        if let (Some(last), Some(first)) = (self.gaps.last_mut(), gaps.peek())
            && last.to == first.from
            && last.reason == first.reason
        {
            last.to.clone_from(&first.to);
            gaps.next();
        }
        self.gaps.extend(gaps);
        self.points.extend(next.points);
        self.count = self.count.saturating_add(next.count);
        self
    }
}

fn trend(
    vital: Vital,
    line: &[Dot],
    span: Span,
    now: Timestamp,
    points: usize,
    has_device: bool,
) -> Trend {
    let values: Vec<(i64, i64)> = line
        .iter()
        .filter_map(|dot| dot.value.ok().map(|value| (dot.at.unix_millis(), value)))
        .collect();
    // Nothing is missing from the future.
    let until_now = Span { from: span.from, to: span.to.min(now) };
    Trend {
        vital: vital.word(),
        label: label(vital),
        unit: unit(vital),
        points: thinned(&values, points)
            .into_iter()
            .map(|(at, value)| (at, number(value)))
            .collect(),
        gaps: holes(line, until_now, has_device)
            .iter()
            .map(|hole| gap(Some(vital), hole))
            .collect(),
        count: values.len(),
    }
}

async fn waves(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(range): Asked<Range>,
) -> Result<Json<Waves>, Problem> {
    let patient = caller.patient()?;
    let span = range.span(caller.at, WAVES_SPAN_MAX)?;
    let channel =
        range.channel.clone().ok_or_else(|| Problem::bad_request("channel is missing"))?;
    let only: Option<DeviceId> = range.device.as_deref().map(parse).transpose()?;
    let directory = api.engine.directory();
    let mut worn = worn(&directory, patient, span, caller.at);
    worn.retain(|(device, _)| only.is_none_or(|only| only == *device));
    let (series, org, name) =
        (api.series.clone(), caller.resource.org, Channel::from(channel.as_str()));
    let has_device = !worn.is_empty();
    let read = move || {
        let mut sources = Vec::new();
        for (device, spans) in worn {
            let mut traces = Vec::new();
            for within in spans {
                let Span { from, to } = within;
                let question = Question { org, device, channel: name.clone(), from, to };
                for stretch in series.query_wave(&question)? {
                    let unit = stretch.ucum.as_str();
                    let parts = stretch.items.iter().filter_map(|item| cut(item, within));
                    traces.extend(parts.map(|span| Trace { unit: unit.to_owned(), span }));
                }
            }
            sources.push(traces);
        }
        Ok(joined(sources))
    };
    let traces =
        tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)?;
    let until_now = Span { from: span.from, to: span.to.min(caller.at) };
    let gaps =
        trace_holes(&traces, until_now, has_device).iter().map(|hole| gap(None, hole)).collect();
    Ok(Json(Waves { channel, spans: traces.iter().map(wave_span).collect(), gaps }))
}

fn wave_span(it: &Trace) -> WaveSpan {
    let span = &it.span;
    let (mantissa, exp10) = span.gain;
    #[expect(clippy::cast_precision_loss, reason = "a gain has a few digits")]
    let gain = mantissa as f64 * 10_f64.powi(i32::from(exp10));
    WaveSpan {
        start: time(span.at),
        rate_hz: f64::from(span.rate_hz.0) / f64::from(span.rate_hz.1.max(1)),
        unit: it.unit.clone(),
        gain,
        offset: span.offset,
        samples: span.samples.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(day: u32) -> Timestamp {
        Timestamp::from_unix_millis(0).after(DAY * day)
    }

    #[test]
    fn a_long_range_is_read_in_stretches_that_meet() {
        let check = |days: u32, want: &[(u32, u32)]| {
            let found = windows(Span { from: at(0), to: at(days) });
            let want: Vec<_> =
                want.iter().map(|(a, b)| Span { from: at(*a), to: at(*b) }).collect();
            assert_eq!(found, want);
        };
        check(1, &[(0, 1)]);
        check(7, &[(0, 7)]);
        check(8, &[(0, 7), (7, 8)]);
        check(15, &[(0, 7), (7, 14), (14, 15)]);
        check(0, &[]);
    }

    #[test]
    fn a_gap_over_the_end_of_a_stretch_is_one_gap() {
        let part = |from: u32, to: u32, reason: &str| Trend {
            vital: "heart_rate",
            label: "HR",
            unit: "/min",
            points: vec![(i64::from(from), 80.0)],
            gaps: vec![Gap { from: time(at(from)), to: time(at(to)), reason: reason.to_owned() }],
            count: 1,
        };
        let joined = part(5, 7, "no_data").and_then(part(7, 9, "no_data"));
        assert_eq!(
            joined.gaps,
            [Gap { from: time(at(5)), to: time(at(9)), reason: "no_data".to_owned() }]
        );
        assert_eq!((joined.points.len(), joined.count), (2, 2));
        assert_eq!(part(5, 7, "no_data").and_then(part(7, 9, "no_device")).gaps.len(), 2);
        assert_eq!(part(5, 6, "no_data").and_then(part(7, 9, "no_data")).gaps.len(), 2);
    }
}
