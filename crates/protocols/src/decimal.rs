//! Decimal numbers exactly as they were sent: digits and a power of ten, never a float.

/// `mantissa × 10^exp10`; `97.0` stays 970 tenths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits.
    pub mantissa: i64,
    /// The power of ten.
    pub exp10: i8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, exp10: 0 };

    /// Reads a number as JSON spells it; `None` if it is none or cannot be held exactly.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, power) = match text.find(['e', 'E']) {
            Some(at) => {
                let (digits, power) = text.split_at_checked(at)?;
                let power = power.get(1..)?;
                (digits, power.strip_prefix('+').unwrap_or(power).parse::<i32>().ok()?)
            }
            None => (text, 0),
        };
        let (negative, digits) =
            digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exp = power.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let mut value = 0_i64;
        for digit in whole.bytes().chain(fraction.bytes()) {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            // Downwards, so that the least number of all is read too.
            let Some(next) = push_digit(value, digit) else {
                return Self::parse_long(negative, whole, fraction, power);
            };
            value = next;
        }
        Self::signed(negative, value, exp)
    }

    /// A number with more digits than fit: zeros at its end are not needed.
    fn parse_long(negative: bool, whole: &str, fraction: &str, power: i32) -> Option<Self> {
        let digits = [whole, fraction].concat();
        let needed = digits.trim_end_matches('0');
        let zeros = digits.len().checked_sub(needed.len())?;
        let exp = power
            .checked_sub(i32::try_from(fraction.len()).ok()?)?
            .checked_add(i32::try_from(zeros).ok()?)?;
        let digit = |byte: u8| byte.checked_sub(b'0').filter(|digit| *digit <= 9);
        let value = needed.bytes().try_fold(0, |value, byte| push_digit(value, digit(byte)?))?;
        Self::signed(negative, value, exp)
    }

    /// From the negated digits; a power that is too large is taken into the digits.
    fn signed(negative: bool, negated: i64, exp: i32) -> Option<Self> {
        let mut mantissa = if negative { negated } else { negated.checked_neg()? };
        if mantissa == 0 {
            return Some(Self { mantissa, exp10: i8::try_from(exp).unwrap_or(0) });
        }
        let mut exp = exp;
        while exp > i32::from(i8::MAX) {
            mantissa = mantissa.checked_mul(10)?;
            exp = exp.checked_sub(1)?;
        }
        Some(Self { mantissa, exp10: i8::try_from(exp).ok()? })
    }

    /// The number that the sender of this float meant: the shortest decimal that names it.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_finite() { Self::parse(&format!("{value:e}")) } else { None }
    }

    /// The number that the sender of this float of 32 bits meant.
    pub fn from_f32(value: f32) -> Option<Self> {
        if value.is_finite() { Self::parse(&format!("{value:e}")) } else { None }
    }

    /// The exact sum; `None` if it does not fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        if other.mantissa == 0 {
            return Some(self);
        }
        if self.mantissa == 0 {
            return Some(other);
        }
        let exp10 = self.exp10.min(other.exp10);
        let at = |number: Self| {
            let up = u32::from(number.exp10.abs_diff(exp10));
            i128::from(number.mantissa).checked_mul(10_i128.checked_pow(up)?)
        };
        let mantissa = i64::try_from(at(self)?.checked_add(at(other)?)?).ok()?;
        Some(Self { mantissa, exp10 })
    }

    /// Whether the number lies between two whole numbers, both included.
    pub fn is_within(self, min: i64, max: i64) -> bool {
        let (mantissa, min, max) = (i128::from(self.mantissa), i128::from(min), i128::from(max));
        if self.exp10 >= 0 {
            let value = 10_i128
                .checked_pow(u32::from(self.exp10.unsigned_abs()))
                .and_then(|factor| mantissa.checked_mul(factor));
            return mantissa == 0 && min <= 0 && 0 <= max
                || value.is_some_and(|value| min <= value && value <= max);
        }
        let places = u32::from(self.exp10.unsigned_abs());
        if places >= 19 {
            // Nearer to zero than 1, as 19 digits are the most.
            return match mantissa.signum() {
                0 => min <= 0 && 0 <= max,
                1 => min <= 0 && 0 < max,
                _ => min < 0 && 0 <= max,
            };
        }
        let scaled =
            |bound: i128| 10_i128.checked_pow(places).and_then(|factor| bound.checked_mul(factor));
        scaled(min).is_some_and(|min| min <= mantissa)
            && scaled(max).is_some_and(|max| mantissa <= max)
    }

    /// Seconds in nanoseconds, rounded down; `None` if it leaves all bounds.
    pub fn nanos(self) -> Option<i128> {
        let power = i32::from(self.exp10).checked_add(9)?;
        let mantissa = i128::from(self.mantissa);
        let Some(factor) = 10_i128.checked_pow(power.unsigned_abs()) else {
            return if mantissa == 0 {
                Some(0)
            } else if power < 0 {
                Some(if mantissa < 0 { -1 } else { 0 })
            } else {
                None
            };
        };
        if power < 0 { mantissa.checked_div_euclid(factor) } else { mantissa.checked_mul(factor) }
    }

    /// The whole number that this is; `None` if it has a fraction or does not fit.
    pub fn integer(self) -> Option<i64> {
        let factor = 10_i64.checked_pow(u32::from(self.exp10.unsigned_abs()));
        match (self.mantissa, factor) {
            (0, _) => Some(0),
            (mantissa, Some(factor)) if self.exp10 >= 0 => mantissa.checked_mul(factor),
            (mantissa, Some(factor)) if mantissa.checked_rem(factor)? == 0 => {
                mantissa.checked_div(factor)
            }
            _ => None,
        }
    }
}

