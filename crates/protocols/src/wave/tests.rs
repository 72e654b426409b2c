//! Blocks as devices send them, and as they should not.

use model::{Id, Timestamp};
use proptest::prelude::*;

use super::*;

fn id() -> DeviceId {
    Id::from_uuid(0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0007).unwrap()
}

/// A block of so many samples at 250 Hz.
fn block(samples: &[u8], count: u32, encoding: Encoding) -> Block<'_> {
    Block {
        device: id(),
        channel: "MDC_ECG_ELEC_POTL_II",
        lead: Some("II"),
        seq: 41,
        boot: 0xa3,
        t0: Timestamp::from_unix_nanos(1_700_000_000_000_000_000),
        epoch: Epoch::Utc,
        rate_hz: (250, 1),
        count,
        gain: (5, -3),
        offset: 0,
        unit: "mV",
        bits: 16,
        encoding,
        samples,
        validity: Vec::new(),
        filters: None,
        time_quality: None,
        now: None,
    }
}

/// The field that is found wrong after the block was changed.
fn check(change: impl FnOnce(&mut Block<'_>), want: Result<(), &str>) {
    let samples = pack(&[7; 25], Encoding::Int16Le);
    let mut block = block(&samples, 25, Encoding::Int16Le);
    change(&mut block);
    let bytes = encode(&block);
    let got = decode(&bytes).map(|_| ()).map_err(|error| error.field());
    assert_eq!(got, want, "{block:?}");
}

#[test]
fn every_limit_of_a_block_holds_from_both_sides() {
    check(|_| (), Ok(()));
    // 25 samples at 250 Hz are 100 ms.
    check(|block| block.rate_hz = (251, 1), Err("n"));
    check(|block| block.rate_hz = (5, 1), Ok(()));
    check(|block| block.rate_hz = (4, 1), Err("n"));
    check(|block| block.rate_hz = (499, 2), Ok(()));
    check(|block| block.rate_hz = (0, 1), Err("rate"));
    check(|block| block.rate_hz = (250, 0), Err("rate"));
    check(|block| block.rate_hz = (1_000_000, 4_000), Ok(()));
    check(|block| block.rate_hz = (1_000_001, 4_000), Err("rate"));
    check(|block| block.count = 24, Err("n"));
    check(|block| block.count = 26, Err("n"));
    check(|block| block.gain = (0, -3), Err("gain"));
    check(|block| block.bits = 0, Err("bits"));
    check(|block| block.bits = 17, Err("bits"));
    check(|block| block.channel = "a b", Err("channel"));
    check(|block| block.unit = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", Ok(()));
    check(|block| block.unit = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", Err("unit"));
    let span = |start, len| Span { start, len, reason: Doubt::LeadOff };
    check(|block| block.validity = vec![span(0, 25)], Ok(()));
    check(|block| block.validity = vec![span(1, 25)], Err("validity"));
    check(|block| block.validity = vec![span(3, 0)], Err("validity"));
    check(|block| block.validity = vec![span(u32::MAX, u32::MAX)], Err("validity"));
    check(|block| block.validity = vec![span(0, 1); 1_000], Ok(()));
    check(|block| block.validity = vec![span(0, 1); 1_001], Err("validity"));
}

#[test]
fn a_block_is_at_most_64_kib() {
    let with = |len: usize| {
        let samples = vec![0; len];
        let count = u32::try_from(len).unwrap();
        let mut block = block(&samples, count, Encoding::DeltaVarint);
        block.rate_hz = (20_000, 1);
        let bytes = encode(&block);
        (bytes.len(), decode(&bytes).map(|_| ()).map_err(|error| error.field()))
    };
    let head = with(60_000).0 - 60_000;
    let most = limits::PAYLOAD_LEN_MAX - head;
    assert_eq!(with(most), (limits::PAYLOAD_LEN_MAX, Ok(())));
    assert_eq!(with(most + 1), (limits::PAYLOAD_LEN_MAX + 1, Err("len")));
}

#[test]
fn a_missing_repeated_or_strange_key_is_named() {
    let samples = pack(&[7; 25], Encoding::Int16Le);
    let whole = encode(&block(&samples, 25, Encoding::Int16Le));
    let field = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    // The map has 17 entries; the last is key 19 with four bytes of checksum.
    assert_eq!(whole[0], 0xb1);
    let mut short = whole[..whole.len() - 6].to_vec();
    short[0] = 0xb0;
    assert_eq!(field(&short), "wave:crc32c: it is not there");
    let mut twice = whole.clone();
    twice[0] = 0xb2;
    twice.extend([0x00, 0x01]);
    assert_eq!(field(&twice), "wave:ver: the key stands twice");
    let mut strange = whole.clone();
    strange[0] = 0xb2;
    strange.extend([0x18, 99, 0x81, 0x01]);
    assert!(decode(&strange).is_ok());
    let mut newer = whole.clone();
    newer[2] = 2;
    assert_eq!(field(&newer), "wave:ver: version 2 is not known; 1 is");
    let mut flipped = whole.clone();
    let at = whole.len() - 20;
    flipped[at] ^= 1;
    assert_eq!(field(&flipped), "wave:crc32c: the samples fail their checksum");
    assert_eq!(field(&[&whole[..], &[0]].concat()), "wave:cbor: bytes are left over");
    assert_eq!(field(&[0xbf, 0xff]), "wave:cbor: the map does not say its length");
    for cut in 0..whole.len() {
        assert!(decode(&whole[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_block_has_the_bytes_that_another_encoder_gives_it() {
    // Written by a script of its own from the text of the format.
    let bytes: &[u8] = include_bytes!("../../../../profiles/bedside-monitor/pleth.cbor");
    let block = decode(bytes).unwrap();
    assert_eq!(block.validity, [Span { start: 60, len: 3, reason: Doubt::LeadOff }]);
    assert_eq!(block.now, Some(Timestamp::from_unix_nanos(1_700_000_000_510_000_000)));
    assert_eq!(block.duration_ns(), 504_000_000);
    assert_eq!(encode(&block), bytes);
}

#[test]
fn samples_are_read_at_the_ends_of_their_width() {
    let check = |encoding, samples: &[i32]| {
        let packed = pack(samples, encoding);
        let block = block(&packed, u32::try_from(samples.len()).unwrap(), encoding);
        assert_eq!(block.counts().samples, samples, "{encoding:?}");
    };
    check(Encoding::Int16Le, &[0, -1, 1, 32_767, -32_768]);
    check(Encoding::Int24Le, &[0, -1, 1, 8_388_607, -8_388_608]);
    check(Encoding::DeltaVarint, &[0, -1, 1, i32::MAX, i32::MIN, i32::MAX, 0]);
    // Beyond the width a sample is held, and never wraps to the other end.
    let held = pack(&[40_000, -40_000], Encoding::Int16Le);
    assert_eq!(block(&held, 2, Encoding::Int16Le).counts().samples, [32_767, -32_768]);
}

#[test]
fn a_varint_that_leaves_its_width_is_refused() {
    let check = |bytes: &[u8], count, want| {
        assert_eq!(Raws::varint_len(bytes, count), want, "{bytes:02x?}");
    };
    check(&[0x00, 0x01], 2, Some(2));
    check(&[0x00, 0x01], 3, None);
    check(&[0x80], 1, None);
    check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 1, None);
    check(&[0xfe, 0xff, 0xff, 0xff, 0x0f], 1, Some(5)); // 2^31 − 1.
    check(&[0x80, 0x80, 0x80, 0x80, 0x10], 1, None); // 2^31.
}

#[test]
fn a_float_keeps_its_digits_and_what_is_none_becomes_a_gap() {
    let bytes: Vec<u8> = [0.5_f32, f32::NAN, f32::INFINITY, -1.25, f32::NEG_INFINITY]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut block = block(&bytes, 5, Encoding::Float32Le);
    (block.gain, block.offset) = ((1, 0), 1);
    let counts = block.counts();
    assert_eq!(counts.gain, (1, -6));
    assert_eq!(counts.offset, 1_000_000);
    assert_eq!((counts.samples[0], counts.samples[3]), (500_000, -1_250_000));
    let gap = |start, len| Span { start, len, reason: Doubt::Gap };
    assert_eq!(counts.doubts, [gap(1, 2), gap(4, 1)]);
}

#[test]
fn a_count_means_its_distance_from_the_offset_times_the_gain() {
    let mut block = block(&[], 0, Encoding::Int16Le);
    (block.gain, block.offset) = ((5, -3), 100);
    assert_eq!(block.physical(100.0), 0.0);
    assert_eq!(block.physical(300.0), 1.0);
    assert_eq!(block.physical(0.0), -0.5);
    block.gain = (2, 3);
    assert_eq!(block.physical(101.0), 2_000.0);
}

fn any_encoding() -> impl Strategy<Value = Encoding> {
    prop::sample::select(vec![Encoding::Int16Le, Encoding::Int24Le, Encoding::DeltaVarint])
}

proptest! {
    #[test]
    fn every_block_comes_back_as_it_was(
        samples in prop::collection::vec(-32_768_i32..32_768, 25..1_250),
        encoding in any_encoding(), (seq, boot, t0) in any::<(u64, u64, i64)>(), gain in (1_i64.., any::<i8>()),
        offset: i32, (lead, filters) in any::<(Option<String>, Option<String>)>(), synced: Option<(bool, u64)>,
        now: Option<i64>, uptime: bool, (start, len, reason) in (0_u32..20, 1_u32..5, 0_usize..5),
    ) {
        let packed = pack(&samples, encoding);
        let count = u32::try_from(samples.len()).unwrap();
        let reasons =
            [Doubt::LeadOff, Doubt::Saturated, Doubt::Artefact, Doubt::Pacing, Doubt::Gap];
        let sent = Block {
            lead: lead.as_deref(),
            seq,
            boot,
            t0: Timestamp::from_unix_nanos(t0),
            epoch: if uptime { Epoch::Uptime } else { Epoch::Utc },
            gain,
            offset,
            validity: vec![Span { start, len, reason: reasons[reason] }],
            filters: filters.as_deref(),
            time_quality: synced
                .map(|(synchronised, error_ns)| TimeQuality { synchronised, error_ns }),
            now: now.map(Timestamp::from_unix_nanos),
            ..block(&packed, count, encoding)
        };
        let bytes = encode(&sent);
        let read = decode(&bytes).unwrap();
        prop_assert_eq!(&read, &sent);
        let counts = read.counts();
        prop_assert_eq!(&counts.samples, &samples);
        prop_assert_eq!((counts.gain, counts.offset), (gain, offset));
        // Without its samples it is read as a head only, and they make the same bytes again.
        let head = encode(&Block { samples: &[], ..read });
        prop_assert!(decode(&head).is_err() && decode_head(&bytes).is_err());
        let head = decode_head(&head).unwrap();
        let packed = pack(&samples, head.encoding);
        prop_assert_eq!(encode(&Block { samples: &packed, ..head }), bytes);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, at: prop::sample::Index, to: u8) {
        let _ = (decode(&bytes), decode_head(&bytes));
        let mut whole = include_bytes!("../../../../profiles/ecg-patch/ecg.cbor").to_vec();
        let at = at.index(whole.len());
        whole[at] = to;
        if let Ok(block) = decode(&whole) {
            let _ = (block.counts(), block.duration_ns(), encode(&block));
        }
    }
}
