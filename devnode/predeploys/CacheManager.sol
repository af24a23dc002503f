// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// Who owns the chain, and who gets its fees.
interface IArbOwnerPublic {
    function isChainOwner(address addr) external view returns (bool);
    function getNetworkFeeAccount() external view returns (address);
}

/// The size of a program.
interface IArbWasm {
    function codehashAsmSize(bytes32 codehash) external view returns (uint32 size);
}

/// The cache that programs are bid into.
interface IArbWasmCache {
    function cacheProgram(address addr) external;
    function evictCodehash(bytes32 codehash) external;
    function codehashIsCached(bytes32 codehash) external view returns (bool);
}

/// Sells places in the cache of Stylus programs: an auction that never ends.
///
/// Offers what CacheManager on Arbitrum chains offers to `cargo stylus cache`: the same functions, events and errors, the
/// same course. A bid counts as its value plus `decay` for each second of Unix time until it was placed, so that old bids
/// lose against new ones as time goes by. A program that does not fit evicts the smallest bids until it does.
contract CacheManager {
    IArbOwnerPublic private constant ARB_OWNER_PUBLIC = IArbOwnerPublic(address(0x6b));
    IArbWasm private constant ARB_WASM = IArbWasm(address(0x71));
    IArbWasmCache private constant ARB_WASM_CACHE = IArbWasmCache(address(0x72));
    /// Most bytes that one call of `makeSpace` clears.
    uint64 private constant MAX_MAKE_SPACE = 5 * 1024 * 1024;
    /// What the smallest program counts as, in bytes.
    uint64 private constant MIN_CODESIZE = 4096;

    /// A place in the cache; all zero where nobody has it.
    struct Entry {
        bytes32 code;
        uint64 size;
        uint192 bid;
    }

    /// Bytes that the cached programs may have together.
    uint64 public cacheSize;
    /// Bytes that they have.
    uint64 public queueSize;
    /// Wei that a bid gains on older ones each second.
    uint64 public decay;
    /// Whether bids are refused.
    bool public isPaused;
    /// The places, in no order.
    Entry[] public entries;
    /// A min-heap of bids, each with the index of its place in the low 64 bits.
    uint256[] private _bids;

    event InsertBid(bytes32 indexed codehash, address program, uint192 bid, uint64 size);
    event DeleteBid(bytes32 indexed codehash, uint192 bid, uint64 size);
    event SetCacheSize(uint64 size);
    event SetDecayRate(uint64 decay);
    event Pause();
    event Unpause();

    error NotChainOwner(address sender);
    error AsmTooLarge(uint256 asm, uint256 queueSize, uint256 cacheSize);
    error AlreadyCached(bytes32 codehash);
    error BidTooLarge(uint256 bid);
    error BidTooSmall(uint192 bid, uint192 min);
    error BidsArePaused();
    error MakeSpaceTooLarge(uint64 size, uint64 limit);
    /// There is no bid to evict.
    error HeapIsEmpty();
    /// The chain began with this contract set up.
    error AlreadyInitialized();

    modifier onlyOwner() {
        if (!ARB_OWNER_PUBLIC.isChainOwner(msg.sender)) revert NotChainOwner(msg.sender);
        _;
    }

    modifier whileOpen() {
        if (isPaused) revert BidsArePaused();
        _;
    }

    /// Sets cache size and decay once, on other chains.
    function initialize(uint64, uint64) external pure {
        revert AlreadyInitialized();
    }

    /// Sets the size that the cache is meant to have; what is in it stays.
    function setCacheSize(uint64 newSize) external onlyOwner {
        cacheSize = newSize;
        emit SetCacheSize(newSize);
    }

    /// Sets the decay of bids to come.
    function setDecayRate(uint64 newDecay) external onlyOwner {
        decay = newDecay;
        emit SetDecayRate(newDecay);
    }

    /// Refuses bids from now on.
    function paused() external onlyOwner {
        isPaused = true;
        emit Pause();
    }

    /// Takes bids again.
    function unpause() external onlyOwner {
        isPaused = false;
        emit Unpause();
    }

    /// Evicts all programs.
    function evictAll() external onlyOwner {
        _evict(type(uint256).max);
        delete entries;
    }

    /// Evicts up to `count` programs, the smallest bids first.
    function evictPrograms(uint256 count) external onlyOwner {
        _evict(count);
    }

    /// Sends what was paid to the chain's fee account.
    function sweepFunds() external {
        (bool success, bytes memory data) =
            ARB_OWNER_PUBLIC.getNetworkFeeAccount().call{value: address(this).balance}("");
        if (!success) {
            assembly ("memory-safe") {
                revert(add(data, 32), mload(data))
            }
        }
    }

    /// All places.
    function getEntries() external view returns (Entry[] memory) {
        return entries;
    }

    /// The `k` places with the smallest bids, or all where there are fewer, the smallest first.
    function getSmallestEntries(uint256 k) public view returns (Entry[] memory result) {
        uint256[] memory heap = _bids;
        uint256 length = heap.length;
        if (k > length) k = length;
        result = new Entry[](k);
        for (uint256 i = 0; i < k; i++) {
            (, uint64 index) = _unpack(heap[0]);
            result[i] = entries[index];
            length--;
            uint256 last = heap[length];
            // The last bid sinks from the top to its place.
            uint256 place = 0;
            while (true) {
                uint256 child = 2 * place + 1;
                if (child >= length) break;
                if (child + 1 < length && heap[child + 1] < heap[child]) child++;
                if (last <= heap[child]) break;
                heap[place] = heap[child];
                place = child;
            }
            heap[place] = last;
        }
    }

    /// The least value that gets a program of `size` bytes into the cache now.
    function getMinBid(uint64 size) public view returns (uint192 min) {
        if (size > cacheSize) revert AsmTooLarge(size, 0, cacheSize);
        uint256 total = uint256(queueSize) + (size < MIN_CODESIZE ? MIN_CODESIZE : size);
        if (total <= cacheSize) return 0;
        uint256 needed = total - cacheSize;
        // No place is smaller than MIN_CODESIZE, so that so many are enough.
        Entry[] memory smallest = getSmallestEntries((needed + MIN_CODESIZE - 1) / MIN_CODESIZE);
        for (uint256 i = 0; i < smallest.length; i++) {
            if (needed <= smallest[i].size) {
                min = smallest[i].bid;
                break;
            }
            needed -= smallest[i].size;
        }
        uint256 decayed = _decayed();
        return min < decayed ? 0 : uint192(min - decayed);
    }

    /// The least value that gets the program with a code hash into the cache now.
    function getMinBid(bytes32 codehash) public view returns (uint192 min) {
        return getMinBid(_asmSize(codehash));
    }

    /// The least value that gets the program at an address into the cache now.
    function getMinBid(address program) external view returns (uint192 min) {
        return getMinBid(program.codehash);
    }

    /// Bids for a place for the program at an address; reverts where the bid is too small.
    function placeBid(address program) external payable whileOpen {
        bytes32 codehash = program.codehash;
        if (ARB_WASM_CACHE.codehashIsCached(codehash)) revert AlreadyCached(codehash);
        uint64 size = _asmSize(codehash);
        (uint192 bid, uint64 index) = _makeSpace(size);
        if (queueSize + size > cacheSize) revert AsmTooLarge(size, queueSize, cacheSize);

        ARB_WASM_CACHE.cacheProgram(program);
        _push((uint256(bid) << 64) | index);
        queueSize += size;
        Entry memory entry = Entry({code: codehash, size: size, bid: bid});
        if (index == entries.length) {
            entries.push(entry);
        } else {
            entries[index] = entry;
        }
        emit InsertBid(codehash, program, bid, size);
    }

    /// Evicts programs until `size` bytes are free; reverts where the bid is too small. Returns the bytes that are free.
    function makeSpace(uint64 size) external payable whileOpen returns (uint64 space) {
        if (size > MAX_MAKE_SPACE) revert MakeSpaceTooLarge(size, MAX_MAKE_SPACE);
        _makeSpace(size);
        return cacheSize - queueSize;
    }

    /// Evicts the smallest bids until `size` bytes are free. Returns the value sent as a bid, and an index for its place.
    function _makeSpace(uint64 size) private returns (uint192 bid, uint64 index) {
        uint256 worth = msg.value + _decayed();
        if (worth > type(uint192).max) revert BidTooLarge(worth);
        bid = uint192(worth);
        index = uint64(entries.length);
        uint192 min;
        while (queueSize + size > cacheSize) {
            (min, index) = _evictSmallest();
        }
        if (bid < min) revert BidTooSmall(bid, min);
    }

    function _evict(uint256 count) private {
        for (; count > 0 && _bids.length != 0; count--) {
            _evictSmallest();
        }
    }

    /// Evicts the program with the smallest bid; returns that bid and the index of the place that is free now.
    function _evictSmallest() private returns (uint192 bid, uint64 index) {
        (bid, index) = _unpack(_pop());
        Entry memory entry = entries[index];
        ARB_WASM_CACHE.evictCodehash(entry.code);
        queueSize -= entry.size;
        delete entries[index];
        emit DeleteBid(entry.code, bid, entry.size);
    }

    /// What a bid of nothing counts as now.
    function _decayed() private view returns (uint256) {
        return block.timestamp * decay;
    }

    /// Bytes that a program counts as; reverts where it is not active.
    function _asmSize(bytes32 codehash) private view returns (uint64) {
        uint64 size = ARB_WASM.codehashAsmSize(codehash);
        return size < MIN_CODESIZE ? MIN_CODESIZE : size;
    }

    function _unpack(uint256 packed) private pure returns (uint192 bid, uint64 index) {
        return (uint192(packed >> 64), uint64(packed));
    }

    /// Adds to the heap: the newcomer rises from the end to its place.
    function _push(uint256 packed) private {
        _bids.push(packed);
        uint256 place = _bids.length - 1;
        while (place != 0) {
            uint256 parent = (place - 1) / 2;
            uint256 above = _bids[parent];
            if (above <= packed) break;
            _bids[place] = above;
            place = parent;
        }
        _bids[place] = packed;
    }

    /// Takes the smallest off the heap: the last one sinks from the top to its place.
    function _pop() private returns (uint256 smallest) {
        uint256 length = _bids.length;
        if (length == 0) revert HeapIsEmpty();
        smallest = _bids[0];
        uint256 last = _bids[length - 1];
        _bids.pop();
        length--;
        if (length == 0) return smallest;
        uint256 place = 0;
        while (true) {
            uint256 child = 2 * place + 1;
            if (child >= length) break;
            uint256 below = _bids[child];
            if (child + 1 < length && _bids[child + 1] < below) below = _bids[++child];
            if (last <= below) break;
            _bids[place] = below;
            place = child;
        }
        _bids[place] = last;
    }
}
