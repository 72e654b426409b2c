//! What devices say about themselves, in a dump: their own words stay inside of the base64.

use record::{CommandResult, DeviceConfig, DeviceEvent, DeviceState};
use serde_json::{Value, json};

use super::{base64, counted, time};

pub(super) fn of_event(event: &DeviceEvent) -> Value {
    json!({
        "device": event.device.to_string(), "counted": counted(event.counted),
        "device_at": event.device_at.map(time), "name": event.name,
        "gateway_at": event.gateway_at.map(time),
        "severity": format!("{:?}", event.severity), "payload": base64(&event.payload),
    })
}

pub(super) fn of_state(state: &DeviceState) -> Value {
    json!({
        "device": state.device.to_string(), "counted": counted(state.counted),
        "device_at": state.device_at.map(time), "online": state.online,
        "firmware": state.firmware, "battery_percent": state.battery_percent,
        "gateway_at": state.gateway_at.map(time),
        "config": state.config, "payload": base64(&state.payload),
    })
}

pub(super) fn of_config(config: &DeviceConfig) -> Value {
    json!({
        "device": config.device.to_string(), "counted": counted(config.counted),
        "device_at": config.device_at.map(time), "version": config.version,
        "gateway_at": config.gateway_at.map(time), "payload": base64(&config.payload),
    })
}

pub(super) fn of_result(result: &CommandResult) -> Value {
    json!({
        "device": result.device.to_string(), "command": result.command.to_string(),
        "counted": counted(result.counted), "device_at": result.device_at.map(time),
        "gateway_at": result.gateway_at.map(time),
        "status": format!("{:?}", result.status), "payload": base64(&result.payload),
    })
}
