//! Numbers and tables as people read them.

use std::fmt::Write;

/// The least of 1, 2, 5, 10, 20, 50, … that is not below `step`.
pub fn round_step(step: u64) -> u64 {
    let power = 10u64.pow(step.max(1).ilog10());
    let found = [1, 2, 5].into_iter().map(|n| n * power).find(|&round| round >= step);
    found.unwrap_or(10 * power)
}

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `-1,234`.
pub fn signed(number: i32) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", thousands(number.unsigned_abs().into()))
}

/// `part` of `whole` as in `98.04 %`.
pub fn percent(part: usize, whole: usize) -> String {
    format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// A table, not yet set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows; the first cell of each says what it is of.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Of these cells.
    pub fn new<S: ToString>(
        header: impl IntoIterator<Item = S>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let header = header.into_iter().map(|name| name.to_string()).collect();
        Self { header, rows: rows.into_iter().collect() }
    }

    /// As Markdown that can be read unrendered, too: first column to the left, the others to the right.
    pub fn markdown(&self) -> String {
        let Self { header, rows } = self;
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let cells = cells.chain([&header[column]]).map(|cell| cell.chars().count());
            cells.chain([3]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                // Writing to a string does not fail.
                let _ = match column {
                    0 => write!(text, "| {cell:<width$} "),
                    _ => write!(text, "| {cell:>width$} "),
                };
            }
            text += "|\n";
        };
        line(header);
        let rule = |(column, &width): (usize, &usize)| match column {
            0 => "-".repeat(width),
            _ => format!("{}:", "-".repeat(width - 1)),
        };
        line(&widths.iter().enumerate().map(rule).collect::<Vec<_>>());
        for row in rows {
            line(row);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(41_036_311), "41,036,311");
        assert_eq!(percent(938, 1_000), "93.80 %");
        assert_eq!(percent(0, 0), "0.00 %");
        assert_eq!([0, 1, 3, 5, 11, 60].map(round_step), [1, 1, 5, 5, 20, 100]);
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["ab".into(), "1,000".into()], vec!["c".into(), "7".into()]];
        let expected = "\
| x   |   gas |
| --- | ----: |
| ab  | 1,000 |
| c   |     7 |
";
        assert_eq!(Table::new(["x", "gas"], rows).markdown(), expected);
    }
}
