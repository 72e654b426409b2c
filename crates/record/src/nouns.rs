//! The stored forms of the model's nouns, as bodies contain them.
//!
//! The numbers stand here and not in `model`, so that a renamed field never
//! changes a file. A number is never reused, not even for something removed.

use minicbor::Decoder;
use model::{
    AgeBand, AlarmClass, Amendment, Bed, CareUnit, Certificate, Channel, Charting, Clock, Code,
    Consciousness, Correction, CorrectionReason, Date, DesiredConfig, Device, DeviceCommand,
    EmergencyAccess, EmergencyReason, EndReason, Feeling, HandOver, Hold, HoldOf, Lifecycle,
    LimitSet, LimitSide, Line, Measure, MissingReason, NextDose, Org, Oxygen, OxygenDevice,
    Patient, Post, PostNote, Priority, Role, Room, Sample, Sex, Share, Site, SpO2Scale, Staff,
    Subject, Ucum, User, Vital,
};

use crate::{BodyError, Coded, Encoder, coded, key, map_len, need, put, skip};

coded! {
    struct Org { 0 id, 1 name }
    struct Site { 0 id, 1 org, 2 name }
    struct CareUnit { 0 id, 1 site, 2 name }
    struct Room { 0 id, 1 care_unit, 2 name }
    struct Bed { 0 id, 1 room, 2 name }

    struct Date { 0 year, 1 month, 2 day }
    enum Sex { 0 Female, 1 Male, 2 Other, 3 Unknown }
    enum SpO2Scale { 1 One, 2 Two }
    struct Patient {
        0 id, 1 org, 2 record_number, 3 given_name, 4 family_name, 5 birth_date, 6 sex,
        7 here_for, 8 spo2_scale
    }
    struct Staff { 0 id, 1 org, 2 site, 3 name }
    enum Role { 0 Nurse, 1 ChargeNurse, 2 Physician, 3 It, 4 Patient, 5 Family }
    struct User { 0 id, 1 org, 2 login, 3 role, 4 staff, 5 password_hash, 6 disabled, 7 patient }

    enum Lifecycle { 0 Ordered, 1 Provisioned, 2 InService, 3 Quarantined, 4 Retired }
    struct Device {
        0 id, 1 org, 2 site, 3 care_unit, 4 profile, 5 serial, 6 label, 7 lifecycle
    }
    struct DeviceCommand { 0 id, 1 device, 2 name, 3 args, 4 on, 5 expires_at, 6 needs_second }
    struct DesiredConfig { 0 device, 1 version, 2 json }
    struct Certificate {
        0 id, 1 device, 2 serial, 3 not_before, 4 not_after, 5 revoked_at, 6 fingerprint
    }

    enum Subject { 0 Patient(id), 1 Place(id), 2 Nobody }
    enum Post { 0 Bed(id), 1 Charge(id) }

    enum Consciousness { 0 Alert, 1 NewConfusion, 2 Voice, 3 Pain, 4 Unresponsive }
    enum OxygenDevice {
        0 NasalCannula, 1 SimpleMask, 2 VenturiMask, 3 ReservoirMask, 4 HighFlow, 5 Cpap, 6 Other
    }
    enum Oxygen { 0 Air, 1 Added { 0 flow_ml_per_min, 1 by } }
    enum Feeling { 0 Better, 1 Same, 2 BitWorse, 3 MuchWorse }
    struct Charting {
        0 patient, 1 observed_at, 2 consciousness, 3 oxygen, 4 breaths_per_min, 5 note, 6 feeling
    }

    enum Priority { 0 Low, 1 Medium, 2 High }
    enum EndReason { 0 Artefact, 1 DeviceTakenOff, 2 PatientLeft, 3 Other }
    enum AlarmClass { 0 Physiological, 1 Technical }
    enum Vital {
        0 BatteryLevel, 1 DiastolicPressure, 2 Glucose, 3 HeartRate, 4 MeanPressure, 5 PulseRate,
        6 RespiratoryRate, 7 Saturation, 8 SystolicPressure, 9 Temperature
    }
    struct LimitSide { 0 limit_thousandths, 1 clears_at_thousandths, 2 delay, 3 priority }
    struct LimitSet { 0 vital, 1 low, 2 high }
    enum AgeBand { 0 Infant, 1 YoungChild, 2 Child, 3 Adolescent, 4 Adult, 5 Older }

    struct PostNote { 0 post, 1 note }
    struct HandOver { 0 id, 1 care_unit, 2 from, 3 to, 4 posts }

    enum EmergencyReason { 0 LifeAtRisk, 1 CalledToHelp, 2 Transfer, 3 Other }
    struct EmergencyAccess { 0 id, 1 patient, 2 reason, 3 words }
    struct NextDose { 0 patient, 1 due_at, 2 words }
    enum HoldOf { 0 Patient(patient), 1 Received { 0 from, 1 to } }
    struct Hold { 0 id, 1 org, 2 of, 3 why }
    enum CorrectionReason { 0 WrongPatient, 1 SensorOff, 2 Artefact, 3 Mistyped, 4 Other }
    enum Amendment { 0 Withdraw, 1 Replace { 0 mantissa, 1 exp10, 2 ucum }, 2 Undo(correction) }
    struct Correction {
        0 id, 1 org, 2 device, 3 channel, 4 from, 5 to, 6 amendment, 7 why, 8 words
    }
    struct Share { 0 user, 1 patient, 2 login, 3 name, 4 token_hash, 5 link_until, 6 until }

    enum Clock { 0 Unsynchronised, 1 Synchronised { 0 offset_ns } }
    enum MissingReason {
        0 SensorDetached, 1 DeviceFault, 2 Implausible, 3 OutOfRange, 4 PoorSignal, 5 WarmingUp,
        6 NotMeasured, 7 Unknown, 8 Withdrawn
    }
    struct Measure { 0 kind, 1 mantissa, 2 exp10, 3 ucum }
    enum Sample { 0 Measured(measure), 1 Missing(reason) }
}

