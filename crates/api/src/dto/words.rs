//! How our enums and times are spelt in JSON; an unknown word is refused by name.

use std::fmt;

use jiff::{SpanRound, Timestamp as Instant, Unit, tz::TimeZone};
use model::{
    AgeBand, AlarmClass, Consciousness, CorrectionReason, Date, EmergencyReason, EndReason,
    Feeling, Lifecycle, OxygenDevice, Priority, Role, Sex, SpO2Scale, Timestamp, Vital,
};

use crate::problem::Problem;

/// An enum with one word for each variant.
pub(crate) trait Spelt: Copy + PartialEq + Sized + 'static {
    /// What it is called in a refusal.
    const WHAT: &'static str;
    /// Every variant with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(it, _)| *it == self).map_or("unknown", |(_, word)| word)
    }

    /// The variant of a word, or which words there are.
    fn read(text: &str) -> Result<Self, Problem> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text).map(|(it, _)| *it);
        found.ok_or_else(|| {
            let words: Vec<&str> = Self::WORDS.iter().map(|(_, word)| *word).collect();
            Problem::bad_request(format!(
                "{} is `{text}`; use one of: {}",
                Self::WHAT,
                words.join(", ")
            ))
        })
    }
}

macro_rules! spelt {
    ($($name:ident $what:literal { $($variant:ident $word:literal),* $(,)? })*) => { $(
        impl Spelt for $name {
            const WHAT: &'static str = $what;
            const WORDS: &'static [(Self, &'static str)] = &[$((Self::$variant, $word)),*];
        }
    )* };
}

spelt! {
    Priority "priority" { High "high", Medium "medium", Low "low" }
    AlarmClass "class" { Physiological "physiological", Technical "technical" }
    EndReason "reason" { Artefact "artefact", DeviceTakenOff "device_taken_off", PatientLeft "patient_left", Other "other" }
    Lifecycle "state" {
        Ordered "ordered", Provisioned "provisioned", InService "in_service",
        Quarantined "quarantined", Retired "retired",
    }
    Role "role" { Nurse "nurse", ChargeNurse "charge_nurse", Physician "physician", It "it", Patient "patient", Family "family" }
    CorrectionReason "why" {
        WrongPatient "wrong_patient", SensorOff "sensor_off", Artefact "artefact",
        Mistyped "mistyped", Other "other",
    }
    EmergencyReason "reason" {
        LifeAtRisk "life_at_risk", CalledToHelp "called_to_help", Transfer "transfer", Other "other",
    }
    Feeling "feeling" { Better "better", Same "same", BitWorse "bit_worse", MuchWorse "much_worse" }
    AgeBand "band" {
        Infant "infant", YoungChild "young_child", Child "child", Adolescent "adolescent",
        Adult "adult", Older "older",
    }
    Sex "sex" { Female "female", Male "male", Other "other", Unknown "unknown" }
    Consciousness "consciousness" {
        Alert "alert", NewConfusion "new_confusion", Voice "voice", Pain "pain", Unresponsive "unresponsive",
    }
    OxygenDevice "by" {
        NasalCannula "nasal_cannula", SimpleMask "simple_mask", VenturiMask "venturi_mask",
        ReservoirMask "reservoir_mask", HighFlow "high_flow", Cpap "cpap", Other "other",
    }
    Vital "vital" {
        BatteryLevel "battery_level", DiastolicPressure "diastolic_pressure", Glucose "glucose",
        HeartRate "heart_rate", MeanPressure "mean_pressure", PulseRate "pulse_rate",
        RespiratoryRate "respiratory_rate", Saturation "saturation",
        SystolicPressure "systolic_pressure", Temperature "temperature",
    }
}

/// The short label of a vital on screens.
pub(crate) const fn label(vital: Vital) -> &'static str {
    match vital {
        Vital::BatteryLevel => "Battery",
        Vital::DiastolicPressure => "NIBP dia",
        Vital::Glucose => "Glucose",
        Vital::HeartRate => "HR",
        Vital::MeanPressure => "NIBP mean",
        Vital::PulseRate => "Pulse",
        Vital::RespiratoryRate => "RR",
        Vital::Saturation => "SpO₂",
        Vital::SystolicPressure => "NIBP sys",
        Vital::Temperature => "Temp",
    }
}

/// The unit of a vital as screens print it.
pub(crate) const fn unit(vital: Vital) -> &'static str {
    match vital {
        Vital::BatteryLevel | Vital::Saturation => "%",
        Vital::DiastolicPressure | Vital::MeanPressure | Vital::SystolicPressure => "mmHg",
        Vital::Glucose => "mg/dL",
        Vital::HeartRate | Vital::PulseRate | Vital::RespiratoryRate => "/min",
        Vital::Temperature => "°C",
    }
}

/// The number of a SpO₂ scale.
pub(crate) const fn scale(scale: SpO2Scale) -> u8 {
    match scale {
        SpO2Scale::One => 1,
        SpO2Scale::Two => 2,
    }
}

