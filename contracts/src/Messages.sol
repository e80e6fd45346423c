// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The signed messages that the escrow reads, field for field those of protocol/eip712.json. Numbers are full words
// here: the encoding is the same, and `fit` checks all widths at once for a fraction of the gas that the compiler's
// checks of
// each read cost.

/// @notice What a buyer consents to; anything outside it can't be opened. A bid owns `nodes` nonce bits from `nonce`
/// on.
struct Bid {
    address buyer;
    address meter;
    uint256 maxRate;
    uint256 nodes;
    uint256 unitsPerNode;
    uint256 maxSeconds;
    uint256 earliestStart;
    uint256 latestStart;
    uint256 validUntil;
    bool allOrNone;
    bool interruptible;
    uint256 grace;
    uint256 maxTotal;
    uint256 maxFeeBps;
    bytes32 specHash;
    uint256 nonce;
}

/// @notice One lease. Its id is the EIP-712 digest of this, so it holds no block value.
struct Terms {
    address buyer;
    address provider;
    address meter;
    uint256 rate;
    uint256 unitsPerNode;
    uint256 seconds_;
    uint256 start;
    uint256 grace;
    uint256 feeBps;
    uint256 bidNonce;
    uint256 firstNode;
    uint256 nodeCount;
    bytes32 group;
    bytes32 extends;
    bytes32 payeesHash;
    bytes32 askHash;
}

/// @notice The exchange's word that policy allowed a lease.
struct Clearance {
    bytes32 verdict;
    bytes32 ruleSet;
    uint64 validUntil;
}

/// @notice A share of the provider's part: `bps` of 10,000; the shares of a lease sum to 10,000.
struct Payee {
    address to;
    uint16 bps;
}

/// @notice Hashes of the messages as EIP-712 defines them.
library Messages {
    bytes32 internal constant BID = keccak256(
        "Bid(address buyer,address meter,uint128 maxRate,uint32 nodes,uint32 unitsPerNode,uint64 maxSeconds,uint64 earliestStart,uint64 latestStart,uint64 validUntil,bool allOrNone,bool interruptible,uint64 grace,uint128 maxTotal,uint16 maxFeeBps,bytes32 specHash,uint64 nonce)"
    );
    bytes32 internal constant TERMS = keccak256(
        "Terms(address buyer,address provider,address meter,uint128 rate,uint32 unitsPerNode,uint64 seconds,uint64 start,uint64 grace,uint16 feeBps,uint64 bidNonce,uint32 firstNode,uint32 nodeCount,bytes32 group,bytes32 extends,bytes32 payeesHash,bytes32 askHash)"
    );
    bytes32 internal constant CLEARANCE =
        keccak256("Clearance(bytes32 lease,bytes32 verdict,bytes32 ruleSet,uint64 validUntil)");
    bytes32 internal constant CLEARANCE_BATCH =
        keccak256("ClearanceBatch(bytes32[] leases,bytes32 ruleSet,uint64 validUntil)");
    bytes32 internal constant VOUCHER = keccak256("Voucher(bytes32 lease,uint128 cumulative)");
    bytes32 internal constant CLOSE = keccak256("Close(bytes32 lease,uint128 minPaid)");
    bytes32 internal constant REQUEST_CLOSE =
        keccak256("RequestClose(bytes32 lease,uint64 nonce,uint64 deadline,uint128 maxRelayFee)");
    bytes32 internal constant WITHDRAW =
        keccak256("Withdraw(address owner,uint128 amount,uint64 nonce,uint64 deadline,uint128 maxRelayFee)");
    bytes32 internal constant CANCEL_BIDS = keccak256(
        "CancelBids(address owner,uint64 word,uint256 mask,uint64 nonce,uint64 deadline,uint128 maxRelayFee)"
    );
    bytes32 internal constant DEPOSIT = keccak256("Deposit(address owner,uint128 amount,uint64 nonce,uint64 deadline)");

    /// @dev Whether every number has the width that its type says. Addresses are checked where they are read. A bid's
    /// numbers are limits that terms are held against, so theirs need no check.
    function fit(Terms calldata terms) internal pure returns (bool) {
        return (terms.rate >> 128 | terms.unitsPerNode >> 32 | terms.seconds_ >> 64 | terms.start >> 64 | terms.grace
                    >> 64 | terms.feeBps >> 16 | terms.bidNonce >> 64 | terms.firstNode >> 32 | terms.nodeCount >> 32)
            == 0;
    }

    /// @dev Both structs are sixteen static words, whose ABI encoding is EIP-712's encodeData.
    function hash(Bid calldata bid) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := bid
        }
        return _hashWords(BID, offset);
    }

    function hash(Terms calldata terms) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := terms
        }
        return _hashWords(TERMS, offset);
    }

    function _hashWords(bytes32 typeHash, uint256 offset) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typeHash)
            calldatacopy(add(data, 32), offset, 512)
            result := keccak256(data, 544)
        }
    }

    function hash(bytes32 lease, Clearance calldata clearance) internal pure returns (bytes32 result) {
        bytes32 typeHash = CLEARANCE;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typeHash)
            mstore(add(data, 32), lease)
            calldatacopy(add(data, 64), clearance, 96)
            result := keccak256(data, 160)
        }
    }

    /// @dev A Voucher or a Close: the type's hash, the lease and an amount.
    function hash(bytes32 typeHash, bytes32 lease, uint256 amount) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typeHash)
            mstore(add(data, 32), lease)
            mstore(add(data, 64), amount)
            result := keccak256(data, 96)
        }
    }

    /// @dev What `Terms.payeesHash` holds: the Keccak-256 of each payee's address and share, a word each.
    function hash(Payee[] calldata payees) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            let size := mul(payees.length, 64)
            calldatacopy(data, payees.offset, size)
            result := keccak256(data, size)
        }
    }
}
