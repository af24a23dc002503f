// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Convolution, HEAP, RESERVED} from "./Convolution.sol";
import {Dense} from "./Dense.sol";
import {CONVOLUTION, DENSE, Header, LOGITS, Model, TERNARY} from "./Header.sol";
import {IClassifier} from "./IClassifier.sol";
import {Lanes, ONES} from "./Lanes.sol";
import {ModelStore} from "./ModelStore.sol";
import {Network, Plan, Step} from "./Plan.sol";
import {Pooling} from "./Pooling.sol";
import {Weights} from "./Weights.sol";

/// @title  LaneInference
/// @notice The entry points of inference, with 16 values a word. A contract that inherits says where header and words are.
abstract contract LaneInference is ModelStore {
    // ── Entry points ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IClassifier
    function classify(bytes calldata image) external view returns (uint8 digit) {
        return _classify(image);
    }

    /// @inheritdoc IClassifier
    function logits(bytes calldata image) external view returns (int32[] memory result) {
        Network memory network = _network();
        _setImage(network, image);
        (uint256 pointer, uint256 count) = _forward(network);
        result = new int32[](count);
        for (uint256 j = 0; j < count; ++j) {
            int256 logit;
            assembly ("memory-safe") {
                logit := mload(add(pointer, mul(32, j)))
            }
            result[j] = int32(logit);
        }
    }

    /// @inheritdoc IClassifier
    function classifyBatch(bytes calldata images) external view returns (uint8[] memory digits) {
        Network memory network = _network();
        uint256 length = network.model.imageLength;
        if (images.length % length != 0) revert BadBatchLength(images.length, length);
        digits = new uint8[](images.length / length);
        for (uint256 i = 0; i < digits.length; ++i) {
            _setImage(network, images[i * length:(i + 1) * length]);
            digits[i] = _argmax(network);
        }
    }

    /// @inheritdoc IClassifier
    function classifyAndRecord(bytes calldata image) external returns (uint8 digit) {
        digit = _classify(image);
        emit Classified(msg.sender, keccak256(image), digit);
    }

    /// @inheritdoc IClassifier
    function predict(uint8[400] calldata image) external returns (uint8 digit) {
        Network memory network = _network();
        if (network.model.imageLength != 400) revert BadImageLength(400, network.model.imageLength);
        uint256 pointer = network.image;
        for (uint256 i = 0; i < 400; ++i) {
            uint256 pixel = image[i];
            assembly ("memory-safe") {
                mstore8(add(pointer, i), pixel)
            }
        }
        digit = _argmax(network);
        emit PredictionResult(digit);
    }

    // ── For the contracts that inherit ─────────────────────────────────────────────────────────────────────────

    /// @dev Reads the header of a model that is ready.
    function _openHeader() internal view virtual returns (bytes memory header);

    /// @dev Says where words are to be, given the end of the header.
    function _openWords(uint256 headerEnd, uint256 count) internal view virtual returns (uint256 words);

    /// @dev Reads the words that hold the bits from `from` to `to` (exclusive), unless they were read before.
    function _readWords(uint256 words, uint256 from, uint256 to) internal view virtual;

    // ── Opening a model ────────────────────────────────────────────────────────────────────────────────────────

    /// @dev Reads header and words, and makes everything ready for the first image.
    function _network() private view returns (Network memory network) {
        unchecked {
            uint256 used;
            assembly ("memory-safe") {
                used := mload(0x40)
                mstore(0x40, HEAP)
            }
            // Nothing but `network` was allocated before.
            assert(used <= RESERVED);
            bytes memory header = _openHeader();
            network.model = Header.decode(header);
            uint256 end;
            assembly ("memory-safe") {
                end := add(header, 32)
            }
            network.words = _openWords(end + network.model.length, network.model.words);
            _readWords(network.words, 0, network.model.headBits);
            Plan.place(network);
            for (uint256 i = 0; i < network.steps.length; ++i) {
                Step memory step = network.steps[i];
                uint256 kind = step.layer.kind;
                if (kind == CONVOLUTION) Convolution.prepare(network, step);
                else if (kind == DENSE || kind == LOGITS) Dense.prepare(step, network.words);
            }
        }
    }

    // ── Forward pass ───────────────────────────────────────────────────────────────────────────────────────────

    function _classify(bytes calldata image) private view returns (uint8) {
        Network memory network = _network();
        _setImage(network, image);
        return _argmax(network);
    }

    /// @dev Copies an image to where the forward pass finds it.
    function _setImage(Network memory network, bytes calldata image) private pure {
        if (image.length != network.model.imageLength) revert BadImageLength(image.length, network.model.imageLength);
        uint256 pointer = network.image;
        assembly ("memory-safe") {
            calldatacopy(pointer, image.offset, image.length)
        }
    }

    /// @dev Runs every step; returns where the logits are, a word each, and how many.
    function _forward(Network memory network) private view returns (uint256, uint256) {
        unchecked {
            _setInputs(network);
            uint256 hidden = network.steps.length - 1;
            for (uint256 i = 0; i < hidden; ++i) {
                Step memory step = network.steps[i];
                if (step.layer.kind == CONVOLUTION) Convolution.run(step);
                else if (step.layer.kind == DENSE) _dense(network, step);
                else Pooling.run(step);
            }
            Step memory last = network.steps[hidden];
            _dense(network, last);
            return (last.target, last.layer.outputs);
        }
    }

    /// @dev The image without its border, a lane a pixel.
    function _setInputs(Network memory network) private pure {
        unchecked {
            Model memory model = network.model;
            Step memory first = network.steps[0];
            uint256 shift = 8 - model.inputBits;
            uint256 mask = (0xff >> shift) * ONES;
            uint256 width = first.layer.width;
            uint256 source = network.image + model.crop * (model.width + 1);
            for (uint256 plane = 0; plane < model.planes; ++plane) {
                uint256 target = first.source + plane * first.sourcePlane;
                for (uint256 y = 0; y < first.layer.height; ++y) {
                    for (uint256 x = 0; x < width; x += 16) {
                        uint256 lanes = Lanes.fromBytes(_load(source + x)) >> shift & mask;
                        if (width - x < 16) lanes = lanes >> 256 - 16 * (width - x) << 256 - 16 * (width - x);
                        assembly ("memory-safe") {
                            mstore(add(target, mul(2, x)), lanes)
                        }
                    }
                    source += model.width;
                    target += first.sourceRow;
                }
                source += 2 * model.crop * model.width;
            }
        }
    }

    /// @dev A dense layer: a row of weights for each input that is not 0.
    function _dense(Network memory network, Step memory step) private view {
        unchecked {
            Dense.begin(step.rows);
            (uint256 planes, uint256 height, uint256 width) = (step.layer.planes, step.layer.height, step.layer.width);
            if (step.sourcePlane == 2 * height * width && step.sourceRow == 2 * width) {
                // All values lie side by side.
                (planes, height, width) = (1, 1, step.layer.fanIn);
            }
            uint256 total;
            uint256 index;
            for (uint256 plane = 0; plane < planes; ++plane) {
                uint256 source = step.source + plane * step.sourcePlane;
                for (uint256 y = 0; y < height; ++y) {
                    total += _addInputs(network, step, source, index, width);
                    index += width;
                    source += step.sourceRow;
                }
            }
            Dense.finish(step, network.words, total);
        }
    }

    /// @dev Adds the rows of `count` inputs that lie side by side, of which the first is number `index`; returns their sum.
    function _addInputs(Network memory network, Step memory step, uint256 source, uint256 index, uint256 count)
        private
        view
        returns (uint256 total)
    {
        unchecked {
            uint256 rowBits = step.rows.bits * step.layer.outputs;
            uint256 place = step.weights + index * rowBits;
            if (step.rows.spread) return Dense.addSpread(step.rows, source, count, place, rowBits);
            bool streamed = step.layer.streamed;
            while (true) {
                uint256 lanes = _load(source);
                if (count < 16) lanes = lanes >> 256 - 16 * count << 256 - 16 * count;
                // Nothing is left once the last of them that is not 0 has been shifted out.
                for (uint256 row = place; lanes != 0; row += rowBits) {
                    uint256 x = lanes >> 240;
                    lanes <<= 16;
                    if (x == 0) continue;
                    total += x;
                    Dense.addRow(streamed ? _streamedRow(network, step, row, rowBits) : row, x);
                }
                if (count <= 16) return total;
                count -= 16;
                source += 32;
                place += 16 * rowBits;
            }
        }
    }

    /// @dev The place of a row of streamed weights, once it is read: the same, or where a ternary row was expanded.
    function _streamedRow(Network memory network, Step memory step, uint256 row, uint256 rowBits)
        private
        view
        returns (uint256)
    {
        unchecked {
            uint256 words = 8 * network.words;
            if (step.layer.format != TERNARY) {
                _readWords(network.words, row - words, row - words + rowBits);
                return row;
            }
            uint256 outputs = step.layer.outputs;
            uint256 first = (row - step.weights) / rowBits * outputs;
            uint256 place = step.layer.weights + first / 5 * 8;
            uint256 end = step.layer.weights + Weights.bitsOf(TERNARY, first + outputs);
            _readWords(network.words, place, end);
            Weights.expandTernary(words + place, step.seen, (end - place) / 8);
            return 8 * step.seen + 2 * (first % 5);
        }
    }

    /// @dev The forward pass, and the index of the largest logit; of equal ones, the lowest.
    function _argmax(Network memory network) private view returns (uint8 digit) {
        unchecked {
            (uint256 pointer, uint256 count) = _forward(network);
            int256 largest = int256(_load(pointer));
            for (uint256 j = 1; j < count; ++j) {
                int256 logit = int256(_load(pointer + 32 * j));
                if (logit > largest) (largest, digit) = (logit, uint8(j));
            }
        }
    }

    function _load(uint256 pointer) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(pointer)
        }
    }
}
