//! A hospital from a script: the same seed says the same bytes, devices show what is true,
//! faults do what they say, and ground truth is written beside.

use model::{Id, Timestamp};
use protocols::wave;

use super::*;
use crate::script::Order;

const START: Timestamp = Timestamp::from_unix_millis(1_795_219_200_000);

const HOUSE: &str = r#"
title = "small"
site = "North"
[[unit]]
name = "ICU"
kind = "icu"
[[unit]]
name = "Homes"
kind = "home"
[[patient]]
unit = "ICU"
room = "Room 1"
bed = "01"
given_name = "A"
family_name = "B"
born = "1960-01-01"
sex = "male"
here_for = "x"
devices = ["icu-monitor", "oximeter"]
[[patient]]
unit = "Homes"
room = "Elm Street 4"
bed = "H1"
given_name = "C"
family_name = "D"
born = "1960-01-01"
sex = "male"
here_for = "x"
devices = ["glucose-sensor", "weight-scale"]
limits = [{ vital = "glucose", low = 70.0, priority = "high" }]
"#;

/// Beats like spikes, at 75 a minute.
fn recording() -> Recording {
    let beats: Vec<usize> = (1..60).map(|n| n * 288).collect();
    let mut microvolts = vec![0; 60 * 288];
    for beat in &beats {
        microvolts[*beat] = 1_000;
    }
    let name = "spikes".to_owned();
    Recording { name, rate_hz: 360.0, microvolts: microvolts.into(), beats: beats.into() }
}

fn open(seed: u64, more: &str) -> Hospital {
    house(seed, Script::parse(&format!("{HOUSE}{more}")).unwrap())
}

/// The house of this script, with a recording's heart for everybody.
fn house(seed: u64, script: Script) -> Hospital {
    let enrol = |(index, (bed_index, kind)): (usize, (usize, crate::Kind))| Enrolled {
        id: Id::v7(START, 300 + index as u128),
        site: Id::v7(START, 2),
        kind,
        bed_index,
        serial: format!("D-{index}"),
    };
    let devices = script.devices().into_iter().enumerate().map(enrol).collect();
    let fidelity = Fidelity::default();
    let mut hospital = Hospital::new(seed, START, script, devices, &[recording()], &fidelity);
    hospital.name_patients(&["p0".to_owned(), "p1".to_owned()]);
    hospital
}

fn live(hospital: &mut Hospital, seconds: u64) -> Vec<Deed> {
    (0..seconds * STEPS_A_SECOND).flat_map(|_| hospital.step()).collect()
}

/// What a device sent last on a channel of its numerics.
fn last(deeds: &[Deed], device_index: usize, channel: &str) -> Option<String> {
    deeds.iter().rev().filter(|deed| deed.device_index == device_index).find_map(|deed| {
        let Act::Send(sent) = &deed.act else { return None };
        let text = std::str::from_utf8(&sent.payload).ok().filter(|_| sent.leaf == "num")?;
        let (_, after) = text.split_once(&format!("\"{channel}\""))?;
        let fields = after.split('}').next()?;
        let value = fields.split_once("\"v\":").or_else(|| fields.split_once("\"vs\":"))?.1;
        Some(value.split(',').next()?.trim_matches('"').to_owned())
    })
}

