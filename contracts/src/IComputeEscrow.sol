// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bid, Clearance, Payee, Terms} from "./Messages.sol";

/// @title The escrow's calls, events and errors.
/// @notice Arguments of direct calls, events and views are in the token's base units. What is signed (EIP-712) is in
/// nano-USD, as in all of Mizan's messages, and is rounded down to base units once.
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

    /// @notice One lease to close. `cumulative` and `voucherSignature` are a voucher; an empty signature settles at
    /// what was claimed. `minPaid`, in nano-USD, is the least that the provider must have got from this lease, fees
    /// apart; with `closeSignature` it is the provider's `Close`, which is empty where the provider itself sends.
    /// `payees` is what `terms.payeesHash` hashes; empty where that is zero.
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
    /// @notice The lease is over: `amount` went to the provider now, of which `fee` to the fee account, and `refunded`
    /// to the buyer. Nothing is locked for it any more.
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

    // ------------------------------------------------------------------ money

    /// @notice The separator under which all messages to this contract are signed.
    function domainSeparator() external view returns (bytes32);

    /// @notice Takes `amount` from the sender and credits what arrived: a token that charges a fee credits less.
    function deposit(uint256 amount) external;

    /// @notice Takes `amount` by ERC-3009 and credits `from`: the token checks the signature of `from`, which names
    /// this contract as the only one that may use it, so anyone may send it.
    function depositWithAuthorization(
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Takes what `owner` signed a `Deposit` for, by anyone. A permit alone says nothing about crediting, and
    /// anyone could front-run its amount; the Deposit fixes it. A permit that was used already left its allowance.
    /// @param amount In nano-USD, as signed; the permit is for the base units of it.
    function depositWithPermit(
        address owner,
        uint128 amount,
        uint64 nonce,
        uint64 deadline,
        bytes calldata signature,
        uint8 permitV,
        bytes32 permitR,
        bytes32 permitS
    ) external;

    /// @notice Pays `amount` of the sender's balance out to `to`. Nothing can block it but the token itself, and where
    /// the token blocks one address another may be named; but not zero, the token or this contract, where it would be
    /// nobody's.
    function withdraw(uint256 amount, address to) external;

    /// @notice Pays out to the owner itself by its signature, so that leaving needs no gas.
    /// @param amount In nano-USD, as signed: what leaves the balance, the relay fee included.
    /// @param maxRelayFee In nano-USD, as signed.
    /// @param relayFee What the sender takes, in base units.
    function withdrawFor(
        address owner,
        uint128 amount,
        uint64 nonce,
        uint64 deadline,
        uint128 maxRelayFee,
        bytes calldata signature,
        uint256 relayFee
    ) external;

    /// @notice The stablecoin that is held.
    function token() external view returns (address);

    /// @notice What an account can withdraw or bid with.
    function balanceOf(address owner) external view returns (uint256);

    /// @notice Spent nonces of an account's relayed messages, as bits: word = nonce >> 8.
    function actionBits(address owner, uint256 word) external view returns (uint256);

    // ------------------------------------------------------------------ leases

    /// @notice Opens one lease: sent by the provider, or with its signature of the terms. Legs of a group go through
    /// `openMany`.
    function open(
        Terms calldata terms,
        Bid calldata bid,
        bytes calldata termsSignature,
        bytes calldata bidSignature,
        Clearance calldata clearance,
        bytes calldata clearanceSignature
    ) external;

    /// @notice Opens many. An item that fails is skipped, with its reason in `Skipped` and in the result, and never
    /// reverts the others; consecutive items of one group stand or fall as one, and must cover the bid's nodes.
    /// @param clearances One for each item; or none, and `batch` covers all.
    /// @return faults For each item zero, or the selector of the error that it failed with.
    function openMany(OpenItem[] calldata items, SignedClearance[] calldata clearances, BatchClearance calldata batch)
        external
        returns (bytes4[] memory faults);

    /// @notice Credits the provider what a voucher adds, up to the bound. Anyone may send it; it never lowers what was
    /// claimed. @param cumulative In nano-USD, as the meter signed it.
    /// @param payees What `terms.payeesHash` hashes; empty where that is zero.
    function claim(Terms calldata terms, uint128 cumulative, bytes calldata signature, Payee[] calldata payees) external;

    /// @notice Pays the last voucher and refunds the rest: by the provider, or with its signed `Close`.
    function close(CloseItem calldata item) external;

    /// @notice Closes many; an item that fails is skipped, as in `openMany`.
    /// @return faults For each item zero, or the selector of the error that it failed with.
    function closeMany(CloseItem[] calldata items) external returns (bytes4[] memory faults);

    /// @notice The buyer stops the clock: at once it gets back what can no longer be earned; the rest waits for the
    /// provider's last voucher, `closeDelay` at most.
    function requestClose(Terms calldata terms) external;

    /// @notice The same by the buyer's signature, which may be lodged with a watcher beforehand.
    /// @param maxRelayFee In nano-USD, as signed.
    /// @param relayFee What the sender takes, in base units; the refund may pay it.
    function requestCloseFor(
        Terms calldata terms,
        uint64 nonce,
        uint64 deadline,
        uint128 maxRelayFee,
        bytes calldata signature,
        uint256 relayFee
    ) external;

    /// @notice Settles at what was claimed, by anyone, once the delay after the request or after the lease's end is
    /// over.
    function finalizeClose(Terms calldata terms) external;

    /// @notice Cancels the sender's bids whose nonce bits are in `mask` of `word`. Bits are set and never cleared.
    function cancelBids(uint64 word, uint256 mask) external;

    /// @notice The same by the owner's signature.
    /// @param maxRelayFee In nano-USD, as signed.
    /// @param relayFee What the sender takes, in base units.
    function cancelBidsFor(
        address owner,
        uint64 word,
        uint256 mask,
        uint64 nonce,
        uint64 deadline,
        uint128 maxRelayFee,
        bytes calldata signature,
        uint256 relayFee
    ) external;

    /// @notice The EIP-712 digest of the terms: a lease's id.
    function leaseId(Terms calldata terms) external view returns (bytes32);

    /// @notice A lease as it stands: seconds of opening (zero if it is not open), seconds of the buyer's stop (zero if
    /// there is none), and what was claimed.
    function leaseOf(bytes32 id) external view returns (uint256 opened, uint256 stop, uint256 claimed);

    /// @notice What the terms lock. Wraps for terms that can't be opened, so ask only for others.
    function escrowOf(Terms calldata terms) external view returns (uint256);

    /// @notice A lease's nodes at most: bounds the words of its nonce bits.
    function MAX_NODES() external view returns (uint256);

    /// @notice How long before its start a lease can be opened.
    function OPEN_AHEAD() external view returns (uint256);

    /// @notice Who is credited the fees.
    function feeTo() external view returns (address);

    /// @notice How long a provider has, after a request to close or the lease's end, to bring its last voucher.
    function closeDelay() external view returns (uint256);

    /// @notice Spent or cancelled nonce bits of an account's bids: word = nonce >> 8.
    function bidBits(address owner, uint256 word) external view returns (uint256);

    // ------------------------------------------------------------------ the guardian

    /// @notice Stops or resumes the opening of leases, and nothing else.
    function setPaused(bool paused_) external;

    /// @notice Takes the clearance key's power away at once. A key that waits still may take over in its time, so that
    /// one which was proposed long ago is a spare.
    function revokeClearanceKey() external;

    /// @notice Names the next key, which may take over in 48 hours; zero for none.
    function proposeClearanceKey(address key) external;

    /// @notice Puts the waiting key in force once its time has come.
    function acceptClearanceKey() external;

    /// @notice How long a new clearance key waits.
    function KEY_DELAY() external view returns (uint256);

    /// @notice Who may pause opening and revoke the clearance key.
    function guardian() external view returns (address);

    /// @notice The key that signs clearances; zero while revoked.
    function clearanceKey() external view returns (address);

    /// @notice Whether opening is stopped.
    function paused() external view returns (bool);

    /// @notice The key that waits to become the clearance key.
    function nextClearanceKey() external view returns (address);

    /// @notice From when it may, in seconds since 1970.
    function nextClearanceKeyFrom() external view returns (uint256);
}
