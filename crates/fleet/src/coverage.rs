//! The gap ledger: what a device's profile promised of one channel, what came, and why not.
//!
//! A stretch is promised while the device was on whom the question is about. What of it no
//! value covers is a gap, and each gap has the one reason that speaks most directly: that
//! what was stored is damaged, then the program's own outage, then the end of the connection, then what the device said, and
//! silence last. Nothing here guesses: a device whose connection was never seen is silent.

use std::time::Duration;

use model::{MissingReason, Timestamp};

#[cfg(test)]
mod tests;

/// A stretch of time, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Stretch {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// How a device stands to the server from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// It is connected, or its gateway says that it is there.
    Up,
    /// It said goodbye.
    Off,
    /// The connection ended without a goodbye.
    Lost,
    /// We closed the connection.
    Refused,
    /// It, or its gateway, says that it is not there.
    Away,
}

impl Link {
    /// The number by which a link is stored.
    pub const fn code(self) -> i64 {
        match self {
            Self::Off => 0,
            Self::Up => 1,
            Self::Lost => 2,
            Self::Refused => 3,
            Self::Away => 4,
        }
    }

    /// The link of a stored number, if there is one.
    pub const fn of(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Off),
            1 => Some(Self::Up),
            2 => Some(Self::Lost),
            3 => Some(Self::Refused),
            4 => Some(Self::Away),
            _ => None,
        }
    }
}

/// Why no value covers a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The server was not running, or could not record; also while devices come back after it.
    OurFault,
    /// The device was switched off, or said goodbye.
    DeviceOff,
    /// Its gateway was there and the device was not.
    OutOfRange,
    /// The connection broke, of the device itself or of its gateway.
    Network,
    /// We closed the connection; the list of refusals says why.
    Refused,
    /// The device said why it had no value.
    Said(MissingReason),
    /// The device was there and sent nothing.
    Silent,
    /// What was stored of it is damaged, and was not made again.
    Damaged,
}

/// A stretch without values, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Gap {
    pub at: Stretch,
    pub why: Why,
}

/// Everything that is known about one channel over a range. All lists are in order of time,
/// and stretches of one list do not overlap.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The range; nothing is promised of the future, so it ends now at the latest.
    pub asked: Stretch,
    /// While the device was on whom the question is about.
    pub on: &'a [Stretch],
    /// While a value counted.
    pub covered: &'a [Stretch],
    /// When the device said that it had no value, and why.
    pub said: &'a [(Timestamp, MissingReason)],
    /// How the device stood to the server, from each instant on.
    pub link: &'a [(Timestamp, Link)],
    /// The same of its gateway, if it speaks through one.
    pub gateway: Option<&'a [(Timestamp, Link)]>,
    /// While the server did not run or could not record.
    pub outages: &'a [Stretch],
    /// Where something was stored that cannot be read any more.
    pub damaged: &'a [Stretch],
}

/// What a promise came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// For how long values were promised.
    pub promised: Duration,
    /// For how much of that there was one.
    pub covered: Duration,
    /// The rest, in order of time; neighbours differ in their reason.
    pub gaps: Vec<Gap>,
}

impl Ledger {
    /// The covered share of the promise in thousandths, rounded down; none of nothing.
    pub fn covered_permille(&self) -> Option<u16> {
        let share = self.covered.as_nanos().saturating_mul(1_000);
        let share = share.checked_div(self.promised.as_nanos())?;
        Some(u16::try_from(share.min(1_000)).unwrap_or(1_000))
    }

    /// For how long values lacked for this reason.
    pub fn lacking(&self, why: Why) -> Duration {
        let gaps = self.gaps.iter().filter(|gap| gap.why == why);
        gaps.map(|gap| gap.at.to.since(gap.at.from)).sum()
    }
}

/// How long after an outage of ours devices may take to come back before it is their silence.
pub const RETURN_WITHIN: Duration = Duration::from_secs(60);

/// Weighs the evidence of one channel.
pub fn ledger(evidence: &Evidence<'_>) -> Ledger {
    ledger_of_any(std::slice::from_ref(evidence))
}

