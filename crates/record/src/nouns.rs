//! The stored forms of the model's nouns, as bodies contain them.
//!
//! The numbers stand here and not in `model`, so that a renamed field never
//! changes a file. A number is never reused, not even for something removed.

use minicbor::Decoder;
use model::{
    AlarmClass, Bed, CareUnit, Certificate, Channel, Charting, Clock, Code, Consciousness, Date,
    Device, EndReason, Lifecycle, LimitSet, LimitSide, Line, Measure, MissingReason, Org, Oxygen,
    OxygenDevice, Patient, Post, Priority, Role, Room, Sample, Sex, Site, SpO2Scale, Staff,
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
    enum Role { 0 Nurse, 1 ChargeNurse, 2 Physician, 3 It }
    struct User { 0 id, 1 org, 2 login, 3 role, 4 staff, 5 password_hash, 6 disabled }

    enum Lifecycle { 0 Ordered, 1 Provisioned, 2 InService, 3 Quarantined, 4 Retired }
    struct Device {
        0 id, 1 org, 2 site, 3 care_unit, 4 profile, 5 serial, 6 label, 7 lifecycle
    }
    struct Certificate { 0 id, 1 device, 2 serial, 3 not_before, 4 not_after, 5 revoked_at }

    enum Subject { 0 Patient(id), 1 Place(id), 2 Nobody }
    enum Post { 0 Bed(id), 1 Charge(id) }

    enum Consciousness { 0 Alert, 1 NewConfusion, 2 Voice, 3 Pain, 4 Unresponsive }
    enum OxygenDevice {
        0 NasalCannula, 1 SimpleMask, 2 VenturiMask, 3 ReservoirMask, 4 HighFlow, 5 Cpap, 6 Other
    }
    enum Oxygen { 0 Air, 1 Added { 0 flow_ml_per_min, 1 by } }
    struct Charting {
        0 patient, 1 observed_at, 2 consciousness, 3 oxygen, 4 breaths_per_min, 5 note
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

    enum Clock { 0 Unsynchronised, 1 Synchronised { 0 offset_ns } }
    enum MissingReason {
        0 SensorDetached, 1 DeviceFault, 2 Implausible, 3 OutOfRange, 4 PoorSignal, 5 WarmingUp,
        6 NotMeasured, 7 Unknown
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
