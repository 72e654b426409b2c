//! Places on a screen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A site, care unit, room or bed, with the place that it lies in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Place {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) care_unit_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) room_id: Option<String>,
    /// The patient of a bed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patient: Option<String>,
}

impl Place {
    pub(crate) fn new(id: impl ToString, name: &str) -> Self {
        let (id, name) = (id.to_string(), name.to_owned());
        Self { id, name, site_id: None, care_unit_id: None, room_id: None, patient: None }
    }
}

/// A site to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    pub(crate) name: String,
}

/// A care unit to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCareUnit {
    pub(crate) site_id: String,
    pub(crate) name: String,
}

/// A room to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoom {
    pub(crate) care_unit_id: String,
    pub(crate) name: String,
}

/// A bed to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBed {
    pub(crate) room_id: String,
    pub(crate) name: String,
}

/// Another name for a place.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    pub(crate) name: String,
}
