//! Devices in use: commands with their second look, claims, gateways, and what their lives tell.

use std::time::Duration;

use ::fleet::command::{Phase, phase};
use ::record::{CommandResult, CommandStatus};
use model::{Binding, DesiredConfig, DeviceCommand};
use store::Noun;

use super::*;

const COMMAND: u128 = 0xc0;

fn command(ward: &Ward, name: &str, needs_second: bool) -> DeviceCommand {
    DeviceCommand {
        id: id(COMMAND),
        device: id(MONITOR),
        name: name.to_owned(),
        args: Vec::new(),
        on: ward.core.directory().subject_of(id(MONITOR)),
        needs_second,
        expires_at: ward.now.after(Duration::from_secs(60)),
    }
}

fn interval(ward: &Ward) -> DeviceCommand {
    let args = vec![("interval_min".to_owned(), 15)];
    DeviceCommand { args, ..command(ward, "set-pressure-interval", true) }
}

fn phase_of(ward: &Ward) -> Phase {
    let directory = ward.core.directory();
    let id = id(COMMAND);
    phase(&directory.commands[&id].life(), ward.now)
}

fn answers(ward: &mut Ward, from: u128, status: CommandStatus, payload: &str) {
    ward.happens(&answer(from, status, payload, None));
}

fn answer(from: u128, status: CommandStatus, payload: &str, gateway_at: Option<Timestamp>) -> Body {
    Body::CommandResult(CommandResult {
        device: id(from),
        command: id(COMMAND),
        counted: None,
        device_at: None,
        status,
        text: Redacted(String::new()),
        payload: payload.as_bytes().to_vec(),
        gateway_at,
    })
}

fn asks(ward: &mut Ward, user: u128, wish: Wish) -> Result<(), Reason> {
    ward.asks(Actor::User(id(user)), wish).map(drop).map_err(|refusal| refusal.0)
}

#[test]
fn a_command_for_a_device_on_a_patient_waits_for_somebody_elses_look() {
    let mut ward = Ward::new();
    let wish = Wish::SendCommand(interval(&ward));
    assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
    assert_eq!(phase_of(&ward), Phase::WaitsForSecond);
    let agree = || Wish::SecondCommand(id(COMMAND));
    assert_eq!(asks(&mut ward, PRIYA, agree()), Err(Reason::IllegalMove), "the same person");
    assert_eq!(asks(&mut ward, TOM, agree()), Ok(()));
    assert_eq!(phase_of(&ward), Phase::Sent);
    assert_eq!(asks(&mut ward, JONAS, agree()), Err(Reason::IllegalMove), "it waits no more");
    let withdraw = Wish::WithdrawCommand(id(COMMAND));
    assert_eq!(asks(&mut ward, PRIYA, withdraw), Err(Reason::IllegalMove), "it may be there");
}

#[test]
fn a_plan_that_is_not_what_it_would_be_now_is_refused() {
    let ward = Ward::new();
    let check = |change: &dyn Fn(&mut DeviceCommand), want: Reason| {
        let mut ward = Ward::new();
        let mut given = interval(&ward);
        change(&mut given);
        let wish = Wish::SendCommand(given);
        let shown = format!("{wish:?}");
        assert_eq!(asks(&mut ward, PRIYA, wish), Err(want), "{shown}");
    };
    check(&|it| it.needs_second = false, Reason::IllegalMove);
    check(&|it| it.on = Subject::Nobody, Reason::IllegalMove);
    check(&|it| it.on = Subject::Patient(id(ILSE + 1)), Reason::IllegalMove);
    check(&|it| it.name = "explode".to_owned(), Reason::NotFound);
    check(&|it| it.device = id(0x999), Reason::NotFound);
    check(&|it| it.args.clear(), Reason::Unusable);
    check(&|it| it.args = vec![("interval_min".to_owned(), 4)], Reason::Unusable);
    check(&|it| it.args = vec![("interval_min".to_owned(), 241)], Reason::Unusable);
    check(&|it| it.expires_at = ward.now, Reason::WrongTime);
    let day = Duration::from_secs(86_401);
    check(&|it| it.expires_at = ward.now.after(day), Reason::WrongTime);
    // Never on a patient, whoever agrees; off the patient at once.
    let mut ward = Ward::new();
    let wish = Wish::SendCommand(command(&ward, "restart", false));
    assert_eq!(asks(&mut ward, PRIYA, wish), Err(Reason::IllegalMove));
    ward.put_on(MONITOR, None);
    let wish = Wish::SendCommand(command(&ward, "restart", false));
    assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
    assert_eq!(phase_of(&ward), Phase::Sent);
}

