// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title  IClassifier
/// @notice What every Inkling contract answers to: the Stylus programs and the Solidity baselines alike.
///         An image is one plane after another, row by row, a byte a pixel: of digits 400 bytes, 20×20, 0 = background,
///         255 = ink; the model's header says its size. A model is a header and 32-byte words (docs/format.md), in storage
///         or, with some contracts, in the code of an account.
interface IClassifier {
    // ── Inference ──────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The most likely class of an image; of equal logits the lowest index wins.
    function classify(bytes calldata image) external view returns (uint8 digit);

    /// @notice The integer accumulators of the last layer.
    function logits(bytes calldata image) external view returns (int32[] memory);

    /// @notice `classify` of several images, one after another in `images`.
    function classifyBatch(bytes calldata images) external view returns (uint8[] memory digits);

    /// @notice `classify`, with the answer recorded as a {Classified} event.
    function classifyAndRecord(bytes calldata image) external returns (uint8 digit);

    /// @notice What clients of duoxehyon/evm-neural-network call, unchanged: emits {PredictionResult}.
    function predict(uint8[400] calldata image) external returns (uint8 digit);

    /// @notice Whether inference is possible (state ready or frozen).
    function isModelReady() external view returns (bool);

    // ── Model life cycle: empty (0) → uploading (1) → ready (2) → frozen (3) ───────────────────────────────────

    /// @notice Starts an upload, or starts it again; whatever was there before is no longer served.
    /// @param header    The model's header, at most 255 bytes.
    /// @param modelHash keccak256(keccak256(header) ‖ keccak256(chunk 0) ‖ …), checked by {finalizeModel}.
    function beginModel(bytes calldata header, bytes32 modelHash) external;

    /// @notice Writes one or more whole chunks (32 words each, the model's last one shorter) from chunk `index` on.
    ///         Uploading a chunk again overwrites it. A contract that keeps words in code takes all of them at once, as chunk
    ///         0, and all chunks are missing until then.
    function uploadChunk(uint32 index, bytes calldata words) external;

    /// @notice The chunks still to be uploaded, in ascending order.
    function missingChunks() external view returns (uint32[] memory);

    /// @notice Checks the hash of what was uploaded and makes the model ready.
    function finalizeModel() external;

    /// @notice Makes the model immutable for ever.
    function freezeModel() external;

    /// @notice The header, its commitment, the number of words and the state.
    function modelInfo() external view returns (bytes memory header, bytes32 modelHash, uint32 words, uint8 state);

    // ── Ownership, in two steps ────────────────────────────────────────────────────────────────────────────────

    function owner() external view returns (address);
    function transferOwnership(address newOwner) external;
    function acceptOwnership() external;

    // ── Events ─────────────────────────────────────────────────────────────────────────────────────────────────

    event Classified(address indexed caller, bytes32 indexed imageHash, uint8 digit);
    event PredictionResult(uint8 digit);
    event ModelBegun(bytes32 indexed modelHash, uint32 words);
    event ModelFinalized(bytes32 indexed modelHash);
    event ModelFrozen(bytes32 indexed modelHash);
    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    // ── Errors ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The owner given to the constructor is the zero address.
    error ZeroOwner();
    /// @notice The caller is not the owner.
    error NotOwner(address caller);
    /// @notice The caller is not the address that ownership was offered to.
    error NotPendingOwner(address caller);
    /// @notice Inference or a freeze was asked for while the model is in `state`.
    error ModelNotReady(uint8 state);
    /// @notice A chunk or the end of an upload came while no upload is under way.
    error NotUploading(uint8 state);
    /// @notice The model was frozen and cannot change any more.
    error ModelIsFrozen();
    /// @notice The header breaks a rule of docs/format.md at byte `offset`, or has a layer there that the contract cannot run.
    error BadHeader(uint16 offset);
    /// @notice The model has more words than the contract, or the code of an account, holds.
    error ModelTooLarge(uint32 words, uint32 limit);
    error BadImageLength(uint256 got, uint256 expected);
    /// @notice A batch must be a whole number of images.
    error BadBatchLength(uint256 got, uint256 imageLength);
    error ChunkOutOfRange(uint32 index, uint32 chunks);
    /// @notice `expected` is the length of the one chunk at this index, or of all words where they come at once.
    error BadChunkLength(uint256 got, uint256 expected);
    /// @notice `finalizeModel` came before `missing` chunks were uploaded.
    error ChunksMissing(uint32 missing);
    error HashMismatch(bytes32 got, bytes32 expected);
    /// @notice The account for the words of a model in code could not be created.
    error NoDataAccount();
}
