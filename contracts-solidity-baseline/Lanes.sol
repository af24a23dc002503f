// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @dev 1 in each lane.
uint256 constant ONES = 0x0001000100010001000100010001000100010001000100010001000100010001;
/// @dev The largest number of a lane that leaves its first bit free.
uint256 constant LANE_MAX = 0x7fff;

/// @title  Lanes
/// @notice Arithmetic on words of 16 lanes of 16 bits. Lane 0 is the most significant: a word loaded from memory has the
///         value at its address in lane 0, and a load 2 bytes further on shifts all lanes by one.
/// @dev    Lanes hold numbers up to 2^15 − 1, so that a comparison can use the first bit and no carry leaves a lane.
library Lanes {
    /// @notice The same number in each lane.
    function splat(uint256 value) internal pure returns (uint256 lanes) {
        assembly ("memory-safe") {
            lanes := mul(ONES, value)
        }
    }

    /// @notice `max(v − 2^15, 0)` of 16-bit lanes: a signed accumulator that has had 2^15 added to it.
    function relu(uint256 lanes) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            // 2^15 − 1 where the first bit says that the number is not negative.
            let sign := and(shr(15, lanes), ONES)
            result := and(lanes, sub(shl(15, sign), sign))
        }
    }

    /// @notice `min(v, 2^15 − 1 − room)`, where `room` has the same number in each lane.
    function saturate(uint256 lanes, uint256 room) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            // What is too large reaches the first bit, and that bit fills the lane.
            let sum := add(lanes, room)
            let over := and(shr(15, sum), ONES)
            result := sub(and(or(sum, sub(shl(15, over), over)), mul(ONES, LANE_MAX)), room)
        }
    }

    /// @notice The larger number of each lane.
    function max(uint256 a, uint256 b) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            // a − b where the first bit says that it is not negative.
            let difference := sub(or(a, shl(15, ONES)), b)
            let sign := and(shr(15, difference), ONES)
            result := add(b, and(difference, sub(shl(15, sign), sign)))
        }
    }

    /// @notice The first 16 bytes of a word, a lane each.
    function fromBytes(uint256 word) internal pure returns (uint256 lanes) {
        assembly ("memory-safe") {
            lanes := shr(128, word)
            lanes := and(or(lanes, shl(64, lanes)), 0xffffffffffffffff0000000000000000ffffffffffffffff)
            lanes := and(or(lanes, shl(32, lanes)), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
            lanes := and(or(lanes, shl(16, lanes)), 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
            lanes := and(or(lanes, shl(8, lanes)), mul(ONES, 0xff))
        }
    }

    /// @notice Lanes 0, 2, 4 …, side by side from lane 0 on; behind them is nothing of use.
    function even(uint256 lanes) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            result := and(lanes, 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000)
            result := and(or(result, shl(16, result)), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff00000000)
            result := and(or(result, shl(32, result)), 0xffffffffffffffff0000000000000000ffffffffffffffff0000000000000000)
            result := or(result, shl(64, result))
        }
    }
}
