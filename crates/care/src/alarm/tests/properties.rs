//! What holds for every script, every rule and every restart.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{inspector::inspect, twin::Twin, *};

const END: u64 = 40;

fn any_script() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let level =
        prop_oneof![Just(90), Just(CLEARS_AT), Just(125), Just(LIMIT), Just(140), Just(141)];
    let (reads, late) =
        (level.clone().prop_map(Reads), (1_u64..12, level).prop_map(|(age, rate)| Late(age, rate)));
    let person = prop_oneof![
        3 => Just(Ack), 2 => (0_u64..9).prop_map(AckFor), 1 => Just(Dismiss), 1 => Just(Replace)
    ];
    let step = prop_oneof![8 => reads, 1 => late, 1 => Just(LeadOff), 3 => person];
    prop::collection::vec((0..=END, step), 0..24)
}

prop_compose! {
    fn any_rule()(
        latching: bool,
        [delay, quiet_for_max, age] in [0_u64..6, 0_u64..9, 0_u64..9],
        spans in prop::collection::vec(1_u64..6, 0..4),
    ) -> Rule {
        let [delay, quiet_for_max, max_age] = [delay, quiet_for_max, age + 3].map(secs);
        let escalate_after = spans.into_iter().map(secs).collect();
        Rule { latching, delay, quiet_for_max, max_age, escalate_after, ..rule() }
    }
}

fn changes(journal: &[Entry]) -> Vec<Transition> {
    let changed = |entry: &Entry| if let Entry::Changed(step) = entry { Some(*step) } else { None };
    journal.iter().filter_map(changed).collect()
}

/// The changes as a machine that never slept would have journalled them: every
/// step that was passed over stands at the instant at which it was due.
fn unfolded(rule: &Rule, journal: &[Entry]) -> Vec<Transition> {
    let mut all = Vec::new();
    for Transition { at, change } in changes(journal) {
        let Change::Escalated { step, passed } = change else {
            all.push(Transition { at, change });
            continue;
        };
        for step in (step - passed).max(1)..=step {
            let later = rule.escalate_after[usize::from(step)..usize::from(change_step(change))]
                .iter()
                .sum::<Duration>();
            let change = Change::Escalated { step, passed: 0 };
            all.push(Transition { at: at.before(later), change });
        }
    }
    all.sort_by_key(|step| step.at);
    all
}

fn change_step(change: Change) -> u8 {
    if let Change::Escalated { step, .. } = change { step } else { 0 }
}

/// A script in which nothing reaches the program from `from` until `to`: devices
/// keep their readings and send them late, and people wait.
fn held_back(script: &[(u64, Step)], from: u64, to: u64) -> Vec<(u64, Step)> {
    let moved = |(at, step): &(u64, Step)| match *step {
        _ if !(from..to).contains(at) => (*at, *step),
        Reads(rate) => (to, Late(to - at, rate)),
        Late(age, rate) => (to, Late(to - at + age, rate)),
        LeadOff | Ack | AckFor(_) | Dismiss | Replace => (to, *step),
    };
    script.iter().map(moved).collect()
}

