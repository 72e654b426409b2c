//! What people and the shell ask for: the bodies of commands, as types.
//!
//! A command says what somebody wants; whether it was accepted stands in the
//! engine's decision, which names the command's position.

use std::time::Duration;

use model::{
    AgeBand, AlarmId, Assignment, Association, Bed, Binding, CareUnit, CareUnitId, Certificate,
    CertificateId, Charting, CommandId, Correction, DesiredConfig, Device, DeviceCommand, DeviceId,
    EmergencyAccess, EmergencyId, Encounter, EndReason, HandOver, HandOverId, Hold, HoldId,
    Lifecycle, LimitSet, NextDose, Org, Patient, PatientId, Redacted, Room, SessionId, Share, Site,
    SpO2Scale, Staff, Subject, Timestamp, User, UserId, Vital,
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
        /// What the person gave as the reason.
        why: Option<String>,
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
    /// The limits of a vital for everybody in a care unit who has none of their own; with a
    /// band, for those of that age only.
    SetUnitLimits {
        care_unit: CareUnitId,
        band: Option<AgeBand>,
        limits: LimitSet,
    },
    /// What was set for a care unit holds no longer.
    ClearUnitLimits {
        care_unit: CareUnitId,
        band: Option<AgeBand>,
        vital: Vital,
    },
    /// What was set for a patient holds no longer.
    ClearLimits {
        patient: PatientId,
        vital: Vital,
    },
    OfferHandOver(HandOver),
    AcceptHandOver(HandOverId),
    /// The offer is taken back, or not taken up.
    EndHandOver(HandOverId),
    /// The program writes down how it did.
    NotePulse(Pulse),
    /// Tells a device to do something; `on` is whom the asker saw it on.
    SendCommand(DeviceCommand),
    /// A second person looked at the command and agrees.
    SecondCommand(CommandId),
    /// The command is taken back before it was sent.
    WithdrawCommand(CommandId),
    Configure(DesiredConfig),
    /// Says which gateway speaks for a device from now on.
    Bind(Binding),
    /// A one-time code for whoever has the device in hand; only its hash is kept.
    OfferClaim {
        device: DeviceId,
        code_hash: [u8; 32],
        expires_at: Timestamp,
    },
    /// The code was used: the device is in service, there and on that.
    Claim {
        code_hash: [u8; 32],
        care_unit: Option<CareUnitId>,
        subject: Subject,
    },
    /// A closed page is opened for a limited time.
    OpenInEmergency(EmergencyAccess),
    /// Whoever runs the care unit has looked at why a page was opened.
    ReviewEmergency(EmergencyId),
    /// What the patient takes next; the newest row holds.
    PlanDose(NextDose),
    /// The dose was given, or is not planned any more.
    ClearDose(PatientId),
    /// A patient lets somebody read their own page, and makes that person's login.
    Share(Share),
    /// The patient takes it back: that login is shut.
    EndShare(UserId),
    /// What it is of stays as it was received, until the hold is ended.
    PutHold(Hold),
    /// The hold holds no longer.
    EndHold {
        hold: HoldId,
        /// What the person gave as the reason.
        why: Redacted<String>,
    },
    /// The program raises, changes or ends the alarm about the disk.
    NoteDisk(DiskNote),
    /// Readings that are stored count otherwise from now on, or not at all.
    Correct(Correction),
}

/// How the server did since the pulse before; its history tells a restart by its gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Messages a thousand seconds.
    pub messages_per_ks: u64,
    /// Samples of numerics a thousand seconds.
    pub readings_per_ks: u64,
    /// 99 of 100 records were durable within this, in microseconds.
    pub durable_p99_us: u64,
    /// 99 of 100 records had all that follows decided within this, in microseconds.
    pub decided_p99_us: u64,
    /// Where the journal ends, in bytes since it began.
    pub journal_bytes: u64,
    /// How many devices are connected, a count.
    pub connections: u64,
    /// Since when the program runs.
    pub started_at: Timestamp,
}

/// How full the disk of the data is, in the steps in which somebody has to act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskLevel {
    /// There is room; no alarm stands.
    #[default]
    Roomy,
    /// Somebody has to make room, or to buy it.
    NearlyFull,
    /// Soon nothing is recorded and no device is answered.
    AlmostFull,
}

/// The disk of the data came to another level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskNote {
    /// Which level.
    pub level: DiskLevel,
    /// How much of it was used, by us or by others.
    pub used_percent: u64,
    /// What a file could still grow by.
    pub free_bytes: u64,
    /// The whole file system.
    pub total_bytes: u64,
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
