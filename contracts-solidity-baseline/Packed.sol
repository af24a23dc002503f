// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Layer} from "./Header.sol";
import {Inference} from "./Inference.sol";
import {ModelStore} from "./ModelStore.sol";

/// @title  Packed
/// @notice The network in Solidity, over the same words and the same slots as the Stylus contract: 32 weights a
///         storage word, input-major, so that a zero input costs none of its row.
/// @dev    With `N` non-zero inputs in a layer of `O` outputs, about `N · O / 32` storage words and `N · O`
///         multiply-adds.
contract Packed is Inference {
    /// @dev The model as uploaded: biases, then the weights of each layer. Slots 268–8459.
    uint256[MAX_WORDS] internal words;

    constructor(address initialOwner) ModelStore(initialOwner) {}

    /// @inheritdoc ModelStore
    function _storeWords(uint256 first, bytes calldata data) internal override {
        for (uint256 offset = 0; offset < data.length; offset += 32) {
            words[first + offset / 32] = uint256(bytes32(data[offset:offset + 32]));
        }
    }

    /// @inheritdoc Inference
    function _biasWord(uint256 index) internal view override returns (uint256) {
        return words[index];
    }

    /// @inheritdoc Inference
    function _addProducts(Layer memory layer, bytes memory inputs, int256[] memory accumulators)
        internal
        view
        override
    {
        // Offsets stay below 2^18, and the header bounds the sums by 2^31 − 1.
        unchecked {
            uint256 outputs = layer.outputs;
            uint256 firstWord = layer.firstWord;
            // The word read last: a row of fewer than 32 weights shares its word with the rows beside it.
            uint256 loaded = type(uint256).max;
            uint256 word;
            for (uint256 i = 0; i < layer.inputs; i += 32) {
                // Nothing is left of 32 inputs once the last of them that is not zero has been shifted out.
                uint256 rest = _inputWord(inputs, i);
                for (uint256 row = i * outputs; rest != 0; row += outputs) {
                    uint256 input = rest >> 248;
                    rest <<= 8;
                    if (input == 0) continue;
                    uint256 target = _firstElement(accumulators);
                    (uint256 next, uint256 end) = (row, row + outputs);
                    while (next < end) {
                        if (next / 32 != loaded) {
                            loaded = next / 32;
                            word = words[firstWord + loaded];
                        }
                        uint256 count = _min(32 - next % 32, end - next);
                        target = _multiplyAdd(target, input, word << 8 * (next % 32), count);
                        next += count;
                    }
                }
            }
        }
    }

    /// @dev The memory address of `array[0]`.
    function _firstElement(int256[] memory array) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(array, 32)
        }
    }

    /// @dev `target[k] += input · weights[k]` for `k < count`, where `target` is the memory address of an accumulator
    ///      and `weights[k]` byte `k` of `weights`, in two's complement. Returns the address of `target[count]`.
    ///      Eight at a time: the bookkeeping of a loop costs as much as a multiply-add.
    function _multiplyAdd(uint256 target, uint256 input, uint256 weights, uint256 count)
        private
        pure
        returns (uint256 end)
    {
        assembly ("memory-safe") {
            end := add(target, shl(5, count))
            // While eight accumulators are left; 224 bytes lie before the eighth.
            for { let last := sub(end, 224) } lt(target, last) { target := add(target, 32) } {
                mstore(target, add(mload(target), mul(input, signextend(0, byte(0, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(1, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(2, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(3, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(4, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(5, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(6, weights)))))
                target := add(target, 32)
                mstore(target, add(mload(target), mul(input, signextend(0, byte(7, weights)))))
                weights := shl(64, weights)
            }
            for {} lt(target, end) { target := add(target, 32) } {
                mstore(target, add(mload(target), mul(input, signextend(0, byte(0, weights)))))
                weights := shl(8, weights)
            }
        }
    }
}
