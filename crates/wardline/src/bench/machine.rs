//! The machine that a figure belongs to.

use serde_json::{Map, Value, json};

/// Processor, memory, kernel and build, as conditions of every figure.
pub(super) fn conditions() -> Map<String, Value> {
    let cpu_info = read("/proc/cpuinfo");
    let mem_info = read("/proc/meminfo");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let memory_kib: u64 = field(&mem_info, "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let conditions = json!({
        "cores": cores,
        "processor": field(&cpu_info, "model name").unwrap_or("unknown"),
        "memory_gib": memory_kib / (1 << 20),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "build": build,
    });
    conditions.as_object().cloned().unwrap_or_default()
}

fn read(path: &str) -> String {
    // A machine without /proc is not named; its figures still hold.
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[test]
fn a_field_is_found_by_its_name() {
    let text = "processor\t: 0\nmodel name\t: A fast one\nmodel name\t: Another\n";
    assert_eq!(field(text, "model name"), Some("A fast one"));
    assert_eq!(field(text, "MemTotal"), None);
}
