//! Pictures as PNG, on white.
//!
//! Drawn with plotters into memory, with a font that is part of this binary: no system library, and the same pixels
//! on every machine.

use super::{Anchor, Colour, Error, Picture, Shape, picture::At};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::{
    coord::Shift,
    prelude::*,
    style::{
        RGBColor, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");
const FAMILY: &str = "inkling";

/// Pixels for each unit, so that text is sharp on dense screens.
const SCALE: i32 = 2;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

impl Picture {
    /// As PNG.
    ///
    /// # Errors
    /// [`Error`].
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let (width, height) = self.size;
        let [width, height] = [width, height].map(|side| (side * SCALE) as u32);
        register_font(FAMILY, FontStyle::Normal, FONT).map_err(|_| Error::Font)?;
        let mut pixels = vec![0; (width * height * 3) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            area.fill(&rgb(Colour::Paper)).map_err(draw)?;
            for shape in &self.shapes {
                paint(&area, shape)?;
            }
            area.present().map_err(draw)?;
        }
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(&pixels, width, height, ExtendedColorType::Rgb8)?;
        Ok(png)
    }
}

fn paint(area: &Area<'_>, shape: &Shape) -> Result<(), Error> {
    let at = |(x, y): At| (x * SCALE, y * SCALE);
    let all = |points: &[At]| points.iter().copied().map(at).collect::<Vec<_>>();
    match shape {
        Shape::Rectangle { from, to, colour } => {
            area.draw(&Rectangle::new([at(*from), at(*to)], rgb(*colour).filled())).map_err(draw)
        }
        Shape::Polygon { corners, colour } => {
            let corners = all(corners);
            area.draw(&Polygon::new(corners.clone(), rgb(*colour).filled())).map_err(draw)?;
            let rim: Vec<_> = corners.iter().chain(corners.first()).copied().collect();
            area.draw(&PathElement::new(rim, rgb(Colour::Paper))).map_err(draw)
        }
        Shape::Disc { centre, radius, colour } => {
            let radius = radius * SCALE;
            for (radius, colour) in [(radius + 1, Colour::Paper), (radius, *colour)] {
                let disc = Circle::new(at(*centre), radius, rgb(colour).filled());
                area.draw(&disc).map_err(draw)?;
            }
            Ok(())
        }
        Shape::Line { points, colour } => {
            area.draw(&PathElement::new(all(points), rgb(*colour).stroke_width(2))).map_err(draw)
        }
        Shape::Text { text, at: place, size, colour, anchor } => {
            let side = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let font = (FAMILY, size * SCALE as u32).into_font();
            let colour = rgb(*colour);
            let style = TextStyle::from(font).color(&colour).pos(Pos::new(side, VPos::Center));
            // The font's digits and capitals, not its accents and tails, are to be in the middle.
            let (x, y) = at(*place);
            area.draw_text(text, &style, (x, y + *size as i32 / 6)).map_err(draw)
        }
    }
}

fn rgb(colour: Colour) -> RGBColor {
    let [r, g, b] = colour.light();
    RGBColor(r, g, b)
}

fn draw(error: impl std::fmt::Display) -> Error {
    Error::Draw(error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::{
        plot,
        report::{Comparison, Frontier},
    };
    use std::{fs, path::Path};

    /// The committed pictures are what the committed figures look like.
    #[test]
    fn the_committed_pixels() {
        let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
        let text = fs::read_to_string(reports.join("compare.json")).unwrap();
        let comparison: Comparison = serde_json::from_str(&text).unwrap();
        for (name, picture) in [
            ("compare", plot::comparison(&comparison, 1_000)),
            ("frontier", plot::frontier(&Frontier::of(&comparison))),
        ] {
            let png = fs::read(reports.join(name).with_extension("png")).unwrap();
            assert!(picture.png().unwrap() == png, "{name}.png is not of {name}.json");
        }
    }
}
