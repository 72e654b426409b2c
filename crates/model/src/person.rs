//! People: who is cared for, who cares, and who signs in.

use crate::{OrgId, PatientId, Redacted, SiteId, StaffId, Timestamp, UserId};

/// A day of the calendar, without a time or a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Date {
    pub year: i16,
    pub month: u8,
    pub day: u8,
}

impl Date {
    /// The day of an instant in UTC, by the Gregorian calendar; a year beyond 16 bits is the last one.
    pub fn of(at: Timestamp) -> Self {
        // Years begin in March here, so that the day that comes and goes is the last one.
        let mut days = at.unix_millis().div_euclid(86_400_000) + 719_468;
        let era = days.div_euclid(DAYS_OF_400_YEARS);
        days = days.rem_euclid(DAYS_OF_400_YEARS);
        let year = (days - days / 1_460 + days / 36_524 - days / 146_096) / 365;
        let day_of_year = days - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self {
            year: i16::try_from(era * 400 + year + carry).unwrap_or(i16::MAX),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    /// Whole years from this day of birth to `on`; negative before it.
    pub fn years_until(self, on: Self) -> i32 {
        let had_no_birthday = (on.month, on.day) < (self.month, self.day);
        i32::from(on.year) - i32::from(self.year) - i32::from(had_no_birthday)
    }
}

const DAYS_OF_400_YEARS: i64 = 146_097;

/// Administrative sex, as HL7 table 0001 and FHIR spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the codes' own words")]
pub enum Sex {
    Female,
    Male,
    Other,
    Unknown,
}

/// Which SpO₂ scale of NEWS2 holds: an ordered and audited setting, never inferred (RCP 2017).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpO2Scale {
    /// For everybody for whom nobody ordered scale 2.
    #[default]
    One,
    /// Hypercapnic respiratory failure, target 88–92 %.
    Two,
}

/// A person under care.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Patient {
    pub id: PatientId,
    pub org: OrgId,
    /// The hospital's number, as printed on the wristband.
    pub record_number: Redacted<String>,
    pub given_name: Redacted<String>,
    pub family_name: Redacted<String>,
    pub birth_date: Option<Redacted<Date>>,
    pub sex: Sex,
    /// Why the person is here, in the ward's words.
    pub here_for: Redacted<String>,
    pub spo2_scale: SpO2Scale,
}

/// A person who works here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Staff {
    pub id: StaffId,
    pub org: OrgId,
    pub site: SiteId,
    pub name: Redacted<String>,
}

/// What a user may be; the policy table says what each may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Role {
    Nurse,
    ChargeNurse,
    Physician,
    /// Hospital IT and biomedical engineering: devices, users, places; no charting.
    It,
    /// A person under care, who sees what is their own and nothing else.
    Patient,
    /// Somebody whom a patient named: reads that patient's own page, as long as it is shared.
    Family,
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Names the login.
    pub id: UserId,
    /// The organization whose data it sees.
    pub org: OrgId,
    /// What is typed at sign-in; lower-case, unique in the organization.
    pub login: String,
    /// What it may be.
    pub role: Role,
    /// Whose login it is, if a member of staff's.
    pub staff: Option<StaffId>,
    /// Whose login it is, if a patient's own, or who shares with them, if family's; then it is
    /// nobody's of the staff.
    pub patient: Option<PatientId>,
    /// Argon2id in PHC form; `None` until the one-time link was used.
    pub password_hash: Option<Redacted<String>>,
    /// A user who left keeps the row and cannot sign in.
    pub disabled: bool,
}

#[test]
fn a_day_is_that_of_the_calendar_and_a_birthday_makes_a_year() {
    let day = |year, month, day| Date { year, month, day };
    for (second, want) in [
        (0, day(1970, 1, 1)),
        (-1, day(1969, 12, 31)),
        (951_782_400, day(2000, 2, 29)),
        (951_868_800, day(2000, 3, 1)),
        (4_107_542_399, day(2100, 2, 28)),
        (4_107_542_400, day(2100, 3, 1)),
        (1_795_226_400, day(2026, 11, 21)),
    ] {
        assert_eq!(Date::of(Timestamp::from_unix_millis(second * 1_000)), want);
    }
    let born = day(2008, 2, 29);
    let years = [
        (day(2009, 2, 28), 0),
        (day(2009, 3, 1), 1),
        (day(2026, 2, 28), 17),
        (day(2026, 3, 1), 18),
    ];
    for (on, want) in years {
        assert_eq!(born.years_until(on), want, "{on:?}");
    }
    assert!(born.years_until(day(2008, 2, 28)) < 0);
}
