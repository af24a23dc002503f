//! Horizontal bars on a logarithmic axis.

use super::{Anchor, Colour, Picture, short};
use crate::{gas::Stats, report::thousands};

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// Its length is the mean; a whisker goes from the least to the most.
    pub gas: Stats,
    /// Its colour.
    pub colour: Colour,
}

/// Bars under a heading.
#[derive(Clone, Debug)]
pub struct Group {
    /// The heading.
    pub heading: String,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// Horizontal bars on a logarithmic axis, in groups.
pub fn bars(title: &str, subtitle: &str, groups: &[Group]) -> Picture {
    const WIDTH: i32 = 1200;
    const LEFT: i32 = 250;
    const RIGHT: i32 = WIDTH - 150;
    const TOP: i32 = 110;
    const ROW: i32 = 28;
    const HEADING: i32 = 40;
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
    let mut picture = Picture::new(title, (WIDTH, bottom + 70));
    picture.text(subtitle, (40, 76), 17, Colour::Muted, Anchor::Start);
    for power in low..=high {
        for step in 1..=9 {
            let gas = 10u64.pow(power) * step;
            if step == 1 {
                picture.rectangle((x(gas), TOP), (x(gas) + 1, bottom), Colour::Rule);
                picture.text(&short(gas), (x(gas), bottom + 18), 16, Colour::Muted, Anchor::Middle);
            } else if power < high {
                picture.rectangle((x(gas), bottom - 5), (x(gas) + 1, bottom), Colour::Rule);
            }
        }
    }
    let middle = (LEFT + RIGHT) / 2;
    picture.text(
        "gas (logarithmic axis)",
        (middle, bottom + 46),
        16,
        Colour::Muted,
        Anchor::Middle,
    );
    let mut y = TOP;
    for Group { heading, bars } in groups {
        picture.text(heading, (40, y + HEADING / 2 + 3), 19, Colour::Ink, Anchor::Start);
        y += HEADING;
        for Bar { label, gas, colour } in bars {
            let middle = y + ROW / 2;
            picture.text(label, (LEFT - 14, middle), 17, Colour::Ink, Anchor::End);
            picture.rectangle((LEFT, y + 5), (x(gas.mean), y + ROW - 5), *colour);
            picture.rectangle((x(gas.min), middle), (x(gas.max), middle + 1), Colour::Ink);
            for end in [gas.min, gas.max] {
                picture.rectangle((x(end), middle - 4), (x(end) + 1, middle + 5), Colour::Ink);
            }
            let after = (x(gas.max) + 10, middle);
            picture.text(&thousands(gas.mean), after, 17, Colour::Ink, Anchor::Start);
            y += ROW;
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::Contract;

    #[test]
    fn a_picture_is_as_high_as_its_bars_need() {
        let gas = Stats { min: 300_000, mean: 500_000, max: 700_000 };
        let bar = Bar { label: "Stylus".into(), gas, colour: Contract::Stylus.into() };
        let group = Group { heading: "mlp-64".into(), bars: vec![bar] };
        assert_eq!(bars("title", "subtitle", &[group]).size, (1_200, 256));
        assert_eq!(bars("nothing", "", &[]).size, (1_200, 188));
    }
}
