//! What devices send, written from the documents and not by our encoder: SenML as
//! text, and waveform blocks as CBOR (protocols §1.3 and §1.4).

/// The media type of numerics in JSON.
pub(crate) const SENML_JSON: &str = "application/senml+json";
/// The media type of numerics in CBOR.
pub(crate) const SENML_CBOR: &str = "application/senml+cbor";
/// The media type of a waveform block.
pub(crate) const WAVE: &str = "application/vnd.wardline.wave+cbor;v=1";

/// Now, as SenML spells it: seconds with milliseconds.
pub(crate) fn senml_now() -> String {
    let millis = jiff::Timestamp::now().as_millisecond();
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// Now, as waveform blocks spell it.
pub(crate) fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap()
}

/// A pack of a device that counts its messages; values are text, so that they stay exact.
pub(crate) fn pack(boot: u64, seq: u64, at: &str, records: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut text = format!(
        r#"[{{"bt":{at},"n":"wl:boot","vs":"{boot:016x}"}},{{"n":"wl:seq","v":{seq}}},{{"n":"wl:now","v":{at}}}"#
    );
    for (name, unit, value) in records {
        text += &format!(r#",{{"n":"{name}","u":"{unit}","v":{value}}}"#);
    }
    (text + "]").into_bytes()
}

/// The heart rate alone.
pub(crate) fn heart_rate(boot: u64, seq: u64, value: &str) -> Vec<u8> {
    pack(boot, seq, &senml_now(), &[("MDC_ECG_HEART_RATE", "beat/min", value)])
}

/// A CBOR item's head and what follows it.
#[derive(Default)]
pub(crate) struct Cbor(pub(crate) Vec<u8>);

impl Cbor {
    fn head(mut self, major: u8, value: u64) -> Self {
        let major = major << 5;
        let bytes = value.to_be_bytes();
        match value {
            0..24 => self.0.push(major | bytes[7]),
            24..0x100 => self.0.extend([major | 24, bytes[7]]),
            0x100..0x1_0000 => {
                self.0.push(major | 25);
                self.0.extend(&bytes[6..]);
            }
            0x1_0000..0x1_0000_0000 => {
                self.0.push(major | 26);
                self.0.extend(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend(bytes);
            }
        }
        self
    }

    pub(crate) fn int(self, value: i64) -> Self {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, value.unsigned_abs() - 1),
        }
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let mut with_head = self.head(2, bytes.len() as u64);
        with_head.0.extend(bytes);
        with_head
    }

    pub(crate) fn text(self, text: &str) -> Self {
        let mut with_head = self.head(3, text.len() as u64);
        with_head.0.extend(text.as_bytes());
        with_head
    }

    pub(crate) fn array(self, len: u64) -> Self {
        self.head(4, len)
    }

    pub(crate) fn map(self, len: u64) -> Self {
        self.head(5, len)
    }

    pub(crate) fn double(mut self, value: f64) -> Self {
        self.0.push(0xfb);
        self.0.extend(value.to_be_bytes());
        self
    }
}

/// A block of an ECG; each field can be made wrong.
#[derive(Clone)]
pub(crate) struct Wave {
    pub(crate) device: [u8; 16],
    pub(crate) seq: i64,
    pub(crate) boot: u64,
    pub(crate) t0_ns: i64,
    /// What the block says that it holds.
    pub(crate) count: i64,
    pub(crate) samples: Vec<i16>,
    /// The device's time at sending.
    pub(crate) now_ns: i64,
    /// The electrodes were off for so many samples from the first on.
    pub(crate) off: Option<i64>,
}

/// The channel of [`Wave`].
pub(crate) const ECG: &str = "MDC_ECG_ELEC_POTL_II";

impl Wave {
    /// Half a second of a slope, from now.
    pub(crate) fn of(device: &str, boot: u64, seq: i64) -> Self {
        let hex: String = device.chars().filter(|it| *it != '-').collect();
        let uuid = u128::from_str_radix(&hex, 16).unwrap();
        let samples: Vec<i16> = (0..125).map(|at| at * 3 - 180).collect();
        let now_ns = now_ns();
        let device = uuid.to_be_bytes();
        Self { device, seq, boot, t0_ns: now_ns, count: 125, samples, now_ns, off: None }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let samples: Vec<u8> = self.samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        let crc = i64::from(crc32c::crc32c(&samples));
        let cbor = Cbor::default().map(18 + u64::from(self.off.is_some()));
        let cbor = cbor.int(0).int(1).int(1).bytes(&self.device).int(2).text(ECG);
        let cbor = cbor.int(3).text("II").int(4).int(self.seq);
        let cbor = cbor.int(5).bytes(&self.boot.to_be_bytes()).int(6).int(self.t0_ns);
        let cbor = cbor.int(7).int(0).int(8).array(2).int(250).int(1).int(9).int(self.count);
        let cbor = cbor.int(10).array(2).int(5).int(-3).int(11).int(0).int(12).text("mV");
        let cbor = cbor.int(13).int(16).int(14).int(0).int(15).bytes(&samples);
        let cbor = match self.off {
            Some(len) => cbor.int(16).array(1).array(3).int(0).int(len).int(1),
            None => cbor,
        };
        cbor.int(19).int(crc).int(20).int(self.now_ns).0
    }
}

#[test]
fn cbor_heads_are_those_of_the_standard() {
    // RFC 8949, appendix A.
    let check = |cbor: Cbor, hex: &str| {
        let got: String = cbor.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(got, hex);
    };
    check(Cbor::default().int(23), "17");
    check(Cbor::default().int(24), "1818");
    check(Cbor::default().int(1_000), "1903e8");
    check(Cbor::default().int(1_000_000), "1a000f4240");
    check(Cbor::default().int(1_000_000_000_000), "1b000000e8d4a51000");
    check(Cbor::default().int(-1_000), "3903e7");
    check(Cbor::default().double(1.1), "fb3ff199999999999a");
    check(Cbor::default().array(1).text("a"), "816161");
}
