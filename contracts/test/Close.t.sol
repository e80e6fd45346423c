// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Payee, Terms} from "../src/Messages.sol";
import {Harness} from "./Harness.sol";
import {TestToken} from "./Tokens.sol";

/// @dev Vouchers, closing, and leaving without the other.
contract CloseTest is Harness {
    uint256 private constant CHAIN = 31_337; // forge's; via-IR may read block.chainid after it was changed
    uint256 private total; // of a thousand seconds, in base units

    function setUp() public override {
        super.setUp();
        total = uint256(RATE) * 8 * 1000 / NANO;
    }

    function _openFor1000() private returns (Terms memory terms, bytes32 id) {
        (terms, id) = openOne();
        warpTo(now_ + 1000);
    }

    function _claimed(bytes32 id) private view returns (uint256 claimed) {
        (,, claimed) = escrow.leaseOf(id);
    }

    // ------------------------------------------------------------------ close

    function test_close_pays_and_refunds() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 1000));
        uint256 fee = total / 100;
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Closed(id, total, fee, escrow.escrowOf(terms) - total);
        vm.prank(provider);
        escrow.close(item);
        vm.assertEq(balance(provider), total - fee);
        vm.assertEq(balance(feeTo), fee);
        vm.assertEq(balance(buyer), 10_000 * UNIT - total);
        vm.assertTrue(!isOpen(id));
        isFault(tryClose(provider, item), IComputeEscrow.NotOpen.selector);
        isFault(claim(terms, costOf(terms, 1000)), IComputeEscrow.NotOpen.selector);
    }

    function test_close_without_a_voucher_refunds_all() public {
        (Terms memory terms,) = _openFor1000();
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 1000));
        item.voucherSignature = "";
        isFault(tryClose(provider, item), 0);
        vm.assertEq(balance(buyer), 10_000 * UNIT);
    }

    /// @dev The fee is of the payout and rounded down; `minPaid` is what must be left for the provider, in nano-USD.
    function test_close_by_others_needs_the_provider_s_word() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        uint256 net = total - total / 100;
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 1000));
        isFault(tryClose(buyer, item), IComputeEscrow.CloseNotSigned.selector);
        item.closeSignature = signClose(STRANGER_KEY, id, 0);
        isFault(tryClose(buyer, item), IComputeEscrow.CloseNotSigned.selector);
        item.closeSignature = signClose(PROVIDER_KEY, keccak256("another lease"), 0);
        isFault(tryClose(buyer, item), IComputeEscrow.CloseNotSigned.selector);
        item.minPaid = uint128((net + 1) * NANO);
        item.closeSignature = signClose(PROVIDER_KEY, id, item.minPaid);
        isFault(tryClose(buyer, item), IComputeEscrow.BelowMinPaid.selector);
        item.minPaid -= uint128(NANO);
        isFault(tryClose(buyer, item), IComputeEscrow.CloseNotSigned.selector);
        item.closeSignature = signClose(PROVIDER_KEY, id, item.minPaid);
        // Its word is no word for an older voucher.
        IComputeEscrow.CloseItem memory older = closing(terms, costOf(terms, 999));
        (older.minPaid, older.closeSignature) = (item.minPaid, item.closeSignature);
        isFault(tryClose(buyer, older), IComputeEscrow.BelowMinPaid.selector);
        older.voucherSignature = "";
        isFault(tryClose(buyer, older), IComputeEscrow.BelowMinPaid.selector);
        isFault(tryClose(buyer, item), 0);
        vm.assertEq(balance(provider), net);
    }

    /// @dev As the provider's agent signs it for the very voucher: what the fee leaves, in whole nano-USD. A fee that
    /// is rounded in the token's finer unit leaves a part of one less than a fee that is rounded in nano-USD.
    function testFuzz_provider_s_word_holds_at_any_scale(uint8 decimals, uint256 seconds_, uint256 rate, uint256 bps)
        public
    {
        decimals = uint8(within(decimals, 6, 18));
        seconds_ = within(seconds_, 1, 3600);
        useToken(new TestToken(decimals));
        fund(buyer, 10_000 * 10 ** uint256(decimals));
        Bid memory bid = aBid();
        bid.maxRate = within(rate, 1, RATE);
        bid.maxFeeBps = within(bps, 0, 10_000);
        Terms memory terms = termsOf(bid);
        bytes32 id = openAs(provider, terms, bid);
        warpTo(now_ + seconds_);
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, seconds_));
        item.minPaid = uint128(uint256(item.cumulative) * (10_000 - terms.feeBps) / 10_000);
        item.closeSignature = signClose(PROVIDER_KEY, id, item.minPaid);
        isFault(tryClose(relayer, item), 0);
        vm.assertLe(uint256(item.minPaid) * 10 ** uint256(decimals) / 1e9, balance(provider));
    }

    function test_claims_count_for_the_least_that_is_paid() public {
        (Terms memory terms,) = _openFor1000();
        isFault(claim(terms, costOf(terms, 1000)), 0);
        IComputeEscrow.CloseItem memory item = closing(terms, 0);
        item.voucherSignature = "";
        item.minPaid = uint128((total - total / 100) * NANO);
        isFault(tryClose(provider, item), 0);
        vm.assertEq(balance(provider), total - total / 100);
    }

    // ------------------------------------------------------------------ vouchers

    function test_claim_by_anyone_never_lowers() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Claimed(id, total, total / 100);
        isFault(claim(terms, costOf(terms, 1000)), 0);
        uint256 paid = balance(provider);
        isFault(claim(terms, costOf(terms, 1000)), 0);
        isFault(claim(terms, costOf(terms, 400)), 0);
        vm.assertEq(balance(provider), paid);
        vm.assertEq(_claimed(id), total);
        // Nor does a stale voucher at the close.
        isFault(tryClose(provider, closing(terms, costOf(terms, 400))), 0);
        vm.assertEq(balance(provider), paid);
        vm.assertEq(balance(buyer), 10_000 * UNIT - total);
    }

    /// @dev The known fault: a voucher that adds nothing is still a voucher, and its signature is checked.
    function test_stale_voucher_does_not_skip_the_check() public {
        (Terms memory terms,) = _openFor1000();
        isFault(claim(terms, costOf(terms, 1000)), 0);
        isFault(tryClaim(terms, 1, new bytes(65)), IComputeEscrow.VoucherNotSigned.selector);
        IComputeEscrow.CloseItem memory item = closing(terms, 1);
        item.voucherSignature = new bytes(65);
        isFault(tryClose(provider, item), IComputeEscrow.VoucherNotSigned.selector);
    }

    function test_voucher_is_of_the_meter_alone() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        uint256[4] memory keys = [STRANGER_KEY, PROVIDER_KEY, BUYER_KEY, CLEARANCE_KEY];
        for (uint256 i; i < 4; ++i) {
            isFault(tryClaim(terms, 1e9, signVoucher(keys[i], id, 1e9)), IComputeEscrow.VoucherNotSigned.selector);
        }
        isFault(tryClaim(terms, 1e9 + 1, signVoucher(METER_KEY, id, 1e9)), IComputeEscrow.VoucherNotSigned.selector);
        isFault(tryClaim(terms, 1e9, ""), IComputeEscrow.VoucherNotSigned.selector);
    }

    function test_voucher_is_for_one_lease_one_chain_one_contract() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        warpTo(now_ - 1000);
        Bid memory bid = aBid();
        bid.nonce = 1;
        Terms memory second = termsOf(bid);
        openAs(provider, second, bid);
        warpTo(now_ + 1000);
        bytes memory voucher = signVoucher(METER_KEY, id, 1e9);
        isFault(tryClaim(second, 1e9, voucher), IComputeEscrow.VoucherNotSigned.selector);

        IComputeEscrow first = escrow;
        useToken(token);
        fund(buyer, 100 * UNIT);
        warpTo(now_ - 1000);
        openOne();
        warpTo(now_ + 1000);
        isFault(tryClaim(terms, 1e9, voucher), IComputeEscrow.VoucherNotSigned.selector);

        escrow = first;
        vm.chainId(CHAIN + 1);
        isFault(tryClaim(terms, 1e9, voucher), IComputeEscrow.NotOpen.selector);
        vm.chainId(CHAIN);
        isFault(tryClaim(terms, 1e9, voucher), 0);
    }

    /// @dev Never below what is left, and never locked in: the bound cuts it.
    function test_voucher_above_the_escrow() public {
        (Terms memory terms, bytes32 id) = openOne();
        isFault(claim(terms, type(uint128).max), 0);
        vm.assertEq(_claimed(id), 0);
        warpTo(now_ + 100_000);
        isFault(claim(terms, type(uint128).max), 0);
        vm.assertEq(_claimed(id), escrow.escrowOf(terms));
        isFault(tryClose(provider, closing(terms, type(uint128).max)), 0);
        vm.assertEq(balance(provider) + balance(feeTo) + balance(buyer), 10_000 * UNIT);
    }

    /// @dev The bound: min(voucher, escrow, rate x units x elapsed), at every scale, and conservation with it.
    function testFuzz_nothing_is_paid_above_the_bound(
        uint256 rate,
        uint256[6] calldata times,
        uint128 cumulative,
        uint8 decimals,
        uint16 feeBps
    ) public {
        decimals = uint8(within(decimals, 6, 18));
        useToken(new TestToken(decimals));
        uint256 supply = 10 ** uint256(decimals) * 1e15;
        fund(buyer, supply);
        Bid memory bid = aBid();
        bid.maxRate = within(rate, 1, 1e15);
        bid.maxFeeBps = within(feeBps, 0, 10_000);
        bid.maxTotal = type(uint128).max;
        (bid.latestStart, bid.validUntil) = (now_ + 4000, now_ + 4000);
        Terms memory terms = termsOf(bid);
        terms.seconds_ = within(times[0], 1, 3600);
        terms.start = within(times[1], now_ - terms.seconds_ + 1, now_ + 3600);
        bid.earliestStart = 0;
        bytes32 id = openAs(provider, terms, bid);
        uint256 opened = now_;

        warpTo(now_ + within(times[2], 0, 4000));
        uint256 stop = type(uint256).max;
        if (times[3] % 2 == 0) {
            stop = now_;
            vm.prank(buyer);
            escrow.requestClose(terms);
        }
        isFault(claim(terms, cumulative / 2), 0);
        warpTo(now_ + within(times[4], 0, 4000));
        isFault(tryClose(provider, closing(terms, cumulative)), 0);

        uint256 end = _min(now_, _min(stop, terms.start + terms.seconds_));
        uint256 begin = opened > terms.start ? opened : terms.start;
        uint256 bound = costOf(terms, end > begin ? end - begin : 0);
        uint256 paid = supply - balance(buyer);
        uint256 most = _min(bound, cumulative);
        most = decimals < 9 ? most / 10 ** (9 - uint256(decimals)) : most * 10 ** (uint256(decimals) - 9);
        vm.assertEq(paid, most, "min(voucher, rate x units x elapsed), floored once");
        vm.assertEq(balance(feeTo), most * bid.maxFeeBps / 10_000);
        vm.assertEq(balance(provider) + balance(feeTo) + balance(buyer), supply);
        vm.assertTrue(!isOpen(id));
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    // ------------------------------------------------------------------ the buyer leaves

    function test_request_refunds_at_once_what_can_not_be_earned() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        uint256 refund = escrow.escrowOf(terms) - total;
        vm.expectRevert(IComputeEscrow.NotAllowed.selector);
        vm.prank(provider);
        escrow.requestClose(terms);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.CloseRequested(id, now_, refund);
        vm.prank(buyer);
        escrow.requestClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT - total);
        vm.expectRevert(IComputeEscrow.AlreadyRequested.selector);
        vm.prank(buyer);
        escrow.requestClose(terms);
        // Time stands still for the meter.
        warpTo(now_ + 500);
        isFault(claim(terms, costOf(terms, 1500)), 0);
        vm.assertEq(_claimed(id), total);
    }

    /// @dev The known faults: a refund that drops the pending part, and a finished withdrawal that kills unclaimed
    /// vouchers.
    function test_provider_is_paid_within_the_delay() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        isFault(claim(terms, costOf(terms, 300)), 0);
        vm.prank(buyer);
        escrow.requestClose(terms);
        warpTo(now_ + CLOSE_DELAY - 1);
        vm.expectRevert(IComputeEscrow.DelayNotOver.selector);
        escrow.finalizeClose(terms);
        isFault(claim(terms, costOf(terms, 900)), 0);
        warpTo(now_ + 1);
        isFault(tryClose(provider, closing(terms, costOf(terms, 1000))), 0);
        vm.assertEq(balance(provider) + balance(feeTo), total);
        vm.assertEq(balance(buyer), 10_000 * UNIT - total);
        vm.assertTrue(!isOpen(id));
    }

    function test_buyer_leaves_without_the_provider() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        isFault(claim(terms, costOf(terms, 300)), 0);
        uint256 paid = _claimed(id);
        vm.prank(buyer);
        escrow.requestClose(terms);
        warpTo(now_ + CLOSE_DELAY);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.Closed(id, 0, 0, total - paid);
        vm.prank(stranger);
        escrow.finalizeClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT - paid);
        vm.expectRevert(IComputeEscrow.NotOpen.selector);
        escrow.finalizeClose(terms);
        isFault(claim(terms, costOf(terms, 1000)), IComputeEscrow.NotOpen.selector);
    }

    function test_lease_that_nobody_closes_is_settled_after_its_end() public {
        (Terms memory terms,) = openOne();
        warpTo(terms.start + terms.seconds_ + CLOSE_DELAY - 1);
        vm.expectRevert(IComputeEscrow.DelayNotOver.selector);
        escrow.finalizeClose(terms);
        isFault(claim(terms, costOf(terms, 1)), 0);
        warpTo(now_ + 1);
        escrow.finalizeClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT - uint256(RATE) * 8 / NANO);
    }

    /// @dev A request after the end starts no new delay.
    function test_request_after_the_end() public {
        (Terms memory terms,) = openOne();
        warpTo(terms.start + terms.seconds_ + CLOSE_DELAY);
        vm.prank(buyer);
        escrow.requestClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT - escrow.escrowOf(terms));
        escrow.finalizeClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT);
    }

    function test_request_before_the_start_refunds_all() public {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        terms.start = now_ + 500;
        openAs(provider, terms, bid);
        vm.prank(buyer);
        escrow.requestClose(terms);
        vm.assertEq(balance(buyer), 10_000 * UNIT);
        warpTo(now_ + 1000);
        isFault(claim(terms, costOf(terms, 1000)), 0);
        vm.assertEq(balance(provider), 0);
    }

    // ------------------------------------------------------------------ the provider leaves

    /// @dev With the meter dead, the buyer gone, opening paused and the clearance key revoked.
    function test_provider_leaves_without_the_others() public {
        (Terms memory terms,) = _openFor1000();
        bytes memory last = signVoucher(METER_KEY, escrow.leaseId(terms), costOf(terms, 900));
        vm.prank(guardian);
        escrow.setPaused(true);
        vm.prank(guardian);
        escrow.revokeClearanceKey();
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 900));
        item.voucherSignature = last;
        isFault(tryClose(provider, item), 0);
        uint256 paid = balance(provider);
        vm.prank(provider);
        escrow.withdraw(paid, provider);
        vm.assertEq(token.balanceOf(provider), total * 9 / 10 - total * 9 / 1000);
    }

    // ------------------------------------------------------------------ by signature

    function _requestFor(Terms memory terms, uint256 nonce, uint256 deadline, uint256 most, bytes memory s, uint256 fee)
        private
        returns (bytes4)
    {
        vm.prank(relayer);
        try escrow.requestCloseFor(terms, uint64(nonce), uint64(deadline), uint128(most), s, fee) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function test_request_by_signature_is_for_one_lease() public {
        (Terms memory terms, bytes32 id) = _openFor1000();
        warpTo(now_ - 1000);
        Bid memory bid = aBid();
        bid.nonce = 1;
        Terms memory second = termsOf(bid);
        openAs(provider, second, bid);
        warpTo(now_ + 1000);
        uint256 left = balance(buyer);
        vm.prank(buyer);
        escrow.withdraw(left, buyer); // the refund pays the fee
        bytes memory s = signRequest(BUYER_KEY, id, 5, now_, 1e9);
        bytes4 bad = IComputeEscrow.BadSignature.selector;
        isFault(_requestFor(second, 5, now_, 1e9, s, 0), bad);
        isFault(_requestFor(terms, 6, now_, 1e9, s, 0), bad);
        isFault(_requestFor(terms, 5, now_ + 1, 1e9, s, 0), bad);
        isFault(_requestFor(terms, 5, now_, 1e9 + 1, s, 0), bad);
        isFault(_requestFor(terms, 5, now_ - 1, 1e9, s, 0), IComputeEscrow.Expired.selector);
        isFault(
            _requestFor(terms, 5, now_, 1e9, signRequest(PROVIDER_KEY, id, 5, now_, 1e9), 0), bad, "another's request"
        );
        isFault(_requestFor(terms, 5, now_, 1e9, s, UNIT + 1), IComputeEscrow.RelayFeeTooHigh.selector);
        isFault(_requestFor(terms, 5, now_, 1e9, s, UNIT), 0);
        vm.assertEq(balance(relayer), UNIT);
        vm.assertEq(balance(buyer), escrow.escrowOf(terms) - total - UNIT);
        isFault(_requestFor(terms, 5, now_, 1e9, s, 0), IComputeEscrow.NonceSpent.selector);
        isFault(
            _requestFor(terms, 6, now_, 0, signRequest(BUYER_KEY, id, 6, now_, 0), 0),
            IComputeEscrow.AlreadyRequested.selector
        );
    }

    struct Cancel {
        address owner;
        uint256 word;
        uint256 mask;
        uint256 nonce;
        uint256 deadline;
        uint256 maxRelayFee;
    }

    function _cancelFor(Cancel memory c, bytes memory s, uint256 fee) private returns (bytes4) {
        vm.prank(relayer);
        try escrow.cancelBidsFor(
            c.owner, uint64(c.word), c.mask, uint64(c.nonce), uint64(c.deadline), uint128(c.maxRelayFee), s, fee
        ) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function test_cancel_by_signature() public {
        Cancel memory c = Cancel(buyer, 2, 0xf0, 9, now_, 1e9);
        bytes32 typeHash = keccak256(
            "CancelBids(address owner,uint64 word,uint256 mask,uint64 nonce,uint64 deadline,uint128 maxRelayFee)"
        );
        bytes memory s = signed(BUYER_KEY, keccak256(abi.encode(typeHash, c)));
        for (uint256 i; i < 6; ++i) {
            bytes memory words = abi.encode(c);
            words[i * 32 + 31] ^= 0x01;
            bytes4 fault = _cancelFor(abi.decode(words, (Cancel)), s, 0);
            vm.assertTrue(fault == IComputeEscrow.BadSignature.selector || fault == IComputeEscrow.Expired.selector);
        }
        isFault(_cancelFor(c, s, UNIT + 1), IComputeEscrow.RelayFeeTooHigh.selector);
        vm.expectEmit(address(escrow));
        emit IComputeEscrow.BidsCancelled(buyer, 2, 0xf0);
        isFault(_cancelFor(c, s, UNIT), 0);
        vm.assertEq(escrow.bidBits(buyer, 2), 0xf0);
        vm.assertEq(balance(relayer), UNIT);
        isFault(_cancelFor(c, s, 0), IComputeEscrow.NonceSpent.selector);
    }

    function test_no_relay_fee_where_none_is_allowed() public {
        Cancel memory c = Cancel(buyer, 2, 0xf0, 9, now_, 0);
        bytes32 typeHash = keccak256(
            "CancelBids(address owner,uint64 word,uint256 mask,uint64 nonce,uint64 deadline,uint128 maxRelayFee)"
        );
        bytes memory s = signed(BUYER_KEY, keccak256(abi.encode(typeHash, c)));
        isFault(_cancelFor(c, s, 1), IComputeEscrow.RelayFeeTooHigh.selector);
        isFault(_cancelFor(c, s, 0), 0);
        vm.assertEq(balance(relayer), 0);
    }

    // ------------------------------------------------------------------ payees

    function _hash(Payee[] memory payees) private pure returns (bytes32) {
        bytes memory words;
        for (uint256 i; i < payees.length; ++i) {
            words = abi.encodePacked(words, abi.encode(payees[i].to, uint256(payees[i].bps)));
        }
        return keccak256(words);
    }

    function _payees(uint256 count, uint256 seed) private pure returns (Payee[] memory payees) {
        payees = new Payee[](count);
        uint256 left = 10_000;
        for (uint256 i; i < count; ++i) {
            uint256 others = count - i - 1; // each has one at least
            uint256 share = others == 0 ? left : 1 + uint256(keccak256(abi.encode(seed, i))) % (left - others);
            payees[i] = Payee(address(uint160(0x1000 + i)), uint16(share));
            left -= share;
        }
    }

    function _openWith(bytes32 payeesHash) private returns (Terms memory terms) {
        Bid memory bid = aBid();
        terms = termsOf(bid);
        terms.payeesHash = payeesHash;
        openAs(provider, terms, bid);
    }

    /// @dev Up to eight, and the same to the unit in however many claims it comes.
    function testFuzz_payees_share_all(uint8 count, uint256 seed, uint16[4] calldata steps) public {
        Payee[] memory payees = _payees(within(count, 1, 8), seed);
        Terms memory terms = _openWith(_hash(payees));
        warpTo(now_ + 3600);
        uint256 id = vm.snapshotState();
        uint256 end = costOf(terms, 3600);

        IComputeEscrow.CloseItem memory item = closing(terms, end);
        item.payees = payees;
        isFault(tryClose(provider, item), 0);
        uint256[] memory atOnce = new uint256[](payees.length);
        uint256 sum;
        for (uint256 i; i < payees.length; ++i) {
            sum += atOnce[i] = balance(payees[i].to);
        }
        vm.assertEq(sum + balance(feeTo), escrow.escrowOf(terms));
        vm.assertEq(balance(provider), 0);

        vm.revertToState(id);
        for (uint256 i; i < steps.length; ++i) {
            uint256 cumulative = end * steps[i] / type(uint16).max;
            escrow.claim(terms, uint128(cumulative), signVoucher(METER_KEY, escrow.leaseId(terms), cumulative), payees);
        }
        isFault(tryClose(provider, item), 0);
        for (uint256 i; i + 1 < payees.length; ++i) {
            vm.assertEq(balance(payees[i].to), atOnce[i], "a share depends on the claims");
        }
        vm.assertEq(balance(payees[payees.length - 1].to), atOnce[payees.length - 1]);
    }

    /// @dev The floors of all may rise at once by more than the total: a claim of one unit more never takes from the
    /// last payee what it had, which it may have withdrawn.
    function test_no_payee_pays_back() public {
        Bid memory bid = aBid();
        bid.maxRate = NANO; // 8 base units a second
        bid.maxFeeBps = 0;
        Terms memory terms = termsOf(bid);
        Payee[] memory payees = new Payee[](8);
        for (uint256 i; i < 8; ++i) {
            payees[i] = Payee(address(uint160(0x1000 + i)), i < 7 ? 1249 : 1257);
        }
        terms.payeesHash = _hash(payees);
        openAs(provider, terms, bid);
        warpTo(now_ + 100);
        uint256[] memory had = new uint256[](8);
        for (uint256 total_ = 1; total_ <= 64; ++total_) {
            uint256 cumulative = total_ * NANO;
            escrow.claim(terms, uint128(cumulative), signVoucher(METER_KEY, escrow.leaseId(terms), cumulative), payees);
            uint256 sum;
            for (uint256 i; i < 8; ++i) {
                uint256 has = balance(payees[i].to);
                if (has != 0) {
                    vm.prank(payees[i].to);
                    escrow.withdraw(has, payees[i].to);
                }
                vm.assertEq(balance(payees[i].to), 0);
                sum += had[i] += has;
            }
            vm.assertEq(sum, total_, "all of it is paid, and no more");
        }
        vm.assertEq(token.balanceOf(address(escrow)), 10_000 * UNIT - 64);
    }

    function test_payees_are_those_of_the_terms() public {
        Payee[] memory payees = _payees(3, 7);
        Terms memory terms = _openWith(_hash(payees));
        warpTo(now_ + 100);
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 100));
        isFault(tryClose(provider, item), IComputeEscrow.WrongPayees.selector);
        item.payees = _payees(3, 8);
        isFault(tryClose(provider, item), IComputeEscrow.WrongPayees.selector);
        item.payees = payees;
        isFault(tryClose(provider, item), 0);
        warpTo(START);
        Bid memory bid = aBid();
        bid.nonce = 1;
        terms = termsOf(bid);
        openAs(provider, terms, bid);
        warpTo(now_ + 100);
        item = closing(terms, costOf(terms, 100));
        item.payees = payees;
        isFault(tryClose(provider, item), IComputeEscrow.WrongPayees.selector, "the terms name none");
    }

    /// @dev A provider that names payees that can't be paid harms itself alone: the buyer still leaves.
    function test_payees_that_can_not_be_paid() public {
        Payee[][5] memory bad;
        bad[0] = _payees(9, 1);
        bad[1] = _payees(2, 1);
        bad[1][1].bps += 1;
        bad[2] = _payees(2, 1);
        bad[2][0].to = address(0);
        bad[3] = new Payee[](0);
        bad[4] = _payees(2, 1);
        (bad[4][0].bps, bad[4][1].bps) = (10_000, 0);
        uint256 left = balance(buyer);
        for (uint256 i; i < 5; ++i) {
            Bid memory bid = aBid();
            bid.nonce = i;
            Terms memory terms = termsOf(bid);
            terms.payeesHash = _hash(bad[i]);
            openAs(provider, terms, bid);
            warpTo(now_ + 100);
            IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 100));
            item.payees = bad[i];
            isFault(tryClose(provider, item), IComputeEscrow.WrongPayees.selector);
            vm.prank(buyer);
            escrow.requestClose(terms);
            warpTo(now_ + CLOSE_DELAY);
            escrow.finalizeClose(terms);
        }
        vm.assertEq(balance(buyer), left);
    }
}
