//! Trends and traces of a patient.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Method};
use engine::{Directory, view};
use fleet::coverage::Stretch;
use model::{Channel, DeviceId, Measure, OrgId, PatientId, Timestamp, Vital};
use protocols::profile::{ChannelSpec, Grade};
use security::Action;
use serde::Deserialize;
use store::{DatabaseError, Question, Series};

use super::history::until_now;
use crate::{
    Api,
    dto::{
        patient::{Gap, Trend, Trends, WaveSpan, Waves},
        words::{Spelt as _, label, number, read_time, time, unit},
    },
    extract::Asked,
    guard::{Caller, parse},
    history::{VitalLedger, Wanted, parts_of_patient},
    limits::{TREND_POINTS, TREND_POINTS_MAX, TRENDS_SPAN_MAX, TRENDS_STRETCH, WAVES_SPAN_MAX},
    long_answer::{Written, written},
    past::{
        Dot, Hole, Nothing, Span, Trace, cut, joined, merged, thinned, trace_holes, with_damage,
        worn,
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
            "Vitals over a range, thinned so that extremes survive, and how much of them is there",
            trends,
        ))
        .query("vital", "Names of vitals, separated by commas")
        .query("points", "About how many points of each, 2 to 20,000")
        .answers::<Trends>(),
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

/// A range of time with what is wanted of it.
#[derive(Debug, Deserialize)]
pub(super) struct Range {
    from: Option<String>,
    to: Option<String>,
    vital: Option<String>,
    points: Option<usize>,
    channel: Option<String>,
    device: Option<String>,
}

