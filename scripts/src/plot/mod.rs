//! Plots as PNG: bars on a logarithmic axis, a histogram, accuracy against gas.
//!
//! Drawn with plotters into memory, with a font that is part of this binary: no system library, and the same pixels
//! on every machine.

mod bars;
mod comparison;
mod frontier;
mod histogram;

pub use bars::{Bar, Group, bars};
pub use comparison::comparison;
pub use frontier::frontier;
pub use histogram::histogram;

use crate::{artifacts::Contract, report::thousands};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::{
    prelude::*,
    style::{
        RGBColor, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");
const FAMILY: &str = "inkling";

const INK: RGBColor = RGBColor(33, 37, 41);
const MUTED: RGBColor = RGBColor(95, 103, 112);
const RULE: RGBColor = RGBColor(226, 229, 233);

/// Colours of bars: they can be told apart by people who do not see all colours, and in gray.
pub mod colours {
    use plotters::style::RGBColor;

    /// Stylus, weights in storage.
    pub const STYLUS: RGBColor = RGBColor(0, 84, 147);
    /// Stylus, weights in code.
    pub const STYLUS_CODE: RGBColor = RGBColor(52, 140, 205);
    /// Stylus, weights baked in.
    pub const STYLUS_BAKED: RGBColor = RGBColor(134, 188, 227);
    /// Assembly, weights in storage.
    pub const YUL: RGBColor = RGBColor(200, 60, 60);
    /// Assembly, weights in code.
    pub const YUL_CODE: RGBColor = RGBColor(235, 140, 135);
    /// Solidity over packed words.
    pub const PACKED: RGBColor = RGBColor(222, 143, 5);
    /// Solidity over mappings.
    pub const NAIVE: RGBColor = RGBColor(130, 80, 30);
    /// The original project.
    pub const ORIGINAL: RGBColor = RGBColor(120, 120, 120);
}

/// The colour of a contract.
pub fn colour(contract: Contract) -> RGBColor {
    match contract {
        Contract::Stylus => colours::STYLUS,
        Contract::StylusCode => colours::STYLUS_CODE,
        Contract::StylusBaked => colours::STYLUS_BAKED,
        Contract::Yul => colours::YUL,
        Contract::YulCode => colours::YUL_CODE,
        Contract::Packed => colours::PACKED,
        Contract::Naive => colours::NAIVE,
    }
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

    /// A filled figure of these corners, with a white rim.
    fn figure(&self, corners: &[(i32, i32)], colour: RGBColor) -> Result<(), Error> {
        let corners: Vec<_> = corners.iter().map(|(x, y)| (x * SCALE, y * SCALE)).collect();
        self.area.draw(&Polygon::new(corners.clone(), colour.filled())).map_err(draw)?;
        let rim = corners.iter().chain(corners.first()).copied();
        self.area.draw(&PathElement::new(rim.collect::<Vec<_>>(), WHITE)).map_err(draw)
    }

    /// A disc with a white rim.
    fn disc(&self, (x, y): (i32, i32), radius: i32, colour: RGBColor) -> Result<(), Error> {
        for (radius, colour) in [(radius * SCALE + 1, WHITE), (radius * SCALE, colour)] {
            let disc = Circle::new((x * SCALE, y * SCALE), radius, colour.filled());
            self.area.draw(&disc).map_err(draw)?;
        }
        Ok(())
    }

    /// A line through these points.
    fn line(&self, points: &[(i32, i32)], colour: RGBColor) -> Result<(), Error> {
        let points: Vec<_> = points.iter().map(|(x, y)| (x * SCALE, y * SCALE)).collect();
        self.area.draw(&PathElement::new(points, colour.stroke_width(2))).map_err(draw)
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
        // The font's digits and capitals, not its accents and tails, are to be in the middle.
        let down = size as i32 / 6;
        self.area.draw_text(text, &style, (at.0 * SCALE, at.1 * SCALE + down)).map_err(draw)
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

/// `100 k`, `1 M`: for axes.
fn short(gas: u64) -> String {
    match gas {
        1_000_000.. => format!("{} M", thousands(gas / 1_000_000)),
        1_000.. => format!("{} k", gas / 1_000),
        _ => gas.to_string(),
    }
}

/// Positions at least `gap` apart and near to these, which ascend.
fn spread(positions: &[i32], gap: i32) -> Vec<i32> {
    let mut placed: Vec<i32> = positions.to_vec();
    // Each pass moves neighbours that are too near apart by half of what lacks, upwards and downwards.
    for _ in 0..100 {
        for k in 1..placed.len() {
            let lacking = gap - (placed[k] - placed[k - 1]);
            if lacking > 0 {
                placed[k - 1] -= lacking / 2;
                placed[k] += lacking - lacking / 2;
            }
        }
    }
    placed
}

/// Width and height of a picture.
#[cfg(test)]
fn size(png: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory(png).expect("it is a PNG");
    (picture.width(), picture.height())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance() {
        assert_eq!(spread(&[10, 40, 80], 20), [10, 40, 80]);
        assert_eq!(spread(&[10, 20], 20), [5, 25]);
        let placed = spread(&[100, 100, 101, 300], 20);
        assert!(placed.windows(2).all(|pair| pair[1] - pair[0] >= 19), "{placed:?}");
        assert!(spread(&[], 20).is_empty());
    }

    #[test]
    fn axis_labels() {
        assert_eq!([5, 100_000, 1_000_000].map(short), ["5", "100 k", "1 M"]);
    }
}
