//! What a script may say, and what is answered to one that says something else.

use super::*;
use crate::fault::Fault;

const HOUSE: &str = r#"title = "small"
site = "North"
[[unit]]
name = "ICU"
kind = "icu"
[[unit]]
name = "4B"
kind = "ward"
[[staff]]
login = "tom"
name = "Tom"
role = "charge_nurse"
charge_of = ["ICU", "4B"]
[[patient]]
unit = "ICU"
room = "Room 1"
bed = "01"
given_name = "A"
family_name = "B"
born = "1960-01-01"
sex = "male"
here_for = "x"
devices = ["icu-monitor"]
[[patient]]
unit = "4B"
room = "Room 12"
bed = "01"
given_name = "C"
family_name = "D"
born = "1960-01-01"
sex = "male"
here_for = "x"
devices = ["ecg-patch", "oximeter"]
"#;

/// Lines of [`HOUSE`].
const LINES: usize = 33;

fn with(more: &str) -> Result<Script, ScriptError> {
    Script::parse(&format!("{HOUSE}{more}"))
}

#[test]
fn an_event_finds_its_people_and_devices() {
    let plan = |more: &str| with(&format!("[[event]]\n{more}")).unwrap().plans.remove(0);
    let illness = plan("at = \"1h 30min\"\nunit = \"4B\"\nbed = \"01\"\nillness = \"sepsis\"");
    assert_eq!((illness.at_s, illness.patients, illness.devices), (5_400.0, vec![1], vec![]));
    let room = plan("at = \"5s\"\nroom = \"Room 12\"\nfault = \"network-cut\"\nlasts = \"2min\"");
    assert_eq!(room.devices, [1, 2]);
    assert_eq!(room.what, Happening::Fault { fault: Fault::NetworkCut, lasts_s: Some(120.0) });
    let one =
        plan("at = \"0s\"\nunit = \"4B\"\ndevice = \"oximeter\"\nfault = \"battery\"\npercent = 8");
    assert_eq!(one.devices, [2]);
    let leads = plan("at = \"0s\"\nunit = \"4B\"\nfault = \"leads-off\"");
    assert_eq!(leads.devices, [1], "an oximeter has no electrodes");
}

#[track_caller]
fn refused(more: &str, line: usize, words: &str) {
    let error = with(more).unwrap_err();
    assert_eq!(error.line, LINES + line, "{error}");
    assert!(error.what.contains(words), "{error}");
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_what_would_be_right() {
    refused(
        "[[event]]\nat = \"1s\"\nunit = \"ICU\"\nbed = \"01\"\nillness = \"sepis\"",
        1,
        "use one of: arrest, asystole",
    );
    refused(
        "\n[[event]]\nat = \"1s\"\nbed = \"01\"\nillness = \"sepsis\"",
        2,
        "in ICU and in 4B; say `unit` too",
    );
    refused(
        "[[event]]\nat = \"1s\"\nbed = \"99\"\nillness = \"sepsis\"",
        1,
        "there is no bed `99`",
    );
    refused("[[event]]\nat = \"1s\"\nillness = \"sepsis\"", 1, "say `bed`, `room` or `unit`");
    refused(
        "[[event]]\nat = \"soon\"\nunit = \"4B\"\nillness = \"sepsis\"",
        1,
        "write a span such as `90s`",
    );
    refused("[[event]]\nunit = \"4B\"\nillness = \"sepsis\"", 1, "`at` is missing");
    refused(
        "[[event]]\nat = \"1s\"\nunit = \"4B\"\nfault = \"gremlin\"",
        1,
        "use one of: battery,",
    );
    refused("[[event]]\nat = \"1s\"\nunit = \"4B\"\nfault = \"clock-wrong\"", 1, "needs `ahead`");
    refused(
        "[[event]]\nat = \"1s\"\nunit = \"4B\"\nfault = \"battery\"\npercent = 101",
        1,
        "0 to 100",
    );
    refused("[[event]]\nat = \"1s\"\nunit = \"4B\"", 1, "only one");
    refused(
        "[[event]]\nat = \"1s\"\nunit = \"4B\"\nillness = \"pain\"\nexpect = [\"x\"]",
        1,
        "belong together",
    );
    refused(
        "[[event]]\nat = \"1s\"\nunit = \"5C\"\nillness = \"pain\"",
        1,
        "this script has: ICU, 4B",
    );
    refused("[[event]]\nat = \"1s\"\nunit = \"4B\"\nillnes = \"pain\"", 4, "illnes");
    refused(
        "[[hand_over]]\nat = \"7h\"\nunit = \"4B\"\nfrom = \"tom\"\nto = \"ann\"",
        1,
        "nobody has the login `ann`",
    );
    refused(
        "[[patient]]\nunit = \"4B\"\nroom = \"1\"\nbed = \"01\"\ngiven_name = \"\"\nfamily_name = \"\"\nborn = \"\"\nsex = \"\"\nhere_for = \"\"\ndevices = []",
        1,
        "has a patient already",
    );
    refused(
        "[[patient]]\nunit = \"4B\"\nroom = \"1\"\nbed = \"02\"\ngiven_name = \"\"\nfamily_name = \"\"\nborn = \"\"\nsex = \"\"\nhere_for = \"\"\ndevices = [\"toaster\"]",
        1,
        "use one of: bedside-monitor,",
    );
}

#[test]
fn spans_are_written_with_their_units() {
    for (text, want) in [
        ("90s", Some(90.0)),
        ("25min", Some(1_500.0)),
        ("1h 30min", Some(5_400.0)),
        ("2d", Some(172_800.0)),
        ("0s", Some(0.0)),
        ("", None),
        ("90", None),
        ("-1s", None),
        ("1 h", None),
        ("1m", None),
        ("infs", None),
    ] {
        assert_eq!(span_s(text), want, "{text:?}");
    }
}
