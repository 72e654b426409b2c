//! What a patient lets somebody else see: whom they named, and until when.

use crate::{PatientId, Redacted, Timestamp, UserId};

/// A patient's own page, shared with somebody they named; it makes that person's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The login of whoever may read; it is made with the share and is of use for nothing else.
    pub user: UserId,
    /// Whose page.
    pub patient: PatientId,
    /// What is typed at sign-in; lower-case, unique in the organization.
    pub login: String,
    /// What the patient calls them.
    pub name: Redacted<String>,
    /// The hash of the one-time link that sets the password; the link itself is kept nowhere.
    pub token_hash: [u8; 32],
    /// Until when the link may be used.
    pub link_until: Timestamp,
    /// From here on nothing is shared any more.
    pub until: Timestamp,
}
