//! The past of a patient, a device or a bed: columns to draw, and how much of it is there.

use fleet::coverage::Stretch;
use serde::Serialize;
use utoipa::ToSchema;

use super::bed::Named;

/// What was measured over a range, as known at an instant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct History {
    /// What was asked for; where columns are minutes or longer, in whole minutes around it.
    pub(crate) from: String,
    pub(crate) to: String,
    /// Whom devices were on is answered by what was known then, and nothing else is.
    pub(crate) known_at: String,
    /// Column `n` begins at `origin_ms + n × step_ms`, in unix milliseconds.
    pub(crate) origin_ms: f64,
    pub(crate) step_ms: f64,
    /// `points`, or the roll-ups that were drawn: `1m`, `15m`, `1h`.
    pub(crate) made_of: &'static str,
    pub(crate) lines: Vec<HistoryLine>,
    /// What the caller may not see.
    pub(crate) withheld: Vec<Withheld>,
    /// Given as `cursor`, it asks for what follows; null at the end.
    pub(crate) next: Option<String>,
}

/// One channel of one device over the range.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HistoryLine {
    pub(crate) device: Named,
    pub(crate) channel: String,
    /// The vital, if it is one.
    pub(crate) vital: Option<&'static str>,
    pub(crate) label: String,
    pub(crate) unit: String,
    /// Whose it was; null while the device was on nobody.
    pub(crate) patient: Option<Named>,
    /// While the device was on whom the question is about, in unix milliseconds.
    pub(crate) on_ms: Vec<(i64, i64)>,
    /// Columns with a value, by number.
    pub(crate) n: Vec<i64>,
    pub(crate) first: Vec<f64>,
    pub(crate) least: Vec<f64>,
    pub(crate) greatest: Vec<f64>,
    pub(crate) last: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    /// Values in the range, one an instant.
    pub(crate) count: u64,
    /// For how long a value counted, in milliseconds.
    pub(crate) covered_ms: i64,
    /// The usual range of an adult, low and high, where one is known.
    pub(crate) usual: Option<(Option<f64>, Option<f64>)>,
    /// For how much of that the value was in the usual range.
    pub(crate) in_range_ms: Option<i64>,
    /// Where what was stored is damaged, in unix milliseconds: what is drawn there is not all.
    pub(crate) damaged_ms: Vec<(i64, i64)>,
}

/// A stretch that the caller may not see; of more than 500 in one answer the longest are named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Withheld {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// The rule of the policy that closes it; `unknown patient` if nobody knows whose it is, and
    /// `unknown place` if nobody knows where it stood.
    pub(crate) rule: String,
}

/// What was promised over a range, what came of it, and why not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Coverage {
    pub(crate) from: String,
    /// Nothing is missing from the future: now at the latest.
    pub(crate) to: String,
    pub(crate) known_at: String,
    pub(crate) channels: Vec<ChannelCoverage>,
    pub(crate) withheld: Vec<Withheld>,
    /// Given as `cursor`, it asks for what follows; null at the end.
    pub(crate) next: Option<String>,
}

/// Who and what measured in a place over a range, as known at an instant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MeasuredBy {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) known_at: String,
    pub(crate) items: Vec<Measuring>,
    pub(crate) withheld: Vec<Withheld>,
    /// Given as `cursor`, it asks for what follows; null at the end.
    pub(crate) next: Option<String>,
}

/// A device while it measured one patient of the place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Measuring {
    pub(crate) device: Named,
    pub(crate) patient: Option<Named>,
    /// The beds of the place in which the patient lay.
    pub(crate) beds: Vec<Named>,
    /// While it measured there, in unix milliseconds.
    pub(crate) on_ms: Vec<(i64, i64)>,
    /// What its profile promises.
    pub(crate) channels: Vec<ChannelName>,
}

/// A channel as messages and people call it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelName {
    pub(crate) channel: String,
    /// The vital, if it is one.
    pub(crate) vital: Option<&'static str>,
    pub(crate) label: String,
    pub(crate) is_waveform: bool,
}

/// One channel's promise and what it came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelCoverage {
    pub(crate) device: Named,
    pub(crate) channel: String,
    pub(crate) vital: Option<&'static str>,
    pub(crate) label: String,
    /// Whose it was; null while the device was on nobody.
    pub(crate) patient: Option<Named>,
    /// While the device was on whom the question is about, in unix milliseconds.
    pub(crate) on_ms: Vec<(i64, i64)>,
    /// Blocks of samples, and not single values.
    pub(crate) is_waveform: bool,
    /// The range is so long that of a waveform only the times of what is stored were looked at:
    /// what its device doubted counts as there.
    pub(crate) is_coarse: bool,
    /// How often the profile promises a value, or a sample, in seconds.
    pub(crate) cadence_s: f64,
    pub(crate) promised_s: f64,
    pub(crate) covered_s: f64,
    /// The covered share of what was promised, in percent, rounded down to a tenth.
    pub(crate) percent: Option<f64>,
    /// How long values lacked, by reason, the longest first.
    pub(crate) lacking: Vec<Lacking>,
    /// The gaps in order of time; of very many the longest.
    pub(crate) gaps: Vec<ReasonedGap>,
    pub(crate) is_cut: bool,
}

/// How long values lacked for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Lacking {
    pub(crate) reason: &'static str,
    pub(crate) seconds: f64,
}

impl Lacking {
    /// How long stretches are by their reason, the longest first.
    pub(crate) fn summed(stretches: impl Iterator<Item = (&'static str, Stretch)>) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for (reason, at) in stretches {
            let seconds = at.to.since(at.from).as_secs_f64();
            match found.iter_mut().find(|it| it.reason == reason) {
                Some(it) => it.seconds += seconds,
                None => found.push(Self { reason, seconds }),
            }
        }
        found.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        found
    }
}

/// How much of what was promised is there, whichever devices gave it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Covered {
    /// The covered share of what was promised, in percent, rounded down to a tenth; null where
    /// nothing was promised.
    pub(crate) percent: Option<f64>,
    pub(crate) promised_s: f64,
    pub(crate) covered_s: f64,
    /// How long values lacked, by reason as in `ReasonedGap`, the longest first.
    pub(crate) lacking: Vec<Lacking>,
    /// While no device was on that measures it, so that nothing was promised.
    pub(crate) no_device_s: f64,
}

/// A stretch without values, in unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonedGap {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// `our_fault`, `device_off`, `out_of_range`, `network`, `refused`, `silent`,
    /// `damaged` where what was stored cannot be read any more, or what the
    /// device said: `sensor_detached`, `device_fault`, `implausible`, `beyond_range`,
    /// `poor_signal`, `warming_up`, `not_measured`, `unknown`.
    pub(crate) reason: &'static str,
}
