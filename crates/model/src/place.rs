//! The tree of places: organization, site, care unit, room, bed.

use crate::{BedId, CareUnitId, OrgId, RoomId, SiteId};

/// A legal body that owns sites and data; the outer wall of tenancy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Org {
    pub id: OrgId,
    pub name: String,
}

/// A hospital, a home service, an ambulance station.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Site {
    pub id: SiteId,
    pub org: OrgId,
    pub name: String,
}

/// A ward or a team; also a partition of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct CareUnit {
    pub id: CareUnitId,
    pub site: SiteId,
    pub name: String,
}

/// A room of a care unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Room {
    pub id: RoomId,
    pub care_unit: CareUnitId,
    pub name: String,
}

/// A bed of a room; `name` is what hangs above it, such as `04`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Bed {
    pub id: BedId,
    pub room: RoomId,
    pub name: String,
}
