// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Terms} from "../src/Messages.sol";
import {Harness} from "./Harness.sol";

/// @dev The guardian, and its answer to a stolen clearance key.
contract GuardianTest is Harness {
    uint256 private constant NEXT_KEY = 0x4E87;

    function _asGuardian(bytes memory data) private returns (bytes4) {
        vm.prank(guardian);
        (bool done, bytes memory reason) = address(escrow).call(data);
        return done ? bytes4(0) : bytes4(reason);
    }

    function _tryOpen(uint256 nonce, uint256 key) private returns (bytes4) {
        Bid memory bid = aBid();
        bid.nonce = nonce;
        Terms memory terms = termsOf(bid);
        return tryOpen(provider, opening(provider, terms, bid), clearBy(key, escrow.leaseId(terms)));
    }

    function test_nobody_else() public {
        bytes4 no = IComputeEscrow.NotAllowed.selector;
        vm.expectRevert(no);
        escrow.setPaused(true);
        vm.expectRevert(no);
        escrow.revokeClearanceKey();
        vm.expectRevert(no);
        escrow.proposeClearanceKey(stranger);
        vm.expectRevert(no);
        escrow.acceptClearanceKey();
    }

    /// @dev Pausing stops opening only.
    function test_pause_stops_opening_only() public {
        (Terms memory terms,) = openOne();
        isFault(_asGuardian(abi.encodeCall(escrow.setPaused, (true))), 0);
        isFault(_tryOpen(1, CLEARANCE_KEY), IComputeEscrow.OpeningPaused.selector);
        IComputeEscrow.OpenItem[] memory none = new IComputeEscrow.OpenItem[](0);
        IComputeEscrow.BatchClearance memory batch = clearAll(new bytes32[](0));
        vm.expectRevert(IComputeEscrow.OpeningPaused.selector);
        escrow.openMany(none, noClearances(), batch);
        fund(buyer, UNIT);
        vm.prank(buyer);
        escrow.cancelBids(3, 1);
        warpTo(now_ + 100);
        isFault(claim(terms, costOf(terms, 50)), 0);
        vm.prank(buyer);
        escrow.requestClose(terms);
        isFault(tryClose(provider, closing(terms, costOf(terms, 100))), 0);
        isFault(_asGuardian(abi.encodeCall(escrow.setPaused, (false))), 0);
        isFault(_tryOpen(1, CLEARANCE_KEY), 0);
    }

    /// @dev A thief clears what it likes, but opens nothing without a bid and a provider; revoking ends it at once, for
    /// the clearances that it signed before too; the next key waits 48 hours.
    function test_stolen_clearance_key() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        IComputeEscrow.OpenItem memory item = opening(provider, terms, bid);
        IComputeEscrow.SignedClearance memory stolen = clear(escrow.leaseId(terms));
        item.bidSignature = signBid(CLEARANCE_KEY, bid);
        isFault(tryOpen(provider, item, stolen), IComputeEscrow.BidNotSigned.selector);

        isFault(_asGuardian(abi.encodeCall(escrow.revokeClearanceKey, ())), 0);
        item.bidSignature = signBid(BUYER_KEY, bid);
        isFault(tryOpen(provider, item, stolen), IComputeEscrow.NotCleared.selector);
        stolen.signature = new bytes(65);
        isFault(tryOpen(provider, item, stolen), IComputeEscrow.NotCleared.selector, "no key is not the zero key");
        // Old money still leaves.
        vm.prank(buyer);
        escrow.withdraw(UNIT, buyer);

        isFault(_asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ())), IComputeEscrow.NotAllowed.selector);
        isFault(_asGuardian(abi.encodeCall(escrow.proposeClearanceKey, (vm.addr(NEXT_KEY)))), 0);
        warpTo(now_ + 48 hours - 1);
        isFault(_asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ())), IComputeEscrow.DelayNotOver.selector);
        warpTo(now_ + 1);
        isFault(_asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ())), 0);
        isFault(_tryOpen(1, CLEARANCE_KEY), IComputeEscrow.NotCleared.selector);
        isFault(_tryOpen(1, NEXT_KEY), 0);
        isFault(_asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ())), IComputeEscrow.NotAllowed.selector);
    }

    /// @dev A key that was proposed long ago takes over as soon as the other is revoked.
    function test_spare_key() public {
        _asGuardian(abi.encodeCall(escrow.proposeClearanceKey, (vm.addr(NEXT_KEY))));
        warpTo(now_ + 48 hours);
        isFault(_tryOpen(1, CLEARANCE_KEY), 0);
        _asGuardian(abi.encodeCall(escrow.revokeClearanceKey, ()));
        isFault(_asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ())), 0);
        isFault(_tryOpen(2, NEXT_KEY), 0);
        // Proposing zero takes a proposal back.
        _asGuardian(abi.encodeCall(escrow.proposeClearanceKey, (stranger)));
        _asGuardian(abi.encodeCall(escrow.proposeClearanceKey, (address(0))));
        warpTo(now_ + 48 hours);
        isFault(_asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ())), IComputeEscrow.NotAllowed.selector);
    }

    function test_events() public {
        address key = vm.addr(CLEARANCE_KEY);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Paused(true);
        _asGuardian(abi.encodeCall(escrow.setPaused, (true)));
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.ClearanceKeyProposed(stranger, now_ + 48 hours);
        _asGuardian(abi.encodeCall(escrow.proposeClearanceKey, (stranger)));
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.ClearanceKeyRevoked(key);
        _asGuardian(abi.encodeCall(escrow.revokeClearanceKey, ()));
        warpTo(now_ + 48 hours);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.ClearanceKeyChanged(stranger);
        _asGuardian(abi.encodeCall(escrow.acceptClearanceKey, ()));
    }
}
