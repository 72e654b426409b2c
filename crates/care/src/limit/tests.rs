//! Every level at its edge, one thousandth below, and one above.

use model::{Code, Measure, MissingReason};
use proptest::prelude::*;

use super::*;

fn measured(kind: u32, mantissa: i64, exp10: i8, ucum: &str) -> Sample {
    Sample::Measured(Measure { kind: Code::Mdc(kind), mantissa, exp10, ucum: ucum.into() })
}

fn set(vital: Vital, low: Option<(i64, i64)>, high: Option<(i64, i64)>) -> LimitSet {
    let side = |(limit, clears_at)| LimitSide {
        limit_thousandths: limit * 1_000,
        clears_at_thousandths: clears_at * 1_000,
        delay: Duration::from_secs(5),
        priority: Priority::Medium,
    };
    LimitSet { vital, low: low.map(side), high: high.map(side) }
}

#[test]
fn the_limit_itself_is_no_breach_and_clearing_waits_for_its_own_level() {
    use Verdict::{Between, Holds, Over};
    let rates = set(Vital::HeartRate, Some((50, 53)), Some((120, 115)));
    let check = |side, value, want| {
        assert_eq!(Limit::of(&rates, side).unwrap().weigh_thousandths(value), want, "{value}");
    };
    check(Side::High, 120_001, Holds);
    check(Side::High, 120_000, Between);
    check(Side::High, 115_001, Between);
    check(Side::High, 115_000, Over);
    check(Side::Low, 49_999, Holds);
    check(Side::Low, 50_000, Between);
    check(Side::Low, 52_999, Between);
    check(Side::Low, 53_000, Over);
    assert_eq!(Limit::of(&set(Vital::HeartRate, None, None), Side::Low), None);
}

// RC-006
#[test]
fn a_measure_is_converted_or_refused_and_a_missing_one_is_no_signal() {
    let fever = Limit::of(&set(Vital::Temperature, None, Some((39, 38))), Side::High).unwrap();
    assert_eq!(fever.weigh(&measured(150_344, 1_023, -1, "[degF]")), Ok(Verdict::Holds));
    assert_eq!(fever.weigh(&measured(150_344, 391, -1, "Cel")), Ok(Verdict::Holds));
    assert_eq!(fever.weigh(&measured(150_344, 370, -1, "Cel")), Ok(Verdict::Over));
    let unknown = fever.weigh(&measured(150_344, 391, -1, "K")).unwrap_err().to_string();
    assert_eq!(unknown, "temperature cannot be given in `K`; use one of: Cel, [degF]");
    assert!(fever.weigh(&measured(147_842, 60, 0, "/min")).is_err());
    for reason in [MissingReason::SensorDetached, MissingReason::Implausible] {
        assert_eq!(fever.weigh(&Sample::Missing(reason)), Ok(Verdict::NoSignal));
    }
}

// RC-008
#[test]
fn extreme_rates_follow_the_patients_limits_between_floor_and_cap() {
    let check = |low, high, want_low: i64, want_high: i64| {
        let set = set(Vital::HeartRate, low, high);
        let extreme = |side| extreme_rate(&set, side).unwrap();
        assert_eq!(extreme(Side::Low).limit_thousandths, want_low * 1_000, "{low:?}");
        assert_eq!(extreme(Side::High).limit_thousandths, want_high * 1_000, "{high:?}");
        assert_eq!(extreme(Side::Low).clears_at_thousandths, (want_low + 5) * 1_000);
        assert_eq!(extreme(Side::High).clears_at_thousandths, (want_high - 5) * 1_000);
    };
    // At the defaults both are the levels of the 2015 challenge: 40 and 140.
    check(Some((50, 53)), Some((120, 115)), 40, 140);
    check(Some((41, 44)), Some((179, 170)), 31, 199);
    check(Some((40, 43)), Some((180, 170)), 30, 200);
    check(Some((39, 43)), Some((181, 170)), 30, 200);
    // Switched off limits do not switch off the extremes.
    check(None, None, 40, 140);
    assert_eq!(extreme_rate(&set(Vital::Saturation, None, None), Side::Low), None);
    assert_eq!(desaturation().weigh_thousandths(79_999), Verdict::Holds);
    assert_eq!(desaturation().weigh_thousandths(80_000), Verdict::Between);
    assert_eq!(desaturation().weigh_thousandths(83_000), Verdict::Over);
}

