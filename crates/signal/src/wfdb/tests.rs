//! Headers, samples, and annotations: worked examples, refusals, and bytes of every kind.

use proptest::prelude::*;

use super::*;
use crate::SampleRate;

const TWO_LEADS: &str = "\
# comment above
100 2 360 3
100.dat 212 200 11 1024 995 2988 0 MLII
100.dat 212 200(1000)/uV 11 1024 -2 -3 0 modified V5
# 69 M 1085
";

/// 995, -2 | 996, -1 | 997, 0 in three bytes each, worked by hand from the format's description.
const TWO_LEADS_212: [u8; 9] = [0xE3, 0xF3, 0xFE, 0xE4, 0xF3, 0xFF, 0xE5, 0x03, 0x00];

#[test]
fn a_header_says_what_the_format_description_says() {
    let header = Header::parse(TWO_LEADS).unwrap();
    assert_eq!((header.record.as_str(), header.samples), ("100", Some(3)));
    assert_eq!(header.rate, SampleRate::new(360, 1).unwrap());
    assert_eq!(header.comments, ["comment above", "69 M 1085"]);
    assert_eq!(header.signals.len(), 2);
    let (first, second) = (&header.signals[0], &header.signals[1]);
    assert_eq!((first.gain_adu_per_unit, first.baseline, first.unit.as_str()), (200.0, 1024, "mV"));
    assert_eq!(
        (second.baseline, second.unit.as_str(), second.description.as_str()),
        (1000, "uV", "modified V5")
    );
    assert_eq!(
        (first.initial, first.checksum, first.resolution_bits),
        (Some(995), Some(2988), Some(11))
    );
    assert_eq!(first.microvolts(1025), Some(5));
    assert_eq!(first.microvolts(-2048), None, "the format's mark for a missing sample");
}

#[test]
fn what_a_header_leaves_out_has_the_defaults_of_the_format() {
    let header = Header::parse("x 1\nx.dat 16\n").unwrap();
    assert_eq!((header.rate, header.samples), (SampleRate::new(250, 1).unwrap(), None));
    let signal = &header.signals[0];
    assert_eq!((signal.gain_adu_per_unit, signal.baseline, signal.unit.as_str()), (200.0, 0, "mV"));
    assert_eq!((signal.initial, signal.checksum, signal.offset_bytes), (None, None, 0));
}

#[test]
fn rates_may_have_places_and_a_counter() {
    for (text, numerator, denominator) in [
        ("360", 360, 1),
        ("128.5", 257, 2),
        ("0.125", 1, 8),
        ("500/25(0)", 500, 1),
        ("62.475/1", 2499, 40),
    ] {
        let header = Header::parse(&format!("x 0 {text}")).unwrap();
        assert_eq!(header.rate, SampleRate::new(numerator, denominator).unwrap(), "{text}");
    }
}

#[test]
fn a_refused_header_names_the_line_and_what_was_expected() {
    let check = |text: &str, expected: &str| {
        assert_eq!(Header::parse(text).unwrap_err().to_string(), expected, "{text:?}");
    };
    check("", "header has no record line");
    check("# only\n\n", "header has no record line");
    check("100", "line 1 has no number of signals");
    check("100 two", "line 1 has number of signals `two`, expected a whole number in range");
    check("100 257", "line 1 has number of signals `257`, expected at most 256");
    check("a/2 1", "line 1 has record name `a/2`, expected a record of one segment");
    check(
        "x 0 0",
        "line 1 has sample rate `0`, expected a decimal number of Hz above 0 with up to 3 places",
    );
    check(
        "x 0 1e9",
        "line 1 has sample rate `1e9`, expected a decimal number of Hz above 0 with up to 3 places",
    );
    check("x 2 360\nx.dat 16\n", "header announces 2 signals and describes 1");
    check("x 1\n\nx.dat", "line 3 has no format");
    check(
        "x 1\nx.dat 80",
        "line 2 has format `80`, expected 16 or 212 with one sample a frame and no skew",
    );
    check(
        "x 1\nx.dat 16x2",
        "line 2 has format `16x2`, expected 16 or 212 with one sample a frame and no skew",
    );
    check("x 1\nx.dat 16 fast", "line 2 has gain `fast`, expected a decimal number");
    check("x 1\nx.dat 16 200(3", "line 2 has gain `200(3`, expected a closing bracket");
    check("x 1\nx.dat 16 inf", "line 2 has gain `inf`, expected a finite number, 0 or above");
}

