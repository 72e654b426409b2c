//! Percentiles of measured times.

/// The sample that stands nearest to this share of the way from the least to the greatest;
/// `None` without samples.
pub(crate) fn percentile(samples: &mut [f64], share: f64) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().checked_sub(1)?;
    // A rank among samples that fit in memory.
    let rank = (share * last as f64).round() as usize;
    samples.get(rank.min(last)).copied()
}

#[test]
fn a_percentile_is_one_of_the_samples() {
    let check =
        |share, want| assert_eq!(percentile(&mut [4.0, 1.0, 3.0, 2.0, 5.0], share), Some(want));
    check(0.0, 1.0);
    check(0.5, 3.0);
    check(0.99, 5.0);
    assert_eq!(percentile(&mut [], 0.5), None);
}