/// Weighs several sources of the same thing, the best first. A stretch is promised where one of
/// them was on, and covered where one that was on has a value; else it lacks for the reason of
/// the best that was on.
pub fn ledger_of_any(sources: &[Evidence<'_>]) -> Ledger {
    let mut ledger = Ledger::default();
    let mut edges: Vec<Timestamp> = sources.iter().flat_map(edges).collect();
    edges.sort_unstable();
    edges.dedup();
    for (from, to) in edges.iter().copied().zip(edges.iter().copied().skip(1)) {
        let is_asked = |it: &&Evidence<'_>| it.asked.from <= from && from < it.asked.to;
        let is_on = |it: &&Evidence<'_>| is_asked(it) && within(it.on, from).is_some();
        let Some(best) = sources.iter().find(is_on) else { continue };
        let span = to.since(from);
        ledger.promised = ledger.promised.saturating_add(span);
        if sources.iter().filter(is_on).any(|it| within(it.covered, from).is_some()) {
            ledger.covered = ledger.covered.saturating_add(span);
            continue;
        }
        let why = why(best, from);
        match ledger.gaps.last_mut() {
            Some(last) if last.at.to == from && last.why == why => last.at.to = to,
            _ => ledger.gaps.push(Gap { at: Stretch { from, to }, why }),
        }
    }
    ledger
}

/// Every instant inside of the range at which anything may change, with its two ends.
fn edges(evidence: &Evidence<'_>) -> Vec<Timestamp> {
    let Evidence { asked, on, covered, said, link, gateway, outages, damaged } = evidence;
    let of = |stretches: &[Stretch]| -> Vec<Timestamp> {
        stretches.iter().flat_map(|it| [it.from, it.to]).collect()
    };
    let mut edges = vec![asked.from, asked.to];
    edges.extend(of(on));
    edges.extend(of(covered));
    edges.extend(of(outages));
    edges.extend(of(damaged));
    edges.extend(outages.iter().map(|it| it.to.after(RETURN_WITHIN)));
    edges.extend(said.iter().map(|it| it.0));
    edges.extend(link.iter().chain(gateway.unwrap_or_default()).map(|it| it.0));
    edges.retain(|at| (asked.from..=asked.to).contains(at));
    edges
}

/// The parts of a range that lie in none of the stretches, which are in order of time.
pub fn outside(asked: Stretch, stretches: &[Stretch]) -> Vec<Stretch> {
    let (mut until, mut found) = (asked.from, Vec::new());
    for it in stretches.iter().filter(|it| it.from < asked.to) {
        if until < it.from {
            found.push(Stretch { from: until, to: it.from });
        }
        until = until.max(it.to);
    }
    if until < asked.to {
        found.push(Stretch { from: until, to: asked.to });
    }
    found
}

/// The stretch that `at` lies in.
fn within(stretches: &[Stretch], at: Timestamp) -> Option<Stretch> {
    let begun = stretches.partition_point(|it| it.from <= at);
    let last = stretches.get(begun.checked_sub(1)?)?;
    (at < last.to).then_some(*last)
}

/// The last of what was noted up to `at`.
fn latest<T: Copy>(noted: &[(Timestamp, T)], at: Timestamp) -> Option<(Timestamp, T)> {
    let begun = noted.partition_point(|it| it.0 <= at);
    noted.get(begun.checked_sub(1)?).copied()
}

fn why(evidence: &Evidence<'_>, at: Timestamp) -> Why {
    if within(evidence.damaged, at).is_some() {
        return Why::Damaged;
    }
    let link = latest(evidence.link, at);
    if is_ours(evidence, at, link.map(|it| it.0)) {
        return Why::OurFault;
    }
    match link.map(|it| it.1) {
        Some(Link::Off) => return Why::DeviceOff,
        Some(Link::Refused) => return Why::Refused,
        Some(Link::Lost | Link::Away) => return behind(evidence, at),
        Some(Link::Up) | None => {}
    }
    // A device behind a gateway that is gone cannot speak.
    let gateway = evidence.gateway.and_then(|gateway| latest(gateway, at));
    if gateway.is_some_and(|(_, link)| link != Link::Up) {
        return Why::Network;
    }
    // What the device said counts until it has a value again.
    let covered = evidence.covered.partition_point(|it| it.from <= at);
    let value = covered.checked_sub(1).and_then(|last| evidence.covered.get(last));
    match latest(evidence.said, at) {
        Some((said_at, reason)) if value.is_none_or(|value| said_at >= value.from) => {
            Why::Said(reason)
        }
        Some(_) | None => Why::Silent,
    }
}

/// Why a device is not there that did not say goodbye.
fn behind(evidence: &Evidence<'_>, at: Timestamp) -> Why {
    let gateway = evidence.gateway.and_then(|gateway| latest(gateway, at));
    if gateway.is_some_and(|(_, link)| link == Link::Up) { Why::OutOfRange } else { Why::Network }
}

/// Whether the server was out, or has been back for a short while without a word of the device.
fn is_ours(evidence: &Evidence<'_>, at: Timestamp, linked_at: Option<Timestamp>) -> bool {
    let begun = evidence.outages.partition_point(|it| it.from <= at);
    let Some(outage) = begun.checked_sub(1).and_then(|last| evidence.outages.get(last)) else {
        return false;
    };
    if at < outage.to {
        return true;
    }
    let value = evidence.covered.partition_point(|it| it.from <= at);
    let value = value.checked_sub(1).and_then(|last| evidence.covered.get(last));
    let before = |at: Timestamp| at < outage.to;
    at < outage.to.after(RETURN_WITHIN)
        && linked_at.is_none_or(before)
        && value.is_none_or(|it| it.to <= outage.to)
        && latest(evidence.said, at).is_none_or(|it| before(it.0))
}
