//! A ward's day: 24 beds of six vitals, a value each second.
//!
//! The values are random walks that move as often as those of recorded patients do (BIDMC's
//! numerics: 29 %, 10 % and 5 % of seconds for pulse, breathing and saturation; pressures
//! and temperature are assumed).

use model::Timestamp;
use sim::Rng;

/// Beds of the ward.
pub(super) const BEDS: u64 = 24;
/// Seconds of a day.
pub(super) const DAY_S: i64 = 86_400;
/// Lines of one upload, which reach the server together.
pub(super) const LINES_AT_ONCE: i64 = 5_000;
/// 2026-11-19T00:00Z.
pub(super) const START_MS: i64 = 1_795_046_400_000;

/// How one vital goes through the day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Its channel, and its code in MDC.
    pub(super) channel: &'static str,
    pub(super) code: u32,
    /// Its field in line protocol.
    pub(super) field: &'static str,
    pub(super) ucum: &'static str,
    /// Its first value, as digits of this exponent.
    pub(super) first: i64,
    pub(super) exp10: i8,
    least: i64,
    greatest: i64,
    /// Of a thousand seconds it moves in so many.
    moves: u64,
}

const fn walk(
    (channel, code, field): (&'static str, u32, &'static str),
    ucum: &'static str,
    (first, exp10): (i64, i8),
    (least, greatest): (i64, i64),
    moves: u64,
) -> Walk {
    Walk { channel, code, field, ucum, first, exp10, least, greatest, moves }
}

/// The vitals of a bed.
pub(super) const VITALS: [Walk; 6] = [
    walk(("MDC_ECG_HEART_RATE", 147_842, "hr"), "/min", (78, 0), (40, 160), 290),
    walk(("MDC_RESP_RATE", 151_562, "rr"), "/min", (16, 0), (6, 40), 100),
    walk(("MDC_PULS_OXIM_SAT_O2", 150_456, "spo2"), "%", (96, 0), (82, 100), 50),
    walk(("MDC_PRESS_BLD_NONINV_SYS", 150_021, "nibp_sys"), "mm[Hg]", (122, 0), (70, 200), 300),
    walk(("MDC_PRESS_BLD_NONINV_DIA", 150_022, "nibp_dia"), "mm[Hg]", (74, 0), (40, 120), 300),
    walk(("MDC_TEMP", 150_344, "temp"), "Cel", (368, -1), (340, 410), 10),
];

/// How the day's times are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    /// Each second and up to 8 ms.
    Regular,
    /// Each second with 5 ms rms; of a hundred seconds one is missing and one comes late.
    Wobbling,
}

/// One bed's day, second after second.
#[derive(Clone, Debug)]
pub(super) struct Bed {
    day: Day,
    rng: Rng,
    values: [i64; 6],
    second: i64,
}

/// A second of a bed: when, when it reached us, and its six values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub(super) at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) values: [i64; 6],
}

impl Bed {
    pub(super) fn new(day: Day, bed: u64) -> Self {
        Self { day, rng: Rng::new(1, bed), values: VITALS.map(|it| it.first), second: 0 }
    }
}

impl Iterator for Bed {
    type Item = Second;

    fn next(&mut self) -> Option<Second> {
        loop {
            if self.second == DAY_S {
                return None;
            }
            let second = self.second;
            self.second += 1;
            for (value, walk) in self.values.iter_mut().zip(VITALS) {
                let drawn = self.rng.next();
                if drawn % 1_000 < walk.moves {
                    let step = if drawn & (1 << 40) == 0 { 1 } else { -1 };
                    *value = (*value + step).clamp(walk.least, walk.greatest);
                }
            }
            let (wobble, luck) = (self.rng.normal_fraction(), self.rng.next());
            let late_ms = match self.day {
                Day::Regular => i64::try_from(luck % 9).unwrap_or(0),
                Day::Wobbling if luck.is_multiple_of(100) => continue,
                Day::Wobbling => (wobble * 5.0).round() as i64,
            };
            let at = Timestamp::from_unix_millis(START_MS + second * 1_000 + late_ms);
            // An upload holds some minutes of the whole ward; what is late comes with the next.
            let lines = i64::try_from(BEDS).unwrap_or(1);
            let is_late = self.day == Day::Wobbling && luck % 100 == 1;
            let upload = second * lines / LINES_AT_ONCE + i64::from(is_late);
            let received_ms = START_MS + DAY_S * 1_000 + upload * 2;
            let received_at = Timestamp::from_unix_millis(received_ms);
            return Some(Second { at, received_at, values: self.values });
        }
    }
}
