//! The early warning score as a panel shows it: every input with its points, its age or why it lacks.

use model::{SpO2Scale, Timestamp};

/// What the score asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the chart's own words")]
pub enum News2Input {
    RespiratoryRate,
    Saturation,
    Oxygen,
    SystolicPressure,
    Pulse,
    Consciousness,
    Temperature,
}

impl News2Input {
    /// Every input, in the chart's order.
    pub const ALL: [Self; 7] = [
        Self::RespiratoryRate,
        Self::Saturation,
        Self::Oxygen,
        Self::SystolicPressure,
        Self::Pulse,
        Self::Consciousness,
        Self::Temperature,
    ];
}

/// Where an input comes from, or why it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum PartState {
    Live,
    Charted,
    Aged,
    Missing,
}

/// The risk that a complete score stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the chart's own words")]
pub enum Risk {
    Low,
    LowMedium,
    Medium,
    High,
}

/// How the newest total compares with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Trend {
    Up,
    Down,
    Same,
}

/// One input with what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct News2Part {
    pub input: News2Input,
    /// As the ward says it, such as `28` or `alert`; empty if nothing is known.
    pub value_text: String,
    pub unit: &'static str,
    pub points: Option<u8>,
    pub taken_at: Option<Timestamp>,
    pub state: PartState,
    /// Why it does not count.
    pub reason: Option<&'static str>,
}

/// The score of one patient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct News2 {
    /// Only if every input is there and none is aged.
    pub total: Option<u8>,
    pub risk: Option<Risk>,
    /// One input alone gives three points.
    pub single_red: bool,
    pub parts: Vec<News2Part>,
    pub missing: Vec<News2Input>,
    /// The newest complete total, which may be the present one.
    pub last_total: Option<(u8, Timestamp)>,
    pub trend: Option<Trend>,
    pub scale: SpO2Scale,
}

impl News2 {
    /// Whether there is a total.
    pub const fn is_complete(&self) -> bool {
        self.total.is_some()
    }
}