fn push_digit(negated: i64, digit: u8) -> Option<i64> {
    negated.checked_mul(10)?.checked_sub(i64::from(digit))
}

impl std::fmt::Display for Decimal {
    /// As JSON spells it, with a power of ten where the digits alone do not say it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = usize::from(self.exp10.min(0).unsigned_abs());
        if self.exp10 > 0 || places > 18 {
            return write!(f, "{}e{}", self.mantissa, self.exp10);
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let width = places.saturating_add(1);
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs());
        let (whole, fraction) =
            digits.split_at_checked(digits.len().saturating_sub(places)).unwrap_or((&digits, ""));
        let point = if places == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(mantissa: i64, exp10: i8) -> Decimal {
        Decimal { mantissa, exp10 }
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let check = |text: &str, want: Option<(i64, i8)>| {
            let want = want.map(|(mantissa, exp10)| decimal(mantissa, exp10));
            assert_eq!(Decimal::parse(text), want, "{text}");
        };
        check("72", Some((72, 0)));
        check("97.0", Some((970, -1)));
        check("-0.05", Some((-5, -2)));
        check("1.7e9", Some((17, 8)));
        check("1E-3", Some((1, -3)));
        check("1e+3", Some((1, 3)));
        check("0e999", Some((0, 0)));
        check("9223372036854775807", Some((i64::MAX, 0)));
        check("-9223372036854775808", Some((i64::MIN, 0)));
        check("9223372036854775808", None);
        check("100000000000000000000", Some((1, 20)));
        check("0.100000000000000000000", Some((1, -1)));
        check("1e145", Some((1_000_000_000_000_000_000, 127)));
        check("1e146", None);
        check("1e-129", None);
        for text in ["", "-", ".", "e1", "1e", "1e1.5", "NaN", "0x1", "1 ", "--1", "1e99999999999"]
        {
            check(text, None);
        }
    }

    #[test]
    fn a_float_is_the_decimal_that_its_sender_meant() {
        assert_eq!(Decimal::from_f64(36.6), Some(decimal(366, -1)));
        assert_eq!(Decimal::from_f32(36.6), Some(decimal(366, -1)));
        assert_eq!(Decimal::from_f64(1.7e9), Some(decimal(17, 8)));
        assert_eq!(Decimal::from_f64(0.1 + 0.2), Some(decimal(30_000_000_000_000_004, -17)));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE] {
            assert_eq!(Decimal::from_f64(value), None, "{value}");
        }
    }

    #[test]
    fn a_bound_belongs_to_the_range() {
        let check = |number: &str, want: bool| {
            let number = Decimal::parse(number).unwrap();
            assert_eq!(number.is_within(0, 350), want, "{number:?}");
        };
        for inside in ["0", "350", "350.000", "0.001", "35e1", "1e-100", "0e100", "-0"] {
            check(inside, true);
        }
        for outside in ["-0.001", "350.001", "351", "36e1", "1e100", "-1e-100", "9e18"] {
            check(outside, false);
        }
        assert!(!decimal(1, -50).is_within(1, 2));
        assert!(!decimal(1, -50).is_within(-2, 0));
        assert!(decimal(-1, -50).is_within(-2, 0));
        assert!(!decimal(-1, -50).is_within(-2, -1));
    }

    #[test]
    fn seconds_become_nanoseconds_rounded_down() {
        let check = |text: &str, want: Option<i128>| {
            assert_eq!(Decimal::parse(text).unwrap().nanos(), want, "{text}");
        };
        check("1.7e9", Some(1_700_000_000_000_000_000));
        check("-0.0000000001", Some(-1));
        check("0.0000000019", Some(1));
        check("1e-100", Some(0));
        check("-1e-100", Some(-1));
        check("1e100", None);
    }

    proptest! {
        #[test]
        fn printing_and_reading_give_the_same_number(mantissa: i64, exp10: i8) {
            let number = decimal(mantissa, exp10);
            let again = Decimal::parse(&number.to_string());
            prop_assert_eq!(again, Some(number));
        }

        #[test]
        fn sums_and_bounds_agree_with_slow_arithmetic(
            a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000,
            ea in -6_i8..6, eb in -6_i8..6, min in -2_000_i64..2_000, span in 0_i64..2_000,
        ) {
            let millionths = |m: i64, e: i8| i128::from(m) * 10_i128.pow((6 + e).try_into().unwrap());
            let sum = decimal(a, ea).plus(decimal(b, eb)).unwrap();
            let want = millionths(a, ea) + millionths(b, eb);
            prop_assert_eq!(millionths(sum.mantissa, sum.exp10), want);
            let (low, high) = (i128::from(min) * 1_000_000, i128::from(min + span) * 1_000_000);
            let within = low <= want && want <= high;
            prop_assert_eq!(sum.is_within(min, min + span), within);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Decimal::parse(&text);
        }
    }
}