// RC-007
#[test]
fn limits_that_could_never_sound_or_never_end_are_refused_by_name() {
    let check = |set: LimitSet, want: Result<(), &str>| {
        assert_eq!(super::check(&set).map_err(|e| e.to_string()), want.map_err(str::to_owned));
    };
    let spo2 = |low| set(Vital::Saturation, Some(low), None);
    check(spo2((88, 90)), Ok(()));
    check(spo2((100, 100)), Ok(()));
    check(spo2((88, 88)), Ok(()));
    let range = "a limit of the oxygen saturation must lie from 1 to 100 %";
    check(spo2((0, 90)), Err(range));
    check(spo2((88, 101)), Err(range));
    let beyond = "the oxygen saturation alarm must clear on the calm side of its limit or at it";
    check(spo2((88, 87)), Err(beyond));
    let rates = |low, high| set(Vital::HeartRate, Some(low), Some(high));
    check(rates((50, 53), (120, 115)), Ok(()));
    let crossed =
        "the low limit of the heart rate must lie below the high one, and each clear between them";
    check(rates((120, 120), (120, 120)), Err(crossed));
    check(rates((50, 120), (120, 50)), Ok(()));
    check(rates((50, 121), (120, 115)), Err(crossed));
    check(rates((50, 53), (120, 49)), Err(crossed));
    let mut slow = spo2((88, 90));
    slow.low.as_mut().unwrap().delay = DELAY_MAX;
    check(slow, Ok(()));
    slow.low.as_mut().unwrap().delay = DELAY_MAX + Duration::from_nanos(1);
    check(slow, Err("the delay of the oxygen saturation alarm must be at most 60 s"));
    let mut mild = spo2((88, 90));
    mild.low.as_mut().unwrap().priority = Priority::Low;
    check(mild, Err("a limit of the oxygen saturation must be of medium or high priority"));
}

#[test]
fn the_default_limits_are_those_of_the_clinical_reference_and_pass_the_check() {
    let all: Vec<_> = defaults().collect();
    for set in &all {
        assert_eq!(check(set), Ok(()), "{set:?}");
    }
    let of = |vital, side| {
        let set = all.iter().find(|set| set.vital == vital).unwrap();
        side_of(set, side).map(|side| side.limit_thousandths)
    };
    assert_eq!(of(Vital::Saturation, Side::Low), Some(90_000));
    assert_eq!(of(Vital::Saturation, Side::High), None);
    assert_eq!(of(Vital::HeartRate, Side::Low), Some(50_000));
    assert_eq!(of(Vital::HeartRate, Side::High), Some(120_000));
    assert_eq!(of(Vital::RespiratoryRate, Side::Low), Some(8_000));
    assert_eq!(of(Vital::RespiratoryRate, Side::High), Some(30_000));
    assert_eq!(of(Vital::Temperature, Side::Low), Some(35_100));
    assert_eq!(of(Vital::Temperature, Side::High), Some(39_000));
    assert_eq!(of(Vital::SystolicPressure, Side::Low), Some(90_000));
    assert_eq!(of(Vital::SystolicPressure, Side::High), Some(160_000));
}

prop_compose! {
    fn any_side()(
        limit in -5_i64..320, clears_by in -20_i64..20, delay_s in 0_u64..90, mild in 0_u8..8,
    ) -> LimitSide {
        let priority = if mild == 0 { Priority::Low } else { Priority::Medium };
        let (limit_thousandths, clears_at_thousandths) = (limit * 1_000, (limit + clears_by) * 1_000);
        LimitSide { limit_thousandths, clears_at_thousandths, delay: Duration::from_secs(delay_s), priority }
    }
}