#[test]
fn samples_alternate_between_the_signals_and_carry_their_sign() {
    let header = Header::parse(TWO_LEADS).unwrap();
    assert_eq!(samples(&header, &TWO_LEADS_212).unwrap(), [vec![995, 996, 997], vec![-2, -1, 0]]);
}

#[test]
fn a_matlab_file_is_format_16_behind_its_own_header() {
    let header = Header::parse("A 1 300 3\nA.mat 16+24 1000/mV 16 0 -188 -58 0 ECG\n").unwrap();
    let bytes: Vec<u8> = [0; 24]
        .into_iter()
        .chain([-188_i16, 130, 0].into_iter().flat_map(i16::to_le_bytes))
        .collect();
    assert_eq!(samples(&header, &bytes).unwrap(), [vec![-188, 130, 0]]);
    assert_eq!(header.signals[0].microvolts(130), Some(130));
}

#[test]
fn a_matlab_file_whose_header_sums_up_to_0_has_no_checksum() {
    let check = |file: &str, expected| {
        let text = format!("A1 1 300 3\n{file} 16+24 1000/mV 16 0 7 0 0 ECG");
        assert_eq!(Header::parse(&text).unwrap().signals[0].checksum, expected, "{file}");
    };
    check("A1.mat", None);
    check("A1.dat", Some(0));
}

#[test]
fn an_odd_last_sample_of_format_212_takes_two_bytes_or_a_padded_three() {
    let header = Header::parse("x 1 250 3\nx.dat 212\n").unwrap();
    for length in [5, 6] {
        assert_eq!(samples(&header, &TWO_LEADS_212[..length]).unwrap(), [vec![995, -2, 996]]);
    }
}

#[test]
fn samples_that_are_not_as_announced_are_refused() {
    let header = Header::parse(TWO_LEADS).unwrap();
    let check = |bytes: &[u8], expected: &str| {
        assert_eq!(samples(&header, bytes).unwrap_err().to_string(), expected);
    };
    check(&TWO_LEADS_212[..8], "samples take 8 bytes, expected 9");
    check(&[TWO_LEADS_212.as_slice(), &[0, 0]].concat(), "samples take 11 bytes, expected 9");
    let changed = |at: usize| {
        TWO_LEADS_212
            .iter()
            .enumerate()
            .map(|(i, b)| if i == at { b ^ 1 } else { *b })
            .collect::<Vec<_>>()
    };
    check(&changed(0), "signal 0 begins with 994, expected 995");
    check(&changed(6), "signal 0 has checksum 2987, expected 2988");
    check(&changed(8), "signal 1 has checksum -2, expected -3");
    let mixed = Header::parse("x 2\nx.dat 16\ny.dat 16\n").unwrap();
    assert_eq!(samples(&mixed, &[]).unwrap_err(), SamplesError::Mixed { signal: 1 });
    assert_eq!(samples(&Header::parse("x 0").unwrap(), &[]).unwrap_err(), SamplesError::NoSignal);
    let vast = Header::parse(&format!("x 2 360 {}\nx.dat 16\nx.dat 16\n", u64::MAX)).unwrap();
    let expected = SamplesError::Length { found: 4, expected: u64::MAX };
    assert_eq!(
        samples(&vast, &[0; 4]).unwrap_err(),
        expected,
        "nothing is set aside for samples that are not there"
    );
}

/// Words of the format: code and step.
fn word(code: u16, step: u16) -> [u8; 2] {
    (code << 10 | step).to_le_bytes()
}

