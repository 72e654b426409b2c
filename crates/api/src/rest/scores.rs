//! How a patient's early warning score went, with what was missing and why.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Method};
use fleet::coverage::Stretch;
use model::{Timestamp, Vital};
use security::Action;
use store::ScoreRow;

use super::{
    history::until_now,
    past::{Range, not_read},
};
use crate::{
    Api,
    dto::{
        history::{Covered, Lacking},
        news::{InputLacking, InputWhy, ScoreThen, Scores},
        words::time,
    },
    extract::Asked,
    guard::Caller,
    history::{VitalLedger, Wanted, parts_of_patient},
    limits::{SCORES_MAX, TRENDS_SPAN_MAX},
    past::Span,
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/patients/{id}/scores",
            Access::Permitted(Action::ReadPatient, Scope::Patient),
            "The early warning score over a range, with what was missing and why",
            scores,
        )
        .query("from", "RFC 3339 or unix milliseconds")
        .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
        .answers::<Scores>(),
    ]
}

/// The inputs that devices give, each with the vitals that count as it.
const MEASURED: [(&str, &[Vital]); 5] = [
    ("respiratory_rate", &[Vital::RespiratoryRate]),
    ("saturation", &[Vital::Saturation]),
    ("systolic_pressure", &[Vital::SystolicPressure]),
    ("pulse", &[Vital::HeartRate, Vital::PulseRate]),
    ("temperature", &[Vital::Temperature]),
];
/// Why an input lacks that only people give.
const NOT_CHARTED: &str = "not_charted";
/// Why an input lacks that a device gave: it is older than the score takes it.
const AGED: &str = "aged";

/// A reading of before the range may be what its first scores were made of.
const LOOKED_BACK: Duration = Duration::from_secs(86_400);

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
    let held = held(&rows, until_now(span, caller.at));
    let looked = held.first().zip(held.last()).map(|(first, last)| (first.from, last.to));
    let looked = looked.filter(|_| rows.iter().any(|row| !row.missing.is_empty()));
    let ledgers = match looked {
        Some((from, to)) if from < to => {
            let asked = Span { from, to };
            let vitals = MEASURED.iter().flat_map(|it| it.1.iter().copied()).collect();
            let wanted = Wanted::Only { vitals, channels: Vec::new() };
            let source = api.source(&caller, wanted, caller.at);
            let parts = parts_of_patient(&source.directory, patient, asked, caller.at);
            let outages = api.outages_in(org, asked).await?;
            let groups: Vec<&[Vital]> = MEASURED.iter().map(|it| it.1).collect();
            let read = move || source.vital_ledgers(&parts, &groups, asked, &outages);
            tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)?
        }
        _ => Vec::new(),
    };
    let corrected = {
        let (api, directory) = (Arc::clone(&api), api.engine.directory());
        let before = Span { from: span.from.before(LOOKED_BACK), to: span.to };
        let parts = parts_of_patient(&directory, patient, before, caller.at);
        let vitals: Vec<Vital> = MEASURED.iter().flat_map(|it| it.1.iter().copied()).collect();
        let read = move || api.stood_corrected(&parts, org, &vitals);
        tokio::task::spawn_blocking(read).await.map_err(Problem::fault)?.map_err(not_read)?
    };
    let reasons = Reasons(ledgers.iter().map(VitalLedger::all_stretches).collect());
    let then = |(row, at): (ScoreRow, &Stretch)| {
        let why = row.missing.iter().filter_map(|input| reasons.longest(input, *at));
        let corrected_later = corrected.iter().any(|it| it.touches(row.at));
        ScoreThen { why: why.collect(), corrected_later, ..ScoreThen::from(row) }
    };
    let (covered, inputs) = (covered(&rows, &held), inputs(&rows, &held, &reasons));
    let scores = rows.into_iter().zip(&held).map(then).collect();
    let (from, to) = (time(span.from), time(span.to));
    Ok(Json(Scores { from, to, scores, is_cut, covered, inputs }))
}

/// For how long each score held in the range; one that held before it from its beginning on.
fn held(rows: &[ScoreRow], span: Span) -> Vec<Stretch> {
    let ends = rows.iter().skip(1).map(|row| row.at).chain([span.to]);
    let within = |at: Timestamp| at.max(span.from).min(span.to);
    rows.iter()
        .zip(ends)
        .map(|(row, end)| Stretch { from: within(row.at), to: within(end) })
        .collect()
}

