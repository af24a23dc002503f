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
    /// @dev Where {addSpread} finds, for halves of 16, 8, 4 and 2 fields, how far apart they go and what masks them then.
    uint256 private constant SPREAD = 0x480;
    /// @dev Where {addRow} finds fields of `Rows`: bytes of sums that are used for a word, and of all of them; and bits.
    uint256 private constant USED = 0x480;
    uint256 private constant FIELDS = 0x4a0;
    uint256 private constant BITS = 0x4c0;
    uint256 private constant TOP = 0x4e0;
    uint256 private constant WORD_BITS = 0x500;
    uint256 private constant MASK = 0x520;
    uint256 private constant FLIP = 0x540;
    uint256 private constant SUMS = 0x560;
    uint256 private constant END = 0x580;

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
                step.seen = Plan.allocate(count * 5 / 4 + 64);
                if (!layer.streamed) {
                    Weights.expandTernary(step.weights, step.seen, count);
                    step.weights = 8 * step.seen;
                }
            }
            // The lanes of a word may be more than there are outputs.
            step.inputs = Plan.allocate(32 * layer.outputs + 1024);
            if (layer.kind == LOGITS) step.target = step.inputs;
            Rows memory rows;
            uint256 bits = Weights.fieldBits(layer.format);
            bool narrow = layer.fanIn * layer.maxInput * ((1 << bits) - 1) < 1 << (bits == 3 ? 15 : 16);
            uint256 fields = narrow ? 16 / bits : (31 + bits) / bits;
            rows.bits = bits;
            rows.flip = Weights.flipOf(layer.format);
            rows.spread = narrow && layer.outputs <= 16 && !layer.streamed;
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
            }
            if (rows.spread) {
                assembly ("memory-safe") {
                    // Masks of 8 fields in each half of a word, 4 in each quarter, 2 in each eighth, 1 in each lane.
                    let at8 := SPREAD
                    for { let count := 8 } count { count := shr(1, count) } {
                        mstore(at8, mul(count, sub(16, bits)))
                        let mask := sub(shl(mul(count, bits), 1), 1)
                        for { let i := mul(16, count) } lt(i, 256) { i := shl(1, i) } { mask := or(mask, shl(i, mask)) }
                        mstore(add(at8, 32), mask)
                        at8 := add(at8, 64)
                    }
                }
                return;
            }
            assembly ("memory-safe") {
                mstore(SUMS, sums)
                mstore(END, add(sums, size))
                mstore(BITS, bits)
            }
            (uint256 used, uint256 fields, uint256 top) = (32 * rows.used, 32 * rows.fields, rows.lane - bits);
            assembly ("memory-safe") {
                mstore(USED, used)
                mstore(FIELDS, fields)
                mstore(TOP, top)
            }
            (uint256 wordBits, uint256 mask, uint256 flip) = (bits * rows.perWord, rows.mask, rows.flip);
            assembly ("memory-safe") {
                mstore(WORD_BITS, wordBits)
                mstore(MASK, mask)
                mstore(FLIP, flip)
            }
        }
    }

    /// @notice Adds `x` times a row of weights to the sums: of each lane four fields at a time. What is too much adds 0, or
    ///         to sums that nobody reads.
    /// @param place The bit where the row begins.
    function addRow(uint256 place, uint256 x) internal pure {
        // Never; see {Convolution-_addOutputs}.
        if (x == 0) return;
        assembly ("memory-safe") {
            let mask := mload(MASK)
            let bits := mload(BITS)
            for { let sums := mload(SUMS) } lt(sums, mload(END)) { sums := add(sums, mload(FIELDS)) } {
                // As {Weights-window}.
                let row := shr(3, place)
                row := or(shl(and(place, 7), mload(row)), shr(sub(8, and(place, 7)), byte(0, mload(add(row, 32)))))
                row := xor(row, mload(FLIP))
                place := add(place, mload(WORD_BITS))
                let shift := mload(TOP)
                for { let sum := sums } lt(sum, add(sums, mload(USED))) { sum := add(sum, 128) } {
                    mstore(sum, add(mload(sum), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                    let next := add(sum, 32)
                    mstore(next, add(mload(next), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                    next := add(sum, 64)
                    mstore(next, add(mload(next), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                    next := add(sum, 96)
                    mstore(next, add(mload(next), mul(x, and(shr(shift, row), mask))))
                    shift := sub(shift, bits)
                }
            }
        }
    }

    /// @notice Adds the rows of `count` inputs that lie side by side, spread to lanes.
    /// @param place The bit where the first row begins; rows are `rowBits` apart.
    function addSpread(Rows memory rows, uint256 source, uint256 count, uint256 place, uint256 rowBits)
        internal
        pure
        returns (uint256 total)
    {
        unchecked {
            (uint256 sums, uint256 flip, uint256 down) = (rows.sums, rows.flip, 256 - 16 * rows.bits);
            assembly ("memory-safe") {
                mstore(0, flip)
                mstore(0x20, down)
            }
            while (count != 0) {
                uint256 lanes;
                assembly ("memory-safe") {
                    lanes := mload(source)
                    source := add(source, 32)
                }
                if (count < 16) {
                    lanes = lanes >> 256 - 16 * count << 256 - 16 * count;
                    count = 16;
                }
                count -= 16;
                assembly ("memory-safe") {
                    let sum := mload(sums)
                    // Nothing is left once the last of them that is not 0 has been shifted out.
                    for { let row := place } lanes { row := add(row, rowBits) } {
                        let x := shr(240, lanes)
                        if x {
                            total := add(total, x)
                            let f := shr(mload(0x20), xor(shl(and(row, 7), mload(shr(3, row))), mload(0)))
                            f := and(or(f, shl(mload(SPREAD), f)), mload(add(SPREAD, 0x20)))
                            f := and(or(f, shl(mload(add(SPREAD, 0x40)), f)), mload(add(SPREAD, 0x60)))
                            f := and(or(f, shl(mload(add(SPREAD, 0x80)), f)), mload(add(SPREAD, 0xa0)))
                            f := and(or(f, shl(mload(add(SPREAD, 0xc0)), f)), mload(add(SPREAD, 0xe0)))
                            sum := add(sum, mul(x, f))
                        }
                        lanes := shl(16, lanes)
                    }
                    mstore(sums, sum)
                }
                place += 16 * rowBits;
            }
        }
    }

    /// @notice Writes activations, or leaves logits, a word each, where {prepare} said.
    /// @param total Σ x.
    function finish(Step memory step, uint256 words, uint256 total) internal pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 pointer = step.inputs;
            _inOrder(step.rows, pointer, pointer + 32 * layer.outputs);
            (uint256 offset, uint256 odd) = Weights.offsetOf(layer.format);
            offset *= total;
            uint256 target = step.target;
            uint256 bias = 8 * words + layer.biases;
            uint256 multiplier = layer.multiplier;
            uint256 place = 8 * words + layer.multipliers;
            for (uint256 j = 0; j < layer.outputs; ++j) {
                uint256 accumulator = Weights.signedAt(bias, layer.biasBits) << layer.biasShift;
                bias += layer.biasBits;
                assembly ("memory-safe") {
                    accumulator := add(accumulator, sub(shl(odd, mload(pointer)), offset))
                    mstore(pointer, accumulator)
                    pointer := add(pointer, 32)
                }
                if (layer.kind == LOGITS) continue;
                if (layer.multiplierBits != 0) {
                    multiplier = Weights.unsignedAt(place, layer.multiplierBits) + 1;
                    place += layer.multiplierBits;
                }
                uint256 activation = requantize(layer, accumulator, multiplier, step.source + j * step.sourcePlane);
                assembly ("memory-safe") {
                    mstore8(add(target, 1), activation)
                }
                target += step.targetPlane;
            }
        }
    }

    /// @dev Takes the sums out of their lanes: that of output 0 to `to`, and the others behind it.
    function _inOrder(Rows memory rows, uint256 to, uint256 end) private pure {
        unchecked {
            (uint256 sums, uint256 lane, uint256 size) = (rows.sums, rows.lane, 32 * rows.fields);
            assembly ("memory-safe") {
                // By words of a row, lanes of a word, fields of a lane.
                for {} lt(to, end) { sums := add(sums, size) } {
                    for { let shift := sub(256, lane) } and(lt(shift, 256), lt(to, end)) { shift := sub(shift, lane) } {
                        for { let i := 0 } lt(i, size) { i := add(i, 32) } {
                            mstore(to, and(shr(shift, mload(add(sums, i))), sub(shl(lane, 1), 1)))
                            to := add(to, 32)
                        }
                    }
                }
            }
        }
    }

    /// @notice `min((max(acc, 0) · m + 2^(s − 1)) >> s, 2^a − 1)`, and where the layer is residual `min(… + x, 2^a − 1)`, `x`
    ///         being the input at an address.
    function requantize(Layer memory layer, uint256 accumulator, uint256 multiplier, uint256 skipped)
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
                uint256 x;
                assembly ("memory-safe") {
                    x := shr(240, mload(skipped))
                }
                activation += x;
                if (activation > most) activation = most;
            }
        }
    }
}
