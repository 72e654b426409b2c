//! A closed page that is opened in an emergency: by whom is known, why is said here.

use crate::{EmergencyId, PatientId, Redacted};

/// Why somebody who does not look after a patient opens their page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmergencyReason {
    /// The patient is in danger now.
    LifeAtRisk,
    /// A colleague asked for help.
    CalledToHelp,
    /// The patient is about to be taken over from another care unit.
    Transfer,
    /// Something else, which the words say.
    Other,
}

/// A page that is opened for a limited time, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyAccess {
    /// Names it.
    pub id: EmergencyId,
    /// Whose page.
    pub patient: PatientId,
    /// Why.
    pub reason: EmergencyReason,
    /// What there is to say beside the reason.
    pub words: Redacted<String>,
}
