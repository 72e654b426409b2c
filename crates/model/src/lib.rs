//! The nouns of the ward: who, what, how much, and when. Every other crate
//! speaks in these types, and this crate speaks to nobody.
//!
//! **Absent on purpose:** input and output, clocks, randomness, numbers without
//! a unit, and serialization; each stored or sent form is a type of its owner.

#![deny(clippy::wildcard_enum_match_arm)] // A new variant is thought about at every match.

mod alarm;
mod chart;
mod correction;
mod device;
mod emergency;
mod hand_over;
mod history;
mod hold;
mod id;
mod limits;
mod measure;
mod person;
mod place;
mod quantity;
mod reading;
mod redacted;
mod share;
mod subject;
mod time;

pub use alarm::{AlarmClass, EndReason, Priority};
pub use chart::{Charting, Consciousness, Feeling, NextDose, Oxygen, OxygenDevice};
pub use correction::{Amendment, Correction, CorrectionReason};
pub use device::{Binding, Certificate, DesiredConfig, Device, DeviceCommand, Lifecycle};
pub use emergency::{EmergencyAccess, EmergencyReason};
pub use hand_over::{HandOver, PostNote};
pub use history::{Assignment, Association, Encounter, Line, Post, as_of};
pub use hold::{Hold, HoldOf};
pub use id::{
    AlarmId, BedId, CareUnitId, CertificateId, CommandId, CorrectionId, DeadLetterId, DeviceId,
    EmergencyId, HandOverId, HoldId, Id, IdError, ImportId, Kind, OrgId, PartitionId, PatientId,
    PlaceId, RoomId, SessionId, SiteId, StaffId, UserId,
};
pub use limits::{AgeBand, LimitSet, LimitSide};
pub use measure::{Code, Measure, MissingReason, Sample, Ucum};
pub use person::{Date, Patient, Role, Sex, SpO2Scale, Staff, User};
pub use place::{Bed, CareUnit, Org, Room, Site};
pub use quantity::{
    BatteryLevel, DiastolicPressure, Glucose, HeartRate, MeanPressure, PulseRate, Quantity,
    QuantityError, RespiratoryRate, Saturation, SystolicPressure, Temperature, Vital,
};
pub use reading::{Channel, Clock, ClockUsed, Reading, Taken, Times};
pub use redacted::Redacted;
pub use share::Share;
pub use subject::{Subject, who};
pub use time::Timestamp;
