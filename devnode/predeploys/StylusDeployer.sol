// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// The methods of the ArbWasm precompile that are needed here.
interface IArbWasm {
    function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
    function codehashVersion(bytes32 codehash) external view returns (uint16 version);
    function stylusVersion() external view returns (uint16 version);
}

/// Creates, activates and constructs a Stylus contract in one transaction, so that nobody can call it in between.
///
/// Offers what the deployer at the same address on Arbitrum chains offers to `cargo stylus deploy`: the same
/// function, the same event, the same course.
contract StylusDeployer {
    IArbWasm private constant ARB_WASM = IArbWasm(address(0x71));

    /// A contract was created (and, where asked for, constructed).
    event ContractDeployed(address deployedContract);

    /// There is no code to create a contract with.
    error EmptyBytecode();
    /// Creating the contract failed.
    error ContractDeploymentError(bytes bytecode);
    /// The constructor reverted with `data`.
    error ContractInitializationError(address newContract, bytes data);
    /// Value for a constructor, but no constructor.
    error InitValueButNotInitData();
    /// Less value than the constructor is to get.
    error InsufficientValue(uint256 have, uint256 want);
    /// The sender does not take back what was not needed.
    error RefundExcessValueError(uint256 excessValue);

    /// @param bytecode init code of the contract
    /// @param initData calldata for the new contract's constructor; empty for none
    /// @param initValue wei to send to the constructor
    /// @param salt zero for CREATE, else CREATE2 with a salt that commits to `initData`, too
    function deploy(bytes calldata bytecode, bytes calldata initData, uint256 initValue, bytes32 salt)
        external
        payable
        returns (address deployed)
    {
        if (msg.value < initValue) revert InsufficientValue(msg.value, initValue);
        deployed = _create(bytecode, salt == 0 ? salt : initSalt(salt, initData));
        if (requiresActivation(deployed)) {
            ARB_WASM.activateProgram{value: msg.value - initValue}(deployed);
        }
        if (initData.length != 0) {
            (bool success, bytes memory data) = deployed.call{value: initValue}(initData);
            if (!success) revert ContractInitializationError(deployed, data);
        } else if (initValue != 0) {
            revert InitValueButNotInitData();
        }
        uint256 rest = address(this).balance;
        if (rest != 0) {
            (bool success,) = msg.sender.call{value: rest}("");
            if (!success) revert RefundExcessValueError(rest);
        }
        emit ContractDeployed(deployed);
    }

    /// The salt of CREATE2 for a contract that is constructed with `initData`.
    function initSalt(bytes32 salt, bytes calldata initData) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(salt, initData));
    }

    /// Whether the code at `program` is not active under the chain's Stylus version.
    function requiresActivation(address program) public view returns (bool) {
        try ARB_WASM.codehashVersion(program.codehash) returns (uint16 version) {
            return version != ARB_WASM.stylusVersion();
        } catch {
            return true;
        }
    }

    function _create(bytes memory bytecode, bytes32 salt) private returns (address deployed) {
        if (bytecode.length == 0) revert EmptyBytecode();
        assembly ("memory-safe") {
            let start := add(bytecode, 0x20)
            let len := mload(bytecode)
            switch salt
            case 0 { deployed := create(0, start, len) }
            default { deployed := create2(0, start, len, salt) }
        }
        if (deployed == address(0)) revert ContractDeploymentError(bytecode);
    }

    /// Takes back what activation did not need.
    receive() external payable {}
}