#[test]
fn the_same_script_and_seed_say_the_same_bytes() {
    let more = "[[event]]\nat = \"5s\"\nbed = \"01\"\nillness = \"sepsis\"\nrises_in = \"20s\"\n[[event]]\nat = \"8s\"\nbed = \"01\"\nfault = \"motion\"\n";
    let run = |seed| {
        let mut hospital = open(seed, more);
        let deeds = live(&mut hospital, 40);
        (deeds, hospital.close_truth())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn a_sensor_on_a_finger_sends_as_many_samples_as_its_profile_says() {
    let mut hospital = open(1, "");
    let deeds = live(&mut hospital, 10);
    let samples = |device_index: usize, leaf: &str| -> u32 {
        let mine = deeds.iter().filter(|deed| deed.device_index == device_index);
        mine.map(|deed| match &deed.act {
            Act::Send(sent) if sent.leaf == leaf => {
                assert_eq!(wave::decode(&sent.payload).unwrap().count, sent.wave_samples);
                sent.wave_samples
            }
            _ => 0,
        })
        .sum()
    };
    assert_eq!(samples(1, "wave/MDC_PULS_OXIM_PLETH"), 750);
    assert_eq!(samples(0, "wave/MDC_PULS_OXIM_PLETH"), 1_250);
    assert_eq!(samples(0, "wave/MDC_ECG_ELEC_POTL_II"), 2_500);
    assert_eq!(samples(0, "wave/MDC_IMPED_TTHOR"), 500);
}

#[test]
fn devices_show_what_is_true_of_the_body() {
    let mut hospital = open(
        1,
        "[[event]]\nat = \"10s\"\nbed = \"01\"\nillness = \"opioid-overdose\"\nrises_in = \"60s\"\n",
    );
    live(&mut hospital, 400);
    let deeds = live(&mut hospital, 20);
    let body = hospital.body(0).unwrap();
    let near = |channel: &str, value: f64, off: f64| {
        let shown: f64 = last(&deeds, 0, channel).unwrap().parse().unwrap();
        assert!((shown - value).abs() <= off, "{channel}: {shown} and not {value}");
    };
    assert!(body.breaths_per_min < 8.0);
    near("MDC_RESP_RATE", body.breaths_per_min, 2.5);
    near("MDC_PULS_OXIM_SAT_O2", body.saturation_percent, 2.0);
    near("MDC_CONC_AWAY_CO2_ET", body.end_tidal_co2_mmhg, 2.0);
    near("MDC_PRESS_BLD_ART_ABP_SYS", body.systolic_mmhg, 2.0);
}

#[test]
fn an_arrest_is_seen_on_every_output_and_a_shock_helps() {
    let mut hospital = open(1, "[[event]]\nat = \"10s\"\nbed = \"01\"\nillness = \"arrest\"\n");
    let deeds = live(&mut hospital, 60);
    assert_eq!(last(&deeds, 0, "MDC_ECG_HEART_RATE").unwrap(), "absent:poor-signal");
    assert_eq!(last(&deeds, 0, "MDC_PULS_OXIM_SAT_O2").unwrap(), "absent:poor-signal");
    assert!(!hospital.treat(0, Treatment::Naloxone));
    assert!(hospital.treat(0, Treatment::Shock));
    let deeds = live(&mut hospital, 60);
    let rate: f64 = last(&deeds, 0, "MDC_ECG_HEART_RATE").unwrap().parse().unwrap();
    assert!((60.0..130.0).contains(&rate), "{rate}");
}

/// Which acts a fault makes of a device, in order, without repetition.
#[track_caller]
fn check_fault(fault: &str, device_index: usize, want: &[&str]) -> Vec<Deed> {
    let device = if device_index == 0 { "icu-monitor" } else { "oximeter" };
    let mut hospital = open(
        1,
        &format!(
            "[[event]]\nat = \"3s\"\nbed = \"01\"\ndevice = \"{device}\"\nlasts = \"6s\"\nfault = {fault}\n"
        ),
    );
    let deeds = live(&mut hospital, 15);
    let mut seen: Vec<&str> = Vec::new();
    for deed in deeds.iter().filter(|deed| deed.device_index == device_index) {
        let word = match &deed.act {
            Act::Send(sent) => match sent.intent {
                Intent::New => "new",
                Intent::Repeat => "repeat",
                Intent::Garbage => "garbage",
            },
            Act::Cut => "cut",
            Act::Expire => "expire",
            Act::Restore => "restore",
        };
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    assert_eq!(seen, want, "{fault}");
    deeds
}

#[test]
fn each_fault_does_what_it_says() {
    check_fault("\"network-cut\"", 0, &["new", "cut", "restore"]);
    check_fault("\"expired\"", 0, &["new", "expire", "restore"]);
    check_fault("\"repeats\"", 0, &["new", "repeat"]);
    check_fault("\"garbage\"", 0, &["new", "garbage"]);
    check_fault("\"half-written\"", 0, &["new", "garbage", "cut", "restore"]);
    let stalled = check_fault("\"stall\"", 0, &["new"]);
    let at = |second| START.after(Duration::from_secs(second));
    let of_monitor = |from, until| {
        let mine = stalled.iter().filter(|deed| deed.device_index == 0);
        mine.filter(|deed| deed.at > at(from) && deed.at <= at(until)).count()
    };
    assert_eq!(of_monitor(3, 8), 0);
    assert!(of_monitor(8, 10) > 60, "what was held back comes at once");
    let motion = check_fault("\"motion\"", 0, &["new"]);
    assert!(motion.iter().any(|deed| {
        matches!(&deed.act, Act::Send(sent) if String::from_utf8_lossy(&sent.payload).contains("absent"))
    }));
    let off = check_fault("\"leads-off\"", 0, &["new"]);
    assert!(off.iter().any(|deed| {
        matches!(&deed.act, Act::Send(sent) if String::from_utf8_lossy(&sent.payload).contains("absent:sensor-detached"))
    }));
}

#[test]
fn truth_names_what_was_the_case_for_whom_and_by_when_it_should_be_told() {
    let more = "[[event]]\nat = \"10s\"\nbed = \"01\"\nillness = \"asystole\"\nlasts = \"20s\"\nexpect = [\"asystole\"]\nwithin = \"10s\"\n[[event]]\nat = \"2s\"\nbed = \"01\"\ndevice = \"oximeter\"\nfault = \"network-cut\"\nlasts = \"5s\"\n";
    let mut hospital = open(1, more);
    live(&mut hospital, 240);
    let rows = hospital.close_truth();
    let find = |kind: &str, what: &str| {
        rows.iter()
            .find(|row| row.kind == kind && row.what == what)
            .unwrap_or_else(|| unreachable!("no {kind} {what} in {rows:#?}"))
    };
    let at = |second: i64| START.unix_millis() + second * 1_000;
    let onset = find("illness", "asystole");
    assert_eq!((onset.from_ms, onset.by_ms), (at(10), Some(at(20))));
    assert_eq!(
        (onset.unit.as_str(), onset.bed.as_str(), onset.patient.as_str()),
        ("ICU", "01", "p0")
    );
    let still = find("condition", "no-beat");
    assert!(still.expect.contains(&"asystole".to_owned()) && still.by_ms.is_some());
    assert!((at(29)..=at(31)).contains(&still.until_ms.unwrap()), "{still:?}");
    let cut = find("fault", "network-cut");
    assert_eq!((cut.from_ms, cut.until_ms), (at(2), Some(at(7))));
    assert_eq!(cut.expect, ["device_silent"]);
    assert!(cut.device.is_some());
    assert!(rows.iter().all(|row| row.patient == "p0"), "the other one was well: {rows:#?}");
}

#[test]
fn nothing_is_expected_of_what_no_device_could_see() {
    let low = "[[event]]\nat = \"10s\"\nbed = \"01\"\nillness = \"pneumonia\"\nrises_in = \"10s\"\nseverity = 1.5\n";
    let cut = "[[event]]\nat = \"0s\"\nbed = \"01\"\nfault = \"network-cut\"\n";
    let expected = |more: &str| {
        let mut hospital = open(1, more);
        live(&mut hospital, 180);
        let rows = hospital.close_truth();
        rows.iter().any(|row| row.what == "desaturation" && row.by_ms.is_some())
    };
    assert!(expected(low));
    assert!(!expected(&format!("{low}{cut}")));
}

#[test]
fn somebody_at_a_screen_makes_things_happen() {
    let mut hospital = open(1, "");
    live(&mut hospital, 5);
    let order = Order {
        bed: Some("01".to_owned()),
        illness: Some("arrest".to_owned()),
        ..Order::default()
    };
    hospital.order(&order).unwrap();
    let cut = Order {
        room: Some("Room 1".to_owned()),
        fault: Some("network-cut".to_owned()),
        ..Order::default()
    };
    hospital.order(&cut).unwrap();
    let deeds = live(&mut hospital, 2);
    assert_eq!(hospital.illnesses(0), [Illness::Arrest]);
    assert_eq!(deeds.iter().filter(|deed| deed.act == Act::Cut).count(), 2);
    hospital.mend(0);
    let deeds = live(&mut hospital, 1);
    assert_eq!(deeds.iter().filter(|deed| deed.act == Act::Restore).count(), 1);
    let nobody = Order { illness: Some("arrest".to_owned()), ..Order::default() };
    assert!(hospital.order(&nobody).unwrap_err().to_string().contains("say `bed`"));
}

#[test]
fn a_pulse_follows_its_beat_and_breath_moves_the_chest() {
    let mut patient = Patient::new(crate::AtRest::ADULT, recording(), 9, 0);
    patient.is_traced = true;
    patient.block_steps = 100;
    for step in 0..100 {
        patient.live(f64::from(step) * 0.2);
    }
    let wave = |source| {
        let waves = crate::Kind::BedsideMonitor.waves();
        patient.counts(waves.iter().find(|wave| wave.source == source).unwrap())
    };
    let (ecg, pleth) = (wave(crate::device::Source::Ecg), wave(crate::device::Source::Pleth));
    // From a spike of the ECG to the next top of the pleth, in seconds.
    let spike = ecg.iter().position(|it| *it > 150).unwrap() as f64 / 250.0;
    let after = &pleth[(spike * 125.0) as usize..][..60];
    let top = after.iter().enumerate().max_by_key(|(_, it)| **it).unwrap().0 as f64 / 125.0;
    assert!((0.2..0.4).contains(&top), "the pulse comes {top} s after its beat");
}

#[test]
fn no_beat_breaks_the_pleth_however_fast_the_heart_and_whatever_befalls_it() {
    // The steepest slope of a wave and of the echo that it may ride on, at the strongest
    // pulse and the deepest breath, in parts of a wave a second.
    const STEEPEST: f64 = (9.54 + 2.51) * 1.5 * 1.06;
    let wave = crate::Kind::BedsideMonitor.waves()[1];
    assert_eq!(wave.source, crate::device::Source::Pleth);
    let illnesses = [
        None,
        Some(Illness::AtrialFibrillation),
        Some(Illness::VentricularTachycardia),
        Some(Illness::HeartBlock),
        Some(Illness::Asystole),
        Some(Illness::Bleeding),
    ];
    for rate in [38.0, 72.0, 96.0, 120.0, 139.0] {
        for illness in illnesses {
            let rest = crate::AtRest { heart_rate_per_min: rate, ..crate::AtRest::ADULT };
            let mut patient = Patient::new(rest, recording(), 9, 0);
            (patient.is_traced, patient.block_steps) = (true, 300);
            for step in 0..300 {
                if step == 100
                    && let Some(illness) = illness
                {
                    patient.fall_ill(Case::new(illness, 20.0));
                }
                patient.live(f64::from(step) * 0.2);
            }
            let counts: Vec<f64> = patient.counts(&wave).into_iter().map(f64::from).collect();
            let (lowest, highest) =
                counts.iter().fold((f64::MAX, f64::MIN), |(l, h), it| (l.min(*it), h.max(*it)));
            assert!(highest - lowest > 500.0, "{rate} {illness:?}: there is a pulse");
            let step = counts.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f64::max);
            // A thousand counts are one; rounding adds one on either side.
            let most = STEEPEST * 1_000.0 / f64::from(wave.rate_hz) + 2.0;
            assert!(step <= most, "{rate} {illness:?}: a step of {step} counts, {most} at most");
        }
    }
}

#[test]
fn the_foot_of_a_pulse_joins_the_wave_before_it() {
    let foot = |interval_s: f64| {
        let mut finger = crate::patient::Finger::default();
        finger.next(0.004, true, 1.0);
        let steps = (interval_s / 0.004).round() as u32 - 1;
        let before = (0..steps).map(|_| finger.next(0.004, false, 1.0)).last().unwrap();
        (finger.next(0.004, true, 1.0) - before).abs()
    };
    for interval_s in [0.28, 0.33, 0.5, 0.6, 0.833, 1.5] {
        assert!(foot(interval_s) < 0.04, "after {interval_s} s: {}", foot(interval_s));
    }
}

#[test]
fn a_blow_is_short_of_breath_in_copd_and_is_nobodys_who_does_not_wake() {
    let homes = HOUSE.replace("glucose-sensor", "spirometer");
    let script = |more: &str| Script::parse(&format!("{homes}{more}")).unwrap();
    // The first blow comes some seconds after the start.
    let blown = |more: &str| live(&mut house(1, script(more)), 5);
    let of = |deeds: &[Deed], channel: &str| last(deeds, 2, channel).unwrap();
    let event = |illness: &str| {
        format!(
            "[[event]]\nat = \"1s\"\nbed = \"H1\"\nillness = \"{illness}\"\nrises_in = \"1s\"\n"
        )
    };
    let (first, all, peak) = (
        "MDC_VOL_AWAY_EXP_FORCED_1S",
        "MDC_VOL_AWAY_EXP_FORCED_CAPACITY",
        "MDC_FLOW_AWAY_EXP_FORCED_PEAK",
    );
    let (calm, copd) = (blown(""), blown(&event("copd-exacerbation")));
    for (channel, well, ill) in [
        (first, 2.8..3.21, 1.5..2.0),
        (all, 3.6..4.01, 2.4..3.3),
        (peak, 380.0..417.0, 200.0..280.0),
    ] {
        let number = |deeds: &[Deed]| of(deeds, channel).parse::<f64>().unwrap();
        assert!(well.contains(&number(&calm)), "{channel}: {}", number(&calm));
        assert!(ill.contains(&number(&copd)), "{channel}: {}", number(&copd));
    }
    let asleep = blown(&format!("{}severity = 1.3\n", event("opioid-overdose")));
    assert_eq!(of(&asleep, first), "absent:not-measured", "nobody blew");
}

/// A shipped script without traces, lived in big steps of numerics.
fn shipped(name: &str) -> Hospital {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/scenarios");
    let text = std::fs::read_to_string(path.join(name)).unwrap();
    let script = Script::parse(&text).unwrap_or_else(|error| unreachable!("{name}: {error}"));
    let enrol = |(index, (bed_index, kind)): (usize, (usize, crate::Kind))| Enrolled {
        id: Id::v7(START, 300 + index as u128),
        site: Id::v7(START, 2),
        kind,
        bed_index,
        serial: format!("D-{index}"),
    };
    let devices = script.devices().into_iter().enumerate().map(enrol).collect();
    let traced = Some(BTreeSet::new());
    let fidelity = Fidelity { traced, block_steps: 5, every_nth: 4 };
    Hospital::new(1, START, script, devices, &[recording()], &fidelity)
}

#[test]
fn the_hospital_of_one_day_has_an_icu_a_ward_and_homes_and_its_people_fall_ill() {
    let mut hospital = shipped("hospital.toml");
    let count = |unit: &str| {
        let script = hospital.script();
        (0..script.patients.len()).filter(|index| script.unit_of(*index) == unit).count()
    };
    assert_eq!([count("Intensive care"), count("4B Respiratory"), count("At home")], [8, 16, 24]);
    for index in 0..48 {
        let body = hospital.body(index).unwrap();
        assert!(body.saturation_percent > 89.5 && body.systolic_mmhg > 100.0, "{index}: {body:?}");
    }
    live(&mut hospital, 4 * 3_600);
    let truth = hospital.close_truth();
    let told = |what: &str| truth.iter().any(|row| row.what == what && row.by_ms.is_some());
    for what in ["pressure.low", "temperature.high", "heart_rate.high", "glucose.low", "leads-off"]
    {
        assert!(told(what), "{what} was not to be seen in {truth:#?}");
    }
}
