// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Terms} from "../src/Messages.sol";
import {Meddler, ShortAnswer, Wallet, YesMan} from "./Actors.sol";
import {Harness} from "./Harness.sol";
import {TestToken} from "./Tokens.sol";

/// @dev Opening one lease: consent of three, and nothing outside the bid.
contract OpenTest is Harness {
    bytes4 private constant OUTSIDE = IComputeEscrow.OutsideBid.selector;
    bytes4 private constant BAD = IComputeEscrow.BadTerms.selector;

    function test_provider_opens() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        bytes32 id = escrow.leaseId(terms);
        uint256 cost = costOf(terms, 3600) / NANO;
        vm.assertEq(escrow.escrowOf(terms), cost);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        IComputeEscrow.SignedClearance memory clearance = clear(id);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Opened(id, cost);
        vm.prank(provider);
        escrow.open(
            item.terms, item.bid, item.termsSignature, item.bidSignature, clearance.clearance, clearance.signature
        );
        vm.assertEq(balance(buyer), 10_000 * UNIT - cost);
        (uint256 opened, uint256 stop, uint256 claimed) = escrow.leaseOf(id);
        vm.assertEq(opened, now_);
        vm.assertEq(stop + claimed, 0);
        vm.assertEq(escrow.bidBits(buyer, 0), 1);
        isFault(tryOpen(provider, terms, bid), IComputeEscrow.BidNonceSpent.selector);
    }

    function test_anyone_opens_with_the_provider_s_signature() public {
        Bid memory bid = aBid();
        vm.assertTrue(isOpen(openAs(relayer, termsOf(bid), bid)));
    }

    /// @dev Nothing opens without the buyer's bid, the provider's consent and a clearance by the key in force.
    function testFuzz_nothing_opens_without_all_three(uint8 missing, uint256 forger) public {
        forger = within(forger, 1, 1e18);
        vm.assume(forger != BUYER_KEY && forger != PROVIDER_KEY && forger != CLEARANCE_KEY);
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(relayer, terms, bid);
        IComputeEscrow.SignedClearance memory clearance = clear(escrow.leaseId(terms));
        if (missing & 1 != 0) item.bidSignature = signBid(forger, bid);
        if (missing & 2 != 0) item.termsSignature = signTerms(forger, terms);
        if (missing & 4 != 0) clearance = clearBy(forger, escrow.leaseId(terms));
        bytes4 fault = tryOpen(relayer, item, clearance);
        vm.assertTrue((fault == 0) == (missing & 7 == 0));
        vm.assertTrue(isOpen(escrow.leaseId(terms)) == (missing & 7 == 0));
    }

    function test_the_provider_s_consent_is_its_own() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        IComputeEscrow.SignedClearance memory clearance = clear(escrow.leaseId(terms));
        isFault(tryOpen(buyer, item, clearance), IComputeEscrow.TermsNotSigned.selector);
        terms.provider = address(0);
        item.terms = terms;
        item.termsSignature = new bytes(65);
        isFault(tryOpen(buyer, item, clear(escrow.leaseId(terms))), IComputeEscrow.TermsNotSigned.selector);
    }

    // ------------------------------------------------------------------ signatures

    /// @dev The other half of the curve gives a second signature of the same message.
    function test_malleable_and_odd_signatures_are_refused() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        IComputeEscrow.SignedClearance memory clearance = clear(escrow.leaseId(terms));
        bytes memory good = item.bidSignature;
        (bytes32 r, bytes32 s, uint8 v) = _parts(good);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

        bytes[6] memory odd = [
            abi.encodePacked(r, order - uint256(s), v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s),
            abi.encodePacked(r, s, v, uint8(0)),
            abi.encodePacked(r, bytes32(uint256(s) | 1 << 255 | uint256(v - 27) << 255)),
            bytes("")
        ];
        for (uint256 i; i < odd.length; ++i) {
            item.bidSignature = odd[i];
            isFault(tryOpen(provider, item, clearance), IComputeEscrow.BidNotSigned.selector, "odd");
        }
        item.bidSignature = good;
        isFault(tryOpen(provider, item, clearance), 0);
    }

    function _parts(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
    }

    function test_buyer_that_is_a_contract() public {
        address wallet = address(new Wallet(buyer));
        fund(wallet, 100 * UNIT);
        Bid memory bid = aBid();
        bid.buyer = wallet;
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        item.bidSignature = signBid(STRANGER_KEY, bid);
        IComputeEscrow.SignedClearance memory clearance = clear(escrow.leaseId(terms));
        isFault(tryOpen(provider, item, clearance), IComputeEscrow.BidNotSigned.selector);
        item.bidSignature = signBid(BUYER_KEY, bid);
        isFault(tryOpen(provider, item, clearance), 0);
    }

    /// @dev An account with code (EIP-7702) still signs plainly, even where its code would say no.
    function test_account_with_code_signs_plainly() public {
        vm.etch(buyer, address(new Wallet(stranger)).code);
        (Terms memory terms,) = openOne();
        vm.assertTrue(isOpen(escrow.leaseId(terms)));
    }

    function test_answer_of_four_bytes_is_none() public {
        address wallet = address(new ShortAnswer());
        fund(wallet, 100 * UNIT);
        Bid memory bid = aBid();
        bid.buyer = wallet;
        isFault(tryOpen(provider, termsOf(bid), bid), IComputeEscrow.BidNotSigned.selector);
    }

    /// @dev The known fault of callbacks that the caller chooses: a party's code is asked in a static call alone.
    function test_party_s_code_can_not_act() public {
        address meddler = address(new Meddler());
        fund(meddler, 100 * UNIT);
        Bid memory bid = aBid();
        bid.buyer = meddler;
        isFault(tryOpen(provider, termsOf(bid), bid), IComputeEscrow.BidNotSigned.selector);
        vm.assertEq(Meddler(meddler).asked(), 0);
    }

    /// @dev Meter and clearance keys are plain keys: code that says yes signs neither.
    function test_contract_is_no_meter() public {
        Bid memory bid = aBid();
        bid.meter = address(new YesMan());
        Terms memory terms = termsOf(bid);
        openAs(provider, terms, bid);
        warpTo(now_ + 100);
        isFault(claim(terms, costOf(terms, 100)), IComputeEscrow.VoucherNotSigned.selector);
    }

    // ------------------------------------------------------------------ clearance

    function test_clearance_is_for_one_lease_and_sixty_seconds() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        Terms memory other = termsOf(bid);
        other.rate -= 1;
        isFault(tryOpen(provider, item, clear(escrow.leaseId(other))), IComputeEscrow.NotCleared.selector);
        IComputeEscrow.SignedClearance memory clearance = clear(escrow.leaseId(terms));
        warpTo(now_ + 61);
        isFault(tryOpen(provider, item, clearance), IComputeEscrow.ClearanceExpired.selector);
        warpTo(now_ - 1);
        isFault(tryOpen(provider, item, clearance), 0);
    }

    function test_every_field_of_a_clearance_is_signed() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        for (uint256 i; i < 3; ++i) {
            IComputeEscrow.SignedClearance memory clearance = clear(escrow.leaseId(terms));
            if (i == 0) clearance.clearance.verdict = 0;
            if (i == 1) clearance.clearance.ruleSet = 0;
            if (i == 2) clearance.clearance.validUntil += 1;
            isFault(tryOpen(provider, item, clearance), IComputeEscrow.NotCleared.selector);
        }
    }

    // ------------------------------------------------------------------ the bid's bounds

    function _try(Terms memory terms, Bid memory bid) private returns (bytes4) {
        return tryOpen(provider, terms, bid);
    }

    function test_terms_outside_the_bid() public {
        Bid memory bid = aBid();
        for (uint256 i; i < 13; ++i) {
            Terms memory terms = termsOf(bid);
            if (i == 0) terms.buyer = stranger;
            if (i == 1) terms.meter = stranger;
            if (i == 2) terms.rate += 1;
            if (i == 3) terms.unitsPerNode -= 1;
            if (i == 4) terms.unitsPerNode += 1;
            if (i == 5) terms.seconds_ += 1;
            if (i == 6) terms.start = bid.earliestStart - 1;
            if (i == 7) terms.start = bid.latestStart + 1;
            if (i == 8) terms.grace -= 1;
            if (i == 9) terms.feeBps += 1;
            if (i == 10) terms.bidNonce += 1;
            if (i == 11) terms.firstNode = 1;
            if (i == 12) terms.nodeCount = 2;
            IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
            isFault(tryOpen(provider, item, clear(escrow.leaseId(terms))), OUTSIDE, "a term outside the bid");
        }
    }

    function test_terms_inside_the_bid() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        terms.rate -= 1;
        terms.seconds_ = 1;
        terms.start = bid.latestStart;
        terms.feeBps = 0;
        terms.extends = keccak256("any");
        isFault(_try(terms, bid), 0);
        vm.assertEq(escrow.escrowOf(terms), (RATE - 1) * 8 / NANO);
    }

    function test_terms_that_no_lease_can_have() public {
        for (uint256 i; i < 8; ++i) {
            Bid memory bid = aBid();
            Terms memory terms = termsOf(bid);
            if (i == 0) terms.meter = bid.meter = address(0);
            if (i == 1) terms.meter = bid.meter = vm.addr(CLEARANCE_KEY);
            if (i == 2) terms.nodeCount = 0;
            if (i == 3) terms.seconds_ = 0;
            if (i == 4) terms.feeBps = bid.maxFeeBps = 10_001;
            if (i == 5) terms.nodeCount = bid.nodes = 1025;
            if (i == 6) terms.bidNonce = bid.nonce = uint256(type(uint64).max) + 1;
            if (i == 7) (terms.bidNonce, bid.nonce, bid.nodes) = (type(uint64).max, type(uint64).max, 2);
            bid.allOrNone = false;
            isFault(_try(terms, bid), BAD, "terms that no lease can have");
        }
    }

    /// @dev A number wider than its type could wrap a sum or a product.
    function testFuzz_numbers_have_the_width_of_their_types(uint8 field, uint256 value) public {
        uint8[9] memory widths = [128, 32, 64, 64, 64, 16, 64, 32, 32];
        field = uint8(within(field, 0, 8));
        value = within(value, uint256(1) << widths[field], type(uint256).max);
        Bid memory bid = aBid();
        // A bid that allows anything, signed by its buyer.
        bid.maxRate = bid.maxSeconds = bid.latestStart = bid.validUntil = type(uint256).max;
        bid.maxTotal = bid.maxFeeBps = type(uint256).max;
        bid.nodes = type(uint32).max;
        bid.earliestStart = 0;
        bid.allOrNone = false;
        Terms memory terms = termsOf(aBid());
        terms.nodeCount = 1;
        bytes memory words = abi.encode(terms);
        uint256 word = [uint256(3), 4, 5, 6, 7, 8, 9, 10, 11][field];
        assembly {
            mstore(add(add(words, 32), mul(word, 32)), value)
        }
        terms = abi.decode(words, (Terms));
        if (field == 1) bid.unitsPerNode = value;
        if (field == 4) bid.grace = value;
        if (field == 6) bid.nonce = value;
        isFault(_try(terms, bid), BAD);
    }

    function test_total_of_all_nodes_is_bounded() public {
        Bid memory bid = aBid();
        bid.allOrNone = false;
        bid.nodes = 4;
        bid.maxTotal = uint256(RATE) * 4 * 8 * 1800;
        Terms memory terms = termsOf(bid);
        terms.nodeCount = 1;
        terms.seconds_ = 1801;
        isFault(_try(terms, bid), OUTSIDE);
        terms.seconds_ = 1800;
        isFault(_try(terms, bid), 0);
    }

    /// @dev However a bid's legs are cut, they lock no more than it says.
    function testFuzz_legs_never_exceed_the_bid(uint8[6] calldata cuts, uint32 seconds_, uint64 maxTotal) public {
        Bid memory bid = aBid();
        bid.allOrNone = false;
        bid.nodes = 300;
        bid.nonce = 77;
        bid.maxTotal = maxTotal;
        fund(buyer, 20_000_000_000 * UNIT);
        uint256 before = balance(buyer);
        for (uint256 i; i + 1 < cuts.length; i += 2) {
            Terms memory terms = termsOf(bid);
            terms.firstNode = cuts[i];
            terms.nodeCount = cuts[i + 1];
            terms.seconds_ = within(seconds_, 1, 3600);
            _try(terms, bid);
        }
        vm.assertLe((before - balance(buyer)) * NANO, maxTotal);
    }

    function test_total_beyond_128_bits() public {
        useToken(new TestToken(18));
        Bid memory bid = aBid();
        bid.allOrNone = false;
        (bid.maxRate, bid.maxTotal) = (type(uint128).max, type(uint256).max);
        Terms memory terms = termsOf(bid);
        isFault(_try(terms, bid), BAD); // rate x units x seconds is wider than money
        (terms.rate, terms.seconds_) = (type(uint128).max / 8, 1);
        isFault(_try(terms, bid), BAD); // money, but not once it is scaled to 18 decimals
        terms.rate = uint256(type(uint128).max) / 8 / 1e9;
        isFault(_try(terms, bid), IComputeEscrow.InsufficientBalance.selector);
    }

    // ------------------------------------------------------------------ time

    function test_bid_is_too_old() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        bid.latestStart += 100;
        warpTo(bid.validUntil + 1);
        isFault(_try(terms, bid), IComputeEscrow.BidExpired.selector);
        bid.validUntil += 1000;
        isFault(_try(terms, bid), 0);
        bid.nonce = terms.bidNonce = 1;
        warpTo(bid.latestStart + 1);
        isFault(_try(terms, bid), IComputeEscrow.BidExpired.selector);
    }

    function test_future_window_opens_an_hour_ahead() public {
        Bid memory bid = aBid();
        bid.latestStart = now_ + 10_000;
        bid.validUntil = now_ + 10_000;
        Terms memory terms = termsOf(bid);
        terms.start = now_ + 3601;
        isFault(_try(terms, bid), IComputeEscrow.TooEarly.selector);
        warpTo(now_ + 1);
        isFault(_try(terms, bid), 0);
    }

    function test_lease_that_would_be_over() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        terms.start = now_ - 60;
        terms.seconds_ = 60;
        isFault(_try(terms, bid), IComputeEscrow.TooLate.selector);
        terms.seconds_ = 61;
        isFault(_try(terms, bid), 0);
    }

    /// @dev From the old end, on a bid of its own, naming the lease that it extends.
    function test_extension_is_a_lease_of_its_own() public {
        (Terms memory old, bytes32 oldId) = openOne();
        Bid memory bid = aBid();
        bid.nonce = 1;
        bid.latestStart = bid.validUntil = now_ + 4000;
        Terms memory terms = termsOf(bid);
        terms.start = old.start + old.seconds_;
        terms.extends = oldId;
        bytes32 id = openAs(provider, terms, bid);
        vm.assertNotEq(id, oldId);
        warpTo(terms.start);
        isFault(claim(terms, costOf(terms, 3600)), 0);
        (,, uint256 claimed) = escrow.leaseOf(id);
        vm.assertEq(claimed, 0, "nothing is earned before the old end");
        isFault(claim(old, costOf(old, 3600)), 0);
        (,, claimed) = escrow.leaseOf(oldId);
        vm.assertEq(claimed, escrow.escrowOf(old));
    }

    // ------------------------------------------------------------------ nonces

    function test_nodes_spend_bits_over_words() public {
        Bid memory bid = aBid();
        bid.nonce = 250;
        bid.nodes = 600;
        bid.allOrNone = false;
        Terms memory terms = termsOf(bid);
        (terms.firstNode, terms.nodeCount) = (3, 530); // bits 253 to 782
        fund(buyer, 1_000_000 * UNIT);
        bid.maxTotal = type(uint128).max;
        isFault(_try(terms, bid), 0);
        vm.assertEq(escrow.bidBits(buyer, 0), 7 << 253);
        vm.assertEq(escrow.bidBits(buyer, 1), type(uint256).max);
        vm.assertEq(escrow.bidBits(buyer, 2), type(uint256).max);
        vm.assertEq(escrow.bidBits(buyer, 3), (1 << 15) - 1);
        // A leg that meets it in its last word leaves its first words as they were.
        (terms.firstNode, terms.nodeCount) = (532, 2);
        isFault(_try(terms, bid), IComputeEscrow.BidNonceSpent.selector);
        (terms.firstNode, terms.nodeCount) = (533, 67);
        isFault(_try(terms, bid), 0);
        (terms.firstNode, terms.nodeCount) = (0, 4);
        isFault(_try(terms, bid), IComputeEscrow.BidNonceSpent.selector);
        vm.assertEq(escrow.bidBits(buyer, 0), 7 << 253);
        (terms.firstNode, terms.nodeCount) = (0, 3);
        isFault(_try(terms, bid), 0);
    }

    function test_bit_in_a_later_word_frees_the_earlier_ones() public {
        Bid memory bid = aBid();
        bid.nonce = 100;
        bid.nodes = 300;
        bid.maxTotal = type(uint128).max;
        fund(buyer, 1_000_000 * UNIT);
        vm.prank(buyer);
        escrow.cancelBids(1, 1 << 143); // nonce 399, the last
        isFault(_try(termsOf(bid), bid), IComputeEscrow.BidNonceSpent.selector);
        vm.assertEq(escrow.bidBits(buyer, 0), 0);
        vm.assertEq(escrow.bidBits(buyer, 1), 1 << 143);
    }

    function test_opening_that_fails_late_leaves_other_bits() public {
        vm.prank(buyer);
        escrow.cancelBids(0, 0xF0);
        Bid memory bid = aBid();
        bid.nonce = 9;
        bid.maxTotal = 1e30;
        bid.maxRate = 1e18;
        IComputeEscrow.OpenItem[] memory items = new IComputeEscrow.OpenItem[](1);
        items[0] = opening(relayer, termsOf(bid), bid);
        isFault(openMany(items)[0], IComputeEscrow.InsufficientBalance.selector);
        vm.assertEq(escrow.bidBits(buyer, 0), 0xF0);
    }

    function test_last_nonce_of_all() public {
        Bid memory bid = aBid();
        bid.nonce = type(uint64).max;
        isFault(_try(termsOf(bid), bid), 0);
        vm.assertEq(escrow.bidBits(buyer, type(uint64).max >> 8), 1 << 255);
    }

    function testFuzz_bits_are_those_of_the_run(uint64 nonce, uint16 count) public {
        count = uint16(within(count, 1, 1024));
        nonce = uint64(within(nonce, 0, type(uint64).max - 2048));
        Bid memory bid = aBid();
        (bid.nonce, bid.nodes, bid.maxTotal) = (nonce, count, type(uint128).max);
        fund(buyer, 1_000_000 * UNIT);
        isFault(_try(termsOf(bid), bid), 0);
        for (uint256 n = nonce == 0 ? 0 : uint256(nonce) - 1; n <= uint256(nonce) + count; ++n) {
            bool set = escrow.bidBits(buyer, n >> 8) >> (n & 255) & 1 == 1;
            vm.assertTrue(set == (n >= nonce && n < uint256(nonce) + count), "a bit of the run");
        }
    }

    // ------------------------------------------------------------------ griefing

    uint256 private constant SPOILED_OPENING = 75_000; // gas, at most

    /// @dev Between the exchange's check and the chain a buyer can spoil the opening; it costs the provider nothing but
    /// gas, since work starts only after the lease is open.
    function test_withdraw_just_before_opening() public {
        vm.prank(buyer);
        escrow.withdraw(10_000 * UNIT, buyer);
        Bid memory bid = aBid();
        isFault(_try(termsOf(bid), bid), IComputeEscrow.InsufficientBalance.selector);
        vm.assertLe(vm.lastCallGas().gasTotalUsed, SPOILED_OPENING);
        vm.assertEq(escrow.bidBits(buyer, 0), 0, "the bits are as they were");
        fund(buyer, 10_000 * UNIT);
        isFault(_try(termsOf(bid), bid), 0);
    }

    function test_cancel_just_before_opening() public {
        vm.prank(buyer);
        escrow.cancelBids(0, 1);
        Bid memory bid = aBid();
        isFault(_try(termsOf(bid), bid), IComputeEscrow.BidNonceSpent.selector);
        vm.assertLe(vm.lastCallGas().gasTotalUsed, SPOILED_OPENING);
        vm.prank(buyer);
        escrow.cancelBids(0, 2);
        vm.assertEq(escrow.bidBits(buyer, 0), 3, "bits are set and never cleared");
    }

    /// @dev A provider that hoards clearances holds them for a minute, and opens each once.
    function test_hoarded_clearances() public {
        IComputeEscrow.OpenItem[] memory items = new IComputeEscrow.OpenItem[](5);
        IComputeEscrow.SignedClearance[] memory hoard = new IComputeEscrow.SignedClearance[](5);
        for (uint256 i; i < 5; ++i) {
            Bid memory bid = aBid();
            bid.nonce = i;
            items[i] = opening(provider, termsOf(bid), bid);
            hoard[i] = clear(escrow.leaseId(items[i].terms));
        }
        isFault(tryOpen(provider, items[0], hoard[0]), 0);
        isFault(tryOpen(provider, items[0], hoard[0]), IComputeEscrow.BidNonceSpent.selector);
        isFault(tryOpen(provider, items[1], hoard[2]), IComputeEscrow.NotCleared.selector);
        warpTo(now_ + 61);
        for (uint256 i = 1; i < 5; ++i) {
            isFault(tryOpen(provider, items[i], hoard[i]), IComputeEscrow.ClearanceExpired.selector);
        }
    }
}
