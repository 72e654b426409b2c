//! The life of a device from order to disposal: which moves there are, and what each brings.
//!
//! ```text
//! ordered ─▶ provisioned ◀─▶ in service ─▶ retired
//!                 │              ▲  │
//!                 └─▶ quarantined ◀─┘        every state ─▶ retired
//! ```
//! A retired device never comes back: whoever finds it again registers it anew, with a
//! new certificate.

use model::Lifecycle::{self, InService, Ordered, Provisioned, Quarantined, Retired};

/// Each state with those that may follow it.
pub const MOVES: &[(Lifecycle, &[Lifecycle])] = &[
    (Ordered, &[Provisioned, InService, Retired]),
    (Provisioned, &[InService, Quarantined, Retired]),
    (InService, &[Provisioned, Quarantined, Retired]),
    (Quarantined, &[InService, Retired]),
    (Retired, &[]),
];

/// Why a device is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum NoMove {
    #[error("a device that is {} cannot become {}", word(*.from), word(*.to))]
    NotAMove { from: Lifecycle, to: Lifecycle },
    #[error("the device is still on a patient; take it off first")]
    OnAPatient,
    #[error("say why the device becomes {}", word(*.to))]
    NoReason { to: Lifecycle },
}

/// What is known when somebody asks for a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where the device is.
    pub from: Lifecycle,
    /// Where it shall go.
    pub to: Lifecycle,
    /// Whether it measures a patient now.
    pub is_on_patient: bool,
    /// Whether the person gave a reason.
    pub has_reason: bool,
}

/// Whether a device may be moved; staying where it is is always granted.
///
/// A device may be quarantined while it is on a patient, because what may harm others is
/// cut off at once; its silence is an alarm there.
pub fn may_move(wanted: Wanted) -> Result<(), NoMove> {
    let Wanted { from, to, is_on_patient, has_reason } = wanted;
    if from == to {
        return Ok(());
    }
    if !next(from).contains(&to) {
        return Err(NoMove::NotAMove { from, to });
    }
    if to == Retired && is_on_patient {
        return Err(NoMove::OnAPatient);
    }
    if cuts_off(to) && !has_reason {
        return Err(NoMove::NoReason { to });
    }
    Ok(())
}

/// The states that may follow this one.
pub fn next(from: Lifecycle) -> &'static [Lifecycle] {
    MOVES.iter().find(|(state, _)| *state == from).map_or(&[], |(_, next)| next)
}

/// Whether a device in this state may speak at all.
pub const fn may_speak(state: Lifecycle) -> bool {
    match state {
        Provisioned | InService => true,
        Ordered | Quarantined | Retired => false,
    }
}

/// Whether arriving in this state closes the device's connections.
pub const fn cuts_off(state: Lifecycle) -> bool {
    match state {
        Quarantined | Retired => true,
        Ordered | Provisioned | InService => false,
    }
}

/// Whether arriving in this state revokes every certificate of the device.
pub const fn revokes(state: Lifecycle) -> bool {
    match state {
        Retired => true,
        Ordered | Provisioned | InService | Quarantined => false,
    }
}

/// What a state is called in a sentence.
pub const fn word(state: Lifecycle) -> &'static str {
    match state {
        Ordered => "ordered",
        Provisioned => "provisioned",
        InService => "in service",
        Quarantined => "quarantined",
        Retired => "retired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Lifecycle; 5] = [Ordered, Provisioned, InService, Quarantined, Retired];

    /// Every pair, as a row of letters: `+` is a move, `.` is none, `=` stays.
    const TABLE: [&str; 5] = [
        // to: o p i q r
        "=++.+", // ordered
        ".=+++", // provisioned
        ".+=++", // in service
        "..+=+", // quarantined
        "....=", // retired
    ];

    #[test]
    fn every_pair_of_states_is_a_move_or_is_refused_by_name() {
        for (from, row) in ALL.into_iter().zip(TABLE) {
            for (to, letter) in ALL.into_iter().zip(row.chars()) {
                let wanted = Wanted { from, to, is_on_patient: false, has_reason: true };
                let want = match letter {
                    '.' => Err(NoMove::NotAMove { from, to }),
                    _ => Ok(()),
                };
                assert_eq!(may_move(wanted), want, "{from:?} to {to:?}");
                assert_eq!(next(from).contains(&to), letter == '+', "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn what_cuts_a_device_off_needs_a_reason_and_nothing_else_does() {
        for (from, nexts) in MOVES {
            for to in *nexts {
                let wanted =
                    Wanted { from: *from, to: *to, is_on_patient: false, has_reason: false };
                let needs = matches!(to, Quarantined | Retired);
                assert_eq!(may_move(wanted).is_err(), needs, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn a_device_on_a_patient_can_be_quarantined_and_not_retired() {
        let on = |to| Wanted { from: InService, to, is_on_patient: true, has_reason: true };
        assert_eq!(may_move(on(Quarantined)), Ok(()));
        assert_eq!(may_move(on(Retired)), Err(NoMove::OnAPatient));
        assert_eq!(may_move(on(Provisioned)), Ok(()));
    }

    #[test]
    fn a_state_that_cuts_off_does_not_speak_and_only_the_last_one_revokes() {
        for state in ALL {
            assert!(!(cuts_off(state) && may_speak(state)), "{state:?}");
            assert_eq!(revokes(state), next(state).is_empty(), "{state:?}");
        }
    }
}
