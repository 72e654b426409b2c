//! Figures with their unit and the conditions under which they hold: as JSON lines or as a table.

use serde_json::{Map, Value, json};

/// One measured number.
#[derive(Clone, Debug)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

/// Everything that one run measured, under one set of conditions.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    conditions: Map<String, Value>,
    figures: Vec<Figure>,
    broken: Vec<String>,
}

impl Sheet {
    /// An empty sheet of this machine.
    pub(super) const fn new(machine: Map<String, Value>) -> Self {
        Self { conditions: machine, figures: Vec::new(), broken: Vec::new() }
    }

    /// Says under what the figures hold.
    pub(super) fn condition(&mut self, name: &str, value: impl Into<Value>) {
        self.conditions.insert(name.to_owned(), value.into());
    }

    /// Adds a figure.
    pub(super) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.to_owned(), value: rounded(value), unit });
    }

    /// A figure that was added, as it is printed.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// Says which promise the figures break; they are printed all the same.
    pub(super) fn breaks(&mut self, promise: String) {
        self.broken.push(promise);
    }

    /// What was promised and not kept, if something was.
    pub(super) fn broken(&self) -> Option<String> {
        (!self.broken.is_empty()).then(|| self.broken.join("; "))
    }

    /// One object a line, each with all conditions.
    pub(super) fn json_lines(&self) -> String {
        let line = |figure: &Figure| {
            let Figure { name, value, unit } = figure;
            let conditions = &self.conditions;
            let object =
                json!({ "name": name, "value": value, "unit": unit, "conditions": conditions });
            format!("{object}\n")
        };
        self.figures.iter().map(line).collect()
    }

    /// For people: the figures, and the conditions once.
    pub(super) fn table(&self) -> String {
        let widest = |text: fn(&Figure) -> usize| self.figures.iter().map(text).max().unwrap_or(0);
        let names = widest(|figure| figure.name.len());
        let values = widest(|figure| shown(figure.value).len());
        let line = |figure: &Figure| {
            let Figure { name, unit, .. } = figure;
            format!("{name:names$}  {:>values$} {unit}\n", shown(figure.value))
        };
        let figures: String = self.figures.iter().map(line).collect();
        let conditions: String =
            self.conditions.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
        format!("{figures}\nUnder\n{conditions}")
    }
}

/// Four places tell all that a clock of nanoseconds and a run of seconds can.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn shown(value: f64) -> String {
    let places = if value.abs() >= 100.0 { 0 } else { 2 };
    format!("{value:.places$}")
}

#[test]
fn a_sheet_is_one_object_a_line_or_a_table() {
    let mut sheet = Sheet::new(Map::new());
    sheet.condition("devices", 200);
    sheet.add("ingest.messages", 12_345.678_91, "1/s");
    sheet.add("ingest.ack_p50", 1.5, "ms");
    let lines: Vec<Value> =
        sheet.json_lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["value"], 12_345.678_9);
    assert_eq!(lines[1]["conditions"]["devices"], 200);
    let table = "ingest.messages  12346 1/s\ningest.ack_p50    1.50 ms\n\nUnder\n  devices: 200\n";
    assert_eq!(sheet.table(), table);
}
