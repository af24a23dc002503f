//! What opening WASM pages costs: the exponential memory model.
//!
//! A transaction has some pages for nothing. Each further page that is open at once costs [`StylusParams::page_gas`],
//! and the first time that the transaction has so many open, a sum that grows exponentially with their number and
//! keeps the memory of all programs together under the node's limit. Source: `arbos/programs/memory.go` in Nitro.

use crate::stylus::StylusParams;

/// Gas for opening `new` pages while `open` are open and at most `ever` have been open at once in the transaction.
///
/// ```
/// # use inkling_devnode::{memory::page_cost, stylus::StylusParams};
/// let params = StylusParams::ARBOS_51;
/// assert_eq!(page_cost(&params, 2, 0, 0), 0); // free
/// assert_eq!(page_cost(&params, 17, 0, 0), 15_008); // what rustc's default stack of 1 MiB costs
/// ```
pub fn page_cost(params: &StylusParams, new: u16, open: u16, ever: u16) -> u64 {
    let now_open = open.saturating_add(new);
    let now_ever = ever.max(now_open);
    if now_ever <= params.free_pages {
        return 0;
    }
    let paid = |pages: u16| pages.saturating_sub(params.free_pages);
    let adding = paid(now_open) - paid(open);
    let linear = u64::from(adding) * u64::from(params.page_gas);
    linear.saturating_add(exponential(now_ever) - exponential(ever))
}

/// Cumulative exponential price of having had `pages` open at once.
fn exponential(pages: u16) -> u64 {
    EXPONENTS.get(usize::from(pages)).map_or(u64::MAX, |&gas| gas.into())
}

/// The price at 0 to 128 pages, about 31.9 million gas at the last.
#[rustfmt::skip]
const EXPONENTS: [u32; 129] = [
    1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 11, 12, 14, 17, 19, 22, 25, 29, 33, 38,
    43, 50, 57, 65, 75, 85, 98, 112, 128, 147, 168, 193, 221, 253, 289, 331, 379, 434, 497, 569,
    651, 745, 853, 976, 1117, 1279, 1463, 1675, 1917, 2194, 2511, 2874, 3290, 3765, 4309, 4932,
    5645, 6461, 7395, 8464, 9687, 11087, 12689, 14523, 16621, 19024, 21773, 24919, 28521, 32642,
    37359, 42758, 48938, 56010, 64104, 73368, 83971, 96106, 109994, 125890, 144082, 164904, 188735,
    216010, 247226, 282953, 323844, 370643, 424206, 485509, 555672, 635973, 727880, 833067, 953456,
    1091243, 1248941, 1429429, 1636000, 1872423, 2143012, 2452704, 2807151, 3212820, 3677113,
    4208502, 4816684, 5512756, 6309419, 7221210, 8264766, 9459129, 10826093, 12390601, 14181199,
    16230562, 18576084, 21260563, 24332984, 27849408, 31873999,
];

/// Gas of EVM memory that holds `len` bytes: the least that returning so much data costs a program
/// (`evmMemoryCost` in `arbos/programs/programs.go`).
pub fn return_data_floor(len: usize) -> u64 {
    let words = (len as u64).div_ceil(32);
    3 * words + words * words / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: StylusParams = StylusParams::ARBOS_51;

    #[test]
    fn pages_beyond_the_free_ones() {
        assert_eq!(page_cost(&PARAMS, 3, 0, 0), 1_000);
        assert_eq!(page_cost(&PARAMS, 128, 0, 0), 126_000 + 31_873_998);
        assert_eq!(page_cost(&PARAMS, 129, 0, 0), u64::MAX);
    }

    #[test]
    fn the_exponential_part_is_paid_once() {
        assert_eq!(page_cost(&PARAMS, 15, 2, 2), 15_008);
        assert_eq!(page_cost(&PARAMS, 15, 2, 17), 15_000);
        assert_eq!(page_cost(&PARAMS, 0, 17, 17), 0);
    }

    #[test]
    fn floor_counts_words() {
        assert_eq!(return_data_floor(0), 0);
        assert_eq!(return_data_floor(33), 6);
        assert_eq!(return_data_floor(32 * 512), 1536 + 512);
    }
}
