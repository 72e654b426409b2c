//! The worked examples, every edge of every band, and a naive reading of the chart.

use model::OxygenDevice;
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_nanos(1_790_000_000_000_000_000);
const ADDED: Oxygen =
    Oxygen::Added { flow_ml_per_min: Some(2_000), by: OxygenDevice::NasalCannula };

/// A row of the chart's back: RR, SpO₂, scale, oxygen, systolic, pulse, ACVPU, tenths of a degree.
type Row = (i64, i64, u8, &'static str, i64, i64, char, i64);

fn known<T>(value: T) -> Known<T> {
    Known::Value { value, taken_at: NOW, origin: Origin::Device }
}

fn inputs((rate, saturation, scale, oxygen, systolic, pulse, acvpu, tenths): Row) -> Inputs {
    use Consciousness::{Alert, NewConfusion, Pain, Unresponsive, Voice};
    let states =
        [('A', Alert), ('C', NewConfusion), ('V', Voice), ('P', Pain), ('U', Unresponsive)];
    let consciousness = states.iter().find(|(letter, _)| *letter == acvpu).unwrap().1;
    let whole = |value: i64| known(value * 1_000);
    Inputs {
        scale: if scale == 2 { SpO2Scale::Two } else { SpO2Scale::One },
        respiratory_rate: whole(rate),
        saturation: whole(saturation),
        oxygen: known(if oxygen == "O2" { ADDED } else { Oxygen::Air }),
        systolic_pressure: whole(systolic),
        pulse: whole(pulse),
        consciousness: known(consciousness),
        temperature: known(tenths * 100),
    }
}

fn scored(inputs: &Inputs) -> Score {
    score(inputs, &AgeLimits::default(), NOW)
}

/// A healthy adult.
const WELL: Row = (16, 98, 1, "air", 120, 70, 'A', 370);

// RC-011
#[test]
fn the_worked_examples_of_the_clinical_reference() {
    use Risk::{High, Low, LowMedium, Medium};
    let check = |row: Row, parts: [u8; 7], total, risk, red| {
        let score = scored(&inputs(row));
        let got: Vec<_> = score.parts.iter().map(|part| part.points().unwrap()).collect();
        assert_eq!(got, parts, "{row:?}");
        assert_eq!(score.total, Some(Total { points: total, risk }), "{row:?}");
        assert_eq!(score.single_red(), red, "{row:?}");
    };
    check((22, 94, 1, "O2", 105, 112, 'A', 384), [2, 1, 2, 1, 2, 0, 1], 9, High, false);
    check((20, 95, 2, "O2", 130, 90, 'A', 365), [0, 2, 2, 0, 0, 0, 0], 4, Low, false);
    check((20, 95, 2, "air", 130, 90, 'A', 365), [0, 0, 0, 0, 0, 0, 0], 0, Low, false);
    check((18, 97, 2, "O2", 125, 88, 'A', 370), [0, 3, 2, 0, 0, 0, 0], 5, Medium, true);
    check((16, 98, 1, "air", 120, 72, 'C', 368), [0, 0, 0, 0, 0, 3, 0], 3, LowMedium, true);
    check((30, 85, 1, "O2", 85, 135, 'V', 349), [3, 3, 2, 3, 3, 3, 3], 20, High, true);
    check((24, 92, 1, "air", 101, 105, 'A', 391), [2, 2, 0, 1, 1, 0, 2], 8, High, false);
    check((9, 96, 1, "air", 220, 50, 'A', 360), [1, 0, 0, 3, 1, 0, 1], 6, Medium, true);
    check((21, 88, 2, "air", 110, 91, 'A', 381), [2, 0, 0, 1, 1, 0, 1], 5, Medium, false);
}

/// Writes thousandths into one input.
type Put = fn(&mut Inputs, i64);

/// Walks along the edges of one row of the chart, in steps of its resolution in thousandths:
/// the last value that still rounds into a band, and the first that does not.
#[track_caller]
fn check_edges(input: Input, put: Put, row: Row, resolution: i64, bands: &[(i64, u8)]) {
    let points = |value| {
        let mut inputs = inputs(row);
        put(&mut inputs, value);
        let score = scored(&inputs);
        score.parts.iter().find(|part| part.input == input).unwrap().points().unwrap()
    };
    for pair in bands.windows(2) {
        let (last, half) = (pair[0].0 * resolution, resolution / 2);
        let around = [last, last + half - 1, last + half, last + resolution].map(points);
        let (below, above) = (pair[0].1, pair[1].1);
        assert_eq!(around, [below, below, above, above], "{input:?} at {last}");
    }
}

// RC-013
#[test]
fn every_band_ends_where_the_chart_says_after_rounding() {
    let rate: Put = |inputs, value| inputs.respiratory_rate = known(value);
    let bands = [(8, 3), (11, 1), (20, 0), (24, 2), (150, 3)];
    check_edges(Input::RespiratoryRate, rate, WELL, 1_000, &bands);
    let saturation: Put = |inputs, value| inputs.saturation = known(value);
    let bands = [(91, 3), (93, 2), (95, 1), (100, 0)];
    check_edges(Input::Saturation, saturation, WELL, 1_000, &bands);
    let on_air = (16, 98, 2, "air", 120, 70, 'A', 370);
    let bands = [(83, 3), (85, 2), (87, 1), (100, 0)];
    check_edges(Input::Saturation, saturation, on_air, 1_000, &bands);
    let on_oxygen = (16, 98, 2, "O2", 120, 70, 'A', 370);
    let bands = [(83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (100, 3)];
    check_edges(Input::Saturation, saturation, on_oxygen, 1_000, &bands);
    let pressure: Put = |inputs, value| inputs.systolic_pressure = known(value);
    let bands = [(90, 3), (100, 2), (110, 1), (219, 0), (300, 3)];
    check_edges(Input::SystolicPressure, pressure, WELL, 1_000, &bands);
    let pulse: Put = |inputs, value| inputs.pulse = known(value);
    let bands = [(40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (350, 3)];
    check_edges(Input::Pulse, pulse, WELL, 1_000, &bands);
    let temperature: Put = |inputs, value| inputs.temperature = known(value);
    let bands = [(350, 3), (360, 1), (380, 0), (390, 1), (450, 2)];
    check_edges(Input::Temperature, temperature, WELL, 100, &bands);
}

#[test]
fn every_answer_but_alert_is_red_and_every_added_oxygen_two_points() {
    for (letter, points) in [('A', 0), ('C', 3), ('V', 3), ('P', 3), ('U', 3)] {
        let total = scored(&inputs((16, 98, 1, "air", 120, 70, letter, 370))).total.unwrap();
        assert_eq!(total.points, points, "{letter}");
    }
    let mut unknown_flow = inputs(WELL);
    let by = OxygenDevice::HighFlow;
    unknown_flow.oxygen = known(Oxygen::Added { flow_ml_per_min: None, by });
    assert_eq!(scored(&unknown_flow).total.unwrap().points, 2);
}

/// Takes one input away.
type Lose = fn(&mut Inputs);

// RC-011
#[test]
fn a_set_that_lacks_one_is_named_and_never_totalled() {
    let all = inputs((30, 85, 1, "O2", 85, 135, 'V', 349));
    let lost: [(Input, Lose); 7] = [
        (Input::RespiratoryRate, |i| i.respiratory_rate = Known::NOT_MEASURED),
        (Input::Saturation, |i| i.saturation = Known::Missing(MissingReason::SensorDetached)),
        (Input::Oxygen, |i| i.oxygen = Known::NOT_MEASURED),
        (Input::SystolicPressure, |i| i.systolic_pressure = Known::NOT_MEASURED),
        (Input::Pulse, |i| i.pulse = Known::NOT_MEASURED),
        (Input::Consciousness, |i| i.consciousness = Known::NOT_MEASURED),
        (Input::Temperature, |i| i.temperature = Known::NOT_MEASURED),
    ];
    for (input, lose) in lost {
        let mut inputs = all;
        lose(&mut inputs);
        let score = scored(&inputs);
        assert_eq!(score.total, None);
        assert_eq!((score.missing().collect(), score.aged().count()), (vec![input], 0));
        assert_eq!(score.weigh(Trigger::Medium), Verdict::NoSignal);
        assert_eq!(score.weigh(Trigger::High), Verdict::NoSignal);
        // Six other rows are red, and stay red.
        assert_eq!(score.weigh(Trigger::SingleRed), Verdict::Holds);
    }
    let nothing = scored(&Inputs::nothing(SpO2Scale::One));
    assert_eq!((nothing.missing().count(), nothing.total), (7, None));
    assert_eq!(nothing.weigh(Trigger::SingleRed), Verdict::NoSignal);
}

// RC-026
#[test]
fn an_input_counts_up_to_its_age_limit_and_is_named_beyond_it() {
    let ages = AgeLimits::default();
    let nano = Duration::from_nanos(1);
    let check = |input, origin, minutes: u64| {
        let max_age = Duration::from_secs(minutes * 60);
        let aged = |age| {
            let mut inputs = inputs(WELL);
            let taken_at = NOW.before(age);
            match input {
                Input::RespiratoryRate => {
                    inputs.respiratory_rate = Known::Value { value: 16_000, taken_at, origin }
                }
                Input::Saturation => {
                    inputs.saturation = Known::Value { value: 98_000, taken_at, origin }
                }
                Input::Oxygen => {
                    inputs.oxygen = Known::Value { value: Oxygen::Air, taken_at, origin }
                }
                Input::SystolicPressure => {
                    inputs.systolic_pressure = Known::Value { value: 120_000, taken_at, origin }
                }
                Input::Pulse => inputs.pulse = Known::Value { value: 70_000, taken_at, origin },
                Input::Consciousness => {
                    inputs.consciousness =
                        Known::Value { value: Consciousness::Alert, taken_at, origin }
                }
                Input::Temperature => {
                    inputs.temperature = Known::Value { value: 37_000, taken_at, origin }
                }
            }
            inputs
        };
        let fresh = score(&aged(max_age), &ages, NOW);
        assert_eq!(fresh.total.map(|total| total.points), Some(0), "{input:?}");
        let old = score(&aged(max_age + nano), &ages, NOW);
        assert_eq!((old.aged().collect(), old.missing().count()), (vec![input], 0));
        assert_eq!(old.total, None);
        // The score asks to be computed again when the input ages, and not before.
        let due = aged(max_age).next_deadline(&ages, NOW).unwrap();
        assert_eq!(due, NOW.after(nano));
        assert_ne!(aged(max_age).next_deadline(&ages, due), Some(due));
        assert_eq!(score(&aged(max_age), &ages, due).aged().collect::<Vec<_>>(), [input]);
    };
    for input in [Input::RespiratoryRate, Input::Saturation, Input::Pulse] {
        check(input, Origin::Device, 5);
        check(input, Origin::Charted, 240);
    }
    check(Input::SystolicPressure, Origin::Device, 60);
    for input in [Input::Temperature, Input::Consciousness, Input::Oxygen] {
        check(input, Origin::Charted, 240);
    }
    let cuff = ages.with_cuff_every(Duration::from_secs(900));
    assert_eq!(cuff.of(Input::SystolicPressure, Origin::Device), Duration::from_secs(1_800));
    assert_eq!(Inputs::nothing(SpO2Scale::One).next_deadline(&ages, NOW), None);
}

#[test]
fn scale_two_needs_to_know_of_oxygen_only_where_it_matters() {
    let mut inputs = inputs((16, 92, 2, "air", 120, 70, 'A', 370));
    inputs.oxygen = Known::NOT_MEASURED;
    assert_eq!(scored(&inputs).missing().collect::<Vec<_>>(), [Input::Oxygen]);
    inputs.saturation = known(93_000);
    assert_eq!(scored(&inputs).missing().collect::<Vec<_>>(), [Input::Saturation, Input::Oxygen]);
    // An oxygen answer counts up to its own age limit, here as in its own row.
    let (value, origin) = (Oxygen::Air, Origin::Charted);
    let taken_at = NOW.before(AgeLimits::default().charted);
    inputs.oxygen = Known::Value { value, taken_at, origin };
    assert_eq!(scored(&inputs).total.map(|total| total.points), Some(0));
    // One of yesterday does not decide either.
    let taken_at = NOW.before(Duration::from_secs(86_400));
    inputs.oxygen = Known::Value { value: Oxygen::Air, taken_at, origin: Origin::Charted };
    let score = scored(&inputs);
    assert_eq!(score.missing().collect::<Vec<_>>(), [Input::Saturation]);
    assert_eq!(score.aged().collect::<Vec<_>>(), [Input::Oxygen]);
}

// RC-012
#[test]
fn a_score_alarms_at_five_at_seven_and_at_a_red_row() {
    use Verdict::{Holds, Over};
    let check = |row: Row, want: [Verdict; 3]| {
        let score = scored(&inputs(row));
        let got = [Trigger::SingleRed, Trigger::Medium, Trigger::High].map(|t| score.weigh(t));
        assert_eq!(got, want, "{row:?}");
    };
    check(WELL, [Over, Over, Over]);
    check((22, 98, 1, "O2", 120, 70, 'A', 370), [Over, Over, Over]); // 4
    check((22, 98, 1, "O2", 110, 70, 'A', 370), [Over, Holds, Over]); // 5
    check((22, 98, 1, "O2", 110, 91, 'A', 370), [Over, Holds, Over]); // 6
    check((22, 98, 1, "O2", 110, 111, 'A', 370), [Over, Holds, Holds]); // 7
    check((25, 98, 1, "air", 120, 70, 'A', 370), [Holds, Over, Over]); // 3 in one row
}

/// The chart read aloud, on rounded numbers.
fn naive((rate, saturation, scale, oxygen, systolic, pulse, acvpu, tenths): Row) -> u8 {
    let mut total = 0;
    total += if rate <= 8 || rate >= 25 {
        3
    } else if rate >= 21 {
        2
    } else if rate <= 11 {
        1
    } else {
        0
    };
    let on_oxygen = oxygen == "O2";
    total += match (scale, on_oxygen) {
        (1, _) if saturation <= 91 => 3,
        (1, _) if saturation <= 93 => 2,
        (1, _) if saturation <= 95 => 1,
        (2, _) if saturation <= 83 => 3,
        (2, _) if saturation <= 85 => 2,
        (2, _) if saturation <= 87 => 1,
        (2, true) if saturation >= 97 => 3,
        (2, true) if saturation >= 95 => 2,
        (2, true) if saturation >= 93 => 1,
        _ => 0,
    };
    total += if on_oxygen { 2 } else { 0 };
    total += if systolic <= 90 || systolic >= 220 {
        3
    } else if systolic <= 100 {
        2
    } else if systolic <= 110 {
        1
    } else {
        0
    };
    total += if pulse <= 40 || pulse >= 131 {
        3
    } else if pulse >= 111 {
        2
    } else if pulse <= 50 || pulse >= 91 {
        1
    } else {
        0
    };
    total += if acvpu == 'A' { 0 } else { 3 };
    total += if tenths <= 350 {
        3
    } else if tenths >= 391 {
        2
    } else if tenths <= 360 || tenths >= 381 {
        1
    } else {
        0
    };
    total
}

proptest! {
    // RC-013
    #[test]
    fn agrees_with_a_naive_reading_of_the_chart(
        rate in 0_i64..60, saturation in 70_i64..=100, scale in 1_u8..=2, on_oxygen: bool,
        systolic in 50_i64..260, pulse in 20_i64..200, acvpu in prop::sample::select(&['A', 'C', 'V', 'P', 'U'][..]),
        tenths in 330_i64..420, off in prop::array::uniform5(-500_i64..500),
    ) {
        let row = (rate, saturation, scale, if on_oxygen { "O2" } else { "air" }, systolic, pulse, acvpu, tenths);
        let mut inputs = inputs(row);
        // What rounds to the row's numbers scores like them.
        inputs.respiratory_rate = known(rate * 1_000 + off[0]);
        inputs.saturation = known(saturation * 1_000 + off[1]);
        inputs.systolic_pressure = known(systolic * 1_000 + off[2]);
        inputs.pulse = known(pulse * 1_000 + off[3]);
        inputs.temperature = known(tenths * 100 + off[4] / 10);
        let (score, points) = (scored(&inputs), naive(row));
        prop_assert_eq!(score.total.map(|total| total.points), Some(points));
        prop_assert_eq!(score.weigh(Trigger::Medium) == Verdict::Holds, points >= 5);
        prop_assert_eq!(score.weigh(Trigger::High) == Verdict::Holds, points >= 7);
    }

    // RC-011
    #[test]
    fn whatever_is_missing_or_aged_is_named_and_the_rest_scores_as_ever(
        fates in prop::array::uniform7(0_u8..3),
        values in prop::array::uniform4(0_i64..250_000), on_oxygen: bool, two: bool,
    ) {
        let very_old = NOW.before(Duration::from_secs(1_000_000));
        fn met<T>(fate: u8, value: T, very_old: Timestamp) -> Known<T> {
            match fate {
                0 => known(value),
                1 => Known::Value { value, taken_at: very_old, origin: Origin::Charted },
                _ => Known::Missing(MissingReason::SensorDetached),
            }
        }
        let inputs = Inputs {
            scale: if two { SpO2Scale::Two } else { SpO2Scale::One },
            respiratory_rate: met(fates[0], values[0], very_old),
            saturation: met(fates[1], values[1], very_old),
            oxygen: met(fates[2], if on_oxygen { ADDED } else { Oxygen::Air }, very_old),
            systolic_pressure: met(fates[3], values[2], very_old),
            pulse: met(fates[4], values[3], very_old),
            consciousness: met(fates[5], Consciousness::Alert, very_old),
            temperature: met(fates[6], 37_000, very_old),
        };
        let score = scored(&inputs);
        prop_assert_eq!(score.total.is_some(), fates == [0; 7]);
        for (part, fate) in score.parts.iter().zip(fates) {
            // On scale 2 a saturation above 92 % cannot be read without the oxygen.
            let blind = part.input == Input::Saturation && two && fates[2] != 0 && values[1] >= 92_500;
            let named = match part.state {
                PartState::Scored { .. } => 0,
                PartState::Aged { .. } => 1,
                PartState::Missing(_) => 2,
            };
            prop_assert_eq!(named, if fate == 0 && blind { 2 } else { fate }, "{:?}", part);
        }
        if score.total.is_none() {
            prop_assert_eq!(score.weigh(Trigger::Medium), Verdict::NoSignal);
        }
    }
}
