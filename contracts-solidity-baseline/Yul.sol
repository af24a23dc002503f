// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LaneInference} from "./LaneInference.sol";
import {ModelStore} from "./ModelStore.sol";
import {Plan} from "./Plan.sol";

/// @title  Yul
/// @notice The strongest Solidity for the words that the Stylus contract reads, in the same slots: 16 values a word, see
///         {Convolution} and {Dense}.
contract Yul is LaneInference {
    /// @dev The model as uploaded. Slots 268–8459.
    uint256[MAX_WORDS] internal words;

    constructor(address initialOwner) ModelStore(initialOwner) {}

    /// @inheritdoc ModelStore
    function _storeWords(uint256 first, bytes calldata data) internal override {
        for (uint256 offset = 0; offset < data.length; offset += 32) {
            words[first + offset / 32] = uint256(bytes32(data[offset:offset + 32]));
        }
    }

    /// @inheritdoc LaneInference
    function _openHeader() internal view override returns (bytes memory) {
        return _servedHeader();
    }

    /// @inheritdoc LaneInference
    function _openWords(uint256, uint256 count) internal pure override returns (uint256) {
        return Plan.allocate(32 * count + 32);
    }

    /// @inheritdoc LaneInference
    /// @dev A word that is 0 counts as not read.
    function _readWords(uint256 pointer, uint256 from, uint256 to) internal view override {
        assembly ("memory-safe") {
            for { let index := shr(8, from) } lt(shl(8, index), to) { index := add(index, 1) } {
                let place := add(pointer, shl(5, index))
                if iszero(mload(place)) { mstore(place, sload(add(words.slot, index))) }
            }
        }
    }
}
