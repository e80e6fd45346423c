// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @dev A plain stablecoin with permit (from Solady) and ERC-3009. Anyone may mint: it is for tests and demonstrations.
contract TestToken is ERC20 {
    uint8 private immutable DECIMALS;
    mapping(address => mapping(bytes32 => bool)) public used;

    bytes32 private constant RECEIVE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    constructor(uint8 decimals_) {
        DECIMALS = decimals_;
    }

    function name() public pure override returns (string memory) {
        return "Test dollar";
    }

    function symbol() public pure override returns (string memory) {
        return "TUSD";
    }

    function decimals() public view override returns (uint8) {
        return DECIMALS;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function authorizationHash(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce
    ) public view returns (bytes32) {
        bytes32 structHash = keccak256(abi.encode(RECEIVE, from, to, value, validAfter, validBefore, nonce));
        return keccak256(abi.encodePacked(hex"1901", DOMAIN_SEPARATOR(), structHash));
    }

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
    ) external {
        require(to == msg.sender && block.timestamp > validAfter && block.timestamp < validBefore, "3009: when, who");
        require(!used[from][nonce], "3009: used");
        bytes32 hash = authorizationHash(from, to, value, validAfter, validBefore, nonce);
        require(from != address(0) && ecrecover(hash, v, r, s) == from, "3009: signature");
        used[from][nonce] = true;
        _transfer(from, to, value);
    }
}

/// @dev Like the best-known dollar token: its calls return nothing, and an allowance is set from or to nothing alone.
contract SilentToken {
    uint8 public constant decimals = 6;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        require(amount == 0 || allowance[msg.sender][spender] == 0, "allowance");
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @dev Says false instead of reverting, and moves nothing.
contract LyingToken is TestToken(6) {
    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @dev Keeps one per cent of each transfer.
contract FeeToken is TestToken(6) {
    function _afterTokenTransfer(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) _burn(to, amount / 100);
    }
}

/// @dev Takes one per cent from the sender on top of each transfer.
contract TollToken is TestToken(6) {
    function _afterTokenTransfer(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) _burn(from, amount / 100);
    }
}

/// @dev Refuses transfers to and from a blocked address.
contract BlockingToken is TestToken(6) {
    mapping(address => bool) public blocked;

    function setBlocked(address who, bool is_) external {
        blocked[who] = is_;
    }

    function _beforeTokenTransfer(address from, address to, uint256) internal view override {
        require(!blocked[from] && !blocked[to], "blocked");
    }
}

/// @dev Calls both sides of a transfer back, as ERC-777 does.
contract CallbackToken is TestToken(6) {
    function _afterTokenTransfer(address from, address to, uint256) internal override {
        _tell(from);
        _tell(to);
    }

    function _tell(address who) private {
        if (who.code.length == 0) return;
        (bool done,) = who.call(abi.encodeWithSignature("tokensMoved()"));
        done;
    }
}
