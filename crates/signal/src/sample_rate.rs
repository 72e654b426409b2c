//! How many samples make a second, as an exact fraction, so that no beat drifts in a long recording.

use std::num::NonZeroU32;

/// Samples per second as a numerator and a denominator; 360 Hz is 360/1, one sample each 8 ms is 1000/8.
///
/// Two rates are equal when their fractions are: 250/1 and 1000/4 are the same rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampleRate {
    numerator: NonZeroU32,
    denominator: NonZeroU32,
}

/// Why two numbers are not a sample rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sample rate {numerator}/{denominator} Hz is not a fraction of two numbers above 0")]
pub struct InvalidSampleRate {
    /// The upper number of the refused fraction.
    pub numerator: u32,
    /// The lower number of the refused fraction.
    pub denominator: u32,
}

impl SampleRate {
    /// The rate `numerator`/`denominator` Hz in its lowest terms; refused if either number is zero.
    pub fn new(numerator: u32, denominator: u32) -> Result<Self, InvalidSampleRate> {
        let divisor = greatest_common_divisor(numerator, denominator);
        let refused = InvalidSampleRate { numerator, denominator };
        let lowest = |n: u32| n.checked_div(divisor).and_then(NonZeroU32::new).ok_or(refused);
        Ok(Self { numerator: lowest(numerator)?, denominator: lowest(denominator)? })
    }

    /// The upper number of the rate in Hz, in lowest terms.
    pub fn numerator(self) -> u32 {
        self.numerator.get()
    }

    /// The lower number of the rate in Hz, in lowest terms.
    pub fn denominator(self) -> u32 {
        self.denominator.get()
    }

    /// The rate as a decimal number of Hz, for display and for estimates.
    pub fn hz(self) -> f64 {
        f64::from(self.numerator()) / f64::from(self.denominator())
    }

    /// The number of whole samples in a span of `milliseconds`, rounded down; at most `u64::MAX`.
    pub fn samples_in_ms(self, milliseconds: u64) -> u64 {
        let thousandths = u128::from(milliseconds).saturating_mul(u128::from(self.numerator()));
        let samples = thousandths / (u128::from(self.denominator()) * 1000);
        u64::try_from(samples).unwrap_or(u64::MAX)
    }

    /// The time that `samples` take in whole microseconds, rounded down; at most `u64::MAX`.
    pub fn microseconds_of(self, samples: u64) -> u64 {
        let scaled = u128::from(samples).saturating_mul(u128::from(self.denominator()) * 1_000_000);
        u64::try_from(scaled / u128::from(self.numerator())).unwrap_or(u64::MAX)
    }
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while let Some(remainder) = a.checked_rem(b) {
        (a, b) = (b, remainder);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_fraction_in_lowest_terms() {
        let rate = SampleRate::new(1000, 8).unwrap();
        assert_eq!((rate.numerator(), rate.denominator()), (125, 1));
        assert_eq!(SampleRate::new(250, 1), SampleRate::new(1000, 4));
    }

    #[test]
    fn zero_is_refused_above_and_below_and_said_so() {
        for (numerator, denominator) in [(0, 1), (1, 0), (0, 0)] {
            let refused = SampleRate::new(numerator, denominator).unwrap_err();
            assert_eq!(refused, InvalidSampleRate { numerator, denominator });
        }
        let message = SampleRate::new(0, 1).unwrap_err().to_string();
        assert_eq!(message, "sample rate 0/1 Hz is not a fraction of two numbers above 0");
    }

    #[test]
    fn spans_and_counts_turn_into_one_another() {
        let rate = SampleRate::new(360, 1).unwrap();
        assert_eq!(rate.samples_in_ms(150), 54);
        assert_eq!(rate.microseconds_of(360), 1_000_000);
        assert_eq!(SampleRate::new(1, u32::MAX).unwrap().microseconds_of(u64::MAX), u64::MAX);
        assert_eq!(SampleRate::new(u32::MAX, 1).unwrap().samples_in_ms(u64::MAX), u64::MAX);
    }
}
