//! Chart 1 of NEWS2 as data, and the rounding that comes before it.

use crate::edition::Edition;

/// Where the bands come from.
pub const CHART_1: Edition = Edition::first(
    "NEWS2 bands",
    "Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017, chart 1",
    true,
);

/// One row of the chart.
pub(super) struct Bands {
    /// The chart's resolution, in thousandths of the unit.
    resolution: i64,
    /// The last value of each band, in steps of the resolution, and its points; ascending.
    upto: &'static [(i64, u8)],
}

const END: i64 = i64::MAX;
const WHOLE: i64 = 1_000;
const TENTH: i64 = 100;

pub(super) const RESPIRATORY_RATE: Bands =
    Bands { resolution: WHOLE, upto: &[(8, 3), (11, 1), (20, 0), (24, 2), (END, 3)] };
pub(super) const SATURATION_1: Bands =
    Bands { resolution: WHOLE, upto: &[(91, 3), (93, 2), (95, 1), (END, 0)] };
pub(super) const SATURATION_2_AIR: Bands =
    Bands { resolution: WHOLE, upto: &[(83, 3), (85, 2), (87, 1), (END, 0)] };
pub(super) const SATURATION_2_OXYGEN: Bands = Bands {
    resolution: WHOLE,
    upto: &[(83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (END, 3)],
};
pub(super) const SYSTOLIC_PRESSURE: Bands =
    Bands { resolution: WHOLE, upto: &[(90, 3), (100, 2), (110, 1), (219, 0), (END, 3)] };
pub(super) const PULSE: Bands =
    Bands { resolution: WHOLE, upto: &[(40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (END, 3)] };
pub(super) const TEMPERATURE: Bands =
    Bands { resolution: TENTH, upto: &[(350, 3), (360, 1), (380, 0), (390, 1), (END, 2)] };
pub(super) const AIR: u8 = 0;
pub(super) const ADDED_OXYGEN: u8 = 2;
pub(super) const ALERT: u8 = 0;
pub(super) const NOT_ALERT: u8 = 3;

impl Bands {
    /// Rounds half up to the chart's resolution, then reads the band (RC-013).
    pub(super) fn points(&self, thousandths: i64) -> u8 {
        let half = self.resolution / 2;
        let steps = thousandths.saturating_add(half).div_euclid(self.resolution);
        let last = self.upto.last().map_or(0, |band| band.1);
        self.upto.iter().find(|band| steps <= band.0).map_or(last, |band| band.1)
    }
}
