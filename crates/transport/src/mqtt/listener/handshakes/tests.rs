//! Who gets a place, in which order, and who gives way.

use std::time::Duration;

use super::*;

fn at(second: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(second))
}

fn lobby(places: usize) -> Lobby {
    Handshakes::new(places).lobby.into_inner().unwrap()
}

impl Lobby {
    /// A guest from `192.0.2.<host>`, which says nothing yet.
    fn comes(&mut self, number: u64, host: u8) {
        self.enter(number, SocketAddr::from(([192, 0, 2, host], 4_000)));
    }

    /// One that has begun.
    fn begins(&mut self, number: u64, host: u8, second: u64) -> Asked {
        self.comes(number, host);
        self.ask(number, at(second))
    }

    fn has_places(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.shaking.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn is_empty(&self) -> bool {
        let Self { guests, crowds, waiting, shaking, .. } = self;
        guests.is_empty() && crowds.is_empty() && waiting.is_empty() && shaking.is_empty()
    }
}

#[test]
fn whoever_says_nothing_takes_no_place() {
    let mut lobby = lobby(1);
    (1..=100).for_each(|number| lobby.comes(number, 1));
    assert!(matches!(lobby.begins(101, 1, 0), Asked::Granted));
    assert!(matches!(lobby.begins(102, 1, 0), Asked::Waits(_)));
    assert!((1..=102).all(|number| lobby.leave(number, at(1))));
    assert!(!lobby.leave(7, at(1)), "it had left before");
    assert!(lobby.is_empty());
}

#[test]
fn places_go_to_addresses_in_turn_and_within_one_to_whoever_came_first() {
    let mut lobby = lobby(1);
    // Five of one address, two of another, one of a third.
    let hosts = [1, 1, 1, 1, 1, 2, 2, 3];
    for (number, host) in (1..).zip(hosts) {
        let _ = lobby.begins(number, host, 0);
    }
    let mut order = Vec::new();
    while let [number] = lobby.has_places()[..] {
        order.push(number);
        lobby.leave(number, at(1));
    }
    assert_eq!(order, [1, 6, 8, 2, 7, 3, 4, 5]);
    assert!(lobby.is_empty());
}

#[test]
fn the_longest_handshake_gives_way_once_it_has_had_its_time_and_only_to_somebody() {
    let mut lobby = lobby(2);
    assert!(matches!(lobby.begins(1, 1, 0), Asked::Granted));
    assert!(matches!(lobby.begins(2, 1, 5), Asked::Granted));
    assert_eq!(lobby.longest_awaited(), None, "nobody waits");
    let Asked::Waits(mut granted) = lobby.begins(3, 2, 6) else {
        unreachable!("there is no place")
    };
    assert_eq!(lobby.longest_awaited(), Some(at(0)));
    assert!(granted.try_recv().is_err());
    assert!(lobby.give_way(at(0), at(7)).is_some());
    assert_eq!((granted.try_recv(), lobby.has_places()), (Ok(()), vec![2, 3]));
    let _waits = lobby.begins(4, 2, 8);
    // What was due is over by itself meanwhile, and nobody else is due yet.
    assert!(lobby.give_way(at(4), at(8)).is_none());
    assert!(!lobby.leave(1, at(8)), "it was put out");
}

#[test]
fn a_guest_that_leaves_while_it_waits_is_passed_over() {
    let mut lobby = lobby(1);
    let _ = lobby.begins(1, 1, 0);
    let _first = lobby.begins(2, 1, 0);
    let Asked::Waits(mut granted) = lobby.begins(3, 1, 0) else {
        unreachable!("there is no place")
    };
    assert!(lobby.leave(2, at(1)));
    assert!(lobby.leave(1, at(1)));
    assert_eq!((granted.try_recv(), lobby.has_places()), (Ok(()), vec![3]));
}

#[test]
fn in_a_full_house_the_largest_crowd_makes_room_for_others_and_the_silent_for_anybody() {
    // Stages of the guests of address 1 in their order, who is put out for a newcomer from
    // address 1 and from address 2: place, waiting, silent.
    for (stages, for_own, for_other) in [
        ("psws", Some(2), Some(2)),
        ("pwsw", Some(3), Some(2)),
        ("pww", None, Some(2)),
        ("p", None, None),
    ] {
        for (host, want) in [(1, for_own), (2, for_other)] {
            let mut lobby = lobby(1);
            let mut kept = Vec::new();
            for (number, stage) in (1..).zip(stages.chars()) {
                match stage {
                    's' => lobby.comes(number, 1),
                    _ => kept.push(lobby.begins(number, 1, 0)),
                }
            }
            let before: BTreeSet<u64> = lobby.guests.keys().copied().collect();
            let put_out = lobby.make_room(IpAddr::from([192, 0, 2, host])).is_some();
            let gone = before.into_iter().find(|number| !lobby.guests.contains_key(number));
            assert_eq!((gone, put_out), (want, want.is_some()), "{stages} for address {host}");
        }
    }
    assert!(lobby(1).make_room(IpAddr::from([192, 0, 2, 1])).is_none(), "nobody is there");
}

#[test]
fn an_address_of_version_6_counts_with_its_network() {
    let counted = |text: &str| counted_as(text.parse().unwrap()).to_string();
    assert_eq!(counted("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(counted("2001:db8::1"), "2001:db8::");
    assert_eq!(counted("2001:db8:0:1:ffff::1"), "2001:db8:0:1::");
}
