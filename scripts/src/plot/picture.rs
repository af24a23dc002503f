//! A picture as a list of shapes: what is drawn is decided once, for pixels and for a page.

use super::Colour;

/// A place: units from the left and from the top.
pub type At = (i32, i32);

/// Which end of a text is where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// Something drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A filled rectangle.
    Rectangle {
        /// Its upper left corner.
        from: At,
        /// Its lower right corner.
        to: At,
        /// Its colour.
        colour: Colour,
    },
    /// A filled polygon with a rim of the ground's colour.
    Polygon {
        /// Its corners.
        corners: Vec<At>,
        /// Its colour.
        colour: Colour,
    },
    /// A disc with a rim of the ground's colour.
    Disc {
        /// Its middle.
        centre: At,
        /// Its radius, in units.
        radius: i32,
        /// Its colour.
        colour: Colour,
    },
    /// A thin line.
    Line {
        /// The points that it goes through.
        points: Vec<At>,
        /// Its colour.
        colour: Colour,
    },
    /// A line of text, its digits centred on where it is put.
    Text {
        /// The text.
        text: String,
        /// Where it is put.
        at: At,
        /// Height of the font, in units.
        size: u32,
        /// Its colour.
        colour: Colour,
        /// Which end is there.
        anchor: Anchor,
    },
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it shows, in words.
    pub title: String,
    /// Width and height, in units: pixels of a screen that is not dense.
    pub size: (i32, i32),
    /// What is in it; the last is on top.
    pub shapes: Vec<Shape>,
}

impl Picture {
    /// With nothing in it but its title.
    pub(super) fn new(title: &str, size: (i32, i32)) -> Self {
        let mut picture = Self { title: title.into(), size, shapes: Vec::new() };
        picture.text(title, (40, 40), 30, Colour::Ink, Anchor::Start);
        picture
    }

    pub(super) fn rectangle(&mut self, from: At, to: At, colour: Colour) {
        self.shapes.push(Shape::Rectangle { from, to, colour });
    }

    pub(super) fn polygon(&mut self, corners: &[At], colour: Colour) {
        self.shapes.push(Shape::Polygon { corners: corners.into(), colour });
    }

    pub(super) fn disc(&mut self, centre: At, radius: i32, colour: Colour) {
        self.shapes.push(Shape::Disc { centre, radius, colour });
    }

    pub(super) fn line(&mut self, points: &[At], colour: Colour) {
        self.shapes.push(Shape::Line { points: points.into(), colour });
    }

    pub(super) fn text(&mut self, text: &str, at: At, size: u32, colour: Colour, anchor: Anchor) {
        self.shapes.push(Shape::Text { text: text.into(), at, size, colour, anchor });
    }
}
