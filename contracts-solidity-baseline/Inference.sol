// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Header, Layer} from "./Header.sol";
import {ModelStore} from "./ModelStore.sol";
import {IClassifier} from "./IClassifier.sol";

/// @title  Inference
/// @notice The entry points of inference and the parts of the forward pass that do not depend on how weights are
///         stored: biases, requantization, argmax. A contract that inherits adds the products.
abstract contract Inference is ModelStore {
    /// @dev A decoded header and the two buffers of a forward pass, made once a call and used for every image.
    struct Network {
        uint256 imageLength;
        Layer[] layers;
        /// What the current layer reads, a byte an input, zero-padded to a whole word.
        bytes inputs;
        /// What the current layer writes, a word an output.
        int256[] accumulators;
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
        _setImage(network, image);
        result = new int32[](_forward(network));
        for (uint256 j = 0; j < result.length; ++j) {
            result[j] = int32(network.accumulators[j]);
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
        _checkLength(400, network);
        _clearPadding(network.inputs, 400);
        for (uint256 i = 0; i < 400; ++i) {
            network.inputs[i] = bytes1(image[i]);
        }
        digit = _argmax(network);
        emit PredictionResult(digit);
    }

    // ── For the contracts that inherit ─────────────────────────────────────────────────────────────────────────

    /// @dev Adds the products: `accumulators[j] += Σ_i inputs[i] · w[i][j]`. The header bounds every partial sum by
    ///      2^31 − 1, in whichever order it is taken.
    function _addProducts(Layer memory layer, bytes memory inputs, int256[] memory accumulators)
        internal
        view
        virtual;

    /// @dev Word `index` of the model, one of those that hold biases.
    function _biasWord(uint256 index) internal view virtual returns (uint256);

    /// @dev 32 inputs, that of index `offset` in the most significant byte; `offset` is a multiple of 32.
    function _inputWord(bytes memory inputs, uint256 offset) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(inputs, 32), offset))
        }
    }

    // ── Forward pass ───────────────────────────────────────────────────────────────────────────────────────────

    function _classify(bytes calldata image) private view returns (uint8) {
        Network memory network = _network();
        _checkLength(image.length, network);
        _setImage(network, image);
        return _argmax(network);
    }

    /// @dev Decodes the header and allocates buffers for the widest layer.
    function _network() private view returns (Network memory network) {
        if (state < READY) revert ModelNotReady(state);
        (network.imageLength, network.layers) = Header.decode(_header());
        uint256 widest = network.imageLength;
        uint256 outputs;
        for (uint256 l = 0; l < network.layers.length; ++l) {
            outputs = network.layers[l].outputs;
            if (outputs > widest) widest = outputs;
        }
        network.inputs = new bytes((widest + 31) / 32 * 32);
        network.accumulators = new int256[](widest);
    }

    function _checkLength(uint256 got, Network memory network) private pure {
        if (got != network.imageLength) revert BadImageLength(got, network.imageLength);
    }

    /// @dev Makes `image`, which has the length of the model's images, the inputs of the first layer.
    function _setImage(Network memory network, bytes calldata image) private pure {
        bytes memory inputs = network.inputs;
        _clearPadding(inputs, image.length);
        assembly ("memory-safe") {
            calldatacopy(add(inputs, 32), image.offset, image.length)
        }
    }

    /// @dev Zeroes the word that holds the last of `length` inputs, before they are written.
    function _clearPadding(bytes memory inputs, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(add(add(inputs, 32), and(sub(length, 1), not(31))), 0)
        }
    }

    /// @dev Runs every layer; the logits are then the first `outputs` accumulators.
    function _forward(Network memory network) private view returns (uint256 outputs) {
        unchecked {
            uint256 last = network.layers.length - 1;
            for (uint256 l = 0; l <= last; ++l) {
                Layer memory layer = network.layers[l];
                _loadBiases(layer, network.accumulators);
                _addProducts(layer, network.inputs, network.accumulators);
                if (l != last) _requantize(layer, network.accumulators, network.inputs);
            }
            return network.layers[last].outputs;
        }
    }

    /// @dev `accumulators[j] = b[j] << biasShift`.
    function _loadBiases(Layer memory layer, int256[] memory accumulators) private view {
        // Shifts of 256 and more give 0, which is what is wanted of a bias that does not exist.
        unchecked {
            uint256 bits = 8 * layer.biasBytes;
            uint256 perWord = 256 / bits;
            for (uint256 j = 0; j < layer.outputs; j += perWord) {
                uint256 count = _min(perWord, layer.outputs - j);
                uint256 offset = layer.biasOffset + j * layer.biasBytes;
                uint256 lane = offset % 32;
                uint256 word = _biasWord(offset / 32) << 8 * lane;
                // A layer's biases begin where the previous layer's end, which need not be a word's first byte.
                if (8 * lane + bits * count > 256) word |= _biasWord(offset / 32 + 1) >> 256 - 8 * lane;
                for (uint256 k = 0; k < count; ++k) {
                    accumulators[j + k] = int256(word) >> 256 - bits << layer.biasShift;
                    word <<= bits;
                }
            }
        }
    }

    /// @dev `outputs[j] = min((max(accumulators[j], 0) · m + 2^(s − 1)) >> s, 2^a − 1)`.
    function _requantize(Layer memory layer, int256[] memory accumulators, bytes memory outputs) private pure {
        // 2^31 · 65,535 is far from 2^256.
        unchecked {
            (uint256 multiplier, uint256 shift, uint256 maximum) = (layer.multiplier, layer.shift, layer.maxActivation);
            uint256 half = 1 << shift - 1;
            _clearPadding(outputs, layer.outputs);
            for (uint256 j = 0; j < layer.outputs; ++j) {
                int256 accumulator = accumulators[j];
                // The half alone shifts out to zero: a negative accumulator needs no arithmetic.
                uint256 activation = accumulator > 0 ? (uint256(accumulator) * multiplier + half) >> shift : 0;
                outputs[j] = bytes1(uint8(_min(activation, maximum)));
            }
        }
    }

    /// @dev The forward pass, and the index of the largest logit; of equal ones, the lowest.
    function _argmax(Network memory network) private view returns (uint8 digit) {
        uint256 outputs = _forward(network);
        int256 largest = network.accumulators[0];
        for (uint256 j = 1; j < outputs; ++j) {
            int256 logit = network.accumulators[j];
            if (logit > largest) (largest, digit) = (logit, uint8(j));
        }
    }
}
