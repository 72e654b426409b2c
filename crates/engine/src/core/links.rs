//! How devices stood to the server, as a series of its own, so that a gap in what they
//! measured can be explained long after.

use ::record::PresenceChange;
use fleet::coverage::Link;
use model::{Channel, ClockUsed, DeviceId, Ucum};

use super::{Core, PointOf, Turn};

/// The channel under which a device's connection is kept; no profile can name it so, as
/// topics have no such channel.
pub const LINK_CHANNEL: &str = "wardline/link";

/// What a change of presence means for the link, if anything.
pub(super) const fn link_of(change: PresenceChange) -> Option<Link> {
    match change {
        PresenceChange::Connected => Some(Link::Up),
        PresenceChange::Disconnected => Some(Link::Off),
        PresenceChange::Lost => Some(Link::Lost),
        PresenceChange::Refused => Some(Link::Refused),
        // The device is as connected as before.
        PresenceChange::TakenOver => None,
    }
}

impl Core {
    /// Keeps how a device stands to us from now on.
    pub(super) fn note_link(&self, device: DeviceId, link: Link, turn: &mut Turn<'_>) {
        turn.out.points.push(PointOf {
            org: self.org_now(),
            device,
            channel: Channel::from(LINK_CHANNEL),
            kind: None,
            ucum: Ucum::new("1"),
            at: turn.now,
            received_at: turn.now,
            value: Ok((link.code(), 0)),
            is_late: false,
            clock: ClockUsed::Receiver,
            age_known: true,
        });
    }
}
