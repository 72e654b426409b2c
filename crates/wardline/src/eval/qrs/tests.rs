//! The shipped recordings through the command's own steps, and scores apart for flutter.

use super::*;

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/ecg")
}

fn asked(dir: PathBuf, out: Option<PathBuf>, all: bool) -> Arguments {
    Arguments { dir, json: true, out, all }
}

#[test]
fn a_shipped_record_is_found_scored_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let asked = asked(assets(), Some(folder.path().to_owned()), true);
    let path = headers(&assets()).unwrap().remove(0);
    let outcome = evaluate(read(&path).unwrap(), &asked).unwrap();
    let score = outcome.scored.unwrap().counted;
    assert!(score.sensitivity().unwrap() > 0.99 && score.positive_predictivity().unwrap() > 0.99);
    let csv = fs::read_to_string(folder.path().join(&outcome.name).with_extension("csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("sample"));
    let samples: Vec<u64> = lines.map(|line| line.parse().unwrap()).collect();
    assert!(samples.len() == outcome.detected && samples.is_sorted());
}

#[test]
fn flutter_is_scored_apart_or_with_the_rest() {
    let rate = SampleRate::new(360, 1).unwrap();
    let late = |sample: u64| 108_000 + sample;
    // Beats around and in the first of two flutters, and one while learning.
    let beats = vec![50, late(100), late(2_000), late(9_000)];
    let flutter = vec![late(1_000)..late(3_000), late(20_000)..u64::MAX];
    let marks = Marks { beats, flutter };
    let detected = [late(100), late(1_500), late(2_010)];
    let told = |score: Score| [score.true_positives, score.false_positives, score.false_negatives];
    let check = |all, counted, flutter| {
        let scored = scored(&marks, &detected, rate, all);
        assert_eq!((told(scored.counted), told(scored.flutter)), (counted, flutter), "all: {all}");
    };
    check(false, [1, 0, 1], [1, 1, 0]);
    check(true, [2, 1, 2], [0, 0, 0]); // The beat of the learning period counts here.
}

#[test]
fn stretches_and_what_lies_between_cover_everything_once() {
    assert!(between(&[]).iter().eq([&(0..u64::MAX)]));
    assert_eq!(between(&[5..9, 20..30]), [0..5, 9..20, 30..u64::MAX]);
}

#[test]
fn a_folder_without_records_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = headers(folder.path()).unwrap_err().to_string();
    assert!(refusal.ends_with("holds no .hea file; name a folder of WFDB records"), "{refusal}");
}

#[test]
fn a_record_nobody_marked_is_detected_and_has_no_score() {
    let recording = Recording {
        name: "flat".into(),
        lead: "I".into(),
        rate: SampleRate::new(300, 1).unwrap(),
        samples: vec![Some(0), None, Some(0)],
        marks: None,
    };
    let outcome = evaluate(recording, &asked(assets(), None, false)).unwrap();
    let json = json_of(&[outcome], false);
    let scores = (&json["sensitivity"], &json["records"][0]["marked"]);
    assert_eq!(scores, (&Value::Null, &json!(false)));
}