impl Range {
    pub(super) fn span(&self, now: Timestamp, max: Duration) -> Result<Span, Problem> {
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

/// The values of a source, and where some of them are stored and cannot be read.
fn read_dots(
    series: &Series,
    org: OrgId,
    source: &Source,
    vital: Vital,
    within: Span,
    damaged: &mut Vec<Span>,
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
        let answer = series.query(&question)?;
        damaged.extend(answer.damaged.iter().filter_map(|it| Span { from, to }.of(*it)));
        for stretch in answer.stretches {
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

fn gap(hole: &Hole) -> Gap {
    let reason = match hole.why {
        Nothing::Said(reason) => view::missing_words(Vital::HeartRate, reason).to_owned(),
        Nothing::NoData => "no_data".to_owned(),
        Nothing::NoDevice => "no_device".to_owned(),
        Nothing::Damaged => "damaged".to_owned(),
    };
    Gap { from: time(hole.span.from), to: time(hole.span.to), reason }
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
    let wanted = Wanted::Only { vitals: vitals.to_vec(), channels: Vec::new() };
    let whole = api.source(caller, wanted, caller.at);
    let directory = &whole.directory;
    let worn = worn(directory, patient, span, caller.at);
    let sourced = |vital: &Vital| (*vital, sources(api, directory, &worn, *vital));
    let asked: Vec<_> = vitals.iter().map(sourced).collect();
    let looked = until_now(span, caller.at);
    let parts = parts_of_patient(directory, patient, looked, caller.at);
    let outages = api.outages_in(caller.resource.org, looked).await?;
    let (series, org) = (api.series.clone(), caller.resource.org);
    let read = move || {
        let groups: Vec<&[Vital]> =
            asked.iter().map(|(vital, _)| std::slice::from_ref(vital)).collect();
        let ledgers = whole.vital_ledgers(&parts, &groups, looked, &outages)?;
        let lines = asked.iter().zip(ledgers).map(|((vital, sources), ledger)| {
            let stretches = windows(span);
            let share = points.div_ceil(stretches.len().max(1)).max(2);
            let (mut kept, mut lost, mut count) = (Vec::new(), Vec::new(), 0_usize);
            for within in stretches {
                let mut damaged = Vec::new();
                let dots = sources
                    .iter()
                    .map(|source| read_dots(&series, org, source, *vital, within, &mut damaged));
                let line = merged(dots.collect::<Result<_, _>>()?);
                lost.extend(damaged.iter().flat_map(|it| unseen(*it, &line)));
                let values = values(&line);
                count = count.saturating_add(values.len());
                kept.extend(thinned(&values, share));
            }
            Ok(trend(*vital, &kept, count, &ledger.losing(&united(lost))))
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

/// The values of a line with their times in milliseconds.
fn values(line: &[Dot]) -> Vec<(i64, i64)> {
    let value = |dot: &Dot| dot.value.ok().map(|value| (dot.at.unix_millis(), value));
    line.iter().filter_map(value).collect()
}

/// What of a damaged stretch no value reaches.
fn unseen(damaged: Span, line: &[Dot]) -> Vec<Span> {
    let (mut from, mut unseen) = (damaged.from, Vec::new());
    let first = line.partition_point(|it| it.at < damaged.from);
    let inside = line.iter().skip(first).filter(|it| it.value.is_ok());
    for dot in inside.take_while(|it| it.at < damaged.to) {
        if from < dot.at {
            unseen.push(Span { from, to: dot.at });
        }
        from = from.max(dot.at.after(dot.reach));
    }
    if from < damaged.to {
        unseen.push(Span { from, to: damaged.to });
    }
    unseen
}

/// Stretches in order of time, those that meet or overlap as one.
fn united(mut lost: Vec<Span>) -> Vec<Stretch> {
    lost.sort_by_key(|it| it.from);
    let mut united: Vec<Stretch> = Vec::new();
    for it in lost {
        match united.last_mut() {
            Some(last) if it.from <= last.to => last.to = last.to.max(it.to),
            _ => united.push(Stretch { from: it.from, to: it.to }),
        }
    }
    united
}

fn trend(vital: Vital, points: &[(i64, i64)], count: usize, ledger: &VitalLedger) -> Trend {
    let gap = |(at, why): (Stretch, &str)| Gap {
        from: time(at.from),
        to: time(at.to),
        reason: why.to_owned(),
    };
    Trend {
        vital: vital.word(),
        label: label(vital),
        unit: unit(vital),
        points: points.iter().map(|(at, value)| (*at, number(*value))).collect(),
        gaps: ledger.stretches().into_iter().map(gap).collect(),
        covered: ledger.covered(),
        count,
    }
}

async fn waves(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(range): Asked<Range>,
) -> Result<Written, Problem> {
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
    let now = caller.at;
    let answer = move || {
        let (mut sources, mut damaged) = (Vec::new(), Vec::new());
        for (device, spans) in worn {
            let mut traces = Vec::new();
            for within in spans {
                let Span { from, to } = within;
                let question = Question { org, device, channel: name.clone(), from, to };
                let answer = series.query_wave(&question).map_err(not_read)?;
                damaged.extend(answer.damaged.iter().filter_map(|it| within.of(*it)));
                for stretch in answer.stretches {
                    let unit = stretch.ucum.as_str();
                    let parts = stretch.items.iter().filter_map(|item| cut(item, within));
                    traces.extend(parts.map(|span| Trace { unit: unit.to_owned(), span }));
                }
            }
            sources.push(traces);
        }
        damaged.sort_by_key(|it: &Span| it.from);
        let traces = joined(sources);
        let holes = with_damage(trace_holes(&traces, until_now(span, now), has_device), &damaged);
        let gaps = holes.iter().map(gap).collect();
        Ok(Waves { channel, spans: traces.iter().map(wave_span).collect(), gaps })
    };
    written(answer).await
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
    use fleet::coverage::{Gap, Ledger, Why};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(day: u32) -> Timestamp {
        Timestamp::from_unix_millis(0).after(DAY * day)
    }

    #[test]
    fn what_of_a_damaged_stretch_no_value_reaches_is_a_gap_over_all_others() {
        let at = |second: i64| Timestamp::from_unix_millis(second * 1_000);
        let span = |(from, to)| Span { from: at(from), to: at(to) };
        let reach = Duration::from_secs(3);
        let dot = |second| Dot { at: at(second), value: Ok(1), reach };
        let check = |line: &[i64], want: &[(i64, i64)]| {
            let line: Vec<Dot> = line.iter().map(|it| dot(*it)).collect();
            let want: Vec<Span> = want.iter().copied().map(span).collect();
            assert_eq!(unseen(span((10, 20)), &line), want, "{line:?}");
        };
        check(&[], &[(10, 20)]);
        check(&[9, 20], &[(10, 20)]);
        check(&[10, 13, 16, 18], &[]);
        check(&[12, 14], &[(10, 12), (17, 20)]);
    }

    #[test]
    fn what_cannot_be_read_counts_once_and_out_of_the_share() {
        let at = |second: i64| Timestamp::from_unix_millis(second * 1_000);
        let stretch = |(from, to)| Stretch { from: at(from), to: at(to) };
        let gap = |(from, to), why| Gap { at: stretch((from, to)), why };
        let (silent, network) = (gap((5, 12), Why::Silent), gap((18, 30), Why::Network));
        let whole = || VitalLedger {
            ledger: Ledger {
                promised: Duration::from_secs(90),
                covered: Duration::from_secs(71),
                gaps: vec![silent, network],
            },
            no_device: vec![stretch((90, 100))],
        };
        // Two devices lost the same; behind the ninetieth second none was on.
        let lost = [(40, 50), (10, 20), (15, 20), (45, 60), (85, 95)];
        let lost = lost.map(|(from, to)| Span { from: at(from), to: at(to) });
        let told = whole().losing(&united(lost.to_vec()));
        let want = [
            gap((5, 10), Why::Silent),
            gap((10, 20), Why::Damaged),
            gap((20, 30), Why::Network),
            gap((40, 60), Why::Damaged),
            gap((85, 90), Why::Damaged),
        ];
        assert_eq!(told.ledger.gaps, want);
        let covered = told.covered();
        assert_eq!((covered.covered_s, covered.percent), (40.0, Some(44.4)));
        assert_eq!((covered.lacking[0].reason, covered.lacking[0].seconds), ("damaged", 35.0));
        assert_eq!(whole().losing(&[]).covered(), whole().covered());
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
}