#[test]
fn a_command_is_done_when_the_device_itself_reports_the_new_state() {
    let done = r#"{"status":"done","state":{"blinking":1}}"#;
    let sent = |name: &str| {
        let mut ward = Ward::new();
        let wish = Wish::SendCommand(command(&ward, name, false));
        assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
        ward
    };
    let mut ward = sent("identify");
    answers(&mut ward, MONITOR, CommandStatus::Running, "{}");
    assert_eq!(phase_of(&ward), Phase::Running);
    answers(&mut ward, MONITOR, CommandStatus::Done, done);
    assert_eq!(phase_of(&ward), Phase::Done);
    answers(&mut ward, MONITOR, CommandStatus::Failed, "{}");
    assert_eq!(phase_of(&ward), Phase::Done, "what is over stays over");

    let mut ward = sent("identify");
    answers(&mut ward, MONITOR, CommandStatus::Done, r#"{"status":"done"}"#);
    assert_eq!(phase_of(&ward), Phase::NotConfirmed);

    let mut ward = sent("identify");
    ward.move_in(1);
    answers(&mut ward, MONITOR + 1, CommandStatus::Done, done);
    assert_eq!(phase_of(&ward), Phase::Sent, "nobody answers for another");
    ward.wait_until(at(60.0));
    assert_eq!(phase_of(&ward), Phase::Expired);
    answers(&mut ward, MONITOR, CommandStatus::Done, done);
    assert_eq!(phase_of(&ward), Phase::Expired, "an answer after the end counts for nothing");
}

#[test]
fn an_answer_that_lay_as_a_dead_letter_takes_the_place_of_no_newer_one() {
    let mut ward = Ward::new();
    let wish = Wish::SendCommand(command(&ward, "identify", false));
    assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
    let sent_at = ward.now;
    ward.wait_until(sent_at.after(Duration::from_secs(5)));
    answers(&mut ward, MONITOR, CommandStatus::Running, "{}");
    let failed = |second| {
        let kept = sent_at.after(Duration::from_secs(second));
        answer(MONITOR, CommandStatus::Failed, "{}", Some(kept))
    };
    ward.happens(&failed(4));
    assert_eq!(phase_of(&ward), Phase::Running, "it said since that it runs");
    ward.happens(&failed(6));
    assert_eq!(phase_of(&ward), Phase::Failed);
}

#[test]
fn a_command_that_was_meant_for_one_patient_never_reaches_the_device_on_another() {
    let mut ward = Ward::new();
    ward.move_in(1);
    let wish = Wish::SendCommand(interval(&ward));
    assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
    ward.put_on(MONITOR, Some(ILSE + 1));
    assert_eq!(phase_of(&ward), Phase::Withdrawn);
}

/// `from` is when the line begins to hold, in seconds before it is written.
#[test]
fn a_line_withdraws_a_command_only_if_somebody_else_is_on_the_device_by_it() {
    let check = |name: &str, lines: &[(i32, Option<u128>)], want: Phase| {
        let mut ward = Ward::new();
        ward.move_in(1);
        // Ilse has been on it since 100 s, and nobody was before.
        ward.put_on(MONITOR, None);
        ward.wait_until(at(100.0));
        ward.put_on(MONITOR, Some(ILSE));
        ward.wait_until(at(200.0));
        let wish = Wish::SendCommand(interval(&ward));
        assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()), "{name}");
        for (ago, patient) in lines {
            ward.wait_until(ward.now.after(Duration::from_secs(1)));
            let known_at = ward.now;
            let from = known_at.before(Duration::from_secs(ago.unsigned_abs().into()));
            let value = patient.map_or(Subject::Nobody, |it| Subject::Patient(id(it)));
            ward.grant(Wish::Associate(Association { key: id(MONITOR), value, from, known_at }));
        }
        assert_eq!(phase_of(&ward), want, "{name}");
        let directory = ward.core.directory();
        let is_ilses = directory.subject_of(id(MONITOR)) == Subject::Patient(id(ILSE));
        assert!(is_ilses || want == Phase::Withdrawn, "{name}");
    };
    let (ilse, other) = (Some(ILSE), Some(ILSE + 1));
    let stays = Phase::WaitsForSecond;
    check("the same again, from now on", &[(0, ilse)], stays);
    check("the same again, dated back", &[(150, ilse)], stays);
    check("somebody else from now on", &[(0, other)], Phase::Withdrawn);
    check("nobody from now on", &[(0, None)], Phase::Withdrawn);
    check(
        "somebody else since, dated back behind the line that holds",
        &[(50, other)],
        Phase::Withdrawn,
    );
    check("somebody else, but before the line that holds", &[(150, other)], stays);
    check("nobody, but before the line that holds", &[(150, None)], stays);
    // At 201 s the line of 100 s is 101 s old: of two at one instant the later knowledge counts.
    check(
        "somebody else, at the very instant of the line that holds",
        &[(101, other)],
        Phase::Withdrawn,
    );
    check("somebody else, just before the line that holds", &[(102, other)], stays);
    check("the past is corrected twice", &[(150, other), (140, None)], stays);
    check(
        "a past that begins before and a present that ends it",
        &[(150, other), (0, ilse)],
        stays,
    );
    check(
        "what was withdrawn stays so when the patient is back",
        &[(0, other), (0, ilse)],
        Phase::Withdrawn,
    );
}

