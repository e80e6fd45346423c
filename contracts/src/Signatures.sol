// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Whether a party signed a digest. Solady's checker gives a signer contract all gas and takes malleable
/// signatures, which this must not.
library Signatures {
    /// @dev Above this, s has a twin below it: a second valid signature of the same message.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant GAS_1271 = 100_000;
    bytes4 private constant IS_VALID_SIGNATURE = 0x1626ba7e; // isValidSignature(bytes32,bytes)

    /// @dev By key first, since an account with code (EIP-7702) still signs plainly; then EIP-1271 by a static call
    /// with bounded gas of which 32 bytes are read, so that a hostile signer can neither burn a batch nor flood it.
    function isSignedBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (isSignedByKey(signer, digest, signature)) return true;
        return signer.code.length != 0 && _isAcceptedBy(signer, digest, signature);
    }

    /// @dev By a plain key, which is not zero: 65 bytes r, s, v; s in the lower half; the precompile itself takes no v
    /// but 27 and 28, and returns nothing for what no key signed. In assembly, since slices of calldata check their
    /// bounds again.
    function isSignedByKey(address key, bytes32 digest, bytes calldata signature) internal view returns (bool signed) {
        if (signature.length != 65 || key == address(0)) return false;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, digest)
            mstore(add(data, 32), byte(0, calldataload(add(signature.offset, 64))))
            calldatacopy(add(data, 64), signature.offset, 64)
            mstore(0, 0)
            let done := staticcall(gas(), 1, data, 128, 0, 32)
            let low := iszero(gt(mload(add(data, 96)), HALF_ORDER))
            signed := and(and(done, low), eq(mload(0), shr(96, shl(96, key))))
        }
    }

    function _isAcceptedBy(address signer, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool accepted)
    {
        bytes memory question = abi.encodeWithSelector(IS_VALID_SIGNATURE, digest, signature);
        // A Solidity call would copy all that is returned.
        assembly ("memory-safe") {
            let done := staticcall(GAS_1271, signer, add(question, 32), mload(question), 0, 32)
            accepted := and(done, and(gt(returndatasize(), 31), eq(mload(0), IS_VALID_SIGNATURE)))
        }
    }
}
