// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {CONVOLUTION, Layer, Model} from "./Header.sol";

/// @notice A layer, made ready to run. Addresses are of memory. Values lie in memory as lanes of 2 bytes: planes a given
///         number of bytes apart, and in them rows. What a convolution sees as padding, between rows and around planes,
///         is memory that holds 0.
struct Step {
    Layer layer;
    // What comes in.
    uint256 source;
    uint256 sourceRow;
    uint256 sourcePlane;
    // What goes out.
    uint256 target;
    uint256 targetRow;
    uint256 targetPlane;
    /// The address of a convolution's unpacked weights; the bit (8 · address) where a dense layer's begin.
    uint256 weights;
    /// Where a dot product finds its inputs; of a dense layer, where accumulators are put in order.
    uint256 inputs;
    /// Convolution: where the inputs begin that the first output sees. Dense: where ternary weights are expanded to.
    uint256 seen;
    // Convolution.
    /// Whether 16 values at once are multiplied with a row of the kernel; how many of a word's 16 lanes are outputs.
    bool lanes;
    uint256 count;
    /// The bytes of inputs that a dot product takes.
    uint256 size;
    /// In lanes: `most` in each lane of an output plane that is used.
    uint256 pattern;
    /// Dense.
    Rows rows;
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
    Model model;
    /// Where an image is copied to.
    uint256 image;
    /// The address that word 0 has, or will have when it is read.
    uint256 words;
    Step[] steps;
}

/// @title  Plan
/// @notice Finds places in memory for what flows between layers. Once a call, however many images.
library Plan {
    uint256 private constant STEP_BYTES = 15 * 32;

    /// @notice Memory that was never written, and so is 0.
    function allocate(uint256 size) internal pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
            mstore(0x40, add(pointer, and(add(size, 31), not(31))))
        }
    }

    /// @notice Makes a step of each layer. Allocates what it reads, and tells the step before where to write it.
    function place(Network memory network) internal pure {
        unchecked {
            network.image = allocate(network.model.imageLength + 32);
            Layer[] memory layers = network.model.layers;
            uint256 count = layers.length;
            // An array of pointers, as Solidity has them.
            uint256 pointer = allocate(32 + 32 * count + STEP_BYTES * count);
            Step[] memory steps = network.steps;
            assembly ("memory-safe") {
                steps := pointer
                mstore(steps, count)
                pointer := add(pointer, mul(32, add(count, 1)))
                for { let i := 1 } iszero(gt(i, count)) { i := add(i, 1) } {
                    mstore(add(steps, mul(32, i)), pointer)
                    pointer := add(pointer, STEP_BYTES)
                }
            }
            network.steps = steps;

            for (uint256 i = 0; i < count; ++i) {
                Step memory step = steps[i];
                step.layer = layers[i];
                if (i == 0) {
                    _source(layers, step, 0, false);
                    continue;
                }
                Step memory before = steps[i - 1];
                bool run = layers[i - 1].kind == CONVOLUTION && layers[i - 1].stride == 1;
                _source(layers, step, run ? before.sourceRow : 0, layers[i - 1].kind == CONVOLUTION);
                before.target = step.source;
                before.targetRow = step.sourceRow;
                before.targetPlane = step.sourcePlane;
            }
        }
    }

    /// @dev Allocates the inputs of a step. Rows of a convolution have at least `padding` zeros between them, and `padding`
    ///      rows of zeros lie around a plane. With stride 1, its outputs come in rows as long as its inputs': so rows are
    ///      made as long as the widest of a run of such convolutions needs, and later ones are given that length as `row`.
    /// @param behind Whether the layer before is a convolution.
    function _source(Layer[] memory layers, Step memory step, uint256 row, bool behind) private pure {
        unchecked {
            Layer memory layer = step.layer;
            uint256 padding = layer.kind == CONVOLUTION ? layer.padding : 0;
            uint256 planes = layer.planes;
            uint256 plane = layer.height;
            if (row == 0) {
                row = 2 * layer.width;
                while (layer.kind == CONVOLUTION) {
                    uint256 needed = 2 * (layer.width + layer.padding);
                    if (needed > row) row = needed;
                    if (layer.stride != 1) break;
                    layer = layers[layer.index + 1];
                }
            }
            plane *= row;
            // The last word that is written to a plane of a convolution must not reach into the next one.
            if (behind || step.layer.kind == CONVOLUTION) plane += 2 * padding * (row + 1) + 32;
            step.sourceRow = row;
            step.sourcePlane = plane;
            step.source = allocate(planes * plane + 64) + padding * (row + 2);
        }
    }
}
