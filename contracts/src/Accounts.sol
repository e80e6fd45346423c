// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "solady/utils/EIP712.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IComputeEscrow} from "./IComputeEscrow.sol";
import {Messages} from "./Messages.sol";
import {Signatures} from "./Signatures.sol";

/// @notice The calls of the token that the escrow makes, SafeTransferLib's apart.
interface IToken {
    /// @notice ERC-20.
    function balanceOf(address owner) external view returns (uint256);
    /// @notice ERC-20.
    function decimals() external view returns (uint8);
    /// @notice ERC-2612.
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
    /// @notice ERC-3009.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;
}

/// @title Balances: money in, money out, and what owners let others send for them.
abstract contract Accounts is IComputeEscrow, EIP712, ReentrancyGuardTransient {
    /// @inheritdoc IComputeEscrow
    address public immutable token;
    // Nano-USD to base units: x MULTIPLY / DIVIDE, of which one is 1.
    uint256 private immutable MULTIPLY;
    uint256 private immutable DIVIDE;

    /// @inheritdoc IComputeEscrow
    mapping(address owner => uint256) public balanceOf;
    /// @inheritdoc IComputeEscrow
    mapping(address owner => mapping(uint256 word => uint256)) public actionBits;

    constructor(address token_) {
        if (token_.code.length == 0) revert UnsupportedToken();
        uint8 decimals = IToken(token_).decimals();
        if (decimals < 6 || decimals > 18) revert UnsupportedToken();
        token = token_;
        MULTIPLY = decimals > 9 ? 10 ** (decimals - 9) : 1;
        DIVIDE = decimals < 9 ? 10 ** (9 - decimals) : 1;
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("Mizan", "1");
    }

    /// @dev The compiler's target has transient storage; Solady would use it on the main chain alone.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }

    /// @inheritdoc IComputeEscrow
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparator();
    }

    // ------------------------------------------------------------------ in

    /// @inheritdoc IComputeEscrow
    function deposit(uint256 amount) external nonReentrant {
        _pull(msg.sender, amount);
    }

    /// @inheritdoc IComputeEscrow
    function depositWithAuthorization(
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        uint256 before = _held();
        IToken(token).receiveWithAuthorization(from, address(this), amount, validAfter, validBefore, nonce, v, r, s);
        _credit(from, before);
    }

    /// @inheritdoc IComputeEscrow
    function depositWithPermit(
        address owner,
        uint128 amount,
        uint64 nonce,
        uint64 deadline,
        bytes calldata signature,
        uint8 permitV,
        bytes32 permitR,
        bytes32 permitS
    ) external nonReentrant {
        bytes32 structHash = keccak256(abi.encode(Messages.DEPOSIT, owner, amount, nonce, deadline));
        _authorize(owner, structHash, nonce, deadline, signature);
        uint256 units = _toUnits(amount);
        try IToken(token).permit(owner, address(this), units, deadline, permitV, permitR, permitS) {} catch {}
        _pull(owner, units);
    }

    // ------------------------------------------------------------------ out

    /// @inheritdoc IComputeEscrow
    function withdraw(uint256 amount, address to) external nonReentrant {
        if (to == address(0) || to == address(this) || to == token) revert NotAllowed(); // it would be nobody's
        _takeBalance(msg.sender, amount);
        _push(msg.sender, to, amount);
    }

    /// @inheritdoc IComputeEscrow
    function withdrawFor(
        address owner,
        uint128 amount,
        uint64 nonce,
        uint64 deadline,
        uint128 maxRelayFee,
        bytes calldata signature,
        uint256 relayFee
    ) external nonReentrant {
        bytes32 structHash = keccak256(abi.encode(Messages.WITHDRAW, owner, amount, nonce, deadline, maxRelayFee));
        _authorize(owner, structHash, nonce, deadline, signature);
        uint256 units = _toUnits(amount);
        if (relayFee > units) revert RelayFeeTooHigh();
        _payRelay(owner, relayFee, maxRelayFee);
        _takeBalance(owner, units - relayFee);
        _push(owner, owner, units - relayFee);
    }

    // ------------------------------------------------------------------ inside

    function _held() private view returns (uint256) {
        return IToken(token).balanceOf(address(this));
    }

    function _pull(address from, uint256 amount) private {
        uint256 before = _held();
        SafeTransferLib.safeTransferFrom(token, from, address(this), amount);
        _credit(from, before);
    }

    function _credit(address owner, uint256 before) private {
        uint256 held = _held();
        if (held <= before) revert AmountTooSmall();
        balanceOf[owner] += held - before;
        emit Deposited(owner, held - before);
    }

    /// @dev A token that charges the sender of a transfer on top would pay its fee with other owners' money.
    function _push(address owner, address to, uint256 amount) private {
        emit Withdrawn(owner, to, amount);
        uint256 before = _held();
        SafeTransferLib.safeTransfer(token, to, amount);
        if (_held() + amount < before) revert UnsupportedToken();
    }

    function _takeBalance(address owner, uint256 amount) internal {
        uint256 balance = balanceOf[owner];
        if (balance < amount) revert InsufficientBalance();
        unchecked {
            balanceOf[owner] = balance - amount;
        }
    }

    /// @dev Both fees are checked in the same units, so that rounding can't make the fee more than was signed.
    function _payRelay(address owner, uint256 fee, uint256 maxFeeNano) internal {
        if (fee > _toUnits(maxFeeNano)) revert RelayFeeTooHigh();
        if (fee == 0) return;
        _takeBalance(owner, fee);
        balanceOf[msg.sender] += fee;
        emit RelayPaid(owner, msg.sender, fee);
    }

    /// @dev One use of a message that `owner` signed.
    function _authorize(address owner, bytes32 structHash, uint64 nonce, uint64 deadline, bytes calldata signature)
        internal
    {
        if (block.timestamp > deadline) revert Expired();
        uint256 bits = actionBits[owner][nonce >> 8];
        uint256 bit = uint256(1) << (nonce & 255);
        if (bits & bit != 0) revert NonceSpent();
        if (!Signatures.isSignedBy(owner, _hashTypedData(structHash), signature)) revert BadSignature();
        actionBits[owner][nonce >> 8] = bits | bit;
    }

    /// @dev Rounds down, in favour of the payer. Money has 128 bits, so it can't wrap; and DIVIDE is not zero, which
    /// the compiler would check each time.
    function _toUnits(uint256 nano) internal view returns (uint256 units) {
        (uint256 multiply, uint256 divide) = (MULTIPLY, DIVIDE);
        assembly ("memory-safe") {
            units := div(mul(nano, multiply), divide)
        }
    }
}
