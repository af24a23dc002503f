//! Unchecked little-endian access, and the layout of activations.
//!
//! Activations are *planes* of 16-bit lanes, one value each, so that an unaligned 64-bit load has four neighbouring values
//! of a row in its lanes. Around each plane lie as many zeros as the convolution that reads it pads with: rows share
//! the zeros between them, and so do planes, and no loop has to ask where the edge is.

use core::ptr;

use crate::layer::Shape;

/// The eight bytes at `base + at`.
///
/// # Safety
/// They are readable.
#[inline(always)]
pub(super) unsafe fn load(base: *const u8, at: usize) -> u64 {
    // SAFETY: as the caller says.
    u64::from_le(unsafe { ptr::read_unaligned(base.add(at).cast()) })
}

/// Writes the eight bytes at `base + at`.
///
/// # Safety
/// They are writable.
#[inline(always)]
pub(super) unsafe fn store(base: *mut u8, at: usize, value: u64) {
    // SAFETY: as the caller says.
    unsafe { ptr::write_unaligned(base.add(at).cast(), value.to_le()) };
}

/// Value `at` of the activations in `memory`.
///
/// # Safety
/// It is inside.
#[inline(always)]
pub(super) unsafe fn value(memory: *const u8, at: usize) -> u16 {
    // SAFETY: as the caller says.
    u16::from_le(unsafe { ptr::read_unaligned(memory.add(2 * at).cast()) })
}

/// Writes value `at` of the activations in `memory`.
///
/// # Safety
/// It is inside.
#[inline(always)]
pub(super) unsafe fn set_value(memory: *mut u8, at: usize, value: u16) {
    // SAFETY: as the caller says.
    unsafe { ptr::write_unaligned(memory.add(2 * at).cast(), value.to_le()) };
}

/// Values after the last plane: loads and stores of several values, and a convolution's last segment, reach too far.
const SLACK: usize = 8;

/// Where the planes of some activations lie, in values of two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planes {
    /// First value of the region.
    pub(super) start: usize,
    /// What they hold.
    pub(super) shape: Shape,
    /// Zeros on each side.
    pub(super) border: usize,
}

impl Planes {
    /// From row to row.
    pub(super) const fn pitch(&self) -> usize {
        self.shape.width as usize + self.border
    }

    /// From plane to plane.
    pub(super) const fn plane(&self) -> usize {
        (self.shape.height as usize + self.border) * self.pitch()
    }

    /// Values of the whole region, a multiple of 4.
    #[inline(never)] // once is shorter than in each of its callers
    pub(super) const fn len(&self) -> usize {
        let planes = self.shape.channels as usize * self.plane();
        (planes + self.border * (self.pitch() + 1) + SLACK).next_multiple_of(4)
    }

    /// Words of four values that a row takes, the last one perhaps in part.
    pub(super) const fn quads(&self) -> usize {
        (self.shape.width as usize).div_ceil(4)
    }

    /// Makes zeros again of the borders that lie behind rows, where words of four values were written past a row's end.
    ///
    /// # Safety
    /// `memory` holds the planes.
    pub(super) unsafe fn clear_behind(&self, memory: *mut u8) {
        let behind = 4 * self.quads() - self.shape.width as usize;
        if behind == 0 || self.border == 0 {
            return;
        }
        for channel in 0..self.shape.channels as usize {
            let mut end = self.first(channel) + self.shape.width as usize;
            for row in 1..=self.shape.height {
                // Behind the last row are only zeros, behind others the next one after a border.
                let zeros = if row == self.shape.height { behind } else { behind.min(self.border) };
                for at in end..end + zeros {
                    // SAFETY: as the caller says.
                    unsafe { set_value(memory, at, 0) };
                }
                end += self.pitch();
            }
        }
    }

    /// The first value of a plane, behind its borders.
    pub(super) const fn first(&self, channel: usize) -> usize {
        self.start + self.border * (self.pitch() + 1) + channel * self.plane()
    }
}
