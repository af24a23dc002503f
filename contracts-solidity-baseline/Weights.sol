// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {TERNARY} from "./Header.sol";
import {Lanes, ONES} from "./Lanes.sol";
import {Plan} from "./Plan.sol";

/// @title  Weights
/// @notice Takes fields of a few bits out of a stream of bits in memory. A place in it is a bit, 8 times an address and
///         more.
/// @dev    A weight is `2^odd · u − offset` of an unsigned field `u`: `v` itself for formats 1 and 2 (`2v − 1`, `2v − 3`), a
///         number in two's complement with its first bit turned round for 3, 4 and 8 (`u − 4`, `u − 8`, `u − 128`), a digit
///         for ternary weights (`u − 1`).
library Weights {
    /// @notice The bits that `count` weights take.
    function bitsOf(uint256 format, uint256 count) internal pure returns (uint256) {
        unchecked {
            return format == TERNARY ? (count + 4) / 5 * 8 : count * format;
        }
    }

    /// @notice The bits of a field, those of {expandTernary} for ternary weights.
    function fieldBits(uint256 format) internal pure returns (uint256) {
        return format == TERNARY ? 2 : format;
    }

    /// @notice What is taken off a field, and whether it counts twice.
    function offsetOf(uint256 format) internal pure returns (uint256 offset, uint256 odd) {
        unchecked {
            if (format <= 2) return (2 * format - 1, 1);
            return (format == TERNARY ? 1 : 1 << format - 1, 0);
        }
    }

    /// @notice The first bits of the fields of a word, where they have to be turned round.
    function flipOf(uint256 format) internal pure returns (uint256 flip) {
        if (format <= 2 || format == TERNARY) return 0;
        assembly ("memory-safe") {
            flip := shl(sub(format, 1), div(not(0), sub(shl(format, 1), 1)))
        }
    }

    /// @notice The 256 bits of a stream from a place on.
    function window(uint256 place) internal pure returns (uint256 bits) {
        assembly ("memory-safe") {
            let pointer := shr(3, place)
            let skip := and(place, 7)
            bits := or(shl(skip, mload(pointer)), shr(sub(8, skip), byte(0, mload(add(pointer, 32)))))
        }
    }

    /// @notice Unpacks weights `[output][row][tap]`: for each output 96 bytes that are left alone (or written, and written
    ///         again by others) and a word for each row, with field 0 in its lowest 16-bit lane, the next in the lane above it
    ///         and so on. Needs room for three words more.
    function unpack(uint256 place, uint256 target, uint256 outputs, uint256 rows, uint256 taps, uint256 format)
        internal
        pure
    {
        unchecked {
            uint256 bits = fieldBits(format);
            if ((taps - 1) * bits <= 16 && (taps - 1) * (16 + bits) + taps * bits < 256) {
                _unpackRows(place, target, outputs, rows, taps, format);
            } else {
                _unpackFields(place, target, outputs, rows, taps, format);
            }
        }
    }

    /// @dev A row `t` of `taps · bits` bits has its first field at the top. `t · Σ_i 2^((16 + bits) · i)` holds copies of it,
    ///      one for each lane, that do not touch and of which each has another field at the place of the lane.
    function _unpackRows(uint256 place, uint256 target, uint256 outputs, uint256 rows, uint256 taps, uint256 format)
        private
        pure
    {
        unchecked {
            uint256 bits = fieldBits(format);
            uint256 copies;
            uint256 mask;
            uint256 offsets;
            {
                (uint256 offset, uint256 odd) = offsetOf(format);
                for (uint256 i = 0; i < taps; ++i) {
                    copies |= 1 << (16 + bits) * i + odd;
                    mask |= (1 << bits) - 1 << 16 * i + odd;
                    offsets += offset << 16 * i;
                }
            }
            uint256 rowBits = taps * bits;
            uint256 flip = flipOf(format);
            assembly ("memory-safe") {
                // Out of the way of the stack.
                mstore(0, offsets)
            }
            uint256 sizes = rowBits << 128 | rowBits - bits;
            uint256 table = rowBits <= 6 ? _makeTable(sizes, copies, mask, flip) : 0;
            rows *= 32;
            for (uint256 end = target + (rows + 96) * outputs; target < end; target += rows + 96) {
                if (table != 0) _lookUpOutput(place, target + 96, target + 96 + rows, table, rowBits);
                else _unpackOutput(place, target + 96, target + 96 + rows, copies, mask, sizes, flip);
                place += rowBits * rows / 32;
            }
        }
    }

    /// @dev The rows of one output, from `target` to `end`: as many at a time as 249 bits hold.
    function _unpackOutput(
        uint256 place,
        uint256 target,
        uint256 end,
        uint256 copies,
        uint256 mask,
        uint256 sizes,
        uint256 flip
    ) private pure {
        // Never; see {Convolution-_addOutputs}.
        if (target == end) return;
        assembly ("memory-safe") {
            let rowBits := shr(128, sizes)
            let down := and(sizes, 0xff)
            let top := sub(256, rowBits)
            for {} lt(target, end) {} {
                let fields := xor(shl(and(place, 7), mload(shr(3, place))), flip)
                let count := div(249, rowBits)
                place := add(place, mul(count, rowBits))
                let until := add(target, shl(5, count))
                if gt(until, end) { until := end }
                // Three rows at a time; those that are too many are written again, by the next window or by others.
                for {} lt(target, until) { target := add(target, 96) } {
                    mstore(target, sub(and(shr(down, mul(shr(top, fields), copies)), mask), mload(0)))
                    fields := shl(rowBits, fields)
                    mstore(add(target, 32), sub(and(shr(down, mul(shr(top, fields), copies)), mask), mload(0)))
                    fields := shl(rowBits, fields)
                    mstore(add(target, 64), sub(and(shr(down, mul(shr(top, fields), copies)), mask), mload(0)))
                    fields := shl(rowBits, fields)
                }
                target := until
            }
        }
    }

    /// @dev All rows that there can be, where they are short.
    function _makeTable(uint256 sizes, uint256 copies, uint256 mask, uint256 flip) private pure returns (uint256 table) {
        unchecked {
            uint256 rowBits = sizes >> 128;
            table = Plan.allocate(32 << rowBits);
            flip >>= 256 - rowBits;
            assembly ("memory-safe") {
                for { let i := shl(rowBits, 1) } i {} {
                    i := sub(i, 1)
                    let row := and(shr(and(sizes, 0xff), mul(xor(i, flip), copies)), mask)
                    mstore(add(table, shl(5, i)), sub(row, mload(0)))
                }
            }
        }
    }

    /// @dev As {_unpackOutput}, from a table.
    function _lookUpOutput(uint256 place, uint256 target, uint256 end, uint256 table, uint256 rowBits) private pure {
        // Never; see {Convolution-_addOutputs}.
        if (target == end) return;
        assembly ("memory-safe") {
            let top := sub(251, rowBits)
            let rest := not(31)
            for {} lt(target, end) {} {
                let fields := shl(and(place, 7), mload(shr(3, place)))
                let count := div(249, rowBits)
                place := add(place, mul(count, rowBits))
                let until := add(target, shl(5, count))
                if gt(until, end) { until := end }
                for {} lt(target, until) { target := add(target, 96) } {
                    mstore(target, mload(add(table, and(shr(top, fields), rest))))
                    fields := shl(rowBits, fields)
                    mstore(add(target, 32), mload(add(table, and(shr(top, fields), rest))))
                    fields := shl(rowBits, fields)
                    mstore(add(target, 64), mload(add(table, and(shr(top, fields), rest))))
                    fields := shl(rowBits, fields)
                }
                target := until
            }
        }
    }

    /// @dev The same field by field, for rows that are too long.
    function _unpackFields(uint256 place, uint256 target, uint256 outputs, uint256 rows, uint256 taps, uint256 format)
        private
        pure
    {
        unchecked {
            uint256 bits = fieldBits(format);
            (uint256 offset, uint256 odd) = offsetOf(format);
            uint256 flip = flipOf(format);
            for (; outputs != 0; --outputs) {
                target += 96;
                for (uint256 end = target + 32 * rows; target < end; target += 32) {
                    uint256 row;
                    for (uint256 i = 0; i < taps; ++i) {
                        row += ((window(place) ^ flip) >> 256 - bits << odd) - offset << 16 * i;
                        place += bits;
                    }
                    assembly ("memory-safe") {
                        mstore(target, row)
                    }
                }
            }
        }
    }

    /// @notice Writes the ternary weights at a place, `count` bytes with five in each, as fields of 2 bits that hold 0, 1 or 2.
    ///         Needs room for 20 bytes for each 16 bytes begun, and 12 more.
    /// @dev    With `q_0 = v` and `q_i = ⌊q_(i−1) / 3⌋`, digit `i` is `q_i − 3 · q_(i+1)`; so the ten bits are
    ///         `Σ_i 4^(4−i) · (q_i − 3 · q_(i+1)) = 256·v − 704·q_1 − 176·q_2 − 44·q_3 − 11·q_4 − 3·q_5`. A third of a byte
    ///         is `171 · q >> 9`.
    function expandTernary(uint256 place, uint256 target, uint256 count) internal pure {
        unchecked {
            for (uint256 end = place + 8 * count; place < end; place += 128) {
                uint256 v = Lanes.fromBytes(window(place));
                assembly ("memory-safe") {
                    let q := v
                    let digits := shl(8, v)
                    for { let factor := 704 } gt(factor, 2) { factor := shr(2, factor) } {
                        q := and(shr(9, mul(q, 171)), mul(ONES, 0x7f))
                        digits := sub(digits, mul(factor, q))
                    }
                    digits := sub(digits, mul(3, and(shr(9, mul(q, 171)), mul(ONES, 0x7f))))
                    // To the top of each lane, then side by side: of 2, 4, 8, 16 lanes.
                    digits := shl(6, digits)
                    let m := 0xffc00000ffc00000ffc00000ffc00000ffc00000ffc00000ffc00000ffc00000
                    digits := or(and(digits, m), shl(6, and(digits, shr(16, m))))
                    m := 0xfffff00000000000fffff00000000000fffff00000000000fffff00000000000
                    digits := or(and(digits, m), shl(12, and(digits, shr(32, m))))
                    m := 0xffffffffff0000000000000000000000ffffffffff0000000000000000000000
                    digits := or(and(digits, m), shl(24, and(digits, shr(64, m))))
                    m := 0xffffffffffffffffffff00000000000000000000000000000000000000000000
                    digits := or(and(digits, m), shl(48, and(digits, shr(128, m))))
                    mstore(target, digits)
                }
                target += 20;
            }
        }
    }

    /// @notice The number in two's complement, of so many bits, at a place.
    function signedAt(uint256 place, uint256 bits) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := sar(sub(256, bits), shl(and(place, 7), mload(shr(3, place))))
        }
    }

    /// @notice The number, of so many bits, at a place.
    function unsignedAt(uint256 place, uint256 bits) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, bits), shl(and(place, 7), mload(shr(3, place))))
        }
    }
}
