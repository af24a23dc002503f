//! Pictures as SVG within a page, whose style sheet says what the colours are: [`Colour::style`].
//!
//! [`Colour::style`]: super::Colour::style

use super::{Anchor, Picture, Shape, picture::At};
use maud::{Markup, html};

impl Picture {
    /// As an element of HTML.
    pub fn svg(&self) -> Markup {
        let (width, height) = self.size;
        html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (width) " " (height) } role="img"
                font-family="system-ui, sans-serif" {
                title { (self.title) }
                @for shape in &self.shapes { (element(shape)) }
            }
        }
    }
}

fn element(shape: &Shape) -> Markup {
    match shape {
        Shape::Rectangle { from: (x, y), to: (right, bottom), colour } => html! {
            rect x=(x) y=(y) width=(right - x) height=(bottom - y) fill=(colour.css()) {}
        },
        Shape::Polygon { corners, colour } => html! {
            polygon points=(points(corners)) fill=(colour.css()) stroke="var(--paper)" {}
        },
        Shape::Disc { centre: (x, y), radius, colour } => html! {
            circle cx=(x) cy=(y) r=(radius) fill=(colour.css()) stroke="var(--paper)" {}
        },
        Shape::Line { points: through, colour } => html! {
            polyline points=(points(through)) fill="none" stroke=(colour.css()) {}
        },
        Shape::Text { text, at: (x, y), size, colour, anchor } => {
            let anchor = match anchor {
                Anchor::Start => None,
                Anchor::Middle => Some("middle"),
                Anchor::End => Some("end"),
            };
            // Half of a digit's height.
            html! {
                text x=(x) y=(y) dy=".35em" font-size=(size) fill=(colour.css()) text-anchor=[anchor] { (text) }
            }
        }
    }
}

fn points(points: &[At]) -> String {
    points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::{
        artifacts::Contract,
        plot::{Colour, Picture, histogram},
        report::Histogram,
    };

    #[test]
    fn a_histogram() {
        let picture = histogram("<t>", "s", "gas", &Histogram::of(&[100, 101, 119, 300]), 155);
        let svg = picture.svg().into_string();
        for part in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1200 620\" role=\"img\"",
            "<title>&lt;t&gt;</title>",
            "<text x=\"40\" y=\"40\" dy=\".35em\" font-size=\"30\" fill=\"var(--ink)\">&lt;t&gt;</text>",
            // The first class has the two figures that are the most: it is as high as the plot.
            "<rect x=\"100\" y=\"130\" width=\"24\" height=\"390\" fill=\"var(--stylus)\"></rect>",
            "text-anchor=\"middle\">mean 155</text>",
        ] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert_eq!(svg.matches("fill=\"var(--stylus)\"").count(), 3);
    }

    #[test]
    fn every_shape() {
        let mut picture = Picture { title: "t".into(), size: (9, 9), shapes: Vec::new() };
        picture.polygon(&[(0, 0), (4, 0), (0, 4)], Colour::Original);
        picture.disc((5, 5), 2, Contract::YulCode.into());
        picture.line(&[(0, 9), (9, 0)], Colour::Thread);
        let svg = picture.svg().into_string();
        for part in [
            "<polygon points=\"0,0 4,0 0,4\" fill=\"var(--original)\" stroke=\"var(--paper)\"></polygon>",
            "<circle cx=\"5\" cy=\"5\" r=\"2\" fill=\"var(--yul-code)\" stroke=\"var(--paper)\"></circle>",
            "<polyline points=\"0,9 9,0\" fill=\"none\" stroke=\"var(--thread)\"></polyline></svg>",
        ] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
    }
}
