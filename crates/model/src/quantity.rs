//! Typed amounts for deciders: each type has one unit inside.
//!
//! A [`Measure`] becomes a quantity in one place, [`Quantity::from_measure`], at
//! a decider's door. An unknown kind or unit is an error, never a guess, and the
//! arithmetic is exact: integers in thousandths of the unit.

use crate::{Code, Measure};

/// An amount that a decider can compare.
pub trait Quantity: Copy + Ord {
    /// The word for it in messages.
    const NAME: &'static str;
    /// The codes under which sources send it.
    const CODES: &'static [Code];
    /// Accepted codes of units, our own UCUM code first, each with how to come to our own.
    const UNITS: &'static [(&'static str, Conversion)];
    /// The least that a living person and a working sensor can give, in whole units.
    const MIN: i64;
    /// The most that a living person and a working sensor can give, in whole units.
    const MAX: i64;

    /// Wraps thousandths of the unit that have been checked.
    fn from_thousandths(thousandths: i64) -> Self;

    /// The amount in thousandths of our unit.
    fn thousandths(self) -> i64;

    /// Converts a value to our unit, rounded half up to a thousandth.
    fn from_measure(measure: &Measure) -> Result<Self, QuantityError> {
        let quantity = Self::NAME;
        if !Self::CODES.contains(&measure.kind) {
            let accepted = list(Self::CODES.iter());
            return Err(QuantityError::UnknownKind { quantity, found: measure.kind, accepted });
        }
        let unit = Self::UNITS.iter().find(|(ucum, _)| *ucum == measure.ucum.as_str());
        let Some((_, conversion)) = unit else {
            let (found, accepted) =
                (measure.ucum.to_string(), list(Self::UNITS.iter().map(|u| u.0)));
            return Err(QuantityError::UnknownUnit { quantity, found, accepted });
        };
        conversion
            .thousandths(measure)
            .filter(|thousandths| (Self::MIN * 1_000..=Self::MAX * 1_000).contains(thousandths))
            .map(Self::from_thousandths)
            .ok_or_else(|| {
                let unit = list(Self::UNITS.first().map(|u| u.0).into_iter());
                let (found, min, max) = (measure.to_string(), Self::MIN, Self::MAX);
                QuantityError::Implausible { quantity, found, min, max, unit }
            })
    }
}

/// The exact way from another unit to our own: `(value + offset) × factor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Added first, in whole units of the source.
    offset: i64,
    /// Numerator and denominator of the factor.
    factor: (i64, i64),
}

impl Conversion {
    const SAME: Self = Self { offset: 0, factor: (1, 1) };

    const fn times(numerator: i64, denominator: i64) -> Self {
        Self { offset: 0, factor: (numerator, denominator) }
    }

    /// Thousandths of our unit, rounded half up; `None` if it leaves all bounds.
    fn thousandths(self, measure: &Measure) -> Option<i64> {
        let power = i32::from(measure.exp10);
        if self == Self::SAME
            && let Some(thousandths) = shortened(measure.mantissa, power.saturating_add(3))
        {
            return Some(thousandths);
        }
        // The offset is brought to the scale of the digits, so that nothing is rounded twice.
        let offset = if self.offset == 0 {
            0
        } else {
            10_i128
                .checked_pow(u32::try_from(power.checked_neg()?).ok()?)?
                .checked_mul(self.offset.into())?
        };
        let digits = i128::from(measure.mantissa).checked_add(offset)?;
        let digits = digits.checked_mul(self.factor.0.into())?;
        scaled(digits, self.factor.1.into(), power + 3).and_then(|value| i64::try_from(value).ok())
    }
}