proptest! {
    #[test]
    fn agrees_with_its_twin(rule in any_rule(), script in any_script()) {
        let (row, ward) = play(&rule, &inputs(&high_rate(), &script), END, 1);
        let (want, _) = Twin::row(&rule, &script, END);
        prop_assert_eq!(row, want);
        prop_assert_eq!(State::restore(&ward.state.snapshot()), ward.state);
    }

    #[test]
    fn calls_whom_its_twin_calls(rule in any_rule(), script in any_script()) {
        // A call that is answered within its second is not made at all.
        let answered = |at| script.iter().any(|(when, step)| *when == at && !matches!(step, Reads(_) | Late(..) | LeadOff));
        let (_, ward) = play(&rule, &inputs(&high_rate(), &script), END, 1);
        let (_, want) = Twin::row(&rule, &script, END);
        let calls = ward.calls.iter().map(|(at, step, _)| (*at, usize::from(*step)));
        let undisturbed = |(at, _): &(u64, usize)| !answered(*at);
        // Evidence can end an alarm in the second in which it climbs: the twin called a moment before.
        let heard: BTreeSet<_> = calls.filter(undisturbed).collect();
        let expected: BTreeSet<_> = want.into_iter().filter(undisturbed).collect();
        prop_assert!(heard.is_subset(&expected), "{:?} / {:?}", heard, expected);
        let row: Vec<char> = play(&rule, &inputs(&high_rate(), &script), END, 1).0.chars().collect();
        for call in expected.difference(&heard) {
            prop_assert_eq!(row[call.0 as usize], '.', "{:?} was called by nobody", call);
        }
    }

    #[test]
    fn waking_late_changes_nothing_but_lateness(rule in any_rule(), script in any_script(), nap in 2_u64..END) {
        let played = |nap| play(&rule, &inputs(&high_rate(), &script), END, nap).1;
        // At the end everybody is awake, so that both have met every deadline.
        let [mut punctual, mut late] = [played(1), played(nap)];
        for ward in [&mut punctual, &mut late] {
            ward.take(END, Input::Tick);
        }
        prop_assert_eq!(punctual.state, late.state);
        prop_assert_eq!(unfolded(&rule, &punctual.journal), unfolded(&rule, &late.journal));
        // One waking moment makes one call at most, for the highest step.
        let moments: BTreeSet<_> = late.calls.iter().map(|(at, ..)| *at).collect();
        let inputs_of = |at: u64| 1 + script.iter().filter(|(when, _)| *when == at).count();
        for at in moments {
            let calls = late.calls.iter().filter(|call| call.0 == at).count();
            prop_assert!(calls <= inputs_of(at), "{} calls in second {}", calls, at);
        }
    }

    #[test]
    fn replay_rebuilds_the_live_state(rule in any_rule(), script in any_script()) {
        let (_, ward) = play(&rule, &inputs(&high_rate(), &script), END, 1);
        prop_assert_eq!(replay(&rule, State::default(), &ward.journal), ward.state);
        // Facts and decisions write different fields, so only the order within each matters.
        let (facts, decisions): (Vec<_>, Vec<_>) =
            ward.journal.iter().partition(|entry| matches!(entry, Entry::Happened(_)));
        let apart = replay(&rule, replay(&rule, State::default(), &facts), &decisions);
        prop_assert_eq!(apart, ward.state);
    }

    #[test]
    fn a_restart_at_any_second_changes_nothing(
        rule in any_rule(),
        script in any_script(),
        saves in prop::collection::btree_set(0..=END, 0..6),
        restarts in prop::collection::btree_set(0..=END, 0..6),
    ) {
        let script = inputs(&high_rate(), &script);
        let (row, without) = play(&rule, &script, END, 1);
        let (mut with, mut seen) = (Ward::new(&rule), String::new());
        for at in 0..=END {
            if saves.contains(&at) {
                with.save();
            }
            if restarts.contains(&at) {
                with.restart();
            }
            with.second(at, true, &script);
            seen.push(with.seen());
        }
        prop_assert_eq!(seen, row);
        prop_assert_eq!(with.journal, without.journal);
        prop_assert_eq!(with.calls, without.calls);
        prop_assert_eq!(with.state, without.state);
    }

    #[test]
    fn after_an_outage_the_ward_sees_what_it_would_have_seen(
        rule in any_rule(), script in any_script(), from in 0..END, lasts in 1_u64..12,
    ) {
        let up = (from + lasts).min(END);
        let script = held_back(&script, from, up);
        let (want, _) = Twin::row(&rule, &script, END);
        let script = inputs(&high_rate(), &script);
        let (mut ward, mut seen) = (Ward::new(&rule), String::new());
        for at in 0..=END {
            if (from..up).contains(&at) {
                seen.extend(want.chars().nth(at as usize)); // Nobody looks.
                continue;
            }
            if at == up {
                ward.restart();
            }
            ward.second(at, true, &script);
            seen.push(ward.seen());
        }
        prop_assert_eq!(seen, want);
    }

    #[test]
    fn no_alarm_changes_without_a_right_to(rule in any_rule(), script in any_script(), nap in 1_u64..9) {
        let (_, ward) = play(&rule, &inputs(&high_rate(), &script), END, nap);
        let stands = matches!(ward.state.phase(), Phase::Active { .. } | Phase::Acknowledged { .. });
        prop_assert_eq!(inspect(&rule, &ward.journal), stands);
        prop_assert_eq!(ward.state.raised_at().is_some(), stands);
    }

    #[test]
    fn the_next_deadline_is_when_something_changes(rule in any_rule(), script in any_script()) {
        let (_, ward) = play(&rule, &inputs(&high_rate(), &script), END, 1);
        let records = |at| {
            let effects = decide(&rule, &ward.state, &Input::Tick, at);
            effects.iter().any(|effect| matches!(effect, Effect::Record(_)))
        };
        if let Some(due) = ward.state.next_deadline(&rule) {
            prop_assert!(records(due) && !records(due.before(Duration::from_nanos(1))));
        } else {
            prop_assert!(!records(Timestamp::from_unix_nanos(i64::MAX)));
        }
    }
}

/// Every interleaving of five events, one a second, with a restart before each:
/// what chance may miss, counting does not.
#[test]
fn all_short_interleavings_with_restarts_agree_with_the_twin() {
    let events = [
        None,
        Some(Reads(140)),
        Some(Reads(125)),
        Some(Reads(90)),
        Some(LeadOff),
        Some(Ack),
        Some(Dismiss),
    ];
    let rules = [(false, 0, 3), (true, 0, 3), (false, 2, 4), (true, 1, 2)].map(
        |(latching, delay, max_age)| {
            let [delay, quiet_for_max, max_age] = [delay, 2, max_age].map(secs);
            let escalate_after = vec![secs(1), secs(2)];
            Rule { latching, delay, quiet_for_max, escalate_after, max_age, ..rule() }
        },
    );
    let (length, end) = (5_u32, 9);
    for number in 0..events.len().pow(length) {
        let nth = |second: u32| events[number / events.len().pow(second) % events.len()];
        let script: Vec<_> = (0..length).filter_map(|at| Some((u64::from(at), nth(at)?))).collect();
        let played = inputs(&high_rate(), &script);
        for rule in &rules {
            let (want, _) = Twin::row(rule, &script, end);
            let mut ward = Ward::new(rule);
            let second = |at| {
                ward.restart();
                ward.second(at, true, &played);
                ward.seen()
            };
            let row: String = (0..=end).map(second).collect();
            assert_eq!(row, want, "{rule:?}, {script:?}");
            inspect(rule, &ward.journal);
        }
    }
}