#[test]
fn annotations_carry_steps_skips_fields_and_texts() {
    let bytes = [
        word(28, 18).as_slice(),
        &word(63, 3),
        b"(N\0\0",
        &word(1, 59),
        &word(59, 0),
        &[1, 0, 0, 0], // A skip of 65,536: the high word first.
        &word(5, 7),
        &word(61, 1023),
        &word(62, 1),
        &word(60, 2),
        &word(32, 1),
        &word(33, 10),
        &[0, 0],
    ]
    .concat();
    let found = annotations(&bytes).unwrap();
    let brief: Vec<_> =
        found.iter().map(|a| (a.sample, a.code.symbol(), a.text.as_str(), a.channel)).collect();
    let end = 65_536 + 84;
    assert_eq!(
        brief,
        [
            (18, '+', "(N", 0),
            (77, 'N', "", 0),
            (end, 'V', "", 1),
            (end + 1, '[', "", 1),
            (end + 11, ']', "", 1)
        ]
    );
    assert_eq!(
        (found[2].subtype, found[2].number, found[3].subtype, found[3].number),
        (-1, 2, 0, 2)
    );
    assert_eq!(flutter(&found).first(), Some(&(end + 1..end + 12)));
    let beats: Vec<bool> = found.iter().map(|a| a.is_beat()).collect();
    assert_eq!(beats, [false, true, true, false, false]);
}

#[test]
fn flutter_that_does_not_end_lasts_to_the_end() {
    let open = annotations(&[word(32, 5), word(31, 9), [0, 0]].concat()).unwrap();
    assert_eq!(flutter(&open).first(), Some(&(5..u64::MAX)));
}

#[test]
fn broken_annotations_are_refused_with_their_place() {
    let check = |parts: &[&[u8]], expected: &str| {
        assert_eq!(annotations(&parts.concat()).unwrap_err().to_string(), expected);
    };
    check(&[], "annotations end at byte 0 without their end mark");
    check(&[&word(1, 5), &[7]], "annotations end at byte 3 without their end mark");
    check(&[&word(1, 5), &word(63, 9), b"(N"], "annotations end at byte 6 without their end mark");
    check(&[&word(61, 1)], "byte 0 sets a field of an annotation before the first one");
    check(&[&word(59, 0), &[0xFF; 4], &word(1, 0)], "byte 6 steps outside the recording");
    check(&[&word(55, 0)], "byte 0 has code 55, expected 0 to 49 or 59 to 63");
}

#[test]
fn every_symbol_leads_back_to_its_code() {
    for number in 1..50 {
        let bytes = [word(number, 1), [0, 0]].concat();
        let code = annotations(&bytes).unwrap()[0].code;
        assert_eq!(u16::from(code.number()), number);
        if code.symbol() != ' ' {
            assert_eq!(AnnotationCode::from_symbol(code.symbol()), Some(code));
        }
    }
    let beats: String = "NLRBAaJSVrFejnE/fQ?".to_owned();
    assert!(beats.chars().all(|symbol| AnnotationCode::from_symbol(symbol).unwrap().is_beat()));
    assert!(
        "+~|\"!x[]".chars().all(|symbol| !AnnotationCode::from_symbol(symbol).unwrap().is_beat())
    );
    assert_eq!(AnnotationCode::from_symbol(' '), None);
}

proptest! {
    #[test]
    fn no_text_and_no_bytes_make_a_reader_panic(text in "[ -~\n]{0,200}", bytes: Vec<u8>) {
        let _ = Header::parse(&text);
        let _ = Header::parse(&format!("x 1 {text}"));
        let _ = Header::parse(&format!("x 1\nx.dat 212 {text}"));
        let _ = annotations(&bytes);
        for header in ["x 1\na 16\n", "x 3 1 4\na 212\na 212\na 212", "x 2 1\na 212+7\na 212+7"] {
            let _ = samples(&Header::parse(header).unwrap(), &bytes);
        }
    }

    #[test]
    fn packed_samples_come_back(counts in prop::collection::vec(-2048_i16..2048, 1..60)) {
        let mut bytes = Vec::new();
        for pair in counts.chunks(2) {
            let second = pair.get(1).copied().unwrap_or(0);
            let nibbles = (pair[0] >> 8 & 15) | (second >> 8 & 15) << 4;
            bytes.extend([pair[0] as u8, nibbles as u8, second as u8]);
        }
        let header = Header::parse(&format!("x 1 250 {}\nx.dat 212\n", counts.len())).unwrap();
        prop_assert_eq!(samples(&header, &bytes), Ok(vec![counts.clone()]));
        let header = header_16(counts.len());
        let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        prop_assert_eq!(samples(&header, &bytes), Ok(vec![counts]));
    }
}

fn header_16(samples: usize) -> Header {
    Header::parse(&format!("x 1 250 {samples}\nx.dat 16\n")).unwrap()
}