/// Why a measure is not the quantity that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum QuantityError {
    #[error("{quantity} of {found} is not between {min} and {max} {unit}")]
    Implausible { quantity: &'static str, found: String, min: i64, max: i64, unit: String },
    #[error("{quantity} cannot be read from `{found}`; use one of: {accepted}")]
    UnknownKind { quantity: &'static str, found: Code, accepted: String },
    #[error("{quantity} cannot be given in `{found}`; use one of: {accepted}")]
    UnknownUnit { quantity: &'static str, found: String, accepted: String },
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// `digits / denominator` times a power of ten, rounded half up; `None` if it leaves all bounds.
fn scaled(digits: i128, denominator: i128, power: i32) -> Option<i128> {
    let Some(factor) = 10_i128.checked_pow(power.unsigned_abs()) else {
        return (power < 0 || digits == 0).then_some(0);
    };
    let (numerator, denominator) = if power < 0 {
        (digits, denominator.checked_mul(factor)?)
    } else {
        (digits.checked_mul(factor)?, denominator)
    };
    Some(numerator.checked_add(denominator / 2)?.div_euclid(denominator))
}

/// Digits times a small power of ten, rounded half up, in 64 bits: the way of nearly every value,
/// ten times a message. `None` where that is not enough.
fn shortened(digits: i64, power: i32) -> Option<i64> {
    let factor = match power.unsigned_abs() {
        0 => 1,
        1 => 10,
        2 => 100,
        3 => 1_000,
        _ => return None,
    };
    if power < 0 {
        return Some(digits.checked_add(factor / 2)?.div_euclid(factor));
    }
    digits.checked_mul(factor)
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident, $word:literal, from $min:literal to $max:literal, $codes:expr, $units:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(i64);
            impl Quantity for $name {
                const NAME: &'static str = $word;
                const CODES: &'static [Code] = &$codes;
                const UNITS: &'static [(&'static str, Conversion)] = &$units;
                const MIN: i64 = $min;
                const MAX: i64 = $max;
                fn from_thousandths(thousandths: i64) -> Self {
                    Self(thousandths)
                }
                fn thousandths(self) -> i64 {
                    self.0
                }
            }
        )*

        /// A quantity by name, where rules and records choose it at run time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Vital {
            $(#[doc = concat!("The vital «", $word, "».")] $name,)*
        }

        impl Vital {
            /// Every vital, in the order of their codes in stored forms.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word for it in messages.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $name::NAME,)* }
            }

            /// The vital that sources send under this code, if it is one.
            pub fn of(code: Code) -> Option<Self> {
                $(if $name::CODES.contains(&code) { return Some(Self::$name); })*
                None
            }

            /// The UCUM code of its own unit.
            pub fn unit(self) -> &'static str {
                let own = match self { $(Self::$name => $name::UNITS.first(),)* };
                own.map_or("1", |unit| unit.0)
            }

            /// Thousandths of its own unit, or why the measure is refused.
            pub fn thousandths(self, measure: &Measure) -> Result<i64, QuantityError> {
                match self { $(Self::$name => $name::from_measure(measure).map(Quantity::thousandths),)* }
            }
        }
    };
}

use Code::{Loinc, Mdc};

const SAME: Conversion = Conversion::SAME;
/// 1 kPa is 7.500617 mmHg.
const FROM_KPA: Conversion = Conversion::times(7_500_617, 1_000_000);

