//! Accuracy against gas.
//!
//! The gas axis is logarithmic; so is that of accuracy, in the share of images that are wrong, because the way from
//! 99 % to 99.5 % is as long as that from 98 % to 99 %. Each model is a line of its own, with a point for each contract: so
//! a model's name stands once, beside the plot.

use super::{Anchor, Colour, Picture, short, spread};
use crate::{
    artifacts::Contract,
    report::{Frontier, Original, Point},
};

const WIDTH: i32 = 1200;
const LEFT: i32 = 100;
const RIGHT: i32 = 960;
const TOP: i32 = 150;
/// Height of the panel of a data set, for the first and for the others.
const HEIGHTS: [i32; 2] = [470, 110];
/// Between panels, for the heading of the lower one.
const GAP: i32 = 44;
/// Least distance between lines, and between labels of an axis.
const LABEL: i32 = 22;

/// Accuracies that may have a label, in hundredths of a percent.
const TICKS: [u32; 13] =
    [5_000, 7_000, 8_000, 8_500, 9_000, 9_300, 9_500, 9_700, 9_800, 9_900, 9_930, 9_950, 9_970];

/// A line of the plot: a model, or the original project.
struct Line<'a> {
    label: String,
    accuracy: f64,
    points: Vec<&'a Point>,
    /// Gas of the original project.
    original: Option<u64>,
    /// The least gas with weights in storage.
    floor: Option<u64>,
}

/// Draws the frontier.
pub fn frontier(frontier: &Frontier) -> Picture {
    let subtitle = "Mean gas of whole transactions, Stylus cached; accuracy on all 10,000 test images; close \
                    lines are drawn apart";
    points(frontier, subtitle)
}

/// The points, and under the title what they are.
pub(super) fn points(frontier: &Frontier, subtitle: &str) -> Picture {
    let mut sets: Vec<&str> = Vec::new();
    for point in &frontier.points {
        if !sets.contains(&&point.data[..]) {
            sets.push(&point.data);
        }
    }
    let panels: Vec<Vec<Line<'_>>> = sets.iter().map(|data| lines(frontier, data)).collect();
    let height = |panel: usize| HEIGHTS[panel.min(1)];
    let bottom = (0..panels.len()).map(|panel| height(panel) + GAP).sum::<i32>() + TOP - GAP;
    let gas = panels.iter().flatten().flat_map(Line::gas);
    let (least, most) = gas.fold((u64::MAX, 1), |(a, b), gas| (a.min(gas), b.max(gas)));
    let (low, high) = (least.min(most).ilog10(), most.ilog10() + 1);
    let x = |gas: u64| {
        let share = ((gas.max(1) as f64).log10() - f64::from(low)) / f64::from(high - low);
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    };
    let mut picture = Picture::new("Accuracy against gas", (WIDTH, bottom.max(TOP) + 70));
    picture.text(subtitle, (40, 72), 16, Colour::Muted, Anchor::Start);
    legend(&mut picture, frontier);
    let mut top = TOP;
    for (index, lines) in panels.iter().enumerate() {
        let end = top + height(index);
        if index > 0 {
            let heading = format!("{} (accuracy of another data set)", sets[index]);
            picture.text(&heading, (LEFT, top - 16), 16, Colour::Muted, Anchor::Start);
        }
        for power in low..=high {
            let at = x(10u64.pow(power));
            picture.rectangle((at, top), (at + 1, end), Colour::Rule);
        }
        panel(&mut picture, lines, (top, end), &x);
        top = end + GAP;
    }
    for power in low..=high {
        let gas = 10u64.pow(power);
        picture.text(&short(gas), (x(gas), bottom + 18), 16, Colour::Muted, Anchor::Middle);
        for gas in (2..=9).map(|step| step * gas).filter(|_| power < high) {
            picture.rectangle((x(gas), bottom - 5), (x(gas) + 1, bottom), Colour::Rule);
        }
    }
    let axes = "gas (logarithmic axis; that of accuracy, too, by the share of errors)";
    picture.text(axes, ((LEFT + RIGHT) / 2, bottom + 46), 16, Colour::Muted, Anchor::Middle);
    picture
}

