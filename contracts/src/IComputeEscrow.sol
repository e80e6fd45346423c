// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bid, Clearance, Payee, Terms} from "./Messages.sol";

/// @title What goes into the escrow's calls and comes out of them: items of batches, events, errors.
/// @notice Amounts in events are in the token's base units.
interface IComputeEscrow {
    /// @notice One lease to open. `termsSignature` is the provider's, empty where the provider itself sends.
    struct OpenItem {
        Terms terms;
        Bid bid;
        bytes termsSignature;
        bytes bidSignature;
    }

    /// @notice A clearance for one item of a batch.
    struct SignedClearance {
        Clearance clearance;
        bytes signature;
    }

    /// @notice One clearance for all leases of a batch, in their order.
    struct BatchClearance {
        bytes32 ruleSet;
        uint64 validUntil;
        bytes signature;
    }

    /// @notice One lease to close. `cumulative` and `voucherSignature` are a voucher; an empty signature settles at what was
    /// claimed. `minPaid`, in nano-USD, is the least that the provider must have got from this lease, fees apart; with
    /// `closeSignature` it is the provider's `Close`, which is empty where the provider itself sends. `payees` is what
    /// `terms.payeesHash` hashes; empty where that is zero.
    struct CloseItem {
        Terms terms;
        uint128 cumulative;
        uint128 minPaid;
        bytes voucherSignature;
        bytes closeSignature;
        Payee[] payees;
    }

    // ------------------------------------------------------------------ events

    /// @notice `amount` arrived and was credited.
    event Deposited(address indexed owner, uint256 amount);
    /// @notice `amount` left `owner`'s balance for `to`.
    event Withdrawn(address indexed owner, address indexed to, uint256 amount);
    /// @notice `amount` moved from `owner`'s balance to that of whoever sent what it had signed.
    event RelayPaid(address indexed owner, address indexed relayer, uint256 amount);
    /// @notice `escrow` was locked from the buyer's balance.
    event Opened(bytes32 indexed lease, uint256 escrow);
    /// @notice `amount` went from escrow to the provider, of which `fee` to the fee account.
    event Claimed(bytes32 indexed lease, uint256 amount, uint256 fee);
    /// @notice The clock stands at `stop`; `refunded` went back to the buyer's balance.
    event CloseRequested(bytes32 indexed lease, uint256 stop, uint256 refunded);
    /// @notice The lease is over: `amount` went to the provider now, of which `fee` to the fee account, and `refunded` to the
    /// buyer. Nothing is locked for it any more.
    event Closed(bytes32 indexed lease, uint256 amount, uint256 fee, uint256 refunded);
    /// @notice An item of a batch was left out because of the error `reason`.
    event Skipped(bytes32 indexed lease, bytes4 reason);
    /// @notice Bids of `owner` can't open any more: those whose nonce bits are in `mask` of `word`.
    event BidsCancelled(address indexed owner, uint64 word, uint256 mask);
    /// @notice Opening was stopped or resumed.
    event Paused(bool paused);
    /// @notice `key` clears nothing any more, and no key does until the next.
    event ClearanceKeyRevoked(address indexed key);
    /// @notice `key` may be put in force from then on.
    event ClearanceKeyProposed(address indexed key, uint256 from);
    /// @notice `key` is in force.
    event ClearanceKeyChanged(address indexed key);

    // ------------------------------------------------------------------ errors

    /// @notice The token has no code or no decimals between 6 and 18, or took more than it was told to pay.
    error UnsupportedToken();
    /// @notice A zero address, or a delay out of bounds.
    error BadConstructor();
    /// @notice The sender may not do this.
    error NotAllowed();
    /// @notice The guardian stopped the opening of leases.
    error OpeningPaused();
    /// @notice The message's deadline is over.
    error Expired();
    /// @notice The message was used before.
    error NonceSpent();
    /// @notice The message is not signed by its owner, or says something else.
    error BadSignature();
    /// @notice The relay fee is above what its owner signed.
    error RelayFeeTooHigh();
    /// @notice Nothing arrived.
    error AmountTooSmall();
    /// @notice The balance is below the amount.
    error InsufficientBalance();
    /// @notice The bid is not signed by its buyer, or says something else.
    error BidNotSigned();
    /// @notice The provider is not the sender and did not sign the terms.
    error TermsNotSigned();
    /// @notice The lease is not cleared by the key in force.
    error NotCleared();
    /// @notice The clearance is too old.
    error ClearanceExpired();
    /// @notice The bid's validity or its latest start is over.
    error BidExpired();
    /// @notice Something in the terms is not what the bid allows.
    error OutsideBid();
    /// @notice A field has a value that no lease can have.
    error BadTerms();
    /// @notice The start is more than an hour ahead.
    error TooEarly();
    /// @notice The lease would be over already.
    error TooLate();
    /// @notice A nonce bit of the lease's nodes is spent or cancelled.
    error BidNonceSpent();
    /// @notice The legs of the group are not all there.
    error GroupIncomplete();
    /// @notice A leg of a group opens with the others, through `openMany`.
    error GroupNeedsBatch();
    /// @notice No such lease is open: it never was, or it is closed.
    error NotOpen();
    /// @notice The voucher is not signed by the lease's meter, or is another lease's.
    error VoucherNotSigned();
    /// @notice The provider is not the sender and did not sign the close.
    error CloseNotSigned();
    /// @notice The provider would get less than it asked for.
    error BelowMinPaid();
    /// @notice The payees are not those of the terms, or not valid ones.
    error WrongPayees();
    /// @notice The clock stands already.
    error AlreadyRequested();
    /// @notice It is too early for this.
    error DelayNotOver();
}
