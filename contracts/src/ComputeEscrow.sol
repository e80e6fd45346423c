// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "./Accounts.sol";
import {Clearing} from "./Clearing.sol";
import {IComputeEscrow} from "./IComputeEscrow.sol";
import {Bid, Clearance, Messages, Payee, Terms} from "./Messages.sol";
import {Signatures} from "./Signatures.sol";

/// @title Escrow for rented compute.
/// @notice Holds buyers' stablecoin; opens a lease only with the buyer's bid, the provider's consent and the exchange's
/// clearance; pays a provider by vouchers of the lease's meter, never above rate x units x elapsed time; and lets
/// either side leave without the other. Nobody owns it and nothing in it can be changed. docs/CONTRACT.md draws the
/// states and says what this can't do.
contract ComputeEscrow is Clearing {
    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_PAYEES = 8;
    /// @inheritdoc IComputeEscrow
    uint256 public constant MAX_NODES = 1024;
    /// @inheritdoc IComputeEscrow
    uint256 public constant OPEN_AHEAD = 1 hours;

    /// @inheritdoc IComputeEscrow
    address public immutable feeTo;
    /// @inheritdoc IComputeEscrow
    uint256 public immutable closeDelay;

    /// @inheritdoc IComputeEscrow
    mapping(address owner => mapping(uint256 word => uint256)) public bidBits;
    // Seconds of opening (40 bits), seconds of the buyer's stop (40 bits, 0 before), 48 bits of nothing, base units
    // paid out so far with their fee (128 bits). Zero: not open.
    mapping(bytes32 lease => uint256) private _leases;

    /// @param token_ An ERC-20 of 6 to 18 decimals, worth a dollar.
    /// @param feeTo_ Who is credited the fees.
    /// @param guardian_ Who may pause opening and revoke the clearance key.
    /// @param clearanceKey_ The exchange's key of clearances.
    /// @param closeDelay_ In seconds, at most 30 days.
    constructor(address token_, address feeTo_, address guardian_, address clearanceKey_, uint256 closeDelay_)
        Accounts(token_)
        Clearing(guardian_, clearanceKey_)
    {
        if (feeTo_ == address(0) || closeDelay_ == 0 || closeDelay_ > 30 days) revert BadConstructor();
        feeTo = feeTo_;
        closeDelay = closeDelay_;
    }

    // ------------------------------------------------------------------ opening

    /// @inheritdoc IComputeEscrow
    function open(
        Terms calldata terms,
        Bid calldata bid,
        bytes calldata termsSignature,
        bytes calldata bidSignature,
        Clearance calldata clearance,
        bytes calldata clearanceSignature
    ) external {
        if (terms.group != 0) revert GroupNeedsBatch();
        address key = _openingKey();
        bytes32 id = leaseId(terms);
        bytes4 fault = _clearanceFault(key, id, clearance, clearanceSignature);
        uint256 escrow;
        if (fault == 0) (fault, escrow) = _open(key, id, terms, bid, termsSignature, bidSignature);
        if (fault != 0) _revert(fault);
        emit Opened(id, escrow);
    }

    /// @inheritdoc IComputeEscrow
    function openMany(OpenItem[] calldata items, SignedClearance[] calldata clearances, BatchClearance calldata batch)
        external
        returns (bytes4[] memory faults)
    {
        address key = _openingKey();
        uint256 count = items.length;
        bytes32[] memory ids = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            ids[i] = leaseId(items[i].terms);
        }
        if (clearances.length == 0) _requireBatchClearance(key, ids, batch);
        else if (clearances.length != count) revert NotCleared();

        faults = new bytes4[](count);
        for (uint256 i; i < count;) {
            OpenItem calldata item = items[i];
            if (item.terms.group != 0) {
                i = _openGroup(key, ids, items, clearances, i, faults);
                continue;
            }
            bytes32 id = ids[i];
            (bytes4 fault, uint256 escrow) = _openItem(key, id, item, clearances, i);
            if (fault == 0) {
                emit Opened(id, escrow);
            } else {
                faults[i] = fault;
                emit Skipped(id, fault);
            }
            ++i;
        }
    }

    // ------------------------------------------------------------------ paying and closing

    /// @inheritdoc IComputeEscrow
    function claim(Terms calldata terms, uint128 cumulative, bytes calldata signature, Payee[] calldata payees)
        external
    {
        bytes32 id = leaseId(terms);
        (uint256 opened, uint256 stop, uint256 claimed) = _load(id);
        if (opened == 0) revert NotOpen();
        if (!_isVoucher(terms, id, cumulative, signature)) revert VoucherNotSigned();
        uint256 total = _payable(terms, opened, stop, claimed, cumulative);
        if (total == claimed) return;
        if (!_arePayees(terms, payees)) revert WrongPayees();
        _leases[id] = opened | stop << 40 | total << 128;
        uint256 fee = _pay(terms, claimed, total, payees);
        emit Claimed(id, total - claimed, fee);
    }

    /// @inheritdoc IComputeEscrow
    function close(CloseItem calldata item) external {
        bytes4 fault = _close(leaseId(item.terms), item);
        if (fault != 0) _revert(fault);
    }

    /// @inheritdoc IComputeEscrow
    function closeMany(CloseItem[] calldata items) external returns (bytes4[] memory faults) {
        uint256 count = items.length;
        faults = new bytes4[](count);
        for (uint256 i; i < count; ++i) {
            CloseItem calldata item = items[i];
            bytes32 id = leaseId(item.terms);
            bytes4 fault = _close(id, item);
            if (fault == 0) continue;
            faults[i] = fault;
            emit Skipped(id, fault);
        }
    }

    /// @inheritdoc IComputeEscrow
    function requestClose(Terms calldata terms) external {
        if (msg.sender != terms.buyer) revert NotAllowed();
        _requestClose(leaseId(terms), terms);
    }

    /// @inheritdoc IComputeEscrow
    function requestCloseFor(
        Terms calldata terms,
        uint64 nonce,
        uint64 deadline,
        uint128 maxRelayFee,
        bytes calldata signature,
        uint256 relayFee
    ) external {
        bytes32 id = leaseId(terms);
        bytes32 structHash = keccak256(abi.encode(Messages.REQUEST_CLOSE, id, nonce, deadline, maxRelayFee));
        _authorize(terms.buyer, structHash, nonce, deadline, signature);
        _requestClose(id, terms);
        _payRelay(terms.buyer, relayFee, maxRelayFee);
    }

    /// @inheritdoc IComputeEscrow
    function finalizeClose(Terms calldata terms) external {
        bytes32 id = leaseId(terms);
        (uint256 opened, uint256 stop, uint256 claimed) = _load(id);
        if (opened == 0) revert NotOpen();
        uint256 last = terms.start + terms.seconds_;
        if (stop != 0 && stop < last) last = stop;
        if (block.timestamp < last + closeDelay) revert DelayNotOver();
        uint256 refund = _locked(terms, opened, stop, claimed) - claimed;
        _leases[id] = 0;
        balanceOf[terms.buyer] += refund;
        emit Closed(id, 0, 0, refund);
    }

    // ------------------------------------------------------------------ cancelling

    /// @inheritdoc IComputeEscrow
    function cancelBids(uint64 word, uint256 mask) external {
        _cancelBids(msg.sender, word, mask);
    }

    /// @inheritdoc IComputeEscrow
    function cancelBidsFor(
        address owner,
        uint64 word,
        uint256 mask,
        uint64 nonce,
        uint64 deadline,
        uint128 maxRelayFee,
        bytes calldata signature,
        uint256 relayFee
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(Messages.CANCEL_BIDS, owner, word, mask, nonce, deadline, maxRelayFee)
        );
        _authorize(owner, structHash, nonce, deadline, signature);
        _cancelBids(owner, word, mask);
        _payRelay(owner, relayFee, maxRelayFee);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IComputeEscrow
    function leaseId(Terms calldata terms) public view returns (bytes32) {
        return _hashTypedData(Messages.hash(terms));
    }

    /// @inheritdoc IComputeEscrow
    function leaseOf(bytes32 id) external view returns (uint256 opened, uint256 stop, uint256 claimed) {
        return _load(id);
    }

    /// @inheritdoc IComputeEscrow
    function escrowOf(Terms calldata terms) public view returns (uint256) {
        return _toUnits(_cost(terms, terms.seconds_));
    }

    // ------------------------------------------------------------------ inside: opening

    /// @dev Opens the group that begins there, or nothing of it.
    /// @return end The item after it.
    function _openGroup(
        address key,
        bytes32[] memory ids,
        OpenItem[] calldata items,
        SignedClearance[] calldata clearances,
        uint256 begin,
        bytes4[] memory faults
    ) private returns (uint256 end) {
        end = _endOfGroup(items, begin);
        bytes4 fault = _isWhole(items, begin, end) ? bytes4(0) : GroupIncomplete.selector;
        for (uint256 i = begin; i < end && fault == 0; ++i) {
            (fault,) = _openItem(key, ids[i], items[i], clearances, i);
            if (fault == 0) continue;
            while (i > begin) {
                --i;
                _undoOpen(ids[i], items[i].terms);
            }
            break;
        }
        for (uint256 i = begin; i < end; ++i) {
            faults[i] = fault;
            Terms calldata terms = items[i].terms;
            if (fault == 0) emit Opened(ids[i], escrowOf(terms));
            else emit Skipped(ids[i], fault);
        }
    }

    function _openItem(
        address key,
        bytes32 id,
        OpenItem calldata item,
        SignedClearance[] calldata clearances,
        uint256 i
    ) private returns (bytes4 fault, uint256 escrow) {
        if (clearances.length != 0) {
            fault = _clearanceFault(key, id, clearances[i].clearance, clearances[i].signature);
            if (fault != 0) return (fault, 0);
        }
        return _open(key, id, item.terms, item.bid, item.termsSignature, item.bidSignature);
    }

    /// @dev Checks everything but the clearance, then takes the bits and the money; emits nothing, so that a group can
    /// be undone.
    function _open(
        address key,
        bytes32 id,
        Terms calldata terms,
        Bid calldata bid,
        bytes calldata termsSignature,
        bytes calldata bidSignature
    ) private returns (bytes4 fault, uint256 escrow) {
        address buyer = terms.buyer;
        fault = _termsFault(key, buyer, terms, bid);
        if (fault != 0) return (fault, 0);
        address provider = terms.provider;
        if (msg.sender != provider && !Signatures.isSignedBy(provider, id, termsSignature)) {
            return (TermsNotSigned.selector, 0);
        }
        if (!Signatures.isSignedBy(buyer, _hashTypedData(Messages.hash(bid)), bidSignature)) {
            return (BidNotSigned.selector, 0);
        }
        escrow = escrowOf(terms);
        if (escrow > type(uint128).max) return (BadTerms.selector, 0); // the slot keeps 128 bits of claims
        if (!_spendBits(buyer, terms)) return (BidNonceSpent.selector, 0);
        uint256 balance = balanceOf[buyer];
        if (balance < escrow) {
            _unspendBits(buyer, terms);
            return (InsufficientBalance.selector, 0);
        }
        unchecked {
            balanceOf[buyer] = balance - escrow;
        }
        _leases[id] = block.timestamp;
    }

    /// @dev Terms within the bid, and both in time. The widths are checked first, so that no sum or product wraps. One
    /// condition a line costs less than the same conditions in one.
    function _termsFault(address key, address buyer, Terms calldata terms, Bid calldata bid)
        private
        view
        returns (bytes4)
    {
        unchecked {
            if (!Messages.fit(terms)) return BadTerms.selector;
            address meter = terms.meter;
            uint256 nodes = bid.nodes;
            uint256 nodeCount = terms.nodeCount;
            uint256 seconds_ = terms.seconds_;
            uint256 start = terms.start;
            if (meter == address(0)) return BadTerms.selector;
            if (meter == key) return BadTerms.selector;
            if (nodeCount == 0) return BadTerms.selector;
            if (nodeCount > MAX_NODES) return BadTerms.selector;
            if (seconds_ == 0) return BadTerms.selector;
            if (terms.feeBps > BPS) return BadTerms.selector;
            if (nodes > type(uint32).max) return BadTerms.selector;
            if (terms.bidNonce + nodes > uint256(type(uint64).max) + 1) return BadTerms.selector;

            if (buyer != bid.buyer) return OutsideBid.selector;
            if (meter != bid.meter) return OutsideBid.selector;
            if (terms.rate > bid.maxRate) return OutsideBid.selector;
            if (terms.unitsPerNode != bid.unitsPerNode) return OutsideBid.selector;
            if (seconds_ > bid.maxSeconds) return OutsideBid.selector;
            if (start < bid.earliestStart) return OutsideBid.selector;
            if (start > bid.latestStart) return OutsideBid.selector;
            if (terms.grace != bid.grace) return OutsideBid.selector;
            if (terms.feeBps > bid.maxFeeBps) return OutsideBid.selector;
            if (terms.bidNonce != bid.nonce) return OutsideBid.selector;
            if (terms.firstNode + nodeCount > nodes) return OutsideBid.selector;
            if (nodeCount != nodes && terms.group == 0 && bid.allOrNone) return OutsideBid.selector;
            // The bid's nodes, not this lease's: all legs together lock at most maxTotal, whichever of them open.
            uint256 total = terms.rate * nodes * terms.unitsPerNode * seconds_;
            if (total > type(uint128).max) return BadTerms.selector;
            if (total > bid.maxTotal) return OutsideBid.selector;

            if (block.timestamp > bid.validUntil) return BidExpired.selector;
            if (block.timestamp > bid.latestStart) return BidExpired.selector;
            if (start > block.timestamp + OPEN_AHEAD) return TooEarly.selector;
            if (start + seconds_ <= block.timestamp) return TooLate.selector;
        }
        return 0;
    }

    /// @dev Sets the nonce bits of the lease's nodes, or none if one of them is set.
    function _spendBits(address buyer, Terms calldata terms) private returns (bool) {
        mapping(uint256 => uint256) storage words = bidBits[buyer];
        unchecked {
            uint256 first = terms.bidNonce + terms.firstNode;
            uint256 end = first + terms.nodeCount;
            for (uint256 nonce = first; nonce < end; nonce = (nonce | 255) + 1) {
                uint256 mask = _maskFrom(nonce, end);
                uint256 bits = words[nonce >> 8];
                if (bits & mask != 0) {
                    _clearBits(words, first, nonce);
                    return false;
                }
                words[nonce >> 8] = bits | mask;
            }
            return true;
        }
    }

    /// @dev Takes back what this very transaction set.
    function _clearBits(mapping(uint256 => uint256) storage words, uint256 first, uint256 end) private {
        for (uint256 nonce = first; nonce < end; nonce = (nonce | 255) + 1) {
            words[nonce >> 8] &= ~_maskFrom(nonce, end);
        }
    }

    /// @dev The bits of `nonce`'s word from `nonce` up to `end` or the word's own end.
    function _maskFrom(uint256 nonce, uint256 end) private pure returns (uint256) {
        unchecked {
            uint256 bit = nonce & 255;
            uint256 count = end - nonce;
            // Shifting by 256 and more gives 0, and 0 - 1 a full word; what is above the word's end is shifted out.
            // forge-lint: disable-next-line(incorrect-shift)
            return ((1 << count) - 1) << bit;
        }
    }

    function _undoOpen(bytes32 id, Terms calldata terms) private {
        _unspendBits(terms.buyer, terms);
        balanceOf[terms.buyer] += escrowOf(terms);
        _leases[id] = 0;
    }

    function _unspendBits(address buyer, Terms calldata terms) private {
        uint256 first = terms.bidNonce + terms.firstNode;
        _clearBits(bidBits[buyer], first, first + terms.nodeCount);
    }

    /// @dev A group is of one bid: a stranger's leg with the same group id next to it is another group.
    function _endOfGroup(OpenItem[] calldata items, uint256 begin) private pure returns (uint256 end) {
        Terms calldata first = items[begin].terms;
        end = begin + 1;
        if (first.group == 0) return end;
        for (; end < items.length; ++end) {
            Terms calldata terms = items[end].terms;
            if (terms.group != first.group || terms.buyer != first.buyer || terms.bidNonce != first.bidNonce) break;
        }
    }

    /// @dev Whether the legs are all of the same bid and as many nodes as it has. No node counts twice: it spends its
    /// bit.
    function _isWhole(OpenItem[] calldata items, uint256 begin, uint256 end) private pure returns (bool) {
        Bid calldata bid = items[begin].bid;
        bytes32 hash = Messages.hash(bid);
        uint256 nodes;
        for (uint256 i = begin; i < end; ++i) {
            if (Messages.hash(items[i].bid) != hash || items[i].terms.nodeCount > MAX_NODES) return false;
            nodes += items[i].terms.nodeCount;
        }
        return nodes == bid.nodes;
    }

    // ------------------------------------------------------------------ inside: paying and closing

    function _close(bytes32 id, CloseItem calldata item) private returns (bytes4) {
        Terms calldata terms = item.terms;
        (uint256 opened, uint256 stop, uint256 claimed) = _load(id);
        if (opened == 0) return NotOpen.selector;
        address provider = terms.provider;
        uint256 minPaid = item.minPaid;
        if (msg.sender != provider) {
            bytes32 structHash = Messages.hash(Messages.CLOSE, id, minPaid);
            if (!Signatures.isSignedBy(provider, _hashTypedData(structHash), item.closeSignature)) {
                return CloseNotSigned.selector;
            }
        }
        uint256 total = claimed;
        bytes calldata signature = item.voucherSignature;
        if (signature.length != 0) {
            uint256 cumulative = item.cumulative;
            if (!_isVoucher(terms, id, cumulative, signature)) return VoucherNotSigned.selector;
            total = _payable(terms, opened, stop, claimed, cumulative);
        }
        if (_netOf(terms, total) < _toUnits(minPaid)) return BelowMinPaid.selector;

        uint256 fee;
        if (total != claimed) {
            Payee[] calldata payees = item.payees;
            if (!_arePayees(terms, payees)) return WrongPayees.selector;
            fee = _pay(terms, claimed, total, payees);
        }
        uint256 refund = _locked(terms, opened, stop, claimed) - total;
        _leases[id] = 0; // its nonce bits are spent, so the id can't open again
        unchecked {
            if (refund != 0) balanceOf[terms.buyer] += refund;
            emit Closed(id, total - claimed, fee, refund);
        }
        return 0;
    }

    function _requestClose(bytes32 id, Terms calldata terms) private {
        (uint256 opened, uint256 stop, uint256 claimed) = _load(id);
        if (opened == 0) revert NotOpen();
        if (stop != 0) revert AlreadyRequested();
        uint256 refund = escrowOf(terms) - _locked(terms, opened, block.timestamp, claimed);
        _leases[id] = opened | block.timestamp << 40 | claimed << 128;
        balanceOf[terms.buyer] += refund;
        emit CloseRequested(id, block.timestamp, refund);
    }

    function _cancelBids(address owner, uint64 word, uint256 mask) private {
        bidBits[owner][word] |= mask;
        emit BidsCancelled(owner, word, mask);
    }

    function _isVoucher(Terms calldata terms, bytes32 id, uint256 cumulative, bytes calldata signature)
        private
        view
        returns (bool)
    {
        bytes32 structHash = Messages.hash(Messages.VOUCHER, id, cumulative);
        return Signatures.isSignedByKey(terms.meter, _hashTypedData(structHash), signature);
    }

    /// @dev In nano-USD. 128 + 32 + 32 + 64 bits, so it can't wrap.
    function _cost(Terms calldata terms, uint256 elapsed) private pure returns (uint256) {
        unchecked {
            return terms.rate * terms.nodeCount * terms.unitsPerNode * elapsed;
        }
    }

    /// @dev max(0, min(now, stop, start + seconds) - max(opened, start))
    function _elapsed(Terms calldata terms, uint256 opened, uint256 stop) private view returns (uint256) {
        unchecked {
            uint256 from = terms.start;
            uint256 to = from + terms.seconds_;
            if (block.timestamp < to) to = block.timestamp;
            if (stop != 0 && stop < to) to = stop;
            if (opened > from) from = opened;
            return to > from ? to - from : 0;
        }
    }

    /// @dev The bound: min(voucher, rate x units x elapsed), which is never above the escrow; never below what was
    /// claimed.
    function _payable(Terms calldata terms, uint256 opened, uint256 stop, uint256 claimed, uint256 cumulative)
        private
        view
        returns (uint256)
    {
        uint256 bound = _cost(terms, _elapsed(terms, opened, stop));
        uint256 total = _toUnits(cumulative < bound ? cumulative : bound);
        return total > claimed ? total : claimed;
    }

    /// @dev What is held for the lease, claims included: all of the escrow, or after a request what could be earned
    /// until then.
    function _locked(Terms calldata terms, uint256 opened, uint256 stop, uint256 claimed)
        private
        view
        returns (uint256)
    {
        return stop == 0 ? escrowOf(terms) : _payable(terms, opened, stop, claimed, type(uint256).max);
    }

    function _arePayees(Terms calldata terms, Payee[] calldata payees) private pure returns (bool) {
        uint256 count = payees.length;
        if (terms.payeesHash == 0) return count == 0;
        if (count > MAX_PAYEES) return false;
        uint256 sum;
        for (uint256 i; i < count; ++i) {
            // A share that would make the sum overflow must not revert a batch.
            uint256 bps = payees[i].bps;
            if (payees[i].to == address(0) || bps == 0 || bps > BPS) return false;
            sum += bps;
        }
        return sum == BPS && Messages.hash(payees) == terms.payeesHash;
    }

    /// @dev What a payout leaves after the fee, which is rounded down, in favour of the provider. 128 + 16 bits.
    function _netOf(Terms calldata terms, uint256 total) private pure returns (uint256) {
        unchecked {
            return total - total * terms.feeBps / BPS;
        }
    }

    /// @dev Credits fee and shares of what lies between two totals. Each is a part of the whole total, so that it does
    /// not matter in how many claims it came. In turn a payee has the floor of its part of what is left for it and
    /// those after it, the last one all of that: so each one's sum only grows with the total. (With the floor of each
    /// one's part of the whole it would not: the last one's could shrink, and wrap.)
    function _pay(Terms calldata terms, uint256 before, uint256 total, Payee[] calldata payees)
        private
        returns (uint256 fee)
    {
        unchecked {
            uint256 netBefore = _netOf(terms, before);
            uint256 net = _netOf(terms, total);
            fee = total - before - (net - netBefore);
            if (fee != 0) balanceOf[feeTo] += fee;
            if (terms.payeesHash == 0) {
                balanceOf[terms.provider] += net - netBefore;
                return fee;
            }
            uint256 whole = BPS; // of those who are left; never zero, since no share is
            for (uint256 i; i < payees.length; ++i) {
                uint256 bps = payees[i].bps;
                uint256 share = net * bps / whole;
                uint256 had = netBefore * bps / whole;
                balanceOf[payees[i].to] += share - had;
                net -= share;
                netBefore -= had;
                whole -= bps;
            }
        }
    }

    // ------------------------------------------------------------------ inside: a lease's slot

    function _load(bytes32 id) private view returns (uint256 opened, uint256 stop, uint256 claimed) {
        uint256 slot = _leases[id];
        return (slot & type(uint40).max, slot >> 40 & type(uint40).max, slot >> 128);
    }

    function _revert(bytes4 selector) private pure {
        assembly ("memory-safe") {
            mstore(0, selector)
            revert(0, 4)
        }
    }
}
