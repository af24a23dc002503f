// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LaneInference} from "./LaneInference.sol";
import {ModelStore} from "./ModelStore.sol";
import {Plan} from "./Plan.sol";

/// @title  YulCode
/// @notice {Yul} with the model in the code of a *data account*, `00 ‖ header ‖ words` (the idea of SSTORE2,
///         github.com/0xsequence/sstore2): one cold account instead of a cold slot for each word. Home `code` of
///         docs/format.md.
/// @dev    The first slot of chunk hashes, slot 12, holds the account's address and, in byte 0, 1 while the model is ready
///         or frozen, so that inference reads no other.
contract YulCode is LaneInference {
    /// @dev The most bytes that the code of an account may have (EIP-170).
    uint256 private constant MAX_CODE = 24_576;
    uint256 private constant SERVED = 1 << 248;

    constructor(address initialOwner) ModelStore(initialOwner) {}

    /// @inheritdoc ModelStore
    function _maxWords(uint256 headerLength) internal pure override returns (uint256) {
        return (MAX_CODE - 1 - headerLength) / 32;
    }

    /// @inheritdoc ModelStore
    /// @dev An upload begins without an account, and ends with one that is served.
    function _setState(uint8 state) internal override {
        if (state == UPLOADING) chunkHashes[0] = 0;
        if (state == READY) chunkHashes[0] |= bytes32(SERVED);
        super._setState(state);
    }

    /// @inheritdoc ModelStore
    /// @dev Code cannot be extended: all words come at once.
    function _upload(uint256 chunk, bytes calldata words) internal override {
        uint256 expected = 32 * uint256(wordCount);
        if (chunk != 0 || words.length != expected) revert BadChunkLength(words.length, expected);
        _storeWords(0, words);
    }

    /// @inheritdoc ModelStore
    function _storeWords(uint256, bytes calldata words) internal override {
        bytes memory header = _header();
        uint256 length = 1 + header.length + words.length;
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE, RETURN: returns all that follows. The
        // first byte of that, 00, is the instruction STOP, so that nobody runs the data.
        bytes memory creation = abi.encodePacked(hex"61", uint16(length), hex"80600a3d393df300", header, words);
        address account;
        assembly ("memory-safe") {
            account := create(0, add(creation, 32), mload(creation))
        }
        if (account == address(0)) revert NoDataAccount();
        chunkHashes[0] = bytes32(uint256(uint160(account)));
    }

    /// @inheritdoc ModelStore
    function _isUploaded(uint256) internal view override returns (bool) {
        return chunkHashes[0] != 0;
    }

    /// @inheritdoc ModelStore
    function _hashes() internal view override returns (bytes32[] memory hashes) {
        bytes memory data = _account().code;
        hashes = new bytes32[](_chunks());
        uint256 offset = 1 + headerLength;
        for (uint256 i = 0; i < hashes.length; ++i) {
            uint256 size = _min(CHUNK_BYTES, data.length - offset);
            bytes32 hash;
            assembly ("memory-safe") {
                hash := keccak256(add(add(data, 32), offset), size)
            }
            hashes[i] = hash;
            offset += size;
        }
    }

    /// @inheritdoc LaneInference
    /// @dev The words follow the header, both here and in the account.
    function _openHeader() internal view override returns (bytes memory header) {
        if (uint256(chunkHashes[0]) < SERVED) revert ModelNotReady(_state());
        address account = _account();
        uint256 size = account.code.length - 1;
        // What looks at words may look past the last one.
        uint256 pointer = Plan.allocate(size + 96);
        assembly ("memory-safe") {
            header := pointer
            mstore(header, size)
            extcodecopy(account, add(header, 32), 1, size)
        }
    }

    /// @inheritdoc LaneInference
    function _openWords(uint256 headerEnd, uint256) internal pure override returns (uint256) {
        return headerEnd;
    }

    /// @inheritdoc LaneInference
    function _readWords(uint256, uint256, uint256) internal pure override {}

    function _account() private view returns (address) {
        return address(uint160(uint256(chunkHashes[0])));
    }
}
