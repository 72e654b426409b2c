//! A message that is made once and then only stamped: number, times and heart rate
//! have a fixed width, so that making load costs as little as it can.

use std::io::Write as _;

use model::Timestamp;

/// What the sender says that it is.
pub(super) const CONTENT_TYPE: &str = "application/senml+json";
/// Samples in a message.
pub(super) const READINGS: u32 = 10;
/// The vitals in a message, and how often each stands in it.
pub(super) const VITALS: [(&str, u64); 9] = [
    ("heart_rate", 1),
    ("saturation", 2),
    ("pulse_rate", 1),
    ("respiratory_rate", 1),
    ("systolic_pressure", 1),
    ("diastolic_pressure", 1),
    ("mean_pressure", 1),
    ("temperature", 1),
    ("battery_level", 1),
];

/// Beyond every limit that the latency benchmark sets, and calm in each score.
pub(super) const RATE_OF_ALARM: u64 = 125_000;

/// The count begins where each number has ten digits, as JSON knows no leading zero.
const SEQ_FROM: u64 = 1_000_000_000;

/// Whole parts of the other vitals; their thousandths tell the messages apart.
const WHOLES: [(&str, i64); 8] = [
    ("saturation", 97),
    ("pulse_rate", 74),
    ("respiratory_rate", 15),
    ("systolic_pressure", 124),
    ("diastolic_pressure", 76),
    ("mean_pressure", 92),
    ("temperature", 36),
    ("battery_level", 88),
];

/// What message number `seq` says of a vital other than the heart rate, in thousandths.
pub(super) fn said(vital: &str, seq: u64) -> Option<i64> {
    let (_, whole) = WHOLES.iter().find(|(name, _)| *name == vital)?;
    Some(whole * 1_000 + i64::try_from(seq % 1_000).ok()?)
}

/// Ten readings of a bedside monitor, as bytes with places to stamp.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    base_at: usize,
    seq_at: usize,
    now_at: usize,
    rate_at: usize,
    /// Where the thousandths of the other nine values stand.
    fractions_at: Vec<usize>,
}

impl Template {
    /// The message of one device in this boot.
    pub(super) fn new(boot: u64) -> Self {
        let (bytes, fractions_at) = (Vec::new(), Vec::new());
        let mut template =
            Self { bytes, base_at: 0, seq_at: 0, now_at: 0, rate_at: 0, fractions_at };
        template.push("[{\"bt\":");
        template.base_at = template.push("1700000000.000");
        template.push(&format!("}},{{\"n\":\"wl:boot\",\"vs\":\"{boot:016x}\"}}"));
        template.push(",{\"n\":\"wl:seq\",\"v\":");
        template.seq_at = template.push("1000000000");
        template.push("},{\"n\":\"wl:now\",\"v\":");
        template.now_at = template.push("1700000000.000");
        template.push("},{\"n\":\"MDC_ECG_HEART_RATE\",\"u\":\"/min\",\"v\":");
        template.rate_at = template.push(" 70.000");
        template.push("}");
        for (channel, unit, at, value) in [
            // The saturation twice, half a millisecond apart: a monitor has nine numbers.
            ("MDC_PULS_OXIM_SAT_O2", "%", "\"t\":-0.0005,", "97"),
            ("MDC_PULS_OXIM_SAT_O2", "%", "", "97"),
            ("MDC_PULS_OXIM_PULS_RATE", "/min", "", "74"),
            ("MDC_RESP_RATE", "/min", "", "15"),
            ("MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", "", "124"),
            ("MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]", "", "76"),
            ("MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]", "", "92"),
            ("MDC_TEMP", "Cel", "", "36"),
            ("MDC_ATTR_VAL_BATT_CHARGE", "%", "", "88"),
        ] {
            template.push(&format!(",{{\"n\":\"{channel}\",\"u\":\"{unit}\",{at}\"v\":{value}."));
            let fraction_at = template.push("000");
            template.fractions_at.push(fraction_at);
            template.push("}");
        }
        template.push("]");
        template
    }

    fn push(&mut self, text: &str) -> usize {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        at
    }

    /// Length of the message, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Message number `seq`, measured and sent at `at`, with this heart rate in thousandths.
    pub(super) fn stamped(&self, seq: u64, at: Timestamp, rate_thousandths: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let millis = at.unix_millis();
        let (seconds, rest) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
        let mut stamp = |at: usize, text: std::fmt::Arguments<'_>| {
            // The places were made as wide as what is written there.
            if let Some(mut place) = bytes.get_mut(at..) {
                let _ = place.write_fmt(text);
            }
        };
        stamp(self.base_at, format_args!("{seconds:010}.{rest:03}"));
        stamp(self.now_at, format_args!("{seconds:010}.{rest:03}"));
        stamp(self.seq_at, format_args!("{}", SEQ_FROM + seq % SEQ_FROM));
        // No two messages say the same, so that a reading that is lost cannot hide behind another.
        for fraction_at in &self.fractions_at {
            stamp(*fraction_at, format_args!("{:03}", seq % 1_000));
        }
        let (whole, part) = (rate_thousandths / 1_000, rate_thousandths % 1_000);
        if whole >= 100 {
            stamp(self.rate_at, format_args!("{whole:3}.{part:03}"));
        } else {
            stamp(self.rate_at, format_args!(" {whole:2}.{part:03}"));
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::Sample;
    use protocols::{profile::Profile, senml};

    use super::*;

    const PROFILE: &str = include_str!("../../../../profiles/bedside-monitor/profile.toml");

    #[track_caller]
    fn check(seq: u64, millis: i64, rate_thousandths: u64, want: &str) {
        let at = Timestamp::from_unix_millis(millis);
        let template = Template::new(0xa3);
        let message = template.stamped(seq, at, rate_thousandths);
        assert_eq!(message.len(), template.len());
        let profile = Profile::parse(PROFILE).unwrap();
        let pack = senml::decode(&profile, Some(CONTENT_TYPE), &message, at).unwrap();
        assert_eq!((pack.boot, pack.device_now, pack.base_at), (Some(0xa3), Some(at), at));
        assert_eq!(pack.seq, Some(SEQ_FROM + seq));
        assert_eq!(pack.notes, []);
        let measured = |sample: &Sample| match sample {
            Sample::Measured(measure) => Some(measure.clone()),
            Sample::Missing(_) => None,
        };
        assert_eq!(measured(&pack.samples[0].sample).unwrap().to_string(), want);
        for (sample, vital) in pack.samples[1..].iter().zip([1, 1, 2, 3, 4, 5, 6, 7, 8]) {
            let value = measured(&sample.sample).unwrap();
            assert_eq!((Some(value.mantissa), value.exp10), (said(VITALS[vital].0, seq), -3));
        }
        assert_eq!(said("heart_rate", seq), None);
        let mut counts = BTreeMap::<&str, u64>::new();
        for sample in &pack.samples {
            *counts.entry(&sample.channel.0).or_default() += 1;
        }
        let mut counts: Vec<u64> = counts.into_values().collect();
        let mut wanted: Vec<u64> = VITALS.iter().map(|(_, count)| *count).collect();
        counts.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(counts, wanted);
        assert_eq!(counts.iter().sum::<u64>(), u64::from(READINGS));
    }

    #[test]
    fn a_stamped_message_says_what_was_stamped() {
        check(0, 1_763_694_000_007, 70_000, "70.000 /min");
        check(12_345, 1_763_694_000_999, 79_999, "79.999 /min");
        check(999_999, 1_763_694_001_000, RATE_OF_ALARM, "125.000 /min");
    }
}
