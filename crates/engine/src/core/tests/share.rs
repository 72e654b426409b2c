//! A patient's own page, shared with somebody they named.

use std::time::Duration;

use ::record::Session;
use model::{Role, Share};
use store::Noun;

use super::*;
use crate::limits::{SHARE_LASTS_MAX, SHARES_EVER_OF_A_PATIENT_MAX, SHARES_OF_A_PATIENT_MAX};

/// The login of the ward's patient.
const OWN: u128 = 0x800;

fn own_login() -> User {
    User {
        id: id(OWN),
        org: id(1),
        login: "ilse".to_owned(),
        role: Role::Patient,
        staff: None,
        password_hash: None,
        patient: Some(id(ILSE)),
        disabled: false,
    }
}

impl Ward {
    fn with_own_login() -> Self {
        let mut ward = Self::new();
        ward.wait_until(at(100.0));
        ward.grant(Wish::PutUser(own_login()));
        ward
    }

    fn shared(&self, number: u128, lasts: Duration) -> Share {
        let until = self.now.after(lasts);
        Share {
            user: id(number),
            patient: id(ILSE),
            login: format!("anna-{number:x}"),
            name: Redacted("Anna".to_owned()),
            token_hash: [7; 32],
            link_until: until,
            until,
        }
    }
}

#[test]
fn a_share_holds_until_its_day_or_until_it_is_taken_back() {
    let mut ward = Ward::with_own_login();
    let share = ward.shared(0x900, Duration::from_secs(3_600));
    let until = share.until;
    assert_eq!(ward.tries(OWN, Wish::Share(share.clone())), Ok(()));
    let reads = |ward: &Ward, now| ward.core.directory().shares_with(id(0x900), now);
    for (now, want) in [
        (ward.now, Some(id(ILSE))),
        (until.before(Duration::from_nanos(1)), Some(id(ILSE))),
        (until, None),
        (until.after(Duration::from_nanos(1)), None),
    ] {
        assert_eq!(reads(&ward, now), want, "{now:?}");
    }
    assert!(ward.core.directory().invitation(&[7; 32], ward.now).is_some());
    ward.rebuilds();
    assert_eq!(ward.tries(PRIYA, Wish::EndShare(id(0x900))), Err(Reason::NotFound));
    assert_eq!(ward.tries(OWN, Wish::EndShare(id(0x900))), Ok(()));
    assert_eq!(reads(&ward, ward.now), None);
    let directory = ward.core.directory();
    assert!(directory.invitation(&[7; 32], ward.now).is_none(), "its link is worth nothing");
    assert!(directory.users.get(&id(0x900)).is_some_and(|user| user.disabled));
    assert_eq!(ward.tries(OWN, Wish::EndShare(id(0x900))), Err(Reason::IllegalMove));
    ward.rebuilds();
}

#[test]
fn a_share_is_refused_with_its_reason() {
    let hour = Duration::from_secs(3_600);
    let tick = Duration::from_nanos(1);
    let mut ward = Ward::with_own_login();
    let fine = ward.shared(0x900, hour);
    let named = |name: &str| Share { name: Redacted(name.to_owned()), ..fine.clone() };
    let of = |patient: u128| Share { patient: id(patient), ..fine.clone() };
    let lasting = |ward: &Ward, lasts| ward.shared(0x901, lasts);
    let cases = [
        (PRIYA, fine.clone(), Err(Reason::NotAllowed)),
        (OWN, of(0x2ff), Err(Reason::NotFound)),
        (OWN, named(" "), Err(Reason::Unusable)),
        (OWN, named("\u{202e}"), Err(Reason::Unusable)),
        (OWN, Share { login: "priya".into(), ..fine.clone() }, Err(Reason::NotUnique)),
        (OWN, Share { login: "An Na".into(), ..fine.clone() }, Err(Reason::Unusable)),
        (OWN, Share { user: id(PRIYA), ..fine.clone() }, Err(Reason::NotUnique)),
        (OWN, Share { link_until: fine.until.after(tick), ..fine.clone() }, Err(Reason::WrongTime)),
        (OWN, lasting(&ward, Duration::ZERO), Err(Reason::WrongTime)),
        (OWN, lasting(&ward, SHARE_LASTS_MAX.saturating_add(hour)), Err(Reason::WrongTime)),
        (OWN, lasting(&ward, SHARE_LASTS_MAX), Ok(())),
    ];
    for (who, share, want) in cases {
        let shown = format!("{who:x} {share:?}");
        assert_eq!(ward.tries(who, Wish::Share(share)), want, "{shown}");
    }
}

#[test]
fn a_patient_shares_with_so_many_and_no_more_at_a_time() {
    let mut ward = Ward::with_own_login();
    let most = u128::try_from(SHARES_OF_A_PATIENT_MAX).unwrap();
    for n in 0..=most {
        let share = ward.shared(0x900 + n, Duration::from_secs(3_600));
        let want = if n < most { Ok(()) } else { Err(Reason::NotAllowed) };
        assert_eq!(ward.tries(OWN, Wish::Share(share)), want, "{n}");
    }
    assert_eq!(ward.tries(OWN, Wish::EndShare(id(0x900))), Ok(()));
    let share = ward.shared(0x900 + most, Duration::from_secs(3_600));
    assert_eq!(ward.tries(OWN, Wish::Share(share)), Ok(()));
}

