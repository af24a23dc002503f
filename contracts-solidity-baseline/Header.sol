// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IClassifier} from "./IClassifier.sol";

/// @dev The layers that a network may have.
uint256 constant MAX_LAYERS = 27;

/// @notice A dense layer as inference needs it: the record of docs/format.md and where its parameters lie.
struct Layer {
    /// Its place in the network, from 0.
    uint256 index;
    /// Inputs `I` and outputs `O`.
    uint256 inputs;
    uint256 outputs;
    /// Where the biases begin, in bytes from word 0; the bytes of one bias (1 or 2); the shift of all of them.
    uint256 biasOffset;
    uint256 biasBytes;
    uint256 biasShift;
    /// The word with which the weights begin.
    uint256 firstWord;
    /// Requantization: `min((max(acc, 0) · multiplier + 2^(shift − 1)) >> shift, maxActivation)`; 0 in the last layer.
    uint256 multiplier;
    uint256 shift;
    uint256 maxActivation;
}

/// @title  Header
/// @notice Checks and decodes the model header of docs/format.md.
/// @dev    {check} runs once, when an upload begins; {decode} runs in every inference and relies on it.
library Header {
    /// @dev Bytes before the first layer record, and bytes of a record.
    uint256 private constant PREAMBLE = 5;
    uint256 private constant RECORD = 9;

    uint256 internal constant MAX_LENGTH = 256;

    /// @notice Checks every rule of the format in order of offset and returns the number of words of the model:
    ///
    ///     ⌈ Σ_l O_l · biasBytes_l / 32 ⌉ + Σ_l ⌈ I_l · O_l / 32 ⌉
    ///
    /// @dev    `BadHeader(offset)`: the first byte of the field that breaks its rule; the kind byte of a layer whose
    ///         accumulators could overflow; the channels if the image is too large; the length of a header that
    ///         ends early; the length that a longer one should have had.
    function check(bytes calldata header) internal pure returns (uint256 words) {
        if (header.length > MAX_LENGTH) _refuse(MAX_LENGTH);
        _require(_uint8(header, 0) == 1, 0);
        uint256 inputs = _uint8(header, 1);
        _require(inputs != 0, 1);
        inputs *= _uint8(header, 2);
        _require(inputs != 0, 2);
        inputs *= _uint8(header, 3);
        _require(inputs != 0 && inputs <= 65_535, 3);
        uint256 count = _uint8(header, 4);
        _require(count != 0 && count <= MAX_LAYERS, 4);

        uint256 maxInput = 255;
        uint256 biasBytes;
        for (uint256 l = 0; l < count; ++l) {
            (uint256 outputs, uint256 maxOutput, uint256 biasWidth) =
                _checkRecord(header, PREAMBLE + l * RECORD, l + 1 == count, inputs, maxInput);
            biasBytes += outputs * biasWidth;
            words += (inputs * outputs + 31) / 32;
            (inputs, maxInput) = (outputs, maxOutput);
        }
        uint256 end = PREAMBLE + count * RECORD;
        _require(header.length == end, end);
        words += (biasBytes + 31) / 32;
    }

    /// @notice Decodes a header that {check} accepted.
    /// @return imageLength The bytes of an image, height · width · channels.
    /// @return layers      The layers, in order.
    function decode(bytes memory header) internal pure returns (uint256 imageLength, Layer[] memory layers) {
        // Nothing here can overflow: {check} bounds every factor.
        unchecked {
            uint256 preamble = _load(header, 0);
            imageLength = (preamble >> 240 & 0xff) * (preamble >> 232 & 0xff) * (preamble >> 224 & 0xff);
            layers = new Layer[](preamble >> 216 & 0xff);

            uint256 inputs = imageLength;
            uint256 biasOffset;
            uint256 firstWord;
            for (uint256 l = 0; l < layers.length; ++l) {
                Layer memory layer = layers[l];
                uint256 record = _load(header, PREAMBLE + l * RECORD) >> 8 * (32 - RECORD);
                uint256 outputs = record >> 48 & 0xffff;
                layer.index = l;
                layer.inputs = inputs;
                layer.outputs = outputs;
                layer.biasOffset = biasOffset;
                layer.biasBytes = record >> 38 & 3;
                layer.biasShift = record >> 32 & 0x1f;
                layer.firstWord = firstWord;
                layer.multiplier = record >> 16 & 0xffff;
                layer.shift = record >> 8 & 0xff;
                layer.maxActivation = (1 << (record & 0xff)) - 1;

                biasOffset += outputs * layer.biasBytes;
                firstWord += (inputs * outputs + 31) / 32;
                inputs = outputs;
            }
            // The biases come first: only now is it known where the weights begin.
            uint256 biasWords = (biasOffset + 31) / 32;
            for (uint256 l = 0; l < layers.length; ++l) {
                layers[l].firstWord += biasWords;
            }
        }
    }

    /// @dev One layer record at `offset`. The overflow rule needs all of its fields, so it is checked last:
    ///      `I · x_max · 128 + (b_max << biasShift) ≤ 2^31 − 1`.
    function _checkRecord(bytes calldata header, uint256 offset, bool last, uint256 inputs, uint256 maxInput)
        private
        pure
        returns (uint256 outputs, uint256 maxOutput, uint256 biasBytes)
    {
        _require(_uint8(header, offset) == 1, offset);
        outputs = _uint16(header, offset + 1);
        _require(outputs != 0 && outputs <= (last ? 256 : 4_096), offset + 1);
        _require(_uint8(header, offset + 3) == 8, offset + 3);
        uint256 biasFormat = _uint8(header, offset + 4);
        biasBytes = biasFormat >> 6;
        uint256 biasShift = biasFormat & 0x3f;
        _require((biasBytes == 1 || biasBytes == 2) && biasShift <= 23, offset + 4);
        _require((_uint16(header, offset + 5) == 0) == last, offset + 5);
        uint256 shift = _uint8(header, offset + 7);
        _require((shift == 0) == last && shift <= 47, offset + 7);
        uint256 bits = _uint8(header, offset + 8);
        _require((bits == 0) == last && bits <= 8, offset + 8);
        maxOutput = (1 << bits) - 1;

        uint256 maxBias = biasBytes == 1 ? 128 : 32_768;
        _require(inputs * maxInput * 128 + (maxBias << biasShift) <= 0x7fffffff, offset);
    }

    function _uint8(bytes calldata header, uint256 offset) private pure returns (uint256) {
        _require(offset < header.length, header.length);
        return uint8(header[offset]);
    }

    function _uint16(bytes calldata header, uint256 offset) private pure returns (uint256) {
        return _uint8(header, offset) << 8 | _uint8(header, offset + 1);
    }

    /// @dev The 32 bytes of `header` from `offset` on, those past its end being of no interest.
    function _load(bytes memory header, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(header, 32), offset))
        }
    }

    function _require(bool rule, uint256 offset) private pure {
        if (!rule) _refuse(offset);
    }

    function _refuse(uint256 offset) private pure {
        revert IClassifier.BadHeader(uint16(offset));
    }
}
