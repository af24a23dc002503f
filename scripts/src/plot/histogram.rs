//! A histogram.

use super::{Anchor, Colour, Picture};
use crate::{
    artifacts::Contract,
    report::{Histogram, round_step, thousands},
};

/// A histogram with its mean.
pub fn histogram(
    title: &str,
    subtitle: &str,
    axis: &str,
    histogram: &Histogram,
    mean: u64,
) -> Picture {
    const LEFT: i32 = 100;
    const RIGHT: i32 = 1150;
    const TOP: i32 = 130;
    const BOTTOM: i32 = 520;
    let Histogram { start, width, counts } = histogram;
    let end = start + width * counts.len() as u64;
    let most = u64::from(counts.iter().copied().max().unwrap_or(1).max(1));
    let rung = round_step(most.div_ceil(6));
    let top = most.next_multiple_of(rung);
    let tick = round_step((end - start).div_ceil(9));
    let x = |gas: u64| {
        let share = (gas - start) as f64 / (end - start) as f64;
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    };
    let y =
        |count: u64| BOTTOM - (count as f64 / top as f64 * f64::from(BOTTOM - TOP)).round() as i32;
    let mut picture = Picture::new(title, (1_200, 620));
    picture.text(subtitle, (40, 76), 17, Colour::Muted, Anchor::Start);
    for count in (0..=top).step_by(rung as usize) {
        picture.rectangle((LEFT, y(count)), (RIGHT, y(count) + 1), Colour::Rule);
        picture.text(&thousands(count), (LEFT - 10, y(count)), 16, Colour::Muted, Anchor::End);
    }
    picture.text("images", (LEFT - 10, TOP - 24), 16, Colour::Muted, Anchor::End);
    for (class, &count) in counts.iter().enumerate() {
        let from = start + class as u64 * width;
        let (left, right) = (x(from), x(from + width));
        if count > 0 {
            let right = i32::max(left, right - 2);
            picture.rectangle((left, y(count.into())), (right, BOTTOM), Contract::Stylus.into());
        }
    }
    picture.rectangle((LEFT, BOTTOM), (RIGHT, BOTTOM + 1), Colour::Muted);
    for gas in (start.next_multiple_of(tick)..=end).step_by(tick as usize) {
        picture.rectangle((x(gas), BOTTOM), (x(gas) + 1, BOTTOM + 6), Colour::Muted);
        picture.text(&thousands(gas), (x(gas), BOTTOM + 22), 16, Colour::Muted, Anchor::Middle);
    }
    picture.text(axis, ((LEFT + RIGHT) / 2, BOTTOM + 60), 16, Colour::Muted, Anchor::Middle);
    let at = x(mean.clamp(*start, end));
    picture.rectangle((at, TOP - 8), (at + 1, BOTTOM), Contract::Naive.into());
    let label = format!("mean {}", thousands(mean));
    picture.text(&label, (at, TOP - 22), 17, Contract::Naive.into(), Anchor::Middle);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gas::Stats, plot::Shape};

    #[test]
    fn a_histogram_has_a_bar_for_each_class_that_is_not_empty() {
        for (figures, bars) in [(&[500_000, 510_000, 600_000][..], 3), (&[7], 1), (&[], 0)] {
            let mean = Stats::of(figures).mean;
            let picture = histogram("t", "s", "gas", &Histogram::of(figures), mean);
            let colour = Contract::Stylus.into();
            let shapes = picture.shapes.iter();
            let drawn =
                shapes.filter(|s| matches!(s, Shape::Rectangle { colour: c, .. } if *c == colour));
            assert_eq!((picture.size, drawn.count()), ((1_200, 620), bars));
        }
    }
}
