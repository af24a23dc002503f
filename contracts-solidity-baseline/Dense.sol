// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LOGITS, Layer, TERNARY} from "./Header.sol";
import {Plan, Rows, Step} from "./Plan.sol";
import {Weights} from "./Weights.sol";

/// @title  Dense
/// @notice The weights of an input lie side by side, fields of `b` bits. Lanes of `b · f` bits cut a word of them into lanes
///         with `f` fields each; masked, the `s`-th fields of all lanes are a vector that one multiplication scales:
///
///             sums[s] += x · ((row >> (b · (f − 1 − s))) & mask)
///
///         so that nothing is unpacked. Where a row has few fields, they are spread to a lane each instead.
/// @dev    `f` is such that a lane holds the largest sum: lanes of 16 bits or 15, or of 32 or 33. Fields are unsigned, and
///         what that adds is taken off in the end.
library Dense {
    /// @dev Where {_addSpread} finds, for halves of 16, 8, 4 and 2 fields, how far apart they go and what masks them then.
    uint256 private constant SPREAD = 0x480;

    // ── Once a call ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Finds out where the weights of a step are; ternary ones that are not streamed become fields of 2 bits.
    /// @param words Where word 0 lies.
    function prepare(Step memory step, uint256 words) internal pure {
        unchecked {
            Layer memory layer = step.layer;
            step.weights = 8 * words + layer.weights;
            if (layer.format == TERNARY) {
                // Of streamed ones, a row is expanded when it is used.
                uint256 count = (layer.outputs * (layer.streamed ? 1 : layer.fanIn) + 4) / 5 + 1;
                step.inputs = Plan.allocate(count * 5 / 4 + 64);
                if (!layer.streamed) {
                    Weights.expandTernary(step.weights, step.inputs, count);
                    step.weights = 8 * step.inputs;
                }
            }
            Rows memory rows;
            uint256 bits = Weights.fieldBits(layer.format);
            bool narrow = layer.fanIn * layer.maxInput * ((1 << bits) - 1) < 1 << (bits == 3 ? 15 : 16);
            uint256 fields = narrow ? 16 / bits : (31 + bits) / bits;
            rows.bits = bits;
            rows.flip = Weights.flipOf(layer.format);
            rows.spread = narrow && layer.outputs <= 16;
            if (rows.spread) {
                (rows.lane, rows.fields, rows.perWord, rows.words, rows.used) = (16, 1, 16, 1, 1);
                rows.sums = Plan.allocate(32);
                step.rows = rows;
                return;
            }
            {
                uint256 lane = bits * fields;
                uint256 lanes = 256 / lane;
                (rows.lane, rows.fields, rows.perWord) = (lane, fields, lanes * fields);
                rows.words = (layer.outputs + rows.perWord - 1) / rows.perWord;
                rows.used = layer.outputs < fields ? layer.outputs : fields;
                // Room for four more, as they are added four at a time.
                rows.sums = Plan.allocate(32 * fields * rows.words + 128);
                uint256 mask;
                for (uint256 i = 0; i < lanes; ++i) mask = mask << lane | (1 << bits) - 1;
                rows.mask = mask << 256 - lanes * lane;
            }
            step.rows = rows;
        }
    }

    // ── Once an image ──────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Makes ready for rows.
    function begin(Rows memory rows) internal pure {
        unchecked {
            (uint256 sums, uint256 size) = (rows.sums, 32 * rows.fields * rows.words);
            uint256 bits = rows.bits;
            assembly ("memory-safe") {
                calldatacopy(sums, calldatasize(), size)
                let apart := sub(16, bits)
                let field := sub(shl(bits, 1), 1)
                // Masks of 8 fields in each half of a word, 4 in each quarter, 2 in each eighth, 1 in each lane.
                let at8 := SPREAD
                for { let count := 8 } count { count := shr(1, count) } {
                    mstore(at8, mul(count, apart))
                    let mask := sub(shl(mul(count, bits), 1), 1)
                    for { let i := mul(16, count) } lt(i, 256) { i := shl(1, i) } { mask := or(mask, shl(i, mask)) }
                    mstore(add(at8, 32), mask)
                    at8 := add(at8, 64)
                }
            }
        }
    }

    /// @notice Adds `x` times a row of weights to the sums.
    /// @param place The bit where the row begins.
    function addRow(Rows memory rows, uint256 place, uint256 x) internal pure {
        unchecked {
            uint256 sums = rows.sums;
            if (rows.spread) {
                _addSpread(sums, (Weights.window(place) ^ rows.flip) >> 256 - 16 * rows.bits, x);
                return;
            }
            for (uint256 words = rows.words; words != 0; --words) {
                _addWord(rows, sums, Weights.window(place) ^ rows.flip, x);
                place += rows.bits * rows.perWord;
                sums += 32 * rows.fields;
            }
        }
    }

    /// @dev 16 fields, spread to lanes.
    function _addSpread(uint256 sums, uint256 row, uint256 x) private pure {
        assembly ("memory-safe") {
            row := and(or(row, shl(mload(SPREAD), row)), mload(add(SPREAD, 0x20)))
            row := and(or(row, shl(mload(add(SPREAD, 0x40)), row)), mload(add(SPREAD, 0x60)))
            row := and(or(row, shl(mload(add(SPREAD, 0x80)), row)), mload(add(SPREAD, 0xa0)))
            row := and(or(row, shl(mload(add(SPREAD, 0xc0)), row)), mload(add(SPREAD, 0xe0)))
            mstore(sums, add(mload(sums), mul(x, row)))
        }
    }

    /// @dev A word of fields, four at a time of each lane. What is too much adds 0, or to sums that nobody reads.
    function _addWord(Rows memory rows, uint256 sums, uint256 row, uint256 x) private pure {
        unchecked {
            (uint256 bits, uint256 mask, uint256 end) = (rows.bits, rows.mask, sums + 32 * rows.used);
            uint256 shift = rows.lane - bits;
            assembly ("memory-safe") {
                for {} lt(sums, end) { sums := add(sums, 128) } {
                    mstore(sums, add(mload(sums), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                    let next := add(sums, 32)
                    mstore(next, add(mload(next), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                    next := add(sums, 64)
                    mstore(next, add(mload(next), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                    next := add(sums, 96)
                    mstore(next, add(mload(next), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                }
            }
        }
    }

    /// @notice Writes activations, or logits a word each.
    /// @param total Σ x.
    function finish(Step memory step, uint256 words, uint256 total) internal pure {
        unchecked {
            Layer memory layer = step.layer;
            (uint256 offset, uint256 odd) = Weights.offsetOf(layer.format);
            offset *= total;
            uint256 target = step.target;
            uint256 biasAt = 8 * words + layer.biases;
            for (uint256 j = 0; j < layer.outputs; ++j) {
                uint256 accumulator = _sum(step.rows, j) << odd;
                accumulator += (Weights.signedAt(biasAt, layer.biasBits) << layer.biasShift) - offset;
                biasAt += layer.biasBits;
                if (layer.kind == LOGITS) {
                    assembly ("memory-safe") {
                        mstore(target, accumulator)
                    }
                    target += 32;
                    continue;
                }
                uint256 multiplier = layer.multiplier;
                if (layer.multiplierBits != 0) {
                    uint256 place = 8 * words + layer.multipliers + j * layer.multiplierBits;
                    multiplier = Weights.unsignedAt(place, layer.multiplierBits) + 1;
                }
                uint256 x = step.source + j * step.sourcePlane;
                assembly ("memory-safe") {
                    x := shr(240, mload(x))
                }
                uint256 activation = requantize(layer, accumulator, multiplier, x);
                assembly ("memory-safe") {
                    mstore8(add(target, 1), activation)
                }
                target += step.targetPlane;
            }
        }
    }

    /// @dev The sum of output `j`.
    function _sum(Rows memory rows, uint256 j) private pure returns (uint256 sum) {
        unchecked {
            (uint256 sums, uint256 perWord, uint256 fields, uint256 lane) =
                (rows.sums, rows.perWord, rows.fields, rows.lane);
            assembly ("memory-safe") {
                let inWord := mod(j, perWord)
                let word := mload(add(sums, shl(5, add(mul(div(j, perWord), fields), mod(inWord, fields)))))
                let shift := sub(256, mul(lane, add(div(inWord, fields), 1)))
                sum := and(shr(shift, word), sub(shl(lane, 1), 1))
            }
        }
    }

    /// @notice `min((max(acc, 0) · m + 2^(s − 1)) >> s, 2^a − 1)`, and where the layer is residual `min(… + x, 2^a − 1)`.
    function requantize(Layer memory layer, uint256 accumulator, uint256 multiplier, uint256 x)
        internal
        pure
        returns (uint256 activation)
    {
        unchecked {
            uint256 most = layer.most;
            if (int256(accumulator) > 0) {
                activation = accumulator * multiplier + (1 << layer.shift - 1) >> layer.shift;
                if (activation > most) activation = most;
            }
            if (layer.residual != 0) {
                activation += x;
                if (activation > most) activation = most;
            }
        }
    }
}