#[test]
fn a_command_may_reach_its_device_only_in_time_and_on_whom_it_was_meant_for() {
    let mut ward = Ward::new();
    ward.move_in(1);
    let wish = Wish::SendCommand(interval(&ward));
    assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
    let may = |ward: &Ward, later: u64| {
        let (directory, now) = (ward.core.directory(), ward.now.after(Duration::from_secs(later)));
        let state = &directory.commands[&id(COMMAND)];
        (directory.is_to_be_sent(state, now), directory.may_reach(state, now))
    };
    assert_eq!(may(&ward, 0), (false, true), "it waits for a second look");
    assert_eq!(asks(&mut ward, TOM, Wish::SecondCommand(id(COMMAND))), Ok(()));
    assert_eq!(may(&ward, 0), (true, true));
    assert_eq!(may(&ward, 60), (false, false), "over");
    answers(&mut ward, MONITOR, CommandStatus::Running, "{}");
    assert_eq!(may(&ward, 0), (false, true), "the device has it");
    // What has answered is not withdrawn, but nothing of it is sent to anybody else.
    ward.put_on(MONITOR, Some(ILSE + 1));
    assert_eq!(phase_of(&ward), Phase::Running);
    assert_eq!(may(&ward, 0), (false, false));
}

#[test]
fn of_each_device_the_latest_commands_are_kept() {
    use crate::limits::COMMANDS_OF_A_DEVICE_MAX;
    let mut ward = Ward::new();
    for number in 0..=COMMANDS_OF_A_DEVICE_MAX as u128 {
        ward.wait_until(at(number as f64));
        let command =
            DeviceCommand { id: id(COMMAND + number), ..command(&ward, "identify", false) };
        assert_eq!(asks(&mut ward, PRIYA, Wish::SendCommand(command)), Ok(()));
    }
    let directory = ward.core.directory();
    let kept = directory.commands_of(id(MONITOR));
    assert_eq!(kept.len(), COMMANDS_OF_A_DEVICE_MAX);
    assert!(kept.iter().all(|it| it.command.id != id(COMMAND)), "the oldest went");
}

fn ordered(ward: &mut Ward) {
    let lifecycle = Lifecycle::Ordered;
    let new = Device { lifecycle, care_unit: None, ..device(9, "oximeter") };
    ward.grant(Wish::PutDevice(new));
}

fn offer(ward: &Ward, hash: u8, seconds: u64) -> Wish {
    let expires_at = ward.now.after(Duration::from_secs(seconds));
    Wish::OfferClaim { device: id(MONITOR + 9), code_hash: [hash; 32], expires_at }
}

fn claim(hash: u8, subject: Subject) -> Wish {
    Wish::Claim { code_hash: [hash; 32], care_unit: Some(id(UNIT)), subject }
}

