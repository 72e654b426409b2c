//! Lines drawn by letters: one character is one second.

use model::ClockUsed;
use store::Marks;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_millis(second * 1_000)
}

fn span(from: i64, to: i64) -> Span {
    Span { from: at(from), to: at(to) }
}

/// A digit is a value, `x` is «sensor detached», a blank is nothing.
fn dots(line: &str, reach_s: u64) -> Vec<Dot> {
    let dot = |(second, letter): (i64, char)| {
        let value = match letter {
            ' ' => return None,
            'x' => Err(MissingReason::SensorDetached),
            digit => Ok(i64::from(digit.to_digit(10).unwrap())),
        };
        Some(Dot { at: at(second), value, reach: Duration::from_secs(reach_s) })
    };
    (0..).zip(line.chars()).filter_map(dot).collect()
}

fn letters(line: &[Dot], len: i64) -> String {
    let letter = |second| match line.iter().rfind(|dot| dot.at == at(second)).map(|dot| dot.value) {
        None => ' ',
        Some(Err(_)) => 'x',
        Some(Ok(value)) => char::from_digit(u32::try_from(value).unwrap(), 10).unwrap(),
    };
    (0..len).map(letter).collect()
}

#[test]
fn a_lesser_source_speaks_only_where_the_better_is_silent() {
    let check = |sources: &[&str], want: &str| {
        let line = merged(sources.iter().map(|line| dots(line, 2)).collect());
        assert_eq!(letters(&line, want.len() as i64), want);
    };
    check(&["1111    11", "2222222222"], "1111    11");
    check(&["1111     11", "22222222222"], "1111  2  11");
    check(&["1111      11", "222222222222"], "1111  22  11");
    check(&["          ", "2 2 2 2 2 "], "2 2 2 2 2 ");
    // Who says that there is nothing does not keep another from speaking.
    check(&["11xxxxxx11", "2222222222"], "1122222211");
    check(&["11xxxxxx11", "2222222222", "3333333333"], "1122222211");
    check(&[], "");
}

#[test]
fn thinning_keeps_the_least_and_the_greatest() {
    let points: Vec<(i64, i64)> =
        (0..10_000).map(|n| (n * 1_000, if n == 7_777 { 200 } else { 60 + n % 7 })).collect();
    let thin = thinned(&points, 200);
    assert!(thin.len() <= 200, "{}", thin.len());
    assert!(thin.contains(&(7_777_000, 200)));
    assert!(thin.is_sorted_by_key(|(at, _)| *at));
    assert_eq!(thin.iter().map(|(_, value)| value).min(), Some(&60));
    assert_eq!(thinned(&points[..200], 200), points[..200]);
    assert_eq!(thinned(&[], 10), []);
    // All at one instant: nothing is divided by zero.
    assert_eq!(thinned(&[(5, 1), (5, 2), (5, 3)], 2), [(5, 1), (5, 3)]);
}

fn trace(start_ms: i64, samples: std::ops::Range<i32>, invalid: &[(u32, u32)]) -> Trace {
    let reason = MissingReason::SensorDetached;
    let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
    let start = Timestamp::from_unix_millis(start_ms);
    let span = WaveSpan {
        at: start,
        received_at: start,
        rate_hz: (10, 1),
        gain: (1, 0),
        offset: 0,
        samples: samples.collect(),
        invalid: invalid
            .iter()
            .map(|(start, len)| Invalid { start: *start, len: *len, reason })
            .collect(),
        marks,
    };
    Trace { unit: "mV".to_owned(), span }
}

#[test]
fn a_trace_is_cut_at_samples() {
    let whole = trace(0, 0..10, &[(4, 4)]);
    let cut = |from, to| {
        let (from, to) = (Timestamp::from_unix_millis(from), Timestamp::from_unix_millis(to));
        cut(&whole.span, Span { from, to })
    };
    let part = cut(250, 600).unwrap();
    assert_eq!((part.at, &*part.samples), (Timestamp::from_unix_millis(300), &[3, 4, 5][..]));
    assert_eq!(part.invalid.iter().map(|it| (it.start, it.len)).collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(cut(-500, 5_000).unwrap(), whole.span);
    assert_eq!((cut(1_000, 2_000), cut(-1_000, 0)), (None, None));
}

#[test]
fn blocks_that_follow_each_other_are_one_stretch_and_gaps_stay() {
    let better = vec![
        trace(0, 0..10, &[]),
        trace(1_000, 10..20, &[(1, 2)]),
        // A tenth of a sample late, as clocks drift.
        trace(2_010, 20..30, &[]),
        trace(5_000, 50..60, &[]),
    ];
    // The same second from a lesser source.
    let traces = joined(vec![better, vec![trace(2_000, 90..99, &[])]]);
    let lens: Vec<_> =
        traces.iter().map(|it| (it.span.at.unix_millis(), it.span.samples.len())).collect();
    assert_eq!(lens, [(0, 30), (5_000, 10)]);
    assert!(traces[0].span.samples.iter().copied().eq(0..30));
    let holes = trace_holes(&traces, span(0, 7), true);
    let off = Nothing::Said(MissingReason::SensorDetached);
    let ms = |from, to| Span {
        from: Timestamp::from_unix_millis(from),
        to: Timestamp::from_unix_millis(to),
    };
    let found: Vec<_> = holes.iter().map(|hole| (hole.span, hole.why)).collect();
    let want = [
        (ms(1_100, 1_300), off),
        (ms(3_000, 5_000), Nothing::NoData),
        (ms(6_000, 7_000), Nothing::NoData),
    ];
    assert_eq!(found, want);
}

#[test]
fn no_sample_of_a_source_is_left_out_when_its_clock_jitters() {
    let jittery = vec![trace(0, 0..10, &[]), trace(400, 10..20, &[]), trace(1_300, 20..30, &[])];
    let kept: usize = joined(vec![jittery]).iter().map(|it| it.span.samples.len()).sum();
    assert_eq!(kept, 30);
}
