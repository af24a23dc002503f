// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Header, LOGITS, Model} from "./Header.sol";
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
    uint256 internal constant CHUNK_BYTES = 1_024;

    /// @dev Slot 0: the state in byte 0, then the first 31 bytes of the header, so that inference reads both at once.
    ///      Slots 1–7: the rest of the header.
    uint256[8] internal status;
    /// @inheritdoc IClassifier
    address public owner; // slot 8, with the next two
    uint32 internal wordCount;
    uint16 internal headerLength;
    address private pendingOwner; // slot 9
    bytes32 private modelHash; // slot 10
    /// @dev Bit `i`: chunk `i` has been uploaded.
    uint256 internal uploaded; // slot 11
    bytes32[256] internal chunkHashes; // slots 12–267

    modifier onlyOwner() {
        _checkOwner();
        _;
    }

    modifier notFrozen() {
        _checkNotFrozen();
        _;
    }

    modifier whileUploading() {
        uint8 state = _state();
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
        unchecked {
            uint256 words = _check(header).words;
            uint256 limit = _maxWords(header.length);
            if (words > limit) revert ModelTooLarge(uint32(words), uint32(limit));
            // A slice that ends early is padded with zeros by the conversion.
            status[0] = uint256(bytes32(header[:_min(31, header.length)])) >> 8;
            for (uint256 from = 31; from < header.length; from += 32) {
                status[1 + from / 32] = uint256(bytes32(header[from:_min(from + 32, header.length)]));
            }
            _setState(UPLOADING);
            wordCount = uint32(words);
            headerLength = uint16(header.length);
            modelHash = hash;
            uploaded = 0;
            emit ModelBegun(hash, uint32(words));
        }
    }

    /// @inheritdoc IClassifier
    function uploadChunk(uint32 index, bytes calldata words) external onlyOwner notFrozen whileUploading {
        uint256 chunks = _chunks();
        if (index >= chunks) revert ChunkOutOfRange(index, uint32(chunks));
        _upload(index, words);
    }

    /// @inheritdoc IClassifier
    function missingChunks() external view returns (uint32[] memory missing) {
        unchecked {
            uint256 chunks = _chunks();
            missing = new uint32[](_missing());
            uint256 found;
            for (uint256 i = 0; i < chunks; ++i) {
                if (!_isUploaded(i)) missing[found++] = uint32(i);
            }
        }
    }

    /// @inheritdoc IClassifier
    function finalizeModel() external onlyOwner notFrozen whileUploading {
        uint256 missing = _missing();
        if (missing != 0) revert ChunksMissing(uint32(missing));
        bytes32 hash = _computeHash();
        if (hash != modelHash) revert HashMismatch(hash, modelHash);
        _setState(READY);
        emit ModelFinalized(hash);
    }

    /// @inheritdoc IClassifier
    function freezeModel() external onlyOwner notFrozen {
        if (_state() != READY) revert ModelNotReady(_state());
        _setState(FROZEN);
        emit ModelFrozen(modelHash);
    }

    /// @inheritdoc IClassifier
    function modelInfo() external view returns (bytes memory, bytes32, uint32, uint8) {
        return (_header(), modelHash, wordCount, _state());
    }

    /// @inheritdoc IClassifier
    function isModelReady() external view returns (bool) {
        return _state() >= READY;
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

    /// @dev Checks a header, and whether the contract can serve such a model.
    function _check(bytes memory header) internal pure virtual returns (Model memory) {
        return Header.check(header);
    }

    /// @dev The words that a model with a header of so many bytes may have.
    function _maxWords(uint256) internal pure virtual returns (uint256) {
        return MAX_WORDS;
    }

    /// @dev Takes one or more whole chunks, of which `chunk` is the first.
    function _upload(uint256 chunk, bytes calldata words) internal virtual {
        unchecked {
            uint256 firstWord = CHUNK_WORDS * chunk;
            uint256 remaining = 32 * (wordCount - firstWord);
            // Whole chunks; only the end of the model may cut one short.
            bool whole = words.length % CHUNK_BYTES == 0 && words.length != 0;
            if (words.length > remaining || !(whole || words.length == remaining)) {
                revert BadChunkLength(words.length, _min(CHUNK_BYTES, remaining));
            }

            _storeWords(firstWord, words);
            uint256 bitmap = uploaded;
            for (uint256 from = 0; from < words.length; from += CHUNK_BYTES) {
                chunkHashes[chunk] = keccak256(words[from:_min(from + CHUNK_BYTES, words.length)]);
                bitmap |= 1 << chunk++;
            }
            uploaded = bitmap;
        }
    }

    /// @dev Stores `words.length / 32` words of the model, the first of them being word `first`.
    function _storeWords(uint256 first, bytes calldata words) internal virtual;

    function _isUploaded(uint256 chunk) internal view virtual returns (bool) {
        return uploaded >> chunk & 1 == 1;
    }

    /// @dev The hashes of all chunks, in order.
    function _hashes() internal view virtual returns (bytes32[] memory hashes) {
        unchecked {
            hashes = new bytes32[](_chunks());
            for (uint256 i = 0; i < hashes.length; ++i) {
                hashes[i] = chunkHashes[i];
            }
        }
    }

    function _setState(uint8 state) internal virtual {
        status[0] = uint256(state) << 248 | status[0] << 8 >> 8;
    }

    function _state() internal view returns (uint8) {
        return uint8(status[0] >> 248);
    }

    /// @dev The chunks of the model, ⌈words / 32⌉.
    function _chunks() internal view returns (uint256) {
        unchecked {
            return (wordCount + CHUNK_WORDS - 1) / CHUNK_WORDS;
        }
    }

    /// @dev The header as it was uploaded; empty before the first {beginModel}.
    function _header() internal view returns (bytes memory header) {
        unchecked {
            // A whole number of slots, so that the last of them fits.
            header = new bytes(Header.MAX_LENGTH);
            uint256 length = headerLength;
            _setHeaderWord(header, 0, status[0] << 8);
            for (uint256 offset = 31; offset < length; offset += 32) {
                _setHeaderWord(header, offset, status[1 + offset / 32]);
            }
            assembly ("memory-safe") {
                mstore(header, length)
            }
        }
    }

    /// @dev The header of a model that is ready, from its own slots alone: where it ends is known once it is read.
    function _servedHeader() internal view returns (bytes memory header) {
        uint256 slot = status[0];
        uint8 state = uint8(slot >> 248);
        if (state < READY) revert ModelNotReady(state);
        // The header was checked: nothing here can overflow or read past slot 7.
        unchecked {
            header = new bytes(Header.MAX_LENGTH);
            _setHeaderWord(header, 0, slot << 8);
            (uint256 loaded, uint256 record, uint256 end) = (31, 0, Header.PREAMBLE);
            do {
                record = end;
                end += Header.recordLength(header, record);
                // What is not loaded yet counts a byte at least: its length is looked at again.
                if (end > loaded) {
                    _setHeaderWord(header, loaded, status[1 + loaded / 32]);
                    loaded += 32;
                    end = record + Header.recordLength(header, record);
                }
            } while (Header.kindAt(header, record) != LOGITS);
            assembly ("memory-safe") {
                mstore(header, end)
            }
        }
    }

    function _min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }

    // ── Private ────────────────────────────────────────────────────────────────────────────────────────────────

    function _checkOwner() private view {
        if (msg.sender != owner) revert NotOwner(msg.sender);
    }

    function _checkNotFrozen() private view {
        if (_state() == FROZEN) revert ModelIsFrozen();
    }

    /// @dev Stores 32 bytes of the header.
    function _setHeaderWord(bytes memory header, uint256 offset, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(header, 32), offset), word)
        }
    }

    /// @dev How many chunks are still to be uploaded.
    function _missing() private view returns (uint256 missing) {
        unchecked {
            uint256 chunks = _chunks();
            for (uint256 i = 0; i < chunks; ++i) {
                if (!_isUploaded(i)) ++missing;
            }
        }
    }

    /// @dev keccak256(keccak256(header) ‖ keccak256(chunk 0) ‖ …), from the hashes taken at upload.
    function _computeHash() private view returns (bytes32) {
        return keccak256(abi.encodePacked(keccak256(_header()), _hashes()));
    }
}
