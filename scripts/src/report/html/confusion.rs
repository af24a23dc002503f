//! The confusion matrix: what was taken for what, with recall and precision on its edges.

use crate::report::{percent, thousands};
use maud::{Markup, html};

/// The matrix; row: the digit, column: the answer.
///
/// A cell on the diagonal is shaded by its share of the row. The others are few: they are shaded by how their share
/// compares with the largest of them.
pub(super) fn confusion(matrix: &[Vec<u32>]) -> Markup {
    let sum = |row: &[u32]| row.iter().sum::<u32>();
    let share = |row: &[u32], column: usize| {
        f64::from(row.get(column).copied().unwrap_or_default()) / f64::from(sum(row).max(1))
    };
    let mut largest = 0.0f64;
    for (digit, row) in matrix.iter().enumerate() {
        let others = (0..row.len()).filter(|column| *column != digit);
        largest = others.map(|column| share(row, column)).fold(largest, f64::max);
    }
    let cell = |digit: usize, column: usize| {
        let row = &matrix[digit];
        match (row.get(column).copied().unwrap_or_default(), share(row, column)) {
            (0, _) => html! { td.none { "0" } },
            (count, share) => {
                let (class, shade) =
                    if digit == column { ("right", share) } else { ("wrong", share / largest) };
                html! { td class=(class) style={ "--share:" (format!("{shade:.3}")) } { (thousands(count.into())) } }
            }
        }
    };
    let part = |part: u32, whole: u32| match whole {
        0 => "–".into(),
        _ => percent(part as usize, whole as usize),
    };
    let right = |digit: usize| matrix[digit].get(digit).copied().unwrap_or_default();
    let answered = |digit: usize| matrix.iter().filter_map(|row| row.get(digit)).sum::<u32>();
    let classes = 0..matrix.len();
    let caption = "Rows: the digit; columns: the contract's answer";
    html! {
        p {
            "Blue: right; red: wrong, the stronger the more frequent. Recall is the share of a digit that is read as it, \
             precision the share of an answer that is right."
        }
        div.scroll role="region" aria-label="Confusion matrix" tabindex="0" {
            table.confusion {
                caption { (caption) }
                thead { tr {
                    td {}
                    @for digit in classes.clone() { th scope="col" { (digit) } }
                    th scope="col" { "recall" }
                } }
                tbody { @for digit in classes.clone() { tr {
                    th scope="row" { (digit) }
                    @for column in classes.clone() { (cell(digit, column)) }
                    td { (part(right(digit), sum(&matrix[digit]))) }
                } } }
                tfoot { tr {
                    th scope="row" { "precision" }
                    @for digit in classes.clone() { td { (part(right(digit), answered(digit))) } }
                    td {}
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_and_edges() {
        let page = confusion(&[vec![8, 2, 0], vec![1, 19, 0], vec![0, 0, 0]]).into_string();
        for part in [
            // 8 of 10; 2 of 10 is the largest of the others, 1 of 20 a quarter of that.
            "<th scope=\"row\">0</th><td class=\"right\" style=\"--share:0.800\">8</td>\
             <td class=\"wrong\" style=\"--share:1.000\">2</td><td class=\"none\">0</td><td>80.00 %</td>",
            "<td class=\"wrong\" style=\"--share:0.250\">1</td>",
            // Nothing shows a 2, and nothing was taken for one.
            "<td class=\"none\">0</td><td>–</td></tr></tbody>",
            "<th scope=\"row\">precision</th><td>88.89 %</td><td>90.48 %</td><td>–</td><td></td>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}