/// The lines of a data set, the best first.
fn lines<'a>(frontier: &'a Frontier, data: &str) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for point in frontier.points.iter().filter(|point| point.data == data) {
        match lines.iter_mut().find(|line| line.label == point.model) {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                label: point.model.clone(),
                accuracy: point.accuracy(),
                points: vec![point],
                original: None,
                floor: None,
            }),
        }
    }
    for line in &mut lines {
        let stored = line.points.iter().find(|point| point.contract == Contract::Stylus);
        line.floor = stored.and_then(|point| point.floor);
    }
    if data == "mnist" {
        let Original { samples, correct, gas, .. } = &frontier.original;
        lines.push(Line {
            label: "original".into(),
            accuracy: *correct as f64 / *samples as f64,
            points: Vec::new(),
            original: Some(gas.mean),
            floor: None,
        });
    }
    lines.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    lines
}

impl Line<'_> {
    fn gas(&self) -> impl Iterator<Item = u64> + '_ {
        let points = self.points.iter().map(|point| point.gas);
        points.chain(self.original).chain(self.floor)
    }

    /// Share of errors; nothing is shown as better than one in ten thousand.
    fn errors(&self) -> f64 {
        (1.0 - self.accuracy).max(1e-4)
    }
}

fn panel(
    picture: &mut Picture,
    lines: &[Line<'_>],
    (top, bottom): (i32, i32),
    x: &impl Fn(u64) -> i32,
) {
    let (Some(best), Some(worst)) = (lines.first(), lines.last()) else { return };
    let (low, high) = ((best.errors() / 1.3).ln(), (worst.errors() * 1.3).ln());
    let y =
        |errors: f64| top + ((errors.ln() - low) / (high - low) * f64::from(bottom - top)) as i32;
    let mut above = top - LABEL;
    for tick in TICKS.iter().rev() {
        let at = y(1.0 - f64::from(*tick) / 10_000.0);
        if (top..=bottom).contains(&at) && at - above >= LABEL {
            picture.rectangle((LEFT, at), (RIGHT, at + 1), Colour::Rule);
            let label = format!("{} %", f64::from(*tick) / 100.0);
            picture.text(&label, (LEFT - 12, at), 16, Colour::Muted, Anchor::End);
            above = at;
        }
    }
    // Two models that are as good as each other would be drawn over each other.
    let rows: Vec<i32> = lines.iter().map(|line| y(line.errors())).collect();
    let rows = spread(&rows, LABEL);
    let bound = bound(lines).into_iter().map(|(gas, index)| (x(gas), rows[index]));
    let bound: Vec<(i32, i32)> = bound.collect();
    if bound.len() > 1 {
        picture.line(&bound, Colour::Ink);
    }
    for (line, &row) in lines.iter().zip(&rows) {
        let least = line.gas().map(x).min().unwrap_or(LEFT);
        picture.rectangle((least, row), (RIGHT + 12, row + 1), Colour::Thread);
        let text = format!("{}  {:.2} %", line.label, 100.0 * line.accuracy);
        picture.text(&text, (RIGHT + 20, row), 17, Colour::Ink, Anchor::Start);
        if let Some(floor) = line.floor {
            picture.rectangle((x(floor) - 1, row - 13), (x(floor) + 1, row + 13), Colour::Ink);
        }
        // The dearest first: of two that touch, the cheaper one is on top.
        let mut points = line.points.clone();
        points.sort_by_key(|point| std::cmp::Reverse(point.gas));
        for point in points {
            mark(picture, Some(point.contract), (x(point.gas), row));
        }
        if let Some(gas) = line.original {
            mark(picture, None, (x(gas), row));
        }
    }
}

/// The floors than which none is both cheaper and better, from the cheapest on, each with the index of its line. The
/// lines' accuracies descend.
fn bound(lines: &[Line<'_>]) -> Vec<(u64, usize)> {
    let floors = lines.iter().enumerate().filter_map(|(index, line)| Some((line.floor?, index)));
    let mut floors: Vec<(u64, usize)> = floors.collect();
    floors.sort();
    let mut best = usize::MAX;
    floors.retain(|(_, index)| {
        let better = *index < best;
        best = best.min(*index);
        better
    });
    floors
}

/// A point: the shape says what kind of program, the colour which.
fn mark(picture: &mut Picture, contract: Option<Contract>, at: (i32, i32)) {
    const R: i32 = 7;
    let (x, y) = at;
    let colour = contract.map_or(Colour::Original, Colour::from);
    let corners: &[(i32, i32)] = match contract {
        Some(Contract::Stylus | Contract::StylusCode | Contract::StylusBaked) => {
            return picture.disc(at, R, colour);
        }
        Some(Contract::Yul | Contract::YulCode) => {
            &[(x - 6, y - 6), (x + 6, y - 6), (x + 6, y + 6), (x - 6, y + 6)]
        }
        Some(Contract::Packed) => &[(x, y - R - 1), (x + R + 1, y + 6), (x - R - 1, y + 6)],
        Some(Contract::Naive) => &[(x, y - R - 1), (x + R + 1, y), (x, y + R + 1), (x - R - 1, y)],
        None => &[(x - R - 1, y - 6), (x + R + 1, y - 6), (x, y + R + 1)],
    };
    picture.polygon(corners, colour);
}

/// What the points and the line of floors mean, in a row above the plot.
fn legend(picture: &mut Picture, frontier: &Frontier) {
    let shown = |contract: &Contract| frontier.points.iter().any(|p| p.contract == *contract);
    let contracts = Contract::ALL.into_iter().filter(shown).map(Some);
    let mut left = LEFT;
    const ROW: i32 = 112;
    for contract in contracts.chain([None]) {
        let label = contract.map_or("original".into(), |contract| contract.to_string());
        mark(picture, contract, (left, ROW));
        picture.text(&label, (left + 14, ROW), 16, Colour::Ink, Anchor::Start);
        left += 34 + 9 * label.chars().count() as i32;
    }
    if frontier.points.iter().all(|point| point.floor.is_none()) {
        return;
    }
    picture.rectangle((left - 1, ROW - 10), (left + 1, ROW + 10), Colour::Ink);
    let floor = "floor: 21,000, calldata, 2,100 a slot";
    picture.text(floor, (left + 12, ROW), 16, Colour::Ink, Anchor::Start);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(model: &str, data: &str, correct: usize, contract: Contract, gas: u64) -> Point {
        Point {
            model: model.into(),
            data: data.into(),
            words: 1,
            correct,
            images: 10_000,
            contract,
            gas,
            uncached_gas: None,
            floor: Some(gas / 2),
            twin: None,
        }
    }

    fn frontier_of(points: Vec<Point>) -> Frontier {
        Frontier { points, absent: Vec::new(), original: Original::published() }
    }

    #[test]
    fn a_floor_that_costs_more_for_less_bounds_nothing() {
        let points = [
            point("a", "mnist", 9_900, Contract::Stylus, 80_000),
            point("b", "mnist", 9_800, Contract::Stylus, 100_000),
            point("c", "mnist", 9_950, Contract::Stylus, 200_000),
        ];
        let frontier = frontier_of(points.to_vec());
        let gas: Vec<u64> = bound(&lines(&frontier, "mnist")).iter().map(|b| b.0).collect();
        assert_eq!(gas, [40_000, 100_000]);
    }

    #[test]
    fn a_data_set_more_is_a_panel_more() {
        let mnist = point("small", "mnist", 9_920, Contract::Stylus, 90_000);
        let fashion = point("fashion", "fashion-mnist", 9_000, Contract::Yul, 900_000);
        let sizes = [vec![], vec![mnist.clone()], vec![mnist, fashion]]
            .map(|points| frontier(&frontier_of(points)).size);
        assert_eq!(sizes, [(1_200, 220), (1_200, 690), (1_200, 844)]);
    }
}
