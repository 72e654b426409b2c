//! Recordings as files: what was written is read, and no bytes do harm.

use std::fs;

use proptest::prelude::*;
use signal::edf::{DataRecord, Header, Note, Signal};

use super::*;

const ECG: &str = "MDC_ECG_ELEC_POTL_II";

fn all_of(path: &Path, form: Form, reading: &Reading) -> Result<Vec<Wave>, String> {
    let mut found = Vec::new();
    let take = &mut |piece: Piece, _: Place| {
        if let Piece::Wave(wave) = piece {
            found.push(wave);
        }
        true
    };
    read(path, form, reading, take).map(|_| found).map_err(|error| error.to_string())
}

fn named(name: &str) -> Reading {
    let map = Mapped { name: name.to_owned(), channel: ECG.to_owned(), unit: None };
    Reading { maps: vec![map], ..Reading::default() }
}

fn header(transducer: &str, prefiltering: &str) -> Header {
    Header {
        patient: "X X X X".to_owned(),
        recording: "Startdate 21-NOV-2026 X X X".to_owned(),
        date: "21.11.26".to_owned(),
        time: "09.30.00".to_owned(),
        has_gaps: true,
        record_s: "1".to_owned(),
        notes_len_bytes: 200,
        signals: vec![Signal {
            label: "ECG II".to_owned(),
            transducer: transducer.to_owned(),
            unit: "mV".to_owned(),
            physical_min: "-163.84".to_owned(),
            physical_max: "163.835".to_owned(),
            digital_min: -32_768,
            digital_max: 32_767,
            prefiltering: prefiltering.to_owned(),
            samples_of_record: 10,
        }],
    }
}

fn note(onset_ns: i64, text: &str) -> Note {
    Note { onset_ns, duration_ns: None, text: text.to_owned() }
}

#[test]
fn records_become_stretches_with_their_gaps_times_doubts_and_without_filling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.edf");
    let header = header(ECG, "gain 0.005 offset 3 rate 10/1");
    let record = |onset_ns, first: i16, notes: Vec<Note>| DataRecord {
        onset_ns,
        notes,
        samples: vec![(first..first + 10).collect()],
    };
    let second = 1_000_000_000_i64;
    let mut bytes = header.encode(3);
    let doubt = note(second + 200_000_123, "signal 0 sensor-detached 3 samples");
    let records = [
        record(123, 0, vec![]),
        record(second + 123, 10, vec![doubt]),
        // A gap of seven seconds, and four samples that are none.
        record(
            9 * second + 7,
            20,
            vec![note(9 * second + 600_000_007, "end, 4 samples of filling follow")],
        ),
    ];
    for record in &records {
        bytes.extend(header.encode_record(record));
    }
    fs::write(&path, bytes).unwrap();
    let found = all_of(&path, Form::Edf, &named(ECG)).unwrap();
    let begins = "2026-11-21T09:30:00Z".parse::<jiff::Timestamp>().unwrap().as_nanosecond();
    let begins = i64::try_from(begins).unwrap();
    let told: Vec<_> =
        found.iter().map(|it| (it.at_ns - begins, it.samples.clone(), it.rate_hz)).collect();
    assert_eq!(
        told,
        [
            (123, (0..20).collect::<Vec<i32>>(), (10, 1)),
            (9 * second + 7, (20..26).collect(), (10, 1)),
        ]
    );
    assert_eq!((found[0].gain.as_str(), found[0].offset), ("0.005", 3));
    let doubts: Vec<_> = found[0].doubts.iter().map(|it| (it.start, it.len)).collect();
    assert_eq!((doubts, found[1].doubts.len()), (vec![(12, 3)], 0));
    // Without words of ours the ends of the range say the scale.
    let foreign = Header { signals: self::header("", "HP:0.1Hz").signals, ..header };
    let mut bytes = foreign.encode(1);
    bytes.extend(foreign.encode_record(&records[0]));
    fs::write(&path, bytes).unwrap();
    let error = all_of(&path, Form::Edf, &named("ECG II")).unwrap_err();
    assert!(error.contains("in which zone it began; say when it began with --start"), "{error}");
    let start = Some(Timestamp::from_unix_nanos(begins));
    let started = |name| Reading { start, ..named(name) };
    let found = all_of(&path, Form::Edf, &started("ECG II")).unwrap();
    assert_eq!(found[0].at_ns, begins + 123);
    assert_eq!((found[0].gain.as_str(), found[0].offset, found[0].rate_hz), ("0.005", 0, (10, 1)));
    let error = all_of(&path, Form::Edf, &started("else")).unwrap_err();
    assert!(error.contains("--map 'SIGNAL=CHANNEL' (ECG II)"), "{error}");
}

