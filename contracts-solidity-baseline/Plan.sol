// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AGAIN, CONVOLUTION, DENSE, MAX_LAYERS, MAX_POOLING, SUM_POOLING} from "./Header.sol";
import {LANE_MAX} from "./Lanes.sol";
import {Weights} from "./Weights.sol";

/// @notice A layer, made ready to run. Addresses are of memory. Values lie in memory as lanes of 2 bytes: planes a given
///         number of bytes apart, and in them rows. What a convolution sees as padding, between rows and around planes,
///         is memory that holds 0.
struct Step {
    /// `AGAIN` has become `CONVOLUTION`.
    uint256 kind;
    // What comes in.
    uint256 planes;
    uint256 height;
    uint256 width;
    uint256 source;
    uint256 sourceRow;
    uint256 sourcePlane;
    /// The largest value that comes in.
    uint256 maxInput;
    // What goes out, in `outputs` planes.
    uint256 outHeight;
    uint256 outWidth;
    uint256 target;
    uint256 targetRow;
    uint256 targetPlane;
    /// The weights that an output sees.
    uint256 fanIn;
    /// Convolution: whether 16 values at once are multiplied with a row of the kernel.
    bool lanes;
    /// Convolution: the outputs of a word.
    uint256 count;
    /// Convolution: where the inputs begin that the first output sees; where a dot product finds those that it takes; their
    /// bytes.
    uint256 seen;
    uint256 inputs;
    uint256 size;
    /// Dense: how rows of weights are cut into lanes.
    Rows rows;
    /// The address of a convolution's unpacked weights; the bit (8 · address) where a dense layer's begin.
    uint256 weights;
    /// Convolution in lanes: `most` in each lane of an output plane that is used.
    uint256 pattern;
    // What the record says. It is copied where a layer is applied again.
    uint256 outputs;
    /// Size and stride; those of pooling too.
    uint256 kernel;
    uint256 stride;
    uint256 padding;
    uint256 groups;
    uint256 format;
    uint256 biasBits;
    uint256 biasShift;
    uint256 multiplierBits;
    uint256 multiplier;
    uint256 shift;
    uint256 most;
    uint256 residual;
    /// Where biases, multipliers and weights begin, in bits from word 0.
    uint256 biasAt;
    uint256 multiplierAt;
    uint256 weightAt;
    uint256 streamed;
}

/// @notice How rows of a dense layer's weights are cut into lanes, see {Dense}.
struct Rows {
    /// The bits of a field and of a lane; the fields of a lane.
    uint256 bits;
    uint256 lane;
    uint256 fields;
    /// The fields of all lanes of a word.
    uint256 perWord;
    /// The last field of each lane.
    uint256 mask;
    uint256 flip;
    /// The words of a row.
    uint256 words;
    /// Where the sums are: `fields` words for each word of a row, of which so many are used.
    uint256 sums;
    uint256 used;
    /// Whether a row has 16 fields at most, which are spread to 16 lanes.
    bool spread;
}

/// @notice A model that was opened.
struct Network {
    uint256 imageLength;
    // The image: planes, sides, border to leave out, shift to its input bits, where it is copied to.
    uint256 planes;
    uint256 height;
    uint256 width;
    uint256 crop;
    uint256 shift;
    uint256 image;
    Step[] steps;
    /// The address that word 0 has, or will have when it is read.
    uint256 words;
    uint256 headBits;
    uint256 streamedWords;
}