quantities! {
    /// Charge of a device's battery, in percent.
    BatteryLevel, "battery level", from 0 to 100, [Mdc(67_996)], [("%", SAME)];
    /// Diastolic pressure, in mmHg.
    DiastolicPressure, "diastolic pressure", from 0 to 250,
        [Mdc(150_022), Mdc(150_302), Mdc(150_034), Mdc(150_038), Loinc(8_462, 4)], [("mm[Hg]", SAME), ("mmHg", SAME), ("kPa", FROM_KPA)];
    /// Glucose in blood or tissue fluid, inside in mg/dL; 1 mmol/L is 18.0156 mg/dL.
    Glucose, "glucose", from 0 to 2_000, [Mdc(160_184), Mdc(160_212), Loinc(2_339, 0)],
        [("mg/dL", SAME), ("mmol/L", Conversion::times(180_156, 10_000))];
    /// Heart beats per minute from the ECG; zero is asystole.
    HeartRate, "heart rate", from 0 to 350, [Mdc(147_842), Loinc(8_867, 4)],
        [("/min", SAME), ("{beats}/min", SAME), ("beat/min", SAME)];
    /// Mean pressure, in mmHg.
    MeanPressure, "mean pressure", from 0 to 275,
        [Mdc(150_023), Mdc(150_303), Mdc(150_035), Mdc(150_039), Loinc(8_478, 0)], [("mm[Hg]", SAME), ("mmHg", SAME), ("kPa", FROM_KPA)];
    /// Pulse beats per minute from an oximeter or a cuff.
    PulseRate, "pulse rate", from 0 to 350, [Mdc(149_530), Mdc(149_546), Loinc(8_889, 8)],
        [("/min", SAME), ("{beats}/min", SAME), ("beat/min", SAME)];
    /// Breaths per minute.
    RespiratoryRate, "respiratory rate", from 0 to 150, [Mdc(151_562), Mdc(151_594), Loinc(9_279, 1)],
        [("/min", SAME), ("{breaths}/min", SAME), ("1/min", SAME)];
    /// Oxygen saturation by pulse oximetry, in percent.
    Saturation, "oxygen saturation", from 0 to 100, [Mdc(150_456), Loinc(59_408, 5), Loinc(2_708, 6)], [("%", SAME)];
    /// Systolic pressure, in mmHg.
    SystolicPressure, "systolic pressure", from 0 to 300,
        [Mdc(150_021), Mdc(150_301), Mdc(150_033), Mdc(150_037), Loinc(8_480, 6)], [("mm[Hg]", SAME), ("mmHg", SAME), ("kPa", FROM_KPA)];
    /// Body temperature, in degrees Celsius.
    Temperature, "temperature", from 20 to 45,
        [Mdc(150_344), Mdc(150_364), Mdc(150_368), Mdc(150_388), Mdc(150_392), Loinc(8_310, 5)],
        [("Cel", SAME), ("[degF]", Conversion { offset: -32, factor: (5, 9) })];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_is_the_long_one() {
        for power in -4..=4 {
            for digits in [i64::MIN, -15_500, -1_501, -500, -1, 0, 1, 499, 500, 1_500, i64::MAX] {
                let long = scaled(digits.into(), 1, power).and_then(|it| i64::try_from(it).ok());
                let short = shortened(digits, power);
                assert!(short.is_none() || short == long, "{digits}e{power}: {short:?}, {long:?}");
                assert!(
                    power.abs() > 3 || !(-15_500..=15_500).contains(&digits) || short.is_some()
                );
            }
        }
    }

    fn check<Q: Quantity>(
        kind: Code,
        mantissa: i64,
        exp10: i8,
        ucum: &str,
        want: Result<i64, &str>,
    ) {
        let got = Q::from_measure(&Measure { kind, mantissa, exp10, ucum: ucum.into() });
        let got = got.map_err(|error| error.to_string());
        let want = want.map(Q::from_thousandths).map_err(str::to_owned);
        assert!(got == want, "{mantissa}e{exp10} {ucum}: {:?}", got.err());
    }

    #[test]
    fn a_quantity_is_converted_exactly_or_refused_by_name() {
        let (rate, glucose) = (Mdc(147_842), Mdc(160_212));
        check::<HeartRate>(rate, 72, 0, "/min", Ok(72_000));
        check::<HeartRate>(rate, 350, 0, "{beats}/min", Ok(350_000));
        check::<Glucose>(glucose, 55, -1, "mmol/L", Ok(99_086)); // 99.0858 mg/dL.
        check::<Glucose>(glucose, 1, -128, "mg/dL", Ok(0));
        check::<Temperature>(Loinc(8_310, 5), 986, -1, "[degF]", Ok(37_000));
        check::<Temperature>(Loinc(8_310, 5), 101, 0, "[degF]", Ok(38_333));
        check::<SystolicPressure>(Mdc(150_021), 16, 0, "kPa", Ok(120_010));
        let cold = "temperature of 19.9 Cel is not between 20 and 45 Cel";
        check::<Temperature>(Loinc(8_310, 5), 199, -1, "Cel", Err(cold));
        let range = "heart rate of 350.001 /min is not between 0 and 350 /min";
        check::<HeartRate>(rate, 350_001, -3, "/min", Err(range));
        let range = "heart rate of -1 /min is not between 0 and 350 /min";
        check::<HeartRate>(rate, -1, 0, "/min", Err(range));
        let unit = "glucose cannot be given in `mmol`; use one of: mg/dL, mmol/L";
        check::<Glucose>(glucose, 55, -1, "mmol", Err(unit));
        let kind =
            "heart rate cannot be read from `MDC 160212`; use one of: MDC 147842, LOINC 8867-4";
        check::<HeartRate>(glucose, 72, 0, "/min", Err(kind));
    }
}
