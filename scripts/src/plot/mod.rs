//! Plots: bars on a logarithmic axis, a histogram, accuracy against gas.
//!
//! Each is a [`Picture`], a list of shapes, which becomes a PNG ([`Picture::png`]) or part of a page ([`Picture::svg`]).

mod bars;
mod colour;
mod comparison;
mod evaluation;
mod frontier;
mod histogram;
mod live;
mod picture;
mod png;
mod svg;

pub use bars::{Bar, Group, bars};
pub use colour::{Colour, Rgb};
pub use comparison::comparison;
pub use evaluation::evaluation;
pub use frontier::frontier;
pub use histogram::histogram;
pub use live::{live, live_frontier};
pub use picture::{Anchor, At, Picture, Shape};

use crate::report::thousands;

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
