// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Convolution, HEAP} from "./Convolution.sol";
import {Dense} from "./Dense.sol";
import {CONVOLUTION, DENSE, Header, LOGITS, TERNARY} from "./Header.sol";
import {IClassifier} from "./IClassifier.sol";
import {Lanes} from "./Lanes.sol";
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
        uint256 length = network.imageLength;
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
        if (network.imageLength != 400) revert BadImageLength(400, network.imageLength);
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

    /// @dev Reads the header of a model that is ready, or what of it lies in the first place looked at, and allocates 256
    ///      bytes for it. Returns its address and how many bytes were read.
    function _openHeader() internal view virtual returns (uint256 header, uint256 length);

    /// @dev Reads 32 bytes more of the header.
    function _readHeader(uint256 header, uint256 length) internal view virtual;

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
            assert(used <= 0x480);
            (uint256 header, uint256 length) = _openHeader();
            length += header;
            Plan.begin(network, _load(header));
            uint256 offset = header + 4;
            uint256 kind;
            do {
                uint256 record = _load(offset);
                uint256 end = offset + Header.lengthOf(record);
                if (end > length) {
                    // Of what is not read yet, the length is at least 1: it is looked at again.
                    _readHeader(header, length - header);
                    length += 32;
                    record = _load(offset);
                    end = offset + Header.lengthOf(record);
                }
                Plan.append(network, record);
                kind = record >> 252;
                offset = end;
            } while (kind != LOGITS);

            uint256 headWords = (network.headBits + 255) / 256;
            network.words = _openWords(offset, headWords + network.streamedWords);
            _readWords(network.words, 0, network.headBits);
            Plan.place(network);
            for (uint256 i = 0; i < network.steps.length; ++i) {
                Step memory step = network.steps[i];
                if (step.streamed != 0) step.weightAt += 256 * headWords;
                if (step.kind == CONVOLUTION) Convolution.prepare(step, network.steps[i == 0 ? 0 : i - 1], network.words);
                if (step.kind == DENSE || step.kind == LOGITS) Dense.prepare(step, network.words);
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
        if (image.length != network.imageLength) revert BadImageLength(image.length, network.imageLength);
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
                if (step.kind == CONVOLUTION) Convolution.run(step);
                else if (step.kind == DENSE) _dense(network, step);
                else Pooling.run(step);
            }
            Step memory last = network.steps[hidden];
            _dense(network, last);
            return (last.target, last.outputs);
        }
    }

    /// @dev The image without its border, a lane a pixel.
    function _setInputs(Network memory network) private pure {
        unchecked {
            Step memory first = network.steps[0];
            uint256 shift = network.shift;
            uint256 mask = Lanes.splat(0xff >> shift);
            uint256 border = network.crop;
            uint256 source = network.image + border * (network.width + 1);
            uint256 target = first.source;
            for (uint256 plane = 0; plane < first.planes; ++plane) {
                uint256 to = target;
                for (uint256 y = 0; y < first.height; ++y) {
                    for (uint256 x = 0; x < first.width; x += 16) {
                        uint256 lanes = Lanes.fromBytes(_load(source + x)) >> shift & mask;
                        uint256 left = first.width - x;
                        if (left < 16) lanes = lanes >> 256 - 16 * left << 256 - 16 * left;
                        assembly ("memory-safe") {
                            mstore(add(to, mul(2, x)), lanes)
                        }
                    }
                    source += network.width;
                    to += first.sourceRow;
                }
                source += 2 * border * network.width;
                target += first.sourcePlane;
            }
        }
    }

    /// @dev A dense layer: a row of weights for each input that is not 0.
    function _dense(Network memory network, Step memory step) private view {
        unchecked {
            Dense.begin(step.rows);
            (uint256 height, uint256 width) = (step.height, step.width);
            uint256 total;
            if (step.sourcePlane == 2 * height * width && step.sourceRow == 2 * width) {
                // All values lie side by side.
                total = _addInputs(network, step, step.source, 0, step.fanIn);
            } else {
                uint256 index;
                for (uint256 plane = 0; plane < step.planes; ++plane) {
                    uint256 source = step.source + plane * step.sourcePlane;
                    for (uint256 y = 0; y < height; ++y) {
                        total += _addInputs(network, step, source, index, width);
                        index += width;
                        source += step.sourceRow;
                    }
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
            for (count += index; index < count; index += 16) {
                uint256 lanes = _load(source);
                source += 32;
                if (count - index < 16) lanes = lanes >> 256 - 16 * (count - index) << 256 - 16 * (count - index);
                // Nothing is left once the last of them that is not 0 has been shifted out.
                for (uint256 i = index; lanes != 0; ++i) {
                    uint256 value = lanes >> 240;
                    lanes <<= 16;
                    if (value == 0) continue;
                    total += value;
                    if (step.streamed == 0) {
                        uint256 bits = step.rows.bits * step.outputs;
                        Dense.addRow(step.rows, step.weights + i * bits, value);
                    } else {
                        Dense.addRow(step.rows, _streamedRow(network, step, i), value);
                    }
                }
            }
        }
    }

    /// @dev The bit where the streamed weights of input `i` begin, once they are read.
    function _streamedRow(Network memory network, Step memory step, uint256 i) private view returns (uint256 place) {
        unchecked {
            if (step.format != TERNARY) {
                uint256 bits = step.outputs * step.format;
                place = step.weightAt + i * bits;
                _readWords(network.words, place, place + bits);
                return 8 * network.words + place;
            }
            uint256 first = i * step.outputs;
            place = step.weightAt + first / 5 * 8;
            uint256 end = step.weightAt + Weights.bitsOf(TERNARY, first + step.outputs);
            _readWords(network.words, place, end);
            Weights.expandTernary(8 * network.words + place, step.inputs, (end - place) / 8);
            return 8 * step.inputs + 2 * (first % 5);
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