/// @title  Plan
/// @notice Turns a header into steps, and finds places in memory for what flows between them. Once a call, however many
///         images.
library Plan {
    uint256 private constant STEP_BYTES = 39 * 32;
    uint256 private constant RECORD_FIELDS = 22 * 32;

    // ── Memory ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Memory that was never written, and so is 0.
    function allocate(uint256 size) internal pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
            mstore(0x40, add(pointer, and(add(size, 31), not(31))))
        }
    }

    // ── Records ────────────────────────────────────────────────────────────────────────────────────────────────
    // The header was checked when it was uploaded.

    /// @notice Reads the four bytes before the records.
    function begin(Network memory network, uint256 preamble) internal pure {
        unchecked {
            network.planes = preamble >> 248 & 15;
            network.height = preamble >> 240 & 0xff;
            network.width = preamble >> 232 & 0xff;
            network.crop = preamble >> 228 & 15;
            network.shift = 8 - (preamble >> 224 & 15);
            network.imageLength = network.planes * network.height * network.width;
            // Room for as many steps as there can be; their number is 0 yet.
            uint256 steps = allocate(32 * (MAX_LAYERS + 1));
            assembly ("memory-safe") {
                // `network.steps`, the eighth field.
                mstore(add(network, 0xe0), steps)
            }
        }
    }

    /// @notice Reads the record that a word begins with, and appends its step.
    function append(Network memory network, uint256 record) internal pure {
        unchecked {
            Step[] memory steps = network.steps;
            uint256 count = steps.length;
            uint256 pointer = allocate(STEP_BYTES);
            assembly ("memory-safe") {
                mstore(add(add(steps, 32), mul(32, count)), pointer)
                mstore(steps, add(count, 1))
            }
            Step memory step = steps[count];
            if (count == 0) {
                (step.planes, step.height, step.width) =
                    (network.planes, network.height - 2 * network.crop, network.width - 2 * network.crop);
                step.maxInput = (256 >> network.shift) - 1;
            } else {
                Step memory previous = steps[count - 1];
                (step.planes, step.height, step.width) = (previous.outputs, previous.outHeight, previous.outWidth);
                step.maxInput = previous.most;
            }

            uint256 kind = record >> 252;
            uint256 argument = record >> 248 & 15;
            step.kind = kind;
            if (kind == MAX_POOLING || kind == SUM_POOLING) {
                _pooling(step, argument, record);
                return;
            }
            if (kind == AGAIN) {
                step.kind = CONVOLUTION;
                Step memory earlier = steps[argument];
                assembly ("memory-safe") {
                    mcopy(add(step, RECORD_FIELDS), add(earlier, RECORD_FIELDS), sub(STEP_BYTES, RECORD_FIELDS))
                }
                _convolution(step);
            } else {
                step.format = argument;
                if (kind == CONVOLUTION) {
                    step.outputs = record >> 240 & 0xff;
                    step.kernel = record >> 236 & 15;
                    step.stride = record >> 232 & 15;
                    step.padding = record >> 228 & 15;
                    step.groups = (record >> 224 & 15) + 1;
                    if (step.groups == 16) step.groups = step.planes;
                    _bias(step, record << 32);
                    _requantization(step, record << 40);
                    _convolution(step);
                } else {
                    (step.outHeight, step.outWidth) = (1, 1);
                    step.fanIn = step.planes * step.height * step.width;
                    if (kind == DENSE) {
                        step.outputs = record >> 232 & 0xffff;
                        _bias(step, record << 24);
                        _requantization(step, record << 32);
                    } else {
                        step.outputs = record >> 240 & 0xff;
                        _bias(step, record << 16);
                    }
                }
                _parameters(network, step);
            }
        }
    }

    /// @dev The bias format that a word begins with.
    function _bias(Step memory step, uint256 field) private pure {
        unchecked {
            step.biasBits = 2 << (field >> 254);
            step.biasShift = field >> 248 & 31;
        }
    }

    /// @dev The requantization that a word begins with.
    function _requantization(Step memory step, uint256 field) private pure {
        unchecked {
            step.multiplierBits = (field >> 254) * 4;
            step.residual = field >> 253 & 1;
            step.most = (1 << (field >> 249 & 15)) - 1;
            step.shift = field >> 240 & 63;
            if (step.multiplierBits == 0) step.multiplier = field >> 224 & 0xffff;
        }
    }

    function _convolution(Step memory step) private pure {
        unchecked {
            (uint256 kernel, uint256 stride) = (step.kernel, step.stride);
            uint256 border = 2 * step.padding;
            step.outHeight = (step.height + border - kernel) / stride + 1;
            step.outWidth = (step.width + border - kernel) / stride + 1;
            step.fanIn = step.planes / step.groups * kernel * kernel;
        }
    }

    function _pooling(Step memory step, uint256 size, uint256 record) private pure {
        unchecked {
            step.outputs = step.planes;
            (step.kernel, step.stride) = (size, size);
            step.outHeight = step.height / size;
            step.outWidth = step.width / size;
            step.most = step.maxInput;
            if (step.kind == SUM_POOLING) {
                uint256 shift = record >> 240 & 0xff;
                step.shift = shift;
                step.most = (size * size * step.maxInput + (1 << shift >> 1)) >> shift;
            }
        }
    }

    /// @dev Where a layer's parameters begin; of streamed ones, how far behind those that are not.
    function _parameters(Network memory network, Step memory step) private pure {
        unchecked {
            step.biasAt = network.headBits;
            step.multiplierAt = step.biasAt + step.outputs * step.biasBits;
            uint256 end = step.multiplierAt + step.outputs * step.multiplierBits;
            uint256 bits = Weights.bitsOf(step.format, step.outputs * step.fanIn);
            step.weightAt = end;
            if (step.kind != CONVOLUTION && bits > 4_096) {
                step.streamed = 1;
                step.weightAt = 256 * network.streamedWords;
                network.streamedWords += (bits + 255) / 256;
            } else {
                end += bits;
            }
            network.headBits = end;
        }
    }

    // ── Places ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Allocates what each step reads, and tells the step before where to write it.
    function place(Network memory network) internal pure {
        unchecked {
            network.image = allocate(network.imageLength + 32);
            Step[] memory steps = network.steps;
            for (uint256 i = 0; i < steps.length; ++i) {
                Step memory step = steps[i];
                _source(steps, i);
                if (i == 0) continue;
                Step memory before = steps[i - 1];
                before.target = step.source;
                before.targetRow = step.sourceRow;
                before.targetPlane = step.sourcePlane;
            }
            // Logits, a word each.
            Step memory last = steps[steps.length - 1];
            last.target = allocate(32 * last.outputs);
        }
    }

    /// @dev Rows of a convolution have at least `padding` zeros between them, and `padding` rows of zeros lie around a
    ///      plane. Its outputs come in rows as long as its inputs' if it has stride 1: so rows are made as long as the
    ///      widest of a run of convolutions needs.
    function _source(Step[] memory steps, uint256 i) private pure {
        unchecked {
            Step memory step = steps[i];
            uint256 padding = step.kind == CONVOLUTION ? step.padding : 0;
            uint256 row = 2 * step.width;
            bool behind = i != 0 && steps[i - 1].kind == CONVOLUTION;
            if (behind && steps[i - 1].stride == 1) {
                row = steps[i - 1].sourceRow;
            } else {
                for (uint256 j = i; steps[j].kind == CONVOLUTION; ++j) {
                    uint256 needed = 2 * (steps[j].width + steps[j].padding);
                    if (needed > row) row = needed;
                    if (steps[j].stride != 1) break;
                }
            }
            uint256 plane = step.height * row;
            // The last word that is written to a plane of a convolution must not reach into the next one.
            if (behind || step.kind == CONVOLUTION) plane += 2 * padding * (row + 1) + 32;
            step.sourceRow = row;
            step.sourcePlane = plane;
            step.source = allocate(step.planes * plane + 64) + padding * (row + 2);
        }
    }
}
