//! Alarm limits as a person set them, in thousandths of the vital's own unit, and for whom.

use std::time::Duration;

use crate::{Priority, Vital};

/// One side of a limit: where the breach begins, where it is over, for how long it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitSide {
    /// Breached beyond this, in thousandths of the vital's unit; the limit itself is no breach.
    pub limit_thousandths: i64,
    /// Over again from here, in thousandths; hysteresis lies between.
    pub clears_at_thousandths: i64,
    /// How long the breach must hold before the alarm is raised.
    pub delay: Duration,
    /// How urgent.
    pub priority: Priority,
}

/// The limits of one vital of one patient; a side that is `None` raises nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct LimitSet {
    pub vital: Vital,
    pub low: Option<LimitSide>,
    pub high: Option<LimitSide>,
}

/// The ages for which a care unit can have limits of its own.
///
/// Children's bands are those of the national paediatric early warning system of NHS England
/// (RCPCH 2023); that of the old is Wardline's own choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the table below says the years")]
pub enum AgeBand {
    Infant,
    YoungChild,
    Child,
    Adolescent,
    Adult,
    Older,
}

impl AgeBand {
    /// All of them, the youngest first.
    pub const ALL: [Self; 6] =
        [Self::Infant, Self::YoungChild, Self::Child, Self::Adolescent, Self::Adult, Self::Older];

    /// The first whole year of life that belongs to it; it ends where the next one begins.
    pub const fn from_years(self) -> i32 {
        match self {
            Self::Infant => 0,
            Self::YoungChild => 1,
            Self::Child => 5,
            Self::Adolescent => 13,
            Self::Adult => 18,
            Self::Older => 75,
        }
    }

    /// The band of somebody who has lived so many whole years; who is not born yet is an infant.
    pub fn of_years(years: i32) -> Self {
        let begun = Self::ALL.into_iter().rev().find(|band| years >= band.from_years());
        begun.unwrap_or(Self::Infant)
    }
}

#[test]
fn each_band_begins_with_its_first_year() {
    for band in AgeBand::ALL {
        assert_eq!(AgeBand::of_years(band.from_years()), band);
    }
    for (years, want) in [
        (-1, AgeBand::Infant),
        (4, AgeBand::YoungChild),
        (12, AgeBand::Child),
        (17, AgeBand::Adolescent),
        (74, AgeBand::Adult),
        (130, AgeBand::Older),
    ] {
        assert_eq!(AgeBand::of_years(years), want, "{years}");
    }
}
