// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Layer, TERNARY} from "./Header.sol";
import {LANE_MAX, Lanes, ONES} from "./Lanes.sol";
import {Network, Plan, Step} from "./Plan.sol";
import {Dense} from "./Dense.sol";
import {Weights} from "./Weights.sol";

/// @dev What a dot product multiplies lies at addresses that the code knows: inputs, weights, and as many bytes of each.
///      What is allocated begins behind them.
uint256 constant INPUTS = 0x600;
uint256 constant WEIGHTS = 0x1200;
uint256 constant DOT_BYTES = 0xc00;
uint256 constant HEAP = 0x1e00;
/// @dev Below are numbers that loops find at addresses that the code knows, and what the compiler keeps for itself.
uint256 constant RESERVED = 0x480;

/// @title  Convolution
/// @notice A row of a kernel as one number, `W = Σ_kx w[kx] · 2^(16 · kx)`, times 16 values of a row of inputs in lanes, is a
///         polynomial product: its lane `i` is `Σ_kx w[kx] · x[i + kx]`, for the `17 − k` lanes that see all the `x` they
///         need. One multiplication, 5 gas, for `k · (17 − k)` multiply-adds. The sum of it over rows of the kernel and input
///         planes is 17 − k accumulators.
///
///         Rows of a plane have zeros between them that serve as padding, so that a plane is one long row, which words
///         follow from end to end. What comes out between rows is masked.
/// @dev    All of it is exact modulo 2^256, lanes being signed digits; 2^15 added to each lane makes them unsigned, because
///         the header's bound on accumulators is below 2^15. Where it is not, each value is multiplied by itself.
library Convolution {
    /// @dev The bytes of an entry.
    uint256 private constant ENTRY = 96;
    uint256 private constant LANE_MAXES = 0x7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff7fff;
    /// @dev Where {_addOutputs} finds what stays the same, so that its loop has room on the stack.
    uint256 private constant SHIFT = 0x480;
    uint256 private constant HALF = 0x4a0;
    uint256 private constant PLANE = 0x4c0;
    /// @dev Inputs of a dot product that is too long for its buffers, and the bytes of weights that it copies to them.
    uint256 private constant LONG = 0x4e0;
    uint256 private constant COPIED = 0x500;
    /// @dev Whether there is more to do than what most convolutions are: where products of requantization have 32 bits, the
    ///      bits of them that are results, else 0; the stride.
    uint256 private constant SPECIAL = 0x520;
    uint256 private constant WIDE = 0x540;
    uint256 private constant STRIDE = 0x560;
    /// @dev Not 0 where activations have to be limited once more, because inputs are added or because one accumulator more
    ///      is several activations more: the bits of each lane that are its own. Then `2^15 − 1 − (2^a − 1)` in each lane;
    ///      where inputs lie that are added, or 0, and how far their planes are apart.
    uint256 private constant CLEAR = 0x580;
    uint256 private constant ROOM = 0x5a0;
    uint256 private constant SKIPPED = 0x5c0;
    uint256 private constant SKIP_PLANE = 0x5e0;

    /// @dev 1 in each second lane.
    uint256 private constant WIDE_ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;

    // ── Once a call ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Unpacks the parameters of a step: for each output an entry, see {_makeEntries}, and its weights. A layer that is
    ///         applied again takes those that there are.
    function prepare(Network memory network, Step memory step) internal pure {
        unchecked {
            Layer memory layer = step.layer;
            step.lanes = _fitsLanes(layer);
            step.seen = step.source - layer.padding * (step.sourceRow + 2);
            uint256 taps = 1;
            step.count = 1;
            if (step.lanes) {
                taps = layer.kernel;
                step.count = (16 - taps) / layer.stride + 1;
                _makePattern(step, network.steps[layer.index == 0 ? 0 : layer.index - 1]);
            }
            uint256 rows = layer.fanIn / taps;
            step.size = 32 * rows;
            for (uint256 i = 0; i < layer.index; ++i) {
                Step memory earlier = network.steps[i];
                if (earlier.layer.weights != layer.weights || earlier.lanes != step.lanes) continue;
                if (earlier.layer.kind != layer.kind) continue;
                (step.weights, step.inputs) = (earlier.weights, earlier.inputs);
                return;
            }
            // Where a dot product finds its inputs.
            step.inputs = step.size <= DOT_BYTES ? INPUTS : Plan.allocate(step.size);
            uint256 place = 8 * network.words + layer.weights;
            if (layer.format == TERNARY) {
                uint256 count = (layer.outputs * layer.fanIn + 4) / 5;
                uint256 digits = Plan.allocate(count * 5 / 4 + 64);
                Weights.expandTernary(place, digits, count);
                place = 8 * digits;
            }
            step.weights = Plan.allocate((ENTRY + step.size) * layer.outputs + ENTRY);
            Weights.unpack(place, step.weights, layer.outputs, rows, taps, layer.format);
            _makeEntries(step, 8 * network.words);
        }
    }

    /// @dev Whether no accumulator exceeds 2^15 − 1, and requantization can be done in lanes: `m ≤ 128 · 2^s`, so that the
    ///      smallest accumulator that gives the largest activation does not go far beyond it, and `s ≤ 31`.
    function _fitsLanes(Layer memory layer) private pure returns (bool) {
        unchecked {
            (uint256 offset,) = Weights.offsetOf(layer.format);
            uint256 bound = layer.fanIn * layer.maxInput * offset + (1 << layer.biasBits - 1 + layer.biasShift);
            return bound <= LANE_MAX && _maxMultiplier(layer) <= 128 << layer.shift && layer.shift <= 31;
        }
    }

    function _maxMultiplier(Layer memory layer) private pure returns (uint256) {
        return layer.multiplierBits == 0 ? layer.multiplier : 1 << layer.multiplierBits;
    }

    /// @dev An entry has three words, before the weights of its output: `b << biasShift`, in lanes with 2^15 added; `m`; and in
    ///      lanes `2^15 − 1 − τ`, where `τ = ⌈((2^a − 1) · 2^s − 2^(s−1)) / m⌉` is the smallest accumulator that gives the
    ///      largest activation.
    function _makeEntries(Step memory step, uint256 words) private pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 entry = step.weights;
            uint256 stride = ENTRY + step.size;
            uint256 top = (layer.most << layer.shift) - (1 << layer.shift - 1);
            bool lanes = step.lanes;
            uint256 multiplier = layer.multiplier;
            uint256 room = lanes && multiplier != 0 ? _room(top, multiplier) : 0;
            uint256 multiplierAt = words + layer.multipliers;
            (uint256 biasAt, uint256 biasBits, uint256 biasShift) = (words + layer.biases, layer.biasBits, layer.biasShift);
            for (uint256 end = entry + stride * layer.outputs; entry < end; entry += stride) {
                uint256 bias = Weights.signedAt(biasAt, biasBits) << biasShift;
                biasAt += biasBits;
                if (lanes) bias = (bias + 0x8000) * ONES;
                if (layer.multiplierBits != 0) {
                    multiplier = Weights.unsignedAt(multiplierAt, layer.multiplierBits) + 1;
                    multiplierAt += layer.multiplierBits;
                    if (lanes) room = _room(top, multiplier);
                }
                assembly ("memory-safe") {
                    mstore(entry, bias)
                    mstore(add(entry, 32), multiplier)
                    mstore(add(entry, 64), room)
                }
            }
        }
    }

    function _room(uint256 top, uint256 multiplier) private pure returns (uint256) {
        unchecked {
            uint256 largest = (top + multiplier - 1) / multiplier;
            return largest < LANE_MAX ? (LANE_MAX - largest) * ONES : 0;
        }
    }

    /// @dev Makes the pattern of a step in lanes, or takes that of the step before. With stride 1, a row of outputs is as
    ///         long as its memory, and all rows are written as one.
    function _makePattern(Step memory step, Step memory before) private pure {
        unchecked {
            Layer memory layer = step.layer;
            bool same = before.pattern != 0 && layer.most == before.layer.most && layer.stride == before.layer.stride
                && layer.outHeight == before.layer.outHeight && layer.outWidth == before.layer.outWidth
                && step.targetRow == before.targetRow;
            if (same) {
                step.pattern = before.pattern;
                return;
            }
            uint256 rows = layer.stride == 1 ? layer.outHeight : 1;
            uint256 row = step.targetRow;
            uint256 pointer = Plan.allocate(rows * row + 96);
            step.pattern = pointer;
            uint256 lanes = Lanes.splat(layer.most);
            uint256 width = 2 * layer.outWidth;
            for (uint256 end = pointer + rows * row; pointer < end; pointer += row) {
                assembly ("memory-safe") {
                    let x := 0
                    for {} lt(add(x, 31), width) { x := add(x, 32) } { mstore(add(pointer, x), lanes) }
                    // The rest of the row, and zeros that the next row may overwrite.
                    let rest := mul(8, sub(width, x))
                    mstore(add(pointer, x), shl(sub(256, rest), shr(sub(256, rest), lanes)))
                }
            }
        }
    }

    // ── Once an image ──────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Runs a step.
    function run(Step memory step) internal pure {
        unchecked {
            Layer memory layer = step.layer;
            _setConstants(step);
            uint256 planes = layer.planes / layer.groups;
            for (uint256 group = 0; group < layer.groups; ++group) {
                uint256 seen = step.seen + group * planes * step.sourcePlane;
                if (step.lanes && layer.stride == 1) {
                    // All rows are one.
                    uint256 end = 2 * layer.outWidth + (layer.outHeight - 1) * step.sourceRow;
                    for (uint256 i = 0; i < end; i += 2 * step.count) {
                        _gatherRows(step, seen + i, planes);
                        _addWord(step, group, i, i, i);
                    }
                } else {
                    for (uint256 y = 0; y < layer.outHeight; ++y) {
                        _runRow(step, group, seen + y * layer.stride * step.sourceRow, y);
                    }
                }
            }
        }
    }

    /// @dev A row of outputs in each plane of a group, with a stride, or value by value.
    function _runRow(Step memory step, uint256 group, uint256 seen, uint256 y) private pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 planes = layer.planes / layer.groups;
            for (uint256 x = 0; x < layer.outWidth; x += step.count) {
                uint256 from = seen + 2 * x * layer.stride;
                uint256 to = y * step.targetRow + 2 * x;
                uint256 skipped = y * step.sourceRow + 2 * x;
                if (step.lanes) {
                    _gatherRows(step, from, planes);
                    _addWord(step, group, to, skipped, 2 * x);
                } else {
                    _gatherValues(step, from, planes);
                    _addValues(step, group, to, skipped);
                }
            }
        }
    }

    /// @dev See the addresses above.
    function _setConstants(Step memory step) private pure {
        unchecked {
            Layer memory layer = step.layer;
            (uint256 size, uint256 inputs) = (step.size, step.inputs);
            assembly ("memory-safe") {
                // A dot product runs over the next size that it is made for: what is too much is 0.
                if lt(size, DOT_BYTES) { calldatacopy(add(INPUTS, size), calldatasize(), sub(DOT_BYTES, size)) }
                mstore(LONG, inputs)
                mstore(COPIED, size)
                if gt(size, DOT_BYTES) { mstore(COPIED, DOT_BYTES) }
            }
            (uint256 shift, uint256 plane, uint256 stride) = (layer.shift, step.targetPlane, layer.stride);
            // Products have 16 bits if they fit: accumulators are limited to what gives the largest activation.
            bool wide = (layer.most << shift) + _maxMultiplier(layer) > 1 << 16;
            bool limited = layer.residual != 0 || _maxMultiplier(layer) > 1 << shift;
            bool special = wide || limited || stride != 1;
            uint256 results = wide ? (0xffffffff >> shift & 0xffff) * WIDE_ONES : 0;
            assembly ("memory-safe") {
                mstore(SHIFT, shift)
                mstore(HALF, shl(sub(shift, 1), ONES))
                if wide { mstore(HALF, shl(sub(shift, 1), WIDE_ONES)) }
                mstore(WIDE, results)
                mstore(PLANE, plane)
                mstore(STRIDE, stride)
                mstore(SPECIAL, special)
            }
            uint256 room = (LANE_MAX - layer.most) * ONES;
            uint256 clear = wide ? type(uint256).max : (0xffff >> shift) * ONES;
            if (!limited) clear = 0;
            plane = step.sourcePlane;
            assembly ("memory-safe") {
                mstore(SKIP_PLANE, plane)
                mstore(ROOM, room)
                mstore(CLEAR, clear)
            }
        }
    }

    /// @dev Copies what a word of outputs sees, a word for each plane and row of the kernel.
    function _gatherRows(Step memory step, uint256 source, uint256 planes) private pure {
        unchecked {
            Layer memory layer = step.layer;
            (uint256 row, uint256 plane) = (step.sourceRow, step.sourcePlane);
            uint256 end = source + planes * plane;
            uint256 target = step.inputs;
            if (layer.kernel == 3 && step.size <= DOT_BYTES) {
                assembly ("memory-safe") {
                    for {} lt(source, end) { source := add(source, plane) } {
                        mstore(target, mload(source))
                        let next := add(source, row)
                        mstore(add(target, 32), mload(next))
                        mstore(add(target, 64), mload(add(next, row)))
                        target := add(target, 96)
                    }
                }
                return;
            }
            {
                uint256 rows = layer.kernel * row;
                assembly ("memory-safe") {
                    for {} lt(source, end) { source := add(source, plane) } {
                        let last := add(source, rows)
                        for { let from := source } lt(from, last) { from := add(from, row) } {
                            mstore(target, mload(from))
                            target := add(target, 32)
                        }
                    }
                }
            }
            if (step.size > DOT_BYTES) {
                uint256 inputs = step.inputs;
                assembly ("memory-safe") {
                    mcopy(INPUTS, inputs, DOT_BYTES)
                }
            }
        }
    }

    /// @dev The same for one output, a word for each value.
    function _gatherValues(Step memory step, uint256 source, uint256 planes) private pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 target = step.inputs;
            for (; planes != 0; --planes) {
                uint256 from = source;
                for (uint256 y = 0; y < layer.kernel; ++y) {
                    for (uint256 x = 0; x < layer.kernel; ++x) {
                        assembly ("memory-safe") {
                            mstore(target, shr(240, mload(add(from, shl(1, x)))))
                            target := add(target, 32)
                        }
                    }
                    from += step.sourceRow;
                }
                source += step.sourcePlane;
            }
        }
    }

    /// @dev A word of outputs in each plane of a group. The other arguments are bytes from the beginning of a plane: of outputs,
    ///      of inputs that are added, and of the pattern.
    function _addWord(Step memory step, uint256 group, uint256 to, uint256 skipped, uint256 pattern) private pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 outputs = layer.outputs / layer.groups;
            to += step.target + group * outputs * step.targetPlane;
            skipped = layer.residual == 0 ? 0 : skipped + step.source + group * outputs * step.sourcePlane;
            uint256 entry = step.weights + group * outputs * (ENTRY + step.size);
            pattern += step.pattern;
            assembly ("memory-safe") {
                mstore(SKIPPED, skipped)
                pattern := mload(pattern)
            }
            _addOutputs(entry, entry + outputs * (ENTRY + step.size), step.size, to, pattern);
        }
    }

    /// @dev For each entry from `entry` to `end`: the dot product of what was gathered with its weights, and its bias; of that,
    ///      `(min(max(v, 0), τ) · m + 2^(s − 1)) >> s`.
    function _addOutputs(uint256 entry, uint256 end, uint256 size, uint256 to, uint256 pattern) private pure {
        // Never; but a function with an early return is not merged into others by the compiler, and keeps the stack for itself.
        if (entry == end) return;
        assembly ("memory-safe") {
            // The addresses of `INPUTS` and `WEIGHTS` are written out: that makes a product cost 20 gas, and copying worth its
            // while.
            for {} lt(entry, end) { entry := add(entry, add(size, ENTRY)) } {
                mcopy(WEIGHTS, add(entry, ENTRY), mload(COPIED))
                let lanes := mload(entry)
                lanes := add(lanes, mul(mload(0x600), mload(0x1200)))
                lanes := add(lanes, mul(mload(0x620), mload(0x1220)))
                lanes := add(lanes, mul(mload(0x640), mload(0x1240)))
                if gt(size, 0x60) {
                    lanes := add(lanes, mul(mload(0x660), mload(0x1260)))
                    lanes := add(lanes, mul(mload(0x680), mload(0x1280)))
                    lanes := add(lanes, mul(mload(0x6a0), mload(0x12a0)))
                    lanes := add(lanes, mul(mload(0x6c0), mload(0x12c0)))
                    lanes := add(lanes, mul(mload(0x6e0), mload(0x12e0)))
                    lanes := add(lanes, mul(mload(0x700), mload(0x1300)))
                    lanes := add(lanes, mul(mload(0x720), mload(0x1320)))
                    lanes := add(lanes, mul(mload(0x740), mload(0x1340)))
                    lanes := add(lanes, mul(mload(0x760), mload(0x1360)))
                    if gt(size, 0x180) {
                        lanes := add(lanes, mul(mload(0x780), mload(0x1380)))
                        lanes := add(lanes, mul(mload(0x7a0), mload(0x13a0)))
                        lanes := add(lanes, mul(mload(0x7c0), mload(0x13c0)))
                        lanes := add(lanes, mul(mload(0x7e0), mload(0x13e0)))
                        lanes := add(lanes, mul(mload(0x800), mload(0x1400)))
                        lanes := add(lanes, mul(mload(0x820), mload(0x1420)))
                        lanes := add(lanes, mul(mload(0x840), mload(0x1440)))
                        lanes := add(lanes, mul(mload(0x860), mload(0x1460)))
                        lanes := add(lanes, mul(mload(0x880), mload(0x1480)))
                        lanes := add(lanes, mul(mload(0x8a0), mload(0x14a0)))
                        lanes := add(lanes, mul(mload(0x8c0), mload(0x14c0)))
                        lanes := add(lanes, mul(mload(0x8e0), mload(0x14e0)))
                        if gt(size, 0x300) {
                            lanes := add(lanes, mul(mload(0x900), mload(0x1500)))
                            lanes := add(lanes, mul(mload(0x920), mload(0x1520)))
                            lanes := add(lanes, mul(mload(0x940), mload(0x1540)))
                            lanes := add(lanes, mul(mload(0x960), mload(0x1560)))
                            lanes := add(lanes, mul(mload(0x980), mload(0x1580)))
                            lanes := add(lanes, mul(mload(0x9a0), mload(0x15a0)))
                            lanes := add(lanes, mul(mload(0x9c0), mload(0x15c0)))
                            lanes := add(lanes, mul(mload(0x9e0), mload(0x15e0)))
                            lanes := add(lanes, mul(mload(0xa00), mload(0x1600)))
                            lanes := add(lanes, mul(mload(0xa20), mload(0x1620)))
                            lanes := add(lanes, mul(mload(0xa40), mload(0x1640)))
                            lanes := add(lanes, mul(mload(0xa60), mload(0x1660)))
                            if gt(size, 0x480) {
                                lanes := add(lanes, mul(mload(0xa80), mload(0x1680)))
                                lanes := add(lanes, mul(mload(0xaa0), mload(0x16a0)))
                                lanes := add(lanes, mul(mload(0xac0), mload(0x16c0)))
                                lanes := add(lanes, mul(mload(0xae0), mload(0x16e0)))
                                lanes := add(lanes, mul(mload(0xb00), mload(0x1700)))
                                lanes := add(lanes, mul(mload(0xb20), mload(0x1720)))
                                lanes := add(lanes, mul(mload(0xb40), mload(0x1740)))
                                lanes := add(lanes, mul(mload(0xb60), mload(0x1760)))
                                lanes := add(lanes, mul(mload(0xb80), mload(0x1780)))
                                lanes := add(lanes, mul(mload(0xba0), mload(0x17a0)))
                                lanes := add(lanes, mul(mload(0xbc0), mload(0x17c0)))
                                lanes := add(lanes, mul(mload(0xbe0), mload(0x17e0)))
                                if gt(size, 0x600) {
                                    lanes := add(lanes, mul(mload(0xc00), mload(0x1800)))
                                    lanes := add(lanes, mul(mload(0xc20), mload(0x1820)))
                                    lanes := add(lanes, mul(mload(0xc40), mload(0x1840)))
                                    lanes := add(lanes, mul(mload(0xc60), mload(0x1860)))
                                    lanes := add(lanes, mul(mload(0xc80), mload(0x1880)))
                                    lanes := add(lanes, mul(mload(0xca0), mload(0x18a0)))
                                    lanes := add(lanes, mul(mload(0xcc0), mload(0x18c0)))
                                    lanes := add(lanes, mul(mload(0xce0), mload(0x18e0)))
                                    lanes := add(lanes, mul(mload(0xd00), mload(0x1900)))
                                    lanes := add(lanes, mul(mload(0xd20), mload(0x1920)))
                                    lanes := add(lanes, mul(mload(0xd40), mload(0x1940)))
                                    lanes := add(lanes, mul(mload(0xd60), mload(0x1960)))
                                    lanes := add(lanes, mul(mload(0xd80), mload(0x1980)))
                                    lanes := add(lanes, mul(mload(0xda0), mload(0x19a0)))
                                    lanes := add(lanes, mul(mload(0xdc0), mload(0x19c0)))
                                    lanes := add(lanes, mul(mload(0xde0), mload(0x19e0)))
                                    lanes := add(lanes, mul(mload(0xe00), mload(0x1a00)))
                                    lanes := add(lanes, mul(mload(0xe20), mload(0x1a20)))
                                    lanes := add(lanes, mul(mload(0xe40), mload(0x1a40)))
                                    lanes := add(lanes, mul(mload(0xe60), mload(0x1a60)))
                                    lanes := add(lanes, mul(mload(0xe80), mload(0x1a80)))
                                    lanes := add(lanes, mul(mload(0xea0), mload(0x1aa0)))
                                    lanes := add(lanes, mul(mload(0xec0), mload(0x1ac0)))
                                    lanes := add(lanes, mul(mload(0xee0), mload(0x1ae0)))
                                    if gt(size, 0x900) {
                                        lanes := add(lanes, mul(mload(0xf00), mload(0x1b00)))
                                        lanes := add(lanes, mul(mload(0xf20), mload(0x1b20)))
                                        lanes := add(lanes, mul(mload(0xf40), mload(0x1b40)))
                                        lanes := add(lanes, mul(mload(0xf60), mload(0x1b60)))
                                        lanes := add(lanes, mul(mload(0xf80), mload(0x1b80)))
                                        lanes := add(lanes, mul(mload(0xfa0), mload(0x1ba0)))
                                        lanes := add(lanes, mul(mload(0xfc0), mload(0x1bc0)))
                                        lanes := add(lanes, mul(mload(0xfe0), mload(0x1be0)))
                                        lanes := add(lanes, mul(mload(0x1000), mload(0x1c00)))
                                        lanes := add(lanes, mul(mload(0x1020), mload(0x1c20)))
                                        lanes := add(lanes, mul(mload(0x1040), mload(0x1c40)))
                                        lanes := add(lanes, mul(mload(0x1060), mload(0x1c60)))
                                        lanes := add(lanes, mul(mload(0x1080), mload(0x1c80)))
                                        lanes := add(lanes, mul(mload(0x10a0), mload(0x1ca0)))
                                        lanes := add(lanes, mul(mload(0x10c0), mload(0x1cc0)))
                                        lanes := add(lanes, mul(mload(0x10e0), mload(0x1ce0)))
                                        lanes := add(lanes, mul(mload(0x1100), mload(0x1d00)))
                                        lanes := add(lanes, mul(mload(0x1120), mload(0x1d20)))
                                        lanes := add(lanes, mul(mload(0x1140), mload(0x1d40)))
                                        lanes := add(lanes, mul(mload(0x1160), mload(0x1d60)))
                                        lanes := add(lanes, mul(mload(0x1180), mload(0x1d80)))
                                        lanes := add(lanes, mul(mload(0x11a0), mload(0x1da0)))
                                        lanes := add(lanes, mul(mload(0x11c0), mload(0x1dc0)))
                                        lanes := add(lanes, mul(mload(0x11e0), mload(0x1de0)))
                                        // What there is no room for in the buffers.
                                        for { let i := DOT_BYTES } lt(i, size) { i := add(i, 32) } {
                                            lanes := add(lanes, mul(mload(add(mload(LONG), i)), mload(add(add(entry, ENTRY), i))))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                // As {Lanes-relu} and {Lanes-saturate}.
                let bit := and(shr(15, lanes), ONES)
                let room := mload(add(entry, 64))
                lanes := add(and(lanes, sub(shl(15, bit), bit)), room)
                bit := and(shr(15, lanes), ONES)
                lanes := sub(and(or(lanes, sub(shl(15, bit), bit)), LANE_MAXES), room)
                let result := shr(mload(SHIFT), add(mul(lanes, mload(add(entry, 32))), mload(HALF)))
                if mload(SPECIAL) {
                    if mload(WIDE) {
                        // The even lanes, then the odd ones.
                        let mask := mul(WIDE_ONES, 0xffff)
                        result := add(mul(and(lanes, mask), mload(add(entry, 32))), mload(HALF))
                        lanes := add(mul(and(shr(16, lanes), mask), mload(add(entry, 32))), mload(HALF))
                        mask := mload(WIDE)
                        result := or(
                            and(shr(mload(SHIFT), result), mask), shl(16, and(shr(mload(SHIFT), lanes), mask))
                        )
                    }
                    if gt(mload(STRIDE), 1) {
                        // Every so-manieth lane, side by side.
                        lanes := result
                        result := 0
                        for { let place := 240 } lt(place, 256) { place := sub(place, 16) } {
                            result := or(result, shl(place, shr(240, lanes)))
                            lanes := shl(shl(4, mload(STRIDE)), lanes)
                        }
                    }
                    if mload(CLEAR) {
                        result := and(result, mload(CLEAR))
                        if mload(SKIPPED) {
                            result := add(result, mload(mload(SKIPPED)))
                            mstore(SKIPPED, add(mload(SKIPPED), mload(SKIP_PLANE)))
                        }
                        // As {Lanes-saturate}.
                        result := add(result, mload(ROOM))
                        bit := and(shr(15, result), ONES)
                        result := sub(and(or(result, sub(shl(15, bit), bit)), LANE_MAXES), mload(ROOM))
                    }
                }
                mstore(to, and(result, pattern))
                to := add(to, mload(PLANE))
            }
        }
    }

    /// @dev One output in each plane of a group.
    function _addValues(Step memory step, uint256 group, uint256 to, uint256 skipped) private pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 last = (group + 1) * (layer.outputs / layer.groups);
            for (uint256 o = last - layer.outputs / layer.groups; o < last; ++o) {
                uint256 entry = step.weights + o * (ENTRY + step.size);
                uint256 accumulator = _dot(step.inputs, entry + ENTRY, step.size);
                uint256 x = step.source + o * step.sourcePlane + skipped;
                uint256 multiplier;
                assembly ("memory-safe") {
                    accumulator := add(accumulator, mload(entry))
                    multiplier := mload(add(entry, 32))
                }
                uint256 activation = Dense.requantize(layer, accumulator, multiplier, x);
                uint256 target = step.target + o * step.targetPlane + to;
                assembly ("memory-safe") {
                    mstore8(add(target, 1), activation)
                }
            }
        }
    }

    /// @dev The sum of products of `size` bytes of words.
    function _dot(uint256 a, uint256 b, uint256 size) private pure returns (uint256 sum) {
        assembly ("memory-safe") {
            let end := add(a, size)
            // Four at a time, as long as four are left.
            for { let last := sub(end, 96) } lt(a, last) { a := add(a, 128) } {
                sum := add(sum, mul(mload(a), mload(b)))
                sum := add(sum, mul(mload(add(a, 32)), mload(add(b, 32))))
                sum := add(sum, mul(mload(add(a, 64)), mload(add(b, 64))))
                sum := add(sum, mul(mload(add(a, 96)), mload(add(b, 96))))
                b := add(b, 128)
            }
            for {} lt(a, end) { a := add(a, 32) } {
                sum := add(sum, mul(mload(a), mload(b)))
                b := add(b, 32)
            }
        }
    }
}
