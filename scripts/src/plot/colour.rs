//! Colours by name: what one is depends on the ground, which is white or dark.

use crate::artifacts::Contract;
use std::fmt::Write as _;

/// Red, green and blue, 0–255.
pub type Rgb = [u8; 3];

/// A colour of a picture. Those of the contracts can be told apart by people who do not see all colours, and in gray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Text.
    Ink,
    /// Text of less weight.
    Muted,
    /// Lines of a grid.
    Rule,
    /// The ground.
    Paper,
    /// Lines that lead from a mark to its name.
    Thread,
    /// A contract.
    Contract(Contract),
    /// The original project.
    Original,
}

impl Colour {
    /// Those that belong to no contract.
    const OTHERS: [Self; 6] =
        [Self::Ink, Self::Muted, Self::Rule, Self::Paper, Self::Thread, Self::Original];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OTHERS.into_iter().chain(Contract::ALL.map(Self::Contract))
    }

    /// On a white and on a dark ground. What is the darkest of a hue there is the lightest here, and none is so light that
    /// lines of [`Colour::Ink`] vanish on it.
    const fn values(self) -> [Rgb; 2] {
        match self {
            Self::Ink => [[33, 37, 41], [233, 236, 239]],
            Self::Muted => [[95, 103, 112], [165, 172, 180]],
            Self::Rule => [[226, 229, 233], [46, 50, 56]],
            Self::Paper => [[255, 255, 255], [22, 24, 28]],
            Self::Thread => [[165, 172, 180], [84, 90, 98]],
            Self::Original => [[120, 120, 120], [150, 150, 150]],
            Self::Contract(Contract::Stylus) => [[0, 84, 147], [104, 172, 242]],
            Self::Contract(Contract::StylusCode) => [[52, 140, 205], [66, 136, 206]],
            Self::Contract(Contract::StylusBaked) => [[134, 188, 227], [42, 106, 158]],
            Self::Contract(Contract::Yul) => [[200, 60, 60], [238, 112, 108]],
            Self::Contract(Contract::YulCode) => [[235, 140, 135], [184, 56, 66]],
            Self::Contract(Contract::Packed) => [[222, 143, 5], [222, 156, 34]],
            Self::Contract(Contract::Naive) => [[130, 80, 30], [178, 134, 92]],
        }
    }

    /// On a white ground.
    pub const fn light(self) -> Rgb {
        self.values()[0]
    }

    /// On a dark ground.
    pub const fn dark(self) -> Rgb {
        self.values()[1]
    }

    /// Its name in a style sheet, without the two dashes.
    pub fn name(self) -> String {
        match self {
            Self::Ink => "ink".into(),
            Self::Muted => "muted".into(),
            Self::Rule => "rule".into(),
            Self::Paper => "paper".into(),
            Self::Thread => "thread".into(),
            Self::Original => "original".into(),
            Self::Contract(contract) => contract.argument(),
        }
    }

    /// Its value in a style sheet that has [`Colour::style`] in it.
    pub fn css(self) -> String {
        format!("var(--{})", self.name())
    }

    /// All colours as custom properties of CSS, for a light and a dark ground.
    pub fn style() -> String {
        let properties = |value: fn(Self) -> Rgb| {
            let mut list = String::new();
            for colour in Self::all() {
                let [r, g, b] = value(colour);
                // Writing to a string does not fail.
                let _ = write!(list, "--{}: #{r:02x}{g:02x}{b:02x};", colour.name());
            }
            list
        };
        format!(
            ":root {{{}}}\n@media (prefers-color-scheme: dark) {{ :root {{{}}} }}\n",
            properties(Self::light),
            properties(Self::dark)
        )
    }
}

impl From<Contract> for Colour {
    fn from(contract: Contract) -> Self {
        Self::Contract(contract)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast ratio of WCAG 2, 1–21.
    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let luminance = |rgb: Rgb| {
            let [r, g, b] = rgb.map(|value| match f64::from(value) / 255.0 {
                low if low <= 0.04045 => low / 12.92,
                high => ((high + 0.055) / 1.055).powf(2.4),
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
        };
        let (one, other) = (luminance(one), luminance(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn text_and_marks_stand_out() {
        let naive = Colour::Contract(Contract::Naive);
        for value in [Colour::light, Colour::dark] {
            // WCAG 1.4.3: text. The mean of a histogram is in the colour of a contract.
            for text in [Colour::Ink, Colour::Muted, naive] {
                let ratio = contrast(value(text), value(Colour::Paper));
                assert!(ratio >= 4.5, "{text:?}: {ratio}");
            }
        }
        // WCAG 1.4.11: what is not text. Whiskers are drawn over bars.
        for mark in Contract::ALL.map(Colour::from).into_iter().chain([Colour::Original]) {
            let [paper, ink] =
                [Colour::Paper, Colour::Ink].map(|other| contrast(mark.dark(), other.dark()));
            assert!(paper >= 3.0 && ink >= 1.9, "{mark:?}: {paper}, {ink}");
        }
    }

    #[test]
    fn contracts_can_be_told_apart() {
        let marks: Vec<Colour> =
            Contract::ALL.map(Colour::from).into_iter().chain([Colour::Original]).collect();
        for value in [Colour::light, Colour::dark] {
            for (index, &one) in marks.iter().enumerate() {
                for &other in &marks[..index] {
                    let pairs = value(one).into_iter().zip(value(other));
                    let square: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum();
                    assert!(square >= 60 * 60, "{one:?} and {other:?}: {square}");
                }
            }
        }
    }

    #[test]
    fn both_grounds_are_in_the_style() {
        let style = Colour::style();
        let (light, dark) = style.split_once("@media (prefers-color-scheme: dark)").unwrap();
        assert!(
            light.starts_with(":root {--ink: #212529;") && light.contains("--stylus: #005493;")
        );
        assert!(dark.contains("--paper: #16181c;") && dark.contains("--stylus-code: #4288ce;"));
    }
}
