// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Terms} from "../src/Messages.sol";
import {Harness} from "./Harness.sol";

/// @dev Whoever vanishes for ever, what the others lose: at most rate x units x (one voucher interval and the grace).
/// The meter signs every INTERVAL; the provider works on for the grace without vouchers; the buyer stops a lease whose
/// provider has been silent for the grace. Losses are of work, or of money without work, in base units.
contract OutageTest is Harness {
    uint256 private constant INTERVAL = 10;
    uint256 private constant VANISHED = 1000; // seconds into the lease
    uint256 private bound; // of the loss

    Terms private terms;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        Bid memory bid = aBid();
        bid.maxRate = 700_000; // nano-USD: 8 units use whole base units a second
        terms = termsOf(bid);
        id = openAs(provider, terms, bid);
        bound = _cost(INTERVAL + terms.grace);
    }

    function _cost(uint256 seconds_) private view returns (uint256) {
        return costOf(terms, seconds_) / NANO;
    }

    function _netOf(uint256 amount) private view returns (uint256) {
        return amount - amount * terms.feeBps / 10_000;
    }

    function _sign(uint256 seconds_) private view returns (bytes memory) {
        return signVoucher(METER_KEY, id, costOf(terms, seconds_));
    }

    /// @dev The provider is gone with the last voucher in its hand, and a meter that is deceived, or its accomplice,
    /// goes on signing at the full rate. The buyer sees no heartbeat for the grace and stops; whatever was signed, it
    /// pays for
    /// one interval and the grace more than it got, and the rest is back at once, without anybody's help.
    function test_provider_vanishes() public {
        bytes memory far = signVoucher(METER_KEY, id, costOf(terms, 3600));
        warpTo(START + VANISHED + INTERVAL + terms.grace);
        vm.prank(buyer);
        escrow.requestClose(terms);
        uint256 back = escrow.escrowOf(terms) - _cost(VANISHED) - bound;
        vm.assertEq(balance(buyer), 10_000 * UNIT - escrow.escrowOf(terms) + back);
        warpTo(now_ + CLOSE_DELAY - 1);
        isFault(tryClaim(terms, costOf(terms, 3600), far), 0);
        warpTo(now_ + 1);
        vm.prank(stranger);
        escrow.finalizeClose(terms);
        uint256 paid = 10_000 * UNIT - balance(buyer);
        vm.assertEq(paid - _cost(VANISHED), bound, "what was paid for nothing");
        vm.assertEq(balance(provider) + balance(feeTo), paid);
    }

    /// @dev The same with an honest meter, which signs for heartbeats alone: nothing is paid for nothing, and a buyer
    /// that does nothing at all has the rest a delay after the end.
    function test_provider_vanishes_and_the_meter_is_honest() public {
        warpTo(START + VANISHED);
        isFault(tryClaim(terms, costOf(terms, VANISHED), _sign(VANISHED)), 0);
        warpTo(START + terms.seconds_ + CLOSE_DELAY);
        vm.prank(stranger);
        escrow.finalizeClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT - _cost(VANISHED));
    }

    /// @dev The buyer is gone, its other money too, and its own client was the meter: no vouchers any more. The
    /// provider works for the grace, stops, and is paid by the last voucher without anybody's help.
    function test_buyer_vanishes() public {
        uint256 rest = balance(buyer);
        vm.prank(buyer);
        escrow.withdraw(rest, buyer);
        bytes memory last = _sign(VANISHED - INTERVAL);
        warpTo(START + VANISHED + terms.grace); // it has worked so far, and stops
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, VANISHED - INTERVAL));
        item.voucherSignature = last;
        isFault(tryClose(provider, item), 0);
        uint256 worked = _cost(VANISHED + terms.grace);
        uint256 paid = _cost(VANISHED - INTERVAL);
        vm.assertEq(worked - paid, bound, "what was worked for nothing");
        vm.assertEq(balance(provider), _netOf(paid));
        vm.assertEq(balance(buyer), escrow.escrowOf(terms) - paid, "the rest is the buyer's when it comes back");
    }

    /// @dev The meter's key is lost: no voucher will ever be signed. The provider's loss is as above; the buyer's is
    /// nothing; both leave alone, and neither waits longer than the delay.
    function test_meter_dies() public {
        bytes memory last = _sign(VANISHED - INTERVAL);
        warpTo(START + VANISHED + terms.grace);
        vm.prank(buyer);
        escrow.requestClose(terms); // the provider has stopped
        vm.assertEq(
            balance(buyer), 10_000 * UNIT - _cost(VANISHED + terms.grace), "what can't be earned any more is back"
        );
        isFault(
            tryClaim(terms, costOf(terms, 3600), signVoucher(CLEARANCE_KEY, id, costOf(terms, 3600))),
            IComputeEscrow.VoucherNotSigned.selector
        );
        isFault(tryClaim(terms, costOf(terms, VANISHED - INTERVAL), last), 0);
        warpTo(now_ + CLOSE_DELAY);
        vm.prank(stranger);
        escrow.finalizeClose(terms);
        uint256 paid = _cost(VANISHED - INTERVAL);
        vm.assertEq(_cost(VANISHED + terms.grace) - paid, bound, "what was worked for nothing");
        vm.assertEq(balance(provider), _netOf(paid));
        vm.assertEq(balance(buyer), 10_000 * UNIT - paid, "and what it held for the provider, too");
    }

    /// @dev Everybody is gone, the exchange and its guardian with them, and opening is paused: a stranger sends all of
    /// it to whom it belongs.
    function test_all_vanish() public {
        warpTo(START + VANISHED);
        isFault(tryClaim(terms, costOf(terms, VANISHED), _sign(VANISHED)), 0);
        vm.prank(guardian);
        escrow.setPaused(true);
        vm.prank(guardian);
        escrow.revokeClearanceKey();
        warpTo(START + terms.seconds_ + CLOSE_DELAY);
        vm.prank(stranger);
        escrow.finalizeClose(terms);
        vm.assertEq(balance(provider), _netOf(_cost(VANISHED)));
        vm.assertEq(balance(buyer) + balance(provider) + balance(feeTo), 10_000 * UNIT);
        vm.assertEq(token.balanceOf(address(escrow)), 10_000 * UNIT);
    }

    /// @dev A thief with the clearance key, a provider and a buyer's live bid of its own making opens leases that
    /// policy never saw: between its own accounts, with its own money. The guardian ends it at once, and what is open
    /// is paid
    /// and left as ever.
    function test_thief_s_clearances_move_the_thief_s_money_alone() public {
        uint256 others = balance(buyer);
        fund(relayer, 100 * UNIT);
        Bid memory own = aBid();
        own.buyer = relayer;
        own.meter = stranger;
        Terms memory theirs = termsOf(own);
        theirs.provider = stranger;
        isFault(tryOpen(stranger, theirs, own), 0); // cleared by the stolen key
        warpTo(now_ + 60);
        uint256 cumulative = costOf(theirs, 60);
        bytes memory voucher = signVoucher(STRANGER_KEY, escrow.leaseId(theirs), cumulative);
        isFault(tryClaim(theirs, cumulative, voucher), 0);
        vm.assertEq(balance(buyer), others, "nobody else's");
        vm.prank(guardian);
        escrow.revokeClearanceKey();
        own.nonce = 1;
        theirs.bidNonce = 1;
        isFault(tryOpen(stranger, theirs, own), IComputeEscrow.NotCleared.selector);
        isFault(tryClaim(terms, costOf(terms, 60), _sign(60)), 0);
        vm.prank(buyer);
        escrow.requestClose(terms);
    }
}
