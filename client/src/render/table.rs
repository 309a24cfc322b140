//! Tables without lines, as wide as the terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, ContentArrangement, Table};

use crate::render::{Look, clean_line};

/// Headings, and rows of cells. Columns whose heading ends in `ID` are not broken.
pub(crate) fn table(look: &Look, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    match look.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| clean_line(cell)).collect::<Vec<_>>());
    }
    for (column, heading) in table.column_iter_mut().zip(headings) {
        column.set_padding((0, 2));
        if heading.ends_with("ID") {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    trimmed(&table.to_string())
}

/// Names and values, one below the other; a value of several lines stays in its column.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default() + 2;
    let mut text = String::new();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        for (number, line) in value.lines().enumerate() {
            let name = if number == 0 { *name } else { "" };
            text.push_str(&format!("  {name:width$}{line}\n"));
        }
    }
    text.trim_end().to_owned()
}

fn trimmed(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