/// While each measured input was not there, with the words why.
struct Reasons(Vec<Vec<(Stretch, &'static str)>>);

impl Reasons {
    /// Why an input lacked over a stretch in which it had no points, piece by piece.
    fn of(&self, input: &str, at: Stretch) -> Vec<(&'static str, Stretch)> {
        if at.from >= at.to {
            return Vec::new();
        }
        let place = MEASURED.iter().position(|(name, _)| *name == input);
        let Some(gaps) = place.map(|place| self.0.get(place).map_or(&[][..], Vec::as_slice)) else {
            return vec![(NOT_CHARTED, at)];
        };
        let (mut until, mut found) = (at.from, Vec::new());
        let first = gaps.partition_point(|(gap, _)| gap.to <= at.from);
        for (gap, why) in gaps.iter().skip(first).take_while(|(gap, _)| gap.from < at.to) {
            let (from, to) = (gap.from.max(until), gap.to.min(at.to));
            if until < from {
                found.push((AGED, Stretch { from: until, to: from }));
            }
            found.push((*why, Stretch { from, to }));
            until = to;
        }
        if until < at.to {
            found.push((AGED, Stretch { from: until, to: at.to }));
        }
        found
    }

    /// Why an input lacked over most of a stretch.
    fn longest(&self, input: &str, at: Stretch) -> Option<InputWhy> {
        let reason = Lacking::summed(self.of(input, at).into_iter()).first()?.reason;
        Some(InputWhy { input: input.to_owned(), reason })
    }
}

/// How much of the range has a total, from its first score on.
fn covered(rows: &[ScoreRow], held: &[Stretch]) -> Covered {
    let length = |it: &Stretch| it.to.since(it.from).as_secs_f64();
    let promised_s: f64 = held.iter().map(length).sum();
    let whole = rows.iter().zip(held).filter(|(row, _)| row.total.is_some());
    let covered_s: f64 = whole.map(|(_, at)| length(at)).sum();
    let percent = (promised_s > 0.0).then(|| (covered_s / promised_s * 1_000.0).floor() / 10.0);
    Covered { percent, promised_s, covered_s, lacking: Vec::new(), no_device_s: 0.0 }
}

/// For how long each input lacked, and why; the longest first.
fn inputs(rows: &[ScoreRow], held: &[Stretch], reasons: &Reasons) -> Vec<InputLacking> {
    let mut found: Vec<(String, Vec<(&'static str, Stretch)>)> = Vec::new();
    for (row, at) in rows.iter().zip(held).filter(|(_, at)| at.from < at.to) {
        for input in &row.missing {
            let pieces = reasons.of(input, *at);
            match found.iter_mut().find(|(name, _)| name == input) {
                Some((_, all)) => all.extend(pieces),
                None => found.push((input.clone(), pieces)),
            }
        }
    }
    let of = |(input, pieces): (String, Vec<(&'static str, Stretch)>)| {
        let lacking = Lacking::summed(pieces.into_iter());
        InputLacking { input, seconds: lacking.iter().map(|it| it.seconds).sum(), lacking }
    };
    let mut inputs: Vec<InputLacking> = found.into_iter().map(of).collect();
    inputs.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    inputs
}

#[cfg(test)]
mod tests {
    use model::PatientId;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(second * 1_000)
    }

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch { from: at(from), to: at(to) }
    }

    fn row(second: i64, total: Option<u8>, missing: &[&str]) -> ScoreRow {
        let missing = missing.iter().map(|it| (*it).to_owned()).collect();
        ScoreRow {
            patient: PatientId::v7(at(1), 1),
            at: at(second),
            total,
            single_red: false,
            missing,
        }
    }

    #[test]
    fn a_missing_input_has_the_ledgers_reason_and_is_too_old_where_that_has_none() {
        let mut gaps = vec![Vec::new(); MEASURED.len()];
        gaps[1] = vec![(stretch(10, 20), "network"), (stretch(20, 26), "device_off")];
        let reasons = Reasons(gaps);
        let check = |input: &str, from: i64, to: i64, want: &[(&str, i64, i64)]| {
            let want: Vec<_> = want.iter().map(|it| (it.0, stretch(it.1, it.2))).collect();
            assert_eq!(reasons.of(input, stretch(from, to)), want, "{input} {from}");
        };
        check("saturation", 12, 18, &[("network", 12, 18)]);
        check("saturation", 15, 25, &[("network", 15, 20), ("device_off", 20, 25)]);
        check(
            "saturation",
            5,
            30,
            &[("aged", 5, 10), ("network", 10, 20), ("device_off", 20, 26), ("aged", 26, 30)],
        );
        check("temperature", 0, 9, &[("aged", 0, 9)]);
        check("consciousness", 0, 9, &[("not_charted", 0, 9)]);
        let why = reasons.longest("saturation", stretch(15, 30)).unwrap();
        assert_eq!((why.input.as_str(), why.reason), ("saturation", "device_off"));
        assert!(reasons.longest("saturation", stretch(15, 15)).is_none());
    }

    #[test]
    fn the_share_counts_from_the_first_score_and_a_score_of_before_from_the_ranges_beginning() {
        let rows = [
            row(0, Some(3), &[]),
            row(40, None, &["oxygen", "saturation"]),
            row(60, None, &["oxygen"]),
            row(70, Some(5), &[]),
        ];
        let held = held(&rows, Span { from: at(20), to: at(100) });
        assert_eq!(held, [stretch(20, 40), stretch(40, 60), stretch(60, 70), stretch(70, 100)]);
        let covered = covered(&rows, &held);
        assert_eq!((covered.promised_s, covered.covered_s), (80.0, 50.0));
        assert_eq!(covered.percent, Some(62.5));
        let reasons = Reasons(vec![Vec::new(); MEASURED.len()]);
        let inputs = inputs(&rows, &held, &reasons);
        let told: Vec<_> =
            inputs.iter().map(|it| (it.input.as_str(), it.seconds, it.lacking[0].reason)).collect();
        assert_eq!(told, [("oxygen", 30.0, "not_charted"), ("saturation", 20.0, "aged")]);
        assert_eq!(super::covered(&[], &[]).percent, None);
    }
}
