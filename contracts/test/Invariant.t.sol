// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Payee, Terms} from "../src/Messages.sol";
import {Harness} from "./Harness.sol";

/// @dev Does anything in any order, and keeps books of its own beside the contract's.
contract World is Harness {
    struct Lease {
        Terms terms;
        bytes32 id;
        uint256 opened;
        uint256 stop;
        uint256 claimed;
        bool over;
    }

    uint256 private constant PARTIES = 4;
    Lease[] internal leases;
    uint256 private nextNonce;
    uint256 public paidIn;
    uint256 public paidOut;

    constructor() {
        setUp();
        for (uint256 i; i < PARTIES; ++i) {
            _fund(i, 1000 * UNIT);
        }
        paidIn += 10_000 * UNIT; // what setUp gave
    }

    /// @dev Everybody buys and provides; one of them is credited the fees too.
    function _key(uint256 i) private pure returns (uint256) {
        return [BUYER_KEY, PROVIDER_KEY, RELAYER_KEY, STRANGER_KEY][i % PARTIES];
    }

    function party(uint256 i) public pure returns (address) {
        return vm.addr(_key(i));
    }

    function _fund(uint256 i, uint256 amount) private {
        fund(party(i), amount);
        paidIn += amount;
    }

    /// @dev Two bids of three share the pay among one to four parties, by any shares.
    function _payeesOf(uint256 nonce) private pure returns (Payee[] memory payees) {
        payees = new Payee[](nonce % 3 == 0 ? 0 : 1 + nonce % PARTIES);
        uint256 left = 10_000;
        for (uint256 i; i < payees.length; ++i) {
            uint256 others = payees.length - i - 1;
            uint256 share = others == 0 ? left : 1 + uint256(keccak256(abi.encode(nonce, i))) % (left - others);
            payees[i] = Payee(party(nonce + i), uint16(share));
            left -= share;
        }
    }

    function _hashOf(Payee[] memory payees) private pure returns (bytes32) {
        bytes memory words;
        for (uint256 i; i < payees.length; ++i) {
            words = abi.encodePacked(words, abi.encode(payees[i].to, uint256(payees[i].bps)));
        }
        return payees.length == 0 ? bytes32(0) : keccak256(words);
    }

    function _payeesOf(Terms memory terms) private pure returns (Payee[] memory) {
        return terms.payeesHash == 0 ? new Payee[](0) : _payeesOf(terms.bidNonce);
    }

    // ------------------------------------------------------------------ books

    function _units(uint256 nano) private pure returns (uint256) {
        return nano / NANO;
    }

    function _bound(Lease storage lease) private view returns (uint256) {
        Terms storage terms = lease.terms;
        uint256 to = terms.start + terms.seconds_;
        if (now_ < to) to = now_;
        if (lease.stop != 0 && lease.stop < to) to = lease.stop;
        uint256 from = lease.opened > terms.start ? lease.opened : terms.start;
        return to > from ? costOf(terms, to - from) : 0;
    }

    /// @dev What the contract must hold for a lease now.
    function _held(Lease storage lease) private view returns (uint256) {
        if (lease.over) return 0;
        uint256 locked = lease.stop == 0 ? costOf(lease.terms, lease.terms.seconds_) : _bound(lease);
        return _units(locked) - lease.claimed;
    }

    /// @dev Conservation, to the unit: nothing comes in but by deposits, nothing goes out but by withdrawals.
    function check() external view {
        uint256 owed = balance(feeTo);
        for (uint256 i; i < PARTIES; ++i) {
            owed += balance(party(i));
        }
        for (uint256 i; i < leases.length; ++i) {
            Lease storage lease = leases[i];
            owed += _held(lease);
            (uint256 opened, uint256 stop, uint256 claimed) = escrow.leaseOf(lease.id);
            vm.assertEq(opened, lease.over ? 0 : lease.opened);
            vm.assertEq(stop, lease.over ? 0 : lease.stop);
            vm.assertEq(claimed, lease.over ? 0 : lease.claimed);
            vm.assertLe(lease.claimed, _units(_bound(lease)), "paid above the bound");
        }
        for (uint256 i; i < PARTIES; ++i) {
            vm.assertLe(balance(party(i)), paidIn - paidOut, "nobody has more than there is");
        }
        vm.assertEq(token.balanceOf(address(escrow)), owed, "token balance = balances + escrow");
        vm.assertEq(paidIn - paidOut, owed, "deposits - withdrawals = balances + escrow");
    }

    // ------------------------------------------------------------------ what may happen

    function pass(uint256 seconds_) external {
        warpTo(now_ + within(seconds_, 0, 2000));
    }

    function passLong(uint256 seconds_) external {
        warpTo(now_ + within(seconds_, 0, CLOSE_DELAY));
    }

    function deposit(uint256 who, uint256 amount) external {
        _fund(who, within(amount, 1, 1000 * UNIT));
    }

    function withdraw(uint256 who, uint256 amount) external {
        amount = within(amount, 0, balance(party(who)));
        vm.prank(party(who));
        escrow.withdraw(amount, party(who));
        paidOut += amount;
    }

    function cancel(uint256 who, uint256 bit) external {
        vm.prank(party(who));
        escrow.cancelBids(uint64(nextNonce >> 8), 1 << within(bit, nextNonce & 255, 255));
    }

    /// @dev With a reason to fail in one case of three; a lease may open only if there was none.
    function open(uint256[6] calldata x) external {
        Bid memory bid = aBid();
        bid.buyer = party(x[0]);
        bid.nonce = nextNonce++;
        bid.maxRate = within(x[2], 1, x[2] % 2 == 0 ? 1e7 : 1e3); // of small sums rounding leaves much
        Terms memory terms = termsOf(bid);
        terms.provider = party(x[1]);
        terms.seconds_ = within(x[3], 1, 3600);
        terms.start = within(x[4], now_ - terms.seconds_ / 2, now_ + 600);
        terms.payeesHash = _hashOf(_payeesOf(bid.nonce));
        bid.earliestStart = 0;
        uint256 fault = x[5] % 12;
        IComputeEscrow.OpenItem memory item;
        item.terms = terms;
        item.bid = bid;
        item.bidSignature = signBid(fault == 0 ? METER_KEY : _key(x[0]), bid);
        item.termsSignature = signTerms(fault == 1 ? METER_KEY : _key(x[1]), terms);
        if (fault == 3) item.terms.rate += 1;
        bytes32 id = escrow.leaseId(terms);
        bytes4 found = tryOpen(guardian, item, clearBy(fault == 2 ? METER_KEY : CLEARANCE_KEY, id));
        vm.assertTrue(found != 0 || fault > 3, "opened without a bid, a consent or a clearance, or outside the bid");
        if (found == 0) leases.push(Lease(terms, id, now_, 0, 0, false));
    }

    /// @dev Two legs of one bid by two providers: both or none.
    function openGroup(uint256[4] calldata x) external {
        Bid memory bid = aBid();
        bid.buyer = party(x[0]);
        bid.nonce = nextNonce;
        bid.nodes = 2;
        bid.maxRate = within(x[2], 1, 1e8);
        nextNonce += 2;
        IComputeEscrow.OpenItem[] memory items = new IComputeEscrow.OpenItem[](2);
        for (uint256 i; i < 2; ++i) {
            Terms memory terms = termsOf(bid);
            terms.provider = party(x[1] % PARTIES + i);
            (terms.firstNode, terms.nodeCount) = (i, 1);
            terms.group = keccak256(abi.encode(bid.nonce));
            items[i].terms = terms;
            items[i].bid = bid;
            items[i].bidSignature = signBid(_key(x[0]), bid);
            items[i].termsSignature = signTerms(x[3] % 6 == i ? METER_KEY : _key(x[1] % PARTIES + i), terms);
        }
        bytes4[] memory faults = openMany(items);
        bytes32[] memory ids = idsOf(items);
        vm.assertTrue(isOpen(ids[0]) == isOpen(ids[1]) && isOpen(ids[0]) == (faults[0] == 0), "half a group");
        if (faults[0] != 0) return;
        for (uint256 i; i < 2; ++i) {
            leases.push(Lease(items[i].terms, ids[i], now_, 0, 0, false));
        }
    }

    function _pick(uint256 which) private view returns (Lease storage) {
        return leases[which % leases.length];
    }

    function _voucher(Lease storage lease, uint256 x) private view returns (uint256) {
        return within(x, 0, costOf(lease.terms, lease.terms.seconds_) * 2);
    }

    function _payable(Lease storage lease, uint256 cumulative) private view returns (uint256) {
        uint256 bound = _bound(lease);
        uint256 total = _units(cumulative < bound ? cumulative : bound);
        return total > lease.claimed ? total : lease.claimed;
    }

    function claim(uint256 which, uint256 x) external {
        if (leases.length == 0) return;
        Lease storage lease = _pick(which);
        uint256 cumulative = _voucher(lease, x);
        bytes memory voucher = signVoucher(METER_KEY, lease.id, cumulative);
        bytes4 found;
        try escrow.claim(lease.terms, uint128(cumulative), voucher, _payeesOf(lease.terms)) {}
        catch (bytes memory reason) {
            found = bytes4(reason);
        }
        isFault(found, lease.over ? IComputeEscrow.NotOpen.selector : bytes4(0));
        if (found == 0) lease.claimed = _payable(lease, cumulative);
    }

    function close(uint256 which, uint256 x) external {
        if (leases.length == 0) return;
        Lease storage lease = _pick(which);
        uint256 cumulative = _voucher(lease, x);
        uint256 before = balance(lease.terms.provider) + balance(lease.terms.buyer);
        IComputeEscrow.CloseItem memory item = closing(lease.terms, cumulative);
        item.payees = _payeesOf(lease.terms);
        bytes4 found = tryClose(lease.terms.provider, item);
        isFault(found, lease.over ? IComputeEscrow.NotOpen.selector : bytes4(0));
        if (found != 0) return;
        uint256 total = _payable(lease, cumulative);
        uint256 fee = total / 100 - lease.claimed / 100;
        if (lease.terms.provider != lease.terms.buyer && lease.terms.payeesHash == 0) {
            uint256 got = balance(lease.terms.provider) + balance(lease.terms.buyer) - before;
            vm.assertEq(got, _held(lease) - fee, "all that was held goes to the two and the fee");
        }
        (lease.claimed, lease.over) = (total, true);
    }

    function requestClose(uint256 which) external {
        if (leases.length == 0) return;
        Lease storage lease = _pick(which);
        if (lease.over || lease.stop != 0) return;
        vm.prank(lease.terms.buyer);
        escrow.requestClose(lease.terms);
        lease.stop = now_;
    }

    function finalize(uint256 which) external {
        if (leases.length == 0) return;
        Lease storage lease = _pick(which);
        uint256 end = lease.terms.start + lease.terms.seconds_;
        if (lease.stop != 0 && lease.stop < end) end = lease.stop;
        bytes4 wanted = lease.over
            ? IComputeEscrow.NotOpen.selector
            : now_ < end + CLOSE_DELAY ? IComputeEscrow.DelayNotOver.selector : bytes4(0);
        try escrow.finalizeClose(lease.terms) {
            isFault(wanted, 0);
            lease.over = true;
        } catch (bytes memory reason) {
            isFault(bytes4(reason), wanted);
        }
    }

    /// @dev Every buyer leaves without its providers, in the worst of circumstances; then everybody takes the money
    /// out.
    function everybodyLeaves() external {
        vm.prank(guardian);
        escrow.setPaused(true);
        vm.prank(guardian);
        escrow.revokeClearanceKey();
        for (uint256 i; i < leases.length; ++i) {
            Lease storage lease = leases[i];
            if (lease.over || lease.stop != 0) continue;
            vm.prank(lease.terms.buyer);
            escrow.requestClose(lease.terms);
            lease.stop = now_;
        }
        warpTo(now_ + CLOSE_DELAY);
        for (uint256 i; i < leases.length; ++i) {
            if (leases[i].over) continue;
            escrow.finalizeClose(leases[i].terms);
            leases[i].over = true;
        }
        for (uint256 i; i <= PARTIES; ++i) {
            address who = i == PARTIES ? feeTo : party(i);
            uint256 amount = balance(who);
            vm.prank(who);
            escrow.withdraw(amount, who);
            paidOut += amount;
        }
        vm.assertEq(token.balanceOf(address(escrow)), 0, "everything went out");
    }
}

contract InvariantTest is Harness {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    World private world;

    function setUp() public override {
        world = new World();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[11] memory all = [
            World.pass.selector,
            World.passLong.selector,
            World.deposit.selector,
            World.withdraw.selector,
            World.cancel.selector,
            World.open.selector,
            World.openGroup.selector,
            bytes4(keccak256("claim(uint256,uint256)")),
            World.close.selector,
            World.requestClose.selector,
            World.finalize.selector
        ];
        targets = new FuzzSelector[](1);
        // Opening, claiming and closing thrice as often as the rest.
        bytes4[] memory selectors = new bytes4[](all.length + 8);
        for (uint256 i; i < all.length; ++i) {
            selectors[i] = all[i];
        }
        for (uint256 i; i < 8; ++i) {
            selectors[all.length + i] = all[5 + i % 4];
        }
        targets[0] = FuzzSelector(address(world), selectors);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    function invariant_value_is_conserved() public view {
        world.check();
    }

    /// @dev Runs once, when a sequence is over.
    function afterInvariant() public {
        world.everybodyLeaves();
    }
}