proptest! {
    // RC-006
    #[test]
    fn a_limit_means_the_same_in_every_unit(tenths in 700_i64..1_100, level in 340_i64..420) {
        let limit = Limit {
            vital: Vital::Temperature,
            side: Side::High,
            limit_thousandths: level * 100,
            clears_at_thousandths: level * 100 - 500,
        };
        // (F - 32) * 5 / 9 in thousandths of a degree, rounded half up.
        let celsius = ((tenths - 320) * 500 * 2 + 9).div_euclid(18);
        let sent = measured(150_344, tenths, -1, "[degF]");
        prop_assert_eq!(limit.weigh(&sent), Ok(limit.weigh_thousandths(celsius)));
    }

    // RC-007
    #[test]
    fn a_limit_that_passes_the_check_can_sound_and_can_end(
        vital in prop::sample::select(Vital::ALL),
        low in prop::option::of(any_side()),
        high in prop::option::of(any_side()),
    ) {
        let set = LimitSet { vital, low, high };
        if check(&set).is_err() {
            return Ok(());
        }
        for limit in [Side::Low, Side::High].into_iter().filter_map(|side| Limit::of(&set, side)) {
            let beyond = match limit.side {
                Side::Low => limit.limit_thousandths - 1,
                Side::High => limit.limit_thousandths + 1,
            };
            prop_assert_eq!(limit.weigh_thousandths(beyond), Verdict::Holds);
            prop_assert_eq!(limit.weigh_thousandths(limit.limit_thousandths) == Verdict::Holds, false);
            prop_assert_eq!(limit.weigh_thousandths(limit.clears_at_thousandths), Verdict::Over);
        }
        // Some value is calm on both sides.
        let calm = (-10_000..330_000).step_by(500).any(|value| {
            let sides = [Side::Low, Side::High].into_iter().filter_map(|side| Limit::of(&set, side));
            sides.into_iter().all(|limit| limit.weigh_thousandths(value) != Verdict::Holds)
        });
        prop_assert!(calm);
    }

    // RC-008
    #[test]
    fn no_setting_switches_off_the_extremes_or_moves_them_out_of_bounds(
        vital in prop::sample::select(&[Vital::HeartRate, Vital::PulseRate][..]),
        low in prop::option::of(any_side()),
        high in prop::option::of(any_side()),
    ) {
        let set = LimitSet { vital, low, high };
        let [low, high] = [Side::Low, Side::High].map(|side| extreme_rate(&set, side).unwrap());
        prop_assert!(low.limit_thousandths >= 30_000 && high.limit_thousandths <= 200_000);
        prop_assert_eq!(low.weigh_thousandths(29_999), Verdict::Holds);
        prop_assert_eq!(high.weigh_thousandths(200_001), Verdict::Holds);
    }
}

proptest! {
    // RC-054
    #[test]
    fn whatever_the_other_layers_say_the_nearest_holds_as_it_was_set(
        vital in prop::sample::select(Vital::ALL),
        layers in prop::array::uniform3(prop::option::of(
            (prop::option::of(any_side()), prop::option::of(any_side())),
        )),
    ) {
        let [patient, age_band, care_unit] =
            layers.map(|layer| layer.map(|(low, high)| LimitSet { vital, low, high }));
        let found = in_force(&Layers { patient, age_band, care_unit }, vital);
        let default = defaults().find(|it| it.vital == vital);
        let want = match (patient, age_band, care_unit) {
            (Some(own), _, _) => Some((own, Layer::Patient)),
            (None, Some(of_age), _) => Some((of_age, Layer::AgeBand)),
            (None, None, Some(of_unit)) => Some((of_unit, Layer::CareUnit)),
            (None, None, None) => default.map(|it| (it, Layer::BuiltIn)),
        };
        prop_assert_eq!(found, want);
    }
}

// RC-054
#[test]
fn the_layer_nearest_to_the_patient_counts_and_counts_whole() {
    let set = |percent: i64| LimitSet {
        vital: Vital::Saturation,
        low: Some(LimitSide {
            limit_thousandths: percent * 1_000,
            clears_at_thousandths: percent * 1_000,
            delay: Duration::from_secs(10),
            priority: Priority::Medium,
        }),
        high: None,
    };
    // Patient, age, care unit; which holds, with its percent.
    let rows = [
        (None, None, None, Layer::BuiltIn, 90),
        (None, None, Some(80), Layer::CareUnit, 80),
        (None, Some(81), Some(80), Layer::AgeBand, 81),
        (None, Some(81), None, Layer::AgeBand, 81),
        (Some(82), Some(81), Some(80), Layer::Patient, 82),
        (Some(82), None, None, Layer::Patient, 82),
    ];
    for (patient, age_band, care_unit, layer, percent) in rows {
        let layers = Layers {
            patient: patient.map(set),
            age_band: age_band.map(set),
            care_unit: care_unit.map(set),
        };
        let (found, from) = in_force(&layers, Vital::Saturation).unwrap();
        let low = found.low.unwrap().limit_thousandths;
        assert_eq!((low, from), (percent * 1_000, layer), "{patient:?} {age_band:?} {care_unit:?}");
    }
    // A silent layer is not filled up from the next one.
    let silent = LimitSet { low: None, ..set(90) };
    let layers = Layers { care_unit: Some(silent), ..Layers::default() };
    assert_eq!(in_force(&layers, Vital::Saturation), Some((silent, Layer::CareUnit)));
    // Nobody limits this one.
    assert_eq!(in_force(&Layers::default(), Vital::Glucose), None);
}
