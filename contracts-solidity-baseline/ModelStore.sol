// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Header} from "./Header.sol";
import {IClassifier} from "./IClassifier.sol";

/// @title  ModelStore
/// @notice Owns a model and takes it through its life: empty → uploading → ready → frozen.
/// @dev    The storage layout is that of docs/format.md: slots 0–267 are declared here, a contract that inherits
///         keeps the words from slot 268 on. Every function refuses in the same order: a stranger, a frozen
///         model, a wrong state, a wrong argument.
abstract contract ModelStore is IClassifier {
    uint8 internal constant EMPTY = 0;
    uint8 internal constant UPLOADING = 1;
    uint8 internal constant READY = 2;
    uint8 internal constant FROZEN = 3;

    /// @dev The words that a model may have, and the words of a chunk. Their quotient is the 256 bits of `uploaded`.
    uint256 internal constant MAX_WORDS = 8_192;
    uint256 private constant CHUNK_WORDS = 32;
    uint256 private constant CHUNK_BYTES = 1_024;

    /// @inheritdoc IClassifier
    address public owner; // slot 0, with the next three
    uint8 internal state;
    uint16 private headerLength;
    uint32 private wordCount;
    address private pendingOwner; // slot 1
    bytes32 private modelHash; // slot 2
    /// @dev Bit `i`: chunk `i` has been uploaded.
    uint256 private uploaded; // slot 3
    bytes32[8] private headerWords; // slots 4–11
    bytes32[256] private chunkHashes; // slots 12–267

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    modifier notFrozen() {
        if (state == FROZEN) revert ModelIsFrozen();
        _;
    }

    modifier whileUploading() {
        if (state != UPLOADING) revert NotUploading(state);
        _;
    }

    /// @param initialOwner Who may upload a model, from the first block on: there is nothing to claim later.
    constructor(address initialOwner) {
        if (initialOwner == address(0)) revert ZeroOwner();
        owner = initialOwner;
        emit OwnershipTransferred(address(0), initialOwner);
    }

    // ── Model life cycle ───────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IClassifier
    function beginModel(bytes calldata header, bytes32 hash) external onlyOwner notFrozen {
        uint256 words = Header.check(header);
        if (words > MAX_WORDS) revert ModelTooLarge(uint32(words), uint32(MAX_WORDS));
        state = UPLOADING;
        headerLength = uint16(header.length);
        wordCount = uint32(words);
        modelHash = hash;
        uploaded = 0;
        for (uint256 i = 0; i < 8; ++i) {
            // A slice that ends before 32 bytes is padded with zeros by the conversion.
            uint256 from = _min(32 * i, header.length);
            headerWords[i] = bytes32(header[from:_min(from + 32, header.length)]);
        }
        emit ModelBegun(hash, uint32(words));
    }

    /// @inheritdoc IClassifier
    function uploadChunk(uint32 index, bytes calldata words) external onlyOwner notFrozen whileUploading {
        uint256 chunks = _chunks();
        if (index >= chunks) revert ChunkOutOfRange(index, uint32(chunks));
        uint256 firstWord = CHUNK_WORDS * index;
        uint256 remaining = 32 * (wordCount - firstWord);
        // Whole chunks; only the end of the model may cut one short.
        bool whole = words.length % CHUNK_BYTES == 0 && words.length != 0;
        if (words.length > remaining || !(whole || words.length == remaining)) {
            revert BadChunkLength(words.length, _min(CHUNK_BYTES, remaining));
        }

        _storeWords(firstWord, words);
        uint256 bitmap = uploaded;
        uint256 chunk = index;
        for (uint256 from = 0; from < words.length; from += CHUNK_BYTES) {
            chunkHashes[chunk] = keccak256(words[from:_min(from + CHUNK_BYTES, words.length)]);
            bitmap |= 1 << chunk++;
        }
        uploaded = bitmap;
    }

    /// @inheritdoc IClassifier
    function missingChunks() external view returns (uint32[] memory missing) {
        uint256 chunks = _chunks();
        missing = new uint32[](_missing());
        uint256 found;
        for (uint256 i = 0; i < chunks; ++i) {
            if (!_isUploaded(i)) missing[found++] = uint32(i);
        }
    }

    /// @inheritdoc IClassifier
    function finalizeModel() external onlyOwner notFrozen whileUploading {
        uint256 missing = _missing();
        if (missing != 0) revert ChunksMissing(uint32(missing));
        bytes32 hash = _computeHash();
        if (hash != modelHash) revert HashMismatch(hash, modelHash);
        state = READY;
        emit ModelFinalized(hash);
    }

    /// @inheritdoc IClassifier
    function freezeModel() external onlyOwner notFrozen {
        if (state != READY) revert ModelNotReady(state);
        state = FROZEN;
        emit ModelFrozen(modelHash);
    }

    /// @inheritdoc IClassifier
    function modelInfo() external view returns (bytes memory, bytes32, uint32, uint8) {
        return (_header(), modelHash, wordCount, state);
    }

    /// @inheritdoc IClassifier
    function isModelReady() external view returns (bool) {
        return state >= READY;
    }

    // ── Ownership ──────────────────────────────────────────────────────────────────────────────────────────────

    /// @inheritdoc IClassifier
    /// @dev The zero address cancels an offer.
    function transferOwnership(address newOwner) external onlyOwner {
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(owner, newOwner);
    }

    /// @inheritdoc IClassifier
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        delete pendingOwner;
    }

    // ── For the contracts that inherit ─────────────────────────────────────────────────────────────────────────

    /// @dev Stores `words.length / 32` words of the model, the first of them being word `first`.
    function _storeWords(uint256 first, bytes calldata words) internal virtual;

    /// @dev The header as it was uploaded; empty before the first {beginModel}.
    function _header() internal view returns (bytes memory header) {
        header = new bytes(headerLength);
        for (uint256 offset = 0; offset < header.length; offset += 32) {
            bytes32 word = headerWords[offset / 32];
            // `new` rounds its memory up to whole words, so that the last store stays inside.
            assembly ("memory-safe") {
                mstore(add(add(header, 32), offset), word)
            }
        }
    }

    function _min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }

    // ── Private ────────────────────────────────────────────────────────────────────────────────────────────────

    /// @dev The chunks of the model, ⌈words / 32⌉.
    function _chunks() private view returns (uint256) {
        return (wordCount + CHUNK_WORDS - 1) / CHUNK_WORDS;
    }

    function _isUploaded(uint256 chunk) private view returns (bool) {
        return uploaded >> chunk & 1 == 1;
    }

    /// @dev How many chunks are still to be uploaded.
    function _missing() private view returns (uint256 missing) {
        uint256 chunks = _chunks();
        for (uint256 i = 0; i < chunks; ++i) {
            if (!_isUploaded(i)) ++missing;
        }
    }

    /// @dev keccak256(keccak256(header) ‖ keccak256(chunk 0) ‖ …), from the hashes taken at upload.
    function _computeHash() private view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](1 + _chunks());
        hashes[0] = keccak256(_header());
        for (uint256 i = 1; i < hashes.length; ++i) {
            hashes[i] = chunkHashes[i - 1];
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
