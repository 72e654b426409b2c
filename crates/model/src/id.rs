//! Identifiers that know what they identify.
//!
//! A patient id and a device id are different types, so a mix-up does not
//! compile. All print as the one plain uuid that topics and certificates carry.

use std::{fmt, marker::PhantomData, str::FromStr};

use crate::Timestamp;

/// A UUIDv7 that names one thing of a [`Kind`]; the shell makes it and passes it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K>(u128, PhantomData<K>);

/// What an [`Id`] may name.
pub trait Kind {
    /// The word for it in messages.
    const NAME: &'static str;
}

/// Why a number or a text is not an [`Id`] of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a {kind} id, a lower-case UUIDv7, found `{found}`")]
#[expect(missing_docs, reason = "the message names every field")]
pub struct IdError {
    pub kind: &'static str,
    pub found: String,
}

macro_rules! kinds {
    ($($kind:ident, $id:ident, $name:literal;)*) => { $(
        #[doc = concat!("Marks the id of a ", $name, ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {}
        impl Kind for $kind {
            const NAME: &'static str = $name;
        }
        #[doc = concat!("Names one ", $name, ".")]
        pub type $id = Id<$kind>;
    )* };
}

kinds! {
    Alarm, AlarmId, "alarm";
    Bed, BedId, "bed";
    CareUnit, CareUnitId, "care unit";
    Certificate, CertificateId, "certificate";
    Command, CommandId, "command";
    StoredCorrection, CorrectionId, "correction";
    DeadLetter, DeadLetterId, "dead letter";
    Device, DeviceId, "device";
    Emergency, EmergencyId, "access in an emergency";
    HandOver, HandOverId, "hand-over";
    Import, ImportId, "import";
    LegalHold, HoldId, "hold";
    Org, OrgId, "organization";
    Partition, PartitionId, "partition";
    Patient, PatientId, "patient";
    Place, PlaceId, "place";
    Room, RoomId, "room";
    Session, SessionId, "session";
    Site, SiteId, "site";
    Staff, StaffId, "staff member";
    User, UserId, "user";
}

macro_rules! also_names_a {
    ($($from:ident => $to:ident;)*) => { $(
        impl From<Id<$from>> for Id<$to> {
            /// The same uuid, seen as another kind of thing.
            fn from(id: Id<$from>) -> Self {
                Self(id.0, PhantomData)
            }
        }
    )* };
}

// A care unit is a partition of the journal; a site's `unassigned` and an
// organization's own partition carry the ids of the site and the organization.
also_names_a! {
    CareUnit => Partition;
    Site => Partition;
    Org => Partition;
    Bed => Place;
    Room => Place;
    CareUnit => Place;
}

impl<K: Kind> Id<K> {
    /// Takes the number of a uuid; any version but 7 is refused.
    pub fn from_uuid(uuid: u128) -> Result<Self, IdError> {
        let id = Self(uuid, PhantomData);
        let (version, variant) = (uuid >> 76 & 0xf, uuid >> 62 & 0b11);
        let refusal = || IdError { kind: K::NAME, found: id.to_string() };
        if (version, variant) == (7, 0b10) { Ok(id) } else { Err(refusal()) }
    }

    /// A new id: the millisecond of `at` in front (RFC 9562, section 5.7), `random` behind.
    pub fn v7(at: Timestamp, random: u128) -> Self {
        let millis = u128::try_from(at.unix_nanos() / 1_000_000).unwrap_or(0) & 0xffff_ffff_ffff;
        let tail = random & 0x0fff_3fff_ffff_ffff_ffff;
        Self(millis << 80 | 0x7000_8000_0000_0000_0000 | tail, PhantomData)
    }

    /// The number of the uuid, for stored forms.
    pub const fn uuid(&self) -> u128 {
        self.0
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Printed and read with each message, so by hand: nothing is allocated.
        let digits = self.0.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let mut text = [b'-'; SPELLED_LEN];
        let places = (0..).zip(&mut text).filter(|(at, _)| !is_dash(*at));
        for ((_, place), digit) in places.zip(digits) {
            *place = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Characters of a spelled id.
const SPELLED_LEN: usize = 36;

const fn is_dash(at: usize) -> bool {
    matches!(at, 8 | 13 | 18 | 23)
}

/// The number of a uuid in the one spelling that we print: no capitals, no braces, no sign.
fn read(text: &str) -> Option<u128> {
    if text.len() != SPELLED_LEN {
        return None;
    }
    text.bytes().enumerate().try_fold(0_u128, |uuid, (at, byte)| match byte {
        b'-' if is_dash(at) => Some(uuid),
        _ if is_dash(at) => None,
        b'0'..=b'9' => Some(uuid << 4 | u128::from(byte - b'0')),
        b'a'..=b'f' => Some(uuid << 4 | u128::from(byte - b'a' + 10)),
        _ => None,
    })
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        read(text)
            .and_then(|uuid| Self::from_uuid(uuid).ok())
            .ok_or_else(|| IdError { kind: K::NAME, found: text.to_owned() })
    }
}

#[test]
fn an_id_survives_printing_and_has_one_spelling() {
    let text = "0192f0c1-2b3a-7c4d-8e5f-00000000002a";
    let patient: PatientId = text.parse().unwrap();
    assert_eq!(patient.to_string(), text);
    assert_eq!(Id::from_uuid(patient.uuid()), Ok(patient));

    let error = "P-42".parse::<PatientId>().unwrap_err().to_string();
    assert_eq!(error, "expected a patient id, a lower-case UUIDv7, found `P-42`");
    for digits in ["01234567-89ab-7cde-8f00-fedcba987654", "ffffffff-ffff-7fff-bfff-ffffffffffff"] {
        assert_eq!(digits.parse::<PatientId>().map(|id| id.to_string()).as_deref(), Ok(digits));
    }
    let moved = ["0192f0c1-2b3a-7c4d-8e5f0-0000000002a", "0192f0c12-b3a-7c4d-8e5f-00000000002a"];
    assert!(moved.iter().all(|text| text.parse::<PatientId>().is_err()));
    let others = [text.to_uppercase(), text.replace('-', ""), text.replace("7c4d", "4c4d")];
    for other in others.iter().chain(&[String::new(), format!("+{text}"), format!("{{{text}}}")]) {
        assert!(other.parse::<PatientId>().is_err(), "accepted {other:?}");
    }
}

#[test]
fn a_new_id_is_a_version_7_and_sorts_by_its_time() {
    let at = |second: i64| Timestamp::from_unix_nanos(second * 1_000_000_000);
    let (early, late) =
        (PatientId::v7(at(1_700_000_000), u128::MAX), PatientId::v7(at(1_700_000_001), 0));
    assert!(early < late);
    for id in [early, late] {
        assert_eq!(Id::from_uuid(id.uuid()), Ok(id));
    }
}
