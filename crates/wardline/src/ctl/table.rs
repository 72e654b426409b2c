//! Tables for a terminal: columns as wide as their content, cells taken from JSON by path.

use serde_json::Value;

/// A column: its head, and the path of keys to its cell, such as `bed.name`.
pub(super) type Column = (&'static str, &'static str);

/// One row for each item, under a head.
pub(super) fn table(items: &[Value], columns: &[Column]) -> String {
    let head: Vec<String> = columns.iter().map(|(head, _)| head.to_uppercase()).collect();
    let cells = |item: &Value| columns.iter().map(|(_, path)| cell(item, path)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(items.iter().map(cells)).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    let line = padded.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

/// One line for each column that has a value.
pub(super) fn facts(thing: &Value, columns: &[Column]) -> String {
    let width = columns.iter().map(|(head, _)| head.chars().count()).max().unwrap_or(0);
    let lines = columns.iter().map(|(head, path)| (head, cell(thing, path)));
    let told = lines.filter(|(_, cell)| !cell.is_empty());
    told.map(|(head, cell)| format!("{head:<width$}  {cell}\n")).collect()
}

/// What stands at a path of keys, as a word; nothing where there is nothing.
fn cell(item: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(item, |value, key| value.get(key));
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        // A terminal obeys control characters; what a device or a person wrote may hold some.
        Some(Value::String(text)) => text.chars().filter(|c| !c.is_control()).collect(),
        Some(Value::Array(items)) => items.len().to_string(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let items = [
            json!({ "label": "Monitor 7", "bed": { "name": "4" }, "on": true }),
            json!({ "label": "Ö", "bed": null, "on": false }),
        ];
        let columns = [("label", "label"), ("bed", "bed.name"), ("on", "on")];
        let expected = "LABEL      BED  ON\nMonitor 7  4    yes\nÖ               no\n";
        assert_eq!(table(&items, &columns), expected);
        assert_eq!(table(&[], &columns), "LABEL  BED  ON\n");
    }

    #[test]
    fn what_is_not_there_has_no_line_and_nothing_commands_the_terminal() {
        let thing = json!({ "label": "a\u{1b}[2J", "bed": null, "certificates": [1, 2] });
        let columns = [("label", "label"), ("bed", "bed.name"), ("certificates", "certificates")];
        assert_eq!(facts(&thing, &columns), "label         a[2J\ncertificates  2\n");
    }
}
