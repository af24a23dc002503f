//! Plots as PNG: bars on a logarithmic axis, and a histogram.
//!
//! Drawn with plotters into memory, with a font that is part of this binary: no system library, and the same pixels
//! on every machine.

use crate::{
    gas::Stats,
    report::{Histogram, round_step, thousands},
};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::{
    prelude::*,
    style::{
        RGBColor, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

const FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");
const FAMILY: &str = "inkling";

const INK: RGBColor = RGBColor(33, 37, 41);
const MUTED: RGBColor = RGBColor(95, 103, 112);
const RULE: RGBColor = RGBColor(226, 229, 233);

/// Colours of bars: they can be told apart by people who do not see all colours, and in gray.
pub mod colours {
    use plotters::style::RGBColor;

    /// Stylus, cached.
    pub const STYLUS: RGBColor = RGBColor(0, 84, 147);
    /// Stylus, not cached.
    pub const STYLUS_UNCACHED: RGBColor = RGBColor(104, 166, 215);
    /// Solidity over packed words.
    pub const PACKED: RGBColor = RGBColor(222, 143, 5);
    /// Solidity over mappings.
    pub const NAIVE: RGBColor = RGBColor(178, 72, 0);
    /// The original project.
    pub const ORIGINAL: RGBColor = RGBColor(120, 120, 120);
}

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The font is damaged.
    #[error("the font of the plots cannot be read")]
    Font,
    /// plotters could not draw.
    #[error("cannot draw the plot: {0}")]
    Draw(String),
    /// The picture could not be encoded.
    #[error("cannot encode the plot: {0}")]
    Encode(#[from] image::ImageError),
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// Its length is the mean; a whisker goes from the least to the most.
    pub gas: Stats,
    /// Its colour.
    pub colour: RGBColor,
}

/// Bars under a heading.
#[derive(Clone, Debug)]
pub struct Group {
    /// The heading.
    pub heading: String,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// Pixels for each unit of the coordinates below, so that text is sharp on dense screens.
const SCALE: i32 = 2;

/// A picture in the making; coordinates are from the upper left corner, in units of [`SCALE`] pixels.
struct Canvas<'a> {
    area: DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>,
}

impl Canvas<'_> {
    fn rectangle(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), Error> {
        let corners = [from, to].map(|(x, y)| (x * SCALE, y * SCALE));
        self.area.draw(&Rectangle::new(corners, colour.filled())).map_err(draw)
    }

    fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: u32,
        colour: RGBColor,
        side: HPos,
    ) -> Result<(), Error> {
        let style = TextStyle::from((FAMILY, size * SCALE as u32).into_font()).color(&colour);
        let style = style.pos(Pos::new(side, VPos::Center));
        self.area.draw_text(text, &style, (at.0 * SCALE, at.1 * SCALE)).map_err(draw)
    }
}

fn draw(error: impl std::fmt::Display) -> Error {
    Error::Draw(error.to_string())
}

/// Draws on white and encodes.
fn png(
    (width, height): (i32, i32),
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let [width, height] = [width, height].map(|side| (side * SCALE) as u32);
    register_font(FAMILY, FontStyle::Normal, FONT).map_err(|_| Error::Font)?;
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(draw)?;
        let canvas = Canvas { area };
        paint(&canvas)?;
        canvas.area.present().map_err(draw)?;
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(png)
}

