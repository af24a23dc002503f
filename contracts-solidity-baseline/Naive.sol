// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Header, Layer, MAX_LAYERS} from "./Header.sol";
import {Inference} from "./Inference.sol";
import {ModelStore} from "./ModelStore.sol";

/// @title  Naive
/// @notice The network with its weights stored as duoxehyon/evm-neural-network stores them: each in a mapping
///         entry of its own, the biases in packed arrays.
/// @dev    A weight costs a hash and a cold SLOAD, 2,100 gas. Reading all 26,240 of a 400→64→10 network would take
///         55 million gas, and a transaction on Arbitrum may use 32 million (from ArbOS 50); so zero inputs are
///         skipped here too, which the original does not do.
contract Naive is Inference {
    /// @dev The words that hold biases, at their index in the model.
    uint256[MAX_WORDS] internal biasWords;
    /// @dev `weights[l][i · O + j]` is `w[i][j]` of layer `l`.
    mapping(uint256 position => int8 weight)[MAX_LAYERS] internal weights;

    constructor(address initialOwner) ModelStore(initialOwner) {}

    /// @inheritdoc ModelStore
    /// @dev Takes the words apart. 1,024 weights are a chunk, and no more of them fit in a transaction.
    function _storeWords(uint256 first, bytes calldata data) internal override {
        (, Layer[] memory layers) = Header.decode(_header());
        for (uint256 offset = 0; offset < data.length; offset += 32) {
            uint256 index = first + offset / 32;
            if (index < layers[0].firstWord) {
                biasWords[index] = uint256(bytes32(data[offset:offset + 32]));
                continue;
            }
            uint256 l = layers.length - 1;
            while (index < layers[l].firstWord) --l;
            uint256 position = 32 * (index - layers[l].firstWord);
            uint256 count = _min(32, layers[l].inputs * layers[l].outputs - position);
            for (uint256 k = 0; k < count; ++k) {
                weights[l][position + k] = int8(uint8(data[offset + k]));
            }
        }
    }

    /// @inheritdoc Inference
    function _biasWord(uint256 index) internal view override returns (uint256) {
        return biasWords[index];
    }

    /// @inheritdoc Inference
    function _addProducts(Layer memory layer, bytes memory inputs, int256[] memory accumulators)
        internal
        view
        override
    {
        mapping(uint256 position => int8 weight) storage layerWeights = weights[layer.index];
        // Positions stay below 2^18, and the header bounds the sums by 2^31 − 1.
        unchecked {
            uint256 outputs = layer.outputs;
            for (uint256 i = 0; i < layer.inputs; ++i) {
                int256 input = int256(uint256(uint8(inputs[i])));
                if (input == 0) continue;
                for (uint256 j = 0; j < outputs; ++j) {
                    accumulators[j] += input * layerWeights[i * outputs + j];
                }
            }
        }
    }
}
