//! Reports of devices: any bytes give a report or an error, and no text, time or percentage beyond its bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::{limits, report};

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = report::event(None, data) {
        assert!((1..=limits::CHANNEL_LEN_MAX).contains(&event.name.len()));
        assert!(event.text.0.len() <= limits::REPORT_TEXT_LEN_MAX);
    }
    if let Ok(state) = report::state(None, data) {
        assert!(state.battery_percent.is_none_or(|percent| percent <= 100));
        let is_short = |text: &String| text.chars().count() <= limits::VERSION_LEN_MAX;
        assert!(state.firmware.as_ref().is_none_or(is_short));
    }
    let _ = (report::log(None, data), report::config(None, data));
    if let Ok(result) = report::command_result(None, data) {
        assert!(result.stamp.counted.is_none_or(|(_, seq)| seq < 1 << 53));
    }
});
