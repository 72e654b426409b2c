//! Who is called at which step of an unanswered alarm, and how long each has.
//!
//! A ladder: the nurse of the bed, the nurse in charge, the care unit. A post that
//! nobody holds is passed over at once and named, and every rung keeps those below
//! it, so no step reaches fewer people than the one before and none is silent.

use std::time::Duration;

use model::{Priority, StaffId};

use crate::edition::Edition;

/// Who holds the posts around one bed at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staffing {
    /// The nurse of the bed.
    pub assigned: Option<StaffId>,
    /// The nurse in charge of the care unit.
    pub charge: Option<StaffId>,
    /// Everybody on shift in the care unit.
    pub unit: Vec<StaffId>,
}

/// Because of which post somebody is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Capacity {
    AssignedNurse,
    ChargeNurse,
    CareUnit,
}

impl Capacity {
    const LADDER: [Self; 3] = [Self::AssignedNurse, Self::ChargeNurse, Self::CareUnit];

    /// The word for it on screens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AssignedNurse => "assigned nurse",
            Self::ChargeNurse => "charge nurse",
            Self::CareUnit => "care unit",
        }
    }
}

/// One person to be told, and as whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Told {
    pub staff: StaffId,
    pub capacity: Capacity,
}

/// The answer to “who is called?”; never an empty list in disguise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// These people, the nearest to the bed first.
    People {
        /// At least one.
        people: Vec<Told>,
        /// The posts that were to be called by now and reach nobody new: vacant, or held
        /// by somebody who was called already.
        vacant: Vec<Capacity>,
    },
    /// No post is held by anybody: only screens and sound remain, and they say so.
    Nobody,
}

