//! People: who is cared for, who cares, and who signs in.

use crate::{OrgId, PatientId, Redacted, SiteId, StaffId, UserId};

/// A day of the calendar, without a time or a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Date {
    pub year: i16,
    pub month: u8,
    pub day: u8,
}

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
    /// Argon2id in PHC form; `None` until the one-time link was used.
    pub password_hash: Option<Redacted<String>>,
    /// A user who left keeps the row and cannot sign in.
    pub disabled: bool,
}
