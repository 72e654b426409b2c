//! What people and the shell ask for: the bodies of commands, as types.
//!
//! A command says what somebody wants; whether it was accepted stands in the
//! engine's decision, which names the command's position.

use std::time::Duration;

use model::{
    AlarmId, Assignment, Association, Bed, CareUnit, Certificate, CertificateId, Charting, Device,
    DeviceId, Encounter, EndReason, Lifecycle, LimitSet, Org, Patient, PatientId, Redacted, Room,
    SessionId, Site, SpO2Scale, Staff, Timestamp, User, UserId,
};

/// Who stands behind a command or a look at data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person who signed in.
    User(UserId),
    /// A device with its certificate.
    Device(DeviceId),
    /// The program itself: first start, demo script, expiry.
    System,
}

/// A wish, with whoever has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Command {
    pub actor: Actor,
    pub wish: Wish,
}

/// Everything that can be asked for. Nouns are put whole: the newest row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Wish {
    PutOrg(Org),
    PutSite(Site),
    PutCareUnit(CareUnit),
    PutRoom(Room),
    PutBed(Bed),
    PutPatient(Patient),
    PutStaff(Staff),
    PutUser(User),
    PutDevice(Device),
    SetLifecycle {
        device: DeviceId,
        lifecycle: Lifecycle,
    },
    PutCertificate(Certificate),
    RevokeCertificate(CertificateId),
    /// `known_at` of the three lines is replaced by the command's `received_at`.
    Associate(Association),
    Occupy(Encounter),
    Assign(Assignment),
    SetLimits {
        patient: PatientId,
        limits: LimitSet,
    },
    SetSpO2Scale {
        patient: PatientId,
        scale: SpO2Scale,
    },
    Chart(Charting),
    Acknowledge {
        alarm: AlarmId,
        quiet_for: Duration,
    },
    EndAlarm {
        alarm: AlarmId,
        reason: EndReason,
        words: Redacted<String>,
    },
    /// A one-time link for a user without a password; only its hash is kept.
    Invite {
        user: UserId,
        token_hash: [u8; 32],
        expires_at: Timestamp,
    },
    /// The link was used: it is spent and the password holds.
    SetPassword {
        user: UserId,
        password_hash: Redacted<String>,
    },
    OpenSession(Session),
    CloseSession(SessionId),
}

/// A server-side session; the cookie's token is known only by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub token_hash: [u8; 32],
    pub opened_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Who looked at what, and by which rule it was allowed or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who.
    pub actor: Actor,
    /// The policy's word for what was done, such as `patient.read`.
    pub action: String,
    /// About whom, if about a patient.
    pub patient: Option<PatientId>,
    /// The address of the thing, such as `/api/v1/patients/…/trend`.
    pub resource: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The rule that said so.
    pub rule: String,
    /// Where the asker was.
    pub remote: String,
}
