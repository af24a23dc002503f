//! The inner loops of convolutions: all the multiplying.
//!
//! A *segment* is three neighbouring weights of a kernel's row, packed as `w0·2^32 + w1·2^16 + w2` (signed, modulo 2^64).
//! Multiplied by four neighbouring values `x0 + x1·2^16 + x2·2^32 + x3·2^48` it is a product of polynomials:
//!
//! ```text
//! lane 2: x0·w0 + x1·w1 + x2·w2        lane 3: x1·w0 + x2·w1 + x3·w2
//! ```
//!
//! two neighbouring outputs, six multiply-adds by one `i64.mul`; lanes 0 and 1 hold parts that nobody needs. Sums of such
//! products stay exact in each lane as long as every lane's final value fits 16 bits, whatever carries in between. Where
//! 16 bits are too few, a segment is one weight, and the two lanes of 32 bits are two outputs: nothing else changes here.
//!
//! A block is `T` segments for each of `G` outputs. Its `T · G` words of weights are loaded into locals once and then
//! slid over all positions: a position costs `T` loads, `T · G` multiplications and `G` accumulators in memory, and
//! nothing else but the loop. The loops are unrolled by macro, since the number of a WASM local is a constant.

use super::memory::load;

/// What a block works on. Distances are in bytes.
pub(super) struct Block {
    /// The values of the first position.
    pub(super) x: *const u8,
    /// From there to each segment's first value.
    pub(super) offsets: *const u32,
    /// Packed weights, `[segment][output]`.
    pub(super) weights: *const u64,
    /// What is added to, `[position][output]`.
    pub(super) from: *const u64,
    /// From position to position in `from`: 0 where all begin with the same.
    pub(super) from_step: usize,
    /// Where the sums go, `[position][output]`.
    pub(super) to: *mut u64,
    /// Rows of positions, at least one.
    pub(super) rows: usize,
    /// From row to row in `x`.
    pub(super) row_step: usize,
    /// From position to position in `x`: two values.
    pub(super) step: usize,
    /// Positions in a row, at least one; each is two outputs wide.
    pub(super) positions: usize,
}

macro_rules! block {
    ($name:ident, $segments:tt, $width:literal, [$($g:tt)*]) => {
        /// # Safety
        /// As [`Block::run`].
        #[inline(never)]
        unsafe fn $name(block: &Block) {
            // SAFETY: as the caller says.
            unsafe {
                let offsets = offsets!($segments, block.offsets);
                let weights = [$(weights!($segments, block.weights, $width, $g)),*];
                let (mut from, mut to) = (block.from, block.to);
                let mut row = block.x;
                for _ in 0..block.rows {
                    let mut at = row;
                    let end = row.add(block.step * block.positions);
                    loop {
                        let x = values!($segments, at, offsets);
                        $(*to.add($g) = sum!($segments, *from.add($g), x, weights[$g]);)*
                        from = from.byte_add(block.from_step);
                        to = to.add($width);
                        at = at.add(block.step);
                        if at == end {
                            break;
                        }
                    }
                    row = row.add(block.row_step);
                }
            }
        }
    };
}

macro_rules! offsets {
    ([$($t:tt)*], $offsets:expr) => { [$(*$offsets.add($t) as usize),*] };
}

macro_rules! weights {
    ([$($t:tt)*], $weights:expr, $width:literal, $g:tt) => { [$(*$weights.add($t * $width + $g)),*] };
}

macro_rules! values {
    ([$($t:tt)*], $at:ident, $offsets:ident) => { [$(load($at, $offsets[$t])),*] };
}

macro_rules! sum {
    ([$($t:tt)*], $first:expr, $x:ident, $weights:expr) => {
        $first$(.wrapping_add($x[$t].wrapping_mul($weights[$t])))*
    };
}

/// Every block there is, the larger ones of a width first. A larger block loads values and sums for more multiplications,
/// and is a longer program, which every call of a contract pays for that is not cached: 24 segments of four outputs, say, would
/// cost about as much as they save.
macro_rules! blocks {
    ($($name:ident: $width:literal, $count:literal, $segments:tt, $outputs:tt;)*) => {
        $(block!($name, $segments, $width, $outputs);)*

        impl Block {
            /// Adds the products of the first of the `left` segments, for `width` outputs, and says how many they were.
            ///
            /// # Safety
            /// As many offsets, and `width` times as many weights, are readable. For every position `p` of every row:
            /// eight bytes at `x + row · row_step + step · p + offset` are readable for each offset, the outputs' words
            /// at `from + index · from_step` are readable and those at `to` writable.
            pub(super) unsafe fn run(&self, left: usize, width: usize) -> usize {
                $(if width == $width && left >= $count {
                    // SAFETY: as the caller says.
                    unsafe { $name(self) };
                    return $count;
                })*
                unreachable!("segments come in threes, by sixes where outputs come by four")
            }
        }
    };
}

blocks! {
    by_8_24: 8, 24, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23], [0 1 2 3 4 5 6 7];
    by_8_6: 8, 6, [0 1 2 3 4 5], [0 1 2 3 4 5 6 7];
    by_8_3: 8, 3, [0 1 2], [0 1 2 3 4 5 6 7];
    by_4_6: 4, 6, [0 1 2 3 4 5], [0 1 2 3];
}
