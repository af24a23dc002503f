// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IClassifier} from "./IClassifier.sol";

/// @dev The kinds of layers, and the most that a network may have.
uint256 constant DENSE = 1;
uint256 constant CONVOLUTION = 2;
uint256 constant MAX_POOLING = 3;
uint256 constant SHIFTED_SUM_POOLING = 4;
uint256 constant AGAIN = 5;
uint256 constant LOGITS = 6;
uint256 constant SUM_POOLING = 7;
uint256 constant MAX_LAYERS = 32;

/// @dev The weight format with five weights of −1, 0, 1 to a byte. In the others, its number is the bits of a weight.
uint256 constant TERNARY = 5;

/// @notice A layer as inference needs it: its record of docs/format.md, its shapes, and where its parameters lie.
struct Layer {
    /// Its place in the network, from 0.
    uint256 index;
    /// Its kind, where `AGAIN` has become `CONVOLUTION`, and `SHIFTED_SUM_POOLING` `SUM_POOLING`.
    uint256 kind;
    // What comes in: planes, rows, columns, the largest value that there can be.
    uint256 planes;
    uint256 height;
    uint256 width;
    uint256 maxInput;
    // What goes out, in `outputs` planes.
    uint256 outHeight;
    uint256 outWidth;
    /// The weights that an output sees.
    uint256 fanIn;
    // What a layer that is applied again has in common with the earlier one begins here.
    uint256 outputs;
    /// Convolution; of pooling, the size of its squares is kernel and stride.
    uint256 kernel;
    uint256 stride;
    uint256 padding;
    uint256 groups;
    /// Format of the weights; bits of a bias, and the shift of all of them.
    uint256 format;
    uint256 biasBits;
    uint256 biasShift;
    /// Requantization: `min((max(acc, 0) · m + 2^(shift − 1)) >> shift, most)`, where `m` is `multiplier` or, with
    /// `multiplierBits` not 0, an output's own; then `min(… + x, most)` where `residual` is 1. Of pooling, the shift of sums.
    uint256 multiplierBits;
    uint256 multiplier;
    uint256 shift;
    uint256 most;
    uint256 residual;
    /// Where biases, multipliers and weights begin, in bits from word 0.
    uint256 biases;
    uint256 multipliers;
    uint256 weights;
    /// Whether the weights are streamed: read only where an input is not 0.
    bool streamed;
}

/// @notice A decoded header.
struct Model {
    uint256 planes;
    uint256 height;
    uint256 width;
    /// The bytes of an image.
    uint256 imageLength;
    uint256 crop;
    uint256 inputBits;
    Layer[] layers;
    /// Bits of what is not streamed, and the words in which they lie. What is streamed follows.
    uint256 headBits;
    uint256 headWords;
    /// All words.
    uint256 words;
    /// The bytes of the header.
    uint256 length;
}

