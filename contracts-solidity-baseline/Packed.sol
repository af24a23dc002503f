// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {CONVOLUTION, Header, Layer, TERNARY} from "./Header.sol";
import {Inference} from "./Inference.sol";
import {ModelStore} from "./ModelStore.sol";

/// @title  Packed
/// @notice The network in Solidity, over the same words and the same slots as the Stylus contract.
/// @dev    A dense layer takes a row of weights an input, and none for an input of 0. A convolution takes its weights
///         out of the words once, gathers what a place of the output sees, and multiplies it with each output's weights.
contract Packed is Inference {
    /// @dev The model as uploaded. Slots 268–8459.
    uint256[MAX_WORDS] internal words;

    constructor(address initialOwner) ModelStore(initialOwner) {}

    /// @inheritdoc ModelStore
    function _storeWords(uint256 first, bytes calldata data) internal override {
        for (uint256 offset = 0; offset < data.length; offset += 32) {
            words[first + offset / 32] = uint256(bytes32(data[offset:offset + 32]));
        }
    }

    /// @inheritdoc Inference
    function _word(uint256 index) internal view override returns (uint256) {
        return words[index];
    }

    /// @inheritdoc Inference
    function _accumulate(Network memory network, Layer memory layer) internal view override {
        if (layer.kind == CONVOLUTION) _convolve(network, layer);
        else _addRows(network, layer);
    }

    // Unchecked from here on: offsets and products stay far from 2^256, and the header bounds the sums by 2^31 − 1.

    /// @dev `outputs[j] = (b[j] << biasShift) + Σ_i inputs[i] · w[i][j]`.
    function _addRows(Network memory network, Layer memory layer) private view {
        unchecked {
            uint256[] memory outputs = network.outputs;
            uint256 count = layer.outputs;
            for (uint256 j = 0; j < count; ++j) {
                outputs[j] = _bias(network, layer, j);
            }
            uint256 target = _address(outputs);
            uint256 source = _address(network.inputs);
            for (uint256 i = 0; i < layer.fanIn; ++i) {
                uint256 input = _value(source, i);
                if (input == 0) continue;
                if (layer.streamed) {
                    _load(
                        network,
                        layer.weights + Header.weightOffset(layer.format, i * count),
                        layer.weights + Header.weightBits(layer.format, (i + 1) * count)
                    );
                }
                _multiplyAdd(network, layer, i * count, count, input, target);
            }
        }
    }

    /// @dev `outputs[o][y][x] = (b[o] << biasShift) + Σ inputs[c][y·t + ky − p][x·t + kx − p] · w[o][c][ky][kx]`.
    function _convolve(Network memory network, Layer memory layer) private pure {
        unchecked {
            uint256 memoryBefore = _freeMemory();
            uint256 weights = _address(new uint256[](layer.outputs * layer.fanIn));
            _multiplyAdd(network, layer, 0, layer.outputs * layer.fanIn, 1, weights);
            uint256 inputs = layer.padding == 0 ? _address(network.inputs) : _pad(network, layer);
            uint256 patch = _address(new uint256[](layer.fanIn));
            uint256 planes = layer.outputs / layer.groups;
            uint256 area = layer.outHeight * layer.outWidth;
            uint256 rowLength = layer.width + 2 * layer.padding;
            uint256 groupInputs = layer.planes / layer.groups * (layer.height + 2 * layer.padding) * rowLength;
            for (uint256 group = 0; group < layer.groups; ++group) {
                for (uint256 place = 0; place < area; ++place) {
                    (uint256 y, uint256 x) = (place / layer.outWidth, place % layer.outWidth);
                    _gather(layer, inputs + 32 * (y * rowLength + x) * layer.stride, patch);
                    for (uint256 o = group * planes; o < (group + 1) * planes; ++o) {
                        network.outputs[o * area + place] = _bias(network, layer, o)
                            + _dot(patch, weights + 32 * o * layer.fanIn, layer.fanIn);
                    }
                }
                inputs += 32 * groupInputs;
            }
            _freeFrom(memoryBefore);
        }
    }

    /// @dev Copies the inputs with their padding of zeros; returns the address of the first.
    function _pad(Network memory network, Layer memory layer) private pure returns (uint256 padded) {
        unchecked {
            uint256 padding = layer.padding;
            uint256 width = layer.width + 2 * padding;
            padded = _address(new uint256[](layer.planes * (layer.height + 2 * padding) * width));
            uint256 source = _address(network.inputs);
            uint256 target = padded + 32 * padding * (width + 1);
            for (uint256 plane = 0; plane < layer.planes; ++plane) {
                for (uint256 y = 0; y < layer.height; ++y) {
                    _copy(target, source, 32 * layer.width);
                    source += 32 * layer.width;
                    target += 32 * width;
                }
                target += 64 * padding * width;
            }
        }
    }

    /// @dev Copies the squares of `kernel · kernel` inputs that an output sees, a plane each, of which the first begins
    ///      at `source`.
    function _gather(Layer memory layer, uint256 source, uint256 patch) private pure {
        unchecked {
            uint256 bytesOfRow = 32 * layer.kernel;
            uint256 row = 32 * (layer.width + 2 * layer.padding);
            uint256 plane = row * (layer.height + 2 * layer.padding);
            uint256 rows = layer.kernel * row;
            uint256 end = patch + 32 * layer.fanIn;
            while (patch < end) {
                for (uint256 from = source; from < source + rows; from += row) {
                    _copy(patch, from, bytesOfRow);
                    patch += bytesOfRow;
                }
                source += plane;
            }
        }
    }

    /// @dev `Σ_i a[i] · b[i]` of `count` words, nine at a time as long as nine are left: the bookkeeping of a loop costs as much
    ///      as a product.
    function _dot(uint256 a, uint256 b, uint256 count) private pure returns (uint256 sum) {
        assembly ("memory-safe") {
            let end := add(a, mul(32, count))
            // 256 bytes lie before the ninth.
            for { let last := sub(end, 256) } lt(a, last) {} {
                sum := add(sum, mul(mload(a), mload(b)))
                sum := add(sum, mul(mload(add(a, 32)), mload(add(b, 32))))
                sum := add(sum, mul(mload(add(a, 64)), mload(add(b, 64))))
                sum := add(sum, mul(mload(add(a, 96)), mload(add(b, 96))))
                sum := add(sum, mul(mload(add(a, 128)), mload(add(b, 128))))
                sum := add(sum, mul(mload(add(a, 160)), mload(add(b, 160))))
                sum := add(sum, mul(mload(add(a, 192)), mload(add(b, 192))))
                sum := add(sum, mul(mload(add(a, 224)), mload(add(b, 224))))
                sum := add(sum, mul(mload(add(a, 256)), mload(add(b, 256))))
                a := add(a, 288)
                b := add(b, 288)
            }
            for {} lt(a, end) {} {
                sum := add(sum, mul(mload(a), mload(b)))
                a := add(a, 32)
                b := add(b, 32)
            }
        }
    }

    /// @dev `target[k] += input · w[first + k]` for `k < count`, where `w` are the weights of a layer.
    function _multiplyAdd(
        Network memory network,
        Layer memory layer,
        uint256 first,
        uint256 count,
        uint256 input,
        uint256 target
    ) private pure {
        unchecked {
            uint256 bits = layer.format;
            if (bits == TERNARY) {
                _multiplyAddTernary(network, layer.weights, first, count, input, target);
                return;
            }
            // Formats 1 and 2 hold `v`, and the weight is `2v − 1` or `2v − 3`. With its first bit turned round, `v` is a
            // number in two's complement, `v − 1` or `v − 2`: the weight is twice that number, plus 1.
            uint256 odd = bits <= 2 ? 1 : 0;
            uint256 flip = bits == 1 ? type(uint256).max : bits == 2 ? type(uint256).max / 3 * 2 : 0;
            uint256 position = layer.weights + first * bits;
            while (count != 0) {
                uint256 step = _min(count, 24);
                _multiplyAddFields(target, input, _window(network, position) ^ flip, step, bits, odd);
                position += step * bits;
                target += 32 * step;
                count -= step;
            }
        }
    }

    /// @dev `target[k] += input · (2^odd · field + odd)` for the first `count` fields of a window.
    function _multiplyAddFields(
        uint256 target,
        uint256 input,
        uint256 window,
        uint256 count,
        uint256 bits,
        uint256 odd
    ) private pure {
        assembly ("memory-safe") {
            let shift := sub(256, bits)
            let end := add(target, mul(32, count))
            // While four are left; 96 bytes lie before the fourth.
            for { let last := sub(end, 96) } lt(target, last) { target := add(target, 128) } {
                mstore(target, add(mload(target), mul(input, or(shl(odd, sar(shift, window)), odd))))
                window := shl(bits, window)
                let next := add(target, 32)
                mstore(next, add(mload(next), mul(input, or(shl(odd, sar(shift, window)), odd))))
                window := shl(bits, window)
                next := add(target, 64)
                mstore(next, add(mload(next), mul(input, or(shl(odd, sar(shift, window)), odd))))
                window := shl(bits, window)
                next := add(target, 96)
                mstore(next, add(mload(next), mul(input, or(shl(odd, sar(shift, window)), odd))))
                window := shl(bits, window)
            }
            for {} lt(target, end) { target := add(target, 32) } {
                mstore(target, add(mload(target), mul(input, or(shl(odd, sar(shift, window)), odd))))
                window := shl(bits, window)
            }
        }
    }

    /// @dev {_multiplyAdd} of weights that lie five to a byte, the first of them in its lowest digit.
    function _multiplyAddTernary(
        Network memory network,
        uint256 weights,
        uint256 first,
        uint256 count,
        uint256 input,
        uint256 target
    ) private pure {
        unchecked {
            uint256 position = weights + first / 5 * 8;
            uint256 digit = first % 5;
            uint256 digits = (_window(network, position) >> 248) / 3 ** digit;
            for (uint256 end = target + 32 * count; target < end; target += 32) {
                if (digit == 5) {
                    digit = 0;
                    position += 8;
                    digits = _window(network, position) >> 248;
                }
                assembly ("memory-safe") {
                    mstore(target, add(mload(target), mul(input, sub(mod(digits, 3), 1))))
                }
                digits /= 3;
                ++digit;
            }
        }
    }

    // ── Memory ─────────────────────────────────────────────────────────────────────────────────────────────────

    function _copy(uint256 target, uint256 source, uint256 length) private pure {
        assembly ("memory-safe") {
            mcopy(target, source, length)
        }
    }

    function _freeMemory() private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
        }
    }

    /// @dev Gives back what was allocated from `pointer` on.
    function _freeFrom(uint256 pointer) private pure {
        assembly ("memory-safe") {
            mstore(0x40, pointer)
        }
    }
}
