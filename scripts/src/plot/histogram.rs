//! A histogram.

use super::{Error, INK, MUTED, RULE, colours, png};
use crate::report::{Histogram, round_step, thousands};
use plotters::style::text_anchor::HPos;

/// A histogram with its mean.
///
/// # Errors
/// [`Error`].
pub fn histogram(
    title: &str,
    subtitle: &str,
    axis: &str,
    histogram: &Histogram,
    mean: u64,
) -> Result<Vec<u8>, Error> {
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
    png((1200, 620), |canvas| {
        canvas.text(title, (40, 40), 30, INK, HPos::Left)?;
        canvas.text(subtitle, (40, 76), 17, MUTED, HPos::Left)?;
        for count in (0..=top).step_by(rung as usize) {
            canvas.rectangle((LEFT, y(count)), (RIGHT, y(count) + 1), RULE)?;
            canvas.text(&thousands(count), (LEFT - 10, y(count)), 16, MUTED, HPos::Right)?;
        }
        canvas.text("images", (LEFT - 10, TOP - 24), 16, MUTED, HPos::Right)?;
        for (class, &count) in counts.iter().enumerate() {
            let from = start + class as u64 * width;
            let (left, right) = (x(from), x(from + width));
            if count > 0 {
                let right = i32::max(left, right - 2);
                canvas.rectangle((left, y(count.into())), (right, BOTTOM), colours::STYLUS)?;
            }
        }
        canvas.rectangle((LEFT, BOTTOM), (RIGHT, BOTTOM + 1), MUTED)?;
        for gas in (start.next_multiple_of(tick)..=end).step_by(tick as usize) {
            canvas.rectangle((x(gas), BOTTOM), (x(gas) + 1, BOTTOM + 6), MUTED)?;
            canvas.text(&thousands(gas), (x(gas), BOTTOM + 22), 16, MUTED, HPos::Center)?;
        }
        canvas.text(axis, ((LEFT + RIGHT) / 2, BOTTOM + 60), 16, MUTED, HPos::Center)?;
        let at = x(mean.clamp(*start, end));
        canvas.rectangle((at, TOP - 8), (at + 1, BOTTOM), colours::NAIVE)?;
        let label = format!("mean {}", thousands(mean));
        canvas.text(&label, (at, TOP - 22), 17, colours::NAIVE, HPos::Center)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gas::Stats, plot::size};

    #[test]
    fn a_histogram_is_a_picture() {
        for figures in [&[500_000, 510_000, 600_000][..], &[7], &[]] {
            let classes = Histogram::of(figures);
            let mean = Stats::of(figures).mean;
            assert_eq!(size(&histogram("t", "s", "gas", &classes, mean).unwrap()), (2400, 1240));
        }
    }
}
