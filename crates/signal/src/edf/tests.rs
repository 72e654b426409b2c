//! What is written is read back; what is no EDF+ is refused by name; any bytes are survived.

use proptest::prelude::*;

use super::*;

fn header(signals: usize, has_gaps: bool) -> Header {
    let signal = |at: usize| Signal {
        label: format!("ECG {at}"),
        transducer: "MDC_ECG_ELEC_POTL_II".to_owned(),
        unit: "mV".to_owned(),
        physical_min: "-163.84".to_owned(),
        physical_max: "163.835".to_owned(),
        digital_min: i16::MIN,
        digital_max: i16::MAX,
        prefiltering: "gain 0.005 offset 0".to_owned(),
        samples_of_record: 5,
    };
    Header {
        patient: "E2E_4711 F 11-FEB-1960 Test_Ames".to_owned(),
        recording: "Startdate 21-NOV-2026 X X X".to_owned(),
        date: "21.11.26".to_owned(),
        time: "09.30.00".to_owned(),
        has_gaps,
        record_s: "0.02".to_owned(),
        notes_len_bytes: 120,
        signals: (0..signals).map(signal).collect(),
    }
}

fn file(header: &Header, records: &[DataRecord]) -> Vec<u8> {
    let mut bytes = header.encode(records.len());
    records.iter().for_each(|record| bytes.extend(header.encode_record(record)));
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        records in prop::collection::vec(
            (any::<u32>(), prop::collection::vec(any::<i16>(), 10), any::<bool>()), 0..5),
        has_gaps in any::<bool>(),
    ) {
        let header = header(2, has_gaps);
        let note = Note {
            onset_ns: 1_500_000_001,
            duration_ns: Some(20_000_000),
            text: "sensor-detached".to_owned(),
        };
        let record = |(onset, counts, noted): &(u32, Vec<i16>, bool)| DataRecord {
            onset_ns: i64::from(*onset) * 4_000_003,
            notes: noted.then(|| note.clone()).into_iter().collect(),
            samples: counts.chunks(5).map(<[i16]>::to_vec).collect(),
        };
        let records: Vec<DataRecord> = records.iter().map(record).collect();
        let read = read(&file(&header, &records)).unwrap();
        prop_assert_eq!(read.records, records);
        prop_assert_eq!(read.header, header);
    }

    #[test]
    fn any_bytes_are_a_recording_or_a_refusal(
        place in 0_usize..800,
        with in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let header = header(1, true);
        let record = DataRecord { samples: vec![vec![1, 2, 3, 4, 5]], ..DataRecord::default() };
        let mut bytes = file(&header, &[record.clone(), record]);
        let end = (place + with.len()).min(bytes.len());
        bytes.splice(place..end, with);
        let _ = read(&bytes);
        let _ = read(&bytes[..place]);
    }
}

#[test]
fn fields_have_their_places_and_widths() {
    let bytes = header(1, false).encode(7);
    assert_eq!(bytes.len(), 768);
    let text = |from: usize, len: usize| std::str::from_utf8(&bytes[from..from + len]).unwrap();
    assert_eq!(text(0, 8), "0       ");
    assert_eq!(text(168, 16), "21.11.2609.30.00");
    assert_eq!(text(184, 8), "768     ");
    assert_eq!(text(192, 5), "EDF+C");
    assert_eq!(text(236, 20), "7       0.02    2   ");
    assert_eq!(text(256, 32), "ECG 0           EDF Annotations ");
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let whole = file(&header(1, false), &[DataRecord::default()]);
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        let said = read(&bytes).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
    };
    check(&|it| it.truncate(255), "the file has 255 bytes");
    check(&|it| it[0] = b'1', "version is `1`");
    check(&|it| it[184] = b'9', "length of the header is `968`");
    check(&|it| it.truncate(800), "the file has 800 bytes");
    check(&|it| it[252] = b'x', "number of signals is `x`");
    let time = whole.len() - 120;
    check(&|it| it[time] = b'x', "record 0 has no time");
}

#[test]
fn an_old_file_counts_its_records() {
    let header = header(1, false);
    let record = DataRecord { samples: vec![vec![1, 2, 3, 4, 5]], ..DataRecord::default() };
    let mut bytes = file(&header, &[record.clone(), record]);
    bytes[192..197].fill(b' ');
    let onsets: Vec<i64> =
        read(&bytes).unwrap().records.iter().map(|record| record.onset_ns).collect();
    assert_eq!(onsets, [0, 20_000_000]);
}
