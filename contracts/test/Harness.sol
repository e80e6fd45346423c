// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Clearance, Messages, Payee, Terms} from "../src/Messages.sol";
import {TestToken} from "./Tokens.sol";
import {Vm} from "./Vm.sol";

/// @dev A world of one escrow, one token, buyers, providers, a meter and the exchange's key; and the signing of
/// messages. Via-IR may move `block.timestamp` over a warp, so the tests keep their own clock.
abstract contract Harness {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant BUYER_KEY = 0xB0B;
    uint256 internal constant PROVIDER_KEY = 0xA11CE;
    uint256 internal constant METER_KEY = 0x3E7E2;
    uint256 internal constant CLEARANCE_KEY = 0xC1EA2;
    uint256 internal constant RELAYER_KEY = 0x2E1A7;
    uint256 internal constant STRANGER_KEY = 0x57A;
    uint256 internal constant UNIT = 1e6; // the test token's dollar
    uint256 internal constant NANO = 1e3; // nano-USD in its base unit
    uint64 internal constant START = 1_800_000_000;
    uint64 internal constant CLOSE_DELAY = 1 days;
    uint128 internal constant RATE = 694_444; // nano-USD a unit-second: $2.50 an hour

    TestToken internal token;
    IComputeEscrow internal escrow;
    address internal buyer = vm.addr(BUYER_KEY);
    address internal provider = vm.addr(PROVIDER_KEY);
    address internal meter = vm.addr(METER_KEY);
    address internal relayer = vm.addr(RELAYER_KEY);
    address internal stranger = vm.addr(STRANGER_KEY);
    address internal feeTo = address(0xFEE);
    address internal guardian = address(0x6A2D);
    uint256 internal now_ = START;

    function setUp() public virtual {
        vm.warp(now_);
        useToken(new TestToken(6));
        fund(buyer, 10_000 * UNIT);
    }

    function useToken(TestToken token_) internal {
        token = token_;
        bytes4 fault;
        (escrow, fault) = deploy(address(token), feeTo, guardian, vm.addr(CLEARANCE_KEY), CLOSE_DELAY);
        isFault(fault, 0);
    }

    /// @dev From the artifact: with `new`, the compiler would make the contract anew within each test contract.
    function deploy(address token_, address feeTo_, address guardian_, address key, uint256 delay)
        internal
        returns (IComputeEscrow created, bytes4 fault)
    {
        bytes memory code = vm.getCode("ComputeEscrow.sol:ComputeEscrow");
        code = abi.encodePacked(code, abi.encode(token_, feeTo_, guardian_, key, delay));
        assembly ("memory-safe") {
            created := create(0, add(code, 32), mload(code))
            if iszero(created) {
                returndatacopy(0, 0, 4)
                fault := mload(0)
            }
        }
        if (address(created) == address(0)) fault = bytes4(fault);
    }

    function warpTo(uint256 timestamp) internal {
        now_ = timestamp;
        vm.warp(timestamp);
    }

    function fund(address who, uint256 amount) internal {
        token.mint(who, amount);
        vm.prank(who);
        token.approve(address(escrow), amount);
        vm.prank(who);
        escrow.deposit(amount);
    }

    function balance(address who) internal view returns (uint256) {
        return escrow.balanceOf(who);
    }

    function isOpen(bytes32 id) internal view returns (bool) {
        (uint256 opened,,) = escrow.leaseOf(id);
        return opened != 0;
    }

    /// @dev The keys of the cast; tests' own accounts are signed for with `signed`.
    function keyOf(address who) internal view returns (uint256) {
        if (who == buyer) return BUYER_KEY;
        if (who == provider) return PROVIDER_KEY;
        if (who == relayer) return RELAYER_KEY;
        return STRANGER_KEY;
    }

    // ------------------------------------------------------------------ messages

    function aBid() internal view returns (Bid memory bid) {
        bid.buyer = buyer;
        bid.meter = meter;
        bid.maxRate = RATE;
        bid.nodes = 1;
        bid.unitsPerNode = 8;
        bid.maxSeconds = 3600;
        bid.earliestStart = now_ - 60;
        bid.latestStart = now_ + 600;
        bid.validUntil = now_ + 600;
        bid.allOrNone = true;
        bid.grace = 120;
        bid.maxTotal = 1000e9;
        bid.maxFeeBps = 100;
        bid.specHash = keccak256("spec");
    }

    /// @dev All that the bid allows, from now on.
    function termsOf(Bid memory bid) internal view returns (Terms memory terms) {
        terms.buyer = bid.buyer;
        terms.provider = provider;
        terms.meter = bid.meter;
        terms.rate = bid.maxRate;
        terms.unitsPerNode = bid.unitsPerNode;
        terms.seconds_ = bid.maxSeconds;
        terms.start = now_;
        terms.grace = bid.grace;
        terms.feeBps = bid.maxFeeBps;
        terms.bidNonce = bid.nonce;
        terms.nodeCount = bid.nodes;
        terms.askHash = keccak256("ask");
    }

    function digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", escrow.domainSeparator(), structHash));
    }

    function signed(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        return signedDigest(key, digest(structHash));
    }

    function signedDigest(uint256 key, bytes32 digest_) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest_);
        return abi.encodePacked(r, s, v);
    }

    function signBid(uint256 key, Bid memory bid) internal view returns (bytes memory) {
        return signed(key, keccak256(abi.encode(Messages.BID, bid)));
    }

    function signTerms(uint256 key, Terms memory terms) internal view returns (bytes memory) {
        return signed(key, keccak256(abi.encode(Messages.TERMS, terms)));
    }

    function signVoucher(uint256 key, bytes32 lease, uint256 cumulative) internal view returns (bytes memory) {
        return signed(key, keccak256(abi.encode(Messages.VOUCHER, lease, cumulative)));
    }

    function signClose(uint256 key, bytes32 lease, uint256 minPaid) internal view returns (bytes memory) {
        return signed(key, keccak256(abi.encode(Messages.CLOSE, lease, minPaid)));
    }

    function signRequest(uint256 key, bytes32 lease, uint256 nonce, uint256 deadline, uint256 maxRelayFee)
        internal
        view
        returns (bytes memory)
    {
        return signed(key, keccak256(abi.encode(Messages.REQUEST_CLOSE, lease, nonce, deadline, maxRelayFee)));
    }

    function clear(bytes32 lease) internal view returns (IComputeEscrow.SignedClearance memory) {
        return clearBy(CLEARANCE_KEY, lease);
    }

    function clearBy(uint256 key, bytes32 lease) internal view returns (IComputeEscrow.SignedClearance memory out) {
        Clearance memory it = Clearance(keccak256("verdict"), keccak256("rule set"), uint64(now_ + 60));
        out.clearance = it;
        out.signature =
            signed(key, keccak256(abi.encode(Messages.CLEARANCE, lease, it.verdict, it.ruleSet, it.validUntil)));
    }

    function clearAll(bytes32[] memory leases) internal view returns (IComputeEscrow.BatchClearance memory batch) {
        batch.ruleSet = keccak256("rule set");
        batch.validUntil = uint64(now_ + 60);
        bytes32 list = keccak256(abi.encodePacked(leases));
        batch.signature = signed(
            CLEARANCE_KEY, keccak256(abi.encode(Messages.CLEARANCE_BATCH, list, batch.ruleSet, batch.validUntil))
        );
    }

    function noClearances() internal pure returns (IComputeEscrow.SignedClearance[] memory) {
        return new IComputeEscrow.SignedClearance[](0);
    }

    // ------------------------------------------------------------------ steps

    /// @dev An item with the signatures that it needs when `sender` sends it.
    function opening(address sender, Terms memory terms, Bid memory bid)
        internal
        view
        returns (IComputeEscrow.OpenItem memory item)
    {
        item.terms = terms;
        item.bid = bid;
        item.bidSignature = signBid(keyOf(bid.buyer), bid);
        if (sender != terms.provider) item.termsSignature = signTerms(keyOf(terms.provider), terms);
    }

    /// @dev Sends it, and returns the selector of the error or zero.
    function tryOpen(
        address sender,
        IComputeEscrow.OpenItem memory item,
        IComputeEscrow.SignedClearance memory clearance
    ) internal returns (bytes4) {
        vm.prank(sender);
        try escrow.open(
            item.terms, item.bid, item.termsSignature, item.bidSignature, clearance.clearance, clearance.signature
        ) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    /// @dev The same with everything signed as it must be.
    function tryOpen(address sender, Terms memory terms, Bid memory bid) internal returns (bytes4) {
        return tryOpen(sender, opening(sender, terms, bid), clear(escrow.leaseId(terms)));
    }

    function openAs(address sender, Terms memory terms, Bid memory bid) internal returns (bytes32 id) {
        id = escrow.leaseId(terms);
        isFault(tryOpen(sender, terms, bid), 0);
    }

    /// @dev The usual lease: eight units at $2.50 an hour for an hour, opened by the provider.
    function openOne() internal returns (Terms memory terms, bytes32 id) {
        Bid memory bid = aBid();
        terms = termsOf(bid);
        id = openAs(provider, terms, bid);
    }

    /// @dev As the relayer, under one clearance for all.
    function openMany(IComputeEscrow.OpenItem[] memory items) internal returns (bytes4[] memory faults) {
        IComputeEscrow.BatchClearance memory batch = clearAll(idsOf(items));
        vm.prank(relayer);
        return escrow.openMany(items, noClearances(), batch);
    }

    function idsOf(IComputeEscrow.OpenItem[] memory items) internal view returns (bytes32[] memory ids) {
        ids = new bytes32[](items.length);
        for (uint256 i; i < items.length; ++i) {
            ids[i] = escrow.leaseId(items[i].terms);
        }
    }

    function closing(Terms memory terms, uint256 cumulative)
        internal
        view
        returns (IComputeEscrow.CloseItem memory item)
    {
        item.terms = terms;
        item.cumulative = uint128(cumulative);
        item.voucherSignature = signVoucher(METER_KEY, escrow.leaseId(terms), cumulative);
        item.payees = new Payee[](0);
    }

    function tryClose(address sender, IComputeEscrow.CloseItem memory item) internal returns (bytes4) {
        vm.prank(sender);
        try escrow.close(item) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function tryClaim(Terms memory terms, uint256 cumulative, bytes memory signature) internal returns (bytes4) {
        try escrow.claim(terms, uint128(cumulative), signature, new Payee[](0)) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function claim(Terms memory terms, uint256 cumulative) internal returns (bytes4) {
        return tryClaim(terms, cumulative, signVoucher(METER_KEY, escrow.leaseId(terms), cumulative));
    }

    /// @dev In nano-USD.
    function costOf(Terms memory terms, uint256 seconds_) internal pure returns (uint256) {
        return terms.rate * terms.nodeCount * terms.unitsPerNode * seconds_;
    }

    // ------------------------------------------------------------------ checks

    function isFault(bytes4 found, bytes4 wanted) internal pure {
        vm.assertEq(bytes32(found), bytes32(wanted), "the error's selector");
    }

    function isFault(bytes4 found, bytes4 wanted, string memory why) internal pure {
        vm.assertEq(bytes32(found), bytes32(wanted), why);
    }

    /// @dev Maps a fuzzer's number into [low, high].
    function within(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + x % (high - low + 1);
    }
}