impl Called {
    /// What to say beside the call when somebody stands in, such as “no assigned nurse”.
    pub fn remark(&self) -> Option<String> {
        let vacant = match self {
            Self::Nobody => return Some("nobody on this care unit can be called".to_owned()),
            Self::People { vacant, .. } => vacant,
        };
        let names: Vec<_> = vacant.iter().map(|post| format!("no {}", post.name())).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// Who is called at `step` (0 is the first); beyond the last rung it is everybody (RC-009, RC-010).
pub fn responders(step: u8, staffing: &Staffing) -> Called {
    let (mut people, mut vacant) = (Vec::new(), Vec::new());
    let mut rungs: u8 = 0;
    for capacity in Capacity::LADDER {
        let holders = match capacity {
            Capacity::AssignedNurse => staffing.assigned.as_slice(),
            Capacity::ChargeNurse => staffing.charge.as_slice(),
            Capacity::CareUnit => staffing.unit.as_slice(),
        };
        let before = people.len();
        for &staff in holders {
            if people.iter().all(|told: &Told| told.staff != staff) {
                people.push(Told { staff, capacity });
            }
        }
        if people.len() == before {
            vacant.push(capacity);
        } else {
            rungs = rungs.saturating_add(1);
        }
        if rungs > step {
            break;
        }
    }
    if people.is_empty() { Called::Nobody } else { Called::People { people, vacant } }
}

/// Where [`waits`] comes from (clinical reference, section 3.1).
pub const ESCALATION: Edition = Edition::first(
    "escalation",
    "Wardline's own choice after IEC 60601-1-8, clause 6.1.2: a high priority is answered \
     within seconds, a medium within minutes",
    false, // The standard leaves the numbers to the organization.
);

/// Seconds that each responder has before the next is called.
const HIGH_WAITS_S: &[u64] = &[30, 30];
const MEDIUM_WAITS_S: &[u64] = &[120, 180];
const LOW_WAITS_S: &[u64] = &[900];

/// How long each responder has before the next is called.
pub fn waits(priority: Priority) -> Vec<Duration> {
    let seconds = match priority {
        Priority::High => HIGH_WAITS_S,
        Priority::Medium => MEDIUM_WAITS_S,
        Priority::Low => LOW_WAITS_S,
    };
    seconds.iter().copied().map(Duration::from_secs).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V7: u128 = 0x7000_8000_0000_0000_0000;

    fn staff(letter: char) -> StaffId {
        StaffId::from_uuid(V7 | u128::from(letter)).unwrap()
    }

    fn staffing(assigned: char, charge: char, unit: &str) -> Staffing {
        let post = |letter| (letter != '.').then(|| staff(letter));
        Staffing {
            assigned: post(assigned),
            charge: post(charge),
            unit: unit.chars().map(staff).collect(),
        }
    }

    /// Letters of the people called, in order, and the remark.
    fn row(step: u8, staffing: &Staffing) -> (String, String) {
        let called = responders(step, staffing);
        let remark = called.remark().unwrap_or_default();
        let letters = match called {
            Called::People { people, .. } => {
                let letter = |told: &Told| char::from(told.staff.uuid().to_be_bytes()[15]);
                people.iter().map(letter).collect()
            }
            Called::Nobody => "nobody".to_owned(),
        };
        (letters, remark)
    }

    #[track_caller]
    fn check(posts: (char, char, &str), want: [(&str, &str); 3]) {
        let staffing = staffing(posts.0, posts.1, posts.2);
        for (step, (letters, remark)) in (0_u8..).zip(want) {
            let got = row(step, &staffing);
            assert_eq!((got.0.as_str(), got.1.as_str()), (letters, remark), "step {step}");
        }
        assert_eq!(row(u8::MAX, &staffing), row(2, &staffing), "beyond the last rung");
    }

    // RC-009
    #[test]
    fn an_unanswered_alarm_climbs_to_the_next_responder() {
        check(('A', 'C', "ACD"), [("A", ""), ("AC", ""), ("ACD", "")]);
    }

    // RC-010
    #[test]
    fn a_vacant_post_is_passed_over_at_once_and_named() {
        let no_nurse = "no assigned nurse";
        let unit = "no assigned nurse, no care unit";
        check(('.', 'C', "CD"), [("C", no_nurse), ("CD", no_nurse), ("CD", no_nurse)]);
        check(('A', '.', "AD"), [("A", ""), ("AD", "no charge nurse"), ("AD", "no charge nurse")]);
        let neither = "no assigned nurse, no charge nurse";
        check(('.', '.', "DE"), [("DE", neither), ("DE", neither), ("DE", neither)]);
        // In charge and at the bed: step 1 goes on to somebody else.
        check(('A', 'A', "AD"), [("A", ""), ("AD", "no charge nurse"), ("AD", "no charge nurse")]);
        check(('.', 'C', ""), [("C", no_nurse), ("C", unit), ("C", unit)]);
        let nobody = "nobody on this care unit can be called";
        check(('.', '.', ""), [("nobody", nobody), ("nobody", nobody), ("nobody", nobody)]);
    }

    #[test]
    fn each_priority_has_its_waits() {
        let seconds = |priority| waits(priority).iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!(seconds(Priority::High), [30, 30]);
        assert_eq!(seconds(Priority::Medium), [120, 180]);
        assert_eq!(seconds(Priority::Low), [900]);
    }

    proptest! {
        // RC-010
        #[test]
        fn a_later_step_reaches_everybody_of_the_earlier_and_somebody_more_if_there_is(
            assigned in prop::sample::select(&['.', 'A', 'B', 'C'][..]),
            charge in prop::sample::select(&['.', 'A', 'B', 'C'][..]),
            unit in "[A-E]{0,4}",
            step in 0_u8..4,
        ) {
            let staffing = staffing(assigned, charge, &unit);
            let (now, next) = (row(step, &staffing).0, row(step + 1, &staffing).0);
            let everybody = row(9, &staffing).0;
            prop_assert!(next.starts_with(&now));
            prop_assert!(next.len() > now.len() || now == everybody);
            let held = assigned != '.' || charge != '.' || !unit.is_empty();
            prop_assert_eq!(now != "nobody", held);
        }
    }
}
