//! What may be asked of the virtual hospital behind a demo.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that shall happen now. One of `illness`, `fault` and `treatment`, and whom it befalls.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DemoEvent {
    /// A care unit's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// A room's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    /// A bed's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    bed: Option<String>,
    /// The profile of a device there.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Such as `arrest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    illness: Option<String>,
    /// Such as `network-cut`.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    /// Such as `shock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    treatment: Option<String>,
    /// From the onset to the height, such as `5min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rises_in: Option<String>,
    /// For how long, such as `2min`; for good without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lasts: Option<String>,
    /// How far a clock is ahead, such as `10min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<String>,
    /// How bad: 1 is as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<f64>,
    /// Charge of a battery, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<f64>,
    /// What is gained or lost in an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_hour: Option<f64>,
}

/// What may be asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DemoCatalogue {
    /// The script's title.
    title: String,
    /// Every bed with a patient.
    beds: Vec<DemoBed>,
    illnesses: Vec<String>,
    treatments: Vec<String>,
    faults: Vec<String>,
}

/// A bed of the virtual hospital.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DemoBed {
    unit: String,
    room: String,
    bed: String,
    /// Profiles of the devices there.
    devices: Vec<String>,
}
