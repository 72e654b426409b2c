//! How well alarms tell of what is true: detected, late, missed and false, each listed.

use serde::{Deserialize, Serialize};

use crate::truth::Row;

#[cfg(test)]
mod tests;

/// An alarm that was raised, as one line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Raised {
    /// Its stable word, such as `saturation.low`; made from code and title if it is empty.
    pub key: String,
    /// Reference id of the event.
    pub code: String,
    /// Its words.
    pub title: String,
    /// `high`, `medium` or `low`.
    pub priority: String,
    /// The patient's id.
    pub patient: Option<String>,
    /// The device's id.
    pub device: Option<String>,
    /// When it was raised, in milliseconds since 1970.
    pub raised_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
}

/// Something that was true and its alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What was true.
    pub truth: Row,
    /// The first alarm that told of it.
    pub alarm: Raised,
    /// Milliseconds from its begin to the alarm; 0 if it stood already.
    pub after_ms: i64,
}

/// What an evaluation found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Told in time.
    pub detected: Vec<Told>,
    /// Told after it was due.
    pub late: Vec<Told>,
    /// Never told.
    pub missed: Vec<Row>,
    /// Alarms about nothing.
    pub false_alarms: Vec<Raised>,
    /// How many alarms were right, asked for or not.
    pub right_count: usize,
}

impl Raised {
    /// Its stable word, read off code and title if it was not given.
    pub fn key(&self) -> String {
        if self.key.is_empty() { key_of(&self.code, &self.title) } else { self.key.clone() }
    }

    fn is_about(&self, row: &Row) -> bool {
        let same = |mine: Option<&String>, theirs: Option<&str>| {
            mine.zip(theirs).is_some_and(|(mine, theirs)| mine == theirs && !theirs.is_empty())
        };
        same(self.patient.as_ref(), Some(&row.patient))
            || same(self.device.as_ref(), row.device.as_deref())
    }

    /// Whether it stood or was raised between these instants.
    fn stands_within(&self, from_ms: i64, until_ms: i64) -> bool {
        self.raised_ms <= until_ms && self.ended_ms.is_none_or(|ended| ended >= from_ms)
    }
}

/// How much later than the end of what is true an alarm may come and still be late, not missed.
const TOO_LATE_MS: i64 = 60_000;
/// Clocks and cadence may make an alarm look a little earlier than its cause.
const EARLY_MS: i64 = 5_000;

/// Compares what was true with what was raised.
pub fn score(truth: &[Row], alarms: &[Raised]) -> Score {
    let alarms: Vec<Raised> =
        alarms.iter().map(|it| Raised { key: it.key(), ..it.clone() }).collect();
    let mut score = Score::default();
    for row in truth {
        let Some(by_ms) = row.by_ms.filter(|_| !row.expect.is_empty()) else { continue };
        let last_ms = row.until_ms.map_or(i64::MAX, |until| until.saturating_add(TOO_LATE_MS));
        let first = alarms
            .iter()
            .filter(|it| it.is_about(row) && row.expect.contains(&it.key))
            .filter(|it| it.stands_within(row.from_ms, last_ms.max(by_ms)))
            .min_by_key(|it| it.raised_ms);
        match first {
            None if row.mended => {}
            None => score.missed.push(row.clone()),
            Some(alarm) => {
                let after_ms = alarm.raised_ms.saturating_sub(row.from_ms).max(0);
                let told = Told { truth: row.clone(), alarm: alarm.clone(), after_ms };
                if alarm.raised_ms <= by_ms {
                    score.detected.push(told);
                } else {
                    score.late.push(told);
                }
            }
        }
    }
    for alarm in alarms {
        let explains = |row: &Row| {
            let until_ms = row.allow_until_ms.or(row.until_ms).unwrap_or(i64::MAX);
            let until_ms = row.by_ms.map_or(until_ms, |by| until_ms.max(by));
            let is_named = row.expect.contains(&alarm.key) || row.allow.contains(&alarm.key);
            is_named
                && alarm.is_about(row)
                && (row.from_ms.saturating_sub(EARLY_MS)..=until_ms).contains(&alarm.raised_ms)
        };
        if truth.iter().any(explains) {
            score.right_count += 1;
        } else {
            score.false_alarms.push(alarm);
        }
    }
    score
}

/// The stable word of an alarm by its event code and its words.
fn key_of(code: &str, title: &str) -> String {
    let side = |word: &str| limit_key(title, word);
    match code {
        "MDC_EVT_DESAT" => "desaturation".to_owned(),
        "MDC_EVT_ECG_ASYSTOLE" => "asystole".to_owned(),
        "MDC_EVT_ECG_BRADY_EXTREME" => "extreme_bradycardia".to_owned(),
        "MDC_EVT_ECG_TACHY_EXTREME" => "extreme_tachycardia".to_owned(),
        "MDC_EVT_DISCONN" => "device_silent".to_owned(),
        "MDC_EVT_MSMT_INTERRUP" => "no_signal".to_owned(),
        "MDC_EVT_LEADS_OFF" => "leads_off".to_owned(),
        "MDC_EVT_WAVE_ARTIF_ERR" => "wave_gap".to_owned(),
        "MDC_EVT_BATT_LO" if title.contains("nearly") => "battery_nearly_empty".to_owned(),
        "MDC_EVT_BATT_LO" => "battery_low".to_owned(),
        "MDC_EVT_TEMP_HI_GT_LIM" | "MDC_EVT_HI_GT_LIM" => side("high"),
        "MDC_EVT_LO_LT_LIM" => side("low"),
        _ if title.starts_with("NEWS2 red") => "news2.single_red".to_owned(),
        _ if title.starts_with("NEWS2") => news2_key(title),
        _ if title.ends_with("clock wrong") => "clock_wrong".to_owned(),
        _ if title.ends_with("data late") => "data_late".to_owned(),
        _ if title == "Not recording" => "not_recording".to_owned(),
        _ if title == "Screens behind" => "pipeline_slow".to_owned(),
        _ => format!("{code} {title}"),
    }
}

fn limit_key(title: &str, side: &str) -> String {
    const VITALS: [(&str, &str); 10] = [
        ("SpO₂", "saturation"),
        ("Heart rate", "heart_rate"),
        ("Pulse", "pulse_rate"),
        ("Breathing", "respiratory_rate"),
        ("Systolic", "systolic_pressure"),
        ("Diastolic", "diastolic_pressure"),
        ("Mean pressure", "mean_pressure"),
        ("Temperature", "temperature"),
        ("Glucose", "glucose"),
        ("Battery", "battery_level"),
    ];
    let vital = VITALS.iter().find(|(words, _)| title.starts_with(words));
    vital.map_or_else(|| format!("? {title}"), |(_, vital)| format!("{vital}.{side}"))
}

/// From seven points on a score is a high one (RCP 2017).
fn news2_key(title: &str) -> String {
    let points: Option<u8> = title.rsplit(' ').next().and_then(|word| word.parse().ok());
    let is_high = points.is_some_and(|points| points >= 7);
    if is_high { "news2.high".to_owned() } else { "news2.medium".to_owned() }
}
