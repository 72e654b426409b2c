//! Devices, where they stand in their life, and the certificates they speak with.

use crate::{
    CareUnitId, CertificateId, CommandId, DeviceId, Line, OrgId, SiteId, Subject, Timestamp,
};

/// Where a device stands between order and disposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Lifecycle {
    Ordered,
    Provisioned,
    InService,
    /// Cut off: it may not connect until a person lifts it.
    Quarantined,
    Retired,
}

/// Anything that measures or acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Names the device in topics and certificates.
    pub id: DeviceId,
    /// Whose it is.
    pub org: OrgId,
    /// Where its topics live.
    pub site: SiteId,
    /// The care unit whose partition takes its messages; `None` is the site's `unassigned`.
    pub care_unit: Option<CareUnitId>,
    /// The name of its profile, such as `bedside-monitor`.
    pub profile: String,
    /// The maker's serial number.
    pub serial: String,
    /// What people call it.
    pub label: String,
    /// Where it stands in its life.
    pub lifecycle: Lifecycle,
}

/// A certificate that was issued to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Names the row.
    pub id: CertificateId,
    /// Whose it is.
    pub device: DeviceId,
    /// The X.509 serial number, big-endian.
    pub serial: Vec<u8>,
    /// The first instant at which it is valid.
    pub not_before: Timestamp,
    /// The last instant at which it is valid.
    pub not_after: Timestamp,
    /// When a person revoked it.
    pub revoked_at: Option<Timestamp>,
    /// SHA-256 of it, by which a person who has it in hand finds its device; `None` for one
    /// that was issued before this was kept.
    pub fingerprint: Option<[u8; 32]>,
}

/// Which gateway speaks for a device, since when; `None` is the device itself.
pub type Binding = Line<DeviceId, Option<DeviceId>>;

/// Something that a device shall do, as it was planned; it is never changed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCommand {
    /// Names it, in topics too.
    pub id: CommandId,
    /// Which device.
    pub device: DeviceId,
    /// One of those that the device's profile has.
    pub name: String,
    /// Its arguments by name, each in the unit that the profile says.
    pub args: Vec<(String, i64)>,
    /// Whom the device was on when a person planned it; on anybody else it does not happen.
    pub on: Subject,
    /// Whether a second person has to agree before it is sent.
    pub needs_second: bool,
    /// When the device has to have reported by.
    pub expires_at: Timestamp,
}

/// The configuration that a device shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredConfig {
    /// Which device.
    pub device: DeviceId,
    /// Names this configuration; the device reports it back.
    pub version: String,
    /// What the device gets, a map in JSON.
    pub json: String,
}