/// @title  Header
/// @notice Checks and decodes the model header of docs/format.md.
/// @dev    {check} runs once, when an upload begins; {decode} runs in every inference and relies on it.
library Header {
    /// @dev The longest header, and the bytes before the first record.
    uint256 internal constant MAX_LENGTH = 255;
    uint256 internal constant PREAMBLE = 4;

    /// @dev Weights that take more bits than this are streamed, unless they are a convolution's.
    uint256 private constant MAX_INLINE_BITS = 4_096;
    uint256 private constant MAX_VALUES = 65_535;

    /// @dev The bytes of a `Layer`, and those before what a layer applied again shares.
    uint256 private constant LAYER_BYTES = 26 * 32;
    uint256 private constant SHARED = 9 * 32;

    /// @notice Checks every rule of the format and returns what {decode} would.
    /// @dev    `BadHeader(offset)`: the first byte of the field that breaks its rule; the first byte of a record that
    ///         breaks a rule of more than one field; the length of a header that ends early; the length that a longer
    ///         one should have had. Rules are checked in order of offset, those of a whole record after its fields.
    function check(bytes memory header) internal pure returns (Model memory model) {
        unchecked {
            _require(header.length <= MAX_LENGTH, MAX_LENGTH);
            _checkPreamble(header);
            _decodePreamble(model, header);
            Layer memory layer;
            do {
                uint256 offset = model.length;
                _checkRecord(header, offset, model.layers);
                layer = _append(model, header);
                _require(_isSound(model.layers, layer, uint8(header[offset])), offset);
            } while (layer.kind != LOGITS);
            _require(header.length == model.length, model.length);
            _place(model);
        }
    }

    /// @notice Decodes a header that {check} accepted; what follows it is of no interest.
    function decode(bytes memory header) internal pure returns (Model memory model) {
        _decodePreamble(model, header);
        while (_append(model, header).kind != LOGITS) {}
        _place(model);
    }

    /// @notice The bytes of the record at `offset`, as long as its fields are in memory; of what is not, at least 1.
    function recordLength(bytes memory header, uint256 offset) internal pure returns (uint256) {
        return lengthOf(_load(header, offset));
    }

    /// @notice The bytes of the record that a word begins with.
    function lengthOf(uint256 record) internal pure returns (uint256) {
        uint256 kind = record >> 252;
        // Two bytes more where requantization, at byte 4 or 5, says that one multiplier follows.
        if (kind == DENSE) return record << 32 >> 254 == 0 ? 8 : 6;
        if (kind == CONVOLUTION) return record << 40 >> 254 == 0 ? 9 : 7;
        if (kind == LOGITS) return 3;
        return kind == SHIFTED_SUM_POOLING ? 2 : 1;
    }

    /// @notice The kind of the record at `offset`.
    function kindAt(bytes memory header, uint256 offset) internal pure returns (uint256) {
        return _load(header, offset) >> 252;
    }

    /// @notice The bits that `count` weights of a format take.
    function weightBits(uint256 format, uint256 count) internal pure returns (uint256) {
        unchecked {
            return format == TERNARY ? (count + 4) / 5 * 8 : count * format;
        }
    }

    /// @notice The bits before the byte, or in other formats than `TERNARY` the bit, in which weight `index` begins.
    function weightOffset(uint256 format, uint256 index) internal pure returns (uint256) {
        unchecked {
            return format == TERNARY ? index / 5 * 8 : index * format;
        }
    }

    // ── Decoding ───────────────────────────────────────────────────────────────────────────────────────────────
    // Unchecked: fields of a few bits give numbers far from 2^256, except where {_isSound} says so.

    function _decodePreamble(Model memory model, bytes memory header) private pure {
        unchecked {
            uint256 preamble = _load(header, 0);
            model.planes = _bits(preamble, 4, 4);
            model.height = _bits(preamble, 8, 8);
            model.width = _bits(preamble, 16, 8);
            model.imageLength = model.planes * model.height * model.width;
            model.crop = _bits(preamble, 24, 4);
            model.inputBits = _bits(preamble, 28, 4);
            model.length = PREAMBLE;
            // Room for pointers to all layers that there can be; {_append} sets the length.
            Layer[] memory layers;
            assembly ("memory-safe") {
                layers := mload(0x40)
                mstore(layers, 0)
                mstore(0x40, add(layers, mul(32, add(MAX_LAYERS, 1))))
            }
            model.layers = layers;
        }
    }

    /// @dev Decodes the next record and appends its layer to the model's.
    function _append(Model memory model, bytes memory header) private pure returns (Layer memory layer) {
        unchecked {
            Layer[] memory layers = model.layers;
            uint256 index = layers.length;
            assembly ("memory-safe") {
                mstore(add(add(layers, 32), mul(32, index)), layer)
                mstore(layers, add(index, 1))
            }
            layer.index = index;
            if (index == 0) {
                layer.planes = model.planes;
                layer.height = model.height - 2 * model.crop;
                layer.width = model.width - 2 * model.crop;
                layer.maxInput = (1 << model.inputBits) - 1;
            } else {
                Layer memory previous = layers[index - 1];
                layer.planes = previous.outputs;
                layer.height = previous.outHeight;
                layer.width = previous.outWidth;
                layer.maxInput = previous.most;
            }

            uint256 record = _load(header, model.length);
            model.length += lengthOf(record);
            uint256 kind = record >> 252;
            layer.kind = kind;
            if (kind == AGAIN) {
                layer.kind = CONVOLUTION;
                Layer memory earlier = layers[_bits(record, 4, 4)];
                assembly ("memory-safe") {
                    mcopy(add(layer, SHARED), add(earlier, SHARED), sub(LAYER_BYTES, SHARED))
                }
                _shape(layer);
                return layer;
            }
            _decodeRecord(layer, record);
            _shape(layer);
            if (kind == DENSE || kind == CONVOLUTION || kind == LOGITS) _placeParameters(model, layer);
        }
    }

    /// @dev The fields of a record that has parameters of its own, or of pooling.
    function _decodeRecord(Layer memory layer, uint256 record) private pure {
        unchecked {
            uint256 kind = layer.kind;
            uint256 argument = _bits(record, 4, 4);
            if (kind == SHIFTED_SUM_POOLING) {
                (kind, layer.kind, layer.shift) = (SUM_POOLING, SUM_POOLING, _bits(record, 8, 8));
            }
            if (kind == MAX_POOLING || kind == SUM_POOLING) {
                (layer.outputs, layer.kernel, layer.stride) = (layer.planes, argument, argument);
                return;
            }
            layer.format = argument;
            layer.outputs = _bits(record, 8, 8);
            // `rest` begins with the bias format, which requantization follows.
            uint256 rest = record << 16;
            if (kind == DENSE) {
                layer.outputs = _bits(record, 8, 16);
                rest = record << 24;
            } else if (kind == CONVOLUTION) {
                layer.kernel = _bits(record, 16, 4);
                layer.stride = _bits(record, 20, 4);
                layer.padding = _bits(record, 24, 4);
                layer.groups = _bits(record, 28, 4) + 1;
                // 15 groups, and one more, stand for one a plane.
                if (layer.groups == 16) layer.groups = layer.planes;
                rest = record << 32;
            }
            layer.biasBits = 2 << _bits(rest, 0, 2);
            layer.biasShift = _bits(rest, 3, 5);
            if (kind == LOGITS) return;
            layer.multiplierBits = _bits(rest, 8, 2) * 4;
            layer.residual = _bits(rest, 10, 1);
            layer.most = (1 << _bits(rest, 11, 4)) - 1;
            layer.shift = _bits(rest, 18, 6);
            if (layer.multiplierBits == 0) layer.multiplier = _bits(rest, 24, 16);
        }
    }

    /// @dev The output's rows and columns, the weights that an output sees, and what pooling can give at most.
    function _shape(Layer memory layer) private pure {
        unchecked {
            if (layer.kind == DENSE || layer.kind == LOGITS) {
                (layer.outHeight, layer.outWidth) = (1, 1);
                layer.fanIn = layer.planes * layer.height * layer.width;
                return;
            }
            (uint256 kernel, uint256 stride) = (layer.kernel, layer.stride);
            uint256 border = 2 * layer.padding;
            layer.outHeight = _windows(layer.height + border, kernel, stride);
            layer.outWidth = _windows(layer.width + border, kernel, stride);
            if (layer.kind == CONVOLUTION) {
                layer.fanIn = layer.planes / layer.groups * kernel * kernel;
                return;
            }
            layer.most = layer.maxInput;
            if (layer.kind == SUM_POOLING) {
                uint256 shift = layer.shift;
                layer.most = (kernel * kernel * layer.maxInput + (1 << shift >> 1)) >> shift;
            }
        }
    }

    /// @dev How often a window of `kernel` fits into `length`, `stride` apart.
    function _windows(uint256 length, uint256 kernel, uint256 stride) private pure returns (uint256) {
        unchecked {
            return kernel > length ? 0 : (length - kernel) / stride + 1;
        }
    }

    /// @dev Where the layer's parameters begin; of streamed ones, how far behind those that are not.
    function _placeParameters(Model memory model, Layer memory layer) private pure {
        unchecked {
            uint256 outputs = layer.outputs;
            uint256 bits = weightBits(layer.format, outputs * layer.fanIn);
            layer.biases = model.headBits;
            layer.multipliers = layer.biases + outputs * layer.biasBits;
            uint256 end = layer.multipliers + outputs * layer.multiplierBits;
            layer.weights = end;
            if (layer.kind != CONVOLUTION && bits > MAX_INLINE_BITS) {
                layer.streamed = true;
                layer.weights = 256 * model.words;
                model.words += (bits + 255) / 256;
            } else {
                end += bits;
            }
            model.headBits = end;
        }
    }

    /// @dev What is streamed lies behind what is not: only now is it known where that is.
    function _place(Model memory model) private pure {
        unchecked {
            model.headWords = (model.headBits + 255) / 256;
            model.words += model.headWords;
            for (uint256 l = 0; l < model.layers.length; ++l) {
                Layer memory layer = model.layers[l];
                if (layer.streamed) layer.weights += 256 * model.headWords;
            }
        }
    }

    // ── Checking ───────────────────────────────────────────────────────────────────────────────────────────────
    // Unchecked, too: offsets are at most 255 + 9, and sums of products at most 2^12 · 2^16 · 2^8 · 2^8.

    function _checkPreamble(bytes memory header) private pure {
        unchecked {
            uint256 first = _uint8(header, 0);
            uint256 channels = first & 15;
            _require(first >> 4 == 2 && channels != 0, 0);
            uint256 height = _uint8(header, 1);
            _require(height != 0, 1);
            uint256 width = _uint8(header, 2);
            _require(width != 0 && channels * height * width <= MAX_VALUES, 2);
            uint256 input = _uint8(header, 3);
            uint256 crop = 2 * (input >> 4);
            _require(crop < height && crop < width && _within(input & 15, 8), 3);
        }
    }

    /// @dev The fields of the record at `offset`, in order.
    function _checkRecord(bytes memory header, uint256 offset, Layer[] memory layers) private pure {
        unchecked {
            _require(layers.length != MAX_LAYERS, offset);
            uint256 first = _uint8(header, offset);
            (uint256 kind, uint256 argument) = (first >> 4, first & 15);
            if (kind == MAX_POOLING || kind == SUM_POOLING || kind == SHIFTED_SUM_POOLING) {
                _require(argument >= 2, offset);
                if (kind == SHIFTED_SUM_POOLING) _require(_within(_uint8(header, offset + 1), 8), offset + 1);
            } else if (kind == AGAIN) {
                _require(argument < layers.length && _kindOf(header, argument) == CONVOLUTION, offset);
            } else {
                _require(kind == DENSE || kind == CONVOLUTION || kind == LOGITS, offset);
                _require(argument == 8 || argument != 0 && argument <= 5, offset);
                uint256 bias = offset + 2;
                if (kind == DENSE) {
                    bias = offset + 3;
                    _require(_within(_uint16(header, offset + 1), 4_096), offset + 1);
                } else {
                    _require(_uint8(header, offset + 1) != 0, offset + 1);
                }
                if (kind == CONVOLUTION) {
                    bias = offset + 4;
                    uint256 kernel = _uint8(header, offset + 2);
                    _require(kernel >> 4 != 0 && kernel & 15 != 0, offset + 2);
                    _require(_uint8(header, offset + 3) >> 4 < kernel >> 4, offset + 3);
                }
                uint256 biasFormat = _uint8(header, bias);
                _require(biasFormat >> 6 != 0 && biasFormat & 32 == 0 && biasFormat & 31 <= 23, bias);
                if (kind != LOGITS) _checkRequantization(header, bias + 1);
            }
        }
    }

    function _checkRequantization(bytes memory header, uint256 offset) private pure {
        unchecked {
            uint256 field = _uint16(header, offset);
            uint256 multipliers = field >> 14;
            _require(multipliers != 3 && _within(field >> 9 & 15, 8) && _within(field & 0x1ff, 47), offset);
            if (multipliers == 0) _require(_uint16(header, offset + 2) != 0, offset + 2);
        }
    }

    /// @dev The kind of the record with the given index, an earlier one.
    function _kindOf(bytes memory header, uint256 index) private pure returns (uint256) {
        unchecked {
            uint256 offset = PREAMBLE;
            for (; index != 0; --index) offset += recordLength(header, offset);
            return kindAt(header, offset);
        }
    }

    /// @dev The rules of a whole record, whose first byte is `first`.
    function _isSound(Layer[] memory layers, Layer memory layer, uint256 first) private pure returns (bool) {
        unchecked {
            (uint256 planes, uint256 outputs) = (layer.planes, layer.outputs);
            if (!_within(outputs * layer.outHeight * layer.outWidth, MAX_VALUES)) return false;
            if (layer.kind == MAX_POOLING) return true;
            if (layer.kind == SUM_POOLING) return layer.most <= 255;
            if (layer.kind == CONVOLUTION) {
                if (planes % layer.groups != 0 || outputs % layer.groups != 0) return false;
                if (first >> 4 == AGAIN && planes != layers[first & 15].planes) return false;
            }
            if (layer.residual == 1) {
                bool same = outputs == planes && layer.outHeight == layer.height && layer.outWidth == layer.width;
                if (!same) return false;
            }
            // No accumulator overflows: F · x_max · w_max + (b_max << bias_shift) ≤ 2^31 − 1.
            uint256 maxBias = 1 << layer.biasBits - 1;
            uint256 maxSum = layer.fanIn * layer.maxInput * _maxWeight(layer.format) + (maxBias << layer.biasShift);
            return maxSum <= 0x7fffffff;
        }
    }

    /// @dev The largest magnitude of a weight.
    function _maxWeight(uint256 format) private pure returns (uint256) {
        unchecked {
            if (format == TERNARY || format == 1) return 1;
            return format == 2 ? 3 : 1 << format - 1;
        }
    }

    // ── Bits ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// @dev Whether a number that may not be 0 is at most `most`.
    function _within(uint256 value, uint256 most) private pure returns (bool) {
        return value != 0 && value <= most;
    }

    /// @dev `count` bits of a word from bit `from` on, the most significant being bit 0.
    function _bits(uint256 word, uint256 from, uint256 count) private pure returns (uint256) {
        unchecked {
            return word << from >> 256 - count;
        }
    }

    function _uint8(bytes memory header, uint256 offset) private pure returns (uint256) {
        _require(offset < header.length, header.length);
        return uint8(header[offset]);
    }

    function _uint16(bytes memory header, uint256 offset) private pure returns (uint256) {
        unchecked {
            return _uint8(header, offset) << 8 | _uint8(header, offset + 1);
        }
    }

    /// @dev The 32 bytes of `header` from `offset` on, those past its end being of no interest.
    function _load(bytes memory header, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(header, 32), offset))
        }
    }

    function _require(bool rule, uint256 offset) private pure {
        if (rule) return;
        revert IClassifier.BadHeader(uint16(offset));
    }
}