impl<K: Coded, V: Coded> Coded for Line<K, V> {
    fn write(&self, e: &mut Encoder<'_>) {
        coded!(@write e, 0 &self.key, 1 &self.value, 2 &self.from, 3 &self.known_at,);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let (mut of, mut value, mut from, mut known_at) = (None, None, None, None);
        for _ in 0..map_len(d)? {
            match key(d)? {
                0 => put(&mut of, d, "key")?,
                1 => put(&mut value, d, "value")?,
                2 => put(&mut from, d, "from")?,
                3 => put(&mut known_at, d, "known_at")?,
                _ => skip(d)?,
            }
        }
        Ok(Self {
            key: need(of, "key")?,
            value: need(value, "value")?,
            from: need(from, "from")?,
            known_at: need(known_at, "known_at")?,
        })
    }
}

/// An MDC number is itself; a LOINC number and its check digit are one negative number.
impl Coded for Code {
    fn write(&self, e: &mut Encoder<'_>) {
        match self {
            Self::Mdc(number) => e.uint(u64::from(*number)),
            Self::Loinc(number, check) => e.int(!(i64::from(*number) << 8 | i64::from(*check))),
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let unknown = || BodyError::malformed("a code is neither of MDC nor of LOINC");
        let packed = d.i64().map_err(BodyError::cbor)?;
        if packed >= 0 {
            return u32::try_from(packed).map(Self::Mdc).map_err(|_| unknown());
        }
        let (number, [.., check]) = (!packed >> 8, (!packed).to_be_bytes());
        u32::try_from(number).map(|number| Self::Loinc(number, check)).map_err(|_| unknown())
    }
}

impl Coded for Channel {
    fn write(&self, e: &mut Encoder<'_>) {
        e.text(&self.0);
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.str().map(Self::from).map_err(BodyError::cbor)
    }
}

impl Coded for Ucum {
    fn write(&self, e: &mut Encoder<'_>) {
        e.text(self.as_str());
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, BodyError> {
        d.str().map(Self::new).map_err(BodyError::cbor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each variant's number, in this order.
    fn check<T: Coded + PartialEq + std::fmt::Debug>(variants: &[(u8, T)]) {
        for (number, variant) in variants {
            let mut bytes = Vec::new();
            variant.write(&mut Encoder::new(&mut bytes));
            assert_eq!(bytes, [*number], "{variant:?}");
            assert_eq!(&T::read(&mut Decoder::new(&bytes)).unwrap(), variant);
        }
        // The first number after the last is not guessed to be anything.
        let next = variants.iter().map(|(number, _)| *number).max().unwrap() + 1;
        assert!(T::read(&mut Decoder::new(&[next])).is_err());
    }

    #[test]
    fn what_people_say_and_how_old_they_are_keeps_its_number() {
        check(&[
            (0, Feeling::Better),
            (1, Feeling::Same),
            (2, Feeling::BitWorse),
            (3, Feeling::MuchWorse),
        ]);
        check(&[
            (0, AgeBand::Infant),
            (1, AgeBand::YoungChild),
            (2, AgeBand::Child),
            (3, AgeBand::Adolescent),
            (4, AgeBand::Adult),
            (5, AgeBand::Older),
        ]);
    }

    #[test]
    fn every_variant_of_a_sex_and_a_scale_keeps_its_number() {
        check(&[(0, Sex::Female), (1, Sex::Male), (2, Sex::Other), (3, Sex::Unknown)]);
        check(&[(1, SpO2Scale::One), (2, SpO2Scale::Two)]);
    }

    #[test]
    fn every_variant_keeps_its_number() {
        check(&[
            (0, Role::Nurse),
            (1, Role::ChargeNurse),
            (2, Role::Physician),
            (3, Role::It),
            (4, Role::Patient),
            (5, Role::Family),
        ]);
        check(&[(0, Priority::Low), (1, Priority::Medium), (2, Priority::High)]);
        check(&[(0, AlarmClass::Physiological), (1, AlarmClass::Technical)]);
        check(&[
            (0, Lifecycle::Ordered),
            (1, Lifecycle::Provisioned),
            (2, Lifecycle::InService),
            (3, Lifecycle::Quarantined),
            (4, Lifecycle::Retired),
        ]);
        check(&[
            (0, EndReason::Artefact),
            (1, EndReason::DeviceTakenOff),
            (2, EndReason::PatientLeft),
            (3, EndReason::Other),
        ]);
        check(&[
            (0, Consciousness::Alert),
            (1, Consciousness::NewConfusion),
            (2, Consciousness::Voice),
            (3, Consciousness::Pain),
            (4, Consciousness::Unresponsive),
        ]);
        check(&[
            (0, OxygenDevice::NasalCannula),
            (1, OxygenDevice::SimpleMask),
            (2, OxygenDevice::VenturiMask),
            (3, OxygenDevice::ReservoirMask),
            (4, OxygenDevice::HighFlow),
            (5, OxygenDevice::Cpap),
            (6, OxygenDevice::Other),
        ]);
        check(&[
            (0, MissingReason::SensorDetached),
            (1, MissingReason::DeviceFault),
            (2, MissingReason::Implausible),
            (3, MissingReason::OutOfRange),
            (4, MissingReason::PoorSignal),
            (5, MissingReason::WarmingUp),
            (6, MissingReason::NotMeasured),
            (7, MissingReason::Unknown),
            (8, MissingReason::Withdrawn),
        ]);
        check(&[
            (0, CorrectionReason::WrongPatient),
            (1, CorrectionReason::SensorOff),
            (2, CorrectionReason::Artefact),
            (3, CorrectionReason::Mistyped),
            (4, CorrectionReason::Other),
        ]);
        check(&[
            (0, Vital::BatteryLevel),
            (1, Vital::DiastolicPressure),
            (2, Vital::Glucose),
            (3, Vital::HeartRate),
            (4, Vital::MeanPressure),
            (5, Vital::PulseRate),
            (6, Vital::RespiratoryRate),
            (7, Vital::Saturation),
            (8, Vital::SystolicPressure),
            (9, Vital::Temperature),
        ]);
    }
}
