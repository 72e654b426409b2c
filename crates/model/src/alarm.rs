//! The words about alarms that records and deciders share.

/// How urgent an alarm is, by IEC 60601-1-8:2006 clause 6.1.2, table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Priority {
    Low,
    Medium,
    High,
}

/// Why a person ended an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum EndReason {
    Artefact,
    DeviceTakenOff,
    PatientLeft,
    /// Explained by the free text beside it.
    Other,
}

/// What an alarm is about; one machine serves all kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum AlarmClass {
    Physiological,
    Technical,
}