#[test]
fn a_code_puts_an_ordered_device_in_service_on_a_patient_once() {
    let mut ward = Ward::new();
    ordered(&mut ward);
    let wish = offer(&ward, 7, 600);
    ward.grant(wish);
    let on_ilse = Subject::Patient(id(ILSE));
    assert_eq!(asks(&mut ward, PRIYA, claim(8, on_ilse)), Err(Reason::NotFound));
    assert_eq!(asks(&mut ward, PRIYA, claim(7, on_ilse)), Ok(()));
    let directory = ward.core.directory();
    let device = &directory.devices[&id(MONITOR + 9)];
    assert_eq!((device.lifecycle, device.care_unit), (Lifecycle::InService, Some(id(UNIT))));
    assert_eq!(directory.subject_of(device.id), on_ilse);
    assert_eq!(asks(&mut ward, PRIYA, claim(7, on_ilse)), Err(Reason::NotFound), "used");
}

#[test]
fn a_code_has_an_end_and_a_newer_one_makes_it_worthless() {
    let mut ward = Ward::new();
    ordered(&mut ward);
    for (seconds, want) in [
        (0, Err(Reason::WrongTime)),
        (1, Ok(())),
        (30 * 86_400, Ok(())),
        (30 * 86_400 + 1, Err(Reason::WrongTime)),
    ] {
        let wish = offer(&ward, 1, seconds);
        assert_eq!(asks(&mut ward, PRIYA, wish), want, "{seconds} s");
    }
    let wish = offer(&ward, 2, 60);
    ward.grant(wish);
    assert_eq!(asks(&mut ward, PRIYA, claim(1, Subject::Nobody)), Err(Reason::NotFound));
    ward.wait_until(at(60.0));
    assert_eq!(asks(&mut ward, PRIYA, claim(2, Subject::Nobody)), Err(Reason::NotFound));
    let in_use = Wish::OfferClaim {
        device: id(MONITOR),
        code_hash: [3; 32],
        expires_at: ward.now.after(Duration::from_secs(60)),
    };
    assert_eq!(asks(&mut ward, PRIYA, in_use), Err(Reason::IllegalMove), "in service already");
}

#[test]
fn a_gateway_speaks_for_devices_and_no_gateway_has_a_gateway() {
    let mut ward = Ward::new();
    ward.move_in(1);
    ward.move_in(2);
    let bind = |ward: &Ward, child, gateway: Option<u128>| {
        let (from, known_at) = (ward.now, ward.now);
        let value = gateway.map(|it| id(MONITOR + it));
        Wish::Bind(Binding { key: id(MONITOR + child), value, from, known_at })
    };
    let check = |ward: &mut Ward, child, gateway, want| {
        let wish = bind(ward, child, gateway);
        assert_eq!(asks(ward, PRIYA, wish), want, "{child} to {gateway:?}");
    };
    check(&mut ward, 1, Some(1), Err(Reason::Unusable));
    check(&mut ward, 1, Some(9), Err(Reason::NotFound));
    check(&mut ward, 1, Some(0), Ok(()));
    check(&mut ward, 0, Some(2), Err(Reason::IllegalMove));
    check(&mut ward, 2, Some(1), Err(Reason::IllegalMove));
    let directory = ward.core.directory();
    assert_eq!(directory.gateway_of(id(MONITOR + 1)), Some(id(MONITOR)));
    assert_eq!(directory.bound_to(id(MONITOR)).collect::<Vec<_>>(), [id(MONITOR + 1)]);
    check(&mut ward, 1, None, Ok(()));
    assert_eq!(ward.core.directory().gateway_of(id(MONITOR + 1)), None);
    assert_eq!(ward.core.directory().bindings[&id(MONITOR + 1)].len(), 2, "as a history");
}

#[test]
fn a_configuration_waits_until_the_device_is_off_its_patient() {
    let mut ward = Ward::new();
    let config = |json: String| {
        Wish::Configure(DesiredConfig { device: id(MONITOR), version: "2".into(), json })
    };
    assert_eq!(asks(&mut ward, PRIYA, config("{}".into())), Err(Reason::IllegalMove));
    ward.put_on(MONITOR, None);
    // Blanks around a map count, too.
    let long = format!("{:>1$}", "{}", crate::limits::CONFIG_LEN_MAX);
    assert_eq!(asks(&mut ward, PRIYA, config(long.clone())), Ok(()));
    assert_eq!(asks(&mut ward, PRIYA, config(long + " ")), Err(Reason::Unusable));
}