/// Thousandths as the number that people read.
#[expect(clippy::cast_precision_loss, reason = "no vital has more than 2^53 thousandths")]
pub(crate) fn number(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}

/// A number that a person gave, in thousandths; refused if it is not one.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
pub(crate) fn thousandths(what: &str, number: f64) -> Result<i64, Problem> {
    let scaled = (number * 1_000.0).round();
    if scaled.abs() < 1e12 {
        Ok(scaled as i64)
    } else {
        Err(Problem::bad_request(format!("{what} is {number}, which is no value of a vital")))
    }
}

/// An instant in RFC 3339, UTC, with milliseconds.
pub(crate) fn time(at: Timestamp) -> String {
    struct Millis(Instant);
    impl fmt::Display for Millis {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:.3}", self.0)
        }
    }
    Instant::from_millisecond(at.unix_millis())
        .map_or_else(|_| "unknown".to_owned(), |at| Millis(at).to_string())
}

/// An instant from RFC 3339, or from milliseconds since 1970.
pub(crate) fn read_time(what: &str, text: &str) -> Result<Timestamp, Problem> {
    if let Ok(millis) = text.parse::<i64>() {
        return Ok(Timestamp::from_unix_millis(millis));
    }
    let at: Instant = text.parse().map_err(|_| {
        Problem::bad_request(format!("{what} is `{text}`; write it like 2026-11-21T08:30:00Z"))
    })?;
    Ok(Timestamp::from_unix_millis(at.as_millisecond()))
}

/// A day as ISO 8601 writes it.
pub(crate) fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// A day from ISO 8601.
pub(crate) fn read_day(what: &str, text: &str) -> Result<Date, Problem> {
    let date: jiff::civil::Date = text.parse().map_err(|_| {
        Problem::bad_request(format!("{what} is `{text}`; write it like 1955-03-31"))
    })?;
    let part = |part: i8| u8::try_from(part).unwrap_or(1);
    Ok(Date { year: date.year(), month: part(date.month()), day: part(date.day()) })
}

/// Whole years from a birth date to an instant; `None` for a day that no calendar has.
pub(crate) fn age_years(born: Date, now: Timestamp) -> Option<i16> {
    let part = |part: u8| i8::try_from(part).ok();
    let born = jiff::civil::Date::new(born.year, part(born.month)?, part(born.day)?).ok()?;
    let today = Instant::from_millisecond(now.unix_millis()).ok()?.to_zoned(TimeZone::UTC).date();
    let lived = born.until((Unit::Year, today)).ok()?;
    let whole = lived
        .round(SpanRound::new().smallest(Unit::Year).mode(jiff::RoundMode::Trunc).relative(born))
        .ok()?;
    Some(whole.get_years())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days_survive_their_text() {
        let at = Timestamp::from_unix_millis(1_795_226_400_123);
        assert_eq!(time(at), "2026-11-21T02:00:00.123Z");
        assert_eq!(read_time("from", &time(at)), Ok(at));
        assert_eq!(read_time("from", "1795226400123"), Ok(at));
        let born = read_day("birth_date", "1955-03-03").unwrap();
        assert_eq!(day(born), "1955-03-03");
        assert_eq!(age_years(born, at), Some(71));
        assert_eq!(age_years(Date { year: 2026, month: 11, day: 21 }, at), Some(0));
        assert_eq!(age_years(Date { year: 2025, month: 11, day: 22 }, at), Some(0));
        assert!(read_time("from", "yesterday").unwrap_err().for_caller.contains("`yesterday`"));
    }

    #[test]
    fn a_leap_second_and_an_hour_that_comes_twice_are_instants_of_utc() {
        for (text, utc) in [
            // There is no such second in what we count; it is the one before it.
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59.000Z"),
            ("2017-01-01T00:00:00Z", "2017-01-01T00:00:00.000Z"),
            // Berlin sets its clocks back at three, and forward at two.
            ("2024-10-27T02:30:00+02:00", "2024-10-27T00:30:00.000Z"),
            ("2024-10-27T02:30:00+01:00", "2024-10-27T01:30:00.000Z"),
            ("2025-03-30T01:59:59+01:00", "2025-03-30T00:59:59.000Z"),
            ("2025-03-30T03:00:00+02:00", "2025-03-30T01:00:00.000Z"),
        ] {
            assert_eq!(read_time("from", text).map(time), Ok(utc.to_owned()), "{text}");
        }
        // Without an offset nobody could tell the two hours apart.
        for text in ["2024-10-27T02:30:00", "2016-12-31T23:59:61Z", "2016-12-31T24:00:00Z"] {
            assert!(read_time("from", text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_words_there_are() {
        assert_eq!(Role::read("it"), Ok(Role::It));
        let refused = Role::read("admin").unwrap_err().for_caller;
        assert_eq!(
            refused,
            "role is `admin`; use one of: nurse, charge_nurse, physician, it, patient, family"
        );
    }
}
