//! Who may do what, and how a device proves who it is: certificates, the
//! identity inside them, and the table of permissions.
//!
//! **Absent on purpose:** clocks, sockets and files; randomness is drawn in
//! `keys.rs` and nowhere else.

mod ca;
mod hash;
mod identity;
mod keys;
mod policy;
mod sealing;

pub use ca::{Authority, AuthorityPem, CaError, Issued};
pub use hash::{Sha256, sha256};
pub use identity::{
    CertificateFacts, DeviceIdentity, IdentityError, from_certificate, normal_serial,
};
pub use keys::{Keys, KeysError, random_bytes, random_u128};
pub use policy::{
    Action, Decision, DeviceAct, DeviceTopics, EMERGENCY, EMERGENCY_UNRECORDED, Resource, SHARED,
    TopicGrant, Who, covers, permit, permit_device,
};
pub use sealing::{BackupKey, ObjectName, SEALING_LEN, SealingError, hex, unhex};