#[test]
fn a_configuration_sets_only_what_the_devices_profile_says() {
    let mut ward = Ward::new();
    ward.put_on(MONITOR, None);
    ward.grant(Wish::PutDevice(device(9, "oximeter")));
    let mut check = |device: u128, json: &str, want: Result<(), &str>| {
        let (device, version) = (id(device), "2".to_owned());
        let wish = Wish::Configure(DesiredConfig { device, version, json: json.to_owned() });
        let found = ward.asks(Actor::User(id(PRIYA)), wish).map(drop);
        let want = want.map_err(|words| (Reason::Unusable, words.to_owned()));
        assert_eq!(found, want, "{json}");
    };
    check(MONITOR, r#"{"alarm_volume": 10, "night": true, "tone": "soft"}"#, Ok(()));
    let volume = "`alarm_volume` is 11; Alarm volume is a whole number from 1 to 10";
    check(MONITOR, r#"{"alarm_volume": 11}"#, Err(volume));
    check(MONITOR, "[1]", Err("the configuration is no map in JSON"));
    // A profile that names no settings leaves them to the device.
    check(MONITOR + 9, r#"{"led": {"colour": "green"}}"#, Ok(()));
    check(MONITOR + 9, "7", Err("the configuration is no map in JSON"));
}

#[test]
fn what_retires_a_device_revokes_its_certificates_and_its_life_says_why_and_by_whom() {
    let mut ward = Ward::new();
    ward.put_on(MONITOR, None);
    ward.grant(Wish::PutCertificate(model::Certificate {
        id: id(0x77),
        device: id(MONITOR),
        serial: vec![7],
        not_before: at(0.0),
        not_after: at(9_999.0),
        revoked_at: None,
        fingerprint: None,
    }));
    let retire = |why: Option<&str>| Wish::SetLifecycle {
        device: id(MONITOR),
        lifecycle: Lifecycle::Retired,
        why: why.map(str::to_owned),
    };
    assert_eq!(asks(&mut ward, PRIYA, retire(None)), Err(Reason::Unusable), "it needs a reason");
    ward.wait_until(at(5.0));
    assert_eq!(asks(&mut ward, PRIYA, retire(Some("fell down"))), Ok(()));
    let directory = ward.core.directory();
    assert_eq!(directory.certificates[&id(0x77)].revoked_at, Some(ward.now));
    assert_eq!(directory.revoked_serials().count(), 1);
    // The rows are those of a start from the journal, too.
    let (_, out) = ward.restarted(None, &ward.log);
    let life: Vec<_> = out
        .rows
        .iter()
        .filter_map(|row| match &row.noun {
            Noun::DeviceLife(it) => Some((it.what.as_str(), it.detail.as_str(), it.by)),
            _ => None,
        })
        .collect();
    assert_eq!(
        life,
        [
            ("registered", "Monitor 0", Actor::System),
            ("put_on_patient", "", Actor::System),
            ("taken_off", "", Actor::System),
            ("certificate_issued", "07", Actor::System),
            ("retired", "fell down", Actor::User(id(PRIYA))),
        ]
    );
}

#[test]
fn commands_claims_and_gateways_survive_a_restart_from_a_checkpoint_and_from_nothing() {
    let mut ward = Ward::new();
    ward.move_in(1);
    ordered(&mut ward);
    let wish = offer(&ward, 7, 600);
    ward.grant(wish);
    let (from, known_at) = (ward.now, ward.now);
    let value = Some(id(MONITOR));
    ward.grant(Wish::Bind(Binding { key: id(MONITOR + 1), value, from, known_at }));
    let wish = Wish::SendCommand(interval(&ward));
    assert_eq!(asks(&mut ward, PRIYA, wish), Ok(()));
    assert_eq!(asks(&mut ward, TOM, Wish::SecondCommand(id(COMMAND))), Ok(()));
    let checkpoint = ward.core.checkpoint();
    let done = r#"{"status":"done","state":{"interval_min":15}}"#;
    answers(&mut ward, MONITOR, CommandStatus::Done, done);
    ward.settle();
    for checkpoint in [None, Some(&checkpoint[..])] {
        let (core, _) = ward.restarted(checkpoint, &ward.log);
        assert_eq!(
            core.directory(),
            ward.core.directory(),
            "from {:?}",
            checkpoint.map(<[u8]>::len)
        );
    }
    assert_eq!(phase_of(&ward), Phase::Done);
}