#[test]
fn a_patient_makes_so_many_shares_and_no_more_however_soon_they_end() {
    let mut ward = Ward::with_own_login();
    let most = u128::try_from(SHARES_EVER_OF_A_PATIENT_MAX).unwrap();
    for n in 0..most {
        let share = ward.shared(0x900 + n, Duration::from_secs(3_600));
        assert_eq!(ward.tries(OWN, Wish::Share(share)), Ok(()), "{n}");
        assert_eq!(ward.tries(OWN, Wish::EndShare(id(0x900 + n))), Ok(()), "{n}");
    }
    let share = ward.shared(0x900 + most, Duration::from_secs(3_600));
    let (reason, words) = ward.asks(Actor::User(id(OWN)), Wish::Share(share)).unwrap_err();
    assert_eq!(reason, Reason::NotAllowed);
    assert!(words.contains("ask the ward"), "{words}");
    assert_eq!(ward.core.directory().shares.len(), SHARES_EVER_OF_A_PATIENT_MAX);
}

#[test]
fn whoever_loses_the_own_login_lets_nobody_else_read_the_page() {
    let other = User { patient: Some(id(ILSE + 1)), ..own_login() };
    let nobody = User { role: Role::Nurse, patient: None, ..own_login() };
    for changed in [User { disabled: true, ..own_login() }, other, nobody] {
        let mut ward = Ward::with_own_login();
        ward.grant(Wish::PutPatient(patient(1)));
        for n in [0x900, 0x901] {
            let share = ward.shared(n, Duration::from_secs(3_600));
            assert_eq!(ward.tries(OWN, Wish::Share(share)), Ok(()));
        }
        let expires_at = ward.now.after(Duration::from_secs(3_600));
        let (user, token_hash) = (id(0x900), [9; 32]);
        let opened_at = ward.now;
        let session = Session { id: id(0xa00), user, token_hash, opened_at, expires_at };
        ward.grant(Wish::OpenSession(session));
        // Other words about the login change nothing.
        ward.grant(Wish::PutUser(User { login: "ilse-b".to_owned(), ..own_login() }));
        let now = ward.now;
        assert_eq!(ward.core.directory().shares_of(id(ILSE), now).count(), 2);
        ward.grant(Wish::PutUser(changed.clone()));
        let directory = ward.core.directory();
        assert_eq!(directory.shares_of(id(ILSE), now).count(), 0, "{changed:?}");
        for n in [0x900, 0x901] {
            assert_eq!(directory.shares_with(id(n), now), None);
            assert!(directory.users.get(&id(n)).is_some_and(|user| user.disabled));
        }
        assert!(directory.sessions.values().all(|it| it.user != user), "signed out");
        assert!(directory.invitation(&[7; 32], now).is_none(), "the link is worth nothing");
        // A wish that was on its way is too late.
        let late = ward.shared(0x902, Duration::from_secs(3_600));
        assert_eq!(ward.tries(OWN, Wish::Share(late)), Err(Reason::NotAllowed));
        // Opening the login again shares nothing.
        ward.grant(Wish::PutUser(own_login()));
        assert_eq!(ward.core.directory().shares_of(id(ILSE), now).count(), 0);
        ward.rebuilds();
        let (_, out) = ward.restarted(None, &ward.log);
        for n in [0x900, 0x901] {
            let shut =
                |noun: &Noun| matches!(noun, Noun::User(it) if it.id == id(n) && it.disabled);
            assert!(out.rows.iter().any(|row| shut(&row.noun)), "the records know it");
        }
    }
}

#[test]
fn nobody_becomes_family_without_a_share_or_something_else_by_one() {
    let mut ward = Ward::with_own_login();
    let made = |role, number: u128, login: &str| User {
        id: id(number),
        org: id(1),
        login: login.to_owned(),
        role,
        staff: None,
        password_hash: None,
        patient: Some(id(ILSE)),
        disabled: false,
    };
    let put = |ward: &mut Ward, user| ward.tries(TOM, Wish::PutUser(user));
    assert_eq!(put(&mut ward, made(Role::Family, 0x950, "x")), Err(Reason::Unusable));
    assert_eq!(put(&mut ward, made(Role::Family, OWN, "ilse")), Err(Reason::Unusable));
    let share = ward.shared(0x900, Duration::from_secs(3_600));
    let login = share.login.clone();
    assert_eq!(ward.tries(OWN, Wish::Share(share)), Ok(()));
    assert_eq!(put(&mut ward, made(Role::Patient, 0x900, &login)), Err(Reason::Unusable));
    let other = User { patient: Some(id(0x2ff)), ..made(Role::Family, 0x900, &login) };
    assert_eq!(put(&mut ward, other), Err(Reason::NotFound));
    // Shutting it is another matter.
    let shut = User { disabled: true, ..made(Role::Family, 0x900, &login) };
    assert_eq!(put(&mut ward, shut), Ok(()));
    assert_eq!(ward.core.directory().user_of_patient(id(ILSE)).map(|it| it.id), Some(id(OWN)));
}