/// Horizontal bars on a logarithmic axis, in groups.
///
/// # Errors
/// [`Error`].
pub fn bars(title: &str, subtitle: &str, groups: &[Group]) -> Result<Vec<u8>, Error> {
    const WIDTH: i32 = 1200;
    const LEFT: i32 = 250;
    const RIGHT: i32 = WIDTH - 150;
    const TOP: i32 = 110;
    const ROW: i32 = 34;
    const HEADING: i32 = 44;
    let bars = || groups.iter().flat_map(|group| &group.bars);
    let rows = bars().count() as i32;
    let bottom = TOP + rows * ROW + groups.len() as i32 * HEADING + 8;
    let least = bars().map(|bar| bar.gas.min).min().unwrap_or(1).max(1);
    let most = bars().map(|bar| bar.gas.max).max().unwrap_or(1).max(1);
    // Whole powers of ten on both sides, so that no bar vanishes: a length on this axis is a logarithm.
    let (low, high) = (least.ilog10(), most.ilog10() + 1);
    let x = |gas: u64| {
        let share = ((gas.max(1) as f64).log10() - f64::from(low)) / f64::from(high - low);
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    };
    png((WIDTH, bottom + 70), |canvas| {
        canvas.text(title, (40, 40), 30, INK, HPos::Left)?;
        canvas.text(subtitle, (40, 76), 17, MUTED, HPos::Left)?;
        for power in low..=high {
            for step in 1..=9 {
                let gas = 10u64.pow(power) * step;
                if step == 1 {
                    canvas.rectangle((x(gas), TOP), (x(gas) + 1, bottom), RULE)?;
                    canvas.text(&short(gas), (x(gas), bottom + 18), 16, MUTED, HPos::Center)?;
                } else if power < high {
                    canvas.rectangle((x(gas), bottom - 5), (x(gas) + 1, bottom), RULE)?;
                }
            }
        }
        let middle = (LEFT + RIGHT) / 2;
        canvas.text("gas (logarithmic axis)", (middle, bottom + 46), 16, MUTED, HPos::Center)?;
        let mut y = TOP;
        for Group { heading, bars } in groups {
            canvas.text(heading, (40, y + HEADING / 2 + 3), 19, INK, HPos::Left)?;
            y += HEADING;
            for Bar { label, gas, colour } in bars {
                let middle = y + ROW / 2;
                canvas.text(label, (LEFT - 14, middle), 17, INK, HPos::Right)?;
                canvas.rectangle((LEFT, y + 5), (x(gas.mean), y + ROW - 5), *colour)?;
                canvas.rectangle((x(gas.min), middle), (x(gas.max), middle + 1), INK)?;
                for end in [gas.min, gas.max] {
                    canvas.rectangle((x(end), middle - 4), (x(end) + 1, middle + 5), INK)?;
                }
                let after = (x(gas.max) + 10, middle);
                canvas.text(&thousands(gas.mean), after, 17, INK, HPos::Left)?;
                y += ROW;
            }
        }
        Ok(())
    })
}

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

/// `100 k`, `1 M`: for axes.
fn short(gas: u64) -> String {
    match gas {
        1_000_000.. => format!("{} M", thousands(gas / 1_000_000)),
        1_000.. => format!("{} k", gas / 1_000),
        _ => gas.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(png: &[u8]) -> (u32, u32) {
        let picture = image::load_from_memory(png).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn bars_are_a_picture() {
        let gas = Stats { min: 300_000, mean: 500_000, max: 700_000 };
        let bar = Bar { label: "Stylus".into(), gas, colour: colours::STYLUS };
        let group = Group { heading: "mlp-64".into(), bars: vec![bar] };
        assert_eq!(size(&bars("title", "subtitle", &[group]).unwrap()), (2400, 532));
        assert_eq!(size(&bars("nothing", "", &[]).unwrap()).0, 2400);
    }

    #[test]
    fn a_histogram_is_a_picture() {
        for figures in [&[500_000, 510_000, 600_000][..], &[7], &[]] {
            let classes = Histogram::of(figures);
            let mean = Stats::of(figures).mean;
            assert_eq!(size(&histogram("t", "s", "gas", &classes, mean).unwrap()), (2400, 1240));
        }
    }

    #[test]
    fn axis_labels() {
        assert_eq!([5, 100_000, 1_000_000].map(short), ["5", "100 k", "1 M"]);
    }
}
