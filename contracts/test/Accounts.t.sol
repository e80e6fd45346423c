// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Messages} from "../src/Messages.sol";
import {Reentrant} from "./Actors.sol";
import {Harness} from "./Harness.sol";
import {BlockingToken, CallbackToken, FeeToken, LyingToken, SilentToken, TestToken, TollToken} from "./Tokens.sol";

/// @dev Money in and money out.
contract AccountsTest is Harness {
    struct Signature {
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    function _sign(uint256 key, bytes32 digest_) private pure returns (Signature memory out) {
        (out.v, out.r, out.s) = vm.sign(key, digest_);
    }

    // ------------------------------------------------------------------ in

    function test_deposit_credits_the_sender() public {
        uint256 before = balance(buyer);
        fund(buyer, 5 * UNIT);
        vm.assertEq(balance(buyer), before + 5 * UNIT);
        vm.assertEq(token.balanceOf(address(escrow)), before + 5 * UNIT);
    }

    function test_nothing_arrives_nothing_is_credited() public {
        vm.expectRevert(IComputeEscrow.AmountTooSmall.selector);
        vm.prank(buyer);
        escrow.deposit(0);
    }

    function _authorization(uint256 amount, bytes32 nonce) private view returns (Signature memory) {
        return _sign(BUYER_KEY, token.authorizationHash(buyer, address(escrow), amount, now_ - 1, now_ + 60, nonce));
    }

    function test_authorization_credits_its_signer_whoever_sends() public {
        token.mint(buyer, 7 * UNIT);
        uint256 before = balance(buyer);
        Signature memory s = _authorization(7 * UNIT, "a");
        vm.prank(stranger);
        escrow.depositWithAuthorization(buyer, 7 * UNIT, now_ - 1, now_ + 60, "a", s.v, s.r, s.s);
        vm.assertEq(balance(buyer), before + 7 * UNIT);
        vm.assertEq(balance(stranger), 0);
        vm.expectRevert();
        escrow.depositWithAuthorization(buyer, 7 * UNIT, now_ - 1, now_ + 60, "a", s.v, s.r, s.s);
    }

    /// @dev A stranger can neither change the amount or the owner nor spend it at the token, which would strand the
    /// money.
    function test_authorization_can_not_be_front_run() public {
        token.mint(buyer, 7 * UNIT);
        Signature memory s = _authorization(7 * UNIT, "a");
        vm.expectRevert();
        escrow.depositWithAuthorization(buyer, 6 * UNIT, now_ - 1, now_ + 60, "a", s.v, s.r, s.s);
        vm.expectRevert();
        escrow.depositWithAuthorization(stranger, 7 * UNIT, now_ - 1, now_ + 60, "a", s.v, s.r, s.s);
        vm.expectRevert();
        vm.prank(stranger);
        token.receiveWithAuthorization(buyer, address(escrow), 7 * UNIT, now_ - 1, now_ + 60, "a", s.v, s.r, s.s);
    }

    function _permit(uint256 amount, uint256 deadline) private view returns (Signature memory) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                buyer,
                address(escrow),
                amount,
                token.nonces(buyer),
                deadline
            )
        );
        return _sign(BUYER_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }

    function _signDeposit(uint256 nano, uint256 nonce, uint256 deadline) private view returns (bytes memory) {
        return signed(BUYER_KEY, keccak256(abi.encode(Messages.DEPOSIT, buyer, nano, nonce, deadline)));
    }

    function _depositWithPermit(uint256 nano, uint64 nonce, uint64 deadline, bytes memory signature, Signature memory s)
        private
        returns (bytes4)
    {
        vm.prank(stranger);
        try escrow.depositWithPermit(buyer, uint128(nano), nonce, deadline, signature, s.v, s.r, s.s) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function test_permit_with_a_signed_deposit() public {
        token.mint(buyer, 9 * UNIT);
        uint256 before = balance(buyer);
        uint64 deadline = uint64(now_ + 60);
        bytes memory signature = _signDeposit(9e9, 3, deadline);
        Signature memory s = _permit(9 * UNIT, deadline);
        isFault(_depositWithPermit(9e9, 3, deadline, signature, s), 0);
        vm.assertEq(balance(buyer), before + 9 * UNIT);
        isFault(_depositWithPermit(9e9, 3, deadline, signature, s), IComputeEscrow.NonceSpent.selector);
    }

    /// @dev The known fault: a permit alone lets anyone choose the amount.
    function test_permit_needs_the_amount_that_was_signed() public {
        token.mint(buyer, 9 * UNIT);
        uint64 deadline = uint64(now_ + 60);
        bytes memory signature = _signDeposit(9e9, 3, deadline);
        Signature memory s = _permit(9 * UNIT, deadline);
        isFault(_depositWithPermit(5e9, 3, deadline, signature, s), IComputeEscrow.BadSignature.selector);
        isFault(_depositWithPermit(9e9, 4, deadline, signature, s), IComputeEscrow.BadSignature.selector);
        isFault(_depositWithPermit(9e9, 3, deadline + 1, signature, s), IComputeEscrow.BadSignature.selector);
        isFault(_depositWithPermit(9e9, 3, deadline, "", s), IComputeEscrow.BadSignature.selector);
        warpTo(deadline + 1);
        isFault(_depositWithPermit(9e9, 3, deadline, signature, s), IComputeEscrow.Expired.selector);
    }

    /// @dev Who uses the permit first at the token only leaves the allowance.
    function test_permit_used_before_does_no_harm() public {
        token.mint(buyer, 9 * UNIT);
        uint256 before = balance(buyer);
        uint64 deadline = uint64(now_ + 60);
        bytes memory signature = _signDeposit(9e9, 3, deadline);
        Signature memory s = _permit(9 * UNIT, deadline);
        token.permit(buyer, address(escrow), 9 * UNIT, deadline, s.v, s.r, s.s);
        isFault(_depositWithPermit(9e9, 3, deadline, signature, s), 0);
        vm.assertEq(balance(buyer), before + 9 * UNIT);
    }

    // ------------------------------------------------------------------ out

    function test_withdraw_pays_out_to_whom_the_owner_names() public {
        vm.prank(buyer);
        escrow.withdraw(4 * UNIT, stranger);
        vm.assertEq(token.balanceOf(stranger), 4 * UNIT);
        vm.assertEq(balance(buyer), 9_996 * UNIT);
        vm.expectRevert(IComputeEscrow.InsufficientBalance.selector);
        vm.prank(buyer);
        escrow.withdraw(9_997 * UNIT, buyer);
    }

    function test_withdraw_to_nobody_is_refused() public {
        address[3] memory nobody = [address(0), address(token), address(escrow)];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(IComputeEscrow.NotAllowed.selector);
            vm.prank(buyer);
            escrow.withdraw(UNIT, nobody[i]);
        }
        vm.assertEq(balance(buyer), 10_000 * UNIT);
    }

    function test_withdraw_is_never_blocked() public {
        vm.prank(guardian);
        escrow.setPaused(true);
        vm.prank(guardian);
        escrow.revokeClearanceKey();
        vm.prank(buyer);
        escrow.withdraw(10_000 * UNIT, buyer);
        vm.assertEq(token.balanceOf(buyer), 10_000 * UNIT);
    }

    struct Leave {
        address owner;
        uint256 amount;
        uint256 nonce;
        uint256 deadline;
        uint256 maxRelayFee;
    }

    function _withdrawFor(Leave memory w, bytes memory signature, uint256 fee) private returns (bytes4) {
        vm.prank(relayer);
        try escrow.withdrawFor(
            w.owner, uint128(w.amount), uint64(w.nonce), uint64(w.deadline), uint128(w.maxRelayFee), signature, fee
        ) {
            return 0;
        } catch (bytes memory reason) {
            return bytes4(reason);
        }
    }

    function _signLeave(uint256 key, Leave memory w) private view returns (bytes memory) {
        return signed(key, keccak256(abi.encode(Messages.WITHDRAW, w)));
    }

    function test_leaving_needs_no_gas() public {
        Leave memory w = Leave(buyer, 10_000e9, 300, now_ + 60, 2e9);
        bytes memory signature = _signLeave(BUYER_KEY, w);
        isFault(_withdrawFor(w, signature, 2 * UNIT + 1), IComputeEscrow.RelayFeeTooHigh.selector);
        isFault(_withdrawFor(w, signature, 2 * UNIT), 0);
        vm.assertEq(token.balanceOf(buyer), 9_998 * UNIT);
        vm.assertEq(balance(buyer), 0);
        vm.assertEq(balance(relayer), 2 * UNIT);
        vm.assertEq(escrow.actionBits(buyer, 1), 1 << 44);
        isFault(_withdrawFor(w, signature, 0), IComputeEscrow.NonceSpent.selector);
    }

    function test_relay_fee_is_within_the_amount() public {
        Leave memory w = Leave(buyer, 1e9, 0, now_ + 60, 5e9);
        isFault(_withdrawFor(w, _signLeave(BUYER_KEY, w), UNIT + 1), IComputeEscrow.RelayFeeTooHigh.selector);
        isFault(_withdrawFor(w, _signLeave(BUYER_KEY, w), UNIT), 0);
        vm.assertEq(balance(relayer), UNIT);
    }

    function test_every_field_of_a_withdrawal_is_signed() public {
        Leave memory w = Leave(buyer, 10e9, 0, now_ + 60, 2e9);
        bytes memory signature = _signLeave(BUYER_KEY, w);
        for (uint256 i; i < 5; ++i) {
            bytes memory words = abi.encode(w);
            words[i * 32 + 31] ^= 0x01;
            isFault(
                _withdrawFor(abi.decode(words, (Leave)), signature, 0), IComputeEscrow.BadSignature.selector, "a field"
            );
        }
        isFault(_withdrawFor(w, _signLeave(STRANGER_KEY, w), 0), IComputeEscrow.BadSignature.selector);
        isFault(_withdrawFor(w, "", 0), IComputeEscrow.BadSignature.selector);
        warpTo(w.deadline + 1);
        isFault(_withdrawFor(w, signature, 0), IComputeEscrow.Expired.selector);
        warpTo(w.deadline);
        isFault(_withdrawFor(w, signature, 0), 0);
    }

    /// @dev Nothing recovers to zero: `ecrecover` does so for what no key signed.
    function test_zero_owner_signs_nothing() public {
        Leave memory w = Leave(address(0), 0, 0, now_ + 60, 0);
        isFault(_withdrawFor(w, new bytes(65), 0), IComputeEscrow.BadSignature.selector);
        bytes memory signature = _signLeave(BUYER_KEY, w);
        signature[64] = 0x1d; // v = 29
        isFault(_withdrawFor(w, signature, 0), IComputeEscrow.BadSignature.selector);
    }

    // ------------------------------------------------------------------ tokens

    function _refused(address token_, address feeTo_, address guardian_, address key, uint256 delay, bytes4 wanted)
        private
    {
        (, bytes4 fault) = deploy(token_, feeTo_, guardian_, key, delay);
        isFault(fault, wanted);
    }

    function test_decimals_from_6_to_18() public {
        address key = vm.addr(CLEARANCE_KEY);
        for (uint8 d; d < 25; ++d) {
            bytes4 wanted = d < 6 || d > 18 ? IComputeEscrow.UnsupportedToken.selector : bytes4(0);
            _refused(address(new TestToken(d)), feeTo, guardian, key, CLOSE_DELAY, wanted);
        }
        _refused(stranger, feeTo, guardian, key, CLOSE_DELAY, IComputeEscrow.UnsupportedToken.selector);
    }

    function test_constructor_refuses_what_would_break_it() public {
        address key = vm.addr(CLEARANCE_KEY);
        address money = address(token);
        bytes4 bad = IComputeEscrow.BadConstructor.selector;
        _refused(money, address(0), guardian, key, CLOSE_DELAY, bad);
        _refused(money, feeTo, address(0), key, CLOSE_DELAY, bad);
        _refused(money, feeTo, guardian, address(0), CLOSE_DELAY, bad);
        _refused(money, feeTo, guardian, key, 0, bad);
        _refused(money, feeTo, guardian, key, 30 days + 1, bad);
        _refused(money, feeTo, guardian, key, 30 days, 0);
    }

    function testFuzz_signed_money_is_nano_usd_at_any_scale(uint8 decimals, uint64 nano) public {
        decimals = uint8(within(decimals, 6, 18));
        useToken(new TestToken(decimals));
        fund(buyer, 20 * 10 ** uint256(decimals) * 1e9);
        uint256 units = decimals < 9 ? nano / 10 ** (9 - uint256(decimals)) : nano * 10 ** (uint256(decimals) - 9);
        Leave memory w = Leave(buyer, nano, 0, now_, 0);
        isFault(_withdrawFor(w, _signLeave(BUYER_KEY, w), 0), 0);
        vm.assertEq(token.balanceOf(buyer), units);
    }

    function test_token_that_returns_nothing() public {
        SilentToken silent = new SilentToken();
        useToken(TestToken(address(silent)));
        silent.mint(buyer, 10 * UNIT);
        vm.prank(buyer);
        silent.approve(address(escrow), 10 * UNIT);
        vm.prank(buyer);
        escrow.deposit(10 * UNIT);
        vm.prank(buyer);
        escrow.withdraw(10 * UNIT, buyer);
        vm.assertEq(silent.balanceOf(buyer), 10 * UNIT);
    }

    function test_token_that_says_false() public {
        useToken(new LyingToken());
        token.mint(buyer, UNIT);
        vm.prank(buyer);
        token.approve(address(escrow), UNIT);
        vm.expectRevert();
        vm.prank(buyer);
        escrow.deposit(UNIT);
    }

    /// @dev What arrives is what counts, so others' money never pays for the fee.
    function test_token_that_charges_the_receiver() public {
        useToken(new FeeToken());
        fund(buyer, 100 * UNIT);
        vm.assertEq(balance(buyer), 99 * UNIT);
        vm.assertEq(token.balanceOf(address(escrow)), 99 * UNIT);
        vm.prank(buyer);
        escrow.withdraw(99 * UNIT, buyer);
        vm.assertEq(token.balanceOf(address(escrow)), 0);
    }

    function test_token_that_charges_the_sender_on_top() public {
        useToken(new TollToken());
        token.mint(stranger, 101 * UNIT);
        vm.prank(stranger);
        token.approve(address(escrow), 100 * UNIT);
        vm.prank(stranger);
        escrow.deposit(100 * UNIT);
        token.mint(buyer, 101 * UNIT);
        vm.prank(buyer);
        token.approve(address(escrow), 100 * UNIT);
        vm.prank(buyer);
        escrow.deposit(100 * UNIT);
        vm.expectRevert(IComputeEscrow.UnsupportedToken.selector);
        vm.prank(buyer);
        escrow.withdraw(50 * UNIT, buyer);
        vm.assertEq(token.balanceOf(address(escrow)), 200 * UNIT);
    }

    /// @dev A blocked party blocks nobody else, and may name another address.
    function test_token_that_blocks_an_address() public {
        BlockingToken blocking = new BlockingToken();
        useToken(blocking);
        fund(buyer, 10 * UNIT);
        fund(provider, 10 * UNIT);
        blocking.setBlocked(buyer, true);
        vm.expectRevert();
        vm.prank(buyer);
        escrow.withdraw(10 * UNIT, buyer);
        vm.prank(provider);
        escrow.withdraw(10 * UNIT, provider);
        vm.prank(buyer);
        escrow.withdraw(10 * UNIT, stranger);
        vm.assertEq(token.balanceOf(stranger), 10 * UNIT);
    }

    function test_token_that_calls_back() public {
        useToken(new CallbackToken());
        fund(buyer, 100 * UNIT);
        Reentrant thief = new Reentrant(escrow);
        token.mint(address(thief), 10 * UNIT);
        thief.depositAll(token);
        thief.withdrawWith(5 * UNIT, abi.encodeCall(escrow.withdraw, (5 * UNIT, address(thief))));
        vm.assertTrue(thief.tried() && !thief.succeeded(), "a second withdrawal got in");
        vm.assertEq(balance(address(thief)), 5 * UNIT);
        // A deposit within a deposit would be credited twice.
        thief.depositWith(token, 2 * UNIT, abi.encodeCall(escrow.deposit, (UNIT)));
        vm.assertTrue(!thief.succeeded(), "a second deposit got in");
        vm.assertEq(balance(address(thief)), 7 * UNIT);
        vm.assertEq(token.balanceOf(address(escrow)), 107 * UNIT);
    }
}
