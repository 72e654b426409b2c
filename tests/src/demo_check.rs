//! `wardline demo --check`: it passes on the whole program with figures that add up,
//! and fails, with the reason, as soon as one organ of the program is cut out.

use std::{
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use serde_json::Value;

use crate::{server::program, tools::output};

/// The keys of the one line.
const FIGURES: [&str; 16] = [
    "beds",
    "devices_connected",
    "sent",
    "stored",
    "duplicates",
    "refused",
    "dead_letters",
    "waveform_samples_stored",
    "alarms_raised",
    "alarms_acknowledged",
    "alarms_escalated",
    "reading_to_screen_ms_p50",
    "reading_to_screen_ms_p99",
    "alarm_to_screen_ms_p50",
    "alarm_to_screen_ms_p99",
    "rss_mib",
];

/// What can be cut out, and a word that the reason must hold.
const CUTS: [(&str, &[&str]); 6] = [
    ("ingest", &["door", "stored", "could not connect"]),
    ("series", &["found again"]),
    ("deciders", &["alarm"]),
    ("alarms", &["alarm"]),
    ("escalation", &["next responder", "escalat"]),
    ("live_feed", &["screen", "feed"]),
];

/// So many checks at once, on the two cores that the gate may have.
const AT_ONCE: usize = 2;

fn check(cut: Option<&str>) -> Output {
    let mut command = Command::new(program());
    command.args(["demo", "--check", "--json"]).env_remove("WARDLINE_TEST_CUT");
    if let Some(cut) = cut {
        command.env("WARDLINE_TEST_CUT", cut);
    }
    output(&mut command)
}

#[test]
fn the_demo_checks_itself_and_its_figures_add_up() {
    let done = check(None);
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{complaint}", done.status);
    let printed = String::from_utf8(done.stdout).unwrap();
    assert_eq!(printed.trim_end().lines().count(), 1, "{printed}");
    let figures: Value = serde_json::from_str(&printed).unwrap();
    let get = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("no {key} in {figures}"));
    for key in FIGURES {
        assert!(get(key) >= 0.0, "{key} in {figures}");
    }
    let outcomes = ["stored", "duplicates", "refused", "dead_letters"].map(get);
    assert!((get("sent") - outcomes.iter().sum::<f64>()).abs() < 0.5, "{figures}");
    let at_least = [
        ("beds", 8.0),
        ("devices_connected", 8.0),
        ("stored", 1_000.0),
        ("duplicates", 1.0),
        ("dead_letters", 1.0),
        ("waveform_samples_stored", 100_000.0),
        ("alarms_raised", 3.0),
        ("alarms_acknowledged", 1.0),
        ("alarms_escalated", 1.0),
        ("reading_to_screen_ms_p50", 0.01),
        ("alarm_to_screen_ms_p50", 0.01),
        ("rss_mib", 1.0),
    ];
    for (key, least) in at_least {
        assert!(get(key) >= least, "{key} is less than {least} in {figures}");
    }
    for kind in ["reading", "alarm"] {
        let [p50, p99] = ["p50", "p99"].map(|it| get(&format!("{kind}_to_screen_ms_{it}")));
        assert!(p50 <= p99 && p99 < 2_000.0, "{kind}s of {figures}");
    }
}

#[test]
fn the_check_fails_when_any_organ_is_cut_out() {
    let waiting = Mutex::new(CUTS.iter());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((cut, words)) = next else { return };
                    if let Err(why) = fails_without(cut, words) {
                        failures.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The check without this organ ends with a failure whose reason holds one of these words.
fn fails_without(cut: &str, words: &[&str]) -> Result<(), String> {
    let done = check(Some(cut));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() {
        return Err(format!("without {cut} the check passed:\n{said}"));
    }
    // The last line is the reason; before it the server may have said something.
    let reason = said.trim_end().lines().last().unwrap_or_default().to_lowercase();
    let is_named = words.iter().any(|word| reason.contains(word));
    if is_named { Ok(()) } else { Err(format!("without {cut} the reason is: {reason}\n{said}")) }
}
