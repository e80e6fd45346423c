// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Payee, Terms} from "../src/Messages.sol";
import {Burner, Flooder} from "./Actors.sol";
import {Harness} from "./Harness.sol";

/// @dev Batches: an item that fails is skipped and never reverts the others; a group stands or falls as one.
contract BatchTest is Harness {
    bytes32 private constant GROUP = keccak256("group");

    /// @dev Single leases, each on a nonce of its own.
    function _items(uint256 count) private view returns (IComputeEscrow.OpenItem[] memory items) {
        items = new IComputeEscrow.OpenItem[](count);
        for (uint256 i; i < count; ++i) {
            Bid memory bid = aBid();
            bid.nonce = i;
            items[i] = opening(relayer, termsOf(bid), bid);
        }
    }

    /// @dev The legs of one all-or-none bid, of so many nodes each.
    function _group(uint256[] memory legs, uint256 nonce, bytes32 group)
        private
        view
        returns (IComputeEscrow.OpenItem[] memory items)
    {
        Bid memory bid = aBid();
        bid.nonce = nonce;
        bid.nodes = 0;
        for (uint256 i; i < legs.length; ++i) {
            bid.nodes += legs[i];
        }
        items = new IComputeEscrow.OpenItem[](legs.length);
        uint256 first;
        for (uint256 i; i < legs.length; ++i) {
            Terms memory terms = termsOf(bid);
            terms.group = group;
            (terms.firstNode, terms.nodeCount) = (first, legs[i]);
            if (i % 2 == 1) terms.provider = stranger;
            items[i] = opening(relayer, terms, bid);
            first += legs[i];
        }
    }

    function _three() private pure returns (uint256[] memory legs) {
        legs = new uint256[](3);
        (legs[0], legs[1], legs[2]) = (2, 1, 3);
    }

    function _join(IComputeEscrow.OpenItem[] memory a, IComputeEscrow.OpenItem[] memory b)
        private
        pure
        returns (IComputeEscrow.OpenItem[] memory all)
    {
        all = new IComputeEscrow.OpenItem[](a.length + b.length);
        for (uint256 i; i < all.length; ++i) {
            all[i] = i < a.length ? a[i] : b[i - a.length];
        }
    }

    function _allOpen(IComputeEscrow.OpenItem[] memory items, bool open) private view {
        for (uint256 i; i < items.length; ++i) {
            vm.assertTrue(isOpen(escrow.leaseId(items[i].terms)) == open, open ? "should be open" : "should not be");
        }
    }

    // ------------------------------------------------------------------ openMany

    function test_one_bad_item_blocks_nobody() public {
        IComputeEscrow.OpenItem[] memory items = _items(6);
        items[0].bidSignature = "";
        items[2].termsSignature = new bytes(65);
        items[3].bid.maxRate -= 1;
        items[5].terms = items[4].terms; // the same lease twice
        (items[5].bid, items[5].bidSignature, items[5].termsSignature) =
        (items[4].bid, items[4].bidSignature, items[4].termsSignature);
        vm.recordLogs();
        bytes4[] memory faults = openMany(items);
        vm.assertEq(vm.getRecordedLogs().length, 6);
        isFault(faults[0], IComputeEscrow.BidNotSigned.selector);
        isFault(faults[1], 0);
        isFault(faults[2], IComputeEscrow.TermsNotSigned.selector);
        isFault(faults[3], IComputeEscrow.OutsideBid.selector);
        isFault(faults[4], 0);
        isFault(faults[5], IComputeEscrow.BidNonceSpent.selector);
        vm.assertTrue(isOpen(escrow.leaseId(items[1].terms)) && isOpen(escrow.leaseId(items[4].terms)));
        vm.assertEq(balance(buyer), 10_000 * UNIT - 2 * escrow.escrowOf(items[1].terms));
    }

    function test_skipped_items_say_why() public {
        IComputeEscrow.OpenItem[] memory items = _items(2);
        items[1].bidSignature = "";
        bytes32[] memory ids = idsOf(items);
        IComputeEscrow.BatchClearance memory batch = clearAll(ids);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Opened(ids[0], escrow.escrowOf(items[0].terms));
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Skipped(ids[1], IComputeEscrow.BidNotSigned.selector);
        vm.prank(relayer);
        escrow.openMany(items, noClearances(), batch);
    }

    /// @dev A signer that burns its gas, one that floods the answer, and terms that could make a sum overflow.
    function test_hostile_items_cost_a_bounded_amount() public {
        IComputeEscrow.OpenItem[] memory items = _items(5);
        items[1].bid.buyer = items[1].terms.buyer = address(new Burner());
        items[2].bid.buyer = items[2].terms.buyer = address(new Flooder());
        items[3].terms.firstNode = type(uint256).max;
        for (uint256 i = 1; i < 4; ++i) {
            items[i].termsSignature = signTerms(PROVIDER_KEY, items[i].terms);
        }
        bytes4[] memory faults = openMany(items);
        vm.assertLe(vm.lastCallGas().gasTotalUsed, 600_000, "a hostile item costs 100,000 at most");
        isFault(faults[0], 0);
        isFault(faults[1], IComputeEscrow.BidNotSigned.selector);
        isFault(faults[2], IComputeEscrow.BidNotSigned.selector);
        isFault(faults[3], IComputeEscrow.BadTerms.selector);
        isFault(faults[4], 0);
    }

    function test_each_item_with_its_own_clearance() public {
        IComputeEscrow.OpenItem[] memory items = _items(3);
        IComputeEscrow.SignedClearance[] memory own = new IComputeEscrow.SignedClearance[](3);
        for (uint256 i; i < 3; ++i) {
            own[i] = clear(escrow.leaseId(items[i].terms));
        }
        own[1].clearance.verdict = 0;
        IComputeEscrow.BatchClearance memory none;
        vm.prank(relayer);
        bytes4[] memory faults = escrow.openMany(items, own, none);
        isFault(faults[0], 0);
        isFault(faults[1], IComputeEscrow.NotCleared.selector);
        isFault(faults[2], 0);
        IComputeEscrow.OpenItem[] memory fewer = _items(2);
        vm.expectRevert(IComputeEscrow.NotCleared.selector);
        escrow.openMany(fewer, own, none);
        vm.expectRevert(IComputeEscrow.ClearanceExpired.selector);
        escrow.openMany(items, noClearances(), none);
    }

    function test_batch_clearance_is_for_these_leases_alone() public {
        IComputeEscrow.OpenItem[] memory items = _items(3);
        bytes32[] memory ids = idsOf(items);
        IComputeEscrow.BatchClearance memory batch = clearAll(ids);
        IComputeEscrow.OpenItem[] memory fewer = _items(2);
        (items[0], items[1]) = (items[1], items[0]);
        vm.expectRevert(IComputeEscrow.NotCleared.selector);
        escrow.openMany(items, noClearances(), batch);
        vm.expectRevert(IComputeEscrow.NotCleared.selector);
        escrow.openMany(fewer, noClearances(), batch);
        (items[0], items[1]) = (items[1], items[0]);
        batch.ruleSet = 0;
        vm.expectRevert(IComputeEscrow.NotCleared.selector);
        escrow.openMany(items, noClearances(), batch);
        batch = clearAll(ids);
        batch.validUntil += 1;
        vm.expectRevert(IComputeEscrow.NotCleared.selector);
        escrow.openMany(items, noClearances(), batch);
        batch = clearAll(ids);
        batch.signature = signedDigest(STRANGER_KEY, ids[0]);
        vm.expectRevert(IComputeEscrow.NotCleared.selector);
        escrow.openMany(items, noClearances(), batch);
        batch = clearAll(ids);
        warpTo(now_ + 61);
        vm.expectRevert(IComputeEscrow.ClearanceExpired.selector);
        escrow.openMany(items, noClearances(), batch);
        _allOpen(items, false);
    }

    // ------------------------------------------------------------------ groups

    function test_group_opens_whole() public {
        IComputeEscrow.OpenItem[] memory items = _join(_items(1), _group(_three(), 10, GROUP));
        bytes4[] memory faults = openMany(items);
        for (uint256 i; i < faults.length; ++i) {
            isFault(faults[i], 0);
        }
        _allOpen(items, true);
        vm.assertEq(escrow.bidBits(buyer, 0), 1 | 63 << 10);
        vm.assertEq(balance(buyer), 10_000 * UNIT - 7 * escrow.escrowOf(items[0].terms));
    }

    function test_leg_that_fails_takes_the_group_with_it() public {
        IComputeEscrow.OpenItem[] memory group;
        for (uint256 bad; bad < 3; ++bad) {
            group = _group(_three(), 10, GROUP);
            IComputeEscrow.OpenItem[] memory items = _join(_join(_items(1), group), _group(_three(), 20, "other"));
            items[0].bid.nonce = items[0].terms.bidNonce = 100 + bad;
            items[0] = opening(relayer, items[0].terms, items[0].bid);
            for (uint256 i = 4; i < 7; ++i) {
                items[i].bid.nonce = items[i].terms.bidNonce = 120 + 10 * bad;
                items[i] = opening(relayer, items[i].terms, items[i].bid);
            }
            items[1 + bad].termsSignature = "";
            uint256 before = balance(buyer);
            bytes4[] memory faults = openMany(items);
            isFault(faults[0], 0);
            for (uint256 i = 1; i < 4; ++i) {
                isFault(faults[i], IComputeEscrow.TermsNotSigned.selector);
            }
            _allOpen(group, false);
            for (uint256 i = 4; i < 7; ++i) {
                isFault(faults[i], 0);
            }
            vm.assertEq(balance(buyer), before - 7 * escrow.escrowOf(items[0].terms), "the money is back");
            vm.assertEq(escrow.bidBits(buyer, 0) >> 10 & 63, 0, "the bits are as they were");
        }
        group = _group(_three(), 10, GROUP);
        isFault(openMany(group)[2], 0);
        _allOpen(group, true);
    }

    function test_group_that_the_balance_does_not_cover() public {
        IComputeEscrow.OpenItem[] memory group = _group(_three(), 10, GROUP);
        uint256 cost = escrow.escrowOf(group[1].terms); // of one node
        vm.prank(buyer);
        escrow.withdraw(10_000 * UNIT - 6 * cost + 1, buyer);
        bytes4[] memory faults = openMany(group);
        isFault(faults[0], IComputeEscrow.InsufficientBalance.selector);
        _allOpen(group, false);
        vm.assertEq(balance(buyer), 6 * cost - 1);
        vm.assertEq(escrow.bidBits(buyer, 0), 0);
        fund(buyer, 1);
        faults = openMany(group);
        isFault(faults[0], 0);
        vm.assertEq(balance(buyer), 0);
    }

    function test_group_must_be_whole() public {
        IComputeEscrow.OpenItem[] memory group = _group(_three(), 10, GROUP);
        IComputeEscrow.OpenItem[] memory part = new IComputeEscrow.OpenItem[](2);
        (part[0], part[1]) = (group[0], group[1]);
        isFault(openMany(part)[0], IComputeEscrow.GroupIncomplete.selector);
        // As many nodes as the bid has, but one of them twice.
        part[1] = group[2];
        part[1].terms.firstNode = 1;
        part[1].terms.nodeCount = 4;
        part[1] = opening(relayer, part[1].terms, part[1].bid);
        isFault(openMany(part)[0], IComputeEscrow.BidNonceSpent.selector);
        vm.assertEq(escrow.bidBits(buyer, 0), 0);
        // The same nonce and another bid.
        group[1].bid.specHash = 0;
        group[1] = opening(relayer, group[1].terms, group[1].bid);
        isFault(openMany(group)[0], IComputeEscrow.GroupIncomplete.selector);
        // Parts of the group apart from each other.
        group = _group(_three(), 10, GROUP);
        IComputeEscrow.OpenItem[] memory apart = _join(_join(part, _items(1)), group);
        (apart[0], apart[1], apart[3]) = (group[0], group[1], group[2]);
        IComputeEscrow.OpenItem[] memory four = new IComputeEscrow.OpenItem[](4);
        for (uint256 i; i < 4; ++i) {
            four[i] = apart[i];
        }
        bytes4[] memory faults = openMany(four);
        isFault(faults[0], IComputeEscrow.GroupIncomplete.selector);
        isFault(faults[2], 0);
        isFault(faults[3], IComputeEscrow.GroupIncomplete.selector);
    }

    function test_leg_does_not_open_alone() public {
        IComputeEscrow.OpenItem[] memory group = _group(_three(), 10, GROUP);
        isFault(
            tryOpen(relayer, group[0], clear(escrow.leaseId(group[0].terms))), IComputeEscrow.GroupNeedsBatch.selector
        );
        Terms memory terms = group[0].terms;
        terms.group = 0;
        isFault(tryOpen(relayer, terms, group[0].bid), IComputeEscrow.OutsideBid.selector);
    }

    /// @dev Another's leg with the same group id next to the group is not of it.
    function test_stranger_s_leg_with_the_same_group_id() public {
        IComputeEscrow.OpenItem[] memory group = _group(_three(), 10, GROUP);
        uint256[] memory half = new uint256[](1);
        half[0] = 2;
        IComputeEscrow.OpenItem[] memory hostile = _group(half, 40, GROUP);
        hostile[0].bid.buyer = hostile[0].terms.buyer = stranger;
        hostile[0].bid.nodes = 3;
        hostile[0] = opening(relayer, hostile[0].terms, hostile[0].bid);
        bytes4[] memory faults = openMany(_join(group, hostile));
        for (uint256 i; i < 3; ++i) {
            isFault(faults[i], 0);
        }
        isFault(faults[3], IComputeEscrow.GroupIncomplete.selector);
    }

    // ------------------------------------------------------------------ closeMany

    function _opened(uint256 count) private returns (IComputeEscrow.CloseItem[] memory closes) {
        IComputeEscrow.OpenItem[] memory items = _items(count);
        openMany(items);
        warpTo(now_ + 100);
        closes = new IComputeEscrow.CloseItem[](count);
        for (uint256 i; i < count; ++i) {
            closes[i] = closing(items[i].terms, costOf(items[i].terms, 100));
            closes[i].closeSignature = signClose(PROVIDER_KEY, escrow.leaseId(items[i].terms), 0);
        }
    }

    function test_closing_skips_what_fails() public {
        IComputeEscrow.CloseItem[] memory closes = _opened(8);
        closes[0].closeSignature = "";
        closes[1].voucherSignature = closes[2].voucherSignature;
        closes[3].minPaid = 1;
        closes[4].minPaid = type(uint128).max;
        closes[4].closeSignature = signClose(PROVIDER_KEY, escrow.leaseId(closes[4].terms), type(uint128).max);
        closes[5].payees = new Payee[](1);
        closes[6].terms.rate -= 1;
        vm.prank(relayer);
        bytes4[] memory faults = escrow.closeMany(closes);
        isFault(faults[0], IComputeEscrow.CloseNotSigned.selector);
        isFault(faults[1], IComputeEscrow.VoucherNotSigned.selector);
        isFault(faults[2], 0);
        isFault(faults[3], IComputeEscrow.CloseNotSigned.selector);
        isFault(faults[4], IComputeEscrow.BelowMinPaid.selector);
        isFault(faults[5], IComputeEscrow.WrongPayees.selector);
        isFault(faults[6], IComputeEscrow.NotOpen.selector);
        isFault(faults[7], 0);
        uint256 total = costOf(closes[2].terms, 100) / NANO;
        vm.assertEq(balance(provider) + balance(feeTo), 2 * total);
        vm.prank(relayer);
        isFault(escrow.closeMany(closes)[7], IComputeEscrow.NotOpen.selector);
    }

    /// @dev What is no item at all, here a 129th bit in `minPaid`, is nothing that can be skipped.
    function test_malformed_item_reverts_the_batch() public {
        IComputeEscrow.CloseItem[] memory closes = _opened(2);
        bytes memory data = abi.encodeCall(IComputeEscrow.closeMany, (closes));
        uint256 second; // its place, counted from the first of the items' places
        assembly ("memory-safe") {
            second := mload(add(data, 132))
        }
        uint256 minPaid = 32 + 4 + 64 + second + 17 * 32;
        assembly ("memory-safe") {
            mstore(add(data, minPaid), shl(128, 1))
        }
        vm.prank(relayer);
        (bool done,) = address(escrow).call(data);
        vm.assertTrue(!done);
        vm.assertTrue(isOpen(escrow.leaseId(closes[0].terms)));
    }

    /// @dev Providers may be contracts that burn gas; and shares whose sum would overflow are no reason to revert.
    function test_hostile_closes() public {
        Payee[] memory payees = new Payee[](2);
        payees[0] = Payee(stranger, type(uint16).max);
        payees[1] = Payee(stranger, type(uint16).max);
        Bid memory bid = aBid();
        bid.nonce = 50;
        Terms memory terms = termsOf(bid);
        terms.payeesHash = keccak256(abi.encode(stranger, uint256(65535), stranger, uint256(65535)));
        openAs(relayer, terms, bid);
        IComputeEscrow.CloseItem[] memory closes = _opened(3);
        closes[1] = closing(terms, costOf(terms, 100));
        closes[1].payees = payees;
        closes[1].closeSignature = signClose(PROVIDER_KEY, escrow.leaseId(terms), 0);
        vm.etch(provider, address(new Burner()).code);
        closes[2].closeSignature = new bytes(64);
        vm.prank(relayer);
        bytes4[] memory faults = escrow.closeMany(closes);
        vm.assertLe(vm.lastCallGas().gasTotalUsed, 300_000);
        isFault(faults[0], 0);
        isFault(faults[1], IComputeEscrow.WrongPayees.selector);
        isFault(faults[2], IComputeEscrow.CloseNotSigned.selector);
    }
}
