//! Counted together, bounded, and never one sender at the cost of another.

use model::{Id, Kind};

use super::*;

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0000 | tail).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_nanos((1_700_000_000 + second) * 1_000_000_000)
}

fn of(device: u128, reason: &str) -> Incident {
    Incident {
        door: "mqtt",
        remote: Some(([10, 0, 0, 7], 50_000).into()),
        device: Some(id(device)),
        serial: Some(vec![1, 2]),
        fingerprint: None,
        subject: None,
        reason: reason.to_owned(),
        words: "found".to_owned(),
    }
}

fn stranger(ip: [u8; 4], port: u16) -> Incident {
    Incident { remote: Some((ip, port).into()), device: None, serial: None, ..of(0, "tls:not_tls") }
}

#[test]
fn the_first_is_journalled_at_once_and_the_next_ones_together_a_minute_later() {
    let refusals = Refusals::default();
    let first = refusals.note(at(0), of(7, "mqtt:client_id")).unwrap();
    assert_eq!((first.count, first.first_at, first.last_at), (1, at(0), at(0)));
    for second in 1..60 {
        assert_eq!(refusals.note(at(second), of(7, "mqtt:client_id")), None, "at {second}");
    }
    let later = refusals.note(at(60), of(7, "mqtt:client_id")).unwrap();
    assert_eq!((later.count, later.first_at, later.last_at), (60, at(1), at(60)));
    let all = refusals.all();
    assert_eq!((all.len(), all[0].count, all[0].first_at), (1, 61, at(0)));
    // Another reason of the same device is another entry, and is journalled at once.
    assert!(refusals.note(at(61), of(7, "mqtt:will")).is_some());
    assert_eq!(refusals.all()[0].reason, "mqtt:will", "the latest is first");
}

#[test]
fn what_was_journalled_is_what_is_known_after_a_restart() {
    let before = Refusals::default();
    let mut journal = Vec::new();
    let subject = Some("CN=bed 7".to_owned());
    for second in 0..=120 {
        let seen = Incident { subject: subject.clone(), ..of(7, "tls:revoked") };
        journal.extend(before.note(at(second), seen));
    }
    let after = Refusals::default();
    journal.iter().for_each(|record| after.recall(record));
    assert_eq!(after.all(), before.all());
    assert_eq!(after.all()[0].subject, subject);
    // And it goes on counting from there, without journalling more than one a minute.
    assert_eq!(after.note(at(121), of(7, "tls:revoked")), None);
    assert_eq!(after.all()[0].count, 122);
}

#[test]
fn strangers_are_one_for_each_address_and_never_push_out_a_device() {
    let refusals = Refusals::default();
    refusals.note(at(0), of(7, "device:quarantined"));
    for port in 0..1_000 {
        refusals.note(at(1), stranger([10, 0, 0, 9], port));
    }
    assert_eq!(refusals.all().len(), 2, "one address is one stranger, whatever its port");
    for host in 0..u32::try_from(REFUSALS_OF_STRANGERS_MAX).unwrap() + 9 {
        let [_, _, high, low] = host.to_be_bytes();
        refusals.note(at(2 + i64::from(host)), stranger([10, 1, high, low], 1));
    }
    let all = refusals.all();
    assert_eq!(all.len(), REFUSALS_OF_STRANGERS_MAX + 1);
    assert!(all.iter().any(|it| it.reason == "device:quarantined"));
}

#[test]
fn a_certificate_that_was_not_taken_counts_as_itself_and_not_as_the_device_it_names() {
    let refusals = Refusals::default();
    for fingerprint in 0..REFUSALS_OF_STRANGERS_MAX + 1 {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&fingerprint.to_be_bytes());
        refusals.note(at(0), Incident { fingerprint: Some(bytes), ..of(7, "tls:foreign") });
    }
    let all = refusals.all();
    assert_eq!(all.len(), REFUSALS_OF_STRANGERS_MAX);
    assert!(all.iter().all(|it| it.device == Some(id(7))), "what it claims is shown");
}

#[test]
fn devices_have_a_bound_of_their_own_and_the_longest_unheard_goes() {
    let refusals = Refusals::default();
    let max = u128::try_from(REFUSALS_OF_DEVICES_MAX).unwrap();
    for device in 0..=max {
        refusals.note(at(i64::try_from(device).unwrap()), of(device, "mqtt:will"));
    }
    let all = refusals.all();
    assert_eq!(all.len(), REFUSALS_OF_DEVICES_MAX);
    assert!(all.iter().all(|it| it.device != Some(id(0))));
}

#[test]
fn a_storm_of_strangers_is_journalled_only_so_often() {
    let refusals = Refusals::default();
    let at = Timestamp::from_unix_millis(1_700_000_040_000); // A whole minute.
    let written = |at, host: u32| {
        let [_, _, high, low] = host.to_be_bytes();
        refusals.note(at, stranger([10, 2, high, low], 1)).is_some()
    };
    let max = STRANGERS_WRITTEN_PER_MINUTE_MAX;
    assert!((0..max).all(|host| written(at, host)));
    assert!(!(max..max + 50).any(|host| written(at, host)));
    assert!(written(at.after(Duration::from_secs(60)), max + 50));
}

#[test]
fn every_refusal_of_a_connection_has_a_word_of_its_own_and_says_what_to_do() {
    let all = [
        RefusedWhy::NoCertificate,
        RefusedWhy::Expired,
        RefusedWhy::ForeignAuthority,
        RefusedWhy::Revoked,
        RefusedWhy::BadCertificate,
        RefusedWhy::NotTls,
        RefusedWhy::RefusedUs,
        RefusedWhy::HandshakeTooSlow,
        RefusedWhy::TooMany,
        RefusedWhy::ConnectTooSlow,
        RefusedWhy::UnknownDevice,
        RefusedWhy::Quarantined,
        RefusedWhy::Retired,
        RefusedWhy::NotReady,
        RefusedWhy::ClientId,
        RefusedWhy::Will,
        RefusedWhy::Filter,
        RefusedWhy::TooManySessions,
        RefusedWhy::QueueFull,
        RefusedWhy::QueuesFull,
        RefusedWhy::PutOut,
        RefusedWhy::Protocol("x"),
    ];
    let general = remedy("nothing that is known");
    let mut words: Vec<_> = all.iter().map(|why| of_connection(at(0), *why, None).0).collect();
    assert!(words.iter().all(|word| remedy(word) != general), "{words:?}");
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), all.len());
}

#[test]
fn a_certificate_says_since_when_it_has_ended_and_until_when_it_has_not_begun() {
    let facts = |from, to| CertificateFacts {
        serial: vec![1],
        not_before: at(from),
        not_after: at(to),
        claims: None,
        subject: String::new(),
    };
    let check = |from, to, want: (&str, &str)| {
        let (reason, words) = of_connection(at(0), RefusedWhy::Expired, Some(&facts(from, to)));
        assert_eq!((reason, words.as_str()), want);
    };
    check(-9, -3 * 86_400, ("tls:expired", "its certificate ended 3 days ago"));
    check(7_200, 9_999, ("tls:not_yet", "its certificate begins only in 2 hours"));
}

#[test]
fn a_clock_is_off_by_so_many_of_the_largest_unit() {
    let check = |nanos, want: &str| assert_eq!(clock_off(id(7), nanos).words, want);
    let year = 365 * 86_400 * 1_000_000_000_i64;
    check(-3 * year - 5, "its clock is 3 years behind ours, so its own times are not used");
    check(61_000_000_000, "its clock is 1 minute ahead of ours, so its own times are not used");
}

use security::CertificateFacts;
