// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {CONVOLUTION, DENSE, Header, Layer, MAX_POOLING, Model} from "./Header.sol";
import {IClassifier} from "./IClassifier.sol";
import {ModelStore} from "./ModelStore.sol";

/// @title  Inference
/// @notice The entry points of inference and the parts of the forward pass that do not depend on how weights are
///         stored: input, biases, requantization, pooling, argmax. A contract that inherits adds the products.
abstract contract Inference is ModelStore {
    /// @dev A decoded header and the memory of a forward pass, made once a call and used for every image.
    struct Network {
        Model model;
        /// The model's words as far as they were read, at their place; see {_load}.
        bytes words;
        /// What the current layer reads, a word an input.
        uint256[] inputs;
        /// What the current layer writes, a word an output: accumulators, in two's complement, then activations.
        uint256[] outputs;
    }

    // ── Entry points ───────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IClassifier
    function classify(bytes calldata image) external view returns (uint8 digit) {
        return _classify(image);
    }

    /// @inheritdoc IClassifier
    function logits(bytes calldata image) external view returns (int32[] memory result) {
        Network memory network = _network();
        _checkLength(image.length, network);
        result = new int32[](_forward(network, image));
        for (uint256 j = 0; j < result.length; ++j) {
            result[j] = int32(int256(network.outputs[j]));
        }
    }

    /// @inheritdoc IClassifier
    function classifyBatch(bytes calldata images) external view returns (uint8[] memory digits) {
        Network memory network = _network();
        uint256 length = network.model.imageLength;
        if (images.length % length != 0) revert BadBatchLength(images.length, length);
        digits = new uint8[](images.length / length);
        for (uint256 i = 0; i < digits.length; ++i) {
            digits[i] = _argmax(network, images[i * length:(i + 1) * length]);
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
        _checkLength(400, network);
        bytes memory pixels = new bytes(400);
        for (uint256 i = 0; i < 400; ++i) {
            pixels[i] = bytes1(image[i]);
        }
        digit = _argmax(network, pixels);
        emit PredictionResult(digit);
    }

    // ── For the contracts that inherit ─────────────────────────────────────────────────────────────────────────

    /// @dev Sets `outputs[o] = (b[o] << biasShift) + Σ x · w` for every output of a layer, dense or a convolution.
    function _accumulate(Network memory network, Layer memory layer) internal view virtual;

    /// @dev Word `index` of the model.
    function _word(uint256 index) internal view virtual returns (uint256);

    /// @dev Reads the words that hold bits `from` to `to` (exclusive) of the model, unless they were read before.
    ///      A word that is 0 counts as not read.
    function _load(Network memory network, uint256 from, uint256 to) internal view {
        unchecked {
            uint256 position = _address(network.words);
            for (uint256 index = from / 256; index < (to + 255) / 256; ++index) {
                if (_value(position, index) == 0) {
                    uint256 word = _word(index);
                    assembly ("memory-safe") {
                        mstore(add(position, mul(32, index)), word)
                    }
                }
            }
        }
    }

    /// @dev 249 bits or more of the model's words from bit `position` on, the first being the most significant.
    function _window(Network memory network, uint256 position) internal pure returns (uint256 window) {
        bytes memory words = network.words;
        assembly ("memory-safe") {
            window := shl(and(position, 7), mload(add(add(words, 32), shr(3, position))))
        }
    }

    /// @dev `b[o] << biasShift`.
    function _bias(Network memory network, Layer memory layer, uint256 o) internal pure returns (uint256) {
        unchecked {
            uint256 window = _window(network, layer.biases + o * layer.biasBits);
            return uint256(int256(window) >> 256 - layer.biasBits << layer.biasShift);
        }
    }

    /// @dev The memory address of a buffer's first word.
    function _address(uint256[] memory buffer) internal pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(buffer, 32)
        }
    }

    /// @dev The memory address of the first byte.
    function _address(bytes memory buffer) internal pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(buffer, 32)
        }
    }

    /// @dev The word of memory with the given index from an address on.
    function _value(uint256 pointer, uint256 index) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(pointer, mul(32, index)))
        }
    }

    // ── Forward pass ───────────────────────────────────────────────────────────────────────────────────────────
    // Unchecked: the header bounds accumulators by 2^31 − 1, in whichever order they are summed, and sizes by 65,535.

    function _classify(bytes calldata image) private view returns (uint8) {
        Network memory network = _network();
        _checkLength(image.length, network);
        return _argmax(network, image);
    }

    /// @dev Decodes the header, reads the words that every inference needs, and allocates buffers for the widest layer.
    function _network() private view returns (Network memory network) {
        Model memory model = Header.decode(_servedHeader());
        network.model = model;
        network.words = new bytes(32 * (model.words + 1));
        _load(network, 0, model.headBits);
        Layer memory layer = model.layers[0];
        uint256 widest = layer.planes * layer.height * layer.width;
        for (uint256 l = 0; l < model.layers.length; ++l) {
            layer = model.layers[l];
            uint256 size = layer.outputs * layer.outHeight * layer.outWidth;
            if (size > widest) widest = size;
        }
        network.inputs = new uint256[](widest);
        network.outputs = new uint256[](widest);
    }

    function _checkLength(uint256 got, Network memory network) private pure {
        uint256 expected = network.model.imageLength;
        if (got != expected) revert BadImageLength(got, expected);
    }

    /// @dev Runs every layer; `network.outputs` then begins with the logits, as many as are returned.
    function _forward(Network memory network, bytes memory image) private view returns (uint256) {
        unchecked {
            _setInputs(network, image);
            Layer[] memory layers = network.model.layers;
            uint256 last = layers.length - 1;
            for (uint256 l = 0; l < last; ++l) {
                Layer memory layer = layers[l];
                if (layer.kind == DENSE || layer.kind == CONVOLUTION) {
                    _accumulate(network, layer);
                    _requantize(network, layer);
                } else {
                    _pool(network, layer);
                }
                (network.inputs, network.outputs) = (network.outputs, network.inputs);
            }
            _accumulate(network, layers[last]);
            return layers[last].outputs;
        }
    }

    /// @dev The image without its border, each pixel with as many bits as the first layer reads.
    function _setInputs(Network memory network, bytes memory image) private pure {
        unchecked {
            Model memory model = network.model;
            uint256 crop = model.crop;
            uint256 shift = 8 - model.inputBits;
            uint256 target = _address(network.inputs);
            uint256 row = _address(image) + crop * model.width + crop;
            uint256 width = model.width - 2 * crop;
            for (uint256 plane = 0; plane < model.planes; ++plane) {
                for (uint256 y = 2 * crop; y < model.height; ++y) {
                    assembly ("memory-safe") {
                        for { let end := add(row, width) } lt(row, end) { row := add(row, 1) } {
                            mstore(target, shr(shift, byte(0, mload(row))))
                            target := add(target, 32)
                        }
                    }
                    row += 2 * crop;
                }
                row += 2 * crop * model.width;
            }
        }
    }

    /// @dev `min((max(acc, 0) · m + 2^(s − 1)) >> s, 2^a − 1)`, then `min(… + x, 2^a − 1)` where the layer is residual.
    function _requantize(Network memory network, Layer memory layer) private pure {
        unchecked {
            uint256 target = _address(network.outputs);
            uint256 skipped = _address(network.inputs);
            uint256 plane = 32 * layer.outHeight * layer.outWidth;
            uint256 multiplier = layer.multiplier;
            (uint256 shift, uint256 most, bool residual) = (layer.shift, layer.most, layer.residual == 1);
            uint256 half = 1 << shift - 1;
            for (uint256 o = 0; o < layer.outputs; ++o) {
                if (layer.multiplierBits != 0) {
                    uint256 window = _window(network, layer.multipliers + o * layer.multiplierBits);
                    multiplier = (window >> 256 - layer.multiplierBits) + 1;
                }
                for (uint256 end = target + plane; target < end; target += 32) {
                    int256 accumulator = int256(_value(target, 0));
                    // The half alone shifts out to zero: a negative accumulator needs no arithmetic.
                    uint256 activation =
                        accumulator > 0 ? _min((uint256(accumulator) * multiplier + half) >> shift, most) : 0;
                    if (residual) {
                        activation = _min(activation + _value(skipped, 0), most);
                        skipped += 32;
                    }
                    assembly ("memory-safe") {
                        mstore(target, activation)
                    }
                }
            }
        }
    }

    /// @dev The largest, or the shifted sum, of each square.
    function _pool(Network memory network, Layer memory layer) private pure {
        unchecked {
            uint256 source = _address(network.inputs);
            uint256 target = _address(network.outputs);
            uint256 row = 32 * layer.width;
            for (uint256 plane = 0; plane < layer.outputs; ++plane) {
                for (uint256 y = 0; y < layer.outHeight; ++y) {
                    for (uint256 x = 0; x < layer.outWidth; ++x) {
                        uint256 square = source + (y * row + 32 * x) * layer.kernel;
                        uint256 pooled = layer.kind == MAX_POOLING
                            ? _maxOfSquare(square, row, layer.kernel)
                            : (_sumOfSquare(square, row, layer.kernel) + (1 << layer.shift >> 1)) >> layer.shift;
                        assembly ("memory-safe") {
                            mstore(target, pooled)
                        }
                        target += 32;
                    }
                }
                source += layer.height * row;
            }
        }
    }

    /// @dev The largest of `size · size` words, whose rows are `row` bytes apart.
    function _maxOfSquare(uint256 source, uint256 row, uint256 size) private pure returns (uint256 largest) {
        unchecked {
            for (uint256 end = source + size * row; source < end; source += row) {
                for (uint256 x = 0; x < size; ++x) {
                    uint256 value = _value(source, x);
                    if (value > largest) largest = value;
                }
            }
        }
    }

    /// @dev The sum of `size · size` words, whose rows are `row` bytes apart.
    function _sumOfSquare(uint256 source, uint256 row, uint256 size) private pure returns (uint256 sum) {
        unchecked {
            for (uint256 end = source + size * row; source < end; source += row) {
                for (uint256 x = 0; x < size; ++x) sum += _value(source, x);
            }
        }
    }

    /// @dev The forward pass, and the index of the largest logit; of equal ones, the lowest.
    function _argmax(Network memory network, bytes memory image) private view returns (uint8 digit) {
        uint256 count = _forward(network, image);
        uint256[] memory outputs = network.outputs;
        int256 largest = int256(outputs[0]);
        for (uint256 j = 1; j < count; ++j) {
            int256 logit = int256(outputs[j]);
            if (logit > largest) (largest, digit) = (logit, uint8(j));
        }
    }
}
