// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {DENSE, Header, LOGITS, Layer, MAX_LAYERS, Model} from "./Header.sol";
import {Inference} from "./Inference.sol";
import {ModelStore} from "./ModelStore.sol";

/// @title  Naive
/// @notice The network with its weights stored as duoxehyon/evm-neural-network stores them: each in a mapping
///         entry of its own, the biases in packed arrays.
/// @dev    A weight costs a hash and a cold SLOAD, 2,100 gas. Reading all 26,240 of a 400→64→10 network would take
///         55 million gas, and a transaction on Arbitrum may use 32 million (from ArbOS 50); so zero inputs are
///         skipped here too, which the original does not do.
///
///         Dense layers with streamed weights of 8 bits, as the original has them, and no others: `beginModel` answers
///         `BadHeader(offset of the record)`. The weights of a convolution are read once a place of its output, some
///         hundred times each, and even a warm SLOAD costs 100 gas.
contract Naive is Inference {
    /// @dev The words that hold biases and multipliers, at their index in the model.
    uint256[MAX_WORDS] internal headWords;
    /// @dev `weights[l][i · O + j]` is `w[i][j]` of layer `l`.
    mapping(uint256 position => int8 weight)[MAX_LAYERS] internal weights;

    constructor(address initialOwner) ModelStore(initialOwner) {}

    /// @inheritdoc ModelStore
    function _check(bytes memory header) internal pure override returns (Model memory model) {
        model = Header.check(header);
        uint256 offset = Header.PREAMBLE;
        for (uint256 l = 0; l < model.layers.length; ++l) {
            Layer memory layer = model.layers[l];
            bool dense = layer.kind == DENSE || layer.kind == LOGITS;
            if (!dense || layer.format != 8 || !layer.streamed) revert BadHeader(uint16(offset));
            offset += Header.recordLength(header, offset);
        }
    }

    /// @inheritdoc ModelStore
    /// @dev Takes the words apart. 1,024 weights are a chunk, and no more of them fit in a transaction.
    function _storeWords(uint256 first, bytes calldata data) internal override {
        Model memory model = Header.decode(_header());
        Layer[] memory layers = model.layers;
        for (uint256 offset = 0; offset < data.length; offset += 32) {
            uint256 index = first + offset / 32;
            if (index < model.headWords) {
                headWords[index] = uint256(bytes32(data[offset:offset + 32]));
                continue;
            }
            uint256 l = layers.length - 1;
            while (256 * index < layers[l].weights) --l;
            uint256 position = 32 * index - layers[l].weights / 8;
            uint256 count = _min(32, layers[l].outputs * layers[l].fanIn - position);
            for (uint256 k = 0; k < count; ++k) {
                weights[l][position + k] = int8(uint8(data[offset + k]));
            }
        }
    }

    /// @inheritdoc Inference
    function _word(uint256 index) internal view override returns (uint256) {
        return headWords[index];
    }

    /// @inheritdoc Inference
    function _accumulate(Network memory network, Layer memory layer) internal view override {
        (uint256[] memory inputs, uint256[] memory outputs) = (network.inputs, network.outputs);
        mapping(uint256 position => int8 weight) storage layerWeights = weights[layer.index];
        // Positions stay below 2^18, and the header bounds the sums by 2^31 − 1.
        unchecked {
            uint256 count = layer.outputs;
            for (uint256 j = 0; j < count; ++j) {
                outputs[j] = _bias(network, layer, j);
            }
            for (uint256 i = 0; i < layer.fanIn; ++i) {
                uint256 input = inputs[i];
                if (input == 0) continue;
                for (uint256 j = 0; j < count; ++j) {
                    outputs[j] += input * uint256(int256(layerWeights[i * count + j]));
                }
            }
        }
    }
}
