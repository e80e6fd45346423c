// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "./Accounts.sol";
import {IComputeEscrow} from "./IComputeEscrow.sol";
import {Clearance, Messages} from "./Messages.sol";
import {Signatures} from "./Signatures.sol";

/// @title The exchange's clearance of leases, and the guardian's answer to a stolen clearance key.
/// @notice The guardian can stop opening and take the key's power away at once, and put another key in force after 48
/// hours. It can do nothing else, and never touches money.
abstract contract Clearing is Accounts {
    /// @inheritdoc IComputeEscrow
    uint256 public constant KEY_DELAY = 48 hours;

    /// @inheritdoc IComputeEscrow
    address public immutable guardian;
    /// @inheritdoc IComputeEscrow
    address public clearanceKey;
    /// @inheritdoc IComputeEscrow
    bool public paused;
    /// @inheritdoc IComputeEscrow
    address public nextClearanceKey;
    /// @inheritdoc IComputeEscrow
    uint256 public nextClearanceKeyFrom;

    constructor(address guardian_, address clearanceKey_) {
        if (guardian_ == address(0) || clearanceKey_ == address(0)) revert BadConstructor();
        guardian = guardian_;
        clearanceKey = clearanceKey_;
    }

    modifier onlyGuardian() {
        _requireGuardian();
        _;
    }

    function _requireGuardian() private view {
        if (msg.sender != guardian) revert NotAllowed();
    }

    /// @inheritdoc IComputeEscrow
    function setPaused(bool paused_) external onlyGuardian {
        paused = paused_;
        emit Paused(paused_);
    }

    /// @inheritdoc IComputeEscrow
    function revokeClearanceKey() external onlyGuardian {
        emit ClearanceKeyRevoked(clearanceKey);
        clearanceKey = address(0);
    }

    /// @inheritdoc IComputeEscrow
    function proposeClearanceKey(address key) external onlyGuardian {
        nextClearanceKey = key;
        nextClearanceKeyFrom = block.timestamp + KEY_DELAY;
        emit ClearanceKeyProposed(key, nextClearanceKeyFrom);
    }

    /// @inheritdoc IComputeEscrow
    function acceptClearanceKey() external onlyGuardian {
        address key = nextClearanceKey;
        if (key == address(0)) revert NotAllowed();
        if (block.timestamp < nextClearanceKeyFrom) revert DelayNotOver();
        clearanceKey = key;
        nextClearanceKey = address(0);
        emit ClearanceKeyChanged(key);
    }

    // ------------------------------------------------------------------ inside

    /// @dev The key that must have cleared what is opened now.
    function _openingKey() internal view returns (address) {
        if (paused) revert OpeningPaused();
        return clearanceKey;
    }

    function _clearanceFault(address key, bytes32 id, Clearance calldata clearance, bytes calldata signature)
        internal
        view
        returns (bytes4)
    {
        if (block.timestamp > clearance.validUntil) return ClearanceExpired.selector;
        bytes32 digest = _hashTypedData(Messages.hash(id, clearance));
        return Signatures.isSignedByKey(key, digest, signature) ? bytes4(0) : NotCleared.selector;
    }

    function _requireBatchClearance(address key, bytes32[] memory ids, BatchClearance calldata batch) internal view {
        if (block.timestamp > batch.validUntil) revert ClearanceExpired();
        bytes32 structHash = keccak256(
            abi.encode(Messages.CLEARANCE_BATCH, keccak256(abi.encodePacked(ids)), batch.ruleSet, batch.validUntil)
        );
        if (!Signatures.isSignedByKey(key, _hashTypedData(structHash), batch.signature)) revert NotCleared();
    }
}