#[test]
fn what_does_not_count_of_an_export_is_refused_by_name_and_left_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["values.csv", "corrected.csv", "corrections.csv"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let files = found(folder.path(), None).unwrap();
    assert_eq!(files, [(folder.path().join("values.csv"), Form::Csv)]);
    for name in ["corrected.csv", "corrections.csv"] {
        let error = found(&folder.path().join(name), None).unwrap_err().to_string();
        assert!(error.contains("it says what does not count"), "{error}");
    }
}

#[test]
fn samples_that_were_withdrawn_are_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.edf");
    let header = header(ECG, "gain 0.005 offset 3 rate 10/1");
    let notes = vec![note(200_000_000, "signal 0 withdrawn 3 samples")];
    let record = DataRecord { onset_ns: 0, notes, samples: vec![(0..10).collect()] };
    let mut bytes = header.encode(1);
    bytes.extend(header.encode_record(&record));
    fs::write(&path, bytes).unwrap();
    let found = all_of(&path, Form::Edf, &named(ECG)).unwrap();
    let doubts: Vec<_> =
        found[0].doubts.iter().map(|it| (it.start, it.len, it.reason.as_str())).collect();
    assert_eq!(doubts, [(2, 3, "withdrawn")]);
}

#[test]
fn a_header_names_only_files_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hea");
    for name in ["/etc/passwd", "../a.dat", "~", ".a"] {
        fs::write(&path, format!("a 1 250 2 09:30:00 21/11/2026\n{name} 16 200 16 0 1 2 0 II\n"))
            .unwrap();
        let error = all_of(&path, Form::Wfdb, &named("II")).unwrap_err();
        assert!(!error.contains("passwd") || error.contains("beside"), "{name}: {error}");
    }
    fs::write(&path, "a/2 1 250 4\n../../b 2\nc 2\n").unwrap();
    let error = all_of(&path, Form::Wfdb, &named("II")).unwrap_err();
    assert!(error.contains("does not lie beside it"), "{error}");
}

proptest! {
    #[test]
    fn any_header_with_any_comments_is_read_or_refused(
        begins in "[0-9:./ ]{0,24}",
        comments in prop::collection::vec(
            prop_oneof![
                "at [0-9TZ:.-]{0,30} rate [0-9/]{0,12}",
                "time [0-9]{0,20} [0-9TZ:.-]{0,30}",
                "doubt [0-9 ]{0,30} sensor-detached",
                "signal [0-9]{0,3} [a-z0-9. -]{0,60}",
                ".{0,40}",
            ],
            0..6,
        ),
        gain in prop_oneof!["[0-9.e()-]{1,12}/mV", Just("200/mV".to_owned())],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hea");
        let mut text = format!("a 1 250 3 {begins}\na.dat 16 {gain} 16 0 1 6 0 II\n");
        for comment in comments {
            text += &format!("# {}\n", comment.replace('\n', " "));
        }
        fs::write(&path, text).unwrap();
        fs::write(path.with_extension("dat"), [1, 0, 2, 0, 3, 0]).unwrap();
        let _ = all_of(&path, Form::Wfdb, &named("II"));
    }

    #[test]
    fn any_free_fields_and_notes_are_read_or_refused(
        prefiltering in prop_oneof!["gain [0-9.e-]{0,8} offset [0-9-]{0,12} rate [0-9/]{0,12}", "[ -~]{0,60}"],
        texts in prop::collection::vec(
            prop_oneof![
                "signal [0-9]{1,3} sensor-detached [0-9]{1,20} samples",
                "end, [0-9]{1,20} samples of filling follow",
                "time of sample [0-9]{1,20} of its record",
            ],
            0..3,
        ),
        onsets in prop::collection::vec(-2_000_000_000_i64..4_000_000_000, 4),
        ends in ("[0-9.-]{1,8}", "[0-9.-]{1,8}"),
        record_s in "[0-9.]{1,8}",
        flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.edf");
        let mut header = header(ECG, &prefiltering);
        header.record_s = record_s;
        (header.signals[0].physical_min, header.signals[0].physical_max) = ends;
        let notes = texts.iter().zip(&onsets).map(|(text, at)| note(*at, text)).collect();
        let record = DataRecord { onset_ns: onsets[3], notes, samples: vec![(0..10).collect()] };
        let mut bytes = header.encode(1);
        bytes.extend(header.encode_record(&record));
        if let Some((at, byte)) = flip {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fs::write(&path, bytes).unwrap();
        let _ = all_of(&path, Form::Edf, &named(ECG));
    }
}
