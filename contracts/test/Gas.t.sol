// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {Bid, Terms} from "../src/Messages.sol";
import {Harness} from "./Harness.sol";

/// @dev Whole transactions (forge's isolation: 21,000 and the calldata are in), real signatures, steady state: balances
/// and fee account are not zero, the nonce word has been used. The limits are those of the design; the snapshot holds
/// the figures.
contract GasTest is Harness {
    uint256 private constant MANY = 20;

    function _key(uint256 base, uint256 i) private pure returns (uint256) {
        return base * 1000 + i;
    }

    /// @dev Everybody has been here before.
    function _warmUp(uint256 buyers, uint256 providers) private {
        for (uint256 i; i < buyers; ++i) {
            fund(vm.addr(_key(BUYER_KEY, i)), 1000 * UNIT);
            vm.prank(vm.addr(_key(BUYER_KEY, i)));
            escrow.cancelBids(0, 1 << 255);
        }
        for (uint256 i; i < providers; ++i) {
            fund(vm.addr(_key(PROVIDER_KEY, i)), UNIT);
        }
        fund(feeTo, UNIT);
    }

    function _used() private view returns (uint256) {
        return vm.lastCallGas().gasTotalUsed;
    }

    function _one(uint256 nonce) private returns (uint256 openGas, uint256 closeGas) {
        Bid memory bid = aBid();
        bid.nonce = nonce;
        Terms memory terms = termsOf(bid);
        bytes32 id = openAs(provider, terms, bid);
        openGas = _used();
        warpTo(now_ + 1000);
        IComputeEscrow.CloseItem memory item = closing(terms, costOf(terms, 1000));
        vm.prank(provider);
        escrow.close(item);
        closeGas = _used();
        vm.assertTrue(!isOpen(id));
    }

    function test_one_by_one() public {
        fund(provider, UNIT);
        fund(feeTo, UNIT);
        (uint256 firstOpen,) = _one(0);
        (uint256 openGas, uint256 closeGas) = _one(1);
        vm.snapshotValue("Gas", "one: open", openGas);
        vm.snapshotValue("Gas", "one: close", closeGas);
        vm.snapshotValue("Gas", "one: open + close", openGas + closeGas);
        vm.snapshotValue("Gas", "one: a nonce word's first use, on top", firstOpen - openGas);
        vm.assertLe(openGas + closeGas, 130_000, "one by one");
    }

    function _many(uint256 buyers, uint256 providers, bool relayed) private returns (uint256) {
        _warmUp(buyers, providers);
        IComputeEscrow.OpenItem[] memory items = new IComputeEscrow.OpenItem[](MANY);
        bytes32[] memory ids = new bytes32[](MANY);
        for (uint256 i; i < MANY; ++i) {
            IComputeEscrow.OpenItem memory item = items[i];
            item.bid = aBid();
            item.bid.buyer = vm.addr(_key(BUYER_KEY, i % buyers));
            item.bid.nonce = i;
            item.terms = termsOf(item.bid);
            item.terms.provider = vm.addr(_key(PROVIDER_KEY, i % providers));
            item.bidSignature = signBid(_key(BUYER_KEY, i % buyers), item.bid);
            if (relayed) item.termsSignature = signTerms(_key(PROVIDER_KEY, i % providers), item.terms);
            ids[i] = escrow.leaseId(item.terms);
        }
        IComputeEscrow.BatchClearance memory batch = clearAll(ids);
        address sender = relayed ? relayer : vm.addr(_key(PROVIDER_KEY, 0));
        vm.prank(sender);
        escrow.openMany(items, noClearances(), batch);
        uint256 total = _used();

        warpTo(now_ + 1000);
        IComputeEscrow.CloseItem[] memory closes = new IComputeEscrow.CloseItem[](MANY);
        for (uint256 i; i < MANY; ++i) {
            vm.assertTrue(isOpen(ids[i]), "an item was skipped");
            closes[i] = closing(items[i].terms, costOf(items[i].terms, 1000));
            if (relayed) closes[i].closeSignature = signClose(_key(PROVIDER_KEY, i % providers), ids[i], 0);
        }
        vm.prank(sender);
        escrow.closeMany(closes);
        total += _used();
        for (uint256 i; i < MANY; ++i) {
            vm.assertTrue(!isOpen(ids[i]));
        }
        return total / MANY;
    }

    function test_in_20s_one_buyer() public {
        uint256 used = _many(1, 1, false);
        vm.snapshotValue("Gas", "in 20s, one buyer: open + close", used);
        vm.assertLe(used, 60_000, "in 20s, one buyer");
    }

    function test_in_20s_20_buyers() public {
        uint256 used = _many(MANY, 1, false);
        vm.snapshotValue("Gas", "in 20s, 20 buyers: open + close", used);
        vm.assertLe(used, 75_000, "in 20s, 20 buyers");
    }

    function test_in_20s_20_buyers_20_providers_relayed() public {
        uint256 used = _many(MANY, MANY, true);
        vm.snapshotValue("Gas", "in 20s, 20 buyers and 20 providers, relayed: open + close", used);
        vm.assertLe(used, 90_000, "in 20s, relayed");
    }
}
