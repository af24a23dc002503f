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
            uint256 size = layer.kernel;
            for (uint256 plane = 0; plane < layer.outputs; ++plane) {
                uint256 from = step.source + plane * step.sourcePlane;
                uint256 to = step.target + plane * step.targetPlane;
                for (uint256 y = 0; y < layer.outHeight; ++y) {
                    if (layer.kind == MAX_POOLING) _maxima(from, step.sourceRow, to, size, layer.outWidth);
                    else _sums(from, step.sourceRow, to, size, layer.outWidth, layer.shift);
                    from += size * step.sourceRow;
                    to += step.targetRow;
                }
            }
        }
    }

    /// @dev A row of outputs: the largest value of each square.
    function _maxima(uint256 from, uint256 row, uint256 to, uint256 size, uint256 width) private pure {
        unchecked {
            while (true) {
                uint256 lanes = _load(from);
                for (uint256 y = 1; y < size; ++y) lanes = Lanes.max(lanes, _load(from + y * row));
                uint256 result = lanes;
                for (uint256 x = 1; x < size; ++x) {
                    lanes <<= 16;
                    result = Lanes.max(result, lanes);
                }
                uint256 count = 16 / size;
                if (width <= count) {
                    _write(result, to, size, width);
                    return;
                }
                _write(result, to, size, count);
                width -= count;
                from += 2 * count * size;
                to += 2 * count;
            }
        }
    }

    /// @dev A row of outputs: `(Σ + half) >> shift` of each square.
    function _sums(uint256 from, uint256 row, uint256 to, uint256 size, uint256 width, uint256 shift) private pure {
        unchecked {
            while (true) {
                uint256 lanes = _load(from);
                for (uint256 y = 1; y < size; ++y) lanes += _load(from + y * row);
                uint256 result = lanes + (1 << shift >> 1) * ONES;
                for (uint256 x = 1; x < size; ++x) {
                    lanes <<= 16;
                    result += lanes;
                }
                result = result >> shift & (0xffff >> shift) * ONES;
                uint256 count = 16 / size;
                if (width <= count) {
                    _write(result, to, size, width);
                    return;
                }
                _write(result, to, size, count);
                width -= count;
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
