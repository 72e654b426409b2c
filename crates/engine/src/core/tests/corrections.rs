//! What people say of stored readings: what may be said, and what follows it at present.

use model::{Amendment, Correction, CorrectionReason};

use super::*;

const HOSPITAL: u128 = 1;

fn of_pulse(number: u128, (from, to): (Timestamp, Timestamp), amendment: Amendment) -> Correction {
    Correction {
        id: id(number),
        org: id(HOSPITAL),
        device: id(MONITOR),
        channel: channel_of(Vital::HeartRate),
        from,
        to,
        amendment,
        why: CorrectionReason::WrongPatient,
        words: Redacted(String::new()),
    }
}

fn one(second: f64) -> (Timestamp, Timestamp) {
    (at(second), Timestamp::from_unix_nanos(at(second).unix_nanos() + 1))
}

fn span(from: f64, to: f64) -> (Timestamp, Timestamp) {
    (at(from), at(to))
}

fn to(per_min: i64) -> Amendment {
    Amendment::Replace { mantissa: per_min, exp10: 0, ucum: Ucum::new("/min") }
}

fn pulse(ward: &Ward) -> Option<f64> {
    let page = ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap();
    let found = page.numerics.iter().find(|it| it.vital == Vital::HeartRate);
    found.and_then(|it| it.thousandths).map(|thousandths| thousandths as f64 / 1_000.0)
}

#[test]
fn what_stands_for_the_present_follows_each_correction_and_what_takes_it_back() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 97.0, 72.0);
    let says = |ward: &mut Ward, it: Correction| ward.tries(PRIYA, Wish::Correct(it)).unwrap();
    // Of another instant: nothing.
    says(&mut ward, of_pulse(1, span(1.0, 19.5), Amendment::Withdraw));
    assert_eq!(pulse(&ward), Some(72.0));
    says(&mut ward, of_pulse(2, one(20.0), to(131)));
    assert_eq!(pulse(&ward), Some(131.0));
    ward.rebuilds();
    says(&mut ward, of_pulse(3, span(19.0, 20.5), Amendment::Withdraw));
    assert_eq!(pulse(&ward), None);
    ward.rebuilds();
    says(&mut ward, of_pulse(4, span(19.0, 20.5), Amendment::Undo(id(3))));
    assert_eq!(pulse(&ward), Some(131.0), "the one before holds again");
    says(&mut ward, of_pulse(5, one(20.0), Amendment::Undo(id(2))));
    assert_eq!(pulse(&ward), Some(72.0), "as it came");
    says(&mut ward, of_pulse(6, one(20.0), to(50)));
    ward.monitor(21, 21, 97.0, 80.0);
    assert_eq!(pulse(&ward), Some(80.0), "the next reading is another");
    says(&mut ward, of_pulse(7, one(20.0), Amendment::Undo(id(6))));
    assert_eq!(pulse(&ward), Some(80.0));
    ward.rebuilds();
}

#[test]
fn a_correction_that_makes_no_sense_is_refused_with_its_reason() {
    let mut ward = Ward::new();
    ward.monitor(1, 20, 97.0, 72.0);
    let good = of_pulse(1, one(20.0), to(70));
    let day = 86_400.0;
    for (it, reason) in [
        (Correction { org: id(99), ..good.clone() }, Reason::OtherOrg),
        (Correction { device: id(99), ..good.clone() }, Reason::NotFound),
        (Correction { to: at(20.0), ..good.clone() }, Reason::WrongTime),
        (Correction { to: at(21.0), ..good.clone() }, Reason::WrongTime),
        (of_pulse(1, span(0.0, 99.0 * day), Amendment::Withdraw), Reason::WrongTime),
        (of_pulse(1, span(-31.0 * day, 1.0), Amendment::Withdraw), Reason::WrongTime),
        (of_pulse(1, one(20.0), Amendment::Undo(id(1))), Reason::Unusable),
        (Correction { why: CorrectionReason::Other, ..good.clone() }, Reason::Unusable),
        (Correction { words: Redacted("\u{202e}".to_owned()), ..good.clone() }, Reason::Unusable),
        (Correction { channel: Channel::from(" "), ..good.clone() }, Reason::Unusable),
    ] {
        let shown = format!("{it:?}");
        assert_eq!(ward.tries(PRIYA, Wish::Correct(it)), Err(reason), "{shown}");
    }
    // What takes one back names one that stands, of the same readings, and that once.
    let says = |ward: &mut Ward, it: Correction| ward.tries(PRIYA, Wish::Correct(it));
    assert_eq!(says(&mut ward, of_pulse(50, one(20.0), to(70))), Ok(()));
    let undo = of_pulse(51, one(20.0), Amendment::Undo(id(50)));
    for (it, reason) in [
        (of_pulse(51, one(20.0), Amendment::Undo(id(49))), Reason::NotFound),
        (of_pulse(51, one(19.0), Amendment::Undo(id(50))), Reason::Unusable),
        (Correction { channel: channel_of(Vital::Saturation), ..undo.clone() }, Reason::Unusable),
        (of_pulse(50, one(20.0), to(71)), Reason::NotUnique),
    ] {
        let shown = format!("{it:?}");
        assert_eq!(says(&mut ward, it), Err(reason), "{shown}");
    }
    ward.rebuilds();
    assert_eq!(says(&mut ward, undo), Ok(()));
    ward.rebuilds();
    let twice = of_pulse(52, one(20.0), Amendment::Undo(id(50)));
    assert_eq!(says(&mut ward, twice), Err(Reason::NotUnique));
    let of_undo = of_pulse(52, one(20.0), Amendment::Undo(id(51)));
    assert_eq!(says(&mut ward, of_undo), Err(Reason::Unusable));
    let of_31_days = of_pulse(1, span(20.0 - 31.0 * day, 20.0), Amendment::Withdraw);
    assert_eq!(ward.tries(PRIYA, Wish::Correct(of_31_days)), Ok(()));
    let nobody = ward.asks(Actor::System, Wish::Correct(good)).map_err(|(reason, _)| reason);
    assert_eq!(nobody, Err(Reason::NotAllowed));
}
