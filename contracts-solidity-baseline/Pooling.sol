// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Layer, MAX_POOLING} from "./Header.sol";
import {Lanes, ONES} from "./Lanes.sol";
import {Step} from "./Plan.sol";

/// @title  Pooling
/// @notice Squares of `n · n` values, `⌊16 / n⌋` of them at once: first `n` words below each other, then the lanes of the
///         result beside each other.
library Pooling {
    /// @notice Runs a step.
    function run(Step memory step) internal pure {
        unchecked {
            Layer memory layer = step.layer;
            for (uint256 plane = 0; plane < layer.outputs; ++plane) {
                uint256 from = step.source + plane * step.sourcePlane;
                uint256 to = step.target + plane * step.targetPlane;
                if (layer.kind == MAX_POOLING && layer.kernel == 2) {
                    uint256 end = to + layer.outHeight * step.targetRow;
                    _maximaOf4(from, step.sourceRow, to, end, step.targetRow, layer.outWidth);
                    continue;
                }
                for (uint256 y = 0; y < layer.outHeight; ++y) {
                    _row(step, from, to);
                    from += layer.kernel * step.sourceRow;
                    to += step.targetRow;
                }
            }
        }
    }

    /// @dev A plane: the largest value of each square of 2 · 2, the usual case of {_row}.
    function _maximaOf4(uint256 from, uint256 row, uint256 to, uint256 end, uint256 targetRow, uint256 width)
        private
        pure
    {
        // Never; see {Convolution-_addOutputs}.
        if (to == end) return;
        assembly ("memory-safe") {
            for {} lt(to, end) { to := add(to, targetRow) } {
                let source := from
                let target := to
                for { let left := width } 1 {} {
                    // As {Lanes-max}, twice, and {Lanes-even}.
                    let lanes := mload(source)
                    let other := mload(add(source, row))
                    let difference := sub(or(lanes, shl(15, ONES)), other)
                    let sign := and(shr(15, difference), ONES)
                    lanes := add(other, and(difference, sub(shl(15, sign), sign)))
                    other := shl(16, lanes)
                    difference := sub(or(lanes, shl(15, ONES)), other)
                    sign := and(shr(15, difference), ONES)
                    lanes := add(other, and(difference, sub(shl(15, sign), sign)))
                    lanes := and(lanes, 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000)
                    lanes := and(or(lanes, shl(16, lanes)), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff00000000)
                    lanes := and(or(lanes, shl(32, lanes)), 0xffffffffffffffff0000000000000000ffffffffffffffff0000000000000000)
                    lanes := or(lanes, shl(64, lanes))
                    if lt(left, 9) {
                        left := sub(256, shl(4, left))
                        mstore(target, shl(left, shr(left, lanes)))
                        break
                    }
                    // Lanes behind the eighth are written again.
                    mstore(target, lanes)
                    left := sub(left, 8)
                    source := add(source, 32)
                    target := add(target, 16)
                }
                from := add(from, shl(1, row))
            }
        }
    }

    /// @dev A row of outputs: the largest value, or `(Σ + half) >> shift`, of each square.
    function _row(Step memory step, uint256 from, uint256 to) private pure {
        unchecked {
            Layer memory layer = step.layer;
            (uint256 size, uint256 left) = (layer.kernel, layer.outWidth);
            bool largest = layer.kind == MAX_POOLING;
            while (true) {
                uint256 lanes = _load(from);
                for (uint256 y = 1; y < size; ++y) {
                    uint256 word = _load(from + y * step.sourceRow);
                    lanes = largest ? Lanes.max(lanes, word) : lanes + word;
                }
                uint256 result = lanes;
                for (uint256 x = 1; x < size; ++x) {
                    lanes <<= 16;
                    result = largest ? Lanes.max(result, lanes) : result + lanes;
                }
                if (!largest) {
                    uint256 shift = layer.shift;
                    result = result + (1 << shift >> 1) * ONES >> shift & (0xffff >> shift) * ONES;
                }
                uint256 count = 16 / size;
                _write(result, to, size, left < count ? left : count);
                if (left <= count) return;
                left -= count;
                from += 2 * count * size;
                to += 2 * count;
            }
        }
    }

    /// @dev Writes the `count` lanes that are `size` lanes apart, side by side.
    function _write(uint256 lanes, uint256 target, uint256 size, uint256 count) private pure {
        unchecked {
            if (size == 2) {
                lanes = Lanes.even(lanes) >> 256 - 16 * count << 256 - 16 * count;
                assembly ("memory-safe") {
                    mstore(target, lanes)
                }
                return;
            }
            assembly ("memory-safe") {
                for { let end := add(target, mul(2, count)) } lt(target, end) { target := add(target, 2) } {
                    mstore8(add(target, 1), shr(240, lanes))
                    lanes := shl(mul(16, size), lanes)
                }
            }
        }
    }

    function _load(uint256 pointer) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(pointer)
        }
    }
}
