// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IClassifier} from "../../contracts-solidity-baseline/IClassifier.sol";

/// @title  Asker
/// @notice A Solidity contract that lets another classify, for tests/solidity_caller.rs.
contract Asker {
    function classify(IClassifier classifier, bytes calldata image) external view returns (uint8 digit) {
        return classifier.classify(image);
    }

    function classifyAndRecord(IClassifier classifier, bytes calldata image) external returns (uint8 digit) {
        return classifier.classifyAndRecord(image);
    }
}
