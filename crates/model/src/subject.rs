//! Whose a reading is: the question that is asked anew and never stored.
//!
//! An association is a line in a history that only grows. It says from which
//! instant it holds and since when we know, so that a late transfer corrects the
//! chart without hiding what the ward believed at the time.

use crate::{Association, DeviceId, PatientId, PlaceId, Timestamp, as_of};

/// Whom or what a device measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person under care.
    Patient(PatientId),
    /// A room, a fridge, a vehicle.
    Place(PlaceId),
    /// The device lies in a drawer, or its history is silent.
    Nobody,
}

/// The subject of `device` at `taken_at`, by what was known at `as_known_at`.
pub fn who(
    history: &[Association],
    device: DeviceId,
    taken_at: Timestamp,
    as_known_at: Timestamp,
) -> Subject {
    as_of(history, device, taken_at, as_known_at).unwrap_or(Subject::Nobody)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V7: u128 = 0x7000_8000_0000_0000_0000;

    fn at(second: u8) -> Timestamp {
        Timestamp::from_unix_nanos(i64::from(second) * 1_000_000_000)
    }

    fn device() -> DeviceId {
        DeviceId::from_uuid(V7).unwrap()
    }

    /// A line from its subject (a letter, or `.` for nobody), `from`, and `known_at`.
    fn line((name, from, known_at): (char, u8, u8)) -> Association {
        let patient = || PatientId::from_uuid(V7 | u128::from(name)).unwrap();
        let subject = if name == '.' { Subject::Nobody } else { Subject::Patient(patient()) };
        Association { key: device(), value: subject, from: at(from), known_at: at(known_at) }
    }

    /// The subject of each of ten seconds, as known at `as_known_at`.
    fn row(lines: &[(char, u8, u8)], as_known_at: u8) -> String {
        let history: Vec<_> = lines.iter().copied().map(line).collect();
        let letter = |second| match who(&history, device(), at(second), at(as_known_at)) {
            Subject::Nobody => '.',
            Subject::Patient(id) => char::from(id.uuid().to_be_bytes()[15]),
            Subject::Place(_) => '?',
        };
        (0..10).map(letter).collect()
    }

    #[test]
    fn a_late_transfer_corrects_the_chart_and_not_the_past() {
        let transfer = [('A', 1, 1), ('B', 4, 8), ('.', 9, 9)];
        assert_eq!(row(&transfer, 7), ".AAAAAAAAA"); // What the ward believed.
        assert_eq!(row(&transfer, 8), ".AAABBBBBB"); // The transfer arrives, late.
        assert_eq!(row(&transfer, 9), ".AAABBBBB.");
        // The transfer was to C, and it was never B's device.
        assert_eq!(row(&[('A', 1, 1), ('B', 4, 4), ('C', 4, 6)], 6), ".AAACCCCCC");
    }

    proptest! {
        #[test]
        fn later_knowledge_never_changes_an_earlier_answer(
            lines in prop::collection::vec((prop::char::range('A', 'C'), 0_u8..10, 0_u8..10), 0..8),
            now in 0_u8..10,
        ) {
            let known: Vec<_> = lines.iter().copied().filter(|line| line.2 <= now).collect();
            prop_assert_eq!(row(&lines, now), row(&known, now));
        }
    }
}
